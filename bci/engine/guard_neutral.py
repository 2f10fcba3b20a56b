"""Whether neutral was confirmed, and when it must be requested again: :mod:`bci.engine.guard`."""

from __future__ import annotations

import math

from bci.engine.guard_events import Confirmation, Confirmed, Neutral
from bci.engine.guard_settings import GuardSettings

TRIES = 2
"""After so many requests without an answer neutral counts as not confirmed; one answer may still be unread."""


class NeutralRecord:
    """Numbers every neutral, and knows whether the actuator has done the last one.

    Parameters
    ----------
    settings : GuardSettings

    Attributes
    ----------
    state : Confirmation
        What became of the last one.
    """

    def __init__(self, settings: GuardSettings) -> None:
        self.state = Confirmation.WAITING
        self._settings = settings
        self._asked = -math.inf
        self._number, self._tries = 0, 0
        self._first = 1  # number of the first one since the last command
        self._why = "not armed yet"

    @property
    def confirmed(self) -> bool:
        """Whether the actuator is known to be at neutral."""
        return self.state is Confirmation.CONFIRMED

    @property
    def unanswered(self) -> bool:
        """Whether the last one was asked for often enough to say that nobody confirms it."""
        return not self.confirmed and self._tries >= TRIES

    def begin(self, now: float, why: str) -> Neutral:
        """Ask for neutral because something has happened.

        Parameters
        ----------
        now : float
            Seconds of the guard's clock.
        why : str
            What has happened, for a person.

        Returns
        -------
        Neutral
        """
        self._why, self._tries = why, 0
        if self.confirmed:
            self.state = Confirmation.WAITING
        return self._ask(now, again=False)

    def again(self, now: float) -> Neutral:
        """Ask for neutral once more.

        Parameters
        ----------
        now : float
            Seconds of the guard's clock.

        Returns
        -------
        Neutral
        """
        if self.confirmed and self._tries:  # the last repetition has not been answered
            self.state = Confirmation.WAITING
        return self._ask(now, again=self._number > 0)

    def due(self, now: float) -> bool:
        """Whether it is time to ask once more.

        Parameters
        ----------
        now : float
            Seconds of the guard's clock.

        Returns
        -------
        bool
        """
        s = self._settings
        return now - self._asked >= (s.neutral_every_s if self.confirmed else s.neutral_retry_s)

    def command(self) -> None:
        """Take note that a command goes out: what was confirmed before it does not show what comes after it."""
        self._first = self._number + 1

    def confirm(self, event: Confirmed) -> None:
        """Take note that the actuator has done one neutral; one from before the last command does not count.

        Parameters
        ----------
        event : Confirmed
        """
        if self._first <= event.number <= self._number:
            self.state, self._tries = Confirmation.CONFIRMED, 0

    def miss(self) -> None:
        """Take note that neutral failed, or that nobody reports what became of it."""
        self.state = Confirmation.MISSING

    def forget_times(self, now: float) -> None:
        """Take note that the clock was set.

        Parameters
        ----------
        now : float
            What the clock shows now, seconds.
        """
        self._asked = now

    def _ask(self, now: float, again: bool) -> Neutral:
        self._number += 1
        self._tries += 1
        self._asked = now
        return Neutral(self._why, self._number, again)
