"""Head start against the own trials alone, person by person, with everybody else as donors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pyriemann.tangentspace import TangentSpace
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from bci.engine.chunk import FloatArray
from bci.transfer.adapted_prior import DonorSession, Prior, adapt_prior, learn_prior, strength_for

from .people import Subject

RESAMPLES = 4000
LEVEL = 0.95


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """Accuracies on trials that took part in nothing, 0 to 1.

    Parameters
    ----------
    name : str
    zero : float
        Of the prior alone: not one trial of this person.
    few : ndarray, shape (n_draws, 2)
        With few trials: own only, head start.
    full : ndarray, shape (n_folds, 2)
        With all trials but those of one part.
    took_over : int
        Folds of ``full`` in which the own model had taken over.
    """

    name: str
    zero: float
    few: FloatArray
    full: FloatArray
    took_over: int


def compare(subjects: Sequence[Subject], place: int, trials_per_class: int, draws: int) -> Person:
    """One person as the newcomer, all others as donors."""
    rng = np.random.default_rng((17, place))
    new = subjects[place]
    prior = learn_prior([DonorSession(s.name, s.matrices, s.labels) for i, s in enumerate(subjects) if i != place])
    strength = strength_for(prior, trials_per_class)
    few = np.array([_few(new, prior, strength, trials_per_class, rng) for _ in range(draws)])
    full, took_over = [], 0
    for part in np.unique(new.parts):
        scores, own = _full(new, prior, part)
        full.append(scores)
        took_over += own
    nobody = adapt_prior(prior, new.matrices[:0], new.labels[:0])
    zero = float((_decided(nobody.logs(new.matrices), prior) == new.labels).mean())
    return Person(new.name, zero, few, np.array(full), took_over)


def _few(new: Subject, prior: Prior, strength: float, n: int, rng: np.random.Generator) -> tuple[float, float]:
    """A few trials of one part to calibrate, all of the other parts to judge by."""
    part = rng.choice(np.unique(new.parts))
    pool = [np.flatnonzero((new.labels == c) & (new.parts == part)) for c in prior.classes]
    train = np.sort(np.concatenate([rng.choice(x, min(n, len(x)), replace=False) for x in pool]))
    return _both(new, prior, strength, train, np.flatnonzero(new.parts != part))[0]


def _full(new: Subject, prior: Prior, part: int) -> tuple[tuple[float, float], bool]:
    """All parts but one to calibrate."""
    train = np.flatnonzero(new.parts != part)
    least = min(int((new.labels[train] == c).sum()) for c in prior.classes)
    return _both(new, prior, strength_for(prior, least), train, np.flatnonzero(new.parts == part))


def _both(new: Subject, prior: Prior, strength: float, train: np.ndarray, test: np.ndarray) -> tuple[tuple[float, float], bool]:
    """Accuracy of the own trials alone (``ts-lr``), and of the head start."""
    own = make_pipeline(TangentSpace(), LogisticRegression(max_iter=2000)).fit(new.matrices[train, 0], new.labels[train])
    head = adapt_prior(prior, new.matrices[train], new.labels[train], strength)
    truth = new.labels[test]
    decided = _decided(head.logs(new.matrices[test]), prior)
    return (float((own.predict(new.matrices[test, 0]) == truth).mean()), float((decided == truth).mean())), head.own


def _decided(logs: FloatArray, prior: Prior) -> np.ndarray:
    return np.array(prior.classes)[logs.argmax(axis=1)]


def gain(tables: Sequence[FloatArray]) -> tuple[float, float, float]:
    """Mean gain of the head start in points with its interval: people and their draws resampled (percentile bootstrap).

    Parameters
    ----------
    tables : sequence of ndarray, shape (n_draws, 2)
        Of each person: own only, head start.
    """
    rng = np.random.default_rng(5)
    differences = [100 * (t[:, 1] - t[:, 0]) for t in tables]
    found = [
        np.mean([rng.choice(differences[i], len(differences[i])).mean() for i in rng.integers(0, len(tables), len(tables))])
        for _ in range(RESAMPLES)
    ]
    low, high = np.quantile(found, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return float(np.mean([d.mean() for d in differences])), float(low), float(high)
