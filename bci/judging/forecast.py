"""The learning curve, and the accuracy that more trials would give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bci.engine.chunk import BoolArray, FloatArray
from bci.judging.blocks import IntArray
from bci.judging.candidates import Candidate
from bci.judging.fits import Fits
from bci.judging.nested import OutOfFold
from bci.training.chance import interval

DRAWS = 2000
USUAL_SLOPE, SLOPE_ERROR = 0.7, 0.5
"""Before any data: accuracy falls short of its limit by 0.7 / sqrt(trials), give or take 0.5."""


@dataclass(frozen=True, slots=True)
class Point:
    """One point of the learning curve.

    Parameters
    ----------
    trials : int
    accuracy, low, high : float
    """

    trials: int
    accuracy: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """A learning curve and its extrapolation.

    Parameters
    ----------
    points : tuple of Point
        Measured.
    trials : int
        For which the forecast is.
    accuracy, low, high : float
        Expected there, with its interval.
    """

    points: tuple[Point, ...]
    trials: int
    accuracy: float
    low: float
    high: float


def curve_hits(fits: Fits, candidate: Candidate, answers: OutOfFold) -> tuple[IntArray, FloatArray]:
    """How often each trial is decoded right by models of few, more and nearly all of the folds.

    Parameters
    ----------
    fits : Fits
    candidate : Candidate
    answers : OutOfFold
        Of this candidate.

    Returns
    -------
    sizes : ndarray of int, shape (n_sizes,)
        Training trials, ascending.
    hits : ndarray, shape (n_sizes, n_trials)
        Mean over the models that did not see a trial, 0 to 1.
    """
    folds, codes = fits.trials.folds, fits.trials.codes
    k = int(folds.max()) + 1
    sizes, rows = [], []
    for few in range(1, k - 2):
        right, asked = np.zeros(len(folds)), np.zeros(len(folds))
        for first in range(k):
            inside = np.isin(folds, (first + np.arange(few)) % k)
            train, test = np.flatnonzero(inside), np.flatnonzero(~inside)
            if min(np.bincount(codes[train], minlength=len(fits.trials.classes))) < 2:
                continue
            right[test] += fits.probabilities(candidate, train, test).argmax(axis=1) == codes[test]
            asked[test] += 1
        if asked.all():
            sizes.append(round(few * len(folds) / k))
            rows.append(right / asked)
    if k > 2:
        decoded = np.isfinite(answers.inner[..., 0])
        right = np.where(decoded, answers.inner.argmax(axis=2) == codes, 0.0).sum(axis=0)
        sizes.append(round((k - 2) * len(folds) / k))
        rows.append(right / decoded.sum(axis=0))
    sizes.append(round((k - 1) * len(folds) / k))
    rows.append((answers.outer.argmax(axis=1) == codes).astype(np.float64))
    return np.array(sizes, dtype=np.int64), np.stack(rows)


def forecast(sizes: IntArray, hits: FloatArray, own: BoolArray, trials: int, seed: int, level: float = 0.95) -> Forecast:
    """Extrapolate a learning curve.

    The curve is ``a - b / sqrt(trials)``, an inverse power law (Figueroa et al. 2012, BMC Medical Informatics and Decision
    Making 12, 8) with its usual exponent. Its slope is that of the measured points, drawn towards the usual one as far as
    they are uncertain; its level is the accuracy of the whole procedure. The interval is from trials drawn again with
    replacement.

    Parameters
    ----------
    sizes : ndarray of int, shape (n_sizes,)
    hits : ndarray, shape (n_sizes, n_trials)
        As :func:`curve_hits` gives them.
    own : ndarray of bool, shape (n_trials,)
        True where the nested cross-validation was right.
    trials : int
        Training trials for which to forecast; no fewer than there are.
    seed : int
    level : float

    Returns
    -------
    Forecast
    """
    n = len(own)
    rng = np.random.default_rng((seed, 17))
    drawn = np.vstack([np.arange(n), rng.integers(0, n, (DRAWS, n))])
    means = np.stack([row[drawn].mean(axis=1) for row in hits], axis=1)
    slopes = _slopes(sizes, means)
    error = max(float(slopes[1:].std()), 1e-6)
    trust = SLOPE_ERROR**2 / (SLOPE_ERROR**2 + error**2)
    usual = USUAL_SLOPE + SLOPE_ERROR * np.concatenate(([0.0], rng.standard_normal(DRAWS)))
    slope = np.maximum(0.0, trust * slopes + (1 - trust) * usual)
    ahead = np.clip(own[drawn].mean(axis=1) + slope * (1 / np.sqrt(sizes[-1]) - 1 / np.sqrt(max(trials, int(sizes[-1])))), 0, 1)
    tail = (1 - level) / 2
    low, high = np.quantile(ahead[1:], (tail, 1 - tail)).tolist()
    points = tuple(
        Point(int(size), float(row.mean()), *interval(round(row.sum()), n, level)) for size, row in zip(sizes, hits, strict=True)
    )
    return Forecast(points, trials, float(ahead[0]), low, high)


def _slopes(sizes: IntArray, means: FloatArray) -> FloatArray:
    """Least-squares ``b`` of ``a - b / sqrt(size)`` for each row of ``means``."""
    x = 1 / np.sqrt(sizes)
    x = x - x.mean()
    if len(sizes) < 2:
        return np.zeros(len(means))
    return np.asarray(-(means @ x) / (x @ x))


def trials_needed(test_z: float, n: int, needed_z: float, most: int) -> int:
    """Trials, from the first, after which the test will probably succeed.

    The test's distance from chance grows with the square root of the trials.

    Parameters
    ----------
    test_z : float
        Standard deviations by which the statistic exceeds its null now.
    n : int
        Trials now.
    needed_z : float
        Standard deviations that are needed.
    most : int

    Returns
    -------
    int
        More than ``n`` and at most ``most``.

    Examples
    --------
    >>> trials_needed(2.0, 40, 3.0, 160)
    90
    """
    if test_z <= 0:
        return most
    return max(n + 1, min(most, int(np.ceil(n * (needed_z / test_z) ** 2))))
