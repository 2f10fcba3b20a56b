"""Lost samples from stamps that tell the time, but late, in bursts, and now and then backwards.

A stamp is the sender's clock plus a delay that is never negative and often large: chunk-wise senders
hand over bursts, a radio link stalls for seconds and then catches up. So only the *lower envelope* of
``stamp - n * period`` carries the clock (V. Paxson, "On calibrating measurements of packet transit
times", SIGMETRICS 1998, section 4), and a loss is a lasting rise of that envelope:

- Samples are taken in blocks of 16 ms, counted from the start of the segment. Of a block only minimum
  and maximum are used; both are exact in any order, so the cutting into chunks cannot show.
- The floor falls to a new minimum when a second block confirms it, and rises by at most 0.6 % of time:
  it follows the drift of any crystal without inventing or swallowing samples. A rate that is wrong
  altogether is learned from the first two seconds, where its slope exceeds all jitter.
- The jitter J is the usual height of a block's maximum above the lowest of the last 1.5 J. A sender that hands over a long block
  delays all its samples alike, so J shows only over several of them: stamps that fall by more than 2 J, as no loss makes them
  do, say how long that takes, and J is measured over twice as long.
- What stays 3/4 J above the floor (0.6 samples where J is below 1.2 samples) is a loss when it has
  lasted 30 J, and 1.5 times the longest stall the stream has recovered from, at most 10 s. More than
  5 J is believed after 3 J. Neither while it still shrinks, as a backlog that is being drained does.

So a stream with 0.1 ms of jitter at 250 Hz shows one lost sample within 0.1 s, and one with bursts of
250 ms shows 0.2 s of loss after 7 s. ``resolution_s`` says what can be seen; less is never guessed.

A loss is placed where it is declared, which is later than where it happened: the samples in between
have been handed on already. From there on the index is right again.
"""

from __future__ import annotations

import math

import numpy as np

from bci.engine.chunk import FloatArray
from bci.engine.delay_floor import DelayFloor, Missing, evident_slope
from bci.engine.stamp_clock import HISTORY_S, MAX_STAMP_S, RATE_SPAN_S, MissingSamples, SenderTimeline

BLOCK_S = 0.016
LATE_JITTERS = 2.0
"""A stamp that is later may stand behind a loss that is not seen yet."""
WORTHWHILE = 8
"""Blocks from which on numpy is faster than one stamp after the other."""
SLOPE_SPAN_S = 4
SLOPE_DOUBT = 0.003
RATE_DOUBT = 0.01


