"""What waits to be written into a recording: a queue that is bounded in bytes, and the only code that touches the file."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from functools import partial

from bci.engine.chunk import FloatArray
from bci.errors import RecordingError
from bci.recording.recording_file import RecordingFile, Values
from bci.recording.settings import RecorderSettings
from bci.stream.bus import Clock


class WriteQueue:
    """Write jobs in the order in which they were put in, and keep the file in good order.

    Parameters
    ----------
    file : RecordingFile
        Closed by :meth:`close`.
    clock : Clock
        For the time between boundary chunks, and between two calls that put everything on the disk.
    settings : RecorderSettings
    """

    def __init__(self, file: RecordingFile, clock: Clock, settings: RecorderSettings) -> None:
        self._file = file
        self._clock = clock
        self._settings = settings
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._file_lock, self._count_lock = threading.Lock(), threading.Lock()
        self._waiting = 0
        self._last_boundary = self._last_sync = self._answered = clock.now()

    @property
    def waiting_bytes(self) -> int:
        """Bytes of samples that are not written yet."""
        return self._waiting

    @property
    def written_bytes(self) -> int:
        """Bytes that the file has."""
        return self._file.size

    @property
    def write_s(self) -> float:
        """How long ago the disk last answered, seconds."""
        return self._clock.now() - self._answered

    def declare(self, stream_id: int, header_xml: str) -> None:
        """Put in the header of a stream.

        Parameters
        ----------
        stream_id : int
            The identifier that the file must give it.
        header_xml : str
            The sender's full description; it was checked before.
        """
        self._jobs.put(partial(self._declare, stream_id, header_xml))

    def note(self, stream_id: int, text: str) -> None:
        """Put in a remark for a stream's footer.

        Parameters
        ----------
        stream_id : int
        text : str
        """
        self._jobs.put(partial(self._file.note, stream_id, text))

    def offset(self, stream_id: int, time_s: float, offset_s: float) -> None:
        """Put in one clock offset.

        Parameters
        ----------
        stream_id : int
        time_s : float
            When it was measured, seconds on the sender's clock.
        offset_s : float
            What must be added to the sender's stamps, seconds.
        """
        self._jobs.put(partial(self._file.write_offset, stream_id, time_s, offset_s))

    def require_room(self, size: int, where: str) -> None:
        """Refuse samples for which there is no room.

        Parameters
        ----------
        size : int
            Bytes that they take.
        where : str
            The stream and the sample at which the recording would end, for the message.

        Raises
        ------
        RecordingError
            If more bytes would wait than ``limit_bytes`` of the settings.
        """
        if self._waiting + size > self._settings.limit_bytes:
            raise RecordingError(
                f"the disk is slower than the streams: {self._waiting} bytes wait to be written, the limit is "
                f"{self._settings.limit_bytes}. The recording ends here; everything before {where} is kept. "
                "Record to a faster disk"
            )

    def samples(self, stream_id: int, values: Values, stamps: FloatArray, size: int) -> None:
        """Put in consecutive samples of one stream.

        Parameters
        ----------
        stream_id : int
        values : ndarray or list of list of str, shape (n_samples, n_channels)
        stamps : ndarray, shape (n_samples,)
            Raw stamps, seconds on the sender's clock.
        size : int
            Bytes that they take, as :meth:`require_room` was asked.
        """
        with self._count_lock:
            self._waiting += size
        self._jobs.put(partial(self._write_samples, stream_id, values, stamps, size))

    def end(self) -> None:
        """Let :meth:`run` return once everything that was put in before is written."""
        self._jobs.put(None)

    def run(self) -> None:
        """Write what is put in, until :meth:`end`.

        Raises
        ------
        RecordingError
            If something cannot be written.
        """
        while True:
            self._answered = self._clock.now()
            try:
                job = self._jobs.get(timeout=self._settings.period_s)
            except queue.Empty:
                self._maintain()
                continue
            if job is None:
                return
            self._write(job)
            self._maintain()

    def write_all(self) -> None:
        """Write what was put in until now, without waiting for more.

        Raises
        ------
        RecordingError
            If something cannot be written.
        """
        while not self._jobs.empty():
            if (job := self._jobs.get()) is not None:
                self._write(job)
        self._maintain()
        self._answered = self._clock.now()

    def close(self, notes: list[tuple[int, str]]) -> None:
        """Close the file.

        Parameters
        ----------
        notes : list of (int, str)
            Last remarks for the footers of streams: identifier and text.

        Raises
        ------
        RecordingError
            If the file cannot be closed in good order.
        """
        with self._file_lock:
            for stream_id, text in notes:
                self._file.note(stream_id, text)
            self._file.close()

    def _declare(self, stream_id: int, header_xml: str) -> None:
        """Write a stream's header; the file must count streams as the recorder does."""
        if self._file.add_stream(header_xml) != stream_id:
            raise RecordingError(f"stream {stream_id}: the file contains other streams than those that are recorded")

    def _write_samples(self, stream_id: int, values: Values, stamps: FloatArray, size: int) -> None:
        """Write one chunk, and free the room that it took."""
        self._file.write(stream_id, values, stamps)
        with self._count_lock:
            self._waiting -= size

    def _write(self, job: Callable[[], None]) -> None:
        with self._file_lock:
            job()

    def _maintain(self) -> None:
        """Write a boundary chunk, and put everything on the disk, where either is due."""
        now = self._clock.now()
        with self._file_lock:
            if now - self._last_boundary >= self._settings.boundary_every_s:
                self._file.boundary()
                self._last_boundary = now
            if now - self._last_sync >= self._settings.sync_every_s:
                self._file.sync()
                self._last_sync = now
