"""Nested, block-wise cross-validation: how good is the whole procedure that chooses a decoder for this person?

Inner folds choose, outer folds estimate (Varma and Simon 2006, BMC Bioinformatics 7, 91), and folds are whole
stretches of consecutive trials (Lemm et al. 2011, NeuroImage 56, 387). A model that was trained without two folds
serves both: where the one is left out by the outer loop, and the other by the inner, and the other way round.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import BoolArray, FloatArray
from bci.judging.blocks import IntArray
from bci.judging.candidates import Candidate
from bci.judging.fits import Fits
from bci.training.chance import interval

SURER, MORE_OFTEN = 1.5, 1.0
"""Standard errors by which a candidate must beat the default in its logarithmic score, and in how often it is right."""
LEAST_PROBABILITY = 0.02
"""A decoder that is sure and wrong loses no more than by having given the truth this probability."""


@dataclass(frozen=True, slots=True, eq=False)
class OutOfFold:
    """Probabilities of one candidate for trials that its models were not trained on.

    Parameters
    ----------
    outer : ndarray, shape (n_trials, n_classes)
        Probabilities of each trial by a model without its fold.
    inner : ndarray, shape (n_folds, n_trials, n_classes)
        By a model without its fold and without fold ``[i]``; NaN for the trials of fold ``[i]``.
    """

    outer: FloatArray
    inner: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Nested:
    """Result of the nested cross-validation.

    Parameters
    ----------
    chosen : int
        The candidate that all trials choose.
    chosen_in_fold : tuple of int
        What the other folds choose for each.
    probabilities : ndarray, shape (n_trials, n_classes)
        Of the procedure: each trial by what was chosen and trained without its fold.
    hits : ndarray of bool, shape (n_trials,)
        Whether the most probable class is right.
    accuracy, low, high : float
        With the exact interval.
    """

    chosen: int
    chosen_in_fold: tuple[int, ...]
    probabilities: FloatArray
    hits: BoolArray
    accuracy: float
    low: float
    high: float


def cross_val_predict(fits: Fits, candidate: Candidate) -> OutOfFold:
    """Train one candidate without each fold, and without each pair of folds.

    Parameters
    ----------
    fits : Fits
    candidate : Candidate

    Returns
    -------
    OutOfFold
    """
    folds, n_classes = fits.trials.folds, len(fits.trials.classes)
    k = int(folds.max()) + 1
    everything = np.arange(len(folds))
    outer = np.full((len(folds), n_classes), np.nan)
    inner = np.full((k, len(folds), n_classes), np.nan)
    for held in range(k):
        test = everything[folds == held]
        outer[test] = fits.probabilities(candidate, everything[folds != held], test)
    for one, other in combinations(range(k), 2) if k > 2 else ():
        train = everything[(folds != one) & (folds != other)]
        test = everything[(folds == one) | (folds == other)]
        found = fits.probabilities(candidate, train, test)
        for held, seen in ((one, other), (other, one)):
            inner[held, folds == seen] = found[folds[test] == seen]
    return OutOfFold(outer, inner)


def nested(answers: Sequence[OutOfFold], codes: IntArray, folds: IntArray, level: float = 0.95) -> Nested:
    """Choose a candidate with the inner folds, and estimate the accuracy with the outer ones.

    Parameters
    ----------
    answers : sequence of OutOfFold
        Of each candidate; the first is the default.
    codes : ndarray of int, shape (n_trials,)
        True classes.
    folds : ndarray of int, shape (n_trials,)
    level : float
        Of the interval.

    Returns
    -------
    Nested
    """
    outer = np.stack([a.outer for a in answers])
    inner = np.stack([a.inner for a in answers])
    in_fold = []
    probabilities = np.empty_like(answers[0].outer)
    for held in range(inner.shape[1]):
        seen = folds != held
        in_fold.append(choose(inner[:, held, seen], codes[seen]) if inner.shape[1] > 2 else 0)
        probabilities[~seen] = outer[in_fold[-1], ~seen]
    hits: npt.NDArray[np.bool_] = probabilities.argmax(axis=1) == codes
    low, high = interval(int(hits.sum()), len(hits), level)
    return Nested(choose(outer, codes), tuple(in_fold), probabilities, hits, float(hits.mean()), low, high)


def choose(probabilities: FloatArray, codes: IntArray) -> int:
    """Choose the best candidate, or the default if none is clearly better.

    Among dozens of candidates some look better by luck. One is chosen only if it is right more often than the default by a
    standard error of their difference (the one-standard-error rule of Breiman et al. 1984, Classification and Regression
    Trees, section 3.4, for paired trials), and has the better logarithmic score by one and a half (Good 1952, J. Royal
    Statistical Society B 14, 107), which wastes less of a few dozen trials than counting. Of those the best score wins.

    Parameters
    ----------
    probabilities : ndarray, shape (n_candidates, n_trials, n_classes)
        The default first.
    codes : ndarray of int, shape (n_trials,)

    Returns
    -------
    int
    """
    scores = np.log(np.clip(probabilities[:, np.arange(len(codes)), codes], LEAST_PROBABILITY, 1.0))
    hits = np.asarray(probabilities.argmax(axis=2) == codes, dtype=np.float64)
    better = (_gain(scores) > SURER) & (_gain(hits) > MORE_OFTEN)
    return int(np.where(better, scores.mean(axis=1), -np.inf).argmax()) if better.any() else 0


def _gain(merits: FloatArray) -> FloatArray:
    """How much better than the first row each one is, in standard errors of the paired difference."""
    gain = merits - merits[0]
    error = gain.std(axis=1, ddof=1) / np.sqrt(gain.shape[1])
    found: FloatArray = np.divide(gain.mean(axis=1), error, out=np.zeros(len(gain)), where=error > 0)
    return found
