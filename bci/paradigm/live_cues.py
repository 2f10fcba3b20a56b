"""Cues as they come in a live session, from marker streams and from the amplifier's trigger channels, each announced once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bci.engine.chunk import Chunk
from bci.engine.stream_info import StreamInfo
from bci.paradigm.cue_matching import MATCH_S, CueMatcher, SeenCue, Sighting, contradicted
from bci.paradigm.cues import CueEvent, uncounted
from bci.paradigm.timeline import OF_TRIALS, cue_code
from bci.stream.bus import Marker
from bci.stream.markers.shapes import Row, shown, suggestion
from bci.stream.markers.trigger_times import TimedTriggers, TriggerMark
from bci.stream.markers.triggers import MarkerTable, trigger_stream
from bci.stream.stream_query import StreamQuery

AMPLIFIER = "amplifier"
STEP_S = 0.02
"""No clock drifts so far between two measurements."""
HOLD_S = 2.0
"""Longest that a trigger waits until its sender's clock is known."""
LONGEST, KEPT = 16_384, 500
"""A marker with more characters than this is no cue, and so many of it go on record."""
FEW, MANY = 3, 12
"""After so many markers that the table does not know a person is told how they look; earlier where the remedy is clear."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What there is to say of a marker.

    Parameters
    ----------
    kind : {"cue", "copy", "contradicted", "unmapped", "clock"}
        A new cue (or a marker that is none, without class); another sighting of one; a cue about which two sources disagree;
        a source of which the table knows no marker; one whose clock was set, or that gives no time.
    fields : dict
        For the event that puts it on record (docs/reference/streams.md).
    class_ : str
    """

    kind: str
    fields: dict[str, Any]
    class_: str = ""


class LiveCues:
    """Finds the cues of a live session by the rules of :mod:`bci.paradigm.cues`.

    Parameters
    ----------
    table : MarkerTable
    info : StreamInfo
        The signal; its trigger channels give cues where ``stream`` is empty or names them.
    stream : str
        Query for the markers that may be cues.

    Attributes
    ----------
    counts : dict of str to int
        How many of each kind there were: ``cue`` (those with a class), ``copy``, ``contradicted``.
    why : str
        What is odd about the markers that come; empty for nothing.
    """

    def __init__(self, table: MarkerTable, info: StreamInfo, stream: str = "") -> None:
        self._table, self._name = table, trigger_stream(info)
        edges = TimedTriggers(info)
        self._edges = edges if edges.columns and (not stream or names_triggers(stream, info)) else None
        self._matcher = CueMatcher()
        self._unsure: list[float] = []
        self._waiting: list[TriggerMark] = []
        self._offsets: dict[object, float] = {}
        self._odd: dict[object, list[Row]] = {}
        self._no_time: set[object] = set()
        self._latest_s = float("-inf")
        self.counts = {"cue": 0, "copy": 0, "contradicted": 0}
        self.why = ""

    def samples(self, chunk: Chunk, offset_s: float | None = 0.0) -> list[Heard]:
        """Find cues in the trigger channels of new samples.

        Codes are in the samples anyway: on record come those that the table knows, or that say what becomes of a trial.

        Parameters
        ----------
        chunk : Chunk
        offset_s : float or None
            To be added to its stamps to have our clock's time, on which markers of streams are; None while it is not known:
            what is found then waits, for two seconds at most.

        Returns
        -------
        list of Heard
        """
        self._waiting += [one for one in self._edges(chunk) if math.isfinite(one.time_s)] if self._edges else []
        if not len(chunk) or not math.isfinite(newest := float(chunk.stamps[-1])):
            return []
        if offset_s is None:
            if not self._waiting or newest - self._waiting[0].time_s < HOLD_S:
                return []
            offset_s = 0.0
        self._latest_s = newest + offset_s
        found: list[Heard] = self._clock_of(AMPLIFIER, self._name, offset_s)
        for text, stamp, time_s in self._waiting:
            seen = Sighting(time_s + offset_s, text, self._table.class_of(text), AMPLIFIER, self._name, True, stamp)
            found += self._heard(seen, (text,), ())
        self._waiting = []
        return [h for h in found if h.class_ or h.kind in ("unmapped", "clock") or cue_code(str(h.fields["code"])) in OF_TRIALS]

    def markers(self, markers: Iterable[Marker]) -> list[Heard]:
        """Find cues among markers that have come on streams.

        Markers without a text or a time are passed over, as in recordings.

        Parameters
        ----------
        markers : iterable of Marker

        Returns
        -------
        list of Heard
        """
        found: list[Heard] = []
        for m in markers:
            if not any(text.strip() for text in m.row):
                continue
            if not math.isfinite(m.stamp):
                found += self._timeless(m)
                continue
            row = m.row if max(map(len, m.row)) <= LONGEST else tuple(text[:KEPT] for text in m.row)
            code, class_ = self._table.code(row, m.columns)[:KEPT], self._table.class_of_row(row, m.columns)
            found += self._clock_of(m.source, m.name, m.offset_s)
            time_s = m.time_s if math.isfinite(m.time_s) else m.stamp
            found += self._heard(Sighting(time_s, code, class_, m.source, m.name, False, m.stamp), row, m.columns)
        return found

    def settled(self) -> list[Heard]:
        """Find cues that turn out to be contradicted, as soon as every marker that could still concern them has come.

        Returns
        -------
        list of Heard
        """
        until_s = self._latest_s - 2 * MATCH_S
        if not self._unsure or min(self._unsure) > until_s:
            return []
        self._unsure = [time_s for time_s in self._unsure if time_s > until_s]
        found = contradicted([cue for cue in self._matcher.recent if cue.time_s <= until_s])
        self.counts["contradicted"] += len(found)
        why = f"another source says within {MATCH_S:g} s that it was another class; name the one that counts (markers.stream)"
        return [Heard("contradicted", _fields(cue.sightings[0], why=why), cue.class_) for cue in found]

    def _clock_of(self, source: object, name: str, offset_s: float) -> list[Heard]:
        """Say that a sender's clock was set: until that is measured, times of what it sends are wrong by as much."""
        before_s, self._offsets[source] = self._offsets.get(source, offset_s), offset_s
        step_s = before_s - offset_s
        if not STEP_S < abs(step_s) < math.inf:
            return []
        wrong = "what it sent in the seconds before may be on record at a wrong time"
        why = f"the clock of {name!r} was set by {step_s:+.3f} s; {wrong}"
        return [Heard("clock", {"source": name, "step": step_s, "why": why})]

    def _timeless(self, marker: Marker) -> list[Heard]:
        """Say, once for each sender, that a marker has no time: it is no cue, as it is none in a recording."""
        if marker.source in self._no_time:
            return []
        self._no_time.add(marker.source)
        self.why = f"{marker.name!r} stamps markers with {marker.stamp}, which is no time: they are not counted"
        return [Heard("clock", {"source": marker.name, "step": 0.0, "why": f"{self.why} (the first is {shown(marker.row)})"})]

    def _heard(self, seen: Sighting, row: Row, columns: Sequence[str]) -> list[Heard]:
        """One sighting: a cue, or a copy of one."""
        cue, new = self._matcher.add(seen)
        if not new:
            self.counts["copy"] += bool(seen.class_)
            return [Heard("copy", _fields(seen, cue=cue.sightings[0].stamp, samples=seen.on_samples), seen.class_)]
        self.counts["cue"] += bool(seen.class_)
        if seen.class_:
            self._unsure.append(cue.time_s)
        return [Heard("cue", _fields(seen), seen.class_), *self._unmapped(seen, row, columns)]

    def _unmapped(self, seen: Sighting, row: Row, columns: Sequence[str]) -> list[Heard]:
        """Say how the markers of a source look of which the table has known none so far."""
        rows = self._odd.setdefault(seen.source, [])
        if seen.class_ or not self._table.texts:
            rows[:] = [()] * MANY
        if len(rows) >= MANY:
            return []
        rows.append(row)
        how = suggestion(rows, columns, self._table.knows) if len(rows) >= FEW else ""
        if not how and len(rows) < MANY:
            return []
        rows += [()] * MANY
        remedy = f"{how} takes the cue out of them" if how else "--set markers.table.TEXT=CLASS says what they mean"
        self.why = f"{seen.name!r} sends markers like {shown(row)}, of which the table knows none: {remedy}"
        return [Heard("unmapped", {"source": seen.name, "why": self.why})]


