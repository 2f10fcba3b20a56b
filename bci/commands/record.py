"""``bci record``."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bci.errors import BciError, ConfigError, RecordingError

if TYPE_CHECKING:
    from bci.stream.lsl import FoundStream, StreamQuery
    from bci.stream.lsl_recording import LslRecording, LslWatch
    from bci.stream.remote_control import FileName

HELP = """Record LSL streams into an XDF file: raw stamps, clock offsets, and a sidecar of checksums.

Streams that appear later are added. A crash loses at most the last tenth of a second. Files are named
sub-XX/ses-YY/eeg/sub-XX_ses-YY_task-T_run-001_eeg.xdf, and an existing one is never overwritten."""
EXAMPLES = """
bci record --subject P003                          all streams on this machine, until Ctrl-C
bci record --stream type=EEG --stream Cues --seconds 600
bci record --stream type=EEG --stream Cues --without Cues      start without the cues, and take them once they come
bci record --wait-for Cyton --wait-for Cues        all streams, from when both are there
bci record --network                               streams of other computers too
bci record --remote-control                        start and stop on LabRecorder's commands
"""

SUBSCRIBE_TIMEOUT_S = 10.0
DISCOVERY_S = 1.0  # streams answer within this, so that the first start finds them


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    from bci.stream.remote_control import PORT

    add = parser.add_argument
    add(
        "--stream",
        "--source",
        action="append",
        default=[],
        metavar="QUERY",
        help="record only these, and not without any of them: a name, or type=EEG,host=* (repeatable)",
    )
    add(
        "--without",
        action="append",
        default=[],
        metavar="QUERY",
        help="one of --stream that may be missing at the start; it is taken in once it comes (repeatable)",
    )
    add("--later", action="append", default=[], metavar="QUERY", help="record these too, if and when they come (repeatable)")
    add("--wait-for", action="append", default=[], metavar="NAME", help="do not start before this stream is there (repeatable)")
    add("--timeout", type=float, default=5.0, metavar="S", help="how long to wait for streams; 0, without --stream: start "
        "without any (default 5)")  # fmt: skip
    add("--network", action="store_true", help="streams of other computers too, not only of this one")
    add("--out", type=Path, default=Path("recordings"), metavar="DIR", help="folder (default recordings/)")
    add("--subject", default="P001", help="pseudonym, letters and digits, never a name (default P001)")
    add("--session", default="S001", help="default S001")
    add("--task", default="default", help="default 'default'")
    add("--run", type=int, metavar="N", help="default: the next free one")
    add("--seconds", type=float, metavar="S", help="stop after this time")
    add("--json", action="store_true", help="print one JSON object a line: subscribed, ready, note, done")
    add("--parent-pipe", action="store_true", help="stop when standard input closes; ignore Ctrl-C, which the parent handles")
    add(
        "--remote-control",
        nargs="?",
        type=int,
        const=PORT,
        metavar="PORT",
        help=f"wait for LabRecorder's commands on 127.0.0.1 (default port {PORT})",
    )


def run(args: argparse.Namespace) -> int:
    """Record until told to stop."""
    from bci.stream.lsl_recording import LslWatch
    from bci.stream.remote_control import FileName

    name = FileName(args.out, "", args.subject, args.session, args.task, run=args.run)
    name.path()  # wrong labels are an error before anything is waited for
    if args.seconds is not None and not args.seconds > 0:
        raise ConfigError(f"--seconds {args.seconds:g}: must be positive")
    if not args.timeout >= 0:
        raise ConfigError(f"--timeout {args.timeout:g}: must be 0 or more")
    asked = Asked.of(args)
    stop = _stop_signals(args.parent_pipe)
    out = Output(args.json)
    with LslWatch(asked.queries) as watch:
        session = Session(watch, name, out, asked)
        if args.remote_control is None:
            timeout_s = max(args.timeout, DISCOVERY_S) if asked.required else args.timeout
            watch.wait(asked.required, timeout_s, stop.is_set, asked.option)
            return _record(session, stop, args.seconds)
        return _obey(session, stop, args.remote_control)


@dataclass(frozen=True, slots=True)
class Asked:
    """Which streams a recording is to hold.

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
        """The option with which a missing stream is done without, if it was named by ``--stream``."""
        return "without" if set(self.required) & set(self.queries) else ""

    @classmethod
    def of(cls, args: argparse.Namespace) -> Asked:
        """From the command line.

        Raises
        ------
        ConfigError
            If a text is no query, or names what was not asked for.
        """
        from dataclasses import replace

        from bci.stream.lsl import StreamQuery

        def parsed(texts: Sequence[str]) -> tuple[StreamQuery, ...]:
            queries = map(StreamQuery.parse, texts)
            return tuple(replace(q, host=q.host or ("*" if args.network else "")) for q in queries)

        streams, without, later = parsed(args.stream), parsed(args.without), parsed(args.later)
        strange = [text for text, query in zip(args.without, without, strict=True) if query not in streams]
        if strange:
            listed = ", ".join(args.stream) or "nothing"
            raise ConfigError(f"--without {', '.join(strange)}: was not asked for with --stream ({listed})")
        queries = streams + later if streams else (StreamQuery(host="*" if args.network else ""),)
        return cls(queries, (*parsed(args.wait_for), *(q for q in streams if q not in without)), without)


