"""The types of a session's streams, as docs/reference/streams.md names them, and what windows keep of each."""

from __future__ import annotations

from bci.stream.lsl import FoundStream

ROWS = {"BCI-Outcome": "outcomes", "BCI-Decision": "decisions", "BCI-Timing": "timing", "BCI-Velocity": "velocity"}
"""Streams of numbers, and the name of the table that their rows go to."""
TEXTS = {"BCI-Event": "events", "BCI-State": "state", "BCI-Guard": "guard", "BCI-Command": "commands"}
"""Streams of JSON lines, and the last part of their names."""
HOSTS = ("BCI-Guard", "BCI-Command")
"""Streams of actuator hosts."""


def session_of(stream: FoundStream, name: str) -> str:
    """Return the session that a stream belongs to; empty if it belongs to none called ``name``.

    Parameters
    ----------
    stream : FoundStream
    name : str
        Prefix of the session's streams.
    """
    what = ROWS.get(stream.type) or TEXTS.get(stream.type)
    prefix = f"{name}-{what}-"
    return stream.source_id.removeprefix(prefix) if what and stream.source_id.startswith(prefix) else ""


def is_of_host(stream: FoundStream, name: str, session: str) -> bool:
    """Return whether a guard's or an actuator's stream is of this session, or of a host without a session.

    Parameters
    ----------
    stream : FoundStream
        Of one of the types in :data:`HOSTS`.
    name : str
        Prefix of the session's streams.
    session : str
        Identifier of the session that is shown; empty: any.
    """
    prefix = f"{name}-{TEXTS[stream.type]}-"
    of = stream.source_id.removeprefix(prefix)
    if of == stream.source_id or stream.name != prefix[:-1]:
        return False
    return not session or not of or of == session or of.startswith(("-", f"{session}-"))
