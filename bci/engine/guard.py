"""The guard between decisions and an actuator: a doubt means neutral. Pure: the time is an argument.

The states and what leads from one to the other::

    DISARMED ──a person arms, after 2 s of good signal──▶ ARMED ──first decision──▶ ACTIVE
        ▲                                                   ▲  │                      │
        │ disarm (from anywhere)         0.5 s without doubt│  └───────doubt──────────┤
                                                            │                         ▼
                     SAFE ◀──1 s of doubt; or at once: stop, fault (from anywhere)── HOLD

A doubt is a condition that holds for some time; its beginning is known exactly, however seldom :meth:`Guard.step`
is called. Only a doubt that lasts without a break leads to SAFE: an amplifier whose bursts come 300 ms apart is in doubt
for 50 ms again and again, which may keep the guard in HOLD for long and does not lead to SAFE (docs/explanations/safety.md).

Neutral is asked for until it is confirmed that the actuator has done it (:class:`Confirmed`), and from time to time while
nothing moves. While it is not confirmed nothing can be armed.

The events that it takes and the actions that it asks for are in :mod:`bci.engine.guard_events`, the doubts in
:mod:`bci.engine.guard_doubts`.
"""

from __future__ import annotations

import math

from bci.engine.command import Command
from bci.engine.guard_arming import AHEAD_S, ArmingConditions
from bci.engine.guard_blanking import BLANKING_GRACE_S, BlankingInterval
from bci.engine.guard_commands import DueCommands
from bci.engine.guard_doubts import DOUBTS, WHY, Doubts, Lasting, makes_sense
from bci.engine.guard_events import (
    Action,
    Alive,
    Arm,
    ArmingRefused,
    Blank,
    Cause,
    Confirmation,
    Confirmed,
    DecisionRow,
    Disarm,
    EmergencyStop,
    EnginePresence,
    Event,
    LastingFault,
    Neutral,
    SendCommand,
    State,
    StateChange,
    StopConnection,
    View,
)
from bci.engine.guard_neutral import NeutralRecord
from bci.engine.guard_settings import GuardSettings
from bci.engine.outcome import Reason
from bci.engine.pace import PaceSettings

__all__ = [
    "AHEAD_S",
    "BLANKING_GRACE_S",
    "DOUBTS",
    "WHY",
    "Action",
    "Alive",
    "Arm",
    "ArmingRefused",
    "Blank",
    "Cause",
    "Confirmation",
    "Confirmed",
    "DecisionRow",
    "Disarm",
    "EmergencyStop",
    "EnginePresence",
    "Event",
    "Guard",
    "GuardSettings",
    "LastingFault",
    "Neutral",
    "PaceSettings",
    "SendCommand",
    "State",
    "StateChange",
    "StopConnection",
    "View",
]

BACK_S = 0.05
"""A clock that goes back by more than this, seconds, has been set."""
WORKING = (State.ARMED, State.ACTIVE)


