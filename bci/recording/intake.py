"""Take samples out of all inlets that are recorded, and note what is missing of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from bci.engine.chunk import FloatArray
from bci.errors import StreamLost
from bci.recording.recorded_stream import RecordedStream, lost_after
from bci.recording.recording_file import Values, memory_bytes
from bci.recording.write_queue import WriteQueue
from bci.stream.bus import Clock

PULLS = 64
"""The most pulls of one stream in a row: a flood must not keep the other streams from being taken in."""


class Intake:
    """Pull all inlets into the queue of what is written.

    Parameters
    ----------
    streams : sequence of RecordedStream
        It may grow meanwhile.
    queue : WriteQueue
    clock : Clock
    tell : callable
        Receives one line for whatever a person should know.

    Attributes
    ----------
    taken : int
        Samples of all streams that were taken in so far.
    """

    def __init__(self, streams: Sequence[RecordedStream], queue: WriteQueue, clock: Clock, tell: Callable[[str], None]) -> None:
        self._streams = streams
        self._queue = queue
        self._clock = clock
        self._tell = tell
        self._pulled = clock.now()
        self.taken = 0

    @property
    def pull_s(self) -> float:
        """How long ago the inlets were last pulled, seconds."""
        return self._clock.now() - self._pulled

    def run(self, ended: threading.Event, period_s: float) -> None:
        """Take in whatever the inlets hold, once a period, until the end.

        Parameters
        ----------
        ended : threading.Event
            Set when nothing is to be taken in any more.
        period_s : float
            Seconds.

        Raises
        ------
        RecordingError
            If there is no room for it in the queue.
        """
        while not ended.wait(period_s):
            self.pull_all()

    def pull_all(self) -> None:
        """Take in whatever the inlets hold.

        Raises
        ------
        RecordingError
            If there is no room for it in the queue.
        """
        self._pulled = self._clock.now()
        for stream in list(self._streams):
            # One pull may be limited in size, so pull until nothing comes, but not without end.
            for _ in range(PULLS):
                if not (stream.alive and self._pull(stream)):
                    break
            if stream.alive and stream.silence.begins(self._pulled):
                self._tell(f"{stream.name}: has sent nothing for more than a second, although it is connected; check its sender")

    def resume(self, stream: RecordedStream, before: RecordedStream, missing: str) -> None:
        """Tell, and note in the file, that one stream continues another one whose connection broke.

        Parameters
        ----------
        stream, before : RecordedStream
        missing : str
            What is missing between them, in words.
        """
        self._tell(
            f"{stream.name}: its connection broke and came back, so its recording continues: {missing}. "
            "Readers take both parts for one stream"
        )
        self._queue.note(stream.id, f"goes on with stream {before.id}, whose connection broke: {missing}")

    def _pull(self, stream: RecordedStream) -> bool:
        """Queue what one inlet holds; return whether it was anything. A stream that is lost ends, the others go on."""
        try:
            pulled = stream.inlet.pull(0.0)
        except StreamLost as error:
            self._lose(stream, error)
            return False
        if pulled is None:
            return False
        values, stamps = self._limited(stream, *pulled)
        size = memory_bytes(values, stamps)
        self._queue.require_room(size, f"{stream.name}'s sample {stream.samples}")
        self._note_interruptions(stream, stamps)
        stream.samples += len(stamps)
        self.taken += len(stamps)
        self._queue.samples(stream.id, values, stamps, size)
        return True

    def _lose(self, stream: RecordedStream, error: StreamLost) -> None:
        stream.alive = False
        self._tell(f"{stream.name}: lost after {stream.samples} samples ({error}); the other streams are still recorded")
        self._queue.note(stream.id, lost_after(stream.samples))
        stream.inlet.close()

    def _note_interruptions(self, stream: RecordedStream, stamps: FloatArray) -> None:
        """Note what is missing before samples that have come: the connection broke, or the sender was silent."""
        if stream.before is not None and len(stamps):
            missing_s = stream.silence.missing_s(stream.before.silence, stamps)
            self.resume(stream, stream.before, f"{missing_s:.2f} s of it are missing")
            stream.before = None
        silent_s = stream.silence.came(stamps, self._pulled)
        if silent_s:
            self._tell(f"{stream.name}: sends again after {silent_s:.1f} s")
            self._queue.note(stream.id, f"nothing came for {silent_s:.1f} s before sample {stream.samples}")

    def _limited(self, stream: RecordedStream, values: Values, stamps: FloatArray) -> tuple[Values, FloatArray]:
        """As much of what came as is recorded of this stream."""
        if stream.limit is None:
            return values, stamps
        told = stream.limit.left_out
        n = stream.limit.admitted(len(stamps), self._clock.now())
        if stream.limit.left_out and not told:
            self._tell(f"{stream.name}: sends more than is recorded of such a stream; the rest is counted and not recorded")
        return values[:n], stamps[:n]
