"""The guard's state, told to everybody who listens and to the person at this process."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from bci.engine import guard as g
from bci.stream.bus import Clock
from bci.stream.outlets import TextOutlet
from bci.stream.signing import Signer

TELL_S = 1.0
"""The state is told at least this often, seconds, for whoever comes late."""
SAME_S = 0.1
"""The same state is told again at most this often, seconds, however often it is entered."""


class GuardReports:
    """Decides when the guard's state is told, and tells it.

    Parameters
    ----------
    guard : Guard
    outlet : TextOutlet
        The stream ``NAME-guard``.
    signer : Signer
    clock : Clock
    tell : callable
        Given a sentence for the person at this process. Must not block.
    fields : callable
        Returns the fields of a report, with the last error of the actuator as ``error``.

    Attributes
    ----------
    changed : bool
        Whether something has changed since the last report that may change many times a second.
    """

    def __init__(
        self,
        guard: g.Guard,
        outlet: TextOutlet,
        signer: Signer,
        clock: Clock,
        tell: Callable[[str], None],
        fields: Callable[[], Mapping[str, Any]],
    ) -> None:
        self._guard, self._outlet, self._signer, self._clock = guard, outlet, signer, clock
        self._tell, self._fields = tell, fields
        self._sent_s, self._sent_state, self._sent_neutral, self.changed = -math.inf, self._state, guard.neutral, False

    @property
    def _state(self) -> tuple[str, str, str, bool]:
        """What is told as soon as it changes."""
        guard = self._guard
        return guard.state, guard.cause, guard.why, guard.neutral is g.Confirmation.MISSING

    @property
    def due(self) -> bool:
        """Whether the state is to be told: at once where it changed; soon what may change many times a second."""
        waited_s = self._clock.now() - self._sent_s
        at_rest = self._guard.state not in (g.State.ARMED, g.State.ACTIVE)
        changed = self.changed or (at_rest and self._guard.neutral != self._sent_neutral)
        return self._state != self._sent_state or waited_s >= TELL_S or (changed and waited_s >= SAME_S)

    def send_due(self) -> None:
        """Tell the state if it is due."""
        if self.due:
            self.send()

    def send(self) -> None:
        """Tell the state now."""
        guard, fields = self._guard, self._fields()
        if self._state != self._sent_state:
            missing = guard.neutral is g.Confirmation.MISSING
            self._tell(f"{guard.state}: {guard.why}{'; neutral NOT CONFIRMED: ' + fields['error'] if missing else ''}")
        self._sent_s, self._sent_state, self._sent_neutral, self.changed = self._clock.now(), self._state, guard.neutral, False
        self._outlet.push(self._signer.line("guard", **fields))

    def refuse(self, why: str) -> None:
        """Tell that something which was asked for is not done.

        Parameters
        ----------
        why : str
            A sentence.
        """
        self._outlet.push(self._signer.line("refused", why=why))
        self._tell(why)
