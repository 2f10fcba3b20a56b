"""The accuracy of the decoder so far, trial by trial, by the rule of the reports."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from bci.engine.chunk import FloatArray
from bci.training.chance import interval
from gui.message_values import EngineEvent
from gui.store import RowStore

TRIAL_END = "800"
LATE_ROWS = 100
"""So many rows of timing may have come before the outcomes that they belong to."""


@dataclass(slots=True)
class Tally:
    """Counts of one session.

    A trial counts with the first window that ends at or after ``cue + stop_s``: its most probable class is compared with
    the class of the cue (:func:`bci.replay.score.score`).

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
        """Take the cue of a class; cues of something else are no trials.

        Parameters
        ----------
        class_ : str
        time_s : float
        """
        if class_ in self.classes:
            self._waiting.append((time_s + self.stop_s, self.classes.index(class_)))

    def window(self, time_s: float, probabilities: FloatArray) -> None:
        """Take a window that ended at ``time_s``, on the clock of the cues.

        Parameters
        ----------
        time_s : float
        probabilities : ndarray
            Of every class.
        """
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
        """Correct trials."""
        return int(np.trace(self.table))

    @property
    def chance(self) -> float:
        """Accuracy of guessing; 0 without classes."""
        return 1.0 / len(self.classes) if self.classes else 0.0

    def summary(self) -> str:
        """Return the accuracy so far with its exact 95 % interval, in one line."""
        if not self.n:
            return "no trial yet"
        low, high = interval(self.correct, self.n)
        share = 100 * self.correct / self.n
        likely = f"95 % interval {100 * low:.0f}–{100 * high:.0f}"
        return f"{self.correct} of {self.n} correct: {share:.0f} % ({likely}), chance {100 * self.chance:.0f} %"


def window_ends(rows: FloatArray, timing: RowStore) -> list[float]:
    """When windows ended, on the clock of the cues: of the first ones of ``rows``, as far as it can be told now.

    The timing of a window is sent behind its outcome, on a stream of its own that a window of ours may have joined later. One
    that was sent before that never comes: NaN stands for it as soon as the timing of a later window is there.

    Parameters
    ----------
    rows : ndarray, shape (n_windows, 1 + n_columns)
        Of the outcomes, oldest first, when they were sent in front.
    timing : RowStore
    """
    n = len(rows) + LATE_ROWS
    keys = zip(timing.column("segment", n).tolist(), timing.column("index", n).tolist(), strict=True)
    ends = dict(zip(keys, timing.column("time", n).tolist(), strict=True))
    newest = float(timing.times(1)[-1]) if len(timing) else -math.inf
    found: list[float] = []
    for sent, segment, index in rows[:, :3].tolist():
        end = ends.get((segment, index))
        if end is None and sent >= newest:
            break  # its timing is still on its way
        found.append(math.nan if end is None else end)
    return found


def confirmed(event: EngineEvent) -> tuple[str, float] | None:
    """Class and time of a cue event; None for any other event.

    Parameters
    ----------
    event : EngineEvent
    """
    return (event.class_, event.stamp) if event.kind == "cue" and event.class_ and math.isfinite(event.stamp) else None
