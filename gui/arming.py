"""Arming from a window: a stop is sent first, on the way of an emergency stop; the host is armed once it has received it."""

from __future__ import annotations

from collections.abc import Mapping

from bci.actuation.arming import AT_REST, PATIENCE_S, PROOF_TEST
from gui.control import ControlOutlet
from gui.message_values import GuardReport

CONFIRMED = "confirmed"


class Arming:
    """Makes one attempt at a time, and never waits: :meth:`tick` takes the reports of the guards.

    Parameters
    ----------
    control : ControlOutlet

    Attributes
    ----------
    line : str
        State of the attempt, for people; empty if there is none.
    """

    def __init__(self, control: ControlOutlet) -> None:
        self._control = control
        self._token = self._actuator = self._before = self._stop = ""
        self._since_s: float | None = None
        self.line = ""

    @property
    def pending(self) -> bool:
        """Whether an attempt is running."""
        return self._since_s is not None

    def begin(self, token: str, report: GuardReport, now: float) -> None:
        """Test the stop channel of one host, then arm it.

        Parameters
        ----------
        token : str
            The session's.
        report : GuardReport
            The host's newest.
        now : float
            Our LSL clock.
        """
        self._token, self._actuator, self._before, self._since_s = token, report.actuator, report.heard, now
        self.line = "Testing the stop channel …"
        self._stop = self._control.say("stop_now", why=PROOF_TEST, proof_test=True)

    def tick(self, guard: Mapping[str, GuardReport], now: float) -> None:
        """Check whether the stop was received; arm, wait or give up.

        Parameters
        ----------
        guard : mapping of str to GuardReport
            Newest report of each host.
        now : float
        """
        if self._since_s is None:
            return
        report = guard.get(self._actuator)
        new = report is not None and report.heard != self._before and report.at >= self._since_s
        proven = new and report is not None and self._stop in ("", report.heard)
        if report is not None and proven and report.state in AT_REST and report.neutral == CONFIRMED:
            self._control.arm(self._token, report.nonce, self._actuator)
            self._end("")
        elif new and not proven:
            self._end("Not armed: somebody stopped while the stop channel was tested.")
        elif now - self._since_s > PATIENCE_S:
            found = "neutral was not confirmed after the stop" if proven else f"nobody received the stop within {PATIENCE_S:g} s"
            self._end(f"Not armed: {found}. The emergency stop of this window may not work. Use a switch at the device.")

    def give_up(self) -> None:
        """Give up the attempt, because somebody stopped or disarmed."""
        if self.pending:
            self._end("Not armed: it was stopped meanwhile.")

    def _end(self, line: str) -> None:
        self._since_s, self.line, self._token = None, line, ""
