"""Between decisions and whatever moves: doubt means neutral. Pure: the time is an argument.

The states and what leads from one to the other::

    DISARMED ──a person arms, after 2 s of good signal──▶ ARMED ──first decision──▶ ACTIVE
        ▲                                                   ▲  │                      │
        │ disarm (from anywhere)         0.5 s without doubt│  └───────doubt──────────┤
                                                            │                         ▼
                     SAFE ◀──1 s of doubt; or at once: stop, fault (from anywhere)── HOLD

A doubt is a condition that holds for some time; its beginning is known exactly, however seldom :meth:`Guard.step`
is called. What latches is doubt that lasts: a board whose bursts come 300 ms apart is in doubt for 50 ms again and
again, which may hold it for long and does not latch it (docs/safety.md).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from bci.engine.command import Command
from bci.engine.outcome import Reason
from bci.engine.pace import Pace, PaceSettings
from bci.errors import ConfigError


class State(StrEnum):
    """What the guard lets through: commands in ACTIVE (and the first one in ARMED), else nothing."""

    DISARMED = "disarmed"
    ARMED = "armed"
    ACTIVE = "active"
    HOLD = "hold"
    SAFE = "safe"


class Cause(StrEnum):
    """Why a command is not let through."""

    ENGINE = "engine"
    """The engine's stream is silent or gone."""
    STALE = "stale"
    """The newest decision has expired, or came from data that are too old."""
    LOST = "lost"
    """The engine has no data."""
    REFILL = "refill"
    """Windows are being filled again after a gap, or hold too many bridged samples."""
    QUALITY = "quality"
    LATE = "late"
    FROZEN = "frozen"
    VIEW = "view"
    """The operator's window, where it is required, does not answer."""
    STOP = "stop"
    """A person pressed the emergency stop."""
    MISMATCH = "mismatch"
    DECODER = "decoder"
    ACTUATOR = "actuator"
    HOST = "host"
    PERSON = "person"
    """Disarmed, or never armed."""
    NONE = "none"


DOUBTS = {
    Reason.REFILL: Cause.REFILL,
    Reason.BRIDGED: Cause.REFILL,
    Reason.NONFINITE: Cause.QUALITY,
    Reason.QUALITY: Cause.QUALITY,
    Reason.SKIPPED: Cause.LATE,
    Reason.FROZEN: Cause.FROZEN,
    Reason.STALE: Cause.STALE,
    Reason.LOST: Cause.LOST,
}
WHY = {
    Cause.ENGINE: "no word from the engine",
    Cause.STALE: "the newest decision is too old",
    Cause.LOST: "no data from the amplifier",
    Cause.REFILL: "a gap in the data; windows fill again",
    Cause.QUALITY: "the signal is bad",
    Cause.LATE: "decoding is late",
    Cause.FROZEN: "decoding is frozen",
    Cause.VIEW: "the operator's window does not answer",
}
BLANKING_GRACE_S = 0.5  # the engine hears of the end of a blanking interval this much later at most
WORKING = (State.ARMED, State.ACTIVE)


@dataclass(frozen=True, slots=True)
class GuardSettings:
    """Limits, seconds.

    Parameters
    ----------
    silence_s : float
        Longest time without a row of the engine; 10 ms below what is promised, for the host to act.
    stale_s : float
        Longest time without a new decision (or a decision for nothing); the engine's own expiry may be shorter.
    latch_s : float
        Doubt that lasts so long without a break makes it SAFE.
    refill_s : float
        The same for windows that fill again after a gap, which takes their length however short the gap was.
    resume_s : float
        Time without doubt after which a HOLD ends.
    settle_s : float
        Good signal needed before arming.
    view_s : float
        Longest silence of the operator's window; 0 where none is required.
    """

    silence_s: float = 0.24
    stale_s: float = 0.25
    latch_s: float = 1.0
    refill_s: float = 5.0
    resume_s: float = 0.5
    settle_s: float = 2.0
    view_s: float = 0.0

    def __post_init__(self) -> None:
        names = ("silence_s", "stale_s", "latch_s", "refill_s", "resume_s", "settle_s")
        problems = [
            f"guard.{n} = {getattr(self, n)}: must be above 0 and at most 60" for n in names if not 0 < getattr(self, n) <= 60
        ]
        if not 0 <= self.view_s <= 60:
            problems.append(f"guard.view_s = {self.view_s}: must be 0 (not required) or at most 60")
        if problems:
            raise ConfigError(problems)


MOVING = GuardSettings(silence_s=0.095, stale_s=0.1, latch_s=0.25)
"""For a rig that moves something which can hurt or break."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the decisions stream, its times on the clock of who calls :meth:`Guard.step`.

    Parameters
    ----------
    sequence : int
    decision : int
        Class index, or −1.
    confidence : float
    expiry_s : float
        From here on it must not move anything.
    reason : Reason
    heartbeat : bool
        It repeats the row before.
    sent_s : float
        When the engine sent it.
    """

    sequence: int
    decision: int
    confidence: float
    expiry_s: float
    reason: Reason
    heartbeat: bool = False
    sent_s: float = math.nan


