"""Find where the clock of a stream with a rate was set back: all later stamps are lower than stamps before.

Stamps run backwards in normal life too, by tenths of a second, because senders of blocks date back from the newest sample. So a
step counts only where what follows stays behind the line on which the stamps ran before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bci.engine.chunk import FloatArray
from bci.stream.clocks.clock_offsets import ABSURD_S

LEAST_S, SPREADS = 0.5, 3.0
"""A step is at least so long, and so many times as long as stamps usually stray."""
LOOK_S, BESIDE_S = 5.0, 1.0
"""How much of the signal beside a step its length is measured from; how far beside it must be seen."""
MOST_LOOKS = 500
"""Where stamps seem to step back more often, there is no clock that could be followed."""
RATE_OFF = 0.05
"""A rate that is off by more was not measured, but is that of a stream with many gaps."""


@dataclass(frozen=True, slots=True)
class ClockStep:
    """A clock that was set back.

    Parameters
    ----------
    sample : int
        The first one behind it.
    back_s : float
        By how much, if no sample was lost there.
    """

    sample: int
    back_s: float


def steps_back(times: FloatArray, rate_hz: float) -> list[ClockStep]:
    """Find where a clock was set back, in order.

    Parameters
    ----------
    times : ndarray, shape (n_samples,)
        Stamps in the order in which they were recorded, seconds. What is no time is passed over.
    rate_hz : float
        Declared.
    """
    places = np.flatnonzero(np.abs(times) < ABSURD_S)
    good = times[places]
    beside = max(1, round(BESIDE_S * rate_hz))
    if len(good) < 2 * beside:
        return []
    falls = np.diff(good)
    if falls.min() > -0.5 * LEAST_S:
        return []
    period_s = _period(good, rate_hz)
    ahead = good - period_s * np.arange(len(good))
    candidates = np.flatnonzero(falls < -0.5 * LEAST_S) + 1
    before, behind = np.maximum(candidates - beside, 0), np.minimum(candidates + beside, len(good) - 1)
    candidates = candidates[ahead[behind] - ahead[before] < -0.5 * LEAST_S]
    found: list[ClockStep] = []
    looks = 0
    while len(candidates):
        looks += 1
        if looks > MOST_LOOKS:
            return []
        near = candidates[candidates < candidates[0] + beside]
        at = int(near[falls[near - 1].argmin()])
        back_s = _set_back(ahead, at, max(2, round(LOOK_S * rate_hz)))
        if back_s and len(good) - at >= beside // 2:
            ahead[at:] += back_s
            found.append(ClockStep(int(places[at]), back_s))
        candidates = candidates[candidates > (near[-1] if back_s else at)]
    return found


def _period(times: FloatArray, rate_hz: float) -> float:
    """Seconds from sample to sample, by stamps some seconds apart, most of which have neither a step nor a gap between them."""
    apart = min(max(1, round(LOOK_S * rate_hz)), len(times) // 2)
    period_s = float(np.median(times[apart:] - times[:-apart])) / apart
    return period_s if abs(period_s * rate_hz - 1.0) < RATE_OFF else 1.0 / rate_hz


def _set_back(ahead: FloatArray, at: int, look: int) -> float:
    """By how much the stamps from a sample on lie behind those before it, seconds; 0 where they do not, or not for long."""
    before, behind = ahead[max(0, at - look) : at], ahead[at : at + look]
    back_s = float(np.median(before) - np.median(behind))
    spread_s = max(float(np.subtract(*np.percentile(part, [90, 10]))) for part in (before, behind))
    return back_s if back_s > max(LEAST_S, SPREADS * spread_s) else 0.0