def names_triggers(stream: str, info: StreamInfo) -> bool:
    """Whether a query for markers means the trigger channels of a signal.

    Parameters
    ----------
    stream : str
    info : StreamInfo

    Returns
    -------
    bool

    >>> names_triggers("Amp triggers", StreamInfo(250.0, (), name="Amp"))
    True
    """
    return StreamQuery.parse(stream).matches(trigger_stream(info), "Markers")


def on_record(events: Iterable[dict[str, Any]]) -> list[CueEvent]:
    """The trials of a live session as its events have them, in order of time, on the clock of the computer that decoded.

    What was rejected afterwards (1023), or broken off, does not count, as in a recording.

    Parameters
    ----------
    events : iterable of dict
        Of the stream of type BCI-Event.

    Returns
    -------
    list of CueEvent
    """
    cues: dict[tuple[float, str], SeenCue] = {}
    marks: list[Sighting] = []
    for event in events:
        if event.get("kind") not in ("cue", "copy", "contradicted"):
            continue
        seen = _sighting(event)
        first = (float(event.get("cue", seen.stamp)), seen.class_)
        if not seen.class_:
            marks.append(seen)
        elif event["kind"] == "cue":
            cues[first] = SeenCue([seen])
        elif event["kind"] == "copy" and first in cues:
            cues[first].sightings.append(seen)
        elif event["kind"] == "contradicted":
            cues.pop(first, None)
    ordered = sorted(cues.values(), key=lambda cue: cue.time_s)
    lost = uncounted(ordered, marks)
    return [CueEvent(cue.time_s, cue.class_) for cue in ordered if cue not in lost]


def _sighting(event: Mapping[str, Any]) -> Sighting:
    """What an event says; sessions of before had no time beside the stamp."""
    stamp, name = float(event["stamp"]), str(event.get("source", ""))
    time_s, on_samples = float(event.get("time", stamp)), bool(event.get("samples", False))
    return Sighting(time_s, str(event["code"]), str(event["class"]), name, name, on_samples, stamp)


def _fields(seen: Sighting, **more: object) -> dict[str, Any]:
    """For the record: the stamp as it was sent, and the time on our clock."""
    place = {"stamp": seen.stamp, "time": seen.time_s, "source": seen.name, "samples": seen.on_samples}
    return {"code": seen.code, "class": seen.class_, **place, **more}
