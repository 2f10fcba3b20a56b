"""The block filter is scipy's cascade, block by block."""

import numpy as np
import pytest
from scipy.signal import sosfilt, sosfilt_zi

from bci.engine.filters import FilterBank, band_pass, notch, settling

RATE = 250.0


@pytest.mark.parametrize("hop", [1, 10, 64])
@pytest.mark.parametrize("line", [None, 50.0])
def test_blocks_equal_the_cascade_of_second_order_sections(hop: int, line: float | None) -> None:
    rng = np.random.default_rng(0)
    data = 30_000.0 + rng.normal(0, 20, (hop * 200, 3))
    ahead = notch(line, RATE) if line else None
    bands = [band_pass(8, 30, 4, RATE), band_pass(4, 8, 2, RATE)]
    bank = FilterBank(ahead, bands, hop, 3)
    found = [tuple(x[0].copy() for x in bank(data[i : i + hop][None])) for i in range(0, len(data), hop)]
    notched = data if ahead is None else sosfilt(ahead, data, axis=0, zi=sosfilt_zi(ahead)[..., None] * data[0])[0]
    np.testing.assert_allclose(np.concatenate([n for n, _ in found]), notched, atol=1e-6)
    for i, sos in enumerate(bands):
        expected = sosfilt(sos, notched, axis=0, zi=sosfilt_zi(sos)[..., None] * data[0])[0]
        np.testing.assert_allclose(np.concatenate([b[i] for _, b in found]), expected, atol=1e-6)


def test_blocks_filtered_together_have_the_bits_of_blocks_filtered_one_by_one() -> None:
    data = 30_000.0 + np.random.default_rng(1).normal(0, 20, (23, 10, 3))
    together, singly = (FilterBank(notch(50, RATE), [band_pass(8, 30, 4, RATE), band_pass(4, 8, 2, RATE)], 10, 3) for _ in "ab")
    notched, bands = together(data)
    for i, block in enumerate(data):
        one, its_bands = singly(block[None])
        assert one[0].tobytes() == notched[i].tobytes()
        assert its_bands[0].tobytes() == bands[i].tobytes()


def test_a_constant_offset_makes_no_transient_after_a_restart() -> None:
    bank = FilterBank(notch(50, RATE), [band_pass(8, 30, 4, RATE)], 10, 2)
    for offset in (150_000.0, -40_000.0):
        bank.restart()
        for _ in range(20):
            _, bands = bank(np.full((1, 10, 2), offset))
            assert np.abs(bands).max() < 1e-3


def test_the_settling_time_covers_the_transient() -> None:
    sos = band_pass(8, 30, 4, RATE)
    impulse = np.zeros(1000)
    impulse[0] = 1
    response = np.abs(sosfilt(sos, impulse))
    assert response[settling(sos) :].max() < 0.05 * response.max()
