"""XDF files as recordings: which of their streams are signals and which are markers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bci.engine.chunk import FloatArray
from bci.engine.stream_info import StreamInfo
from bci.stream.clocks.clock_map import ClockMap
from bci.stream.files.hand_marks import with_hand_marks
from bci.stream.files.restarts import restarts_joined
from bci.stream.files.stored import StoredSamples
from bci.stream.files.trigger_channels import trigger_markers
from bci.stream.markers.marked import BadSpan
from bci.stream.markers.shapes import row_of
from bci.stream.markers.streams import Levels, is_markers
from bci.stream.metadata import sender_host, stream_info
from bci.stream.recorded_signal import RecordedMarkers, RecordedSignal
from bci.stream.recording import RecordedStreams
from bci.stream.units import scale_to_microvolts

if TYPE_CHECKING:
    from bci.stream.xdf.streams import XdfStream


def read_xdf_recording(path: Path, stored: bool = False) -> RecordedStreams:
    """Streams as recorded: what :func:`~bci.stream.markers.streams.is_markers` takes for markers, and signals.

    Parameters
    ----------
    path : Path
    stored : bool
        Leave the samples of signals in the file until they are asked for.
    """
    from bci.stream.files.set_clocks import SET_BACK, steadied
    from bci.stream.xdf.reader import read_xdf

    steady = steadied(read_xdf(path, stored=stored))
    file, clocks, notes = steady.file, steady.clocks, list(steady.notes)
    signals: list[RecordedSignal] = []
    markers: list[RecordedMarkers] = []
    for stream in file.streams:
        clock, stamps = clocks[stream.id].unset, clocks[stream.id].continued(stream.stamps)
        width = 1 if stream.channel_format == "string" else np.shape(stream.values)[1]
        if is_markers(stream.type, stream.channel_format, stream.rate_hz, width):
            found, more = _markers(stream, stamps, clock)
            markers.append(found)
            notes += more
            continue
        info = stream_info(stream.header_xml)
        data = _samples(stream, info)
        seams = tuple(BadSpan(float(stamps[i]), float(stamps[i]), SET_BACK) for i in steady.seams.get(stream.id, ()))
        signals.append(RecordedSignal(info, data, stamps, clock, stream.header_xml, bad_spans=seams))
        markers += trigger_markers(info, data, stamps, clock)
    whole, cues, joined = restarts_joined(signals, markers)
    return RecordedStreams(path, with_hand_marks(whole, cues), cues, file.sha256, (*file.problems, *notes, *joined))


def _samples(stream: XdfStream, info: StreamInfo) -> FloatArray:
    """Samples in microvolts; what stays in the file passes for the array that it becomes when it is asked for."""
    values: Any = stream.values
    if not isinstance(values, StoredSamples):
        values = np.asarray(values, np.float64).reshape(-1, len(info.channels))
    scaled: FloatArray = values * scale_to_microvolts(info)
    return scaled


def _markers(stream: XdfStream, stamps: FloatArray, clock: ClockMap) -> tuple[RecordedMarkers, list[str]]:
    """A stream of markers, and what a person should know of how it was taken."""
    levels = Levels(0.0 if stream.channel_format == "string" else stream.rate_hz)
    kept = [*levels(map(row_of, stream.values), stamps.tolist()), *levels.flush()]
    rows = tuple(row for row, _ in kept)
    info = stream_info(stream.header_xml)
    found = RecordedMarkers(
        stream.name,
        tuple(row[0] for row in rows),
        np.array([stamp for _, stamp in kept], np.float64),
        clock,
        stream.type,
        info.source_id,
        sender_host(stream.header_xml),
        rows if any(len(row) > 1 for row in rows) else (),
        info.labels,
    )
    notes = []
    if levels.held:
        notes = [
            f"stream {stream.name!r} of type {stream.type!r} declares {stream.rate_hz:g} Hz and holds a level: only its "
            f"{len(rows)} changes to a value other than 0 are markers"
        ]
    elif stream.rate_hz and stream.channel_format != "string":
        notes = [
            f"stream {stream.name!r} of type {stream.type!r} declares {stream.rate_hz:g} Hz but sends single markers, "
            f"so each of the {len(rows)} counts"
        ]
    return found, notes
