"""How the markers of a recording become trials: the one place that everything which counts trials asks.

What the rules are and why: ``docs/explanations/cues.md``.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from bci.errors import RecordingError
from bci.paradigm.cue_matching import MATCH_S, SeenCue, Sighting, copies, echoed, matched
from bci.paradigm.timeline import CALIBRATION_TYPE, CUE_STREAM, REJECTED, TRIAL_END, TRIAL_START, cue_code
from bci.stream.markers.shapes import parsed, shown, suggestion
from bci.stream.markers.triggers import MarkerTable, canonical_marker
from bci.stream.recorded_signal import RecordedMarkers, RecordedSignal, times_on
from bci.stream.recording import RecordedStreams
from bci.stream.stream_query import StreamQuery

SAME_S = 0.02
"""Marks that belong to one moment may be stamped so far apart, and in either order."""
CROWDED_S = 2.0
"""Trials of one class do not follow each other so soon: what does is a mark of the trial's end, of its feedback, or a copy."""
WAS_REJECTED = "marked as rejected (1023)"
BROKEN_OFF = "broken off (its stream marks the ends of trials with 800, and none follows)"
OURS = "BCI-"
"""Types of streams on which our own processes talk to each other."""


@dataclass(frozen=True, slots=True)
class CueEvent:
    """One cued trial.

    Parameters
    ----------
    time_s : float
        On the EEG stream's clock.
    class_ : str
    """

    time_s: float
    class_: str


@dataclass(frozen=True, slots=True)
class PlacedMarker:
    """One marker of a recording.

    Parameters
    ----------
    time_s : float
        On the EEG stream's clock.
    text : str
        As it was sent: its first column.
    code : str
        What the table was asked for.
    class_ : str
        What it is a cue for; empty where it is none.
    stream : str
        Name of the stream.
    duration_s : float
        How long it lasts, where its source tells.
    """

    time_s: float
    text: str
    code: str
    class_: str
    stream: str = ""
    duration_s: float = 0.0


@dataclass(frozen=True, slots=True)
class FoundCues:
    """The cues of a recording.

    Parameters
    ----------
    trials : tuple of CueEvent
        Those that count, in order of time.
    marks : tuple of PlacedMarker
        All markers in order of time, cues each once.
    notes : tuple of str
        What a person should know: copies, contradictions, trials that were rejected or broken off.
    """

    trials: tuple[CueEvent, ...]
    marks: tuple[PlacedMarker, ...]
    notes: tuple[str, ...]


def find_cues(recording: RecordedStreams, signal: RecordedSignal, table: MarkerTable, stream: str = "") -> FoundCues:
    """Find the cues of a recording, each once.

    Parameters
    ----------
    recording : RecordedStreams
    signal : RecordedSignal
        On whose clock they are placed.
    table : MarkerTable
    stream : str
        Query for the streams whose markers may be cues; empty for all. In a calibration that somebody else's program
        presents, our own stream of cues says what counts.

    Returns
    -------
    FoundCues

    Raises
    ------
    RecordingError
        If the recording has no such stream; lists those that it has.
    """
    ours = any(markers.type == CALIBRATION_TYPE for markers in recording.markers)
    heard = [(i, m) for i, m in enumerate(recording.markers) if not ours or m.name == CUE_STREAM]
    chosen = {i for i, m in heard if ours or not stream or means(stream, m)}
    if stream and not ours and not chosen:
        raise RecordingError(_missing(recording, stream))
    seen = [s for i, markers in heard for s in _sightings(i, markers, signal, table, i in chosen)]
    cues, rest = matched([s for s in seen if s.class_]), [s for s in seen if not s.class_]
    contradictions, echoes = _doubted(cues), _echoes(cues)
    lost = uncounted(cues, rest)
    trials = tuple(CueEvent(cue.time_s, cue.class_) for cue in cues if cue not in lost and not cue.doubted)
    told = [(s, s.class_) for s in (*(cue.best for cue in cues if not cue.doubted), *rest)]
    told += [(s, "") for cue in cues if cue.doubted for s in cue.sightings]
    marks = [PlacedMarker(s.time_s, s.text, s.code, class_, s.name, s.duration_s) for s, class_ in told]
    notes = (
        *copies(cues),
        *contradictions,
        *echoes,
        *_lost(lost),
        *_apart([cue for cue in cues if not cue.doubted]),
        *_crowded(trials),
        *hints(recording, table, chosen),
    )
    return FoundCues(trials, tuple(sorted(marks, key=lambda mark: mark.time_s)), notes)


def trials_of(recording: RecordedStreams, signal: RecordedSignal, table: MarkerTable, stream: str = "") -> list[CueEvent]:
    """Find the trials of a recording that count (:func:`find_cues`).

    Parameters
    ----------
    recording : RecordedStreams
    signal : RecordedSignal
    table : MarkerTable
    stream : str

    Returns
    -------
    list of CueEvent
        In order of time, on the clock of the signal.
    """
    return list(find_cues(recording, signal, table, stream).trials)


