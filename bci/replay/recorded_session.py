"""One run of the engine in a recording."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bci.engine.chunk import Chunk, FloatArray
from bci.engine.control_inputs import ControlInput
from bci.engine.engine import EngineSettings
from bci.engine.stream_info import StreamInfo
from bci.errors import RecordingError
from bci.recording.recorded_stream import lost_after
from bci.replay.engine_only import SegmentPart, mended, tails
from bci.replay.recorded_events import MOST, RecordedEvent, read_events
from bci.safe_io.printable import printable
from bci.stream.metadata import stream_info
from bci.stream.units import scale_to_microvolts
from bci.stream.xdf.reader import XdfFile, read_xdf
from bci.stream.xdf.streams import XdfStream

OUTCOME_WIDTH = 8
"""Columns of an outcome before those of its classes and channels."""


@dataclass(frozen=True, slots=True)
class Witness:
    """Other signs in a recording that the engine had decoded.

    Parameters
    ----------
    stopped : int or None
        Raw samples that it had consumed when it said that it stopped; None where it never did.
    why : str
        Why it stopped.
    consumed : int
        Raw samples that it had consumed by any of its events.
    stamps : frozenset of float
        Raw stamps of windows that its decisions stand for.
    places : frozenset of (segment, index)
        Of windows whose timing it told.
    sent : tuple of (stamp, decision, reason)
        What it sent for each window, by the window's raw stamp.
    """

    stopped: int | None = None
    why: str = ""
    consumed: int = 0
    stamps: frozenset[float] = frozenset()
    places: frozenset[tuple[float, float]] = frozenset()
    sent: tuple[tuple[float, float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class RecordedSession:
    """One run of the engine in a recording.

    Parameters
    ----------
    info : StreamInfo
        The input as the engine saw it.
    settings : EngineSettings
    model : str
        SHA-256 of the model file.
    fingerprint : dict
    inputs : list of (consumed, Input or model hash)
        In the order in which they were applied.
    joins : list of (consumed, stamp)
        Raw sample counts at which the engine began to read, and the stamp of the first sample there.
    rows : ndarray, shape (n_outcomes, n_fields)
    raw : Chunk
        All recorded samples of the input, µV, raw stamps.
    velocities : ndarray, shape (n_outcomes, n_fields)
        Rows of the velocity stream; none where the model decodes no velocity.
    witness : Witness
    runs : tuple of int
        Where in ``raw`` another run of its sender begins: the sender was begun anew.
    engine_only : tuple of (consumed, n_samples)
        Samples in ``raw`` that the recorder did not get when the sender died, and the engine put on record: up to which one of
        the engine's count, and how many.
    """

    info: StreamInfo
    settings: EngineSettings
    model: str
    fingerprint: dict[str, str]
    inputs: list[tuple[int, ControlInput | str]]
    joins: list[tuple[int, float]]
    rows: FloatArray
    raw: Chunk
    velocities: FloatArray = field(default_factory=lambda: np.zeros((0, 4)))
    witness: Witness = Witness()
    runs: tuple[int, ...] = ()
    engine_only: tuple[tuple[int, int], ...] = ()


def read_session(path: Path) -> RecordedSession:
    """The run of the engine that a recording holds.

    Raises
    ------
    RecordingError
        If it holds none, or not all that belongs to one.
    """
    file = read_xdf(path)
    events = read_events(
        (row[0] if isinstance(row[0], str) else "" for stream in _of(file, "BCI-Event", path) for row in stream.values), str(path)
    )
    starts = [e for e in events if e.kind == "start"]
    if len(starts) != 1:
        raise RecordingError(f"{path}: holds {len(starts)} starts of an engine; a session to verify has exactly one")
    start = starts[0]
    info = start.get("stream", StreamInfo)
    joins = [(e.consumed(), e.stamp()) for e in events if e.kind in ("start", "found")]
    raw, parts = _raw(file, info, path)
    whole = mended(raw, parts, joins, tails(events, len(info.channels)), info.rate_hz)
    return RecordedSession(
        info,
        start.get("settings", EngineSettings),
        start.model(),
        start.get("fingerprint", dict[str, str]),
        [(e.consumed(), given) for e in events if (given := e.input()) is not None],
        joins,
        _outcomes(_of(file, "BCI-Outcome", path), path),
        whole.raw,
        _velocities(file),
        _witness(file, events),
        tuple(part.end for part in whole.parts if part.anew),
        whole.engine_only,
    )


def _outcomes(streams: Sequence[XdfStream], path: Path) -> FloatArray:
    """Rows of outcomes, each with a place that a window can have.

    Raises
    ------
    RecordingError
        If they are texts, or a segment, index, count or stamp is none.
    """
    if streams[0].channel_format == "string" or streams[0].header.n_channels < OUTCOME_WIDTH:
        raise RecordingError(f"{path}: its stream of outcomes contains other data than outcomes")
    rows = _numbers(streams)
    counts = np.isfinite(rows[:, :4]) & (np.abs(rows[:, :4]) <= MOST)
    counts[:, :3] &= rows[:, :3] >= 0
    if not counts.all():
        row = int(np.flatnonzero(~counts.all(axis=1))[0])
        raise RecordingError(
            f"{path}: outcome {row} belongs to no window (segment, index, consumed, stamp = {rows[row, :4].tolist()})"
        )
    return rows


def _witness(file: XdfFile, events: Sequence[RecordedEvent]) -> Witness:
    """What events, decisions and timing say that was decoded."""
    stop = next((e for e in events if e.kind == "stop"), None)
    sent = tuple(
        (row[3], row[1], row[5]) for row in _rows(file, "BCI-Decision", 7) if not row[6] and np.isfinite(row[3]) and row[3]
    )
    places = frozenset((row[1], row[2]) for row in _rows(file, "BCI-Timing", 3))
    consumed = max((e.consumed() for e in events if "consumed" in e.fields), default=0)
    stamps = frozenset(stamp for stamp, _, _ in sent)
    return Witness(
        stop.consumed() if stop else None, printable(stop.get("why", str)) if stop else "", consumed, stamps, places, sent
    )


def _rows(file: XdfFile, type_: str, width: int) -> Iterator[list[float]]:
    """Rows of numbers of all streams of a type that have so many columns."""
    for stream in file.streams:
        if stream.type == type_ and stream.channel_format != "string" and stream.header.n_channels >= width:
            yield from np.asarray(stream.values, np.float64).tolist()


def _velocities(file: XdfFile) -> FloatArray:
    """Rows of the velocity stream, where there is one."""
    found = [s for s in file.streams if s.type == "BCI-Velocity" and len(s) and s.channel_format != "string"]
    return _numbers(_alike(found)) if found and found[0].header.n_channels >= 4 else np.zeros((0, 4))


def _numbers(streams: Sequence[XdfStream]) -> FloatArray:
    """All their rows, one stream behind the other."""
    return np.concatenate([np.asarray(s.values, np.float64).reshape(len(s), s.header.n_channels) for s in streams])


def _of(file: XdfFile, type_: str, path: Path) -> list[XdfStream]:
    """The one stream of a type, in the parts that broken connections made of it.

    Raises
    ------
    RecordingError
        If there is none, or there are several.
    """
    found = [s for s in file.streams if s.type == type_]
    parts = _alike(found)
    if not found or len(parts) < len(found):
        raise RecordingError(f"{path}: holds {len(found)} streams of type {type_!r}; a session to verify has exactly one")
    return parts


def _alike(streams: Sequence[XdfStream]) -> list[XdfStream]:
    """Those that are parts of the first one: same sender, same columns."""
    first = streams[0] if streams else None
    return [
        s
        for s in streams
        if first is not None
        and (s.name, s.header.n_channels, stream_info(s.header_xml).source_id)
        == (first.name, first.header.n_channels, stream_info(first.header_xml).source_id)
    ]


def _raw(file: XdfFile, info: StreamInfo, path: Path) -> tuple[Chunk, list[SegmentPart]]:
    """All recorded samples of the engine's input, µV, exactly as the inlet converted them, and where its parts end."""
    found: list[tuple[XdfStream, StreamInfo]] = []
    for stream in file.streams:
        recorded = stream_info(stream.header.xml)
        # A device's markers may share its name. EEG may declare no rate, and have it from a montage file.
        signal = stream.header.channel_format != "string" and len(recorded.channels) == len(info.channels)
        if (recorded.name, recorded.source_id) != (info.name, info.source_id) or not signal:
            continue
        # A sender that came back is a stream of its own in the file; one that came back different was refused.
        if not found or (recorded.rate_hz, recorded.channels) == (found[0][1].rate_hz, found[0][1].channels):
            found.append((stream, recorded))
    if not found:
        raise RecordingError(f"{path}: the engine's input {info.name!r} ({json.dumps(info.source_id)}) was not recorded")
    values = np.concatenate([np.asarray(stream.values, dtype=np.float64) for stream, _ in found])
    stamps = np.concatenate([np.asarray(stream.stamps, dtype=np.float64) for stream, _ in found])
    uids = [*(_uid(stream) for stream, _ in found), None]
    ends = np.cumsum([len(stream) for stream, _ in found]).tolist()
    parts = [
        SegmentPart(end, _lost_at_its_end(stream), after is not None and after != uid)
        for end, (stream, _), uid, after in zip(ends, found, uids, uids[1:], strict=False)
    ]
    return Chunk(values * scale_to_microvolts(info), stamps), parts


def _lost_at_its_end(stream: XdfStream) -> bool:
    """Whether the recorder wrote down that it lost the sender after just as many samples as are there."""
    return lost_after(len(stream)) in (stream.footer or {}).get("note", "").split("; ")


def _uid(stream: XdfStream) -> str:
    """What LSL calls one run of a stream's sender; empty where the header does not say."""
    match = re.search("<uid>([^<]*)</uid>", stream.header_xml)
    return match[1].strip() if match else ""
