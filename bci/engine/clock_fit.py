"""Lost samples, from raw stamps alone: two clocks, one for stamps that count and one for stamps that only tell the time.

A :class:`StampClock` reads the raw stamps of one stream in order and says before which raw sample
something is missing. Both clocks are recurrences over single samples, so where the stream is cut into
chunks makes no difference, not even in the last bit.

:class:`SampleClock` is for our own devices, which compute stamps from the sample count: a jump of
k periods is k samples lost, known at once.

:class:`FittedClock` is for everything else. A stamp is the sender's clock plus a delay that is never
negative and often large: chunk-wise senders hand over bursts, stamps run backwards, a radio link
stalls for seconds and catches up. So only the *lower envelope* of ``stamp - n * period`` carries the
clock (the minimum filter of Paxson 1998, "On calibrating measurements of packet transit times", §4),
and a loss is a lasting rise of that envelope:

- Samples are taken in blocks of 16 ms, counted from the start of the segment, and only the minimum and
  maximum of a block are used (both are exact in any order).
- The floor falls to a new minimum as soon as a second block confirms it, and rises by at most
  0.6 % of time, so it follows the drift of any crystal without inventing or swallowing samples.
- The jitter J is the upper range of the block maxima above the floor. What rises above the floor by
  J/2 (and 0.6 samples) is suspicious, and is a loss when it has stayed there for 20 J and 1.5 times
  the longest stall this stream has recovered from, at most 8 s. A rise beyond 5 J is believed after 3 J
  when it does not shrink, as a backlog that is being drained would.
- So a stream with 1 ms of jitter at 250 Hz shows one lost sample within 0.1 s, and one with bursts of
  300 ms shows losses of 0.3 s after 6 s. ``resolution_s`` says what can be seen; less is not guessed.

A loss is placed where it is declared, which for a fitted clock is later than where it happened: the
samples in between have been handed on already. Only the index after the declaration is right again.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from bci.engine.chunk import FloatArray
from bci.engine.stamp_clock import HISTORY_S, LASTING_SAMPLES, MAX_STAMP_S, RATE_SPAN_S, Step, Timeline

BLOCK_S = 0.016
WARMUP_S = 2.0
DRIFT = 0.006
LATEST_S = 10.0
LASTING_JITTERS = 30.0
SUSPECT_JITTERS = 0.75
PROMPT_JITTERS = 5.0
PROMPT_WAIT_JITTERS = 3.0
BACK_JITTERS = 8.0
BACK_S = 0.1
REACH_JITTERS = 1.5
MOST_JITTER_S = 0.5
JITTER_MEMORY_S = 30.0
RATE_DOUBT = 0.01
SLOPE_DOUBT = 0.003
SLOPE_SPAN_S = 4


class FittedClock:
    """Stamps that tell the time with jitter, bursts and stalls (see the module's text).

    Parameters
    ----------
    rate_hz : float
        Declared rate.
    new_segment_s : float
        A lasting step beyond this is no loss but another clock.
    """

    def __init__(self, rate_hz: float, new_segment_s: float) -> None:
        self.timeline = Timeline(rate_hz)
        self._declared_period = 1.0 / rate_hz
        self._limit_s = new_segment_s
        self._size = max(1, round(BLOCK_S * rate_hz))
        self._block_s = self._size / rate_hz
        self._briefest = max(2, -(-LASTING_SAMPLES // self._size))
        self._latest = max(self._briefest, round(LATEST_S / self._block_s))
        self._warmup = max(16, round(WARMUP_S / self._block_s))
        self._mark_every = max(1, round(1.0 / self._block_s))
        self._rise = DRIFT * self._block_s
        self._gain = self._block_s / JITTER_MEMORY_S
        self._untimed = False
        self._raw = 0
        self._pending: tuple[int | None, str] | None = None
        self._fresh = True
        self._restart_fit()

    @property
    def resolution_s(self) -> float:
        """Smallest loss that can be seen now, seconds; infinite in the first two seconds."""
        return math.inf if self._learning is not None else max(self._declared_period, self._suspect)

    @property
    def jitter_s(self) -> float:
        """Usual range of the delays between a sample and its stamp, seconds."""
        return self._jitter

    # ---- from stamps to blocks

    def scan(self, stamps: FloatArray) -> list[Step]:
        """Take the next raw stamps and say where something is missing."""
        steps: list[Step] = []
        at, n = 0, len(stamps)
        while at < n:
            at = self._stretch(stamps, at, steps)
        return steps

    def _stretch(self, stamps: FloatArray, at: int, steps: list[Step]) -> int:
        """Take stamps from ``at`` on until the line they are measured against changes; return where."""
        if self._pending is not None:
            lost, why = self._pending
            self._pending = None
            steps.append(Step(at, lost, why))
            if lost is None:
                self._raw = 0
                self._fresh = True
        first = float(stamps[at])
        if not abs(first) < MAX_STAMP_S:
            return self._skip(at, steps)
        if self._fresh:
            self._begin(first)
        if len(stamps) - at == 1 or self._filled:
            return self._take_one(first, at)
        return self._take_blocks(stamps, at)

    def _skip(self, at: int, steps: list[Step]) -> int:
        """Pass over one stamp that is no time; the first of a run begins a segment."""
        if not self._untimed and (self._raw or not self._fresh):
            steps.append(Step(at, None, "stamp is not a time"))
            self._raw = 0
        self._untimed = self._fresh = True
        self._raw += 1
        return at + 1

    def _begin(self, stamp: float) -> None:
        """Begin to fit with this stamp."""
        self._fresh = self._untimed = False
        self._restart_fit()
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
            self._block(low, high)
        return at + 1

    def _take_blocks(self, stamps: FloatArray, at: int) -> int:
        """Whole blocks at once, with the same bits as sample by sample."""
        rest = stamps[at:]
        timed = abs(rest) < MAX_STAMP_S
        usable = len(rest) if timed.all() else int(timed.argmin())
        blocks = usable // self._size
        if not blocks:
            return self._take_one(float(rest[0]), at)
        count = blocks * self._size
        first = self._raw - self._base_raw
        ahead = rest[:count] - self._base - np.arange(first, first + count) * self._period
        rows = ahead.reshape(blocks, self._size)
        version = self._version
        for low, high in zip(rows.min(axis=1).tolist(), rows.max(axis=1).tolist(), strict=True):
            self._raw += self._size
            at += self._size
            self._block(low, high)
            if self._pending is not None or self._version != version:
                break
        return at

    # ---- from blocks to losses

    def _restart_fit(self) -> None:
        """Forget everything about the sender's clock."""
        self._period = self._declared_period
        self._base, self._base_raw = 0.0, 0
        self._filled, self._low, self._high = 0, math.inf, -math.inf
        self._learning: list[tuple[float, float]] | None = []
        self._version = 0
        self._blocks = 0
        self._floor = 0.0
        self._lost = 0
        self._mean = self._spread = self._jitter = 0.0
        self._stall = 0.0
        self._since_loss = self._latest
        self._loss_run, self._loss_s = 0, math.inf
        self._recent_s = 0.0
        self._backward = 0
        self._dip, self._dip_age = math.nan, 0
        self._recent: deque[tuple[int, float]] = deque()
        self._count = 0
        self._lows: deque[float] = deque(maxlen=self._latest)
        self._end_run()

    def _end_run(self) -> None:
        """Nothing is suspicious any more."""
        self._run = 0
        self._next_check = 0
        self._lows.clear()

    def _block(self, low: float, high: float) -> None:
        """Take the extremes of the next block; a loss or a new segment is left in ``_pending``."""
        if self._learning is not None:
            self._learning.append((low, high))
            if len(self._learning) == self._warmup:
                self._learn(self._learning)
            return
        self._follow(low, high)
        self._blocks += 1
        if self._blocks % self._mark_every == 0:
            self._mark()

    def _learn(self, blocks: list[tuple[float, float]]) -> None:
        """Measure slope and jitter of the first two seconds, then judge those seconds by them."""
        low = np.array([b[0] for b in blocks])
        high = np.array([b[1] for b in blocks])
        step = len(low) // 4
        slope = self._evident_slope(low, high, step)
        tilt = slope * self._block_s * np.arange(len(low))
        low, high = low - tilt, high - tilt
        self._learning = None
        self._floor = float(low[:step].min())
        above = min((high[i : i + step] - low[i : i + step].min() for i in range(0, 4 * step, step)), key=np.median)
        self._mean = float(np.median(above))
        self._spread = float(np.median(abs(above - self._mean)))
        self._set_limits()
        lost, why, segment = 0, "", False
        for lo, hi in zip(low.tolist(), high.tolist(), strict=True):
            self._follow(lo, hi)
            if self._pending is not None:
                lost, segment, why = lost + (self._pending[0] or 0), segment or self._pending[0] is None, self._pending[1]
                self._pending = None
        self._floor += slope * self._block_s * len(low)
        self._tilt(self._declared_period * (1.0 + slope))
        self._rise = (DRIFT + 0.1 * abs(slope)) * self._block_s
        if segment or lost:
            self._pending = (None if segment else lost, why)

    def _evident_slope(self, low: FloatArray, high: FloatArray, step: int) -> float:
        """Relative error of the declared period, where it explains far more than the jitter does; else 0."""
        slope = float(np.median(low[step:] - low[:-step])) / (step * self._block_s)
        tilt = slope * self._block_s * np.arange(len(low))
        jitter = float(np.quantile(high - tilt, 0.9) - np.quantile(low - tilt, 0.1))
        rise = abs(slope) * len(low) * self._block_s
        brief = max(1, step // 4)
        steady = float(np.median(low[brief:] - low[:-brief])) / (brief * self._block_s)
        evident = rise > 3.0 * jitter + DRIFT / 2 * WARMUP_S and abs(steady - slope) < 0.5 * abs(slope)
        return slope if evident and slope > -0.9 else 0.0

    def _tilt(self, period: float) -> None:
        """Measure stamps against a line of another slope from the next sample on."""
        self._base += (self._raw - self._base_raw) * self._period
        self._base_raw = self._raw
        self._period = period
        self._version += 1

    def _set_limits(self) -> None:
        """Thresholds that follow from the jitter and from the longest stall."""
        self._jitter = jitter = min(self._mean + 2.5 * self._spread, MOST_JITTER_S)
        self._suspect = max(0.6 * self._declared_period, SUSPECT_JITTERS * jitter)
        lasting = max(LASTING_JITTERS * jitter / self._block_s, 1.5 * self._stall)
        self._lasting = min(max(self._briefest, math.ceil(lasting)), self._latest)
        self._reach = self._briefest + math.ceil(REACH_JITTERS * jitter / self._block_s)
        self._prompt = max(self._briefest, math.ceil(PROMPT_WAIT_JITTERS * jitter / self._block_s))
        self._back_s = max(BACK_S, BACK_JITTERS * jitter) + self._recent_s

    def _follow(self, low: float, high: float) -> None:
        """Move floor and jitter by one block, and declare what has lasted."""
        self._since_loss += 1
        self._recent_s = self._recent_s * (1.0 - self._gain)
        if high < self._floor - self._back_s:
            self._backward += 1
            if self._backward >= self._prompt:
                self._pending = (None, f"clock stepped by {high - self._floor:+.3f} s")
            return
        self._backward = 0
        if low < self._floor - self._back_s:
            low = self._floor
        self._measure_jitter(low, high)
        self._move_floor(low)
        above = low - self._floor
        if above <= self._suspect:
            if self._run:
                self._stall = max(self._stall, float(self._run))
                self._end_run()
            return
        self._run += 1
        self._lows.append(above)
        if self._run >= max(self._prompt, self._next_check):
            self._judge_run()

    def _judge_run(self) -> None:
        """Declare a rise that has lasted, unless it shrinks as a backlog being drained does."""
        lows = list(self._lows)
        for wait, least in ((self._lasting, self._suspect), (self._prompt, PROMPT_JITTERS * self._jitter)):
            if self._run < wait:
                continue
            half = wait // 2
            late = min(lows[-half:])
            early = min(lows[-wait:-half])
            if min(early, late) > least:
                if early - late < 0.25 * half * self._block_s:
                    self._declare(min(early, late))
                else:
                    self._next_check = self._run + half
                return

    def _measure_jitter(self, low: float, high: float) -> None:
        """One block more for the range of the delays: how far it lies above the lowest of the last 1.5 J.

        Not above the floor, or every step would count as jitter until it is declared. A single outlier
        counts little.
        """
        recent = self._recent
        while recent and recent[-1][1] >= low:
            recent.pop()
        recent.append((self._count, low))
        self._count += 1
        oldest = self._count - self._reach
        while recent[0][0] < oldest:
            recent.popleft()
        above = min(high - recent[0][1], 2.0 * self._jitter + self._declared_period)
        gain = max(self._gain, 1.0 / (self._warmup + self._count))
        self._mean += gain * (above - self._mean)
        self._spread += gain * (abs(above - self._mean) - self._spread)
        self._stall -= self._gain * self._stall / 2.0
        self._set_limits()

    def _move_floor(self, low: float) -> None:
        """Rise by no more than drift can; fall when a second block agrees."""
        self._dip_age -= 1
        if low >= self._floor:
            if self._run <= self._reach:
                self._floor = min(low, self._floor + self._rise)
            return
        if self._dip_age > 0:
            fallen = max(low, min(self._dip, self._floor))
            if self._floor - fallen > 0.5 * self._loss_s and self._since_loss <= 2 * self._loss_run:
                self._stall = max(self._stall, float(self._loss_run + self._since_loss))
            self._floor = fallen
        self._dip, self._dip_age = low, self._lasting

    def _declare(self, rise_s: float) -> None:
        """Loss of ``rise_s``, or a new segment where that is too much."""
        self._loss_run, self._loss_s, self._since_loss = self._run, rise_s, 0
        self._end_run()
        if rise_s > self._limit_s:
            self._pending = (None, f"clock stepped by {rise_s:+.3f} s")
            return
        lost = round(rise_s / self._period)
        if lost:
            self._floor += lost * self._period
            self._lost += lost
            self._recent_s += rise_s
            self._pending = (lost, "clock stepped forward")

    def _mark(self) -> None:
        """Once a second: note the fitted clock, and let the slope follow it."""
        time_s = self._base + (self._raw - self._base_raw) * self._period + self._floor
        self.timeline.mark(self._raw, self._raw + self._lost, time_s)
        self.timeline.rate_span_s = min(HISTORY_S - 1, max(RATE_SPAN_S, math.ceil(self._jitter / RATE_DOUBT)))
        measured = self.timeline.slope(max(SLOPE_SPAN_S, math.ceil(self._jitter / SLOPE_DOUBT)))
        if math.isfinite(measured) and measured > 0:
            self._tilt(0.5 * (self._period + measured))
