"""Record any number of streams into one XDF file: raw stamps, clock offsets, nothing dropped in silence.

Three threads, so that none can hold up another: one pulls all inlets, one measures clock offsets (LSL may
take seconds to answer), one writes. Between them is a queue bounded in bytes; where the disk is slower
than the streams for so long that it fills up, recording ends with an error, and the file holds everything
up to there.
"""

from __future__ import annotations

import math
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import FloatArray
from bci.errors import BciError, RecordingError, StreamLost
from bci.stream.bus import Clock, RawInlet

PULLS = 64
Values = npt.NDArray[Any] | list[list[str]]


class RecordingFile(Protocol):
    """What the recorder needs of a file; :class:`bci.stream.xdf_writer.XdfWriter` is it."""

    def add_stream(self, header_xml: str) -> int:
        """Declare a stream."""
        ...

    def write(self, stream_id: int, values: Values, stamps: FloatArray) -> None:
        """Write consecutive samples."""
        ...

    def write_offset(self, stream_id: int, time_s: float, offset_s: float) -> None:
        """Write one clock offset."""
        ...

    def note(self, stream_id: int, text: str) -> None:
        """Add a remark to the stream's footer."""
        ...

    def boundary(self) -> None:
        """Write a boundary chunk."""
        ...

    def sync(self) -> None:
        """Put everything on the disk."""
        ...

    def close(self) -> None:
        """Write footers, and close."""
        ...


@dataclass(frozen=True, slots=True)
class RecorderSettings:
    """How a recorder works.

    Parameters
    ----------
    period_s : float
        Time between two looks at the inlets: what comes in between becomes one chunk.
    offset_every_s, offset_timeout_s : float
        Time between two measurements of clock offsets, and how long each stream may take to answer.
    boundary_every_s, sync_every_s : float
        Time between boundary chunks, and between two calls to put everything on the disk.
    limit_bytes : int
        Most that may wait to be written.
    """

    period_s: float = 0.1
    offset_every_s: float = 5.0
    offset_timeout_s: float = 0.5
    boundary_every_s: float = 10.0
    sync_every_s: float = 1.0
    limit_bytes: int = 256 << 20


class _Recorded:
    """One stream being recorded."""

    def __init__(self, inlet: RawInlet, stream_id: int, name: str) -> None:
        self.inlet = inlet
        self.id = stream_id
        self.name = name
        self.samples = 0
        self.alive = True
        self.offset_known = False


