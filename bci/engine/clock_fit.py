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
from collections import deque
from itertools import islice

import numpy as np

from bci.engine.chunk import FloatArray
from bci.engine.stamp_clock import HISTORY_S, LASTING_SAMPLES, MAX_STAMP_S, RATE_SPAN_S, Step, Timeline

BLOCK_S = 0.016
WARMUP_S = 2.0
DRIFT = 0.006
"""Fastest rise of the floor, seconds per second; crystals stay below 0.005."""
LATEST_S = 10.0
LASTING_JITTERS = 30.0
SUSPECT_JITTERS = 0.75
SUSPECT_SAMPLES = 0.6
QUIET_JITTERS = 0.5
NOISE_JITTERS = 0.4
"""How far the lowest of some blocks strays; a loss must exceed the threshold by it to be seen for sure."""
PROMPT_JITTERS = 5.0
PROMPT_WAIT_JITTERS = 3.0
BACK_JITTERS = 8.0
BACK_S = 0.1
REACH_JITTERS = 1.5
LATE_JITTERS = 2.0
"""A stamp that is later may stand behind a loss that is not seen yet."""
MOST_JITTER_S = 0.5
TURNS, MOST_TURN_S = 2.0, 2.0
"""So many usual times between two falls the jitter must look back; a fall after more belongs to no such rhythm."""
FALL_JITTERS = 2.0
"""A fall that is larger says that the jitter has been measured over too short a time."""
JITTER_MEMORY_S = 30.0
STALL_MEMORY_S = 60.0
LIMITS_EVERY = 16
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

    Attributes
    ----------
    jitter_s : float
        Usual range of the delays between a sample and its stamp, seconds.
    """

    def __init__(self, rate_hz: float, new_segment_s: float) -> None:
        self.timeline = Timeline(rate_hz)
        self._declared_period = 1.0 / rate_hz
        self._limit_s = new_segment_s
        self._size = max(1, round(BLOCK_S * rate_hz))
        self._block_s = self._size / rate_hz
        self._briefest = max(2, -(-LASTING_SAMPLES // self._size))
        self._latest = max(self._briefest, round(LATEST_S / self._block_s))
        self._most_turn = round(MOST_TURN_S / self._block_s)
        self._warmup = max(16, round(WARMUP_S / self._block_s))
        self._mark_every = max(1, round(1.0 / self._block_s))
        self._gain = self._block_s / JITTER_MEMORY_S
        self._raw = 0
        self._pending: tuple[int | None, str] | None = None
        self._begun = False
        self._untimed = False
        self._restart()

    @property
    def resolution_s(self) -> float:
        """Smallest loss that can be seen now, seconds; infinite in the first two seconds."""
        if self._learning is not None:
            return math.inf
        return math.ceil((self._suspect + NOISE_JITTERS * self.jitter_s) / self._period) * self._period

    def taken_s(self, stamp: float, ago: int) -> float:
        """When a sample was taken, seconds on the sender's clock.

        By the time line that windows are placed by, where its stamp is late by more than half a sample and by no more than stamps
        of this sender can be. Otherwise the stamp itself: nothing better is known in the first two seconds, behind a loss that is
        not seen yet, and of a stamp that is earlier than all others.

        Parameters
        ----------
        stamp : float
            Its raw stamp, seconds.
        ago : int
            How many samples before the newest one that was scanned.
        """
        if self._learning is not None or not self._begun:
            return stamp
        fitted_s = self.timeline.time_of(self._raw - 1 - ago + self._lost)
        late_s = stamp - fitted_s
        return fitted_s if 0.5 * self._declared_period < late_s <= LATE_JITTERS * self.jitter_s else stamp

    def _restart(self) -> None:
        """Forget everything about the sender's clock."""
        self._period = self._declared_period
        self._base, self._base_raw, self._tilts = 0.0, 0, 0
        self._filled, self._low, self._high = 0, math.inf, -math.inf
        self._learning: list[tuple[float, float]] | None = []
        self._floor, self._rise = 0.0, DRIFT * self._block_s
        self._dip, self._dip_age = 0.0, 0
        self._mean = self._spread = self.jitter_s = 0.0
        self._recent: deque[tuple[int, float]] = deque()
        self._blocks = 0
        self._lost = 0
        self._stall = 0.0
        self._run, self._check_at = 0, 0
        self._lows: deque[float] = deque(maxlen=self._latest)
        self._before, self._turn, self._turns = math.inf, 0, 0.0
        self._backward = 0
        self._forgiven_s = 0.0
        self._loss_s, self._loss_run, self._loss_block = math.inf, 0, 0
        self._set_limits()

    # ---- from stamps to blocks

    def scan(self, stamps: FloatArray) -> list[Step]:
        """Take the next raw stamps, shape (n_samples,), and say where something is missing."""
        steps: list[Step] = []
        at, n = 0, len(stamps)
        while at < n:
            at = self._advance(stamps, at, steps)
        return steps

    def _advance(self, stamps: FloatArray, at: int, steps: list[Step]) -> int:
        """Take stamps from ``at`` on, as many as one line serves; return how far."""
        stamp = float(stamps[at])
        timed = abs(stamp) < MAX_STAMP_S
        pending = self._pending
        if pending is not None:
            self._pending = None
            if pending[0] is None:
                self._raw, self._begun = 0, False
            if timed:
                steps.append(Step(at, *pending))
        if not timed:
            return self._pass_over(at, steps, pending is not None)
        if not self._begun:
            self._begin(stamp)
        if self._filled or len(stamps) - at < WORTHWHILE * self._size:
            return self._take_one(stamp, at)
        return self._take_blocks(stamps, at)

    def _pass_over(self, at: int, steps: list[Step], pending: bool) -> int:
        """One stamp that is no time; the first of a row of them begins a segment."""
        if not self._untimed and (self._begun or pending):
            steps.append(Step(at, None, "stamp is not a time"))
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
        rest = stamps[at : at + self._size * (self._mark_every - self._blocks % self._mark_every)]
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
            if len(self._learning) == self._warmup:
                self._learn(self._learning)
            return
        self._follow(low, high)
        if self._blocks % self._mark_every == 0:
            self._mark()

    def _mark(self) -> None:
        """Once a second: note the fitted clock, and let the slope follow it."""
        time_s = self._base + (self._raw - self._base_raw) * self._period + self._floor
        timeline = self.timeline
        timeline.mark(self._raw, self._raw + self._lost, time_s)
        timeline.rate_span_s = min(HISTORY_S - 1, max(RATE_SPAN_S, math.ceil(self.jitter_s / RATE_DOUBT)))
        measured = timeline.slope(max(SLOPE_SPAN_S, math.ceil(self.jitter_s / SLOPE_DOUBT)))
        if math.isfinite(measured) and measured > 0:
            self._tilt(0.5 * (self._period + measured))

    def _tilt(self, period: float) -> None:
        """Measure stamps against a line of another slope from the next sample on."""
        self._base += (self._raw - self._base_raw) * self._period
        self._base_raw = self._raw
        self._period = period
        self._tilts += 1

    # ---- the first two seconds

    def _learn(self, blocks: list[tuple[float, float]]) -> None:
        """Measure slope and jitter of the first two seconds, then judge those seconds by them."""
        self._learning = None
        low, high = np.array(blocks).T
        quarter = len(blocks) // 4
        slope = self._evident_slope(low, high, quarter)
        tilt = slope * self._block_s * np.arange(len(blocks))
        low, high = low - tilt, high - tilt
        self._start_jitter(low, high, quarter)
        falls = int((np.diff(low) < -self._fall_least).sum())
        if falls:
            self._turns = len(low) / (falls + 1)
            self._start_jitter(low, high, min(len(low), max(quarter, math.ceil(TURNS * self._turns))))
        self._floor = float(low[:quarter].min())
        self._rise = (DRIFT + 0.1 * abs(slope)) * self._block_s
        found = []
        for pair in zip(low.tolist(), high.tolist(), strict=True):
            self._follow(*pair)
            if self._pending is not None:
                found.append(self._pending)
                self._pending = None
        tilted_s = slope * self._block_s * len(blocks)
        self._floor += tilted_s
        self._before += tilted_s
        self._tilt(self._declared_period * (1.0 + slope))
        if found:
            known = [lost for lost, _ in found if lost is not None]
            self._pending = (sum(known) if len(known) == len(found) else None, found[-1][1])

    def _start_jitter(self, low: FloatArray, high: FloatArray, n: int) -> None:
        """Measure the jitter of the first two seconds over so many blocks, where it is smallest: a loss would count as jitter."""
        above = min((high[i : i + n] - low[i : i + n].min() for i in range(0, len(low) - n + 1, n)), key=np.median)
        self._mean = float(np.median(above))
        self._spread = float(np.median(abs(above - self._mean)))
        self._set_limits()

    def _evident_slope(self, low: FloatArray, high: FloatArray, quarter: int) -> float:
        """Relative error of the declared period, where it explains far more than the jitter does; else 0.

        Medians of rises over half a second and over an eighth of it must agree: scattered losses raise
        only the first.
        """
        slope = float(np.median(low[quarter:] - low[:-quarter])) / (quarter * self._block_s)
        brief = max(1, quarter // 4)
        steady = float(np.median(low[brief:] - low[:-brief])) / (brief * self._block_s)
        tilt = slope * self._block_s * np.arange(len(low))
        jitter = float(np.quantile(high - tilt, 0.9) - np.quantile(low - tilt, 0.1))
        rise = abs(slope) * len(low) * self._block_s
        evident = rise > 3.0 * jitter + DRIFT / 2 * WARMUP_S and abs(steady - slope) < 0.5 * abs(slope)
        return slope if evident and slope > -0.9 else 0.0

    # ---- from blocks to losses

    def _set_limits(self) -> None:
        """Thresholds that follow from the jitter and from the longest stall."""
        jitter = min(self._mean + 2.5 * self._spread, MOST_JITTER_S)
        blocks = jitter / self._block_s
        self.jitter_s = jitter
        one = SUSPECT_SAMPLES * self._declared_period
        self._suspect = one if QUIET_JITTERS * jitter <= one else max(one, SUSPECT_JITTERS * jitter)
        lasting = max(self._briefest, math.ceil(max(LASTING_JITTERS * blocks, 1.5 * self._stall)))
        self._lasting = min(lasting, self._latest)
        self._prompt = min(max(self._briefest, math.ceil(PROMPT_WAIT_JITTERS * blocks)), self._latest)
        self._fall_least = max(one, FALL_JITTERS * jitter)
        self._reach = self._briefest + math.ceil(max(REACH_JITTERS * blocks, TURNS * self._turns))
        self._back_s = max(BACK_S, BACK_JITTERS * jitter) + self._forgiven_s

    def _follow(self, low: float, high: float) -> None:
        """Move floor and jitter by one block, and declare what has lasted."""
        self._blocks += 1
        self._time_falls(low)
        lowest = self._floor - self._back_s
        if low < lowest:
            if high < lowest:
                self._step_back(high)
                return
            low = self._floor
        self._backward = 0
        self._measure_jitter(low, high)
        if low < self._floor:
            self._fall(low)
        elif self._run <= self._reach:
            self._floor = min(low, self._floor + self._rise)
        above = low - self._floor
        if above > self._suspect:
            self._run += 1
            self._lows.append(above)
            if self._run >= self._check_at and self._run >= self._prompt:
                self._judge_run()
        elif self._run:
            if self._run > self._stall:
                self._stall = float(self._run)
                self._set_limits()
            self._end_run()

    def _time_falls(self, low: float) -> None:
        """How long it usually takes until a stamp is less late than the one before: losses make stamps later, never less late.

        A sender of long blocks delays all samples of one alike. Its jitter shows only over several of them.
        """
        self._turn += 1
        if low < self._before - self._fall_least:
            if self._turn <= self._most_turn:
                self._turns += (self._turn - self._turns) * (0.25 if self._turns else 1.0)
            self._turn = 0
        self._before = low

    def _step_back(self, high: float) -> None:
        """A block that lies wholly before the clock: another clock, when it lasts."""
        self._backward += 1
        if self._backward >= self._prompt:
            self._pending = (None, f"clock stepped by {high - self._floor:+.3f} s")

    def _measure_jitter(self, low: float, high: float) -> None:
        """One block more for the range of the delays; a single outlier counts little.

        Measured above the lowest of the recent blocks, not above the floor: else every step would count
        as jitter until it is declared.
        """
        recent, count = self._recent, self._blocks
        while recent and recent[-1][1] >= low:
            recent.pop()
        recent.append((count, low))
        while recent[0][0] <= count - self._reach:
            recent.popleft()
        above = min(high - recent[0][1], 2.0 * self.jitter_s + self._declared_period)
        gain = max(self._gain, 1.0 / (self._warmup + count))
        self._mean += gain * (above - self._mean)
        self._spread += gain * (abs(above - self._mean) - self._spread)
        if count % LIMITS_EVERY == 0:
            forget = 1.0 - LIMITS_EVERY * self._block_s / STALL_MEMORY_S
            self._stall *= forget
            self._forgiven_s *= forget
            self._set_limits()

    def _fall(self, low: float) -> None:
        """Lower the floor when a second block agrees; learn from a loss that was none."""
        if self._blocks < self._dip_age:
            fallen = max(low, min(self._dip, self._floor))
            since = self._blocks - self._loss_block
            if self._floor - fallen > 0.5 * self._loss_s and since <= 2 * self._loss_run:
                self._stall = max(self._stall, float(self._loss_run + since))
            self._floor = fallen
        self._dip, self._dip_age = low, self._blocks + self._lasting

    def _judge_run(self) -> None:
        """Declare a rise that has lasted, unless it shrinks."""
        half = max(1, self._prompt // 2)
        if self._run >= self._lasting:
            half = max(1, self._lasting // 2)
            if self._declared(half, self._lasting, self._suspect):
                return
        elif self._declared(half, self._prompt, PROMPT_JITTERS * self.jitter_s):
            return
        self._check_at = self._run + half
        if self._run < self._lasting:
            self._check_at = min(self._check_at, self._lasting)

    def _declared(self, half: int, wait: int, least_s: float) -> bool:
        """Whether the last ``wait`` blocks are a loss of more than ``least_s``; if so, it is declared."""
        newest = list(islice(reversed(self._lows), wait))
        late, early = min(newest[:half]), min(newest[half:])
        rise = min(late, early)
        if rise <= least_s or early - late >= 0.25 * half * self._block_s:
            return False
        self._loss_s, self._loss_run, self._loss_block = rise, self._run, self._blocks
        self._end_run()
        lost = round(rise / self._period)
        if rise > self._limit_s:
            self._pending = (None, f"clock stepped by {rise:+.3f} s")
        elif lost:
            self._floor += lost * self._period
            self._lost += lost
            self._forgiven_s += rise
            self._set_limits()
            self._pending = (lost, "clock stepped forward")
        return True

    def _end_run(self) -> None:
        """Nothing is suspicious any more."""
        self._run, self._check_at = 0, 0
        self._lows.clear()
