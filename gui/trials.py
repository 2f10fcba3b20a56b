"""What the decoder got right so far, trial by trial, by the rule that reports use."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bci.engine.chunk import FloatArray
from bci.session.chance import interval

TRIAL_END = "800"


@dataclass(slots=True)
class Tally:
    """Counts of one session.

    A trial counts with the first window that ends at or after ``cue + stop_s``: its most probable class is compared with
    the class of the cue (:func:`bci.session.score.score`).

    Parameters
    ----------
    classes : tuple of str
    stop_s : float
    """

    classes: tuple[str, ...]
    stop_s: float = 2.5
    table: FloatArray = field(init=False)
    history: list[bool] = field(init=False, default_factory=list)
    undecided: int = field(init=False, default=0)
    _waiting: list[tuple[float, int]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        n = len(self.classes)
        self.table = np.zeros((n, n), dtype=int)

    def cue(self, class_: str, time_s: float) -> None:
        """A cue asked for a class; cues for something else are no trials."""
        if class_ in self.classes:
            self._waiting.append((time_s + self.stop_s, self.classes.index(class_)))

    def window(self, time_s: float, probabilities: FloatArray) -> None:
        """A window ended at ``time_s``, on the clock of the cues."""
        while self._waiting and self._waiting[0][0] <= time_s:
            _, asked = self._waiting.pop(0)
            if not np.isfinite(probabilities).all():
                self.undecided += 1
                continue
            decided = int(np.argmax(probabilities))
            self.table[asked, decided] += 1
            self.history.append(asked == decided)

    @property
    def n(self) -> int:
        """Trials judged."""
        return int(self.table.sum())

    @property
    def correct(self) -> int:
        """Trials right."""
        return int(np.trace(self.table))

    @property
    def chance(self) -> float:
        """Share that guessing gets right; 0 without classes."""
        return 1.0 / len(self.classes) if self.classes else 0.0

    def summary(self) -> str:
        """Running accuracy with its exact 95 % interval, in one line."""
        if not self.n:
            return "no trial yet"
        low, high = interval(self.correct, self.n)
        share = 100 * self.correct / self.n
        likely = f"95 % interval {100 * low:.0f}–{100 * high:.0f}"
        return f"{self.correct} of {self.n} right: {share:.0f} % ({likely}), chance {100 * self.chance:.0f} %"


def confirmed(event: dict[str, Any]) -> tuple[str, float] | None:
    """Class and time of a cue event; None for any other event."""
    stamp = event.get("stamp")
    if event.get("kind") != "cue" or not isinstance(stamp, int | float) or not math.isfinite(stamp):
        return None
    class_ = event.get("class")
    return (class_, float(stamp)) if isinstance(class_, str) and class_ else None
