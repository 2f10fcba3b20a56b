"""How far the signal has moved from the one that a decoder was trained on: larger, smaller, or of another shape."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

from bci.engine.chunk import FloatArray

MEMORY_S = 20.0
GAIN = 2.0
SHAPE = 1.2


@dataclass(frozen=True, slots=True)
class DriftSettings:
    """Limits from which on a person is told about drift.

    Parameters
    ----------
    memory_s : float
        Time constant of the running mean: shorter changes are the person's doing.
    gain : float
        Amplitude, as a multiple of that in training, from which on (or below whose inverse) it is told.
    shape : float
        Distance of shape from which on it is told. A recording of the same day has 0.3 to 0.7.
    """

    memory_s: float = MEMORY_S
    gain: float = GAIN
    shape: float = SHAPE


class SignalDrift:
    """Running comparison of the signal's covariance with that of the training data.

    The generalised eigenvalues λ of both matrices hold all of it: their geometric mean is a change of amplitude, and the
    spread of their logarithms the affine-invariant Riemannian distance of the shapes (Pennec, Fillard and Ayache 2006,
    Int. J. Comput. Vision 66, 41; as an indicator of sessions drifting apart: Zanini et al. 2018, IEEE TBME 65, 1107).

    Parameters
    ----------
    trained : ndarray, shape (n_bands, n_channels, n_channels)
        Mean covariance in training, µV².
    settings : DriftSettings
    """

    def __init__(self, trained: FloatArray, settings: DriftSettings | None = None) -> None:
        self.settings = settings or DriftSettings()
        self._trained = np.asarray(trained, dtype=np.float64)
        self._mean: FloatArray | None = None

    def push(self, covariance: FloatArray, step_s: float) -> None:
        """Take in the covariance of a window that came ``step_s`` after the one before, shape like ``trained``.

        One that is not finite is left out.
        """
        if not np.isfinite(covariance).all():
            return
        if self._mean is None:
            self._mean = np.array(covariance, dtype=np.float64)
        weight = -math.expm1(-step_s / self.settings.memory_s)
        self._mean += weight * (covariance - self._mean)

    @property
    def gain(self) -> float:
        """Amplitude as a multiple of that in training; 1 before anything came."""
        return float(np.exp(self._logs().mean() / 2))

    @property
    def shape(self) -> float:
        """Distance of shape: root mean square of log λ, amplitude apart, in the band where it is largest."""
        logs = self._logs()
        return float((logs - logs.mean(axis=1, keepdims=True)).std(axis=1).max())

    def line(self) -> str:
        """A sentence for the person; empty as long as the signal is as in training."""
        gain, shape = self.gain, self.shape
        if not 1 / self.settings.gain < gain < self.settings.gain:
            return f"the signal is {gain:.2g} times as large as in calibration: check electrodes and gain, or calibrate again"
        if shape > self.settings.shape:
            return f"the signal has changed its shape since calibration ({shape:.1f}, usual 0.3 to 0.7): calibrate again"
        return ""

    def _logs(self) -> FloatArray:
        """Logarithms of the generalised eigenvalues, shape (n_bands, n_channels)."""
        if self._mean is None:
            return np.zeros(self._trained.shape[:2])
        pairs = zip(self._mean, self._trained, strict=True)
        return np.log(np.maximum([eigh(now, _regular(then), eigvals_only=True) for now, then in pairs], 1e-12))


def _regular(covariance: FloatArray) -> FloatArray:
    """A covariance of full rank, for data with an average reference."""
    n = len(covariance)
    found: FloatArray = covariance + np.eye(n) * (1e-6 * np.trace(covariance) / n)
    return found
