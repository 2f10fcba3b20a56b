"""What every kernel and every decoder family must keep to; run it on your own before you ship it.

Each function returns one line for every breach it found, so ``assert not kernel_breaches(...)`` is a
test. An exception that a kernel raises is let through: it is the breach.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import FloatArray
from bci.engine.decoder import Kernel, scatter
from bci.engine.preprocessing import Preprocessing
from bci.model.family import DecoderFamily
from bci.training.fit import FittedModel, fit_decoder

TOLERANCE = 1e-9
"""Between a kernel and its estimator; a family of single precision declares its own as ``tolerance``."""
MOST_TOLERANCE = 1e-5


def kernel_breaches(kernel: Kernel, windows: FloatArray) -> list[str]:
    """Return how a kernel breaks its contract on ordinary and on degenerate windows.

    Parameters
    ----------
    kernel : Kernel
    windows : ndarray, shape (n_windows, n_bands, n_samples, n_channels)
        Ordinary windows, µV.
    """
    found = _attribute_breaches(kernel, windows.shape[-1])
    for number, window in enumerate(windows):
        found += _answer_breaches(kernel, window, f"window {number}", may_be_nan=False)
    for what, window in degenerate(windows[0]):
        found += _answer_breaches(kernel, window, what, may_be_nan=True)
    before = _ask(kernel, windows[0])
    if before.tobytes() != _ask(kernel, windows[0]).tobytes():
        found.append("the same window gives other bits when asked twice: the kernel answers at random (dropout left on?)")
    _ask(kernel, windows[-1] * 3)
    if before.tobytes() != _ask(kernel, windows[0]).tobytes():
        found.append("the same window gives other bits after another one: the kernel keeps state between calls")
    return found


def family_breaches(
    family: DecoderFamily,
    windows: FloatArray,
    labels: npt.NDArray[np.str_],
    unseen: FloatArray,
    preprocessing: Preprocessing,
) -> list[str]:
    """Return how a decoder family breaks its contract: in training, or because its kernel and its estimator differ.

    Parameters
    ----------
    family : DecoderFamily
    windows, unseen : ndarray, shape (n_windows, n_bands, n_samples, n_channels)
        To train on, and to compare on, µV.
    labels : ndarray of str, shape (n_windows,)
    preprocessing : Preprocessing
    """
    model = fit_decoder(family, windows, labels, preprocessing)
    kernel = model.decoder().kernel
    found = list(_model_breaches(model, labels))
    expected = model.estimator.predict_proba(unseen)
    answers = np.array([_ask(kernel, window) for window in unseen])
    worst = float(np.abs(answers - expected).max()) if answers.shape == expected.shape else np.inf
    allowed = min(getattr(family, "tolerance", TOLERANCE), MOST_TOLERANCE)
    if not worst <= allowed:
        found.append(f"kernel and estimator differ by {worst:.3g}, at most {allowed:g} is allowed")
    return found + kernel_breaches(kernel, unseen)


def degenerate(window: FloatArray) -> Iterator[tuple[str, FloatArray]]:
    """Make unusual but finite windows from an ordinary one, shape (n_bands, n_samples, n_channels).

    Parameters
    ----------
    window : ndarray, shape (n_bands, n_samples, n_channels)
        Microvolts.
    """
    yield "all zero", np.zeros_like(window)
    yield "constant", np.full_like(window, 7.0)
    yield "every channel the same", np.repeat(window[..., :1], window.shape[-1], axis=-1)
    yield "average reference", window - window.mean(axis=-1, keepdims=True)
    flat = window.copy()
    flat[..., 0] = 0.0
    yield "one flat channel", flat
    loud = window.copy()
    loud[..., 0] *= 1e12
    yield "one channel 1e12 times as large", loud
    yield "1e12 times as large", window * 1e12
    yield "1e12 times as small", window * 1e-12
    yield "offset of 1e9 µV", window + 1e9
    yield "near the largest float", window * 1e150
    one = np.zeros_like(window)
    one[:, 0, 0] = 1.0
    yield "a single sample that is not zero", one


def _ask(kernel: Kernel, window: FloatArray) -> FloatArray:
    """A copy of the kernel's answer."""
    if kernel.features == "samples":
        return np.array(kernel(window))
    with np.errstate(over="ignore", invalid="ignore"):
        features = np.nan_to_num(scatter(window), posinf=1e300, neginf=-1e300)
    return np.array(kernel(features))


def _attribute_breaches(kernel: Kernel, n_channels: int) -> list[str]:
    found = []
    if not isinstance(kernel.classes, tuple) or len(set(kernel.classes)) < 2:
        found.append(f"classes = {kernel.classes!r}: must be a tuple of two or more different names")
    if kernel.n_channels != n_channels:
        found.append(f"n_channels = {kernel.n_channels}: the windows have {n_channels}")
    if kernel.features not in ("scatter", "samples"):
        found.append(f"features = {kernel.features!r}: must be 'scatter' or 'samples'")
    return found


def _answer_breaches(kernel: Kernel, window: FloatArray, what: str, *, may_be_nan: bool) -> list[str]:
    """Shape, range, sum, and an input left as it was."""
    kept = window.copy()
    answer = _ask(kernel, window)
    found = []
    if not np.array_equal(window, kept):
        found.append(f"{what}: the kernel changed its input")
    if answer.shape != (len(kernel.classes),) or answer.dtype != np.float64:
        return [*found, f"{what}: answer is {answer.dtype} of shape {answer.shape}, must be float64 ({len(kernel.classes)},)"]
    if may_be_nan and np.isnan(answer).all():
        return found
    if not (np.isfinite(answer).all() and answer.min() >= 0 and abs(float(answer.sum()) - 1) < 1e-9):
        found.append(f"{what}: {answer} is no distribution{' (nor NaN for every class)' if may_be_nan else ''}")
    return found


def _model_breaches(model: FittedModel, labels: npt.NDArray[np.str_]) -> Iterator[str]:
    if set(model.classes) != {str(x) for x in labels}:
        yield f"classes {model.classes} are not those of the labels"
    weights = model.weights
    if weights.shape != (len(model.preprocessing.labels),) or weights.min() < 0 or abs(float(weights.sum()) - 1) > 1e-9:
        yield f"channel weights {weights}: must be non-negative, one for each channel, and sum to one"
    for name, array in model.fitted.arrays.items():
        if not isinstance(array, np.ndarray) or not np.isfinite(array).all():
            yield f"array {name!r}: must be a finite ndarray"
