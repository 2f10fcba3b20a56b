"""What anybody may rely on in the kernels, beyond the contracts that every one keeps."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import warnings

import numpy as np
import pytest
from pyriemann.estimation import Covariances

from bci.engine.covariance import ScatterCovariance
from bci.engine.decoder import scatter
from bci.engine.preprocessing import Preprocessing
from bci.errors import ModelError
from bci.training.fit import FittedModel, fit_decoder
from pipelines.kernels import csp_linear, mdm, tangent_linear
from pipelines.kernels.parts import softmax

KERNELS = {
    "ts-lr": tangent_linear,
    "ts-en": tangent_linear,
    "ts-svm": tangent_linear,
    "mdm": mdm,
    "fgmdm": mdm,
    "csp-lda": csp_linear,
}


def trained(family: str, channels: int = 5) -> tuple[FittedModel, np.ndarray]:
    rng = np.random.default_rng(7)
    labels = np.array(["left", "right"] * 12)
    windows = 5 * rng.standard_normal((24, 1, 100, channels))
    windows[labels == "left", :, :, 1] *= 1.4
    settings = Preprocessing(100.0, tuple(f"E{i}" for i in range(channels)), notch_hz=0, window=100, hop=4)
    return fit_decoder(family, windows, labels, settings), windows


@pytest.mark.parametrize("channels", [1, 2, 8, 40])
@pytest.mark.parametrize("samples", [20, 500])
@pytest.mark.parametrize("offset_uv", [0.0, 30.0])
def test_covariance_from_scatter_is_that_of_pyriemann(channels: int, samples: int, offset_uv: float) -> None:
    rng = np.random.default_rng(channels)
    mixing = np.eye(channels) + 0.3 * rng.standard_normal((channels, channels))
    window = 5 * rng.standard_normal((1, samples, channels)) @ mixing + offset_uv
    covariance = ScatterCovariance(channels)
    factor = covariance(scatter(window)[0])
    expected = Covariances("oas").transform(window.transpose(0, 2, 1))[0]
    np.testing.assert_allclose(factor * covariance.matrix, expected, rtol=1e-9, atol=1e-9 * expected.max())


@pytest.mark.parametrize("family", sorted(KERNELS))
@pytest.mark.parametrize("what", ["all zero", "constant"])
def test_where_the_estimator_has_no_answer_the_kernel_has_none(family: str, what: str) -> None:
    model, windows = trained(family)
    window = np.full_like(windows[:1], 0.0 if what == "all zero" else 3.0)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            estimated = model.estimator.predict_proba(window)
        except ValueError:
            estimated = np.full((1, 2), np.nan)
    assert np.isnan(estimated).all()
    assert np.isnan(model.decoder().kernel(scatter(window[0]))).all()


@pytest.mark.parametrize("family", sorted(KERNELS))
def test_no_answer_leaves_no_trace_in_the_next_window(family: str) -> None:
    model, windows = trained(family)
    kernel = model.decoder().kernel
    before = kernel(scatter(windows[0])).copy()
    kernel(np.zeros((1, 6, 6)))
    assert before.tobytes() == kernel(scatter(windows[0])).tobytes()


@pytest.mark.parametrize("family", sorted(KERNELS))
def test_all_channels_ten_times_as_large_still_give_a_distribution(family: str) -> None:
    model, windows = trained(family)
    answer = model.decoder().kernel(scatter(10 * windows[0]))
    assert answer.sum() == pytest.approx(1)
    assert (answer >= 0).all()


@pytest.mark.parametrize("family", sorted(KERNELS))
def test_every_missing_misshapen_or_nonfinite_array_is_named(family: str) -> None:
    model, _ = trained(family)
    arrays = model.fitted.arrays
    load = KERNELS[family].load
    for name, array in arrays.items():
        worse = (array[..., :0], array[..., None], array.astype(np.float32), np.full_like(array, np.nan))
        for bad in worse:
            with pytest.raises(ModelError, match=name):
                load({**arrays, name: bad}, model.classes)
    with pytest.raises(ModelError, match="missing"):
        load({}, model.classes)


def test_a_kernel_for_one_class_is_refused() -> None:
    model, _ = trained("ts-lr")
    with pytest.raises(ModelError, match="two or more"):
        tangent_linear.load(model.fitted.arrays, ("left",))


def test_probabilities_of_extreme_scores_are_exact_and_no_score_gives_none() -> None:
    assert softmax([1e6], np.empty(2)).tolist() == [0.0, 1.0]
    assert softmax([-1e6, 0.0, -1e6], np.empty(3)).tolist() == [0.0, 1.0, 0.0]
    assert np.isnan(softmax([np.nan], np.empty(2))).all()
    assert np.isnan(softmax([0.0, np.nan, 1.0], np.empty(3))).all()


SCRIPT = """
import hashlib, sys
import numpy as np
from bci.model.file import load_model
from bci.engine.decoder import scatter
kernel = load_model(sys.argv[1]).decoder.kernel
rng = np.random.default_rng(3)
digest = hashlib.sha256()
for _ in range(20):
    digest.update(kernel(scatter(5 * rng.standard_normal((1, 100, 5)))).tobytes())
heavy = {"sklearn", "pyriemann", "torch", "PySide6", "mne", "pylsl"} & {name.split(".")[0] for name in sys.modules}
print(digest.hexdigest(), *sorted(heavy))
"""


@pytest.mark.parametrize("family", sorted(KERNELS))
def test_a_loaded_model_gives_the_same_bits_in_a_process_without_training_packages(family: str, tmp_path) -> None:
    from bci.engine.stream_info import Channel, StreamInfo
    from bci.model.file import save_model

    model, _ = trained(family)
    info = StreamInfo(100.0, tuple(Channel(label) for label in model.preprocessing.labels))
    save_model(tmp_path / "model.safetensors", model.header(info, (0.5, 1.5)), model.arrays)
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "model.safetensors")]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    kernel, rng, digest = model.decoder().kernel, np.random.default_rng(3), hashlib.sha256()
    for _ in range(20):
        digest.update(kernel(scatter(5 * rng.standard_normal((1, 100, 5)))).tobytes())
    assert loaded == [digest.hexdigest()]
