"""Measure the clock offsets of all streams that are recorded, again and again."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence

from bci.errors import StreamLost
from bci.recording.recorded_stream import RecordedStream
from bci.recording.settings import RecorderSettings
from bci.recording.write_queue import WriteQueue
from bci.stream.bus import Clock


class OffsetMeasurement:
    """Put the clock offset of each stream into the queue of what is written; an unknown one is never made up.

    Parameters
    ----------
    streams : sequence of RecordedStream
        It may grow meanwhile.
    queue : WriteQueue
    clock : Clock
        For the time between measurements.
    settings : RecorderSettings
    ended : threading.Event
        Set when nothing is to be measured any more.
    """

    def __init__(
        self,
        streams: Sequence[RecordedStream],
        queue: WriteQueue,
        clock: Clock,
        settings: RecorderSettings,
        ended: threading.Event,
    ) -> None:
        self._streams = streams
        self._queue = queue
        self._clock = clock
        self._settings = settings
        self._ended = ended
        self._last = -math.inf

    def run(self) -> None:
        """Measure until the end: all streams once an interval; those that have not answered yet more often."""
        while True:
            due = self._due()
            self._measure(due)
            if self._ended.wait(2 * self._settings.period_s):
                return

    def measure_due(self) -> None:
        """Measure all streams where the interval is over."""
        if self._due():
            self._measure(True)

    def _due(self) -> bool:
        """Whether the interval is over; the next one begins then."""
        now = self._clock.now()
        if now - self._last < self._settings.offset_every_s:
            return False
        self._last = now
        return True

    def _measure(self, everyone: bool) -> None:
        """Measure every stream, or only those that have not answered yet.

        The first call asks the sender, whose answers take 0.6 s. Nothing waits for them here: a stream that does not answer
        would hold up the next one, and a part of a recording may be over within a second.
        """
        for stream in list(self._streams):
            if not stream.alive or self._ended.is_set() or (stream.offset and not everyone):
                continue
            try:
                measured = stream.inlet.time_correction(0.0)
            except StreamLost:
                continue  # the pull tells
            if measured is not None and all(map(math.isfinite, measured)):
                self.keep(stream, measured)

    def keep(self, stream: RecordedStream, measured: tuple[float, float]) -> None:
        """Put in one clock offset of a stream, also for parts of it that were too short to be measured.

        Parameters
        ----------
        stream : RecordedStream
        measured : tuple of float
            When it was measured on the sender's clock, and the offset, seconds.
        """
        for part in list(stream.parts):
            if part is stream or part.offset is None:
                part.offset = measured
                self._queue.offset(part.id, *measured)
