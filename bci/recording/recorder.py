"""Record any number of streams into one XDF file: raw stamps, clock offsets, and no sample dropped without a message.

Three threads, so that none can hold up another: one pulls all inlets (:class:`~bci.recording.intake.Intake`), one measures clock
offsets, because LSL may take seconds to answer (:class:`~bci.recording.offset_measurement.OffsetMeasurement`), and one writes
(:class:`~bci.recording.write_queue.WriteQueue`). Between them is a queue that is bounded in bytes; where the disk is slower than
the streams for so long that the queue is full, the recording ends with an error, and the file contains everything up to there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Self

from bci.errors import BciError, RecordingError
from bci.recording.intake import Intake
from bci.recording.offset_measurement import OffsetMeasurement
from bci.recording.recorded_stream import BrokenConnection, RateLimit, RecordedStream
from bci.recording.recording_file import RecordingFile
from bci.recording.settings import RecorderSettings
from bci.recording.write_queue import WriteQueue
from bci.stream.bus import Clock, RawInlet


class Recorder:
    """Record inlets into a file.

    Parameters
    ----------
    file : RecordingFile
        Closed by :meth:`stop`.
    clock : Clock
        For the time between boundary chunks, and between measurements.
    settings : RecorderSettings
    tell : callable
        Receives one line for whatever a person should know (a stream was lost, a clock offset is unknown).

    Attributes
    ----------
    error : BciError or None
        Why recording ended before :meth:`stop`.

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
        self._streams: list[RecordedStream] = []
        self._add_lock = threading.Lock()
        self._pulls_end = threading.Event()
        self._queue = WriteQueue(file, clock, self._settings)
        self._intake = Intake(self._streams, self._queue, clock, tell)
        self._offsets = OffsetMeasurement(self._streams, self._queue, clock, self._settings, self._pulls_end)
        self._threads: dict[str, threading.Thread] = {}
        self._stopped = False
        self.error: BciError | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    @property
    def waiting_bytes(self) -> int:
        """Bytes that were pulled and are not written yet."""
        return self._queue.waiting_bytes

    @property
    def written_bytes(self) -> int:
        """Bytes that were written."""
        return self._queue.written_bytes

    @property
    def taken(self) -> int:
        """Number of samples of all streams that were taken in so far."""
        return self._intake.taken

    @property
    def write_s(self) -> float:
        """Time since the disk last answered, seconds; above a second or two the disk is stalled."""
        return self._queue.write_s

    @property
    def pull_s(self) -> float:
        """How long ago the inlets were last pulled, seconds."""
        return self._intake.pull_s

    @property
    def counts(self) -> dict[int, int]:
        """Number of samples that were taken in so far, by stream identifier."""
        return {s.id: s.samples for s in self._streams}

    @property
    def alive(self) -> dict[int, bool]:
        """Whether each stream is still being received, by stream identifier."""
        return {s.id: s.alive for s in self._streams}

    def add(self, inlet: RawInlet, name: str = "", limit: RateLimit | None = None, broken: BrokenConnection | None = None) -> int:
        """Record one more stream from now on. This never waits for the disk.

        Parameters
        ----------
        inlet : RawInlet
            Closed when the stream is lost, or by :meth:`stop`.
        name : str
            For messages.
        limit : RateLimit, optional
            How much of the stream is recorded; all of it where omitted.
        broken : BrokenConnection, optional
            Given where the stream was recorded before, from the same run of its sender, and its connection broke.

        Returns
        -------
        int
            Identifier of the stream in the file.

        Raises
        ------
        RecordingError
            If its header cannot be recorded, or the recording has ended.
        """
        self._file.check(inlet.header_xml)
        with self._add_lock:
            if self._stopped or self.error is not None:
                raise RecordingError(f"stream {name!r}: cannot be added, the recording has ended")
            stream_id = len(self._streams) + 1
            self._queue.declare(stream_id, inlet.header_xml)
            stream = RecordedStream(inlet, stream_id, name or f"stream {stream_id}", limit, self._clock.now())
            if broken is not None:
                self._continue(stream, broken)
            self._streams.append(stream)
        return stream_id

    def _continue(self, stream: RecordedStream, broken: BrokenConnection) -> None:
        """Note what is missing of a stream that was connected again; its clock is the one that it had."""
        before = self._streams[broken.stream_id - 1]
        stream.parts = before.parts
        stream.parts.append(stream)
        if before.offset is not None:
            self._offsets.keep(stream, before.offset)
        if stream.silence.rate_hz:
            stream.before = before  # the first sample tells what is missing
        else:
            self._intake.resume(stream, before, f"what it sent in {broken.gap_s:.1f} s is missing")

    def start(self) -> None:
        """Record in the background until :meth:`stop`."""
        jobs: dict[str, Callable[[], None]] = {
            "pull": partial(self._intake.run, self._pulls_end, self._settings.period_s),
            "offsets": self._offsets.run,
            "write": self._queue.run,
        }
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
        """Do once what the three threads do, one after another."""
        self._intake.pull_all()
        self._offsets.measure_due()
        self._queue.write_all()

    def stop(self) -> None:
        """Take in what was delivered until now, write everything, and close the file. May be called twice.

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
            self._guarded(self._intake.pull_all)
        self._queue.end()
        if writing is None:
            self._guarded(self._queue.run)
        else:
            writing.join()
        self._finish()
        if self.error is not None:
            raise self.error

    def _finish(self) -> None:
        """Note what stayed unknown, and close the file and all inlets."""
        try:
            self._queue.close(self._last_notes())
        except BciError as error:
            self.error = self.error or error
        for stream in self._streams:
            stream.inlet.close()

    def _last_notes(self) -> list[tuple[int, str]]:
        """Remarks for footers on what the file does not contain."""
        notes = []
        for stream in self._streams:
            if stream.offset is None:
                self._tell(f"{stream.name}: its clock offset was never measured; the file says so")
            if stream.limit and stream.limit.left_out and self.error is None:
                notes.append((stream.id, f"{stream.limit.left_out} samples above the limit for such a stream were not recorded"))
        return notes

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
