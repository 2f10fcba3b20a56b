"""Windows are sums of fixed blocks."""

import numpy as np
import pytest

from bci.engine.decoder import scatter
from bci.engine.window import SampleWindow, ScatterWindow


@pytest.mark.parametrize("first", [0, 3, 7])
def test_every_full_window_has_the_scatter_of_its_samples(first: int) -> None:
    rng = np.random.default_rng(0)
    n_blocks, hop, total = 5, 4, 37
    data = rng.normal(size=(2, total * hop, 3))
    window = ScatterWindow(2, 3, n_blocks * hop, hop)
    for i in range(total):
        (found,) = window.push(first + i, data[None, :, i * hop : (i + 1) * hop])
        if i >= n_blocks - 1:
            expected = scatter(data[:, (i + 1 - n_blocks) * hop : (i + 1) * hop])
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_work_done_early_gives_the_same_bits() -> None:
    rng = np.random.default_rng(1)
    data = rng.normal(size=(23, 1, 4, 6))
    lazy, eager = ScatterWindow(1, 6, 20, 4), ScatterWindow(1, 6, 20, 4)
    for i, block in enumerate(data):
        expected = lazy.push(i, block[None]).tobytes()
        assert eager.push(i, block[None]).tobytes() == expected
        eager.prepare()


@pytest.mark.parametrize("size", [2, 5, 7, 32])
@pytest.mark.parametrize("kind", [ScatterWindow, SampleWindow])
def test_blocks_pushed_together_give_the_bits_of_blocks_pushed_one_by_one(kind: type, size: int) -> None:
    data = np.random.default_rng(3).normal(size=(80, 2, 4, 6))
    together, singly = kind(2, 6, 20, 4), kind(2, 6, 20, 4)
    for start in range(0, len(data), size):
        windows = [np.array(w) for w in together.push(start, data[start : start + size])]
        for i, window in enumerate(windows, start=start):
            assert np.array(singly.push(i, data[i : i + 1])[0]).tobytes() == window.tobytes()


def test_sample_windows_hold_the_newest_samples_in_order() -> None:
    rng = np.random.default_rng(2)
    data = rng.normal(size=(2, 40 * 4, 3))
    window = SampleWindow(2, 3, 20, 4)
    for i in range(40):
        (found,) = window.push(i, data[None, :, i * 4 : (i + 1) * 4])
        if i >= 4:
            np.testing.assert_array_equal(found, data[:, (i - 4) * 4 : (i + 1) * 4])
