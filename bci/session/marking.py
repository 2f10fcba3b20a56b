"""Mark channels of a running session from outside, and hear that it was done."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from bci.engine.stream_info import canonical
from bci.errors import ConfigError, StreamAmbiguous, StreamError, StreamMismatch, StreamNotFound
from bci.stream import keys, messages
from bci.stream.lsl import LslTextOutlet, StreamQuery, find, local_clock, this_host
from bci.stream.lsl.late_markers import LateMarkers
from bci.stream.signing import Signer

POLL_S = 0.05
AGAIN_S = 1.0


def mark(name: str, labels: Sequence[str], bad: bool, timeout_s: float, session: str = "") -> list[dict[str, Any]]:
    """Declare channels bad, or good again.

    Parameters
    ----------
    name : str
        Prefix of the session's streams.
    labels : sequence of str
    bad : bool
    timeout_s : float
    session : str
        Identifier of the session; empty: the one of that name.

    Returns
    -------
    list of dict
        The events with which the engine answered, one for each label (docs/reference/streams.md).

    Raises
    ------
    StreamMismatch
        If the session does not use such a channel.
    StreamNotFound
        If no session answers in time.
    StreamAmbiguous
        If several are meant.
    ConfigError
        If we do not have its key.
    """
    wanted = {canonical(label): label for label in labels}
    done: dict[str, dict[str, Any]] = {}
    session = session or _the_session(name, timeout_s)
    key = keys.key_of(session)
    if key is None:
        raise ConfigError(
            f"session {session or name} accepts only messages that are signed with its key, and the key is not in "
            f"{keys.keys_folder()}. Run bci mark as the user who started the session, on the same computer, or put the key into "
            f"the environment variable {keys.KEY}"
        )
    sign = Signer(key, local_clock, this_host())
    events = LateMarkers(StreamQuery(name=f"{name}-events", source_id=f"{name}-events-{session}"))
    control = LslTextOutlet(f"{name}-control", "BCI-Control", f"{name}-control-{uuid.uuid4().hex[:12]}")
    try:
        end, asked = time.monotonic() + timeout_s, 0.0
        while len(done) < len(wanted):
            now = time.monotonic()
            if now >= end:
                raise _silent(name, timeout_s)
            # The engine may not hear us yet although the actuator host does; to be marked twice changes nothing.
            if events.streams and control.has_consumers and now - asked >= AGAIN_S:
                asked = now
                left = [label for key, label in wanted.items() if key not in done]
                control.push(sign.line("mark", labels=left, bad=bad))
            for text, _ in events.pull(POLL_S):
                _heed(_event(text), bad, wanted, done)
    finally:
        control.close()
        events.close()
    return list(done.values())


def _the_session(name: str, timeout_s: float) -> str:
    """Identifier of the one session of a name; empty for an engine that was begun by hand without one."""
    prefix = f"{name}-events-"
    found = {stream.source_id.removeprefix(prefix) for stream in find(StreamQuery(name=f"{name}-events"), timeout_s)}
    if not found:
        raise _silent(name, timeout_s)
    if len(found) > 1:
        raise StreamAmbiguous(
            f"{len(found)} sessions are called {name!r}; say which with --session-id: {', '.join(sorted(found))}"
        )
    return found.pop()


def _silent(name: str, timeout_s: float) -> StreamNotFound:
    return StreamNotFound(
        f"no session {name!r} answered within {timeout_s:g} s: is `bci run` or `bci engine` running, and is "
        f"{name!r} its engine.name? Give it more time with --timeout."
    )


def _event(text: str) -> dict[str, Any]:
    """One event; what is none says nothing."""
    with suppress(StreamError):
        return messages.parse(text, "event")
    return {"kind": ""}


def _heed(event: dict[str, Any], bad: bool, wanted: dict[str, str], done: dict[str, dict[str, Any]]) -> None:
    """What one event says of the labels we wait for.

    Raises
    ------
    StreamMismatch
        If the engine has refused one of them.
    """
    labels, sound = event.get("labels"), isinstance(event.get("consumed"), int)
    if event["kind"] == "mark" and event.get("bad") == bad and isinstance(labels, list) and sound:
        for label in labels:
            if isinstance(label, str) and canonical(label) in wanted:
                done[canonical(label)] = event
    why = str(event.get("why", ""))
    if event["kind"] == "refused" and any(repr(label) in why for label in wanted.values()):
        raise StreamMismatch(why)
