"""Recentring: what drifts between sessions and hours is taken out by where covariances lie, without labels.

The running mean of the live covariances is moved to the centre of the training ones by one matrix per band, so any
decoder can stay as it is. Kumar et al. 2024 (PNAS Nexus 3(2), pgae076) recentre so on line; the distances and means
are those of Barachant, Bonnet, Congedo, Jutten 2012 (IEEE Trans. Biomedical Engineering 59(4), 920).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bci.engine.chunk import FloatArray
from bci.engine.covariance import ScatterCovariance
from bci.errors import ConfigError


@dataclass(frozen=True, slots=True)
class RecentreSettings:
    """How far and how fast recentring follows.

    Parameters
    ----------
    on : bool
        From the beginning of a session.
    memory : int
        Windows that do not overlap over which the running mean forgets; the training centre counts as the first of them.
    step : float
        Largest part of a single window's distance, along any direction (difference of logarithms of power), that counts:
        an artefact that quality let through moves the mean no further than this much of an honest window.
    reach : float
        Largest distance from the training centre, root mean square over directions of the logarithm of power: 0.7 is
        twice the power everywhere. What lies further away is no drift, and the mean stops at that distance.
    """

    on: bool = False
    memory: int = 30
    step: float = 2.0
    reach: float = 0.7

    def __post_init__(self) -> None:
        problems = []
        if not 2 <= self.memory <= 100_000:
            problems.append(f"memory = {self.memory}: must be a whole number from 2 to 100 000 windows")
        for name, value in (("step", self.step), ("reach", self.reach)):
            if not 0 < value <= 10:
                problems.append(f"{name} = {value}: must be more than 0 and at most 10")
        if problems:
            raise ConfigError(problems)


class Recentring:
    """The running mean of one session, and the matrices that move it to the training centre.

    Everything is kept as seen from the centre: the mean is there ``P = G^-1/2 M G^-1/2``, and the matrix
    ``A = G^1/2 P^-1/2 G^-1/2`` gives ``A M A' = G``. At the start ``A`` is the identity.

    Parameters
    ----------
    settings : RecentreSettings
    centre : ndarray, shape (n_bands, n_channels, n_channels)
        Riemannian mean ``G`` of the training covariances, µV².

    Attributes
    ----------
    matrices : ndarray, shape (n_bands, n_channels, n_channels)
        ``A`` of each band.
    distance : float
        How far the mean has moved: root mean square over bands and directions of the logarithm of power.
    """

    def __init__(self, settings: RecentreSettings, centre: FloatArray) -> None:
        n = centre.shape[1]
        self._settings = settings
        self._roots = np.stack([_power(g, 0.5) for g in centre])
        self._inverse_roots = np.stack([_power(g, -0.5) for g in centre])
        self._means = np.stack([np.eye(n)] * len(centre))
        self._covariance = ScatterCovariance(n)
        self._seen = 1
        self.matrices: FloatArray = self._means.copy()
        self.distance = 0.0

    def __call__(self, scatter: FloatArray) -> None:
        """Let the mean follow one more window.

        Parameters
        ----------
        scatter : ndarray, shape (n_bands, n_channels + 1, n_channels + 1)
            Of a window that does not overlap the one before.
        """
        s = self._settings
        self._seen = min(self._seen + 1, s.memory)
        for band, root in enumerate(self._inverse_roots):
            factor = self._covariance(scatter[band])
            if factor > 0:
                seen_from_centre = root @ (factor * self._covariance.matrix) @ root
                self._means[band] = self._bounded(self._towards(self._means[band], seen_from_centre, 1.0 / self._seen))
        self.matrices = np.stack(
            [r @ _power(p, -0.5) @ i for r, p, i in zip(self._roots, self._means, self._inverse_roots, strict=True)]
        )
        self.distance = math.sqrt(float(np.mean([np.mean(np.log(np.linalg.eigvalsh(p)) ** 2) for p in self._means])))

    def _towards(self, mean: FloatArray, covariance: FloatArray, share: float) -> FloatArray:
        """The point at ``share`` of the geodesic from the mean to a covariance, no direction counting more than ``step``."""
        root, inverse = _power(mean, 0.5), _power(mean, -0.5)
        values, vectors = np.linalg.eigh(_symmetric(inverse @ covariance @ inverse))
        logs = np.clip(np.log(np.maximum(values, np.finfo(float).tiny)), -self._settings.step, self._settings.step)
        return _symmetric(root @ (vectors * np.exp(share * logs)) @ vectors.T @ root)

    def _bounded(self, mean: FloatArray) -> FloatArray:
        """The mean, drawn back along the geodesic to the centre where it went too far."""
        values, vectors = np.linalg.eigh(mean)
        logs = np.log(values)
        distance = math.sqrt(float(np.mean(logs**2)))
        if distance <= self._settings.reach:
            return mean
        return _symmetric((vectors * np.exp(logs * (self._settings.reach / distance))) @ vectors.T)


def _power(matrix: FloatArray, exponent: float) -> FloatArray:
    """A power of a symmetric positive definite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return _symmetric((vectors * values**exponent) @ vectors.T)


def _symmetric(matrix: FloatArray) -> FloatArray:
    """Without what rounding adds to one half only."""
    half: FloatArray = 0.5 * (matrix + matrix.T)
    return half
