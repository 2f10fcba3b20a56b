"""``bci record``."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bci.errors import BciError, ConfigError

if TYPE_CHECKING:
    from bci.processes.stop import StopRequest
    from bci.recording.process import RecordingSession

HELP = """Record LSL streams into an XDF file, with raw time stamps and clock offsets, and write checksums beside it.

Streams that appear later are added. A crash loses at most the last tenth of a second. Files are named
sub-XX/ses-YY/eeg/sub-XX_ses-YY_task-T_run-001_eeg.xdf, and an existing file is never overwritten."""
EXAMPLES = """
bci record --subject P003                          all streams of this computer, until Ctrl-C
bci record --stream type=EEG --stream Cues --seconds 600
bci record --stream type=EEG --stream Cues --without Cues      start without the cues, and add them as soon as they come
bci record --wait-for Cyton --wait-for Cues        all streams, as soon as these two exist
bci record --network                               also streams of other computers
bci record --remote-control                        start and stop by LabRecorder's commands
"""

TURN_S = 0.1
DISCOVERY_S = 1.0  # streams answer within this, so that the first start finds them


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Of this command.
    """
    from bci.recording.remote_control import PORT

    add = parser.add_argument
    add(
        "--stream",
        "--source",
        action="append",
        default=[],
        metavar="QUERY",
        help="record only these streams, and wait for all of them: a name, or type=EEG,host=* (repeatable)",
    )
    add(
        "--without",
        action="append",
        default=[],
        metavar="QUERY",
        help="a stream of --stream that may be missing at the start; it is added as soon as it comes (repeatable)",
    )
    add("--later", action="append", default=[], metavar="QUERY", help="also record this stream, if it comes (repeatable)")
    add("--wait-for", action="append", default=[], metavar="NAME", help="do not start before this stream exists (repeatable)")
    add("--timeout", type=float, default=5.0, metavar="S", help="how long to wait for streams (default 5); with 0 and "
        "without --stream, start even if there is no stream")  # fmt: skip
    add("--network", action="store_true", help="record streams of other computers too")
    add("--out", type=Path, default=Path("recordings"), metavar="DIR", help="folder for recordings (default recordings/)")
    add("--subject", default="P001", help="pseudonym, letters and digits, never a name (default P001)")
    add("--session", default="S001", help="label of the session (default S001)")
    add("--task", default="default", help="label of the task (default 'default')")
    add("--run", type=int, metavar="N", help="number of the run (default: the next free number)")
    add("--seconds", type=float, metavar="S", help="stop after this time")
    add("--json", action="store_true", help="print one JSON object per line: subscribed, ready, note, done")
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
    """Record until told to stop.

    Parameters
    ----------
    args : argparse.Namespace
        What was typed.

    Returns
    -------
    int
        Exit code.
    """
    from bci.processes.one_heap import one_heap

    one_heap()
    from bci.processes.stop import StopRequest
    from bci.recording.event_output import EventOutput
    from bci.recording.lsl_recording import LslWatch
    from bci.recording.process import Asked, RecordingSession
    from bci.recording.remote_control import FileName

    name = FileName(args.out, "", args.subject, args.session, args.task, run=args.run)
    name.path()  # wrong labels are an error before anything is waited for
    if args.seconds is not None and not args.seconds > 0:
        raise ConfigError(f"--seconds {args.seconds:g}: must be positive")
    if not args.timeout >= 0:
        raise ConfigError(f"--timeout {args.timeout:g}: must be 0 or more")
    asked = Asked.of(args.stream, args.without, args.later, args.wait_for, args.network)
    with EventOutput(args.json) as out, LslWatch(asked.queries) as watch:
        session = RecordingSession(watch, name, out, asked)
        stop = StopRequest(args.parent_pipe, hear=session.receive)
        if args.remote_control is not None:
            return _obey(session, stop, args.remote_control)
        timeout_s = max(args.timeout, DISCOVERY_S) if asked.required else args.timeout
        watch.wait(asked.required, timeout_s, lambda: bool(stop()), asked.option)
        return _record(session, stop, args.seconds)


def _record(session: RecordingSession, stop: StopRequest, seconds: float | None) -> int:
    """One recording, until stopped or over."""
    if stop():
        return 0
    session.start()
    stop.after(seconds)
    _look_after(session, stop)
    return 0


def _look_after(session: RecordingSession, stop: StopRequest) -> None:
    """Turn until told to stop, or until recording fails; what was delivered is written in either case."""
    from bci.processes.stop import patient
    from bci.recording.process import end, record_last_words

    with patient():
        try:
            while not stop():
                session.turn()
                time.sleep(TURN_S)
            record_last_words(session)
        except BciError:
            end(session)
            raise
        end(session)


def _obey(session: RecordingSession, stop: StopRequest, port: int) -> int:
    """As many recordings as the remote control asks for."""
    from bci.recording.remote_control import Commands, RemoteControl

    ready = time.monotonic() + DISCOVERY_S
    while not stop() and time.monotonic() < ready:
        time.sleep(TURN_S)
    with RemoteControl(Commands(session, session.name), port) as control:
        session.out.emit("listening", f"waiting for LabRecorder's commands on 127.0.0.1:{control.port}", port=control.port)
        _look_after(session, stop)
    return 0
