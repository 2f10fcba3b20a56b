"""The interval after a command in which decoding is frozen: :mod:`bci.engine.guard`."""

from __future__ import annotations

import math

from bci.engine.guard_events import Blank, DecisionRow
from bci.engine.outcome import Reason

BLANKING_GRACE_S = 0.5
"""The engine hears of the end of a blanking interval at most this much later, in seconds."""


class BlankingInterval:
    """Knows when the signal is disturbed by what the actuator does, so that no decision counts.

    Parameters
    ----------
    length_s : float
        Length of the interval after each command, seconds; 0 for none.
    """

    def __init__(self, length_s: float) -> None:
        self._length_s = length_s
        self._until = -math.inf
        self._open = False

    def begin(self, now: float, command: str) -> list[Blank]:
        """Begin an interval because a command goes out.

        Parameters
        ----------
        now : float
            Seconds of the guard's clock.
        command : str
            Name of the command, for the record.

        Returns
        -------
        list of Blank
            The request to freeze decoding; empty where there are no blanking intervals.
        """
        if self._length_s <= 0:
            return []
        self._until, self._open = now + self._length_s, True
        return [Blank(True, f"{command} disturbs the signal for {self._length_s:g} s")]

    def lasts(self, now: float) -> bool:
        """Whether the interval still lasts.

        Parameters
        ----------
        now : float
            Seconds of the guard's clock.

        Returns
        -------
        bool
        """
        return now < self._until

    def covers(self, now: float, row: DecisionRow) -> bool:
        """Whether a row says nothing because of an interval; the engine's answer to its end may take a moment longer.

        Parameters
        ----------
        now : float
            Seconds of the guard's clock.
        row : DecisionRow

        Returns
        -------
        bool
        """
        return now < self._until or (row.reason is Reason.FROZEN and now < self._until + BLANKING_GRACE_S)

    def ended(self, now: float) -> bool:
        """Whether an interval has ended since the last call; told once.

        Parameters
        ----------
        now : float
            Seconds of the guard's clock.

        Returns
        -------
        bool
        """
        ended = self._open and now >= self._until
        if ended:
            self._open = False
        return ended

    def forget_times(self, now: float) -> None:
        """Take note that the clock was set: the interval ends at once.

        Parameters
        ----------
        now : float
            What the clock shows now, seconds.
        """
        self._until = min(self._until, now)
