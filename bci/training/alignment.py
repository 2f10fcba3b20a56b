"""Recentring: covariances of different people and days are moved to a common centre.

Every session has its own electrode contact, amplifier gain and background. Seen from the session's own mean,
``M^-1/2 C M^-1/2``, covariances of different sessions lie around the identity and can be compared (Zanini et al.
2018, IEEE Trans. Biomedical Engineering 65(5), 1107; with the arithmetic mean: He, Wu 2020, IEEE Trans. Biomedical
Engineering 67(2), 399). In a kernel this is one fixed matrix.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import FloatArray

METRICS = {"riemannian": "riemann", "log-euclidean": "logeuclid", "euclidean": "euclid"}
MOST_WEIGHT = 4.0
"""No trial counts more than this many times another: a class seen once would otherwise decide where the mean lies."""


def covariances(windows: FloatArray) -> FloatArray:
    """Shrunk covariances (OAS), as the kernels compute them.

    Parameters
    ----------
    windows : ndarray, shape (n_trials, n_bands, n_samples, n_channels)
        µV.

    Returns
    -------
    ndarray, shape (n_trials, n_bands, n_channels, n_channels)
        µV².
    """
    from pyriemann.geometry.covariance import covariances as estimated

    found: FloatArray = estimated(np.ascontiguousarray(np.swapaxes(windows, -1, -2)), estimator="oas")
    return found


def trial_weights(labels: npt.NDArray[np.str_]) -> FloatArray:
    """Weights of the trials with which every class counts the same; they sum to one and are bounded for rare classes.

    Recentring by the plain mean moves the mean towards the class that was seen more often, and so takes a part of the
    difference between the classes away.

    Parameters
    ----------
    labels : ndarray of str, shape (n_trials,)
        Class of each trial.

    Returns
    -------
    ndarray

    Examples
    --------
    >>> trial_weights(np.array(["left", "right", "right", "right"])).round(3).tolist()
    [0.5, 0.167, 0.167, 0.167]
    """
    _, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    weights = 1.0 / counts[codes]
    weights = np.minimum(weights, MOST_WEIGHT * weights.min())
    balanced: FloatArray = weights / weights.sum()
    return balanced


def session_mean(matrices: FloatArray, labels: npt.NDArray[np.str_] | None = None, metric: str = "riemannian") -> FloatArray:
    """Mean covariance of a session in each band.

    Parameters
    ----------
    matrices : ndarray, shape (n_trials, n_bands, n_channels, n_channels)
    labels : ndarray of str, shape (n_trials,), optional
        To weigh by class (:func:`trial_weights`); without them every trial counts the same.
    metric : {"riemannian", "log-euclidean", "euclidean"}

    Returns
    -------
    ndarray, shape (n_bands, n_channels, n_channels)
    """
    from pyriemann.geometry.mean import gmean

    weights = None if labels is None else trial_weights(labels)
    return np.stack(
        [gmean(matrices[:, band], metric=METRICS[metric], sample_weight=weights) for band in range(matrices.shape[1])]
    )


def between(first: FloatArray, second: FloatArray, share: float) -> FloatArray:
    """Matrices on the geodesics from ``first`` to ``second``, shape (n_bands, n, n).

    Parameters
    ----------
    first : ndarray, shape (n_bands, n, n)
        Where the geodesics begin.
    second : ndarray, shape (n_bands, n, n)
        Where they end.
    share : float
        How far along, 0 to 1.

    Returns
    -------
    ndarray, shape (n_bands, n, n)
    """
    from pyriemann.geometry.geodesic import geodesic_riemann

    return np.stack([geodesic_riemann(a, b, share) for a, b in zip(first, second, strict=True)])


def whitening(mean: FloatArray) -> FloatArray:
    """Inverse square roots, shape (n_bands, n_channels, n_channels). A kernel recentres with these matrices.

    Parameters
    ----------
    mean : ndarray, shape (n_bands, n_channels, n_channels)
        Positive definite, µV².

    Returns
    -------
    ndarray, shape (n_bands, n_channels, n_channels)
    """
    from pyriemann.geometry.base import invsqrtm

    found: FloatArray = invsqrtm(mean)
    return found


def tangent_vectors(matrices: FloatArray, white: FloatArray) -> FloatArray:
    """Recentred covariances in the tangent space at the identity, bands side by side.

    Parameters
    ----------
    matrices : ndarray, shape (n_trials, n_bands, n_channels, n_channels)
    white : ndarray, shape (n_bands, n_channels, n_channels)
        :func:`whitening` of the session's mean.

    Returns
    -------
    ndarray, shape (n_trials, n_bands * n_channels * (n_channels + 1) / 2)
        Entries off the diagonal times √2, so that lengths are those of the matrices.
    """
    from pyriemann.geometry.base import logm
    from pyriemann.geometry.tangentspace import upper

    vectors: FloatArray = upper(logm(white @ matrices @ white))
    return vectors.reshape(len(matrices), -1)
