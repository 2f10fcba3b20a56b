"""Limits of the guard: :mod:`bci.engine.guard`."""

from __future__ import annotations

from dataclasses import dataclass

from bci.engine.numbers import is_number, shown
from bci.errors import ConfigError

LONGEST_S = 60


@dataclass(frozen=True, slots=True)
class GuardSettings:
    """Limits, seconds.

    Parameters
    ----------
    silence_s : float
        Longest time without a row of the engine; 10 ms below what is promised, for the host to act.
    stale_s : float
        Longest time without a new decision (or a decision for nothing), from when it was sent; the engine's own
        expiry may be shorter.
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
    arm_age_s : float
        Longest time that a person's wish to arm may have been on its way.
    session_s : float
        Longest silence of whoever watches over the session; 0 where nobody does.
    neutral_every_s : float
        Neutral is repeated this often while nothing moves.
    neutral_retry_s : float
        It is asked for again after so long where it has not been confirmed.
    """

    silence_s: float = 0.24
    stale_s: float = 0.25
    latch_s: float = 1.0
    refill_s: float = 5.0
    resume_s: float = 0.5
    settle_s: float = 2.0
    view_s: float = 0.0
    arm_age_s: float = 2.0
    session_s: float = 0.0
    neutral_every_s: float = 1.0
    neutral_retry_s: float = 0.2

    def __post_init__(self) -> None:
        problems = []
        for name in self.__slots__:
            value = getattr(self, name)
            optional = name in ("view_s", "session_s")
            if not is_number(value) or not 0 <= value <= LONGEST_S or not (value or optional):
                allowed = "0 (not required) or a number of seconds" if optional else "a number of seconds above 0"
                problems.append(f"guard.{name} = {shown(value)}: must be {allowed}, at most {LONGEST_S}")
        if problems:
            raise ConfigError(problems)