def _record(session: Session, stop: threading.Event, seconds: float | None) -> int:
    """One recording, until stopped or over."""
    if stop.is_set():
        return 0
    try:
        session.start()
        end = None if seconds is None else time.monotonic() + seconds
        while not stop.wait(0.1) and (end is None or time.monotonic() < end):
            session.update()
    finally:
        session.stop()
    return 0


def _obey(session: Session, stop: threading.Event, port: int) -> int:
    """As many recordings as the remote control asks for."""
    from bci.stream.remote_control import Commands, RemoteControl

    stop.wait(DISCOVERY_S)
    with RemoteControl(Commands(session, session.name), port) as control:
        session.out.say("listening", f"waiting for LabRecorder's commands on 127.0.0.1:{control.port}", port=control.port)
        try:
            while not stop.wait(0.1):
                session.update()
        finally:
            session.stop()
    return 0


class Session:
    """Recordings one after another (what :class:`bci.stream.remote_control.Remote` asks for).

    Parameters
    ----------
    watch : LslWatch
    name : FileName
    out : Output
    asked : Asked
        Streams that must be recorded before a start is a start.
    """

    def __init__(self, watch: LslWatch, name: FileName, out: Output, asked: Asked) -> None:
        self._asked = asked
        self.name = name
        self.out = out
        self._watch = watch
        self._everything = True
        self._recording: LslRecording | None = None
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
        from bci.stream.lsl_recording import LslRecording

        with self._lock:
            if self._recording is not None:
                raise RecordingError(f"{self._recording.path}: is being recorded; stop it first")
            if not self._everything:
                raise RecordingError("no stream is selected; send 'select all' first")
            self._watch.wait(self._asked.required, 0.0, option=self._asked.option)
            missing = [q for q in self._asked.without if not self._watch.has(q)]
            recording = LslRecording(self.name.path(), self._watch, self.out.note, self._subscribed, without=missing)
            try:
                recording.subscribe(self._asked.required, SUBSCRIBE_TIMEOUT_S)
            except BciError:
                recording.discard()
                raise
            self._recording = recording
            for query in missing:
                self.out.note(f"no stream with {query}: it is recorded once it comes")
            path = str(self._recording.path)
            self.out.say("ready", f"recording to {path}; Ctrl-C ends", ready=True, path=path)

    def update(self) -> None:
        """Add streams that have appeared."""
        with self._lock:
            if self._recording is not None:
                self._recording.update()

    def stop(self) -> None:
        """End the recording, if one is running.

        Raises
        ------
        RecordingError
            If it could not be written to the end.
        """
        with self._lock:
            recording, self._recording = self._recording, None
            if recording is None:
                return
            recording.stop()
            counts = recording.writer.counts()
            listing = ", ".join(f"{name}: {count} samples" for name, count in counts.items()) or "no stream"
            self.out.say("done", f"{recording.path}: {listing}", path=str(recording.path), samples=counts)

    def select(self, everything: bool) -> None:
        """Record all streams, or none, from the next start on."""
        self._everything = everything

    def rename(self, name: FileName) -> None:
        """Use other names from the next start on."""
        self.name = name

    def _subscribed(self, stream: FoundStream) -> None:
        identity = {"name": stream.name, "type": stream.type, "source_id": stream.source_id, "uid": stream.uid}
        self.out.say("subscribed", f"recording {stream}", **identity)


class Output:
    """Lines for a person, or JSON objects for a program.

    Parameters
    ----------
    as_json : bool
    """

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json

    def say(self, event: str, text: str, **fields: Any) -> None:
        """Print one event at once. When whoever listened has gone, recording goes on."""
        try:
            print(json.dumps({"event": event, **fields}) if self._as_json else text, flush=True)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def note(self, text: str) -> None:
        """Say what a person should know; errors are raised besides."""
        self.say("note", text, note=text)


def _stop_signals(parent_pipe: bool) -> threading.Event:
    """An event that is set when this process should end."""
    stop = threading.Event()

    def handler(number: int, frame: object) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, handler)
    signal.signal(signal.SIGINT, signal.SIG_IGN if parent_pipe else handler)
    if parent_pipe:
        threading.Thread(target=partial(_wait_for_end, sys.stdin.fileno(), stop.set), daemon=True).start()
    return stop


def _wait_for_end(handle: int, ended: Callable[[], None]) -> None:
    """Read from the parent's pipe until it closes. Unbuffered: a buffer's lock could not be taken back at exit."""
    while os.read(handle, 1024):
        pass
    ended()
