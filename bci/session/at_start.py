"""Checks before a session begins: its model, its streams, and other sessions with its name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from bci.errors import ModelError
from bci.safe_io.printable import printable
from bci.session.asked_for import markers_there, montage_of
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
    """Check that the requested streams exist, before anything is written; return warnings for the person.

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
    """Return warnings about other sessions that run under the same name.

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
        f"another session with the name {name!r} runs on this computer "
        f"({', '.join(printable(x) for x in sorted(found)[:SHOWN])}). Neither steers the other, but a window that you open "
        "yourself shows only one of them, and a program that reads decisions may read those of the wrong session. Give this "
        "session another name with --set engine.name=…"
    ]
