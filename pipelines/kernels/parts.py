"""What the kernels share: arrays as a model file brings them, and probabilities from scores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from bci.engine.chunk import FloatArray
from bci.errors import ModelError


def take(arrays: Mapping[str, np.ndarray], name: str, shape: tuple[int | None, ...]) -> FloatArray:
    """The array ``name`` as contiguous float64, after checking all that can be wrong with it.

    Parameters
    ----------
    arrays : mapping of str to ndarray
    name : str
    shape : tuple of int or None
        None stands for any positive length.

    Returns
    -------
    ndarray

    Raises
    ------
    ModelError
        If it is missing, of another type or shape, or holds a value that is not finite.
    """
    if name not in arrays:
        raise ModelError(f"array {name!r} is missing; the file holds {', '.join(sorted(arrays)) or 'none'}")
    array = arrays[name]
    if array.dtype != np.float64:
        raise ModelError(f"array {name!r}: type is {array.dtype}, must be float64")
    fits = array.ndim == len(shape) and all(n > 0 and want in (None, n) for n, want in zip(array.shape, shape, strict=True))
    if not fits:
        wanted = " × ".join("any" if n is None else str(n) for n in shape)
        raise ModelError(f"array {name!r}: shape is {array.shape}, must be {wanted}")
    if not np.isfinite(array).all():
        raise ModelError(f"array {name!r}: holds values that are not finite")
    return np.ascontiguousarray(array)


def rows_for(classes: Sequence[str]) -> int:
    """Number of linear scores that stand for these classes: one for two, else one each.

    Parameters
    ----------
    classes : sequence of str
        Class names, in the order of the probabilities.

    Returns
    -------
    int
    """
    if len(classes) < 2:
        raise ModelError(f"classes are {', '.join(classes) or 'none'}: a decoder needs two or more")
    return 1 if len(classes) == 2 else len(classes)


def softmax(scores: Sequence[float], out: FloatArray) -> FloatArray:
    """Write ``exp(scores) / sum(exp(scores))`` into ``out``; NaN where a score is no number.

    A single score is the log-odds of the second of two classes.

    Parameters
    ----------
    scores : ndarray, shape (n_scores,)
        Linear scores.
    out : ndarray, shape (n_classes,)
        Written to.

    Returns
    -------
    ndarray

    Examples
    --------
    >>> softmax([0.0], np.empty(2)).tolist()
    [0.5, 0.5]
    """
    if len(scores) == 1:
        return _logistic(scores[0], out)
    top = max(scores)
    if not math.isfinite(top):
        out.fill(math.nan)
        return out
    weights = [math.exp(s - top) for s in scores]
    total = sum(weights)
    for i, weight in enumerate(weights):
        out[i] = weight / total
    return out


def _logistic(log_odds: float, out: FloatArray) -> FloatArray:
    """The two probabilities of a single score; the exponent is never positive, so nothing overflows."""
    if not math.isfinite(log_odds):
        out.fill(math.nan)
        return out
    small = math.exp(-abs(log_odds))
    less, more = small / (1.0 + small), 1.0 / (1.0 + small)
    out[0], out[1] = (less, more) if log_odds >= 0 else (more, less)
    return out
