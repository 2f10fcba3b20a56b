"""The belief about the velocity, carried from window to window."""

from __future__ import annotations

import numpy as np

from bci.engine.chunk import FloatArray
from bci.engine.control.dynamics import Dynamics
from bci.engine.control.information import Information

FLOOR = 1e-12
"""Part of the spread that stays in doubt whatever was observed, so that rounding cannot make a covariance indefinite."""


class VelocityFilter:
    """A Gaussian belief that fades by the dynamics and is sharpened by what windows say.

    Kalman and discriminative Kalman filter are the same filter with other :class:`Information`. The update is computed on a
    square root of the covariance (Potter's form; Simon 2006, Optimal State Estimation, section 6.3), so that it stays symmetric
    and positive definite however long it runs.

    Parameters
    ----------
    dynamics : Dynamics

    Attributes
    ----------
    mean : ndarray, shape (n_dims,)
    covariance : ndarray, shape (n_dims, n_dims)
    """

    def __init__(self, dynamics: Dynamics) -> None:
        self._dynamics = dynamics
        self._eye: FloatArray = np.eye(dynamics.n_dims)
        self._floor: FloatArray = FLOOR * dynamics.spread
        self.restart()

    def restart(self) -> None:
        """Forget the past: only the spread of all velocities is known."""
        self.mean: FloatArray = np.zeros(self._dynamics.n_dims)
        self.covariance: FloatArray = self._dynamics.spread.copy()

    def step(self, observed: Information | None) -> None:
        """One window on, with what it says; None where it says nothing."""
        a = self._dynamics.transition
        self.mean = a @ self.mean
        ahead = a @ self.covariance @ a.T + self._dynamics.noise
        self.covariance = 0.5 * (ahead + ahead.T)
        if observed is not None:
            self._update(observed)

    def _update(self, observed: Information) -> None:
        """``Σ = L (I + L' J L)⁻¹ L'`` with ``M = L L'``, and ``μ = ν + Σ (h - J ν)``."""
        root = np.linalg.cholesky(self.covariance)
        inner = np.linalg.cholesky(self._eye + root.T @ observed.matrix @ root)
        half = np.linalg.solve(inner, root.T)
        sharpened = half.T @ half
        self.mean = self.mean + sharpened @ (observed.vector - observed.matrix @ self.mean)
        self.covariance = sharpened + self._floor
