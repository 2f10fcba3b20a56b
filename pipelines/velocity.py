"""Continuous control: linear regression, Kalman and discriminative Kalman filter from covariances to a cursor's velocity.

The three share features and projection and differ in what becomes of it, so that a comparison compares the filters.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression

from bci.engine.chunk import FloatArray
from bci.engine.control.decoder import VelocityTracker
from bci.engine.control.dynamics import Dynamics, fading, forgetful
from bci.errors import ConfigError
from bci.model.family import FittedDecoder, TrainingContext
from bci.paradigm.cursor import directions
from pipelines.covariance import patterns
from pipelines.kernels.velocity import KernelRegression, load
from pipelines.velocity_projection import Features, Projection, VelocityEstimator, folds_of, project

Ints = npt.NDArray[np.int64]

WIDTHS = (0.15, 0.25, 0.4, 0.6, 1.0)
"""Widths of the kernel regression that are tried, as multiples of the projection's spread."""
CENTRES = 64
THIN = 1e-3
"""Added to the spread of velocities, so that a direction that never occurred is held to be unlikely, and not impossible."""
SLOWEST = 1e-3
BEYOND = 1.2
"""How much further than in training the projection may reach."""
HOP_S = 0.04
"""Hop of the window grid, where it is not known."""
TRIAL_S = 3.0
"""Length of a trial over which the usual speed is measured."""
PRIOR = 3.0
"""Independent windows that the kernel regression's prior counts as."""


class VelocityRidge:
    """Ridge regression, each window for itself (``velocity-ridge``): the baseline.

    Parameters
    ----------
    features : {"tangent", "power"}
        Tangent space at the Riemannian mean, or logarithms of band power.
    memory_s : float
        Time constant with which an intended velocity changes; only filters use it.
    """

    name = "velocity-ridge"
    kernel = "velocity"
    slides = True

    def __init__(self, features: str = "tangent", memory_s: float = 1.0) -> None:
        if features not in ("tangent", "power"):
            raise ConfigError(f"decoder.settings: features = {features!r}: must be 'tangent' or 'power'")
        if not 0 < memory_s <= 60:
            raise ConfigError(f"decoder.settings: memory_s = {memory_s}: must be more than 0 and at most 60")
        self.features, self.memory_s = features, memory_s

    def bands(self, low_hz: float, high_hz: float, rate_hz: float) -> tuple[tuple[float, float], ...]:
        """Mu and beta apart, where the range holds both.

        Parameters
        ----------
        low_hz : float
            Lower edge of the frequency range.
        high_hz : float
            Upper edge of the frequency range.
        rate_hz : float
            Sampling rate.

        Returns
        -------
        tuple of (float, float)
        """
        return ((low_hz, 14.0), (14.0, high_hz)) if low_hz < 12.0 and high_hz > 18.0 else ((low_hz, high_hz),)

    def fit(self, windows: FloatArray, labels: np.ndarray) -> FittedDecoder:
        """Fit to windows, shape (n_windows, n_bands, n_samples, n_channels), µV, each a trial of its own.

        Parameters
        ----------
        windows : ndarray, shape (n_windows, n_bands, n_samples, n_channels)
            µV.
        labels : ndarray of str, shape (n_windows,)
            Class of each window.

        Returns
        -------
        FittedDecoder
        """
        return self._fit(windows, labels, np.arange(len(labels)), HOP_S, 1.0, 1)

    def fit_informed(self, windows: FloatArray, labels: np.ndarray, context: TrainingContext) -> FittedDecoder:
        """Fit to the windows of cued trials: during a trial, the cue's direction is what is intended.

        Parameters
        ----------
        windows : ndarray, shape (n_windows, n_bands, n_samples, n_channels)
            µV.
        labels : ndarray of str, shape (n_windows,)
            Class of each window.
        context : TrainingContext
            Where the windows come from.

        Returns
        -------
        FittedDecoder
        """
        p = context.preprocessing
        per_trial = len(labels) / len(np.unique(context.trials))
        steps = max(1, round(TRIAL_S / per_trial * p.rate_hz / p.hop))
        return self._fit(windows, labels, context.trials, p.hop / p.rate_hz, p.hop / p.window, steps)

    def _fit(
        self, windows: FloatArray, labels: np.ndarray, trials: Ints, hop_s: float, share: float, steps: int
    ) -> FittedDecoder:
        """Fit, with the times of the live grid: hop, new part of a window, and grid windows that each of these stands for."""
        velocities = _intended(labels)
        features = Features(self.features).fit(windows)
        seen = features.transform(windows)
        projection = project(seen, velocities, folds_of(trials))
        spread = velocities.T @ velocities / len(velocities) + THIN * np.eye(velocities.shape[1])
        scores = LogisticRegression(max_iter=2000).fit(projection.held, labels)
        arrays = features.arrays(projection.weights) | {
            "intercept": projection.intercept,
            "score_slope": np.ascontiguousarray(scores.coef_),
            "score_offset": np.array(scores.intercept_, dtype=np.float64),
            "reach": np.array([BEYOND * np.linalg.norm(projection.held, axis=1).max()]),
            **_dynamics_arrays(self._dynamics(spread, hop_s)),
            **self._observation(projection, velocities, trials, spread, share),
        }
        arrays["gain"] = np.array([1.0])
        played = play(arrays, tuple(map(str, scores.classes_)), projection.held, trials, steps)
        arrays["gain"] /= max(float(np.sqrt((played**2).sum(axis=1).mean())), SLOWEST)
        return FittedDecoder(
            estimator=VelocityEstimator(features, projection, scores),
            classes=tuple(map(str, scores.classes_)),
            arrays=arrays,
            channel_weights=features.shares(patterns(seen, projection.weights.T)),
            notes=(told(velocities, played),),
        )

    def _dynamics(self, spread: FloatArray, hop_s: float) -> Dynamics:
        return forgetful(spread)

    def _observation(
        self, projection: Projection, velocities: FloatArray, trials: Ints, spread: FloatArray, share: float
    ) -> dict[str, FloatArray]:
        return {"residual": 0.5 * spread, "share": np.array([1.0])}


