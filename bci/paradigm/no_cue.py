"""Why a recording has no trial, told so that a person can mend it."""

from __future__ import annotations

from collections import Counter

from bci.paradigm.cues import FoundCues, means
from bci.stream.markers.shapes import shown
from bci.stream.markers.triggers import MarkerTable
from bci.stream.recording import RecordedStreams


def no_cue(recording: RecordedStreams, table: MarkerTable, stream: str, found: FoundCues) -> str:
    """Explain why a recording has no trial: what the table knows, what the recording holds, and what would help.

    Parameters
    ----------
    recording : RecordedStreams
    table : MarkerTable
    stream : str
        As for :func:`find_cues`.
    found : FoundCues

    Returns
    -------
    str
    """
    asked = {m.name for m in recording.markers if not stream or means(stream, m)}
    if any(mark.stream in asked and table.knows(mark.code) for mark in found.marks):
        return f"{recording.path}: no trial is left of its cues: {'; '.join(found.notes)}."
    rows = [m.row(k) for m in recording.markers if not stream or means(stream, m) for k in range(len(m.texts))]
    seen = Counter(map(shown, rows)).most_common(20)
    listing = ", ".join(f"{text} × {n}" for text, n in seen) or "no markers at all"
    helps = "".join(f" {note}." for note in (*found.notes, *_rateless(recording)))
    known = ", ".join(table.texts) or "no marker"
    return (
        f"{recording.path}: no marker is a cue. The table knows {known}; the recording holds {listing}.{helps} "
        "Give the table with --set markers.table.TEXT=CLASS, or in the configuration file under [markers.table]."
    )


def _rateless(recording: RecordedStreams) -> list[str]:
    """Signals that come at no rate: perhaps markers that do not say so."""
    return [
        f"Stream {s.info.name!r} of type {s.info.type!r}, {len(s.info.channels)} columns of numbers without a rate, is taken for "
        "a signal; if these are the markers, let their sender declare the type Markers"
        for s in recording.signals
        if not s.info.rate_hz and len(s.stamps)
    ]
