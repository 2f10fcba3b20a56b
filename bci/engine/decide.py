"""From probabilities to decisions: smoothing, threshold, dwell, hysteresis, refractory, idle."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bci.engine.chunk import FloatArray
from bci.errors import ConfigError

LEAST_S = 1e-6
LONGEST_S = 3600  # a longer time is a mistake, and one too long to be counted in windows would stop the loop


@dataclass(frozen=True, slots=True)
class DecisionSettings:
    """Settings that say how much evidence is needed for a decision.

    Parameters
    ----------
    smoothing_s : float
        Time constant of the exponential mean over probabilities; 0 for none.
    threshold : float
        Evidence that a class needs to start a decision.
    release : float
        Evidence below which a running decision ends (hysteresis); at most ``threshold``.
    dwell_s : float
        Time the evidence must stay above ``threshold`` before the decision starts.
    refractory_s : float
        Time after the start of a decision before another class may start one.
    idle : str
        Class that stands for doing nothing: it never becomes a decision. Empty for none.
    """

    smoothing_s: float = 0.5
    threshold: float = 0.6
    release: float = 0.5
    dwell_s: float = 0.0
    refractory_s: float = 0.0
    idle: str = ""

    def __post_init__(self) -> None:
        problems = [
            f"{name} = {value}: must be a number between 0 and {LONGEST_S}"
            for name, value in (
                ("smoothing_s", self.smoothing_s),
                ("dwell_s", self.dwell_s),
                ("refractory_s", self.refractory_s),
            )
            if not 0 <= value <= LONGEST_S
        ]
        if not 0 <= self.threshold <= 1:
            problems.append(f"threshold = {self.threshold}: must be between 0 and 1")
        if not 0 <= self.release <= 1 or self.release > self.threshold:
            problems.append(f"release = {self.release}: must be between 0 and threshold = {self.threshold}")
        if problems:
            raise ConfigError(problems)


class DecisionRule:
    """Turns evidence over the window grid into decisions.

    Parameters
    ----------
    settings : DecisionSettings
    classes : tuple of str
    hop_s : float
        Time between windows, seconds.
    """

    def __init__(self, settings: DecisionSettings, classes: tuple[str, ...], hop_s: float) -> None:
        self._classes = classes
        self._hop_s = hop_s
        self.change(settings)
        self.restart()

    @property
    def evidence(self) -> FloatArray:
        """Probabilities after smoothing, shape (n_classes,); NaN before the first window."""
        return np.array(self._evidence)

    def change(self, settings: DecisionSettings) -> None:
        """Use other settings from the next window on; evidence and a running decision stay."""
        if settings.idle and settings.idle not in self._classes:
            raise ConfigError(f"idle = {settings.idle!r}: must be one of the decoder's classes {', '.join(self._classes)}")
        self.settings = settings
        # A constant so small that the quotient overflows is none.
        self._gain = 1.0 if settings.smoothing_s < LEAST_S else 1.0 - math.exp(-self._hop_s / settings.smoothing_s)
        self._dwell = round(settings.dwell_s / self._hop_s)
        self._refractory = round(settings.refractory_s / self._hop_s)
        self._idle = self._classes.index(settings.idle) if settings.idle else -1

    def restart(self) -> None:
        """Forget all evidence and end a running decision (after a gap, a new segment or a veto)."""
        # Plain numbers: for a handful of classes they are several times faster than arrays.
        self._evidence = [math.nan] * len(self._classes)
        self._fresh = True
        self._candidate = -1
        self._held = 0
        self._current = -1
        self._since = self._refractory

    def __call__(self, probabilities: FloatArray) -> int:
        """Take the probabilities of the next window; return the class decided on, or -1.

        Parameters
        ----------
        probabilities : ndarray, shape (n_classes,)
        """
        now = probabilities.tolist()
        if self._fresh:
            self._evidence = now
            self._fresh = False
        else:
            self._evidence = [e + self._gain * (p - e) for e, p in zip(self._evidence, now, strict=True)]
        level = max(self._evidence)
        best = self._evidence.index(level)
        self._since = min(self._since + 1, self._refractory)
        self._dwell_on(best, level)
        if self._current >= 0 and self._evidence[self._current] < self.settings.release:
            self._current = -1
        if best != self._current and self._ready():
            self._current = best
            self._since = 0
        return self._current

    def _dwell_on(self, best: int, level: float) -> None:
        """Count the windows for which the same class has stayed above threshold."""
        if level < self.settings.threshold or best == self._idle:
            self._candidate, self._held = -1, 0
            return
        self._held = self._held + 1 if best == self._candidate else 1
        self._candidate = best

    def _ready(self) -> bool:
        """Whether the candidate may start a decision now."""
        return self._candidate >= 0 and self._held > self._dwell and self._since >= self._refractory
