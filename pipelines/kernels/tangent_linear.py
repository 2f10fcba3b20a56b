"""Kernel: tangent space and a linear model, folded into one symmetric matrix per score."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import numpy as np

from bci.engine.chunk import FloatArray
from pipelines.kernels.parts import rows_for, softmax, take
from pipelines.kernels.whitened_log import WhitenedLog


class TangentLinear:
    """Score ``b_k + sum over bands of trace(M_k log(R^-1/2 C R^-1/2))``, then a softmax.

    A window whose covariance is not positive definite in floating point (every channel flat, say)
    has no logarithm: the answer is NaN for every class, as from the estimator, and never an error.

    Parameters
    ----------
    classes : tuple of str
    whitening : ndarray, shape (n_bands, n_channels, n_channels)
        Inverse square roots of the reference covariances, 1/µV.
    weights : ndarray, shape (n_scores, n_bands, n_channels, n_channels)
        The linear model, symmetric matrices. One score for two classes: log-odds of the second.
    intercept : ndarray, shape (n_scores,)
    """

    features: Literal["scatter", "samples"] = "scatter"

    def __init__(self, classes: tuple[str, ...], whitening: FloatArray, weights: FloatArray, intercept: FloatArray) -> None:
        self.classes = classes
        self.n_channels = whitening.shape[1]
        self._logs = tuple(WhitenedLog(w) for w in whitening)
        flat = weights.reshape(*weights.shape[:2], -1)
        self._weights = tuple(np.ascontiguousarray(flat[:, band]) for band in range(len(whitening)))
        self._intercept = intercept.tolist()
        self._probabilities: FloatArray = np.full(len(classes), math.nan)

    def __call__(self, window: FloatArray) -> FloatArray:
        """Probabilities, shape (n_classes,), from scatter matrices, shape (n_bands, n_channels + 1, n_channels + 1)."""
        scores = self._intercept
        for band, (log, weights) in enumerate(zip(self._logs, self._weights, strict=True)):
            if not log(window[band]):
                self._probabilities.fill(math.nan)
                return self._probabilities
            scores = [s + x for s, x in zip(scores, weights.dot(log.log).tolist(), strict=True)]
        return softmax(scores, self._probabilities)


def load(arrays: Mapping[str, np.ndarray], classes: tuple[str, ...]) -> TangentLinear:
    """Build the kernel from a model's arrays ``whitening``, ``weights`` and ``intercept``.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        The model's arrays, by name.
    classes : tuple of str
        Class names, in the order of the probabilities.

    Returns
    -------
    TangentLinear

    Raises
    ------
    ModelError
        If one is missing or does not fit.
    """
    scores = rows_for(classes)
    whitening = take(arrays, "whitening", (None, None, None))
    bands, channels, _ = whitening.shape
    whitening = take(arrays, "whitening", (bands, channels, channels))
    weights = take(arrays, "weights", (scores, bands, channels, channels))
    return TangentLinear(classes, whitening, weights, take(arrays, "intercept", (scores,)))
