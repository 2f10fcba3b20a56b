"""Which command a decision calls for, and whether it is due: :mod:`bci.engine.guard`."""

from __future__ import annotations

from bci.engine.command import Command
from bci.engine.guard_events import DecisionRow
from bci.engine.outcome import Reason
from bci.engine.pace import CommandPace, PaceSettings


class DueCommands:
    """Turns the decision that stands into numbered commands, no more often than the actuator allows.

    Parameters
    ----------
    names : tuple of str
        Name of the command for each class; empty for a class that moves nothing. May be set anew at any time.
    settings : PaceSettings

    Attributes
    ----------
    names : tuple of str
    """

    def __init__(self, names: tuple[str, ...], settings: PaceSettings) -> None:
        self.names = names
        self._settings = settings
        self._pace = CommandPace(settings)
        self._sent = 0

    def name(self, row: DecisionRow) -> str:
        """Name of the command that a row decides for; empty where it decides for none.

        Parameters
        ----------
        row : DecisionRow

        Returns
        -------
        str
        """
        decided = row.reason is Reason.DECIDED and 0 <= row.decision < len(self.names)
        return self.names[row.decision] if decided else ""

    def due(self, now: float, row: DecisionRow) -> Command | None:
        """The command that is due at ``now``, or None where none is. A command that is returned counts as sent.

        Parameters
        ----------
        now : float
            Seconds of the guard's clock.
        row : DecisionRow
            A decision for which there is a command.

        Returns
        -------
        Command or None
        """
        value = self._pace(now, row.decision, row.confidence)
        if value is None:
            return None
        self._sent += 1
        return Command(self.name(row), value, self._sent - 1)

    def rest(self) -> None:
        """Take note that the actuator is at neutral: the next decision begins from 0."""
        self._pace.rest()

    def forget_times(self) -> None:
        """Take note that the clock was set: nothing is known of when the last command was sent."""
        self._pace = CommandPace(self._settings)
