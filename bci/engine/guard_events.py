"""The events that the guard receives, and the actions that it requests: :mod:`bci.engine.guard`."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum

from bci.engine.command import Command
from bci.engine.outcome import Reason


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
    SESSION = "session"
    """The program that watches over the session (``bci run``) is silent, or in doubt itself."""
    RECORDING = "recording"
    """The recording, where it is required, does not go on."""
    CHANNEL = "channel"
    """The connection over which whoever armed could stop is broken."""
    STOP = "stop"
    """A person pressed the emergency stop."""
    MISMATCH = "mismatch"
    """Another engine than the one that was armed for, other classes, or rows that make no sense."""
    DECODER = "decoder"
    ACTUATOR = "actuator"
    HOST = "host"
    PERSON = "person"
    """Disarmed, or never armed."""
    NONE = "none"


class Confirmation(StrEnum):
    """Whether the last neutral was confirmed."""

    CONFIRMED = "confirmed"
    WAITING = "waiting"
    MISSING = "NOT CONFIRMED"
    """It failed, or nobody said what became of it: the actuator may still be moving."""


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """One row of the decisions stream, its times on the clock of who calls :meth:`bci.engine.guard.Guard.step`.

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
        When the engine sent it; NaN where that is not known.
    """

    sequence: int
    decision: int
    confidence: float
    expiry_s: float
    reason: Reason
    heartbeat: bool = False
    sent_s: float = math.nan


@dataclass(frozen=True, slots=True)
class EnginePresence:
    """The engine's stream was found, or is known to be gone.

    Parameters
    ----------
    present : bool
    why : str
    source : str
        Tells this engine from others of its name; another one than at arming is not followed without a person.
    """

    present: bool
    why: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Arm:
    """A person who may do so asks for commands to be let through.

    Parameters
    ----------
    by : str
        Who, for the record.
    sent_s : float, optional
        When it was asked; None: at this very step. What is no time (NaN) is refused.
    """

    by: str = ""
    sent_s: float | None = None


@dataclass(frozen=True, slots=True)
class Disarm:
    """A person asks that no more commands be sent.

    Parameters
    ----------
    why : str
    """

    why: str = ""


@dataclass(frozen=True, slots=True)
class EmergencyStop:
    """Emergency stop, from anybody. It counts from the moment at which it is heard.

    Parameters
    ----------
    why : str
    sent_s : float
        When it was sent, seconds, for the record; NaN where that is not known.
    """

    why: str = ""
    sent_s: float = math.nan


@dataclass(frozen=True, slots=True)
class LastingFault:
    """A fault that does not end by itself.

    Parameters
    ----------
    cause : Cause
    why : str
        For a person.
    """

    cause: Cause
    why: str


@dataclass(frozen=True, slots=True)
class View:
    """The operator's window is alive."""


@dataclass(frozen=True, slots=True)
class Alive:
    """The program that watches over the session is alive.

    Parameters
    ----------
    doubt : str
        What it doubts, for a person; empty for nothing.
    cause : Cause
        Kind of the doubt.
    """

    doubt: str = ""
    cause: Cause = Cause.SESSION


@dataclass(frozen=True, slots=True)
class StopConnection:
    """The connection over which the person who armed could stop is there, or broken.

    A broken connection is a doubt until one is there.

    Parameters
    ----------
    present : bool
    why : str
        For a person.
    """

    present: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """Whether a neutral was carried out.

    Parameters
    ----------
    ok : bool
        The actuator has done it.
    why : str
        Else what went wrong.
    number : int
        Which one, :attr:`Neutral.number`.
    """

    ok: bool
    why: str = ""
    number: int = field(kw_only=True)


Event = DecisionRow | EnginePresence | Arm | Disarm | EmergencyStop | LastingFault | View | Alive | StopConnection | Confirmed


@dataclass(frozen=True, slots=True)
class Neutral:
    """Go to neutral before anything else.

    Parameters
    ----------
    why : str
    number : int
        Counts up; :class:`Confirmed` names it.
    again : bool
        Nothing has happened: it is repeated because it was not confirmed yet, or from time to time while nothing moves.
    """

    why: str
    number: int = field(default=0, compare=False)
    again: bool = False


@dataclass(frozen=True, slots=True)
class SendCommand:
    """Send a command.

    Parameters
    ----------
    command : Command
    row : DecisionRow
        The decision it follows from.
    """

    command: Command
    row: DecisionRow


@dataclass(frozen=True, slots=True)
class StateChange:
    """The state is another, or has another reason; or neutral is confirmed now, or not confirmed any more.

    Parameters
    ----------
    state : State
    cause : Cause
    why : str
        For a person.
    """

    state: State
    cause: Cause
    why: str


@dataclass(frozen=True, slots=True)
class ArmingRefused:
    """A person asked to arm, and that is not possible now.

    Parameters
    ----------
    why : str
        For a person.
    """

    why: str


@dataclass(frozen=True, slots=True)
class Blank:
    """Freeze decoding, or let it go on.

    Parameters
    ----------
    begin : bool
        Whether to freeze it.
    why : str
        For the record.
    """

    begin: bool
    why: str


Action = Neutral | SendCommand | StateChange | ArmingRefused | Blank
