"""How an intended velocity changes from one window to the next: a linear-Gaussian process that neither grows nor dies out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bci.engine.chunk import BoolArray, FloatArray
from bci.errors import ConfigError

MOST_DIMS = 3
SLOWEST = 0.999
"""Largest factor by which a velocity may be kept per window: at 1 the process would have no stationary spread."""
SYMMETRY = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Dynamics:
    """``z_t | z_t-1 ~ N(A z_t-1, Γ)`` with ``z_t ~ N(0, S)`` before anything is observed, so ``S = A S A' + Γ``.

    Burkhart, Brandman, Franco, Hochberg, Harrison 2020 (Neural Computation 32(5), 969), equations 2.1 and 2.2. A step is one
    window of the grid.

    Parameters
    ----------
    transition : ndarray, shape (n_dims, n_dims)
        ``A``.
    noise : ndarray, shape (n_dims, n_dims)
        ``Γ``, positive definite.
    spread : ndarray, shape (n_dims, n_dims)
        ``S``, positive definite.

    Raises
    ------
    ConfigError
        If the three do not make such a process.
    """

    transition: FloatArray
    noise: FloatArray
    spread: FloatArray

    def __post_init__(self) -> None:
        n = len(self.transition)
        if not 1 <= n <= MOST_DIMS or not self.transition.shape == self.noise.shape == self.spread.shape == (n, n):
            raise ConfigError(
                f"dynamics: transition, noise and spread have shapes {self.transition.shape}, {self.noise.shape} and "
                f"{self.spread.shape}; they must be the same square of 1 to {MOST_DIMS} dimensions"
            )
        problems = [
            f"dynamics: {name} must be symmetric and positive definite, it is {matrix.tolist()}"
            for name, matrix in (("noise", self.noise), ("spread", self.spread))
            if not is_positive_definite(matrix)
        ]
        radius = float(np.abs(np.linalg.eigvals(self.transition)).max())
        if not radius < 1:
            problems.append(f"dynamics: the transition lets velocities grow (spectral radius {radius:.6g}); it must be below 1")
        if problems:
            raise ConfigError(problems)
        kept = self.transition @ self.spread @ self.transition.T + self.noise
        if not np.allclose(kept, self.spread, rtol=1e-6, atol=1e-9 * float(np.trace(self.spread))):
            raise ConfigError(f"dynamics: spread {self.spread.tolist()} is not kept by the process, it becomes {kept.tolist()}")

    @property
    def n_dims(self) -> int:
        """Dimensions of the velocity."""
        return len(self.transition)


def is_positive_definite(matrix: FloatArray) -> bool:
    """Whether a matrix is finite, symmetric and positive definite."""
    if not np.isfinite(matrix).all():
        return False
    size = float(np.abs(matrix).max())
    return bool(np.abs(matrix - matrix.T).max() <= SYMMETRY * size and np.linalg.eigvalsh(matrix)[0] > 0)


def forgetful(spread: FloatArray) -> Dynamics:
    """A process without memory: each velocity is drawn anew, so that a filter over it is plain regression."""
    return Dynamics(np.zeros_like(spread), spread.copy(), spread.copy())


def fading(spread: FloatArray, keep: float) -> Dynamics:
    """A process that keeps the same share of the velocity in all directions at each step.

    Parameters
    ----------
    spread : ndarray, shape (n_dims, n_dims)
    keep : float
        From 0 to below 1.
    """
    return Dynamics(keep * np.eye(len(spread)), (1.0 - keep**2) * spread, spread.copy())


def fit_dynamics(velocities: FloatArray, follows: BoolArray) -> Dynamics:
    """The process that given velocities look like.

    ``A`` by least squares over pairs of neighbours; ``S`` is the velocities' own second moment, and ``Γ = S - A S A'``
    follows from it, so that the process is stationary. Where that is not positive definite, one factor for all
    directions takes the place of ``A``: then it always is.

    Parameters
    ----------
    velocities : ndarray, shape (n_windows, n_dims)
        In order of time.
    follows : ndarray of bool, shape (n_windows,)
        Whether a window directly follows the one before it.

    Raises
    ------
    ConfigError
        If some direction never occurs.
    """
    spread = velocities.T @ velocities / len(velocities)
    if not is_positive_definite(spread):
        raise ConfigError(f"velocities of spread {spread.tolist()} do not cover {velocities.shape[1]} dimensions")
    second = np.flatnonzero(follows[1:]) + 1
    before, after = velocities[second - 1], velocities[second]
    square = before.T @ before
    if not len(second) or not is_positive_definite(square):
        return fading(spread, 0.0)
    transition = np.asarray(np.linalg.solve(square, before.T @ after).T, dtype=np.float64)
    noise = spread - transition @ spread @ transition.T
    noise = 0.5 * (noise + noise.T)
    radius = float(np.abs(np.linalg.eigvals(transition)).max())
    if radius <= SLOWEST and is_positive_definite(noise):
        return Dynamics(transition, noise, spread)
    keep = float(np.sum(before * after) / np.sum(before * before))
    return fading(spread, min(max(keep, 0.0), SLOWEST))