@dataclass(frozen=True, slots=True)
class Engine:
    """The engine's stream was found, or is known to be gone."""

    present: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class Arm:
    """A person who may do so asks for commands to be let through."""

    by: str = ""


@dataclass(frozen=True, slots=True)
class Disarm:
    """A person asks for no more commands."""

    why: str = ""


@dataclass(frozen=True, slots=True)
class Stop:
    """Emergency stop; from anybody."""

    why: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something is wrong that does not pass by itself."""

    cause: Cause
    why: str


@dataclass(frozen=True, slots=True)
class View:
    """The operator's window is alive."""


Event = Row | Engine | Arm | Disarm | Stop | Fault | View


@dataclass(frozen=True, slots=True)
class Neutral:
    """Go to neutral, before anything else."""

    why: str


@dataclass(frozen=True, slots=True)
class Order:
    """Send a command.

    Parameters
    ----------
    command : Command
    row : Row
        The decision it follows from.
    """

    command: Command
    row: Row


@dataclass(frozen=True, slots=True)
class Changed:
    """The state is another, or the same for another reason."""

    state: State
    cause: Cause
    why: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A person asked for what cannot be."""

    why: str


@dataclass(frozen=True, slots=True)
class Blank:
    """Freeze decoding (``begin``), or let it go on."""

    begin: bool
    why: str


Action = Neutral | Order | Changed | Refused | Blank


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
        self._commands = commands
        self._pace = Pace(self.pace)
        self._actions: list[Action] = []
        self._now = -math.inf
        self._engine_why, self._engine_gone = WHY[Cause.ENGINE], -math.inf
        self._heard = self._fresh = self._viewed = -math.inf
        self._row: Row | None = None
        self._row_since = -math.inf
        self._sequence = -1
        self._good_since = math.inf
        self._doubt_since = self._refilling_since = math.inf
        self._orders = 0
        self._moving = False
        self._blank_until = -math.inf
        self._blanked = False

    def assign(self, commands: tuple[str, ...]) -> None:
        """Names of the commands, class by class, once they are known."""
        self._commands = commands

    def good_s(self) -> float:
        """How long the signal has been good at the last step."""
        return max(0.0, self._now - self._good_since)

    def step(self, now: float, event: Event | None = None) -> tuple[Action, ...]:
        """What is to be done at ``now``, after ``event``.

        Time is judged first: what waited while nobody called is not taken for fresh.

        Parameters
        ----------
        now : float
            Seconds of a steady clock; an earlier time than before counts as the same.
        event : Event, optional

        Returns
        -------
        tuple of Action
            In the order in which they must be done; :class:`Neutral` comes before all else.
        """
        now = max(now, self._now)
        self._pass(now)
        if event is not None:
            self._take(now, event)
            self._pass(now)
        self._drive(now)
        actions, self._actions = tuple(self._actions), []
        return actions

    def _take(self, now: float, event: Event) -> None:
        """What one event changes."""
        match event:
            case Row():
                self._heed(now, event)
            case Engine():
                self._sequence, self._row = -1, None  # what another run of it said counts no more
                self._engine_gone = math.inf if event.present else min(now, self._engine_gone)
                self._engine_why = event.why or WHY[Cause.ENGINE]
            case Arm():
                self._arm(now, event)
            case Disarm():
                self._leave(State.DISARMED, Cause.PERSON, event.why or "disarmed")
            case Stop():
                self._leave(State.SAFE, Cause.STOP, event.why or "emergency stop")
            case Fault():
                self._fail(event.cause, event.why)
            case View():
                self._viewed = now

    def _heed(self, now: float, row: Row) -> None:
        """A row of the engine: at least it lives; a new decision counts until it expires."""
        if row.sequence <= self._sequence:
            return
        self._sequence, self._heard = row.sequence, now
        if row.heartbeat:
            return
        self._fresh = min(row.expiry_s, now + self.settings.stale_s)
        if row.reason is Reason.DECODER:
            self._fail(Cause.DECODER, "the decoder failed")
        if self._frozen_by_us(now, row):
            return
        before = self._row
        self._row = row
        if before is None or DOUBTS.get(before.reason) is not DOUBTS.get(row.reason):
            self._row_since = now

    def _frozen_by_us(self, now: float, row: Row) -> bool:
        """Inside a blanking interval no decision counts; the engine's answer to it may take a moment longer."""
        return now < self._blank_until or (row.reason is Reason.FROZEN and now < self._blank_until + BLANKING_GRACE_S)

    def _doubts(self, now: float) -> list[tuple[float, Cause]]:
        """Every doubt at ``now``, with its beginning."""
        s = self.settings
        row = self._row
        found = [(min(self._heard + s.silence_s, self._engine_gone), Cause.ENGINE), (self._fresh, Cause.STALE)]
        if row is None:
            found.append((-math.inf, Cause.ENGINE))
        elif row.reason in DOUBTS:
            found.append((self._row_since, DOUBTS[row.reason]))
        if s.view_s:
            found.append((self._viewed + s.view_s, Cause.VIEW))
        return [doubt for doubt in found if doubt[0] <= now]

    def _pass(self, now: float) -> None:
        """What the time since the last step changes."""
        before, self._now = self._now, now
        doubts = self._doubts(now)
        if doubts:
            self._good_since = math.inf
            self._hold(now, before, doubts)
        else:
            self._good_since = min(self._good_since, now)
            self._doubt_since = self._refilling_since = math.inf
            if self.state is State.HOLD and now - self._good_since >= self.settings.resume_s:
                self._change(State.ARMED, Cause.NONE, "no doubt any more")
        if self._blanked and now >= self._blank_until:
            self._blanked = False
            self._row = self._row and _nothing(self._row)
            self._actions.append(Blank(False, "the blanking interval is over"))

    def _hold(self, now: float, before: float, doubts: list[tuple[float, Cause]]) -> None:
        """Doubt: neutral at once; for good after too much of it."""
        if self.state not in (*WORKING, State.HOLD):
            return
        first, cause = min(doubts)
        if self.state is not State.HOLD:
            self._leave(State.HOLD, cause, self._engine_why if cause is Cause.ENGINE else WHY[cause])
        # What ended by itself between two steps was seen by the row that ended it: a doubt that is here began at ``first``.
        self._refilling_since = min(self._refilling_since, max(before, first))
        others = [doubt for doubt in doubts if doubt[1] is not Cause.REFILL]
        self._doubt_since = min(self._doubt_since, max(before, min(others)[0])) if others else math.inf
        if now - self._doubt_since >= self.settings.latch_s:
            self._latch(min(others)[1], now - self._doubt_since)
        elif now - self._refilling_since >= self.settings.refill_s:
            self._latch(cause, now - self._refilling_since)

    def _latch(self, cause: Cause, seconds: float) -> None:
        why = self._engine_why if cause is Cause.ENGINE else WHY[cause]
        self._leave(State.SAFE, cause, f"{why}, for {seconds:.2f} s")

    def _arm(self, now: float, event: Arm) -> None:
        """Only out of rest, and only on a signal that has been good for a while."""
        if self.state not in (State.DISARMED, State.SAFE):
            self._actions.append(Refused(f"is {self.state} already"))
            return
        doubts = self._doubts(now)
        if doubts:
            cause = min(doubts)[1]
            self._actions.append(Refused(f"not armed: {self._engine_why if cause is Cause.ENGINE else WHY[cause]}"))
        elif self.good_s() < self.settings.settle_s:
            text = f"not armed: the signal has been good for {self.good_s():.1f} s; {self.settings.settle_s:g} s are needed"
            self._actions.append(Refused(text))
        else:
            self._row = self._row and _nothing(self._row)
            self._change(State.ARMED, Cause.NONE, f"armed by {event.by}" if event.by else "armed")

    def _fail(self, cause: Cause, why: str) -> None:
        """A fault: SAFE, unless nothing could move anyway."""
        self._good_since = math.inf
        if self.state is not State.DISARMED:
            self._leave(State.SAFE, cause, why)

    def _leave(self, state: State, cause: Cause, why: str) -> None:
        """Go to a state in which nothing moves; the first reason to be SAFE stays."""
        if state is State.SAFE and self.state is State.SAFE and cause is not Cause.STOP:
            return
        self._actions.append(Neutral(why))
        self._moving = False
        self._pace.rest()
        self._change(state, cause, why)

    def _change(self, state: State, cause: Cause, why: str) -> None:
        self.state, self.cause, self.why = state, cause, why
        self._actions.append(Changed(state, cause, why))

    def _drive(self, now: float) -> None:
        """Where nothing speaks against it: the command that is due, or neutral where a decision has ended."""
        row = self._row
        if self.state not in WORKING or row is None or now < self._blank_until or row.reason in DOUBTS:
            return
        name = self._commands[row.decision] if 0 <= row.decision < len(self._commands) else ""
        if not name:
            if self._moving:
                self._moving = False
                self._pace.rest()
                self._actions.append(Neutral("the decision has ended"))
            return
        if self.state is State.ARMED:
            self._change(State.ACTIVE, Cause.NONE, "first decision")
        value = self._pace(now, row.decision, row.confidence)
        if value is not None:
            self._order(now, Command(name, value, self._orders), row)

    def _order(self, now: float, command: Command, row: Row) -> None:
        self._orders += 1
        self._moving = True
        self._actions.append(Order(command, row))
        if self.pace.blanking_s > 0:
            self._blank_until, self._blanked = now + self.pace.blanking_s, True
            self._actions.append(Blank(True, f"{command.name} disturbs the signal for {self.pace.blanking_s:g} s"))


def _nothing(row: Row) -> Row:
    """The same row with no decision: what was decided before arming, or before a blanking interval, moves nothing after it."""
    return Row(row.sequence, -1, 0.0, row.expiry_s, Reason.IDLE, row.heartbeat, row.sent_s)