class Recorder:
    """Record inlets into a file.

    Parameters
    ----------
    file : RecordingFile
        Closed by :meth:`stop`.
    clock : Clock
        For the time between boundaries, and between measurements.
    settings : RecorderSettings
    tell : callable
        Receives one line for whatever a person should know (a stream lost, an offset unknown).

    Notes
    -----
    Live: :meth:`start`, then :meth:`stop`. On a virtual clock: :meth:`poll` as often as samples should be
    taken in, then :meth:`stop`.
    """

    def __init__(
        self,
        file: RecordingFile,
        clock: Clock,
        settings: RecorderSettings | None = None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._file = file
        self._clock = clock
        self._settings = settings or RecorderSettings()
        self._tell = tell
        self._streams: list[_Recorded] = []
        self._file_lock = threading.Lock()
        self._count_lock = threading.Lock()
        self._queue: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._waiting = 0
        self._threads: dict[str, threading.Thread] = {}
        self._pulls_end = threading.Event()
        self._stopped = False
        self._last_boundary = self._last_sync = clock.now()
        self._last_offsets = -math.inf
        self.error: BciError | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    @property
    def waiting_bytes(self) -> int:
        """What has been pulled but not yet written."""
        return self._waiting

    @property
    def counts(self) -> dict[int, int]:
        """Samples taken in so far, by stream identifier."""
        return {s.id: s.samples for s in self._streams}

    @property
    def alive(self) -> dict[int, bool]:
        """Whether each stream is still being received."""
        return {s.id: s.alive for s in self._streams}

    def add(self, inlet: RawInlet, name: str = "") -> int:
        """Record one more stream from now on; its inlet is closed by :meth:`stop`.

        Returns
        -------
        int
            Its identifier in the file.

        Raises
        ------
        RecordingError
            If its header cannot be recorded, or the recorder has ended.
        """
        with self._file_lock:
            if self._stopped or self.error is not None:
                raise RecordingError(f"stream {name!r}: cannot be added, the recording has ended")
            stream_id = self._file.add_stream(inlet.header_xml)
            self._streams.append(_Recorded(inlet, stream_id, name or f"stream {stream_id}"))
        return stream_id

    def start(self) -> None:
        """Record in the background until :meth:`stop`."""
        jobs = {"pull": self._pull_loop, "offsets": self._offset_loop, "write": self._write_loop}
        for name, job in jobs.items():
            self._threads[name] = threading.Thread(target=self._guarded, args=(job,), name=f"recorder-{name}", daemon=True)
            self._threads[name].start()

    def poll(self) -> None:
        """Take in, measure and write once, without any thread (virtual clock).

        Raises
        ------
        RecordingError
            If what came in cannot be written.
        """
        self._guarded(self._poll)
        if self.error is not None:
            raise self.error

    def _poll(self) -> None:
        """What the three threads do, one after another."""
        self._pull_all()
        if self._clock.now() - self._last_offsets >= self._settings.offset_every_s:
            self._last_offsets = self._clock.now()
            self._measure_all()
        while not self._queue.empty():
            self._write(self._queue.get())
        self._keep_house()

    def stop(self) -> None:
        """Take in what has been delivered until now, write everything, close the file. May be called twice.

        Raises
        ------
        RecordingError
            If recording failed, now or before.
        """
        if self._stopped:
            return
        self._stopped = True
        self._pulls_end.set()
        writing = self._threads.pop("write", None)
        for thread in self._threads.values():
            thread.join()
        if self.error is None:
            self._guarded(self._pull_all)
        self._queue.put(None)
        if writing is None:
            self._guarded(self._write_loop)
        else:
            writing.join()
        self._finish()
        if self.error is not None:
            raise self.error

    def _finish(self) -> None:
        """Note what stayed unknown, close the file and all inlets."""
        with self._file_lock:
            try:
                for stream in self._streams:
                    if not stream.offset_known:
                        self._tell(f"{stream.name}: its clock offset was never measured; the file says so")
                self._file.close()
            except BciError as error:
                self.error = self.error or error
        for stream in self._streams:
            stream.inlet.close()

    def _guarded(self, job: Callable[[], None]) -> None:
        """Run the top of a thread; whatever ends it is kept for the caller, who would not see it otherwise."""
        try:
            job()
        except BciError as error:
            self._fail(error)
        except Exception as error:
            self._fail(RecordingError(f"recording failed: {type(error).__name__}: {error}"))

    def _fail(self, error: BciError) -> None:
        """End the recording for a reason; what was pulled is still written where possible."""
        if self.error is None:
            self.error = error
            self._tell(str(error))
        self._pulls_end.set()

    def _pull_loop(self) -> None:
        """Take in whatever the inlets hold, once a period."""
        while not self._pulls_end.wait(self._settings.period_s):
            self._pull_all()

    def _pull_all(self) -> None:
        """Take in whatever the inlets hold."""
        for stream in list(self._streams):
            # One pull may be limited in size, so pull until nothing comes; but a flood must not starve the others.
            for _ in range(PULLS):
                if not (stream.alive and self._pull(stream)):
                    break

    def _pull(self, stream: _Recorded) -> bool:
        """Queue what one inlet holds, and say whether it was anything; a stream that is lost ends, the others go on."""
        try:
            pulled = stream.inlet.pull(0.0)
        except StreamLost as error:
            stream.alive = False
            count = stream.samples
            self._tell(f"{stream.name}: lost after {count} samples ({error}); the other streams are recorded on")
            self._queue.put(lambda: self._file.note(stream.id, f"stream lost after {count} samples"))
            return False
        if pulled is None:
            return False
        values, stamps = pulled
        size = _bytes(values, stamps)
        if self._waiting + size > self._settings.limit_bytes:
            raise RecordingError(
                f"the disk is slower than the streams: {self._waiting} bytes wait to be written, the limit is "
                f"{self._settings.limit_bytes}. Recording ends here; everything before {stream.name}'s sample {stream.samples} "
                "is kept. Record to a faster disk"
            )
        stream.samples += len(stamps)
        with self._count_lock:
            self._waiting += size
        self._queue.put(lambda: self._write_samples(stream.id, values, stamps, size))
        return True

    def _write_samples(self, stream_id: int, values: Values, stamps: FloatArray, size: int) -> None:
        """Write one chunk and give its bytes back to the queue."""
        self._file.write(stream_id, values, stamps)
        with self._count_lock:
            self._waiting -= size

    def _offset_loop(self) -> None:
        """Measure all clock offsets, once an interval; new streams, and those that did not answer yet, again and again."""
        while True:
            everyone = self._clock.now() - self._last_offsets >= self._settings.offset_every_s
            if everyone:
                self._last_offsets = self._clock.now()
            self._measure_all(everyone)
            if self._pulls_end.wait(2 * self._settings.period_s):
                return

    def _measure_all(self, everyone: bool = True) -> None:
        """Queue one clock offset for each stream that answers; an unknown one is never made up."""
        for stream in list(self._streams):
            if not stream.alive or self._pulls_end.is_set() or (stream.offset_known and not everyone):
                continue
            try:
                measured = stream.inlet.time_correction(self._settings.offset_timeout_s)
            except StreamLost:
                continue  # the pull says so
            if measured is not None and all(map(math.isfinite, measured)):
                stream.offset_known = True
                time_s, offset_s = measured
                self._queue.put(lambda i=stream.id, t=time_s, o=offset_s: self._file.write_offset(i, t, o))  # type: ignore[misc]

    def _write_loop(self) -> None:
        """Write what is queued, until the end of the queue."""
        while True:
            try:
                job = self._queue.get(timeout=self._settings.period_s)
            except queue.Empty:
                self._keep_house()
                continue
            if job is None:
                return
            self._write(job)
            self._keep_house()

    def _write(self, job: Callable[[], None] | None) -> None:
        """Do one queued write."""
        if job is not None:
            with self._file_lock:
                job()

    def _keep_house(self) -> None:
        """Boundary chunks and disk syncs when they are due."""
        now = self._clock.now()
        with self._file_lock:
            if now - self._last_boundary >= self._settings.boundary_every_s:
                self._file.boundary()
                self._last_boundary = now
            if now - self._last_sync >= self._settings.sync_every_s:
                self._file.sync()
                self._last_sync = now


def _bytes(values: Values, stamps: FloatArray) -> int:
    """Memory that pulled samples take, roughly for strings."""
    if isinstance(values, np.ndarray):
        return int(values.nbytes + stamps.nbytes)
    return int(stamps.nbytes + sum(64 + len(text) for row in values for text in row))
