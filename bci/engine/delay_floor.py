"""The lower envelope of the delays between samples and their stamps, and losses as lasting rises of it.

The method is explained in :mod:`bci.engine.clock_fit`, which cuts the stamps into blocks.
"""

from __future__ import annotations

import math
from collections import deque
from itertools import islice
from typing import NamedTuple

import numpy as np

from bci.engine.chunk import FloatArray
from bci.engine.stamp_clock import LASTING_SAMPLES

WARMUP_S = 2.0
"""Length of the beginning from which slope and jitter are learned, seconds."""
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
MOST_JITTER_S = 0.5
TURNS, MOST_TURN_S = 2.0, 2.0
"""So many usual times between two falls the jitter must look back; a fall after more belongs to no such rhythm."""
FALL_JITTERS = 2.0
"""A fall that is larger says that the jitter has been measured over too short a time."""
JITTER_MEMORY_S = 30.0
STALL_MEMORY_S = 60.0
LIMITS_EVERY = 16


class Missing(NamedTuple):
    """Something is missing before the next sample.

    Parameters
    ----------
    lost : int or None
        Number of samples; None where time cannot be related, which begins a new segment.
    why : str
        What was seen, for a person.
    """

    lost: int | None
    why: str


class DelayFloor:
    """Follows the lower envelope of the delays, block by block, and declares losses.

    Parameters
    ----------
    rate_hz : float
        Declared rate.
    block_samples : int
        Samples in a block.
    new_segment_s : float
        A lasting step beyond this, seconds, is no loss but another clock.

    Attributes
    ----------
    level_s : float
        The floor above the line that stamps are measured by, seconds.
    jitter_s : float
        Usual range of the delays between a sample and its stamp, seconds.
    period_s : float
        Time between two samples on the line that stamps are measured by, seconds; set by whoever tilts that line.
    lost : int
        Samples that were declared lost so far.
    blocks : int
        Blocks that were followed so far.
    warmup_blocks : int
        Blocks from which slope and jitter are learned.
    """

    def __init__(self, rate_hz: float, block_samples: int, new_segment_s: float) -> None:
        self._declared_period = self.period_s = 1.0 / rate_hz
        self._limit_s = new_segment_s
        self._block_s = block_samples / rate_hz
        self._briefest = max(2, -(-LASTING_SAMPLES // block_samples))
        self._latest = max(self._briefest, round(LATEST_S / self._block_s))
        self._most_turn = round(MOST_TURN_S / self._block_s)
        self.warmup_blocks = max(16, round(WARMUP_S / self._block_s))
        self._gain = self._block_s / JITTER_MEMORY_S
        self.level_s, self._rise = 0.0, DRIFT * self._block_s
        self._dip, self._dip_age = 0.0, 0
        self._mean = self._spread = self.jitter_s = 0.0
        self._recent: deque[tuple[int, float]] = deque()
        self.blocks = 0
        self.lost = 0
        self._stall = 0.0
        self._run, self._check_at = 0, 0
        self._lows: deque[float] = deque(maxlen=self._latest)
        self._before, self._turn, self._turns = math.inf, 0, 0.0
        self._backward = 0
        self._forgiven_s = 0.0
        self._loss_s, self._loss_run, self._loss_block = math.inf, 0, 0
        self._set_limits()

    @property
    def resolution_s(self) -> float:
        """Smallest loss that can be seen now, seconds."""
        return math.ceil((self._suspect + NOISE_JITTERS * self.jitter_s) / self.period_s) * self.period_s

    def learn(self, low: FloatArray, high: FloatArray, slope: float) -> list[Missing]:
        """Measure the jitter of the first two seconds, then judge those seconds by it.

        Parameters
        ----------
        low, high : ndarray, shape (n_blocks,)
            Smallest and largest delay of each block, seconds.
        slope : float
            Relative error of the declared period (:func:`evident_slope`).

        Returns
        -------
        list of Missing
        """
        quarter = len(low) // 4
        tilt = slope * self._block_s * np.arange(len(low))
        low, high = low - tilt, high - tilt
        self._start_jitter(low, high, quarter)
        falls = int((np.diff(low) < -self._fall_least).sum())
        if falls:
            self._turns = len(low) / (falls + 1)
            self._start_jitter(low, high, min(len(low), max(quarter, math.ceil(TURNS * self._turns))))
        self.level_s = float(low[:quarter].min())
        self._rise = (DRIFT + 0.1 * abs(slope)) * self._block_s
        followed = [self.follow(*pair) for pair in zip(low.tolist(), high.tolist(), strict=True)]
        tilted_s = slope * self._block_s * len(low)
        self.level_s += tilted_s
        self._before += tilted_s
        return [missing for missing in followed if missing is not None]

    def _start_jitter(self, low: FloatArray, high: FloatArray, n: int) -> None:
        """Measure the jitter of the first two seconds over so many blocks, where it is smallest: a loss would count as jitter."""
        above = min((high[i : i + n] - low[i : i + n].min() for i in range(0, len(low) - n + 1, n)), key=np.median)
        self._mean = float(np.median(above))
        self._spread = float(np.median(abs(above - self._mean)))
        self._set_limits()

    def follow(self, low: float, high: float) -> Missing | None:
        """Move floor and jitter by one block, and declare what has lasted.

        Parameters
        ----------
        low, high : float
            Smallest and largest delay in the block against the line that stamps are measured by, seconds.

        Returns
        -------
        Missing or None
            What is missing before the next sample; None where nothing is.
        """
        self.blocks += 1
        self._time_falls(low)
        lowest = self.level_s - self._back_s
        if low < lowest:
            if high < lowest:
                return self._step_back(high)
            low = self.level_s
        self._backward = 0
        self._measure_jitter(low, high)
        if low < self.level_s:
            self._fall(low)
        elif self._run <= self._reach:
            self.level_s = min(low, self.level_s + self._rise)
        above = low - self.level_s
        if above > self._suspect:
            self._run += 1
            self._lows.append(above)
            if self._run >= self._check_at and self._run >= self._prompt:
                return self._judge_run()
        elif self._run:
            if self._run > self._stall:
                self._stall = float(self._run)
                self._set_limits()
            self._end_run()
        return None

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

    def _step_back(self, high: float) -> Missing | None:
        """A block that lies wholly before the clock: another clock, when it lasts."""
        self._backward += 1
        if self._backward < self._prompt:
            return None
        return Missing(None, f"clock stepped by {high - self.level_s:+.3f} s")

    def _measure_jitter(self, low: float, high: float) -> None:
        """One block more for the range of the delays; a single outlier counts little.

        Measured above the lowest of the recent blocks, not above the floor: else every step would count
        as jitter until it is declared.
        """
        recent, count = self._recent, self.blocks
        while recent and recent[-1][1] >= low:
            recent.pop()
        recent.append((count, low))
        while recent[0][0] <= count - self._reach:
            recent.popleft()
        above = min(high - recent[0][1], 2.0 * self.jitter_s + self._declared_period)
        gain = max(self._gain, 1.0 / (self.warmup_blocks + count))
        self._mean += gain * (above - self._mean)
        self._spread += gain * (abs(above - self._mean) - self._spread)
        if count % LIMITS_EVERY == 0:
            forget = 1.0 - LIMITS_EVERY * self._block_s / STALL_MEMORY_S
            self._stall *= forget
            self._forgiven_s *= forget
            self._set_limits()

    def _fall(self, low: float) -> None:
        """Lower the floor when a second block agrees; learn from a loss that was none."""
        if self.blocks < self._dip_age:
            fallen = max(low, min(self._dip, self.level_s))
            since = self.blocks - self._loss_block
            if self.level_s - fallen > 0.5 * self._loss_s and since <= 2 * self._loss_run:
                self._stall = max(self._stall, float(self._loss_run + since))
            self.level_s = fallen
        self._dip, self._dip_age = low, self.blocks + self._lasting

    def _judge_run(self) -> Missing | None:
        """Declare a rise that has lasted, unless it shrinks."""
        half = max(1, self._prompt // 2)
        if self._run >= self._lasting:
            half = max(1, self._lasting // 2)
            rise_s = self._lasting_rise(half, self._lasting, self._suspect)
        else:
            rise_s = self._lasting_rise(half, self._prompt, PROMPT_JITTERS * self.jitter_s)
        if rise_s > 0:
            return self._declare(rise_s)
        self._check_at = self._run + half
        if self._run < self._lasting:
            self._check_at = min(self._check_at, self._lasting)
        return None

    def _lasting_rise(self, half: int, wait: int, least_s: float) -> float:
        """Height in seconds of the last ``wait`` blocks above the floor; 0 where it is at most ``least_s``, or shrinks."""
        newest = list(islice(reversed(self._lows), wait))
        late, early = min(newest[:half]), min(newest[half:])
        rise_s = min(late, early)
        return 0.0 if rise_s <= least_s or early - late >= 0.25 * half * self._block_s else rise_s

    def _declare(self, rise_s: float) -> Missing | None:
        """Take a rise for a loss, or for another clock; None where it is less than a sample."""
        self._loss_s, self._loss_run, self._loss_block = rise_s, self._run, self.blocks
        self._end_run()
        lost = round(rise_s / self.period_s)
        if rise_s > self._limit_s:
            return Missing(None, f"clock stepped by {rise_s:+.3f} s")
        if not lost:
            return None
        self.level_s += lost * self.period_s
        self.lost += lost
        self._forgiven_s += rise_s
        self._set_limits()
        return Missing(lost, "clock stepped forward")

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

    def _end_run(self) -> None:
        """Nothing is suspicious any more."""
        self._run, self._check_at = 0, 0
        self._lows.clear()


def evident_slope(low: FloatArray, high: FloatArray, block_s: float) -> float:
    """Relative error of the declared period, where it explains far more than the jitter does; else 0.

    Medians of rises over half a second and over an eighth of it must agree: scattered losses raise only the first.

    Parameters
    ----------
    low, high : ndarray, shape (n_blocks,)
        Smallest and largest delay of each block of the first two seconds, seconds.
    block_s : float
        Length of a block, seconds.

    Returns
    -------
    float
    """
    quarter = len(low) // 4
    slope = float(np.median(low[quarter:] - low[:-quarter])) / (quarter * block_s)
    brief = max(1, quarter // 4)
    steady = float(np.median(low[brief:] - low[:-brief])) / (brief * block_s)
    tilt = slope * block_s * np.arange(len(low))
    jitter = float(np.quantile(high - tilt, 0.9) - np.quantile(low - tilt, 0.1))
    rise = abs(slope) * len(low) * block_s
    evident = rise > 3.0 * jitter + DRIFT / 2 * WARMUP_S and abs(steady - slope) < 0.5 * abs(slope)
    return slope if evident and slope > -0.9 else 0.0