class VelocityKalman(VelocityRidge):
    """Kalman filter over the regression's projection (``kalman``)."""

    name = "kalman"

    def _dynamics(self, spread: FloatArray, hop_s: float) -> Dynamics:
        return fading(spread, float(np.exp(-hop_s / self.memory_s)))

    def _observation(
        self, projection: Projection, velocities: FloatArray, trials: Ints, spread: FloatArray, share: float
    ) -> dict[str, FloatArray]:
        design = np.column_stack((velocities, np.ones(len(velocities))))
        fitted = np.linalg.lstsq(design, projection.held, rcond=None)[0]
        left = projection.held - design @ fitted
        return {
            "slope": np.ascontiguousarray(fitted[:-1].T),
            "offset": fitted[-1],
            "observation_noise": left.T @ left / len(left) + 1e-9 * np.eye(left.shape[1]),
            "share": np.array([share]),
        }


class VelocityDiscriminative(VelocityKalman):
    """Discriminative Kalman filter over the regression's projection (``dkf``), with kernel regression for ``f`` and ``Q``.

    Burkhart, Brandman, Franco, Hochberg, Harrison 2020 (Neural Computation 32(5), 969).
    """

    name = "dkf"

    def _observation(
        self, projection: Projection, velocities: FloatArray, trials: Ints, spread: FloatArray, share: float
    ) -> dict[str, FloatArray]:
        folds = folds_of(trials)
        prior = PRIOR / share
        scale = float(np.sqrt(np.mean(projection.held.var(axis=0))))
        held = {w: _held_out(projection.held, velocities, folds, w * scale, prior) for w in WIDTHS}
        width = min(held, key=lambda w: float(((velocities - held[w]) ** 2).sum()))
        left = velocities - held[width]
        groups = KMeans(min(CENTRES, len(np.unique(projection.held, axis=0))), n_init=1, random_state=0).fit(projection.held)
        counts = np.bincount(groups.labels_).astype(np.float64)
        outer = left[:, :, None] * left[:, None, :]

        def mean_of(values: FloatArray) -> FloatArray:
            sums = np.zeros((len(counts), *values.shape[1:]))
            np.add.at(sums, groups.labels_, values)
            return sums / counts.reshape(-1, *[1] * (values.ndim - 1))

        return {
            "centres": mean_of(projection.held),
            "velocities": mean_of(velocities),
            "residuals": mean_of(outer) + 1e-6 * np.eye(len(spread)),
            "counts": counts,
            "width": np.array([width * scale]),
            "prior": np.array([prior]),
            "share": np.array([share]),
        }