class FittedClock:
    """Losses from a fit of the sender's clock (see the text of the module).

    Parameters
    ----------
    rate_hz : float
        Declared rate.
    new_segment_s : float
        A lasting step beyond this is no loss but another clock.
    """

    def __init__(self, rate_hz: float, new_segment_s: float) -> None:
        self.timeline = SenderTimeline(rate_hz)
        self._rate_hz, self._declared_period = rate_hz, 1.0 / rate_hz
        self._limit_s = new_segment_s
        self._size = max(1, round(BLOCK_S * rate_hz))
        self._block_s = self._size / rate_hz
        self._mark_every = max(1, round(1.0 / self._block_s))
        self._raw = 0
        self._pending: Missing | None = None
        self._begun = False
        self._untimed = False
        self._restart()

    @property
    def resolution_s(self) -> float:
        """Smallest loss that can be seen now, seconds; infinite in the first two seconds."""
        if self._learning is not None:
            return math.inf
        return self._floor.resolution_s

    @property
    def jitter_s(self) -> float:
        """Usual range of the delays between a sample and its stamp, seconds."""
        return self._floor.jitter_s

    def taken_s(self, stamp: float, ago: int) -> float:
        """Tell when a sample was taken.

        By the time line that windows are placed by, where its stamp is late by more than half a sample and by no more than stamps
        of this sender can be. Otherwise the stamp itself: nothing better is known in the first two seconds, behind a loss that is
        not seen yet, and of a stamp that is earlier than all others.

        Parameters
        ----------
        stamp : float
            Its raw stamp, seconds.
        ago : int
            How many samples before the newest one that was scanned.

        Returns
        -------
        float
            Seconds on the sender's clock.
        """
        if self._learning is not None or not self._begun:
            return stamp
        fitted_s = self.timeline.time_of(self._raw - 1 - ago + self._floor.lost)
        late_s = stamp - fitted_s
        return fitted_s if 0.5 * self._declared_period < late_s <= LATE_JITTERS * self.jitter_s else stamp

    def _restart(self) -> None:
        """Forget everything about the sender's clock."""
        self._period = self._declared_period
        self._base, self._base_raw, self._tilts = 0.0, 0, 0
        self._filled, self._low, self._high = 0, math.inf, -math.inf
        self._learning: list[tuple[float, float]] | None = []
        self._floor = DelayFloor(self._rate_hz, self._size, self._limit_s)

    def scan(self, stamps: FloatArray) -> list[MissingSamples]:
        """Take the next raw stamps and find where something is missing.

        Parameters
        ----------
        stamps : ndarray, shape (n_samples,)
            Seconds on the sender's clock.

        Returns
        -------
        list of MissingSamples
        """
        steps: list[MissingSamples] = []
        at, n = 0, len(stamps)
        while at < n:
            at = self._advance(stamps, at, steps)
        return steps

    def _advance(self, stamps: FloatArray, at: int, steps: list[MissingSamples]) -> int:
        """Take stamps from ``at`` on, as many as one line serves; return how far."""
        stamp = float(stamps[at])
        timed = abs(stamp) < MAX_STAMP_S
        pending = self._pending
        if pending is not None:
            self._pending = None
            if pending.lost is None:
                self._raw, self._begun = 0, False
            if timed:
                steps.append(MissingSamples(at, *pending))
        if not timed:
            return self._pass_over(at, steps, pending is not None)
        if not self._begun:
            self._begin(stamp)
        if self._filled or len(stamps) - at < WORTHWHILE * self._size:
            return self._take_one(stamp, at)
        return self._take_blocks(stamps, at)

    def _pass_over(self, at: int, steps: list[MissingSamples], pending: bool) -> int:
        """One stamp that is no time; the first of a row of them begins a segment."""
        if not self._untimed and (self._begun or pending):
            steps.append(MissingSamples(at, None, "stamp is not a time"))
            self._raw = 0
        self._untimed, self._begun = True, False
        self._raw += 1
        return at + 1

    def _begin(self, stamp: float) -> None:
        """Begin to fit with this stamp."""
        self._begun, self._untimed = True, False
        self._restart()
        self._base, self._base_raw = stamp, self._raw
        self.timeline.restart(stamp - self._raw * self._declared_period)

    def _take_one(self, stamp: float, at: int) -> int:
        """Add one stamp to the block that is being filled."""
        ahead = stamp - self._base - (self._raw - self._base_raw) * self._period
        if ahead < self._low:
            self._low = ahead
        if ahead > self._high:
            self._high = ahead
        self._raw += 1
        self._filled += 1
        if self._filled == self._size:
            low, high = self._low, self._high
            self._filled, self._low, self._high = 0, math.inf, -math.inf
            self._take_block(low, high)
        return at + 1

    def _take_blocks(self, stamps: FloatArray, at: int) -> int:
        """Whole blocks at once, at most to the next mark, with the same bits as sample by sample."""
        rest = stamps[at : at + self._size * (self._mark_every - self._floor.blocks % self._mark_every)]
        timed = abs(rest) < MAX_STAMP_S
        usable = len(rest) if timed.all() else int(timed.argmin())
        blocks = usable // self._size
        if not blocks:
            return self._take_one(float(rest[0]), at)
        count = blocks * self._size
        first = self._raw - self._base_raw
        ahead = rest[:count] - self._base - np.arange(first, first + count) * self._period
        rows = ahead.reshape(blocks, self._size)
        tilts = self._tilts
        for low, high in zip(rows.min(axis=1).tolist(), rows.max(axis=1).tolist(), strict=True):
            self._raw += self._size
            at += self._size
            self._take_block(low, high)
            if self._pending is not None or self._tilts != tilts:
                break
        return at

    def _take_block(self, low: float, high: float) -> None:
        """Extremes of the next block; a loss or a new segment is left in ``_pending``."""
        if self._learning is not None:
            self._learning.append((low, high))
            if len(self._learning) == self._floor.warmup_blocks:
                self._learn(self._learning)
            return
        self._pending = self._floor.follow(low, high)
        if self._floor.blocks % self._mark_every == 0:
            self._mark()

    def _mark(self) -> None:
        """Once a second: note the fitted clock, and let the slope follow it."""
        time_s = self._base + (self._raw - self._base_raw) * self._period + self._floor.level_s
        timeline = self.timeline
        timeline.mark(self._raw, self._raw + self._floor.lost, time_s)
        timeline.rate_span_s = min(HISTORY_S - 1, max(RATE_SPAN_S, math.ceil(self.jitter_s / RATE_DOUBT)))
        measured = timeline.slope(max(SLOPE_SPAN_S, math.ceil(self.jitter_s / SLOPE_DOUBT)))
        if math.isfinite(measured) and measured > 0:
            self._tilt(0.5 * (self._period + measured))

    def _tilt(self, period: float) -> None:
        """Measure stamps against a line of another slope from the next sample on."""
        self._base += (self._raw - self._base_raw) * self._period
        self._base_raw = self._raw
        self._period = self._floor.period_s = period
        self._tilts += 1

    def _learn(self, blocks: list[tuple[float, float]]) -> None:
        """Measure slope and jitter of the first two seconds, then judge those seconds by them."""
        self._learning = None
        low, high = np.array(blocks).T
        slope = evident_slope(low, high, self._block_s)
        found = self._floor.learn(low, high, slope)
        self._tilt(self._declared_period * (1.0 + slope))
        if found:
            known = [missing.lost for missing in found if missing.lost is not None]
            self._pending = Missing(sum(known) if len(known) == len(found) else None, found[-1].why)
