"""Channels that a person marked bad during one of our sessions, from the events that it recorded."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from bci.engine.stream_info import canonical
from bci.stream.markers.marked import BadSpan
from bci.stream.recorded_signal import RecordedMarkers, RecordedSignal, times_on

EVENTS = "BCI-Event"
"""Type of the engine's stream of events."""
BY_HAND = "marked bad by hand"


def with_hand_marks(signals: Sequence[RecordedSignal], markers: Sequence[RecordedMarkers]) -> tuple[RecordedSignal, ...]:
    """The signals, with the spans in which a person distrusted single channels.

    A channel is bad from its mark until the mark was taken back, or to the end.

    Parameters
    ----------
    signals : sequence of RecordedSignal
    markers : sequence of RecordedMarkers
    """
    found = list(signals)
    for events in markers:
        if events.type != EVENTS:
            continue
        for i, signal in enumerate(found):
            spans = _spans(signal, events)
            if spans:
                found[i] = replace(signal, bad_spans=(*signal.bad_spans, *spans))
    return tuple(found)


def _spans(signal: RecordedSignal, events: RecordedMarkers) -> list[BadSpan]:
    """What was marked in a signal, if it is the one that these events are about."""
    since: dict[str, tuple[float, str]] = {}
    spans: list[BadSpan] = []
    about = False
    for event, time_s in zip(_parsed(events.texts), times_on(signal, events).tolist(), strict=True):
        if event.get("kind") == "start":
            named = event.get("stream")
            stream = named if isinstance(named, dict) else {}
            about = (stream.get("name"), stream.get("source_id", "")) == (signal.info.name, signal.info.source_id)
        if event.get("kind") != "mark" or not about or not isinstance(event.get("labels"), list):
            continue
        for label in map(str, event["labels"]):
            if event.get("bad"):
                since.setdefault(canonical(label), (time_s, label))
            elif canonical(label) in since:
                start_s, name = since.pop(canonical(label))
                spans.append(BadSpan(start_s, time_s, BY_HAND, (name,)))
    return spans + [BadSpan(start_s, math.inf, BY_HAND, (label,)) for start_s, label in since.values()]


def _parsed(texts: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Each line as a dictionary; an empty one where it is none."""
    for text in texts:
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        yield found if isinstance(found, dict) else {}
