"""Kernel: velocity by regression on covariances, filtered as the model's arrays say; class probabilities besides."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, Protocol

import numpy as np

from bci.engine.chunk import FloatArray
from bci.engine.control.dynamics import Dynamics
from bci.engine.control.information import Discriminative, GenerativeObservation, Information
from bci.engine.covariance import ScatterCovariance
from bci.errors import ConfigError, ModelError
from pipelines.kernels.parts import rows_for, softmax, take
from pipelines.kernels.whitened_log import WhitenedLog

ROUNDING = 1e-9


class Observation(Protocol):
    """From projected features, shape (n_dims,), to a velocity and its uncertainty."""

    def __call__(self, features: FloatArray) -> Information:
        """Velocity and its uncertainty from the features of one window."""
        ...


class BandPower:
    """Logarithm of each channel's power in one band, on the diagonal of a matrix of zeros.

    Parameters
    ----------
    n_channels : int

    Attributes
    ----------
    log : ndarray, shape (n_channels ** 2,)
        As that of :class:`WhitenedLog`, after a call that returned True.
    """

    def __init__(self, n_channels: int) -> None:
        self._covariance = ScatterCovariance(n_channels)
        self.log: FloatArray = np.zeros(n_channels**2)
        self._diagonal = self.log[:: n_channels + 1]

    def __call__(self, scatter: FloatArray) -> bool:
        """Whether all of one band's channels have power."""
        factor = self._covariance(scatter)
        power = self._covariance.matrix.diagonal()
        if not (factor > 0 and power.min() > 0):
            return False
        np.log(power, out=self._diagonal)
        self._diagonal += math.log(factor)
        return True


