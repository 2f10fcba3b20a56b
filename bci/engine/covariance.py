"""Shrunk covariance from a scatter matrix: what ``Covariances("oas")`` gives, without the samples."""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg.blas import ddot, dger

from bci.engine.chunk import FloatArray

LEAST_VARIANCE = 1e-9
"""Part of the squared means that the variances must exceed: below, rounding of the sums is all that is left."""


def oas_shrinkage(mean_square: float, mean_variance: float, n_samples: float, n_channels: int) -> float:
    """Weight of the scaled identity in the oracle approximating shrinkage estimate.

    Chen, Wiesel, Eldar, Hero 2010 (IEEE Trans. Signal Processing 58(10), 5016), equation 23, without
    the factor 2/p, as scikit-learn has it.

    Parameters
    ----------
    mean_square : float
        Mean of the squared entries of the empirical covariance, µV⁴.
    mean_variance : float
        Mean of its diagonal, µV².
    n_samples : float
    n_channels : int

    Examples
    --------
    >>> oas_shrinkage(0.5, 1.0, 9, 2)
    1.0
    """
    square = mean_variance * mean_variance
    below = (n_samples + 1) * (mean_square - square / n_channels)
    return 1.0 if below <= 0 else min((mean_square + square) / below, 1.0)


class ScatterCovariance:
    """Shrunk covariance of one band, up to a factor, in a buffer that is used again.

    Parameters
    ----------
    n_channels : int

    Attributes
    ----------
    matrix : ndarray, shape (n_channels, n_channels)
        After a call with result ``f``: the covariance in µV² is ``f * matrix``. Whoever takes
        logarithms adds ``log(f)`` to them, which is cheaper than to scale the matrix.
    """

    def __init__(self, n_channels: int) -> None:
        self.matrix: FloatArray = np.zeros((n_channels, n_channels))
        self._flat = self.matrix.reshape(-1)
        self._diagonal = self._flat[:: n_channels + 1]
        self._ones: FloatArray = np.ones(n_channels)
        self._n_channels = n_channels

    def __call__(self, scatter: FloatArray) -> float:
        """Fill ``matrix`` from one band's scatter, shape (n_channels + 1, n_channels + 1).

        Returns
        -------
        float
            The factor ``f``; NaN where there is no covariance (no samples, constant channels, overflow).
        """
        c = self._n_channels
        n = float(scatter[c, c])
        if not n > 0:
            return math.nan
        sums = scatter[c, :c]
        np.copyto(self.matrix, scatter[:c, :c])
        dger(-1.0 / n, sums, sums, a=self.matrix.T, overwrite_x=0, overwrite_y=0, overwrite_a=1)
        mean_square = float(ddot(self._flat, self._flat)) / (c * c * n * n)
        if not mean_square < math.inf:
            return math.nan
        mean_variance = float(np.dot(self._diagonal, self._ones)) / (c * n)
        if not mean_variance * c > LEAST_VARIANCE * float(ddot(sums, sums)) / (n * n):
            return math.nan
        shrinkage = oas_shrinkage(mean_square, mean_variance, n, c)
        if shrinkage == 1.0:
            self.matrix.fill(0.0)
            self._diagonal[:] = mean_variance
            return 1.0
        kept = (1.0 - shrinkage) / n
        self._diagonal += shrinkage * mean_variance / kept
        return kept
