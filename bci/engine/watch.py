"""Our own timers, pure: is the stream still there, and does it run at the rate it declares?"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bci.engine.chunk import Chunk, FloatArray
from bci.engine.continuity import Continuity
from bci.engine.stream_info import StreamInfo

LOOKS_HZ = 20.0
"""How often the samples of a recording are counted."""


class Staleness:
    """How old the newest data are. LSL reports neither a killed nor a hung sender by itself.

    Parameters
    ----------
    now : float
        Seconds of any steady clock; so are all times below.
    stale_s : float
        Without data for longer than this, nothing may be decided.
    lost_s : float
        Without data for longer than this, the stream counts as lost.
    """

    def __init__(self, now: float, stale_s: float = 0.25, lost_s: float = 1.0) -> None:
        self.stale_s, self.lost_s = stale_s, lost_s
        self._arrival = now

    def arrived(self, now: float) -> None:
        """At least one sample came."""
        self._arrival = now

    def age_s(self, now: float) -> float:
        """Seconds since data came."""
        return now - self._arrival

    def state(self, now: float) -> Literal["fresh", "stale", "lost"]:
        """``"stale"`` beyond ``stale_s``, ``"lost"`` beyond ``lost_s``."""
        age = self.age_s(now)
        return "lost" if age > self.lost_s else "stale" if age > self.stale_s else "fresh"


@dataclass(frozen=True, slots=True)
class RateVerdict:
    """Declared and effective rate.

    Parameters
    ----------
    declared_hz, effective_hz : float
    level : str
        ``"ok"``, ``"warning"`` or ``"mismatch"``.
    message : str
        Empty where it is ok.
    """

    declared_hz: float
    effective_hz: float
    level: Literal["ok", "warning", "mismatch"]
    message: str = ""


class RateWatch:
    """Effective rate by arrival, over a sliding stretch, beside the declared one.

    Arrival and not stamps, because a sender may compute its stamps from the declared rate. The rate is the
    slope of a straight line through the running count over time; its standard error, from the scatter of the
    arrivals, keeps bursty boards from raising a false alarm.

    Parameters
    ----------
    info : StreamInfo
    over_s : float
        Stretch over which the rate is measured, seconds.
    warn, mismatch : float
        Relative deviations.
    """

    EVERY_S = 1.0
    PAUSE_S = 1.0  # nothing for so long is silence, and says nothing about the rate
    POINT_S = 0.05  # a backlog that comes as a thousand small chunks must not outweigh the ten seconds around it
    ERRORS = 4.0  # standard errors; arrivals are not independent, so more than the usual two

    def __init__(self, info: StreamInfo, over_s: float = 10.0, warn: float = 0.01, mismatch: float = 0.10) -> None:
        self._info, self._over_s, self._warn, self._mismatch = info, over_s, warn, mismatch
        self._arrivals: deque[tuple[float, int]] = deque()
        self._total = 0
        self._told = self._arrived = self._begin = -math.inf

    def arrived(self, now: float, n_samples: int) -> RateVerdict | None:
        """Count samples; a verdict once a second after the first full stretch, else None.

        Parameters
        ----------
        now : float
            Seconds of any steady clock.
        n_samples : int
        """
        if n_samples <= 0:
            return None
        self._total += n_samples
        paused, self._arrived = now - self._arrived > self.PAUSE_S, now
        if paused:
            self.restart()
        if now < self._begin or (self._arrivals and now - self._arrivals[-1][0] < self.POINT_S):
            return None
        self._arrivals.append((now, self._total))
        while len(self._arrivals) > 2 and now - self._arrivals[1][0] >= self._over_s:
            self._arrivals.popleft()
        if now - self._arrivals[0][0] < self._over_s or now - self._told < self.EVERY_S:
            return None
        self._told = now
        return self._verdict(*self._slope())

    def restart(self) -> None:
        """Forget: a gap or a loss was met, which continuity reports by itself. A backlog may come first."""
        self._arrivals.clear()
        self._begin = self._arrived + self.PAUSE_S

    def _slope(self) -> tuple[float, float]:
        """Rate and its standard error, Hz, by least squares."""
        time, count = np.array(self._arrivals, dtype=np.float64).T
        time, count = time - time.mean(), count - count.mean()
        spread = float(time @ time)
        rate = float(time @ count) / spread
        residual = count - rate * time
        return rate, math.sqrt(float(residual @ residual) / max(1, len(time) - 2) / spread)

    def _verdict(self, effective_hz: float, error_hz: float) -> RateVerdict:
        declared = self._info.rate_hz
        certain = (abs(effective_hz - declared) - self.ERRORS * error_hz) / declared
        if certain <= self._warn:
            return RateVerdict(declared, effective_hz, "ok")
        return RateVerdict(
            declared,
            effective_hz,
            "mismatch" if certain > self._mismatch else "warning",
            f"stream {self._info.name!r} declares {declared:g} Hz but delivers {effective_hz:.4g} Hz over {self._over_s:g} s; "
            "set the device to the rate it declares, or declare its rate in a montage file (rate_hz)",
        )


def rate_of(info: StreamInfo, stamps: FloatArray) -> RateVerdict | None:
    """Return what :class:`RateWatch` would report for a recording, as if each sample came when it was stamped.

    A stretch that lost samples is no reason to doubt the rest: what most stretches say counts.

    Parameters
    ----------
    info : StreamInfo
    stamps : ndarray, shape (n_samples,)
        Raw; they may run backwards.

    Returns
    -------
    RateVerdict or None
        None where the recording is too short, or its stamps count samples and cannot contradict the rate.
    """
    if info.sample_clock or not info.rate_hz:
        return None
    watch, continuity, found = RateWatch(info), Continuity(info.rate_hz), []
    known = stamps[np.isfinite(stamps)]
    step = max(1, round(info.rate_hz / LOOKS_HZ))
    now = -math.inf
    for start in range(0, len(known) - step + 1, step):
        part = known[start : start + step]
        continuity.push(Chunk(part[:, np.newaxis], part))
        lost = continuity.take_discontinuities()
        now = float(part[-1]) if any(d.lost is None for d in lost) else max(now, float(part[-1]))
        verdict = watch.arrived(now, step)
        if lost:
            watch.restart()
        if verdict is not None:
            found.append(verdict)
    return sorted(found, key=lambda v: v.effective_hz)[len(found) // 2] if found else None
