"""Fits of decoders to many subsets of the same trials, in which nothing is computed twice.

A decoder's estimator is a chain of steps. Covariances depend on nothing but their own trial; the mean that a tangent
space lies at depends on the trials of the fold, but not on their labels. Which steps are of which kind is found out by
trying (:func:`_probed`), so that it holds for a decoder that somebody else brings as well.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import FloatArray
from bci.judging.blocks import IntArray
from bci.judging.candidates import Candidate
from bci.judging.trials import Trials
from bci.model.family import DecoderFamily

PROBE_TRIALS = 12
FIXED, UNLABELLED, LABELLED = "fixed", "unlabelled", "labelled"


class Fits:
    """Fits decoders to subsets of one set of trials.

    Parameters
    ----------
    trials : Trials
    """

    def __init__(self, trials: Trials) -> None:
        self.trials = trials
        self._windows: tuple[Hashable, FloatArray] | None = None
        self._features: dict[Hashable, FloatArray] = {}
        self._chains: dict[Hashable, _Chain | None] = {}

    def probabilities(self, candidate: Candidate, train: IntArray, test: IntArray) -> FloatArray:
        """Train on some trials and decode others: probabilities, shape (n_test, n_classes), with sorted classes.

        Parameters
        ----------
        candidate : Candidate
        train, test : ndarray of int
            Places of the trials.

        Returns
        -------
        ndarray, shape (n_test, n_classes)
        """
        y = self.trials.labels[train]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a fold may be harder than all trials; those of the final fit are kept
            chain = self._chain(candidate)
            if chain is None:
                windows = self._cut(candidate)
                fitted = candidate.load_family().fit(windows[train], y)
                return _ordered(fitted.estimator, windows[test], self.trials.classes)
            features = self._up_to_labels(candidate, chain, train)
            rest = chain.rest().fit(features[train], y)
            return _ordered(rest, features[test], self.trials.classes)

    def forget(self) -> None:
        """Free the memory of kept features."""
        self._features.clear()
        self._windows = None

    def _cut(self, candidate: Candidate) -> FloatArray:
        key = _seen(candidate)
        if self._windows is None or self._windows[0] != key:
            self._windows = key, self.trials.windows(candidate)
        return self._windows[1]

    def _chain(self, candidate: Candidate) -> _Chain | None:
        windows_key = _seen(candidate)
        key = (candidate.family, candidate.settings, windows_key)
        if key not in self._chains:
            shape = self._cut(candidate).shape[1:]
            self._chains[key] = _probed(candidate.load_family(), shape, self.trials.classes)
        return self._chains[key]

    def _up_to_labels(self, candidate: Candidate, chain: _Chain, train: IntArray) -> FloatArray:
        """Features of all trials after the steps that use no labels; steps that learn are fitted to ``train``."""
        seen: Hashable = _seen(candidate)
        found: FloatArray | None = None
        for number, (name, kind) in enumerate(chain.before):
            before = found
            seen = (seen, name) if kind == FIXED else (seen, name, train.tobytes())

            def made(number: int = number, before: FloatArray | None = before) -> FloatArray:
                given = self._cut(candidate) if before is None else before
                step = chain.step(number).fit(given[train])
                result: FloatArray = step.transform(given)
                return result

            found = self._kept(seen, made)
        return self._cut(candidate) if found is None else found

    def _kept(self, key: Hashable, made: Callable[[], FloatArray]) -> FloatArray:
        if key not in self._features:
            self._features[key] = made()
        return self._features[key]


class _Chain:
    """An unfitted estimator, split at the first step that uses labels."""

    def __init__(self, pipeline: Any, before: tuple[tuple[str, str], ...]) -> None:
        self._pipeline = pipeline
        self.before = before

    def step(self, number: int) -> Any:
        from sklearn.base import clone

        return clone(self._pipeline[number])

    def rest(self) -> Any:
        from sklearn.base import clone

        return clone(self._pipeline[len(self.before) :])


def _seen(candidate: Candidate) -> Hashable:
    """Everything that a candidate's windows depend on."""
    return candidate.bands, candidate.start_s, candidate.stop_s, candidate.channels


def _ordered(estimator: Any, windows: FloatArray, classes: tuple[str, ...]) -> FloatArray:
    """Probabilities in the order of ``classes``."""
    given = list(map(str, estimator.classes_))
    return np.asarray(estimator.predict_proba(windows), dtype=np.float64)[:, [given.index(c) for c in classes]]


def _probed(family: DecoderFamily, shape: tuple[int, ...], classes: tuple[str, ...]) -> _Chain | None:
    """Split the family's estimator into a chain of steps; None if it must be fitted as a whole.

    It is fitted to noise, never to the trials, so that nothing it might have chosen while fitting can come from them;
    and twice, to different noise: where it looks different afterwards, it does choose, and must do so in every fold.
    """
    from sklearn.base import clone
    from sklearn.pipeline import Pipeline

    fitted = [family.fit(*_noise(shape, classes, seed)).estimator for seed in (1, 2)]
    if not all(isinstance(estimator, Pipeline) for estimator in fitted):
        return None
    pipelines = [clone(estimator) for estimator in fitted]
    texts = [[repr(step) for step in pipeline.named_steps.values()] for pipeline in pipelines]
    if texts[0] != texts[1]:
        return None
    return _Chain(pipelines[0], tuple(_kinds(fitted[0], texts[0], shape, classes)))


def _kinds(fitted: Any, names: list[str], shape: tuple[int, ...], classes: tuple[str, ...]) -> list[tuple[str, str]]:
    """The first steps of a chain that use no labels, each with whether it learns anything from the trials."""
    from sklearn.base import clone

    ours, labels = _noise(shape, classes, 1)
    others, _ = _noise(shape, classes, 2)
    found = []
    for step, name in zip(fitted[:-1], names, strict=False):
        try:
            once, other = clone(step).fit(ours), clone(step).fit(others)
        except (TypeError, ValueError):  # it insists on labels
            break
        given = step.transform(ours)
        if not np.array_equal(once.transform(ours), given):
            break
        if not np.array_equal(clone(step).fit(ours, np.roll(labels, 1)).transform(ours), given):
            break
        found.append((name, FIXED if np.array_equal(other.transform(ours), given) else UNLABELLED))
        ours, others = given, other.transform(others)
    return found


def _noise(shape: tuple[int, ...], classes: tuple[str, ...], seed: int) -> tuple[FloatArray, npt.NDArray[np.str_]]:
    """A few windows of white noise with labels."""
    n = PROBE_TRIALS * len(classes)
    windows = np.random.default_rng(seed).standard_normal((n, *shape))
    return windows, np.array(classes * PROBE_TRIALS)
