"""Supervised adaptation: at cues whose class is known, a decoder's bias follows its person.

Only the bias moves, one number per class that is added to the logarithm of its probability, so it works with every
decoder and cannot bend what the decoder learned. Adapting the bias alone held up best of what Shenoy, Krauledat,
Blankertz, Rao and Müller 2006 tried on line (Journal of Neural Engineering 3, R13, "REBIAS"). Here it is the most probable
intercept of a logistic model over the last trials of each class, under a prior at zero (ridge), classes counting alike.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from bci.engine.chunk import FloatArray
from bci.errors import ConfigError

LEAST = 0.01
"""A probability below this counts as this: one trial that the decoder was sure of moves no more than that."""
NEWTON_STEPS = 8


@dataclass(frozen=True, slots=True)
class RebiasSettings:
    """How far and how fast the bias follows.

    Parameters
    ----------
    on : bool
        From the beginning of a session.
    memory : int
        Trials of each class that are looked back on.
    prior : float
        Weight of "nothing has changed"; 1 is worth about six trials.
    reach : float
        Largest shift of a class's log probability, natural logarithm.
    """

    on: bool = False
    memory: int = 20
    prior: float = 1.0
    reach: float = 1.0

    def __post_init__(self) -> None:
        problems = []
        if not 2 <= self.memory <= 1000:
            problems.append(f"memory = {self.memory}: must be a whole number from 2 to 1000 trials")
        for name, value in (("prior", self.prior), ("reach", self.reach)):
            if not 0 < value <= 100:
                problems.append(f"{name} = {value}: must be more than 0 and at most 100")
        if problems:
            raise ConfigError(problems)


@dataclass(slots=True, eq=False)
class _Trial:
    """A trial whose class is known, while its windows come."""

    class_: int
    first: int
    last: int
    logs: FloatArray
    count: int = 0


class BiasAdaptation:
    """The bias of one session.

    As long as one class was never cued nothing moves: a session of one class only says nothing about a bias.

    Parameters
    ----------
    settings : RebiasSettings
    classes : tuple of str

    Attributes
    ----------
    bias : ndarray, shape (n_classes,)
        Added to the logarithms of the probabilities; sums to zero.
    """

    def __init__(self, settings: RebiasSettings, classes: tuple[str, ...]) -> None:
        self._settings, self._classes = settings, classes
        self._trials: tuple[deque[FloatArray], ...] = tuple(deque(maxlen=settings.memory) for _ in classes)
        self._now: _Trial | None = None
        self._due = False
        self.bias: FloatArray = np.zeros(len(classes))

    def expect(self, class_: str, first: int, last: int) -> None:
        """A trial comes; one that is not over by then says nothing.

        Parameters
        ----------
        class_ : str
            What was asked for; where the decoder does not know it, nothing is learned.
        first, last : int
            Windows that end with these samples, as counted by the engine, and all between are of it.
        """
        known = class_ in self._classes
        self._now = _Trial(self._classes.index(class_), first, last, np.zeros(len(self._classes))) if known else None

    def __call__(self, probabilities: FloatArray, consumed: int) -> FloatArray:
        """Probabilities with the bias, the same object while there is none; a trial that goes on takes in what was given.

        Parameters
        ----------
        probabilities : ndarray, shape (n_classes,)
            Of the decoder as it is.
        consumed : int
            Samples up to the end of the window.
        """
        self.settle()
        self._take(probabilities, consumed)
        if not self.bias.any():
            return probabilities
        moved = probabilities * np.exp(self.bias)
        shifted: FloatArray = moved / moved.sum()
        return shifted

    def _take(self, probabilities: FloatArray, consumed: int) -> None:
        """What a decoded window says about the trial that is going on; the bias moves when the next one comes."""
        trial = self._now
        if trial is None or consumed < trial.first:
            return
        if consumed <= trial.last:
            trial.logs += np.log(np.maximum(probabilities, LEAST))
            trial.count += 1
        if consumed >= trial.last:
            self._now = None
            if trial.count:
                self._trials[trial.class_].append(trial.logs / trial.count)
                self._due = True

    def settle(self) -> None:
        """Move the bias to the value that fits the trials; the bits of the result do not depend on when this is called."""
        if not self._due:
            return
        self._due = False
        least = min(map(len, self._trials))
        if least:
            self.bias = self._most_probable(least)

    def _most_probable(self, least: int) -> FloatArray:
        """The intercepts with the largest posterior, each class weighing as the one with the fewest trials."""
        s = self._settings
        logs = np.concatenate([np.stack(trials) for trials in self._trials])
        truth = np.repeat(np.eye(len(self._trials)), [len(trials) for trials in self._trials], axis=0)
        weights = np.repeat([least / len(trials) for trials in self._trials], [len(trials) for trials in self._trials])
        bias = np.zeros(len(self._trials))
        for _ in range(NEWTON_STEPS):
            said = np.exp(logs + bias)
            said /= said.sum(axis=1, keepdims=True)
            slope = weights @ (said - truth) + s.prior * bias
            curvature = np.diag(weights @ said) - (said * weights[:, None]).T @ said + s.prior * np.eye(len(bias))
            bias = np.clip(bias - np.linalg.solve(curvature, slope), -2 * s.reach, 2 * s.reach)
        bias -= bias.mean()
        return np.asarray(np.clip(bias, -s.reach, s.reach))
