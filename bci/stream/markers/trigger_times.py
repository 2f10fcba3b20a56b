"""Trigger channels in time: each change with the stamp of its sample, and when that sample was taken.

A sender of blocks stamps its samples late by up to some tenths of a second, another block by another delay. The software's marker
of the same cue is not late with it. So a trigger is placed where the fit of the sender's clock has its sample
(:mod:`bci.engine.clock_fit`), by what is known when the change is: the same in files as live.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bci.engine.chunk import Chunk, FloatArray
from bci.engine.clock_fit import FittedClock
from bci.engine.continuity import ContinuitySettings
from bci.engine.stream_info import StreamInfo
from bci.stream.markers.trigger_edges import SETTLE, TriggerEdges

KEPT = 1024
"""Stamps of so many samples before a chunk are kept: a change is found when it has lasted some samples."""


class TriggerMark(NamedTuple):
    """A change of a trigger channel: its new level as text, its sample's raw stamp and when that was taken, seconds."""

    text: str
    stamp: float
    time_s: float


class TimedTriggers:
    """Markers from amplifier trigger channels (:class:`~bci.stream.markers.trigger_edges.TriggerEdges`), with both times.

    Parameters
    ----------
    info : StreamInfo
        Of the signal. Where its stamps count samples, they are the time.

    Attributes
    ----------
    columns : list of int
        Channels that are watched.
    """

    def __init__(self, info: StreamInfo) -> None:
        self._edges = TriggerEdges(info)
        self.columns = self._edges.columns
        fitted = bool(self.columns) and not info.sample_clock and 0 < info.rate_hz < float("inf")
        self._clock = FittedClock(info.rate_hz, ContinuitySettings().new_segment_s) if fitted else None
        self._count = 0
        self._stamps: FloatArray = np.empty(0)

    def __call__(self, chunk: Chunk) -> list[TriggerMark]:
        """Return the changes that are certain once these samples have come.

        Parameters
        ----------
        chunk : Chunk
            The next samples.

        Returns
        -------
        list of TriggerMark
        """
        if not self.columns or not len(chunk):
            return []
        first, at = self._count, 0
        self._count += len(chunk)
        self._stamps = np.concatenate([self._stamps[-KEPT:], chunk.stamps])
        numbers = np.arange(first, self._count, dtype=np.float64)
        found = []
        for text, number in self._edges(Chunk(chunk.data, numbers)):
            # Not by what the rest of the chunk tells: however samples are cut into chunks, the time is the same.
            certain = min(max(int(number) + SETTLE + 1 - first, at), len(chunk))
            self._scan(chunk.stamps[at:certain])
            at = certain
            found.append(self._mark(text, int(number), first + at))
        self._scan(chunk.stamps[at:])
        return found

    def finish(self) -> list[TriggerMark]:
        """The stream is over: what has not lasted long enough counts too."""
        return [self._mark(text, int(number), self._count) for text, number in self._edges.finish()]

    def _scan(self, stamps: FloatArray) -> None:
        if self._clock is not None:
            self._clock.scan(stamps)

    def _mark(self, text: str, number: int, scanned: int) -> TriggerMark:
        """A change that began with a sample, when so many have been scanned."""
        stamp = float(self._stamps[max(0, number - (self._count - len(self._stamps)))])
        return TriggerMark(text, stamp, stamp if self._clock is None else self._clock.taken_s(stamp, scanned - 1 - number))