class KernelRegression:
    """``f(x)`` and ``Q(x)`` of a discriminative Kalman filter from training pairs near ``x`` (Nadaraya 1964, Watson 1964).

    ``f`` is the mean of the velocities that went with features near these, ``Q`` that of the outer products of what was left
    over, as in Burkhart et al. 2020, section 3; with a prior that counts as a few pairs, ``f`` is drawn to the line and ``Q``
    to the mean ``Q`` where pairs are few.

    Parameters
    ----------
    centres, velocities : ndarray, shape (n_pairs, n_dims)
    residuals : ndarray, shape (n_pairs, n_dims, n_dims)
    counts : ndarray, shape (n_pairs,)
        Training windows that each pair stands for.
    width : float
        Of the Gaussian kernel.
    prior : float
        Windows that the prior counts as.
    """

    def __init__(
        self, centres: FloatArray, velocities: FloatArray, residuals: FloatArray, counts: FloatArray, width: float, prior: float
    ) -> None:
        n_dims = centres.shape[1]
        self._centres, self._scale = centres, -0.5 / width**2
        # One product gives both sums and the count: a row is the velocity, the residuals, and one.
        flat = residuals.reshape(len(centres), -1)
        self._table: FloatArray = counts[:, None] * np.column_stack((velocities, flat, np.ones(len(centres))))
        self._mean_residual: FloatArray = np.average(flat, axis=0, weights=counts)
        self._prior, self._n_dims = prior, n_dims

    def __call__(self, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        """``f(x)``, shape (n_dims,), and ``Q(x)``, shape (n_dims, n_dims)."""
        away = self._centres - features
        near = np.exp(self._scale * np.einsum("ij,ij->i", away, away))
        sums = near @ self._table
        n, d = sums[-1] + self._prior, self._n_dims
        mean = (sums[:d] + self._prior * features) / n
        left = ((sums[d:-1] + self._prior * self._mean_residual) / n).reshape(d, d)
        return mean, left


class VelocityKernel:
    """A linear map of tangent vectors or band powers, one number per dimension, and what the filter makes of it.

    Parameters
    ----------
    classes : tuple of str
    logs : tuple of callable
        Features of each band: :class:`WhitenedLog` or :class:`BandPower`.
    weights : ndarray, shape (n_dims, n_bands, n_channels, n_channels)
    intercept : ndarray, shape (n_dims,)
    scores : tuple of ndarray
        Class scores from the map: shapes (n_scores, n_dims) and (n_scores,).
    dynamics : Dynamics
    observation : Observation
    share : float
        Of what a window says that is new: windows overlap, and none of them may count as a whole one.
    reach : float
        Longest map that is believed: what lies further out in training's direction, an artefact for instance, is drawn in to it.
    gain : float
    """

    features: Literal["scatter", "samples"] = "scatter"

    def __init__(
        self,
        classes: tuple[str, ...],
        logs: tuple[WhitenedLog | BandPower, ...],
        weights: FloatArray,
        intercept: FloatArray,
        scores: tuple[FloatArray, FloatArray],
        dynamics: Dynamics,
        observation: Observation,
        share: float,
        reach: float,
        gain: float,
    ) -> None:
        self.classes, self.n_channels = classes, weights.shape[2]
        self.dynamics, self.gain = dynamics, gain
        self._logs, self._observation, self._share, self._reach = logs, observation, share, reach
        flat = weights.reshape(*weights.shape[:2], -1)
        self._weights = tuple(np.ascontiguousarray(flat[:, band]) for band in range(len(logs)))
        self._intercept, self._scores = intercept, scores
        self._probabilities: FloatArray = np.full(len(classes), math.nan)

    def __call__(self, window: FloatArray) -> FloatArray:
        """Probabilities, shape (n_classes,), from scatter matrices, shape (n_bands, n_channels + 1, n_channels + 1)."""
        projected = self.project(window)
        if projected is None:
            self._probabilities.fill(math.nan)
            return self._probabilities
        slope, offset = self._scores
        return softmax((slope @ projected + offset).tolist(), self._probabilities)

    def observe(self, window: FloatArray) -> Information | None:
        """See :class:`~bci.engine.control.decoder.VelocityDecoder`."""
        projected = self.project(window)
        return None if projected is None or not np.isfinite(projected).all() else self.observe_projected(projected)

    def observe_projected(self, projected: FloatArray) -> Information:
        """Velocity and its uncertainty from the linear map's numbers, shape (n_dims,).

        Parameters
        ----------
        projected : ndarray

        Returns
        -------
        Information
        """
        length = math.sqrt(float(projected @ projected))
        whole = self._observation(projected * min(1.0, self._reach / max(length, self._reach)))
        return Information(self._share * whole.vector, self._share * whole.matrix)

    def project(self, window: FloatArray) -> FloatArray | None:
        """The linear map, shape (n_dims,); None where a band has no covariance.

        Parameters
        ----------
        window : ndarray, shape (n_bands, n_samples, n_channels)
            µV.

        Returns
        -------
        ndarray or None, shape (n_dims,)
        """
        projected = self._intercept.copy()
        for band, (log, weights) in enumerate(zip(self._logs, self._weights, strict=True)):
            if not log(window[band]):
                return None
            projected += weights.dot(log.log)
        return projected


class Plain:
    """Linear regression as an observation: the map itself, with the same uncertainty everywhere.

    Parameters
    ----------
    spread, residual : ndarray, shape (n_dims, n_dims)
        Of all velocities, and of what the regression leaves over.
    """

    def __init__(self, spread: FloatArray, residual: FloatArray) -> None:
        self._information, self._residual = Discriminative(spread), residual

    def __call__(self, features: FloatArray) -> Information:
        """Velocity and its uncertainty from the features of one window."""
        return self._information(features, self._residual)


class Local:
    """Kernel regression as an observation."""

    def __init__(self, spread: FloatArray, regression: KernelRegression) -> None:
        self._information, self._regression = Discriminative(spread), regression

    def __call__(self, features: FloatArray) -> Information:
        """Velocity and its uncertainty from the features of one window."""
        return self._information(*self._regression(features))


def load(arrays: Mapping[str, np.ndarray], classes: tuple[str, ...]) -> VelocityKernel:
    """Build the kernel from a model's arrays.

    All have ``weights``, ``intercept``, ``score_slope``, ``score_offset``, ``transition``, ``noise``, ``spread``, ``share``,
    ``reach`` and ``gain``; tangent features ``whitening``; a Kalman filter ``slope``, ``offset`` and ``observation_noise``; a
    discriminative filter ``centres``, ``velocities``, ``residuals``, ``counts``, ``width`` and ``prior``; plain regression
    ``residual``.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        The model's arrays, by name.
    classes : tuple of str
        Class names, in the order of the probabilities.

    Returns
    -------
    VelocityKernel

    Raises
    ------
    ModelError
        If one is missing or does not fit.
    """
    weights = take(arrays, "weights", (None, None, None, None))
    dims, bands, channels, _ = weights.shape
    weights = take(arrays, "weights", (dims, bands, channels, channels))
    scores = take(arrays, "score_slope", (rows_for(classes), dims)), take(arrays, "score_offset", (rows_for(classes),))
    share, reach, gain = (float(take(arrays, name, (1,))[0]) for name in ("share", "reach", "gain"))
    if not (0 < share <= 1 and 0 < reach < 1e6 and 0 < gain < 1e6):
        raise ModelError(f"share = {share}: must be in (0, 1]; reach = {reach}, gain = {gain}: must be more than 0, below 1e6")
    logs: tuple[WhitenedLog | BandPower, ...] = tuple(BandPower(channels) for _ in range(bands))
    if "whitening" in arrays:
        logs = tuple(WhitenedLog(w) for w in take(arrays, "whitening", (bands, channels, channels)))
    try:
        dynamics = Dynamics(*(take(arrays, name, (dims, dims)) for name in ("transition", "noise", "spread")))
        observation = _observation(arrays, dims, dynamics.spread)
    except (ConfigError, np.linalg.LinAlgError) as error:
        raise ModelError(str(error)) from error
    intercept = take(arrays, "intercept", (dims,))
    return VelocityKernel(classes, logs, weights, intercept, scores, dynamics, observation, share, reach, gain)


def _observation(arrays: Mapping[str, np.ndarray], dims: int, spread: FloatArray) -> Observation:
    """The observation model; the arrays that are there say which one it is."""
    if "observation_noise" in arrays:
        slope, noise = (take(arrays, name, (dims, dims)) for name in ("slope", "observation_noise"))
        return GenerativeObservation(slope, take(arrays, "offset", (dims,)), noise)
    if "centres" not in arrays:
        return Plain(spread, take(arrays, "residual", (dims, dims)))
    centres = take(arrays, "centres", (None, dims))
    n = len(centres)
    counts = take(arrays, "counts", (n,))
    width, prior = (float(take(arrays, name, (1,))[0]) for name in ("width", "prior"))
    if not (counts.min() > 0 and width > 0 and prior > 0):
        raise ModelError("counts, width and prior of a kernel regression must be more than 0")
    residuals = take(arrays, "residuals", (n, dims, dims))
    if np.linalg.eigvalsh(residuals).min() < -ROUNDING or np.linalg.eigvalsh(residuals.mean(axis=0))[0] <= ROUNDING:
        raise ModelError("residuals of a kernel regression must be positive semi-definite, and their mean definite")
    return Local(spread, KernelRegression(centres, take(arrays, "velocities", (n, dims)), residuals, counts, width, prior))