class Guard:
    """The state machine between decisions and one actuator.

    Parameters
    ----------
    commands : tuple of str
        Name of the command for each class; empty for a class that moves nothing. Can be changed by :meth:`assign`.
    settings : GuardSettings
    pace : PaceSettings

    Attributes
    ----------
    state : State
    cause : Cause
        Why it is not working.
    why : str
        The same for a person.
    """

    def __init__(
        self, commands: tuple[str, ...] = (), settings: GuardSettings | None = None, pace: PaceSettings | None = None
    ) -> None:
        self.settings = settings or GuardSettings()
        self.pace = pace or PaceSettings()
        self.state, self.cause, self.why = State.DISARMED, Cause.PERSON, "not armed yet"
        self._commands = DueCommands(commands, self.pace)
        self._blanking = BlankingInterval(self.pace.blanking_s)
        self._doubts = Doubts(self.settings)
        self._lasting = Lasting(self.settings)
        self._neutral = NeutralRecord(self.settings)
        self._actions: list[Action] = []
        self._now = self._ended = -math.inf
        self._source = ""
        self._moving = False

    def assign(self, commands: tuple[str, ...]) -> None:
        """Name the commands, class by class, once they are known.

        Parameters
        ----------
        commands : tuple of str
            Name of the command for each class; empty for a class that moves nothing.
        """
        self._commands.names = commands

    def good_s(self) -> float:
        """For how long the signal has been good at the last step.

        Returns
        -------
        float
            Seconds.
        """
        return self._lasting.good_s(self._now)

    @property
    def neutral(self) -> Confirmation:
        """Whether the last neutral was confirmed."""
        return self._neutral.state

    def step(self, now: float, event: Event | None = None) -> tuple[Action, ...]:
        """Take one step: return what must be done at ``now``, after ``event``.

        Time is judged before the event: an event that waited while nobody called is not taken for fresh.

        Parameters
        ----------
        now : float
            Seconds of a steady clock. One that goes back by more than 50 ms, or is no number, is a fault of the computer.
        event : Event, optional

        Returns
        -------
        tuple of Action
            In the order in which they must be done; :class:`Neutral` comes before all else.
        """
        now = self._steady(now)
        self._pass(now)
        if event is not None:
            self._take(now, event)
            self._pass(now)
        self._drive(now)
        self._repeat(now)
        if not self._actions:
            return ()
        actions, self._actions = self._actions, []
        return tuple(sorted(actions, key=lambda action: not isinstance(action, Neutral)))

    def _steady(self, now: float) -> float:
        """The time to go by: never earlier than before, unless the clock was set, which is a fault."""
        if not math.isfinite(now):
            self._fail(Cause.HOST, f"the clock of this computer says {now}")
            return self._now
        if now < self._now - BACK_S:
            self._fail(Cause.HOST, f"the clock of this computer went back by {self._now - now:.2f} s")
            self._doubts.forget_times(now)
            self._neutral.forget_times(now)
            self._commands.forget_times()
            self._blanking.forget_times(now)
            self._now = self._ended = now
        return max(now, self._now)

    def _take(self, now: float, event: Event) -> None:
        """What one event changes."""
        match event:
            case DecisionRow():
                self._heed(now, event)
            case EnginePresence():
                self._meet(now, event)
            case Arm():
                self._arm(now, event)
            case Disarm():
                self._leave(State.DISARMED, Cause.PERSON, event.why or "disarmed")
            case EmergencyStop():
                self._leave(State.SAFE, Cause.STOP, event.why or "emergency stop")
            case LastingFault():
                self._fail(event.cause, event.why)
            case View():
                self._doubts.view(now)
            case Alive():
                self._doubts.alive(now, event)
            case StopConnection():
                self._doubts.channel(now, event)
            case Confirmed():
                self._confirm(event)

    def _heed(self, now: float, row: DecisionRow) -> None:
        """A row of the engine: at least it lives; a new decision counts until it expires."""
        if not makes_sense(row):
            self._fail(Cause.MISMATCH, f"a row of the decisions stream is not valid: {row}")
            return
        if self._doubts.restarted(now, row):
            self._doubts.restart()
            self._pass(now)  # what the run before said counts no more
        if not self._doubts.hear(now, row):
            return
        if row.heartbeat and row.reason not in DOUBTS:
            self._doubts.compare(row)
            return
        if not row.heartbeat:
            self._doubts.refresh(now, row)
        if row.reason is Reason.DECODER:
            self._fail(Cause.DECODER, WHY[Cause.DECODER])
        if not self._blanking.covers(now, row):
            self._doubts.stand(now, row)

    def _meet(self, now: float, event: EnginePresence) -> None:
        """An engine comes or goes; one that nobody armed for is not followed."""
        self._doubts.engine(now, event)
        if event.present and event.source != self._source and self.state in (*WORKING, State.HOLD):
            armed = self._source or "unnamed"
            why = f"another engine ({event.source or 'unnamed'}) than the one for which somebody armed ({armed})"
            self._fail(Cause.MISMATCH, why)

    def _pass(self, now: float) -> None:
        """What the time since the last step changes."""
        self._now = now
        doubts = self._doubts.at(now)
        too_long = self._lasting(now, doubts)
        if doubts and self.state in WORKING:
            self._leave(State.HOLD, doubts[0].cause, doubts[0].why)
        if too_long and self.state is State.HOLD:
            doubt, seconds = too_long
            self._leave(State.SAFE, doubt.cause, f"{doubt.why}, for {seconds:.2f} s")
        if self.state is State.HOLD and self.good_s() >= self.settings.resume_s and self._neutral.confirmed:
            self._change(State.ARMED, Cause.NONE, "no doubt any more")
        if self._blanking.ended(now):
            self._doubts.forget_decision()
            self._actions.append(Blank(False, "the blanking interval is over"))

    def _arm(self, now: float, event: Arm) -> None:
        """Only out of rest, and only on a signal that has been good for a while."""
        doubts, neutral = self._doubts.at(now), self.neutral
        asked = ArmingConditions(self.state, self.why, self._ended, self.good_s(), neutral, doubts)
        refusal = asked.refusal(now, event, self.settings)
        if refusal:
            self._actions.append(ArmingRefused(refusal))
            return
        self._doubts.forget_decision()
        self._source = self._doubts.source
        self._change(State.ARMED, Cause.NONE, f"armed by {event.by}" if event.by else "armed")

    def _fail(self, cause: Cause, why: str) -> None:
        """A fault: SAFE, unless nothing could move anyway."""
        self._lasting.restart()
        if self.state is not State.DISARMED:
            self._leave(State.SAFE, cause, why)

    def _leave(self, state: State, cause: Cause, why: str) -> None:
        """Go to a state in which nothing moves; the first reason to be SAFE stays."""
        if state is State.SAFE and self.state is State.SAFE and cause is not Cause.STOP:
            return
        if state is not State.HOLD:
            self._ended = self._now
        self._rest(why)
        self._change(state, cause, why)

    def _rest(self, why: str) -> None:
        """Neutral: from here on nothing moves."""
        self._moving = False
        self._commands.rest()
        self._actions.append(self._neutral.begin(self._now, why))

    def _repeat(self, now: float) -> None:
        """While nothing moves: neutral from time to time, and more often while it is not confirmed."""
        if self._moving or not self._neutral.due(now):
            return
        if self._neutral.unanswered:
            self._miss("the actuator has not answered")
        if self._neutral.due(now):
            self._actions.append(self._neutral.again(now))

    def _confirm(self, event: Confirmed) -> None:
        """What became of a neutral; one from before the last command says nothing about now, unless it failed."""
        if not event.ok:
            self._miss(event.why or "the actuator did not carry it out")
        elif not self._moving:
            before = self.neutral
            self._neutral.confirm(event)
            if before is Confirmation.MISSING and self._neutral.confirmed:
                self._change(self.state, self.cause, self.why)

    def _miss(self, why: str) -> None:
        """Neutral is not confirmed: told once, and nothing moves until it is."""
        if self.neutral is not Confirmation.MISSING:
            if self.state in (*WORKING, State.HOLD):
                self._fail(Cause.ACTUATOR, f"neutral is NOT CONFIRMED: {why}")
            self._neutral.miss()
            self._change(self.state, self.cause, self.why)

    def _change(self, state: State, cause: Cause, why: str) -> None:
        self.state, self.cause, self.why = state, cause, why
        self._actions.append(StateChange(state, cause, why))

    def _drive(self, now: float) -> None:
        """Where nothing speaks against it: the command that is due, or neutral where a decision has ended."""
        row = self._doubts.row
        if self.state not in WORKING or row is None or self._blanking.lasts(now) or row.reason in DOUBTS:
            return
        if not self._commands.name(row):
            if self._moving:
                self._rest("the decision has ended")
            return
        if self.state is State.ARMED:
            self._change(State.ACTIVE, Cause.NONE, "first decision")
        command = self._commands.due(now, row)
        if command is not None:
            self._order(now, command, row)

    def _order(self, now: float, command: Command, row: DecisionRow) -> None:
        """Send a command; where it disturbs the signal, a blanking interval begins."""
        self._moving = True
        self._neutral.command()
        self._actions += [SendCommand(command, row), *self._blanking.begin(now, command.name)]