def means(query: str, markers: RecordedMarkers) -> bool:
    """Whether a query means a stream of a recording.

    Parameters
    ----------
    query : str
    markers : RecordedMarkers

    Returns
    -------
    bool
    """
    identity = markers.identity
    return StreamQuery.parse(query).matches(identity.name, identity.type, identity.source_id, identity.host)


def hints(recording: RecordedStreams, table: MarkerTable, chosen: set[int]) -> list[str]:
    """For each chosen stream of which no marker is a cue: how its markers look, and the setting that would make them cues."""
    found = []
    for i, markers in enumerate(recording.markers):
        rows = [markers.row(k) for k in range(min(len(markers.texts), 500))]
        plain = not rows or markers.type.startswith(OURS)
        if i not in chosen or plain or markers.on_samples:
            continue
        cues = sum(bool(_meaning(markers, row, table)[1]) for row in rows)
        if cues:
            found += _rather(markers, rows, table, cues)
            continue
        how = suggestion(rows, markers.columns, table.knows)
        of = shown(rows[0])
        kind = "JSON texts" if any(parsed(text) is not None for text in rows[0]) else "markers"
        if how:
            found.append(f"Stream {markers.name!r} sends {kind} like {of}: {how} takes the cue out of them")
        elif kind != "markers":
            found.append(f"Stream {markers.name!r} sends {kind} like {of}: --set markers.field=KEY says what the cue is")
    return found


def _rather(markers: RecordedMarkers, rows: Sequence[tuple[str, ...]], table: MarkerTable, cues: int) -> list[str]:
    """A column that is not asked holds far more cues than the one that is, in which a trial's number may be in the table."""
    if max(len(row) for row in rows) < 2 or table.shape.field or 2 * cues > len(rows):
        return []
    counts = {k: sum(len(row) > k and table.knows(row[k]) for row in rows) for k in range(1, max(map(len, rows)))}
    best = max(counts, key=lambda k: counts[k])
    if counts[best] < 2 * cues:
        return []
    return [
        f"Stream {markers.name!r} sends markers like {shown(rows[0])}: {cues} of {len(rows)} are cues by their first column, "
        f"{counts[best]} would be by column {best + 1}, with --set markers.field={best + 1}"
    ]


def uncounted(cues: Sequence[SeenCue], marks: Sequence[Sighting]) -> dict[SeenCue, str]:
    """Find cues of trials that do not count: rejected (1023), or broken off before their end (800).

    A rejection belongs to the trial in which it stands, from one beginning (768) to the next: at its beginning to all of it,
    else to the cue before it, or, where there is none, to the one after it. Where no beginnings are marked it belongs to the
    cue before it. One that lasts belongs to the cues of its trial that it covers, if there are some. What is stamped with
    the same moment is taken for simultaneous, whatever the order. A stream that marks ends of trials says by that which of
    its cues were broken off: those after the last one.

    Parameters
    ----------
    cues : sequence of SeenCue
        In order of time.
    marks : sequence of Sighting
        All other markers.

    Returns
    -------
    dict of SeenCue to str
        Why each of them does not count.
    """
    starts = once([mark.time_s for mark in marks if cue_code(mark.code) == TRIAL_START])
    rejections = [(mark.time_s, mark.duration_s) for mark in marks if cue_code(mark.code) == REJECTED]
    ends: dict[Hashable, float] = {}
    for mark in marks:
        if cue_code(mark.code) == TRIAL_END:
            ends[mark.source] = max(mark.time_s, ends.get(mark.source, mark.time_s))
    found: dict[SeenCue, str] = {}
    times = [cue.time_s for cue in cues]
    for cue in cues:
        own = [ends[source] for source in cue.sources if source in ends]
        if own and max(own) < cue.time_s:
            found[cue] = BROKEN_OFF
    for time_s, duration_s in rejections:
        found |= dict.fromkeys((cues[i] for i in _rejected(time_s, duration_s, starts, times)), WAS_REJECTED)
    return found


def once(times: Sequence[float]) -> list[float]:
    """Put moments in order, those of several sources taken together.

    Parameters
    ----------
    times : sequence of float
        Seconds.

    Returns
    -------
    list of float
    """
    found: list[float] = []
    for time_s in sorted(times):
        if not found or time_s - found[-1] > MATCH_S:
            found.append(time_s)
    return found


