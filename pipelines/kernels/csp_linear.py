"""Kernel: log-variance of spatial filters in one or more bands, and a linear model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import numpy as np

from bci.engine.chunk import FloatArray
from bci.engine.covariance import ScatterCovariance
from pipelines.kernels.parts import rows_for, softmax, take


class CspLinear:
    """Score ``b_k + sum over filters of w_k log(f' C f)``, then a softmax.

    Blankertz et al. 2008 (IEEE Signal Processing Magazine 25(1), 41); with a filter bank Ang et al.
    2008 (IJCNN, 2390). A window in which a filter sees no variance answers NaN for every class, as
    the estimator, and never an error.

    Parameters
    ----------
    classes : tuple of str
    filters : ndarray, shape (n_bands, n_filters, n_channels)
        Spatial filters, 1/µV.
    weights : ndarray, shape (n_scores, n_bands, n_filters)
        The linear model; zero for features that were not selected. One score for two classes.
    intercept : ndarray, shape (n_scores,)
    """

    features: Literal["scatter", "samples"] = "scatter"

    def __init__(self, classes: tuple[str, ...], filters: FloatArray, weights: FloatArray, intercept: FloatArray) -> None:
        self.classes = classes
        self.n_channels = filters.shape[2]
        self._filters = filters
        self._covariance = ScatterCovariance(self.n_channels)
        self._filtered: FloatArray = np.zeros(filters.shape[1:])
        self._variances: FloatArray = np.zeros(filters.shape[:2])
        self._weights = np.ascontiguousarray(weights.reshape(len(weights), -1))
        self._intercept = intercept.tolist()
        self._probabilities: FloatArray = np.full(len(classes), math.nan)

    def __call__(self, window: FloatArray) -> FloatArray:
        """Probabilities, shape (n_classes,), from scatter matrices, shape (n_bands, n_channels + 1, n_channels + 1)."""
        variances = self._variances
        for band, filters in enumerate(self._filters):
            factor = self._covariance(window[band])
            if not factor > 0:
                return self._no_answer()
            np.matmul(filters, self._covariance.matrix, out=self._filtered)
            np.einsum("fc,fc->f", self._filtered, filters, out=variances[band])
            variances[band] *= factor
        if not 0 < float(variances.min()) <= float(variances.max()) < math.inf:
            return self._no_answer()
        np.log(variances, out=variances)
        scores = self._weights.dot(variances.reshape(-1)).tolist()
        return softmax([s + b for s, b in zip(scores, self._intercept, strict=True)], self._probabilities)

    def _no_answer(self) -> FloatArray:
        self._probabilities.fill(math.nan)
        return self._probabilities


def load(arrays: Mapping[str, np.ndarray], classes: tuple[str, ...]) -> CspLinear:
    """Build the kernel from a model's arrays ``filters``, ``weights`` and ``intercept``.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        The model's arrays, by name.
    classes : tuple of str
        Class names, in the order of the probabilities.

    Returns
    -------
    CspLinear

    Raises
    ------
    ModelError
        If one is missing or does not fit.
    """
    scores = rows_for(classes)
    filters = take(arrays, "filters", (None, None, None))
    weights = take(arrays, "weights", (scores, *filters.shape[:2]))
    return CspLinear(classes, filters, weights, take(arrays, "intercept", (scores,)))
