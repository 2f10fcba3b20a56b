"""Stamps from a sample counter, on our clock: no jitter of arrival, and no drift.

Samples of a network stream arrive late by a varying amount, never early. So the count gives the step, and the
earliest arrivals of the last seconds (the lower envelope of arrival minus count) say where the count lies on our
clock. The slope of that envelope over the last minutes is the difference between true and nominal rate. What is left is
corrected so slowly that, at the nominal rate, each step of the stamps stays one period to a thousandth of it.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from bci.engine.chunk import FloatArray

SLEW = 8e-4
"""Largest correction, as a part of the time that passes: 800 ppm."""
SPAN_S = 4.0
"""The earliest arrival of the last one to two spans counts."""
FOLLOW_S = 10.0
"""Time constant with which a clock that is early is corrected: even the earliest arrival is a little late by chance."""
LEARN_SPANS = 32
"""The rate is the slope over so many spans: two minutes."""
TRUST_S = 60.0
"""A slope over less than this counts for less."""
FASTEST = 6e-3
"""Largest difference of the rates: boards have been seen at 2200 ppm."""
JUMP_S = 1.0
"""A clock that is off by more than this for a whole span is set again, by whole samples: the sender paused."""


class ArrivalClock:
    """Stamps of counted samples.

    Parameters
    ----------
    rate_hz : float
        Nominal rate; the true one may differ by ``FASTEST``.
    """

    def __init__(self, rate_hz: float) -> None:
        self._rate = rate_hz
        self._index, self._time = 0, math.nan
        self._paused = False
        self._rate_off = 0.0
        self._spans: deque[tuple[float, float]] = deque(maxlen=LEARN_SPANS)
        self._before_s = self._lately_s = self._offset_s = math.inf
        self._since_s = 0.0

    @property
    def known(self) -> bool:
        """Whether a sample has come yet, so that times are known."""
        return math.isfinite(self._time)

    def time(self, index: int) -> float:
        """Stamp of a sample, as far as is known now.

        Parameters
        ----------
        index : int
            Number of the sample.

        Returns
        -------
        float
            Seconds; NaN before the first sample has come.
        """
        return self._time + (index - self._index) / self._rate

    def pause(self) -> None:
        """Note that the sender stopped counting: the time until its next sample is a gap."""
        self._paused = True

    def stamps(self, first: int, count: int, now_s: float) -> FloatArray:
        """Compute the stamps of consecutive samples that have come together.

        Parameters
        ----------
        first : int
            Number of the first one.
        count : int
            Number of samples, at least one.
        now_s : float
            When the newest arrived, seconds on our clock.

        Returns
        -------
        ndarray, shape (count,)
            Seconds on our clock.
        """
        newest = first + count - 1
        if not self.known:
            self._index, self._time = newest, now_s
            self._judge_anew(now_s)
        late_s = now_s - self.time(newest)
        self._note(newest, late_s, now_s)
        jump_s = self._jump(late_s, now_s)
        drift_s = self._drift(count / self._rate)
        found = self.time(first - 1) + jump_s + np.arange(1, count + 1) * (1 / self._rate + drift_s / count)
        self._index, self._time = newest, float(found[-1])
        return np.asarray(found)

    def _drift(self, passed_s: float) -> float:
        """Seconds by which the clock is bent while so much time passes."""
        late_s = self._earliest_s
        wanted = late_s / passed_s if late_s < 0 else late_s / FOLLOW_S
        bent_s = min(max(wanted, -SLEW), SLEW) * passed_s
        self._move(bent_s)
        return self._rate_off * passed_s + bent_s

    @property
    def _earliest_s(self) -> float:
        """How late the earliest of the last samples was; negative where the clock is behind."""
        return min(self._before_s, self._lately_s)

    def _note(self, newest: int, late_s: float, now_s: float) -> None:
        """Remember the earliest of this span and of the one before."""
        if now_s - self._since_s >= SPAN_S:
            self._learn(now_s)
            self._before_s, self._lately_s, self._since_s = self._lately_s, late_s, now_s
            self._offset_s = math.inf
        self._lately_s = min(self._lately_s, late_s)
        self._offset_s = min(self._offset_s, now_s - newest / self._rate)

    def _learn(self, now_s: float) -> None:
        """Learn by how much the sender's rate is wrong, from the earliest arrivals of the last spans."""
        if not math.isfinite(self._offset_s):
            return  # the clock was set by the last sample before this
        self._spans.append((now_s, self._offset_s))
        times, offsets = np.array(self._spans).T
        one, other = np.triu_indices(len(times), 1)
        if len(one):
            # The median slope of all pairs (Theil 1950, Sen 1968): a stall or a pause does not bend it.
            off = float(np.median((offsets[other] - offsets[one]) / (times[other] - times[one])))
            trust = min((times[-1] - times[0]) / TRUST_S, 1.0)
            self._rate_off = min(max(off * trust, -FASTEST), FASTEST)

    def _jump(self, late_s: float, now_s: float) -> float:
        """Whole samples by which the clock is set, seconds."""
        # Late can be a burst that has yet to be drained, so it must last; early cannot be anything else.
        lasting = math.isfinite(self._before_s) and self._earliest_s > JUMP_S
        if self._paused:
            self._paused = False
            self._judge_anew(now_s)
            self._lately_s = late_s
            by_s = max(late_s, 0.0)
        elif lasting or self._earliest_s < -JUMP_S:
            by_s = self._earliest_s
        else:
            return 0.0
        self._spans.clear()
        self._offset_s = math.inf
        whole_s = round(by_s * self._rate) / self._rate
        self._move(whole_s)
        return whole_s

    def _move(self, by_s: float) -> None:
        """Move the clock; everything that was noted is then less late by the same amount."""
        self._before_s -= by_s
        self._lately_s -= by_s

    def _judge_anew(self, now_s: float) -> None:
        """Forget what was noted; the rate stays."""
        self._before_s = self._lately_s = self._offset_s = math.inf
        self._since_s = now_s