def _held_out(points: FloatArray, velocities: FloatArray, folds: Ints, width: float, prior: float) -> FloatArray:
    """Kernel regression of each fold from the others, shape (n_windows, n_dims)."""
    found = np.zeros_like(velocities)
    for fold in np.unique(folds):
        out = folds == fold
        nothing = np.ones((int((~out).sum()), velocities.shape[1], velocities.shape[1]))
        fitted = KernelRegression(points[~out], velocities[~out], nothing, np.ones(len(nothing)), width, prior)
        found[out] = [fitted(point)[0] for point in points[out]]
    return found


def play(arrays: dict[str, FloatArray], classes: tuple[str, ...], projected: FloatArray, trials: Ints, steps: int) -> FloatArray:
    """The velocity that comes out for projected windows, at a gain of one, shape (n_windows, n_dims).

    Parameters
    ----------
    arrays : dict of str to ndarray
        Of the kernel.
    classes : tuple of str
    projected : ndarray, shape (n_windows, n_dims)
    trials : ndarray of int, shape (n_windows,)
        A new trial begins anew.
    steps : int
        Windows of the live grid that each of these stands for.

    Returns
    -------
    ndarray, shape (n_windows, n_dims)
    """
    kernel = load(arrays, classes)
    steering, found, before = VelocityTracker(kernel), np.zeros_like(projected), projected[0]
    for i, point in enumerate(projected):
        if i and trials[i] != trials[i - 1]:
            steering.restart()
            before = point
        # Between two windows the live grid has others that overlap both; a straight line stands for them.
        for k in range(1, steps + 1):
            velocity = steering.follow(kernel.observe_projected(before + (point - before) * (k / steps)))
        found[i], before = velocity.mean, point
    return found


def told(velocities: FloatArray, played: FloatArray) -> str:
    """Describe in words how well decoded velocities agree with the intended ones.

    Parameters
    ----------
    velocities : ndarray, shape (n_windows, n_dims)
        Decoded.
    played : ndarray, shape (n_windows, n_dims)
        Intended.

    Returns
    -------
    str
    """
    error = float(((velocities - played) ** 2).sum() / (velocities**2).sum())
    moving = [i for i in range(velocities.shape[1]) if velocities[:, i].std() and played[:, i].std()]
    r = float(np.sum([np.corrcoef(velocities[:, i], played[:, i])[0, 1] for i in moving]) / velocities.shape[1])
    return f"velocity decoded from left-out windows: NMSE {error:.2f}, correlation {r:.2f} with the intended velocity"


def _intended(labels: np.ndarray) -> FloatArray:
    """Direction of each label, shape (n_windows, n_dims): one dimension where all lie on a level."""
    table = directions(tuple(dict.fromkeys(map(str, labels))))
    velocities = np.array([table[str(label)] for label in labels])
    return velocities if velocities[:, 1].any() else velocities[:, :1]


def _dynamics_arrays(dynamics: Dynamics) -> dict[str, FloatArray]:
    return {"transition": dynamics.transition, "noise": dynamics.noise, "spread": dynamics.spread}
