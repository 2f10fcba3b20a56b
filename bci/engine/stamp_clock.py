"""What a clock says about raw stamps, the time line it keeps, and the clock of stamps that count samples."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import deque
from typing import NamedTuple, Protocol

from bci.engine.chunk import FloatArray

HISTORY_S = 256
RATE_SPAN_S = 10
STARVED_SHARE = 0.2
LASTING_SAMPLES = 8
MAX_STAMP_S = 1e12


class MissingSamples(NamedTuple):
    """Something is missing before one of the scanned stamps.

    Time may be impossible to relate across it, which begins a new segment.

    Parameters
    ----------
    at : int
        Index of that stamp among the scanned ones.
    lost : int or None
        Number of samples; None for a new segment.
    why : str
        What was seen, for a person.
    """

    at: int
    lost: int | None
    why: str


class StampClock(Protocol):
    """The interface of a clock that :class:`bci.engine.continuity.Continuity` uses."""

    timeline: SenderTimeline

    @property
    def resolution_s(self) -> float:
        """Smallest loss that can be seen now, seconds; infinite while nothing can be seen."""
        ...

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
        ...

    def taken_s(self, stamp: float, ago: int) -> float:
        """Tell when a sample was taken.

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
        ...


class SenderTimeline:
    """The sender's clock at about one sample a second of the current segment.

    Parameters
    ----------
    rate_hz : float
        Declared rate.
    """

    def __init__(self, rate_hz: float) -> None:
        self._period = 1.0 / rate_hz
        self._declared_hz = rate_hz
        self._points: deque[tuple[int, int, float]] = deque(maxlen=HISTORY_S)
        self.restart(0.0)

    def restart(self, origin: float) -> None:
        """Begin a segment; the rate is forgotten.

        Parameters
        ----------
        origin : float
            Stamp of its first sample, seconds.
        """
        self._points.clear()
        self._points.append((0, 0, origin))
        self.rate_span_s = RATE_SPAN_S
        self._seconds = 0
        self._starved = 0

    def mark(self, raw: int, index: int, time_s: float) -> None:
        """Note when one sample was taken.

        Parameters
        ----------
        raw : int
            Which raw sample of the segment it is.
        index : int
            Its index, lost samples counted.
        time_s : float
            When it was taken, seconds on the sender's clock.
        """
        last = self._points[-1]
        self._seconds += 1
        if index > last[1] and 1.0 - (raw - last[0]) / (index - last[1]) > STARVED_SHARE:
            self._starved += 1
        self._points.append((raw, index, time_s))

    def slope(self, spans: int) -> float:
        """Measured time between two samples.

        Parameters
        ----------
        spans : int
            Over how many of the last marks it is measured.

        Returns
        -------
        float
            Seconds per index; NaN if there are fewer marks or samples were lost.
        """
        if self._seconds < spans or spans >= len(self._points):
            return math.nan
        first, last = self._points[-1 - spans], self._points[-1]
        if last[1] - first[1] != last[0] - first[0]:
            return math.nan
        return (last[2] - first[2]) / (last[1] - first[1])

    @property
    def rate_hz(self) -> float:
        """Measured rate over the last 10 s; the declared one until then.

        Declared losses do not lower it, unless more than a fifth was missing in four seconds of five
        since the segment began: then the declared rate is wrong, and what looks like loss is not.
        """
        if self._seconds < self.rate_span_s:
            return self._declared_hz
        first, last = self._points[-1 - self.rate_span_s], self._points[-1]
        column = 0 if self._starved >= 0.8 * self._seconds else 1
        elapsed = last[2] - first[2]
        return (last[column] - first[column]) / elapsed if elapsed > 0 else math.inf

    def time_of(self, index: float) -> float:
        """Tell the time of an index; interpolated between marks, extended beyond them.

        Parameters
        ----------
        index : float
            Counted from the beginning of the segment, lost samples included.

        Returns
        -------
        float
            Seconds on the sender's clock.
        """
        points = self._points
        if len(points) < 2:
            return points[0][2] + (index - points[0][1]) * self._period
        i = min(max(bisect_left(points, index, key=lambda p: p[1]), 1), len(points) - 1)
        (_, i0, t0), (_, i1, t1) = points[i - 1], points[i]
        return t1 + (index - i1) * ((t1 - t0) / (i1 - i0))


