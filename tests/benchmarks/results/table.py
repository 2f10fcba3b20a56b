"""Live beside offline, line by line, and whether they are as near as they have to be."""

from __future__ import annotations

import os
from dataclasses import dataclass

from bci.progress import Progress, silent
from bci.training.chance import interval

from .live import Live, live
from .offline import offline
from .recordings import Person

MOST_POINTS = 3.0
MOST_TRIALS = 2


@dataclass(frozen=True, slots=True)
class Line:
    """One person's later runs, live and offline.

    Parameters
    ----------
    person : Person
    live : Live
    offline, usual : int
        Correct trials offline and zero-phase, with the time of samples by our continuity, and by pyxdf.
    n : int
        Trials decoded, live and offline the same ones.
    """

    person: Person
    live: Live
    offline: int
    usual: int
    n: int

    @property
    def trials(self) -> int:
        """How many more were correct live than offline."""
        return self.live.correct - self.offline

    @property
    def points(self) -> float:
        """The same in percentage points."""
        return 100 * self.trials / self.n

    @property
    def within(self) -> bool:
        """Whether live is as near to offline as it has to be; a line outside the mean shows what it shows."""
        return abs(self.points) <= MOST_POINTS or abs(self.trials) <= MOST_TRIALS or not self.person.in_mean


def line(person: Person, progress: Progress = silent) -> Line:
    """Compute one line."""
    found = live(person, progress)
    progress(f"{person.name}, {person.config.decoder.name}: offline", 0.0)
    correct, n = offline(person)
    usual, same = offline(person, "pyxdf") if person.data_set == "labrecorder" else (correct, n)
    if not n == same == len(found.answers):
        raise ValueError(f"{person.name}: {len(found.answers)} trials live, {n} and {same} offline; they must be the same ones")
    return Line(person, found, correct, usual, n)


def give_way() -> None:
    """Let every other process go first, where the system knows how."""
    if hasattr(os, "nice"):
        os.nice(10)


def mean_points(lines: list[Line]) -> tuple[float, float]:
    """Mean accuracy over recordings, per cent: live, offline."""
    counted = [x for x in lines if x.person.in_mean]
    return (
        sum(100 * x.live.correct / x.n for x in counted) / len(counted),
        sum(100 * x.offline / x.n for x in counted) / len(counted),
    )


def as_required(lines: list[Line]) -> bool:
    """Mean over recordings within 3 points; each within 3 points or 2 trials, whichever is more."""
    mean_live, mean_offline = mean_points(lines)
    return abs(mean_live - mean_offline) <= MOST_POINTS and all(x.within for x in lines)


def percent_with_interval(correct: int, n: int) -> str:
    """Per cent correct with its exact 95 % interval.

    >>> percent_with_interval(32, 40)
    '80.0 (64–91)'
    """
    low, high = interval(correct, n)
    return f"{100 * correct / n:.1f} ({100 * low:.0f}–{100 * high:.0f})"
