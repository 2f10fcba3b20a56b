"""Messages of other programs, as values of known shape and size: made by :mod:`gui.messages`, shown by windows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class GuardReport:
    """One line of an actuator host's guard (docs/reference/streams.md).

    Parameters
    ----------
    actuator, state, cause, why, nonce : str
    good_s : float
        NaN if it is missing.
    settle_s, stale_s, latch_s : float
        Settings of the guard; NaN if they are missing.
    neutral : str
        What became of the last neutral: ``"confirmed"``, ``"waiting"``, ``"NOT CONFIRMED"``; empty if it is missing.
    heard : str
        Sender and number of the stop that the host heard last.
    strangers : int
        Messages and rows that were not the session's own.
    ours : bool
        Whether it is signed with the session's key; also where the window has none.
    signed : bool
        Whether it is signed at all.
    at : float
        When it was sent, our LSL clock.
    """

    actuator: str
    state: str
    cause: str = ""
    why: str = ""
    nonce: str = ""
    good_s: float = math.nan
    settle_s: float = math.nan
    stale_s: float = math.nan
    latch_s: float = math.nan
    neutral: str = ""
    heard: str = ""
    strangers: int = 0
    ours: bool = True
    signed: bool = False
    at: float = -math.inf


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that an actuator host refused, and why."""

    why: str
    at: float = -math.inf


@dataclass(frozen=True, slots=True)
class EngineState:
    """One line of the engine's state; NaN or empty for what is missing."""

    phase: str = "none"
    source_id: str = ""
    consumed: float = 0.0
    rate_hz: float = math.nan
    settings: Mapping[str, float] = field(default_factory=dict)
    bad: Mapping[str, str] = field(default_factory=dict)
    at: float = -math.inf


@dataclass(frozen=True, slots=True)
class EngineEvent:
    """One event of the engine.

    Parameters
    ----------
    kind : str
    line : str
        All of it, for people.
    class_, code, text : str
    stamp : float
        Time of a cue, on its sender's clock; NaN if it has none.
    settings : mapping or None
        Decision settings in force from here on.
    bad : mapping or None
        Channels that are not trusted from here on, and why.
    at : float
    """

    kind: str
    line: str
    class_: str = ""
    code: str = ""
    text: str = ""
    stamp: float = math.nan
    settings: Mapping[str, float] | None = None
    bad: Mapping[str, str] | None = None
    at: float = -math.inf


@dataclass(frozen=True, slots=True)
class CommandReport:
    """A report of what was sent to an actuator: ``kind`` is ``"command"`` or ``"neutral"``."""

    kind: str
    name: str = ""
    delay_s: float = math.nan
    ended: float = math.nan
    error: str = ""
    at: float = -math.inf


@dataclass(frozen=True, slots=True)
class PresentationMessage:
    """What a presenter sends to the participant's window."""

    kind: str
    number: int = 0
    code: int = 0
    class_: str = ""
    text: str = ""
    choices: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Question:
    """A question of a calibration to the operator."""

    number: int
    text: str
    choices: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class JudgementReport:
    """The judgement after a block, as far as windows show it: accuracies from 0 to 1.

    Parameters
    ----------
    trials : int
    accuracy, low, high, chance : float
    advice : tuple of str
    points : tuple of (float, float)
        Of the forecast: trials and accuracy.
    forecast : tuple of float
        Low and high end of what the forecast expects; NaN without.
    """

    trials: int
    accuracy: float
    low: float
    high: float
    chance: float
    advice: tuple[str, ...] = ()
    points: tuple[tuple[float, float], ...] = ()
    forecast: tuple[float, float] = (math.nan, math.nan)


@dataclass(frozen=True, slots=True)
class CalibrationProgress:
    """The progress of a calibration (docs/reference/streams.md, ``BCI-Progress``)."""

    id: str = ""
    phase: str = "starting"
    held: bool = False
    virtual: bool = False
    kept: Mapping[str, int] = field(default_factory=dict)
    rejected: int = 0
    block: int = 0
    blocks: int = 0
    done: int = 0
    of: int = 0
    look: int = 0
    cue: str = ""
    line: str = ""
    verdict: str = ""
    said: tuple[str, ...] = ()
    recording: str = ""
    recordings: tuple[str, ...] = ()
    model: str = ""
    report: str = ""
    question: Question | None = None
    judgement: JudgementReport | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
