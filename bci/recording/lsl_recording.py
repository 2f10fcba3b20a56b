"""Record LSL streams that match: those that are there, and those that come later."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from bci.errors import RecordingError, StreamNotFound
from bci.recording.own_streams import OwnStreams
from bci.recording.recorded_stream import BrokenConnection
from bci.recording.recorder import Recorder
from bci.recording.settings import RecorderSettings
from bci.stream.clock import LslClock
from bci.stream.lsl import FoundStream, LslRawInlet, StreamQuery, Watcher
from bci.stream.lsl.discovery import meant, not_found
from bci.stream.lsl.open_streams import OpenedStream, OpenStreams
from bci.stream.xdf.check_log import log_path
from bci.stream.xdf.sidecar import sidecar_path
from bci.stream.xdf.writer import XdfWriter

POLL_S = 0.1
CONNECT_S = 2.0


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
        """Tell whether a query means a stream in reach.

        Parameters
        ----------
        query : StreamQuery

        Returns
        -------
        bool
        """
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
    own : OwnStreams, optional
        Which streams of a session's names are the session's; the others are not recorded.

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
        own: OwnStreams | None = None,
    ) -> None:
        self._own = own or OwnStreams(())
        self._watch = watch
        self._tell = tell
        self._subscribed = subscribed
        self.streams: list[FoundStream] = []
        self._ids: dict[str, int] = {}
        self._refused: set[str] = set()
        created = datetime.now().astimezone().isoformat(timespec="seconds")
        self.writer = XdfWriter(path, created, without=[query.words() for query in without], tell=tell)
        self.recorder = Recorder(self.writer, LslClock(), settings, tell)
        self.recorder.start()
        self._open = OpenStreams(watch.found, self._wants, lambda stream: LslRawInlet(stream, timeout_s=CONNECT_S))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    @property
    def path(self) -> Path:
        """Where the file is: another place than at the start where it was moved since."""
        return self.writer.path

    @property
    def expects_more(self) -> bool:
        """Whether a process of the session, whose last word belongs into the file, still sends."""
        alive = self.recorder.alive
        return any(alive[self._ids[stream.uid]] for stream in self.streams if self._own.speaks_last(stream))

    def update(self) -> None:
        """Add streams that have appeared, or that were connected again.

        Raises
        ------
        RecordingError
            If recording has failed.
        """
        for _, error in self._open.failed():
            self._tell(str(error))
        for joined in self._open.opened():
            self._add(joined)
        if self.recorder.error is not None:
            raise self.recorder.error

    def subscribe(self, required: Sequence[StreamQuery], timeout_s: float) -> None:
        """Add the streams in reach, and go on until all required ones are being recorded.

        Parameters
        ----------
        required : sequence of StreamQuery
        timeout_s : float
            How long they are waited for, seconds.

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
                raise StreamNotFound(f"the stream with {names} was found but does not answer; is its sender still running?")
            time.sleep(POLL_S)
            self.update()

    def _wants(self, stream: FoundStream) -> bool:
        """Whether a stream is to be recorded."""
        return stream.uid not in self._refused and not self._own.refuses(stream)

    def _add(self, joined: OpenedStream[LslRawInlet]) -> None:
        """Record one stream; a stream with an impossible header must not stop the others."""
        stream, before = joined.found, self._ids.get(joined.found.uid)
        broken = BrokenConnection(before, joined.gap_s) if before is not None else None
        try:
            self._ids[stream.uid] = self.recorder.add(joined.inlet, str(stream), self._own.limit(stream), broken)
        except RecordingError as error:
            self._refused.add(stream.uid)
            joined.inlet.close()
            self._tell(f"{stream} is not recorded: {error}")
            return
        if broken is None and any(_same_sender(stream, one) for one in self.streams):
            self._tell(f"{stream} is back and is recorded again; readers of the file take both parts for one stream with a gap")
        if broken is None:
            self.streams.append(stream)
            self._subscribed(stream)

    def stop(self) -> None:
        """Write everything delivered so far and close the file. May be called twice.

        Raises
        ------
        RecordingError
            If recording failed, now or before.
        """
        try:
            self.recorder.stop()
        finally:
            self._open.close()

    def discard(self) -> None:
        """End a recording that lacks a required stream, and delete its file."""
        try:
            self.stop()
        finally:
            for path in (self.path, sidecar_path(self.path), log_path(self.path)):
                path.unlink(missing_ok=True)


def _same_sender(a: FoundStream, b: FoundStream) -> bool:
    return (a.name, a.type, a.source_id, a.host) == (b.name, b.type, b.source_id, b.host)
