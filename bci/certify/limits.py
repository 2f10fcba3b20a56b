"""The limits that a chain must keep to pass, and the check of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace

import numpy as np

from bci.certify.loopback import Loopback
from bci.certify.stages import Measured, spread
from bci.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Limits:
    """Largest values with which a chain passes.

    The reference machine of ``docs/results/performance.md`` has a p50 of 1 ms and a p99 of 1.5 to 2.5 ms. The defaults leave room
    for a slower computer, and stand for what can be felt or trusted: a p99 of a quarter of the usual 40 ms between decisions, and
    never older than the guard's limit of 250 ms.

    Parameters
    ----------
    p50_ms, p99_ms, max_ms : float
        Of the whole way, from a sample's stamp to the decision at a receiver.
    jitter_ms : float
        p99 of how far decisions come from the moment that the hop calls for.
    lost_percent : float
        Samples lost on the way to the engine.
    undecoded_percent : float
        Windows that were not decoded.
    late_percent : float
        Decisions too old to steer, or skipped because they would have been.
    missing : float
        Rows that were sent and never came to the receiver.
    loopback_p99_ms : float
        From a command to what it did, where that is measured.
    loopback_missed : float
        Commands of which nothing was seen.
    """

    p50_ms: float = 3.0
    p99_ms: float = 10.0
    max_ms: float = 250.0
    jitter_ms: float = 10.0
    lost_percent: float = 1.0
    undecoded_percent: float = 5.0
    late_percent: float = 0.1
    missing: float = 0.0
    loopback_p99_ms: float = 100.0
    loopback_missed: float = 0.0


@dataclass(frozen=True, slots=True)
class LimitCheck:
    """One limit, and what was found."""

    name: str
    value: float
    limit: float

    @property
    def passed(self) -> bool:
        """Whether the limit is kept; NaN does not keep it."""
        return self.value <= self.limit


def limits_from(given: Sequence[str]) -> Limits:
    """Limits from ``KEY=NUMBER`` words.

    Parameters
    ----------
    given : sequence of str
        Fields of :class:`Limits` with their numbers; what is not named keeps its default.

    Raises
    ------
    ConfigError
        With one line per word that is wrong.
    """
    known = [f.name for f in fields(Limits)]
    changed: dict[str, float] = {}
    problems = []
    for word in given:
        key, _, text = word.partition("=")
        try:
            changed[key.strip()] = float(text)
        except ValueError:
            problems.append(f"--limit {word}: write it as KEY=NUMBER, for instance p99_ms=5")
            continue
        if key.strip() not in known or not math.isfinite(changed[key.strip()]) or changed[key.strip()] < 0:
            problems.append(f"--limit {word}: must be a number from 0 for one of {', '.join(known)}")
    if problems:
        raise ConfigError(problems)
    return replace(Limits(), **changed)


def judge(m: Measured, limits: Limits, loop: Loopback | None = None) -> tuple[LimitCheck, ...]:
    """Compare everything that has a limit with it.

    Parameters
    ----------
    m : Measured
        Of the whole run.
    limits : Limits
    loop : Loopback, optional
        Round trips through an actuator, where there was a loop.
    """
    values = {**_values(m), **(_loop_values(loop) if loop is not None else {})}
    allowed = asdict(limits)
    return tuple(LimitCheck(name, value, allowed[name]) for name, value in values.items())


def _values(m: Measured) -> Mapping[str, float]:
    whole = spread(m.delays["whole"])
    share = 100.0 / max(1, m.windows)
    return {
        "p50_ms": whole.p50,
        "p99_ms": whole.p99,
        "max_ms": whole.max,
        "jitter_ms": jitter_ms(m),
        "lost_percent": 100.0 * m.lost_samples / max(1, m.samples + m.lost_samples),
        "undecoded_percent": share * sum(m.undecoded.values()),
        "late_percent": share * m.late,
        "missing": float(m.missing),
    }


def jitter_ms(m: Measured) -> float:
    """p99 of how far intervals between decisions are from the hop, milliseconds; NaN where there is none.

    Parameters
    ----------
    m : Measured
        Of the whole run.
    """
    return 1e3 * float(np.percentile(np.abs(m.intervals - m.hop_s), 99)) if len(m.intervals) else math.nan


def _loop_values(loop: Loopback) -> Mapping[str, float]:
    p99 = spread(loop.delays).p99 if len(loop.delays) else math.nan
    return {"loopback_p99_ms": p99, "loopback_missed": float(loop.missed)}
