"""What the covariance decoders share while they are fitted: scikit-learn adapters over bands.

Windows come time first, ``(n_windows, n_bands, n_samples, n_channels)``; pyriemann wants channels
first. This is the only place that transposes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pyriemann.geometry.covariance import covariances
from sklearn.base import BaseEstimator, TransformerMixin, clone

from bci.engine.chunk import FloatArray
from bci.errors import TrainingError


class BandCovariances(TransformerMixin, BaseEstimator):
    """Covariance of each band of each window, shrunk by the oracle approximating estimate.

    Parameters
    ----------
    estimator : str
        Name in :func:`pyriemann.geometry.covariance.covariances`. The kernels compute ``"oas"``.
    """

    def __init__(self, estimator: str = "oas") -> None:
        self.estimator = estimator

    def fit(self, X: FloatArray, y: object = None) -> BandCovariances:
        """Learn nothing; here for scikit-learn.

        Parameters
        ----------
        X : ndarray
        y : object, optional
            Not used.

        Returns
        -------
        BandCovariances
        """
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def transform(self, X: FloatArray) -> FloatArray:
        """Covariances, µV², shape (n_windows, n_bands, n_channels, n_channels).

        Parameters
        ----------
        X : ndarray

        Returns
        -------
        ndarray, shape (n_windows, n_bands, n_channels, n_channels)
        """
        found: FloatArray = covariances(np.ascontiguousarray(np.swapaxes(X, -1, -2)), estimator=self.estimator)
        return found


class PerBand(TransformerMixin, BaseEstimator):
    """One transformer for each band; their features side by side.

    Parameters
    ----------
    transformer : scikit-learn transformer
        Takes covariances, shape (n_windows, n_channels, n_channels), and gives (n_windows, n_features).
    """

    def __init__(self, transformer: Any) -> None:
        self.transformer = transformer

    def fit(self, X: FloatArray, y: np.ndarray | None = None) -> PerBand:
        """Fit a clone to each band of ``X``, shape (n_windows, n_bands, n_channels, n_channels).

        Parameters
        ----------
        X : ndarray
        y : ndarray, optional
            Not used.

        Returns
        -------
        PerBand
        """
        self.transformers_ = [clone(self.transformer).fit(X[:, band], y) for band in range(X.shape[1])]
        return self

    def transform(self, X: FloatArray) -> FloatArray:
        """Features of all bands, shape (n_windows, n_bands * n_features).

        Parameters
        ----------
        X : ndarray

        Returns
        -------
        ndarray, shape (n_windows, n_bands * n_features)
        """
        return np.concatenate([t.transform(X[:, band]) for band, t in enumerate(self.transformers_)], axis=1)


class OnlyBand(TransformerMixin, BaseEstimator):
    """Covariances of the only band, for estimators that know of no bands."""

    def fit(self, X: FloatArray, y: object = None) -> OnlyBand:
        """Learn nothing; refuse more than one band.

        Parameters
        ----------
        X : ndarray
        y : object, optional
            Not used.

        Returns
        -------
        OnlyBand
        """
        if X.shape[1] != 1:
            raise TrainingError(f"this decoder takes one frequency band, not {X.shape[1]}; give one, or choose ts-lr or fbcsp")
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def transform(self, X: FloatArray) -> FloatArray:
        """Shape (n_windows, n_channels, n_channels).

        Parameters
        ----------
        X : ndarray

        Returns
        -------
        ndarray, shape (n_windows, n_channels, n_channels)
        """
        return X[:, 0]


def patterns(features: FloatArray, weights: FloatArray) -> FloatArray:
    """What each score looks like in the features: activation patterns, not filters.

    Haufe et al. 2014 (NeuroImage 87, 96), equation 6, up to the scale of each score.

    Parameters
    ----------
    features : ndarray, shape (n_windows, n_features)
    weights : ndarray, shape (n_scores, n_features)

    Returns
    -------
    ndarray, shape (n_scores, n_features)
    """
    centred = features - features.mean(axis=0)
    found: FloatArray = (centred @ weights.T).T @ centred / len(features)
    return found


def shares(strength: FloatArray) -> FloatArray:
    """Non-negative strengths of the channels, scaled to sum to one; equal where there are none.

    Parameters
    ----------
    strength : ndarray, shape (n_channels,)
        Not negative.

    Returns
    -------
    ndarray

    Examples
    --------
    >>> shares(np.array([3.0, 1.0])).tolist()
    [0.75, 0.25]
    """
    total = strength.sum()
    return strength / total if total > 0 else np.full(len(strength), 1 / len(strength))
