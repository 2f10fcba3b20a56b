"""What one window says about the velocity, in information form: all that decoders of velocity differ in.

A Gaussian belief ``N(ν, M)`` becomes ``Σ = (M⁻¹ + J)⁻¹``, ``μ = Σ (M⁻¹ ν + h)`` by an observation with the matrix ``J`` and
the vector ``h``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bci.engine.chunk import FloatArray
from bci.engine.control.dynamics import is_positive_definite
from bci.errors import ConfigError

LEAST_EIGENVALUE = 1e-6
"""``Q⁻¹ - S⁻¹`` with a smaller eigenvalue does not count as positive definite."""


@dataclass(frozen=True, slots=True, eq=False)
class Information:
    """An observation.

    Parameters
    ----------
    vector : ndarray, shape (n_dims,)
        ``h``.
    matrix : ndarray, shape (n_dims, n_dims)
        ``J``, symmetric, positive semi-definite.
    """

    vector: FloatArray
    matrix: FloatArray


class GenerativeObservation:
    """A Kalman filter's observation: ``x | z ~ N(H z + c, R)``.

    Kalman 1960; for movement: Wu, Gao, Bienenstock, Donoghue, Black 2006 (Neural Computation 18(1), 80), equation 2.1.

    Parameters
    ----------
    slope : ndarray, shape (n_features, n_dims)
        ``H``.
    offset : ndarray, shape (n_features,)
        ``c``.
    noise : ndarray, shape (n_features, n_features)
        ``R``, positive definite.
    """

    def __init__(self, slope: FloatArray, offset: FloatArray, noise: FloatArray) -> None:
        if not is_positive_definite(noise):
            raise ConfigError("observation: its noise must be symmetric and positive definite")
        self._weights: FloatArray = np.asarray(np.linalg.solve(noise, slope).T, dtype=np.float64)
        matrix = self._weights @ slope
        self._matrix: FloatArray = 0.5 * (matrix + matrix.T)
        self._offset = offset

    def __call__(self, features: FloatArray) -> Information:
        """What features, shape (n_features,), say."""
        return Information(self._weights @ (features - self._offset), self._matrix)


class Discriminative:
    """A discriminative Kalman filter's observation: ``z | x ~ N(f(x), Q(x))``, from which what ``S`` knew anyway is taken away.

    Burkhart et al. 2020, equation 2.7: ``J = Q⁻¹ - S⁻¹``, ``h = Q⁻¹ f``. Where ``Q⁻¹ - S⁻¹`` is not positive definite
    the regression claims to know less than nothing, and ``Q`` becomes ``(Q⁻¹ + S⁻¹)⁻¹`` (the authors' own programs).

    Parameters
    ----------
    spread : ndarray, shape (n_dims, n_dims)
        ``S``.
    """

    def __init__(self, spread: FloatArray) -> None:
        self._known: FloatArray = np.asarray(np.linalg.inv(spread), dtype=np.float64)

    def __call__(self, mean: FloatArray, covariance: FloatArray) -> Information:
        """What a regression ``f(x)``, shape (n_dims,), with covariance ``Q(x)``, shape (n_dims, n_dims), says."""
        precision = np.linalg.inv(covariance)
        precision = 0.5 * (precision + precision.T)
        matrix = precision - self._known
        if np.linalg.eigvalsh(matrix)[0] <= LEAST_EIGENVALUE:
            matrix = precision
            precision = precision + self._known
        return Information(precision @ mean, matrix)
