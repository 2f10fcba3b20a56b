"""The recorder process (``bci record``), which makes recordings of LSL streams one after another.

The main loop looks after the recording and says how far it is; it never waits for a disk or for a stream. What takes
samples in, what writes and what ends a recording are threads of their own, so that a disk that hangs holds up none but itself.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bci.errors import BciError, ConfigError, RecordingError
from bci.processes.child import WATCHED, say_alive
from bci.processes.stop import interrupts
from bci.recording.event_output import EventOutput, SlowDisk
from bci.recording.lsl_recording import LslRecording, LslWatch
from bci.recording.own_streams import OwnStreams
from bci.recording.recorder import Recorder
from bci.recording.remote_control import FileName
from bci.stream.lsl import FoundStream, StreamQuery

SUBSCRIBE_TIMEOUT_S = 10.0
FIND_S = 2.0
"""A stream that is there answers within so long, also on a busy computer."""
TURN_S = 0.1
AGAIN_S = 5.0
LAST_WORD_S = 1.0
LAST_TURN_S = 0.02
PULL_S = 2.0
"""Where the inlets were not looked at for so long, this process does not count as alive."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which streams a recording is to contain.

    Parameters
    ----------
    queries : tuple of StreamQuery
        What matches any of them is recorded, whenever it comes.
    required : tuple of StreamQuery
        Each must be there at the start.
    without : tuple of StreamQuery
        Those that were asked for and may be missing.
    """

    queries: tuple[StreamQuery, ...]
    required: tuple[StreamQuery, ...]
    without: tuple[StreamQuery, ...]

    @property
    def option(self) -> str:
        """The option that lets a recording begin without a missing stream, if the stream was named by ``--stream``."""
        return "without" if set(self.required) & set(self.queries) else ""

    @classmethod
    def of(
        cls, streams: Sequence[str], without: Sequence[str], later: Sequence[str], wait_for: Sequence[str], network: bool
    ) -> Asked:
        """Read the texts of the options with these names.

        Parameters
        ----------
        streams : sequence of str
        without : sequence of str
        later : sequence of str
        wait_for : sequence of str
        network : bool
            Whether streams of other computers are meant too.

        Returns
        -------
        Asked

        Raises
        ------
        ConfigError
            If a text is no query, or names what was not asked for.
        """

        def parsed(texts: Sequence[str]) -> tuple[StreamQuery, ...]:
            queries = map(StreamQuery.parse, texts)
            return tuple(replace(q, host=q.host or ("*" if network else "")) for q in queries)

        named, missing = parsed(streams), parsed(without)
        strange = [text for text, query in zip(without, missing, strict=True) if query not in named]
        if strange:
            listed = ", ".join(streams) or "nothing"
            raise ConfigError(f"--without {', '.join(strange)}: these streams were not asked for with --stream ({listed})")
        queries = named + parsed(later) if named else (StreamQuery(host="*" if network else ""),)
        return cls(queries, (*parsed(wait_for), *(q for q in named if q not in missing)), missing)


class RecordingSession:
    """Make recordings one after another (an implementation of :class:`bci.recording.remote_control.Remote`).

    Parameters
    ----------
    watch : LslWatch
    name : FileName
    out : EventOutput
    asked : Asked
        Streams that must be recorded before a start is a start.
    """

    def __init__(self, watch: LslWatch, name: FileName, out: EventOutput, asked: Asked) -> None:
        self._asked = asked
        self.name = name
        self.out = out
        self._watch = watch
        self._everything = True
        self.doubt = ""  # why nothing may be moved on account of this recording
        self._recording: LslRecording | None = None
        self._place = Path()
        self._newest: Recorder | None = None
        self._own = OwnStreams(asked.queries, out.note)
        self._disk = SlowDisk(out.note)
        self._lock = threading.RLock()

    def start(self) -> None:
        """Begin a new recording.

        Raises
        ------
        RecordingError
            If one is running, no stream is selected, or the file cannot be made.
        StreamNotFound
            If a required stream is not there or does not answer; no file is left.
        """
        with self._lock:
            if self._recording is not None:
                raise RecordingError(f"{self._recording.path}: is being recorded; stop it first")
            if not self._everything:
                raise RecordingError("no stream is selected; send 'select all' first")
            self._watch.wait(self._asked.required, FIND_S if self._asked.required else 0.0, option=self._asked.option)
            missing = [q for q in self._asked.without if not self._watch.has(q)]
            self._recording = self._begun(missing)
            self._newest = self._recording.recorder
            for query in missing:
                self.out.note(f"no stream with {query} yet; it is recorded as soon as it appears")
            self._place = self._recording.path
            path = str(self._place)
            self.out.emit("ready", f"recording to {path}; press Ctrl-C to end", ready=True, path=path)

    def _begun(self, missing: Sequence[StreamQuery]) -> LslRecording:
        """A recording that has all required streams."""
        path = self.name.path()
        recording = LslRecording(path, self._watch, self.out.note, self._subscribed, without=missing, own=self._own)
        try:
            recording.subscribe(self._asked.required, SUBSCRIBE_TIMEOUT_S)
        except BciError:
            recording.discard()
            raise
        return recording

    def turn(self) -> None:
        """Do one turn of the main loop: add streams that have appeared, and report how far the recording is.

        Never waits: where a recording is just being begun or ended, that goes on in its own thread.

        Raises
        ------
        RecordingError
            If recording has failed.
        """
        if self._lock.acquire(blocking=False):
            try:
                if self._recording is not None:
                    self._recording.update()
                    self._report_move(self._recording)
            finally:
                self._lock.release()
        self.report_progress()

    def _report_move(self, recording: LslRecording) -> None:
        """Report where the file is, once it was moved."""
        if recording.path != self._place:
            self._place = recording.path
            self.out.emit("moved", f"recording to {self._place}", path=str(self._place))

    def report_progress(self) -> None:
        """Report to the parent process that this one is alive, and to a person that a disk does not answer."""
        recorder = self._newest
        if recorder is None:
            say_alive(taken=0, written=0, waiting=0, write_s=0.0, doubt=self.doubt)
            return
        write_s = round(recorder.write_s, 3)
        if WATCHED not in os.environ:  # else the parent process says it
            self._disk.look(write_s, recorder.waiting_bytes)
        if recorder.pull_s < PULL_S:
            written, waiting = recorder.written_bytes, recorder.waiting_bytes
            say_alive(taken=recorder.taken, written=written, waiting=waiting, write_s=write_s, doubt=self.doubt)

    def stop(self) -> None:
        """End the recording, if one is running, however long that takes.

        Raises
        ------
        RecordingError
            If it could not be written to the end; says what is there.
        """
        with self._lock:
            recording, self._recording = self._recording, None
            if recording is None:
                return
            try:
                recording.stop()
            except RecordingError as error:
                raise RecordingError(f"{error}\n{_what_is_there(recording)}") from error
            finally:
                self._newest = None
            counts = recording.writer.counts()
            self.out.emit("done", f"{recording.path}: {_listing(counts)}", path=str(recording.path), samples=counts)

    @property
    def expects_more(self) -> bool:
        """Whether a process of the session, whose last word belongs into the recording, still sends."""
        return self._recording is not None and self._recording.expects_more

    def waiting(self) -> str:
        """Describe what of the recording is not on the disk yet; empty where nothing is being recorded."""
        recorder = self._newest
        return "" if recorder is None else f"{recorder.waiting_bytes} bytes wait to be written"

    def receive(self, line: str) -> None:
        """Hear from the parent process which streams are the session's own.

        Parameters
        ----------
        line : str
            JSON: ``{"ours": [uid, …]}``.
        """
        try:
            ours = json.loads(line)["ours"]
            self._own.add([uid for uid in ours if isinstance(uid, str)])
        except (ValueError, RecursionError, KeyError, TypeError):
            self.out.note(f"standard input: {line[:80]!r} is not understood")

    def select(self, everything: bool) -> None:
        """Record all streams, or none, from the next start on.

        Parameters
        ----------
        everything : bool
            Whether all.
        """
        self._everything = everything

    def rename(self, name: FileName) -> None:
        """Use other file names from the next start on.

        Parameters
        ----------
        name : FileName
        """
        self.name = name

    def _subscribed(self, stream: FoundStream) -> None:
        identity = {"name": stream.name, "type": stream.type, "source_id": stream.source_id, "uid": stream.uid}
        self.out.emit("subscribed", f"recording {stream}", **identity)


def record_last_words(session: RecordingSession) -> None:
    """Go on for a moment while the session's other processes end, where nobody has waited for them.

    ``bci run`` ends them first; where it was killed, all end at the same time, and a recorder that is faster would have the
    end of one stream and not of another.

    Parameters
    ----------
    session : RecordingSession

    Raises
    ------
    RecordingError
        If recording has failed.
    """
    session.doubt = "the recorder was asked to end"
    until_s = time.monotonic() + LAST_WORD_S
    while session.expects_more and time.monotonic() < until_s:
        session.turn()
        time.sleep(LAST_TURN_S)


def end(session: RecordingSession) -> None:
    """End the recording, and print how far it is until it is closed; a second Ctrl-C gives up what is not written.

    Parameters
    ----------
    session : RecordingSession

    Raises
    ------
    RecordingError
        If it could not be written to the end, or was given up.
    """
    session.doubt = "the recorder was asked to end"
    session.report_progress()
    ending = _Ending(session.stop)
    before, told_s = interrupts(), time.monotonic()
    while not ending.over(TURN_S):
        session.report_progress()
        if interrupts() > max(1, before):
            raise RecordingError(f"given up: {session.waiting()} and are lost")
        if time.monotonic() - told_s > AGAIN_S:
            told_s = time.monotonic()
            session.out.note(f"the recording is being closed: {session.waiting()}. A second Ctrl-C discards them")
    if ending.error is not None:
        raise ending.error


class _Ending:
    """Do something that may take long in a thread of its own."""

    def __init__(self, job: Callable[[], None]) -> None:
        self.error: BciError | None = None
        self._job = job
        self._thread = threading.Thread(target=self._run, name="ends the recording", daemon=True)
        self._thread.start()

    def over(self, timeout_s: float) -> bool:
        """Whether it is done, after waiting for so long at most."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._job()
        except BciError as error:
            self.error = error
        except Exception as error:  # the top of a thread: whatever it is, it must not pass for a good end
            self.error = RecordingError(f"the recording could not be closed: {type(error).__name__}: {error}")


def _what_is_there(recording: LslRecording) -> str:
    """Describe what is left of a recording that failed."""
    listing = _listing(recording.writer.counts())
    if recording.writer.lost or not recording.path.exists():
        return f"{recording.path}: is not there; {listing} had been written"
    return f"{recording.path}: contains what was written before: {listing}"


def _listing(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name}: {count} samples" for name, count in counts.items()) or "no stream"
