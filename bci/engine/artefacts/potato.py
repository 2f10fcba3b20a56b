"""The Riemannian potato: a window whose covariance is unlike those of the training is not decoded.

Barachant, Andreev, Congedo, "The Riemannian potato: an automatic and adaptive artifact detection method for online experiments
using Riemannian geometry" (TOBI Workshop IV, 2013, 19): the z-score of the logarithm of the distance to a reference
covariance, against a threshold. Here the reference is the model's centre and the distance is that over all of the decoder's
bands together; with recentring on, it is that of the recentred window, so a slow drift is no artefact.
"""

from __future__ import annotations

import math

import numpy as np

from bci.engine.chunk import FloatArray
from bci.engine.covariance import ScatterCovariance
from bci.errors import TrainingError

LEAST_WINDOWS = 10
ROUNDS = 20


class Potato:
    """Judge windows by their scatter matrices.

    Parameters
    ----------
    centre : ndarray, shape (n_bands, n_channels, n_channels)
        µV².
    mean, deviation : float
        Of the logarithm of the distance, in training.
    limit : float
        z-score beyond which a window is unlike them.
    """

    def __init__(self, centre: FloatArray, mean: float, deviation: float, limit: float) -> None:
        values, vectors = np.linalg.eigh(centre)
        self._white: FloatArray = (vectors / np.sqrt(values)[:, np.newaxis, :]) @ vectors.transpose(0, 2, 1)
        self._covariance = ScatterCovariance(centre.shape[1])
        self._mean, self._deviation, self._limit = mean, deviation, limit

    def unlike(self, scatter: FloatArray) -> bool:
        """Whether a window is unlike those of the training; also where it has no covariance."""
        return not self.z(scatter) <= self._limit

    def z(self, scatter: FloatArray) -> float:
        """Return by how many standard deviations the distance is larger than usual; NaN if there is no covariance.

        Parameters
        ----------
        scatter : ndarray, shape (n_bands, n_channels + 1, n_channels + 1)
        """
        distance = self.distance(scatter)
        return (math.log(distance) - self._mean) / self._deviation if distance > 0 else math.nan

    def distance(self, scatter: FloatArray) -> float:
        """Affine-invariant distance to the centre over all bands; NaN where there is no covariance."""
        total = 0.0
        for band, white in zip(scatter, self._white, strict=True):
            factor = self._covariance(band)
            if not factor > 0:
                return math.nan
            values = np.linalg.eigvalsh(white @ (factor * self._covariance.matrix) @ white)
            logs = np.log(np.maximum(values, np.finfo(np.float64).tiny))
            total += float(logs @ logs)
        return math.sqrt(total)


def usual(distances: FloatArray, limit: float) -> tuple[float, float]:
    """Mean and standard deviation of the logarithm of training distances, those beyond the limit left out in turn.

    Parameters
    ----------
    distances : ndarray, shape (n_windows,)
    limit : float
        As the live one.

    Raises
    ------
    TrainingError
        If there are too few, or they are all the same.
    """
    logs = np.log(distances[np.isfinite(distances) & (distances > 0)])
    kept = logs
    for _ in range(ROUNDS):
        if len(kept) < LEAST_WINDOWS or not kept.std() > 0:
            raise TrainingError(
                f"potato_z = {limit:g}: only {len(kept)} of {len(distances)} training windows are alike, at least "
                f"{LEAST_WINDOWS} are needed. Record more, or raise the limit."
            )
        inside = logs[(logs - kept.mean()) / kept.std() <= limit]
        if len(inside) == len(kept):
            break
        kept = inside
    return float(kept.mean()), float(kept.std())
