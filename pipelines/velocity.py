"""Continuous control: linear regression, Kalman and discriminative Kalman filter from covariances to a cursor's velocity.

The three share features and projection and differ in what becomes of it, so that a comparison compares the filters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pyriemann.geometry.base import invsqrtm
from pyriemann.tangentspace import TangentSpace
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression

from bci.engine.chunk import FloatArray
from bci.engine.control.decoder import Steering
from bci.engine.control.dynamics import Dynamics, fading, forgetful
from bci.errors import ConfigError
from bci.session.cursor import directions
from bci.session.fit import FittedDecoder, TrainingContext
from pipelines.covariance import BandCovariances, patterns, shares
from pipelines.kernels.velocity import KernelRegression, load
from pipelines.tangent_linear import channel_weights, matrices

Ints = npt.NDArray[np.int64]

FOLDS = 5
PENALTIES = np.logspace(-4, 3, 22)
"""Ridge penalties that are tried, as multiples of the features' mean variance."""
WIDTHS = (0.15, 0.25, 0.4, 0.6, 1.0)
"""Widths of the kernel regression that are tried, as multiples of the projection's spread."""
CENTRES = 64
MOST_FOR_MEAN = 400
THIN = 1e-3
"""Added to the spread of velocities, so that a direction that never occurred is held to be unlikely, and not impossible."""
SLOWEST = 1e-3
BEYOND = 1.2
"""How much further than in training the projection may reach."""
HOP_S = 0.04
"""Of the grid, where nothing is said of it."""
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
        """Mu and beta apart, where the range holds both."""
        return ((low_hz, 14.0), (14.0, high_hz)) if low_hz < 12.0 and high_hz > 18.0 else ((low_hz, high_hz),)

    def fit(self, windows: FloatArray, labels: np.ndarray) -> FittedDecoder:
        """Fit to windows, shape (n_windows, n_bands, n_samples, n_channels), µV, each a trial of its own."""
        return self._fit(windows, labels, np.arange(len(labels)), HOP_S, 1.0, 1)

    def fit_informed(self, windows: FloatArray, labels: np.ndarray, context: TrainingContext) -> FittedDecoder:
        """Fit to the windows of cued trials: during a trial, the cue's direction is what is intended."""
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
        """Find the reference of each band: the Riemannian mean of at most 400 windows, evenly spread."""
        some = windows[:: -(-len(windows) // MOST_FOR_MEAN)]
        covariances = self._covariances.transform(some)
        self.spaces = [TangentSpace().fit(covariances[:, band]) for band in range(windows.shape[1])]
        return self

    def transform(self, windows: FloatArray) -> FloatArray:
        """Shape (n_windows, n_bands * n_features)."""
        covariances = self._covariances.transform(windows)
        if self.kind == "power":
            with np.errstate(divide="ignore"):
                return np.log(np.einsum("nbcc->nbc", covariances)).reshape(len(windows), -1)
        return np.concatenate([space.transform(covariances[:, band]) for band, space in enumerate(self.spaces)], axis=1)

    def arrays(self, weights: FloatArray) -> dict[str, FloatArray]:
        """The kernel's arrays for a linear map of these features, shape (n_features, n_dims)."""
        if self.kind == "power":
            per_channel = weights.T.reshape(weights.shape[1], len(self.spaces), -1)
            return {"weights": per_channel[..., None] * np.eye(per_channel.shape[-1])}
        whitening = np.stack([invsqrtm(space.reference_) for space in self.spaces])
        return {"weights": matrices(weights.T, len(self.spaces)), "whitening": whitening}

    def shares(self, activation: FloatArray) -> FloatArray:
        """Share of each channel, from activation patterns, shape (n_dims, n_features)."""
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
        """Shape (n_windows, n_dims)."""
        return self.features.transform(windows) @ self.projection.weights + self.projection.intercept

    def predict_proba(self, windows: FloatArray) -> FloatArray:
        """Shape (n_windows, n_classes)."""
        return np.asarray(self.scores.predict_proba(self.project(windows)))

    def predict(self, windows: FloatArray) -> np.ndarray:
        """The likelier class of each window."""
        return self.classes_[self.predict_proba(windows).argmax(axis=1)]


def folds_of(trials: Ints) -> Ints:
    """Fold of each window: blocks of neighbouring trials, because windows near in time share drifts."""
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
    """
    kernel = load(arrays, classes)
    steering, found, before = Steering(kernel), np.zeros_like(projected), projected[0]
    for i, point in enumerate(projected):
        if i and trials[i] != trials[i - 1]:
            steering.restart()
            before = point
        # Between two windows the live grid has others that overlap both; a straight line stands for them.
        for k in range(1, steps + 1):
            velocity = steering.follow(kernel.said(before + (point - before) * (k / steps)))
        found[i], before = velocity.mean, point
    return found


def told(velocities: FloatArray, played: FloatArray) -> str:
    """How well decoded velocities are those that were intended, in words."""
    error = float(((velocities - played) ** 2).sum() / (velocities**2).sum())
    moving = [i for i in range(velocities.shape[1]) if velocities[:, i].std() and played[:, i].std()]
    r = float(np.sum([np.corrcoef(velocities[:, i], played[:, i])[0, 1] for i in moving]) / velocities.shape[1])
    return f"velocity decoded from windows left out: NMSE {error:.2f}, correlation {r:.2f} with what was intended"


def _intended(labels: np.ndarray) -> FloatArray:
    """Direction of each label, shape (n_windows, n_dims): one dimension where all lie on a level."""
    table = directions(tuple(dict.fromkeys(map(str, labels))))
    velocities = np.array([table[str(label)] for label in labels])
    return velocities if velocities[:, 1].any() else velocities[:, :1]


def _dynamics_arrays(dynamics: Dynamics) -> dict[str, FloatArray]:
    return {"transition": dynamics.transition, "noise": dynamics.noise, "spread": dynamics.spread}
