"""From raw stamps to segments and indices: what was lost, what was bridged, and where time begins anew.

Every raw row comes out exactly once, unaltered and in order. Lost samples advance the index. Up to
40 ms of them are replaced by a straight line between their neighbours and marked; after more the next
piece simply begins at a later index, and whoever filters must restart. How losses are seen, and how
late, is told in :mod:`bci.engine.clock_fit`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bci.engine.chunk import BoolArray, Chunk, FloatArray
from bci.engine.clock_fit import FittedClock
from bci.engine.stamp_clock import CountedClock, MissingSamples, StampClock
from bci.errors import ConfigError


@dataclass(frozen=True, slots=True)
class ContinuitySettings:
    """Settings for the treatment of lost samples.

    Parameters
    ----------
    bridge_s : float
        Losses up to this are interpolated; 0 for none.
    new_segment_s : float
        A lasting forward step beyond this is not a loss but the start of a new segment.
    """

    bridge_s: float = 0.040
    new_segment_s: float = 10.0

    def __post_init__(self) -> None:
        problems = []
        if not 0 <= self.bridge_s <= 1:
            problems.append(f"bridge_s = {self.bridge_s}: must be between 0 and 1")
        if not 0 < self.new_segment_s < math.inf or self.new_segment_s <= self.bridge_s:
            problems.append(f"new_segment_s = {self.new_segment_s}: must be finite and more than bridge_s = {self.bridge_s}")
        if problems:
            raise ConfigError(problems)


@dataclass(frozen=True, slots=True)
class Discontinuity:
    """A place that no window may reach across.

    Parameters
    ----------
    consumed : int
        Raw samples of the stream before it.
    segment, index : int
        Place of the first sample after it.
    lost : int or None
        Samples lost here; None where unknown.
    why : str
        ``"gap: …"`` or ``"segment: …"``, for people to read.
    """

    consumed: int
    segment: int
    index: int
    lost: int | None
    why: str


class Continuity:
    """Segment, index and loss for each raw sample of one stream.

    A pure function of the sequence of raw samples: however it is cut into chunks, the concatenated
    pieces are the same bit for bit.

    Parameters
    ----------
    rate_hz : float
        Declared rate.
    sample_clock : bool
        Whether the sender computes its stamps from the sample count, so that a jump of k periods is k
        lost samples. Otherwise losses are found by a fit of the sender's clock.
    settings : ContinuitySettings

    Attributes
    ----------
    consumed : int
        Raw samples so far.
    segment, index : int
        Where the next sample will be, if nothing is lost before it.
    lost : int
        Samples declared lost so far, the bridged ones included.
    bridged : int
        Interpolated samples so far.
    """

    def __init__(self, rate_hz: float, sample_clock: bool = False, settings: ContinuitySettings | None = None) -> None:
        if not 0 < rate_hz < math.inf:
            raise ConfigError(
                f"rate_hz = {rate_hz}: must be a positive, finite number; a stream without a rate has no continuity"
            )
        self.settings = settings or ContinuitySettings()
        self.declared_rate_hz = rate_hz
        self.consumed = 0
        self.segment = 0
        self.index = 0
        self.lost = 0
        self.bridged = 0
        self._clock: StampClock = (CountedClock if sample_clock else FittedClock)(rate_hz, self.settings.new_segment_s)
        self._bridge = math.floor(self.settings.bridge_s * rate_hz + 1e-9)
        self._row: FloatArray = np.empty(0)
        self._stamp = math.nan
        self._discontinuities: list[Discontinuity] = []

    @property
    def rate_hz(self) -> float:
        """Measured rate over the last 10 s, Hz; the declared one until there are 10 s."""
        return self._clock.timeline.rate_hz

    @property
    def rate_error(self) -> float:
        """Measured over declared rate, minus one; -0.6 for a stream that runs at 50 instead of 125 Hz."""
        return self.rate_hz / self.declared_rate_hz - 1.0

    @property
    def resolution_s(self) -> float:
        """Smallest loss that can be seen now, seconds; infinite while nothing can be seen yet."""
        return self._clock.resolution_s

    def time_of(self, index: float) -> float:
        """Sender's clock when sample ``index`` of the current segment was taken, seconds.

        Follows drift and leaves out jitter: the lower envelope of the stamps. Samples more than a minute
        old are extrapolated.
        """
        return self._clock.timeline.time_of(index)

    @property
    def newest_s(self) -> float:
        """Fitted time of the newest sample, seconds on the sender's clock; NaN before there is one."""
        return self.time_of(self.index - 1) if self.index else math.nan

    def take_discontinuities(self) -> list[Discontinuity]:
        """Gaps and new segments since the last call."""
        taken, self._discontinuities = self._discontinuities, []
        return taken

    def push(self, chunk: Chunk) -> list[Chunk]:
        """Place the next raw samples.

        Parameters
        ----------
        chunk : Chunk
            Raw samples; its ``segment``, ``start`` and ``bridged`` are ignored. May be empty.

        Returns
        -------
        list of Chunk
            Pieces with ``segment``, ``start`` and ``bridged`` set. A piece that begins where the one
            before ended, in the same segment, continues it.
        """
        n = len(chunk)
        if not n:
            return []
        steps = self._clock.scan(chunk.stamps)
        pieces = self._cut(chunk, steps) if steps else [self._place([(chunk.data, chunk.stamps, None)])]
        self.consumed += n
        self._row = chunk.data[-1].copy()
        self._stamp = float(chunk.stamps[-1])
        return pieces

    def _cut(self, chunk: Chunk, steps: list[MissingSamples]) -> list[Chunk]:
        """Pieces of a chunk in which something is missing."""
        pieces: list[Chunk] = []
        parts: list[_Part] = []
        done = 0
        for at, lost, why in steps:
            if at > done:
                parts.append((chunk.data[done:at], chunk.stamps[done:at], None))
                done = at
            self.lost += lost or 0
            if lost is not None and lost <= self._bridge:
                parts.append(self._line(chunk, at, lost))
                continue
            if parts:
                pieces.append(self._place(parts))
                parts = []
            self._step(self.consumed + at, lost, why)
        parts.append((chunk.data[done:], chunk.stamps[done:], None))
        pieces.append(self._place(parts))
        return pieces

    def _step(self, consumed: int, lost: int | None, why: str) -> None:
        """Advance the index by a gap, or begin a segment."""
        if lost is None:
            self.segment += 1
            self.index = 0
        else:
            self.index += lost
        kind = "segment" if lost is None else "gap"
        self._discontinuities.append(Discontinuity(consumed, self.segment, self.index, lost, f"{kind}: {why}"))

    def _line(self, chunk: Chunk, at: int, lost: int) -> _Part:
        """Lost samples before ``at``, on a straight line between their neighbours."""
        before = chunk.data[at - 1] if at else self._row
        stamp = float(chunk.stamps[at - 1]) if at else self._stamp
        share = np.arange(1, lost + 1) / (lost + 1)
        # A neighbour that is no number makes its line no number, as it should; that is no cause for a warning.
        with np.errstate(invalid="ignore", over="ignore"):
            rows = before + share[:, None] * (chunk.data[at] - before)
            stamps = stamp + share * (chunk.stamps[at] - stamp)
        self.bridged += lost
        return rows, stamps, np.ones(lost, dtype=bool)

    def _place(self, parts: list[_Part]) -> Chunk:
        """One piece from consecutive parts, at the current index."""
        start = self.index
        if len(parts) == 1 and parts[0][2] is None:
            data, stamps, _ = parts[0]
            bridged = None
        else:
            data = np.concatenate([p[0] for p in parts])
            stamps = np.concatenate([p[1] for p in parts])
            bridged = np.concatenate([np.zeros(len(p[1]), dtype=bool) if p[2] is None else p[2] for p in parts])
        self.index += len(stamps)
        return Chunk(data, stamps, self.segment, start, bridged)


_Part = tuple[FloatArray, FloatArray, BoolArray | None]