def _rejected(time_s: float, duration_s: float, starts: Sequence[float], times: Sequence[float]) -> range:
    """Places of the cues, of which the times are given, that a rejection at a time belongs to."""
    number = bisect_right(starts, time_s + SAME_S)
    begin = starts[number - 1] if number else float("-inf")
    end = starts[number] if number < len(starts) else float("inf")
    first, stop = bisect_left(times, begin - SAME_S), bisect_left(times, end - SAME_S)
    if abs(time_s - begin) <= SAME_S:
        return range(first, stop)
    if duration_s > SAME_S:
        covered = range(max(first, bisect_left(times, time_s - SAME_S)), min(stop, bisect_left(times, time_s + duration_s)))
        if covered:
            return covered
    behind = min(stop, bisect_right(times, time_s + SAME_S))
    if behind > first:
        return range(behind - 1, behind)
    return range(first, min(first + 1, stop)) if number else range(0)


def _sightings(
    number: int, markers: RecordedMarkers, signal: RecordedSignal, table: MarkerTable, chosen: bool
) -> Iterator[Sighting]:
    """Markers of one stream that were stamped; none is a cue where the stream was not chosen."""
    if markers.type.startswith(OURS):
        return
    for i, (time_s, stamp) in enumerate(zip(times_on(signal, markers).tolist(), markers.stamps.tolist(), strict=True)):
        row = markers.row(i)
        if np.isfinite(time_s) and any(text.strip() for text in row):
            code, class_ = _meaning(markers, row, table)
            class_ = class_ if chosen else ""
            lasts_s = markers.durations_s[i] if markers.durations_s else 0.0
            yield Sighting(time_s, code, class_, number, markers.name, markers.on_samples, stamp, markers.texts[i], lasts_s)


def _meaning(markers: RecordedMarkers, row: Sequence[str], table: MarkerTable) -> tuple[str, str]:
    """What a marker says, and its class: a level of a trigger channel has no columns or parts in which to look."""
    if markers.on_samples:
        return canonical_marker(row[0]), table.class_of(row[0])
    return table.code(row, markers.columns), table.class_of_row(row, markers.columns)


def _doubted(cues: Sequence[SeenCue]) -> list[str]:
    """Sources contradict each other."""
    doubted = [cue for cue in cues if cue.doubted]
    if not doubted:
        return []
    names = dict.fromkeys(s.name for cue in doubted for s in cue.sightings)
    n, who = len(once([cue.time_s for cue in doubted])), " and ".join(map(repr, names))
    return [
        f"{who} contradict each other {n} time{'s' * (n != 1)}, first at {doubted[0].time_s:.3f} s: what they say within "
        f"{MATCH_S:g} s is left out; name the stream that counts with --set markers.stream=NAME"
    ]


def _echoes(cues: Sequence[SeenCue]) -> list[str]:
    """Sources give the same cues at different times."""
    return [
        f"{first!r} and {second!r} give the same {n} cues {delay_s:.3f} s apart, which is too far to take them for one and too "
        "even for two: they are left out; name the stream whose times count with --set markers.stream=NAME"
        for first, second, n, delay_s in echoed(cues)
    ]


def _crowded(trials: Sequence[CueEvent]) -> list[str]:
    """Trials of one class follow each other sooner than people can do them."""
    gaps = np.diff([trial.time_s for trial in trials])
    close = [b for a, b in pairwise(trials) if a.class_ == b.class_ and b.time_s - a.time_s < CROWDED_S]
    if len(close) < 2 or np.count_nonzero(gaps >= CROWDED_S) < max(2, 0.02 * len(gaps)):
        return []  # where all of them come so fast, they are meant to
    return [
        f"{len(close)} of {len(trials)} cues come within {CROWDED_S:g} s of another one of the same class, first at "
        f"{close[0].time_s:.3f} s, and count as trials of their own; if each trial is marked more than once, leave all but one "
        "of its marks out of markers.table"
    ]


def _lost(lost: Mapping[SeenCue, str]) -> list[str]:
    counts = Counter(lost.values())
    return [f"{n} trial{'s are' if n != 1 else ' is'} left out: {why}" for why, n in counts.items()]


def _apart(cues: Sequence[SeenCue]) -> list[str]:
    """Several streams have cues, and mostly not the same ones: perhaps only one of them was meant."""
    names = {source: name for cue in cues for source, name in cue.sources.items()}
    alone = Counter(next(iter(cue.sources)) for cue in cues if len(cue.sources) == 1)
    if len(alone) < 2 or 2 * sum(alone.values()) <= len(cues):
        return []
    each = " and ".join(f"{n} only on {names[source]!r}" for source, n in alone.most_common())
    return [f"cues come from several streams: {each}; if only one of them counts, name it with --set markers.stream=NAME"]


def _missing(recording: RecordedStreams, stream: str) -> str:
    """The named stream is not there."""
    there = [
        f"\n  {m.name!r} (type {m.type!r}, {len(m.texts)} markers)" for m in recording.markers if not m.type.startswith(OURS)
    ]
    return (
        f"{recording.path}: has no marker stream {stream!r} (markers.stream); name one of those that it holds, or none with "
        f"--set markers.stream= for all of them:{''.join(there) or ' no markers at all'}"
    )