class CountedClock:
    """Stamps computed from the sample count: a jump of k periods is k lost samples, known at once.

    Each stamp is compared with the one before, so slow drift of the rate does no harm. A stamp that is
    more than half a period early is passed over; the clock has stepped back when eight in a row are.

    Parameters
    ----------
    rate_hz : float
        Declared rate.
    new_segment_s : float
        A jump beyond this, seconds, is no loss but another clock.
    """

    def __init__(self, rate_hz: float, new_segment_s: float) -> None:
        self.timeline = SenderTimeline(rate_hz)
        self._rate = rate_hz
        self._period = 1.0 / rate_hz
        self._limit = new_segment_s * rate_hz
        self._every = max(1, round(rate_hz))
        self._last = math.nan
        self._untimed = True
        self._raw = 0
        self._lost = 0
        self._early = 0

    @property
    def resolution_s(self) -> float:
        """One sample."""
        return self._period

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
        n = len(stamps)
        if n > 1 and not self._untimed and not self._early and self._regular(stamps):
            self._mark_many(stamps)
            self._raw += n
            self._last = float(stamps[-1])
            return []
        steps = []
        for at, stamp in enumerate(stamps.tolist()):
            step = self._one(at, stamp)
            if step is not None:
                steps.append(step)
        return steps

    def taken_s(self, stamp: float, ago: int) -> float:
        """Tell when a sample was taken: at its stamp.

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
        return stamp

    def _regular(self, stamps: FloatArray) -> bool:
        """Whether every stamp follows the one before by one period, within half of it."""
        if not (abs(stamps) < MAX_STAMP_S).all():
            return False
        first = (float(stamps[0]) - self._last) * self._rate - 1.0
        return abs(first) < 0.5 and bool((abs((stamps[1:] - stamps[:-1]) * self._rate - 1.0) < 0.5).all())

    def _mark_many(self, stamps: FloatArray) -> None:
        """Marks of the timeline, at the same samples as one by one."""
        for raw in range(-(-self._raw // self._every) * self._every, self._raw + len(stamps), self._every):
            if raw:
                self.timeline.mark(raw, raw + self._lost, float(stamps[raw - self._raw]))

    def _one(self, at: int, stamp: float) -> MissingSamples | None:
        """Take one stamp."""
        step = self._judge(at, stamp)
        if step is not None and step.lost is None:
            self._restart(stamp)
        elif self._raw and self._raw % self._every == 0 and not self._untimed:
            self.timeline.mark(self._raw, self._raw + self._lost, self._last)
        self._raw += 1
        return step

    def _judge(self, at: int, stamp: float) -> MissingSamples | None:
        """Compare one stamp with the one before."""
        if not abs(stamp) < MAX_STAMP_S:
            if self._untimed:
                return None
            self._untimed = True
            return MissingSamples(at, None, "stamp is not a time")
        if self._untimed:
            self._untimed, self._last = False, stamp
            self.timeline.restart(stamp - self._raw * self._period)
            return None
        ahead = (stamp - self._last) * self._rate - 1.0
        if abs(ahead) > self._limit:
            return MissingSamples(at, None, f"clock stepped by {ahead * self._period:+.3f} s")
        if ahead <= -0.5:
            self._early += 1
            self._last += self._period
            return (
                MissingSamples(at, None, f"clock stepped by {ahead * self._period:+.3f} s")
                if self._early >= LASTING_SAMPLES
                else None
            )
        self._last, self._early = stamp, 0
        if ahead < 0.5:
            return None
        lost = max(1, round(ahead))
        self._lost += lost
        return MissingSamples(at, lost, "stamps jumped")

    def _restart(self, stamp: float) -> None:
        """Begin a segment with the sample that has this stamp."""
        self._raw = self._lost = self._early = 0
        if not self._untimed:
            self._last = stamp
            self.timeline.restart(stamp)
