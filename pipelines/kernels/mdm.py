"""Kernel: minimum distance to class means, with or without geodesic filtering."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import numpy as np

from bci.engine.chunk import FloatArray
from bci.engine.covariance import ScatterCovariance
from bci.errors import ModelError
from pipelines.kernels.parts import rows_for, softmax, take
from pipelines.kernels.whitened_log import Eigen, WhitenedLog

LARGEST_EXPONENT = 300.0


class Distances:
    """Squared affine-invariant distances from one matrix to the class means.

    Parameters
    ----------
    roots : ndarray, shape (n_classes, n_channels, n_channels)
        ``B_k`` with ``B_k B_k'`` the inverse of mean k: the distance is the norm of ``log(B_k' C B_k)``.
    """

    def __init__(self, roots: FloatArray) -> None:
        self._roots = roots
        self._eigen = Eigen(roots.shape[1])
        self._half: FloatArray = np.zeros(roots.shape[1:])

    def __call__(self, matrix: FloatArray, log_factor: float) -> list[float]:
        """Distances of ``exp(log_factor) * matrix``; NaN where it is not positive definite."""
        return [self._one(root, matrix, log_factor) for root in self._roots]

    def _one(self, root: FloatArray, matrix: FloatArray, log_factor: float) -> float:
        """Förstner, Moonen 1999: the sum of the squared logarithms of the joint eigenvalues."""
        np.matmul(matrix, root, out=self._half)
        np.matmul(root.T, self._half, out=self._eigen.buffer)
        values = self._eigen.values()
        if values is None or not values[0] > 0:
            return math.nan
        logs = np.log(values, out=values)
        logs += log_factor
        return float(logs.dot(logs))


class MinimumDistanceKernel:
    """Softmax of the negative squared Riemannian distances to the class means.

    Barachant et al. 2012 (IEEE Trans. Biomedical Engineering 59(4), 920), algorithm 1. A window
    whose covariance is not positive definite answers NaN for every class, and never an error.

    Parameters
    ----------
    classes : tuple of str
    roots : ndarray, shape (n_classes, n_channels, n_channels)
        See :class:`Distances`, 1/µV.
    """

    features: Literal["scatter", "samples"] = "scatter"

    def __init__(self, classes: tuple[str, ...], roots: FloatArray) -> None:
        self.classes = classes
        self.n_channels = roots.shape[1]
        self._covariance = ScatterCovariance(self.n_channels)
        self._distances = Distances(roots)
        self._probabilities: FloatArray = np.full(len(classes), math.nan)

    def __call__(self, window: FloatArray) -> FloatArray:
        """Probabilities, shape (n_classes,), from one scatter matrix, shape (1, n_channels + 1, n_channels + 1)."""
        factor = self._covariance(window[0])
        if not factor > 0:
            self._probabilities.fill(math.nan)
            return self._probabilities
        return _nearest(self._distances(self._covariance.matrix, math.log(factor)), self._probabilities)


class FilteredMinimumDistanceKernel:
    """The same after projection onto the discriminant directions of the tangent space (FgMDM).

    Barachant, Bonnet, Congedo, Jutten 2010 (LVA/ICA, LNCS 6365, 629), section 3.2.

    Parameters
    ----------
    classes : tuple of str
    whitening : ndarray, shape (n_channels, n_channels)
        Inverse square root of the reference covariance, 1/µV.
    directions : ndarray, shape (n_directions, n_channels, n_channels)
        Symmetric and orthonormal: the span of the discriminant.
    roots : ndarray, shape (n_classes, n_channels, n_channels)
        ``R^1/2 B_k``: class means as seen from the reference, no unit.
    """

    features: Literal["scatter", "samples"] = "scatter"

    def __init__(self, classes: tuple[str, ...], whitening: FloatArray, directions: FloatArray, roots: FloatArray) -> None:
        self.classes = classes
        self.n_channels = len(whitening)
        self._log = WhitenedLog(whitening)
        self._directions = directions.reshape(len(directions), -1)
        self._eigen = Eigen(self.n_channels)
        self._half: FloatArray = np.zeros_like(whitening)
        self._filtered: FloatArray = np.zeros_like(whitening)
        self._distances = Distances(roots)
        self._probabilities: FloatArray = np.full(len(classes), math.nan)

    def __call__(self, window: FloatArray) -> FloatArray:
        """Probabilities, shape (n_classes,), from one scatter matrix, shape (1, n_channels + 1, n_channels + 1)."""
        if not self._log(window[0]) or not self._exponential(self._directions.dot(self._log.log)):
            self._probabilities.fill(math.nan)
            return self._probabilities
        return _nearest(self._distances(self._filtered, 0.0), self._probabilities)

    def _exponential(self, coordinates: FloatArray) -> bool:
        """Put the exponential of the filtered tangent vector into ``_filtered``; False where it overflows."""
        np.dot(coordinates, self._directions, out=self._eigen.buffer.reshape(-1))
        values = self._eigen.vectors()
        if values is None or not -LARGEST_EXPONENT < values[0] <= values[-1] < LARGEST_EXPONENT:
            return False
        np.multiply(self._eigen.buffer, np.exp(values, out=values)[:, None], out=self._half)
        np.matmul(self._eigen.buffer.T, self._half, out=self._filtered)
        return True


def _nearest(squares: list[float], out: FloatArray) -> FloatArray:
    """Softmax of the negative squared distances; NaN throughout where one of them is no number."""
    if not all(map(math.isfinite, squares)):
        out.fill(math.nan)
        return out
    return softmax([-d for d in squares], out)


def load(arrays: Mapping[str, np.ndarray], classes: tuple[str, ...]) -> MinimumDistanceKernel | FilteredMinimumDistanceKernel:
    """Build the kernel from a model's arrays: ``roots``, and with filtering ``whitening`` and ``directions``.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        The model's arrays, by name.
    classes : tuple of str
        Class names, in the order of the probabilities.

    Returns
    -------
    MinimumDistanceKernel or FilteredMinimumDistanceKernel

    Raises
    ------
    ModelError
        If one is missing or does not fit.
    """
    rows_for(classes)
    roots = take(arrays, "roots", (len(classes), None, None))
    channels = roots.shape[1]
    roots = take(arrays, "roots", (len(classes), channels, channels))
    if set(arrays) == {"roots"}:
        return MinimumDistanceKernel(classes, roots)
    if "directions" not in arrays:
        raise ModelError(f"arrays are {', '.join(sorted(arrays))}: must be roots, or roots, whitening and directions")
    whitening = take(arrays, "whitening", (channels, channels))
    return FilteredMinimumDistanceKernel(classes, whitening, take(arrays, "directions", (None, channels, channels)), roots)
