"""Euclidean alignment: every session's mean covariance becomes the identity.

He, Wu 2020 (IEEE Trans. Biomedical Engineering 67(2), 399), equation 3. It is one constant matrix for each band, which the
exported network starts with.
"""

from __future__ import annotations

import numpy as np

from bci.engine.chunk import FloatArray

FLOOR = 1e-2
"""No direction is amplified as if it had less than this part of the mean power: an average reference has one with none."""


def mean_covariance(windows: FloatArray) -> FloatArray:
    """Mean over windows of the sums of products, shape (n_bands, n_channels, n_channels), µV².

    Parameters
    ----------
    windows : ndarray, shape (n_windows, n_bands, n_samples, n_channels)
        µV, band-passed: their mean is zero.

    Returns
    -------
    ndarray, shape (n_bands, n_channels, n_channels)
    """
    total = np.zeros((windows.shape[1], windows.shape[3], windows.shape[3]))
    for window in windows:
        total += np.matmul(window.transpose(0, 2, 1), window)
    total /= len(windows) * windows.shape[2]
    return total


def whitening(covariance: FloatArray) -> FloatArray:
    """Inverse square roots of covariances, 1/µV, with small eigenvalues raised to :data:`FLOOR` of their mean.

    Parameters
    ----------
    covariance : ndarray, shape (n_bands, n_channels, n_channels)
        µV².

    Returns
    -------
    ndarray

    Examples
    --------
    >>> whitening(np.array([[[4.0, 0.0], [0.0, 1.0]]]))[0].tolist()
    [[0.5, 0.0], [0.0, 1.0]]
    """
    values, vectors = np.linalg.eigh(covariance)
    values = np.maximum(values, FLOOR * values.mean(axis=1, keepdims=True))
    found: FloatArray = vectors / np.sqrt(values)[:, None, :] @ vectors.transpose(0, 2, 1)
    return found


def scaling(covariance: FloatArray) -> FloatArray:
    """One gain for all channels of a band, as matrices, for training without alignment.

    Parameters
    ----------
    covariance : ndarray, shape (n_bands, n_channels, n_channels)
        µV².

    Returns
    -------
    ndarray
    """
    n = covariance.shape[1]
    gain = 1 / np.sqrt(np.einsum("bii->b", covariance) / n)
    found: FloatArray = gain[:, None, None] * np.eye(n)
    return found
