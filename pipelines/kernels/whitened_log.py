"""Matrix logarithm of a covariance seen from a reference: ``log(R^-1/2 C R^-1/2)``."""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg.lapack import dsyevd, dsyevd_lwork

from bci.engine.chunk import FloatArray
from bci.engine.covariance import ScatterCovariance


class Eigen:
    """Symmetric eigenproblem in a buffer that is used again (LAPACK ``dsyevd``).

    Parameters
    ----------
    n : int
        Order of the matrices.

    Attributes
    ----------
    buffer : ndarray, shape (n, n)
        The matrix before a call. After a call with vectors, row i is eigenvector i.
    """

    def __init__(self, n: int) -> None:
        self.buffer: FloatArray = np.zeros((n, n))
        work, iwork, _ = dsyevd_lwork(n, compute_v=1)
        self._work, self._iwork = int(work), int(iwork)

    def vectors(self) -> FloatArray | None:
        """Eigenvalues, ascending, with the eigenvectors left in ``buffer``; None where LAPACK gives up."""
        values, _, failed = dsyevd(self.buffer.T, compute_v=1, lower=1, lwork=self._work, liwork=self._iwork, overwrite_a=1)
        return None if failed else values

    def values(self) -> FloatArray | None:
        """Eigenvalues only, ascending; None where LAPACK gives up. ``buffer`` is destroyed."""
        values, _, failed = dsyevd(self.buffer.T, compute_v=0, lower=1, overwrite_a=1)
        return None if failed else values


class WhitenedLog:
    """Logarithm of one band's shrunk covariance in the tangent space at a reference.

    Barachant, Bonnet, Congedo, Jutten 2012 (IEEE Trans. Biomedical Engineering 59(4), 920), equation 7.
    ``dsyevd`` takes most of the time; ``dsyevr`` and ``dsyev`` were slower or equal from 8 to 128
    channels, and methods made of products (Newton-Schulz roots, Chebyshev series) need more products
    for 1e-9 than the eigenproblem costs.

    Parameters
    ----------
    whitening : ndarray, shape (n_channels, n_channels)
        The symmetric inverse square root of the reference covariance, 1/µV.

    Attributes
    ----------
    log : ndarray, shape (n_channels ** 2,)
        The logarithm, row after row, after a call that returned True.
    """

    def __init__(self, whitening: FloatArray) -> None:
        n = len(whitening)
        self._whitening = whitening
        self._covariance = ScatterCovariance(n)
        self._eigen = Eigen(n)
        self._half: FloatArray = np.zeros((n, n))
        self._square: FloatArray = np.zeros((n, n))
        self._logs: FloatArray = np.zeros((n, 1))
        self.log = self._square.reshape(-1)

    def __call__(self, scatter: FloatArray) -> bool:
        """Whether one band's scatter has a logarithm; if so, it is in ``log``."""
        factor = self._covariance(scatter)
        if not factor > 0:
            return False
        rows = self._eigen.buffer
        np.dot(self._whitening, self._covariance.matrix, out=self._half)
        np.dot(self._half, self._whitening, out=rows)
        values = self._eigen.vectors()
        if values is None or not values[0] > 0:
            return False
        np.log(values, out=self._logs[:, 0])
        self._logs += math.log(factor)
        np.multiply(rows, self._logs, out=self._half)
        np.dot(rows.T, self._half, out=self._square)
        return True
