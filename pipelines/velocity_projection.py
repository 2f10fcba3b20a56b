"""From windows to the numbers that velocities are decoded from: features of covariances, and a ridge regression of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pyriemann.geometry.base import invsqrtm
from pyriemann.tangentspace import TangentSpace
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression

from bci.engine.chunk import FloatArray
from pipelines.covariance import BandCovariances, shares
from pipelines.tangent_linear import channel_weights, matrices

Ints = npt.NDArray[np.int64]
FOLDS = 5
PENALTIES = np.logspace(-4, 3, 22)
"""Ridge penalties that are tried, as multiples of the features' mean variance."""
MOST_FOR_MEAN = 400


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """Features, reduced to what ridge regression makes of them.

    Parameters
    ----------
    weights : ndarray, shape (n_features, n_dims)
    intercept : ndarray, shape (n_dims,)
    held : ndarray, shape (n_windows, n_dims)
        What the regression says of each window that it was not fitted to.
    """

    weights: FloatArray
    intercept: FloatArray
    held: FloatArray


class Features:
    """From windows to features of all bands, side by side.

    Parameters
    ----------
    kind : {"tangent", "power"}
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._covariances = BandCovariances()

    def fit(self, windows: FloatArray) -> Features:
        """Find the reference of each band: the Riemannian mean of at most 400 windows, evenly spread.

        Parameters
        ----------
        windows : ndarray, shape (n_windows, n_bands, n_samples, n_channels)
            µV.

        Returns
        -------
        Features
        """
        some = windows[:: -(-len(windows) // MOST_FOR_MEAN)]
        covariances = self._covariances.transform(some)
        self.spaces = [TangentSpace().fit(covariances[:, band]) for band in range(windows.shape[1])]
        return self

    def transform(self, windows: FloatArray) -> FloatArray:
        """Shape (n_windows, n_bands * n_features).

        Parameters
        ----------
        windows : ndarray, shape (n_windows, n_bands, n_samples, n_channels)
            µV.

        Returns
        -------
        ndarray, shape (n_windows, n_bands * n_features)
        """
        covariances = self._covariances.transform(windows)
        if self.kind == "power":
            with np.errstate(divide="ignore"):
                found: FloatArray = np.log(np.einsum("nbcc->nbc", covariances)).reshape(len(windows), -1)
                return found
        return np.concatenate([space.transform(covariances[:, band]) for band, space in enumerate(self.spaces)], axis=1)

    def arrays(self, weights: FloatArray) -> dict[str, FloatArray]:
        """The kernel's arrays for a linear map of these features, shape (n_features, n_dims).

        Parameters
        ----------
        weights : ndarray, shape (n_features, n_dims)

        Returns
        -------
        dict of str to ndarray
        """
        if self.kind == "power":
            per_channel = weights.T.reshape(weights.shape[1], len(self.spaces), -1)
            return {"weights": per_channel[..., None] * np.eye(per_channel.shape[-1])}
        whitening = np.stack([invsqrtm(space.reference_) for space in self.spaces])
        return {"weights": matrices(weights.T, len(self.spaces)), "whitening": whitening}

    def shares(self, activation: FloatArray) -> FloatArray:
        """Share of each channel, from activation patterns of shape (n_dims, n_features).

        Parameters
        ----------
        activation : ndarray, shape (n_dims, n_features)
            Activation patterns.

        Returns
        -------
        ndarray, shape (n_channels,)
        """
        if self.kind == "power":
            return shares(np.abs(activation.reshape(len(activation), len(self.spaces), -1)).sum(axis=(0, 1)))
        return channel_weights(matrices(activation, len(self.spaces)), np.stack([space.reference_ for space in self.spaces]))


class VelocityEstimator(ClassifierMixin, BaseEstimator):
    """Class probabilities from the projection, for whoever judges the decoder as a classifier.

    Parameters
    ----------
    features : Features
    projection : Projection
    scores : LogisticRegression
    """

    def __init__(self, features: Features, projection: Projection, scores: LogisticRegression) -> None:
        self.features, self.projection, self.scores = features, projection, scores
        self.classes_ = scores.classes_

    def project(self, windows: FloatArray) -> FloatArray:
        """Shape (n_windows, n_dims).

        Parameters
        ----------
        windows : ndarray, shape (n_windows, n_bands, n_samples, n_channels)
            µV.

        Returns
        -------
        ndarray, shape (n_windows, n_dims)
        """
        return self.features.transform(windows) @ self.projection.weights + self.projection.intercept

    def predict_proba(self, windows: FloatArray) -> FloatArray:
        """Shape (n_windows, n_classes).

        Parameters
        ----------
        windows : ndarray, shape (n_windows, n_bands, n_samples, n_channels)
            µV.

        Returns
        -------
        ndarray, shape (n_windows, n_classes)
        """
        return np.asarray(self.scores.predict_proba(self.project(windows)))

    def predict(self, windows: FloatArray) -> npt.NDArray[np.str_]:
        """The likelier class of each window.

        Parameters
        ----------
        windows : ndarray, shape (n_windows, n_bands, n_samples, n_channels)
            µV.

        Returns
        -------
        ndarray of str
        """
        found: npt.NDArray[np.str_] = self.classes_[self.predict_proba(windows).argmax(axis=1)]
        return found


def folds_of(trials: Ints) -> Ints:
    """Fold of each window: blocks of neighbouring trials, because windows near in time share drifts.

    Parameters
    ----------
    trials : ndarray of int, shape (n_windows,)
        Trial of each window.

    Returns
    -------
    ndarray of int
    """
    numbers, place = np.unique(trials, return_inverse=True)
    return np.asarray(place * min(FOLDS, len(numbers)) // len(numbers))


def project(features: FloatArray, velocities: FloatArray, folds: Ints) -> Projection:
    """Ridge regression with the penalty that held-out windows ask for.

    Hoerl & Kennard 1970 (Technometrics 12(1), 55).

    Parameters
    ----------
    features : ndarray, shape (n_windows, n_features)
    velocities : ndarray, shape (n_windows, n_dims)
    folds : ndarray of int, shape (n_windows,)

    Returns
    -------
    Projection
    """
    held = np.zeros((len(PENALTIES), *velocities.shape))
    for fold in np.unique(folds):
        out = folds == fold
        slopes, offsets = _ridge(features[~out], velocities[~out])
        held[:, out] = features[out] @ slopes + offsets[:, None]
    best = int(((held - velocities) ** 2).sum(axis=(1, 2)).argmin())
    slopes, offsets = _ridge(features, velocities)
    return Projection(slopes[best], offsets[best], held[best])


def _ridge(features: FloatArray, velocities: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Slopes, shape (n_penalties, n_features, n_dims), and offsets, shape (n_penalties, n_dims)."""
    centre, middle = features.mean(axis=0), velocities.mean(axis=0)
    x, y = features - centre, velocities - middle
    if x.shape[1] > len(x):
        _, sizes, rows = np.linalg.svd(x, full_matrices=False)
        values, vectors = sizes**2 / len(x), rows.T
    else:
        values, vectors = np.linalg.eigh(x.T @ x / len(x))
    target = vectors.T @ (x.T @ y / len(x))
    shrunk = target / (np.maximum(values, 0.0) + PENALTIES[:, None] * values.sum() / x.shape[1])[:, :, None]
    slopes = vectors @ shrunk
    return slopes, middle - centre @ slopes
