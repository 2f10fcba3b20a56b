"""The conditions for arming: :mod:`bci.engine.guard`."""

from __future__ import annotations

from dataclasses import dataclass

from bci.engine.guard_doubts import Doubt
from bci.engine.guard_events import Arm, Confirmation, State
from bci.engine.guard_settings import GuardSettings

AHEAD_S = 0.2
"""A wish from further in the future, seconds, is from no clock of ours, and could seem to be later than a stop."""
NOT_YET = {Confirmation.WAITING: "not confirmed yet", Confirmation.MISSING: "NOT CONFIRMED"}


@dataclass(frozen=True, slots=True)
class ArmingConditions:
    """The state of a guard at the moment at which somebody asks to arm.

    Parameters
    ----------
    state : State
    why : str
        Why it is in this state, for a person.
    ended_s : float
        When it became DISARMED or SAFE the last time, seconds of the guard's clock.
    good_s : float
        For how long the signal has been good, seconds.
    neutral : Confirmation
        What became of the last neutral.
    doubts : list of Doubt
        Every doubt of this moment, the oldest first.
    """

    state: State
    why: str
    ended_s: float
    good_s: float
    neutral: Confirmation
    doubts: list[Doubt]

    def refusal(self, now: float, event: Arm, limits: GuardSettings) -> str:
        """Return why a person's request to arm is refused; empty if it is granted.

        Parameters
        ----------
        now : float
            Seconds of the guard's clock.
        event : Arm
        limits : GuardSettings

        Returns
        -------
        str
            One sentence; empty where the wish is granted.
        """
        sent = now if event.sent_s is None else event.sent_s
        if self.state not in (State.DISARMED, State.SAFE):
            return f"not armed: the guard is already in the state {self.state}"
        if not -AHEAD_S <= now - sent <= limits.arm_age_s:
            return f"not armed: the request is {now - sent:.3g} s old; at most {limits.arm_age_s:g} s are allowed. Ask again"
        if sent <= self.ended_s:
            return f"not armed: the request is older than the change to {self.state} ({self.why}). Ask again"
        if self.doubts:
            return f"not armed: {self.doubts[0].why}"
        if self.good_s < limits.settle_s:
            return f"not armed: the signal has been good for {self.good_s:.1f} s; {limits.settle_s:g} s are needed"
        if self.neutral is not Confirmation.CONFIRMED:
            return f"not armed: the actuator's neutral is {NOT_YET[self.neutral]}"
        return ""
