"""Mark channels of a running session from outside, and hear that it was done."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from typing import Any

from bci.engine.stream_info import canonical
from bci.errors import StreamMismatch, StreamNotFound
from bci.session import wire
from bci.stream.late_markers import LateMarkers
from bci.stream.lsl import LslTextOutlet, StreamQuery

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
        Identifier of the session; empty: any of that name.

    Returns
    -------
    list of dict
        The events with which the engine answered, one for each label (docs/streams.md).

    Raises
    ------
    StreamMismatch
        If the session does not use such a channel.
    StreamNotFound
        If no session answers in time.
    """
    wanted = {canonical(label): label for label in labels}
    done: dict[str, dict[str, Any]] = {}
    source_id = f"{name}-events-{session}" if session else ""
    events = LateMarkers(StreamQuery(name=f"{name}-events", source_id=source_id))
    control = LslTextOutlet(f"{name}-control", "BCI-Control", f"{name}-control-{uuid.uuid4().hex[:12]}")
    try:
        end, asked = time.monotonic() + timeout_s, 0.0
        while len(done) < len(wanted):
            now = time.monotonic()
            if now >= end:
                raise StreamNotFound(
                    f"no session {name!r} answered within {timeout_s:g} s: is `bci run` or `bci engine` running, and is "
                    f"{name!r} its engine.name? Give it more time with --timeout."
                )
            # The engine may not hear us yet although the actuator host does; to be marked twice changes nothing.
            if events.streams and control.has_consumers and now - asked >= AGAIN_S:
                asked = now
                control.push(wire.line("mark", labels=[label for key, label in wanted.items() if key not in done], bad=bad))
            for text, _ in events.pull(POLL_S):
                _heed(wire.parse(text, "event"), bad, wanted, done)
    finally:
        control.close()
        events.close()
    return list(done.values())


def _heed(event: dict[str, Any], bad: bool, wanted: dict[str, str], done: dict[str, dict[str, Any]]) -> None:
    """What one event says of the labels we wait for."""
    if event["kind"] == "mark" and bool(event["bad"]) == bad:
        for label in event["labels"]:
            if canonical(label) in wanted:
                done[canonical(label)] = event
    why = str(event.get("why", ""))
    if event["kind"] == "refused" and any(repr(label) in why for label in wanted.values()):
        raise StreamMismatch(why)
