"""What is looked at before a session begins: its model, its streams, and other sessions of its name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from bci.errors import ModelError
from bci.safe_io.printable import printable
from bci.session.engine_process import markers_there, montage_of
from bci.session.plan import SessionPlan
from bci.stream.lsl import FoundStream, StreamQuery
from bci.stream.lsl.discovery import find_each, the_one
from bci.stream.lsl.signal_inlet import rate_of
from bci.stream.markers.triggers import trigger_owner

SHOWN = 5


def check_model(path: Path) -> Path:
    """The model file, if it is one.

    Raises
    ------
    ModelError
    """
    if not path.exists():
        raise ModelError(f"{path}: no such file; bci train writes a model")
    return path


def streams_there(plan: SessionPlan, stopped: Callable[[], str]) -> list[str]:
    """Are the streams there that were asked for, before anything is written; what a person should know of them.

    Parameters
    ----------
    plan : SessionPlan
    stopped : callable
        Why to look no longer, or "".

    Raises
    ------
    StreamNotFound, StreamAmbiguous, StreamMismatch
    StreamError
        If what is to be decoded is no signal.
    """
    stream, markers = StreamQuery.parse(plan.source), plan.config.markers.stream
    queries = [stream, *([StreamQuery.parse(markers)] if markers else [])]
    timeout_s = plan.config.stream.timeout_s
    owner = trigger_owner(markers) if markers else ""
    found = find_each(queries[:1] if plan.without or owner else queries, timeout_s, stopped=stopped)
    eeg = the_one(stream, found[0], timeout_s, eeg=True)
    rate_of(eeg, montage_of(plan.config))
    if not markers or owner == eeg.name:
        return []  # its trigger channels are looked for by the engine, which knows its channels
    if len(found) == 1:
        found += find_each(queries[1:], 0.0 if plan.without else timeout_s, stopped=stopped)
    return markers_there(queries[1], found[1], timeout_s, bool(plan.without))


def other_sessions(decisions: Sequence[FoundStream], name: str, session: str) -> list[str]:
    """What a person should know of other sessions that run under the same name.

    Parameters
    ----------
    decisions : sequence of FoundStream
        Streams of decisions of this name.
    name : str
        Prefix of the session's streams.
    session : str
        Its identifier.
    """
    found = {stream.source_id for stream in decisions if not stream.source_id.endswith(session)}
    if not found:
        return []
    return [
        f"another session of the name {name!r} runs here ({', '.join(printable(x) for x in sorted(found)[:SHOWN])}). Neither "
        "steers the other, but windows that are opened by hand show one of them, and readers of its decisions may take the "
        "wrong one; name this one with --set engine.name=…"
    ]
