"""Record LSL streams that match: those that are there, and those that come later."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from bci.errors import RecordingError, StreamLost, StreamNotFound
from bci.stream.clock import LslClock
from bci.stream.discovery import meant, not_found
from bci.stream.lsl import FoundStream, LslRawInlet, StreamQuery, Watcher
from bci.stream.recorder import Recorder, RecorderSettings
from bci.stream.sidecar import sidecar_path
from bci.stream.xdf_writer import XdfWriter

POLL_S = 0.1
RETRY_S = 2.0


class LslWatch:
    """Streams that match any of several queries, looked for all the time.

    Parameters
    ----------
    queries : sequence of StreamQuery
    """

    def __init__(self, queries: Sequence[StreamQuery]) -> None:
        self.queries = tuple(queries)
        self._watcher = Watcher(*queries)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def found(self) -> list[FoundStream]:
        """Streams in reach, each once, in a stable order."""
        return sorted(self._watcher.found(), key=lambda s: (s.host, s.name, s.source_id))

    def has(self, query: StreamQuery) -> bool:
        """Whether a stream in reach is meant."""
        return any(meant(query, s) for s in self.found())

    def wait(
        self,
        required: Sequence[StreamQuery],
        timeout_s: float,
        cancelled: Callable[[], bool] = lambda: False,
        option: str = "",
    ) -> None:
        """Return when every required stream is in reach; without any required, when at least one is.

        Parameters
        ----------
        required : sequence of StreamQuery
        timeout_s : float
            0: do not wait for a first stream.
        cancelled : callable
            Return early where this turns true.
        option : str
            With which one of them is done without, for the message.

        Raises
        ------
        StreamNotFound
            If one is missing after ``timeout_s``; says what was searched and what was seen.
        """
        end = time.monotonic() + timeout_s
        while not cancelled():
            seen = self.found()
            missing = [query for query in required if not any(meant(query, s) for s in seen)]
            if not missing and (seen or (not required and timeout_s == 0)):
                return
            if time.monotonic() >= end:
                raise not_found(missing or self.queries, timeout_s, option if missing else "")
            time.sleep(POLL_S)

    def close(self) -> None:
        """Stop looking. May be called twice."""
        self._watcher.close()


class LslRecording:
    """One file into which all streams of a watch are recorded.

    Parameters
    ----------
    path : Path
        Must not exist.
    watch : LslWatch
        Not closed with the recording.
    tell : callable
        Receives one line for whatever a person should know.
    subscribed : callable
        Called with each stream when it has been added.
    settings : RecorderSettings
    without : sequence of StreamQuery
        Streams that were asked for and were not there at the start, for the file's header.

    Raises
    ------
    RecordingError
        If the file cannot be made.
    """

    def __init__(
        self,
        path: Path,
        watch: LslWatch,
        tell: Callable[[str], None] = lambda _: None,
        subscribed: Callable[[FoundStream], None] = lambda _: None,
        settings: RecorderSettings | None = None,
        without: Sequence[StreamQuery] = (),
    ) -> None:
        self.path = path
        self._watch = watch
        self._tell = tell
        self._subscribed = subscribed
        self.streams: list[FoundStream] = []
        self._settled: set[str] = set()
        self._retry_s: dict[str, float] = {}
        created = datetime.now().astimezone().isoformat(timespec="seconds")
        self.writer = XdfWriter(path, created, without=[query.words() for query in without])
        self.recorder = Recorder(self.writer, LslClock(), settings, tell)
        self.recorder.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def update(self) -> None:
        """Add streams that have appeared.

        Raises
        ------
        RecordingError
            If recording has failed.
        """
        for stream in self._watch.found():
            if stream.uid in self._settled or time.monotonic() < self._retry_s.get(stream.uid, 0.0):
                continue
            self._add(stream)
        if self.recorder.error is not None:
            raise self.recorder.error

    def subscribe(self, required: Sequence[StreamQuery], timeout_s: float) -> None:
        """Add the streams in reach, and go on until all required ones are being recorded.

        Raises
        ------
        StreamNotFound
            If one does not answer within ``timeout_s``.
        RecordingError
            If recording has failed.
        """
        end = time.monotonic() + timeout_s
        self.update()
        while missing := [query for query in required if not any(meant(query, stream) for stream in self.streams)]:
            if time.monotonic() >= end:
                names = " and of that with ".join(map(str, missing))
                raise StreamNotFound(f"the stream with {names} was found, but does not answer; is its sender still running?")
            time.sleep(POLL_S)
            self.update()

    def _add(self, stream: FoundStream) -> None:
        """Subscribe to one stream; one that does not answer, or has an impossible header, must not stop the others."""
        try:
            inlet = LslRawInlet(stream)
        except StreamLost as error:
            self._retry_s[stream.uid] = time.monotonic() + RETRY_S
            self._tell(str(error))
            return
        self._settled.add(stream.uid)
        try:
            self.recorder.add(inlet, str(stream))
        except RecordingError as error:
            inlet.close()
            self._tell(f"{stream} is not recorded: {error}")
            return
        if any(_same_sender(stream, before) for before in self.streams):
            self._tell(f"{stream} is back and is recorded on; whoever reads the file takes both parts for one, with a gap")
        self.streams.append(stream)
        self._subscribed(stream)

    def stop(self) -> None:
        """Write everything delivered so far and close the file. May be called twice.

        Raises
        ------
        RecordingError
            If recording failed, now or before.
        """
        self.recorder.stop()

    def discard(self) -> None:
        """End a recording that never began in earnest: no file is left of it."""
        try:
            self.stop()
        finally:
            for path in (self.path, sidecar_path(self.path)):
                path.unlink(missing_ok=True)


def _same_sender(a: FoundStream, b: FoundStream) -> bool:
    return (a.name, a.type, a.source_id, a.host) == (b.name, b.type, b.source_id, b.host)
