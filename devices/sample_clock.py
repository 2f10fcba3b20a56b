"""Stamps from a board's sample counter: regular, without drift against our clock, and a gap where samples are lost.

Samples arrive in bursts (a USB dongle waits up to 16 ms, a busy machine longer), so their arrival says little
about when they were taken. But delays are one-sided: the earliest arrival of each second, relative to the sample
count, is the clock. A line through these minima is fitted by the growing-memory polynomial filter of degree one,
whose gains stop falling after ``MEMORY_S`` (Brookner, Tracking and Kalman Filtering Made Easy, 1998, ch. 7;
Morrison 1969): least squares over all minima at first, an exponential memory later. Stamps follow the line at
a limited rate of change, so that no step between samples ever looks like a loss.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import FloatArray

MEMORY_S = 60
TRUST_S = 8
"""The declared rate counts as much as this long a fit of it, so that a few late seconds do not bend the first stamps."""

LATE_S = 0.005
"""A second in which everything came later than this tells no more than that it was late."""

STEEPEST = 5e-4
"""Largest correction of the stamps' rate: half a millisecond a second."""


class CounterClock:
    """Line from sample index to our clock, from arrivals that are late by varying amounts.

    What cannot be known is the delay that every sample has (radio, USB): stamps are late by that much.

    Parameters
    ----------
    rate_hz : float
        As declared; the true one is found.
    settle_s : float
        Arrivals needed before there are stamps.
    """

    def __init__(self, rate_hz: float, settle_s: float = 1.0) -> None:
        self._declared = 1.0 / rate_hz
        self._second = max(1, round(rate_hz))
        self._settle = max(1, round(settle_s * rate_hz))
        self._first = -1
        self._earliest = math.inf
        self._bin = 0
        self._fits = 0
        self._period = self._declared
        self._at, self._time = 0, math.nan
        """The fitted line passes through here, with slope ``_period``."""
        self._shown_at, self._shown, self._slope = 0, math.nan, self._declared
        """The line that stamps are taken from."""

    @property
    def ready(self) -> bool:
        """Whether there are stamps."""
        return self._fits > 0

    @property
    def rate_hz(self) -> float:
        """The board's rate by our clock."""
        return 1.0 / self._period

    def arrived(self, index: int, time_s: float) -> None:
        """Note when the newest sample had arrived; its stamp should have been asked for before.

        The line of the stamps may bend here, so that what comes before and what comes after join.

        Parameters
        ----------
        index : int
            Number of the sample.
        time_s : float
            Seconds on our clock.
        """
        if self._first < 0:
            self._first = self._bin = self._at = index
            self._time = time_s
        delay = time_s - self._line(index)
        if not self.ready:
            self._earliest = min(self._earliest, delay)
            if index - self._first >= self._settle:
                self._begin(index)
            return
        if index - self._bin >= self._second:
            self._fit(index)
        self._earliest = min(self._earliest, delay)

    def lateness(self, index: int, time_s: float) -> float:
        """Compute how much later than expected a sample arrived.

        Parameters
        ----------
        index : int
            Number of the sample.
        time_s : float
            When it arrived, seconds on our clock.

        Returns
        -------
        float
            Seconds.
        """
        return time_s - self._line(index)

    def stamps(self, indices: npt.NDArray[np.int64]) -> FloatArray:
        """Compute the times at which samples were taken.

        Parameters
        ----------
        indices : ndarray, shape (n_samples,)
            Numbers of the samples.

        Returns
        -------
        ndarray, shape (n_samples,)
            Seconds on our clock.
        """
        return np.asarray(self._shown + (indices - self._shown_at) * self._slope, dtype=np.float64)

    def _line(self, index: int) -> float:
        return self._time + (index - self._at) * self._period

    def _begin(self, index: int) -> None:
        """The first line: the declared rate through the earliest arrival."""
        self._at, self._time = index, self._line(index) + self._earliest
        self._shown_at, self._shown = self._at, self._time
        self._fits = TRUST_S
        self._bin, self._earliest = index, math.inf

    def _fit(self, index: int) -> None:
        """Move the line by the earliest arrival of the second that has passed."""
        residual = min(self._earliest, LATE_S)
        seconds = (index - self._at) / self._second
        n = min(self._fits, MEMORY_S)
        self._at, self._time = index, self._line(index) + residual * 2 * (2 * n + 1) / ((n + 1) * (n + 2))
        self._period += residual * 6 / ((n + 1) * (n + 2)) / (self._second * seconds)
        self._follow(index)
        self._fits += 1
        self._bin, self._earliest = index, math.inf

    def _follow(self, index: int) -> None:
        """Bend the stamps towards the line, to meet it in two seconds at the earliest."""
        self._shown, self._shown_at = self._shown + (index - self._shown_at) * self._slope, index
        wanted = (self._time - self._shown) / (2 * self._second)
        limit = STEEPEST * self._declared
        self._slope = self._period + max(-limit, min(limit, wanted))
