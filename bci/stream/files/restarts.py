"""Streams that stopped and came back while they were recorded: their parts as one stream, with a gap.

A sender that restarts is a new stream of LSL, and a recorder gives it a new number in the file. It is the same device all the
same, as long as its parts do not overlap in time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TypeVar

import numpy as np

from bci.engine.chunk import FloatArray
from bci.stream.markers.marked import BadSpan
from bci.stream.recorded_signal import RecordedMarkers, RecordedSignal, times_on

OVERLAP_S = 0.5
"""Stamps of senders run backwards by tenths of a second; two devices at the same time overlap by more."""
RESTARTED = "sender restarted"

_Stream = TypeVar("_Stream", RecordedSignal, RecordedMarkers)


def restarts_joined(
    signals: Sequence[RecordedSignal], markers: Sequence[RecordedMarkers]
) -> tuple[tuple[RecordedSignal, ...], tuple[RecordedMarkers, ...], tuple[str, ...]]:
    """The streams of a recording with those joined that are parts of one, and without the empty ones beside them.

    Parameters
    ----------
    signals : sequence of RecordedSignal
    markers : sequence of RecordedMarkers

    Returns
    -------
    signals : tuple of RecordedSignal
    markers : tuple of RecordedMarkers
    notes : tuple of str
        What was joined and left out.
    """
    kept, notes = _without_empty_twins(signals)
    whole: list[RecordedSignal] = []
    for parts in _grouped(kept, _layout):
        whole.append(_joined_signal(parts))
        if len(parts) > 1:
            notes.append(_restarts_in_words(parts))
    texts = [_joined_markers(parts) for parts in _grouped(markers, lambda m: m.identity)]
    return tuple(whole), tuple(texts), tuple(notes)


def _without_empty_twins(signals: Sequence[RecordedSignal]) -> tuple[list[RecordedSignal], list[str]]:
    """Signals without those that hold nothing while another of the name does, and which they were."""
    filled = {s.info.name for s in signals if len(s.stamps)}
    empty = [s for s in signals if not len(s.stamps) and s.info.name in filled]
    notes = [
        f"stream {s.info.name!r} of type {s.info.type!r} was recorded without a single sample and is left out" for s in empty
    ]
    return [s for s in signals if not any(s is e for e in empty)], notes


def _layout(signal: RecordedSignal) -> object:
    """What the parts of one device have in common."""
    return signal.identity, signal.info.rate_hz, signal.info.channels


def _grouped(streams: Sequence[_Stream], key: Callable[[_Stream], object]) -> list[list[_Stream]]:
    """Streams that are one, each group in order of time, without empty ones; groups in the order of the file."""
    alike: dict[object, list[_Stream]] = {}
    for stream in streams:
        alike.setdefault(key(stream), []).append(stream)
    groups = []
    for found in alike.values():
        timed = sorted((s for s in found if len(s.stamps)), key=lambda s: _span(s)[0])
        one_after_another = all(_span(b)[0] >= _span(a)[1] - OVERLAP_S for a, b in pairwise(timed))
        groups += [timed] if timed and one_after_another else [[s] for s in found]
    return groups


def _span(stream: RecordedSignal | RecordedMarkers) -> tuple[float, float]:
    """First and last time on the recorder's clock."""
    times = stream.clock.to_recorder(stream.stamps)
    times = times[np.isfinite(times)]
    return (float(times.min()), float(times.max())) if len(times) else (np.inf, -np.inf)


def _stamps(parts: Sequence[_Stream]) -> FloatArray:
    """All stamps on the clock of the first part."""
    return np.concatenate([times_on(parts[0], part) for part in parts])


def _joined_signal(parts: Sequence[RecordedSignal]) -> RecordedSignal:
    """The parts as one signal, with a seam at each restart."""
    if len(parts) == 1:
        return parts[0]
    stamps = _stamps(parts)
    starts = np.cumsum([len(part.stamps) for part in parts[:-1]])
    seams = [BadSpan(float(stamps[i]), float(stamps[i]), RESTARTED) for i in starts]
    data = np.concatenate([part.data for part in parts])
    return replace(parts[0], data=data, stamps=stamps, bad_spans=(*parts[0].bad_spans, *seams))


def _joined_markers(parts: Sequence[RecordedMarkers]) -> RecordedMarkers:
    if len(parts) == 1:
        return parts[0]
    texts = tuple(text for part in parts for text in part.texts)
    rows = tuple(row for part in parts for row in part.rows or [(text,) for text in part.texts])
    return replace(parts[0], texts=texts, stamps=_stamps(parts), rows=rows if any(part.rows for part in parts) else ())


def _restarts_in_words(parts: Sequence[RecordedSignal]) -> str:
    """The restarts for people."""
    spans = [_span(part) for part in parts]
    begin_s = spans[0][0]
    gaps = [f"{max(0.0, b[0] - a[1]):.1f} s at {a[1] - begin_s:.1f} s" for a, b in pairwise(spans)]
    times = "once" if len(gaps) == 1 else f"{len(gaps)} times"
    return (
        f"stream {parts[0].info.name!r} stopped and came back {times} while it was recorded (missing {', '.join(gaps)}); "
        "its parts are read as one signal with a gap"
    )
