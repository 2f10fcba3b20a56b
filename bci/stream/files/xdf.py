"""XDF files as recordings: which of their streams are signals and which are markers."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bci.stream.files.trigger_channels import trigger_markers
from bci.stream.metadata import parse_header, scale_to_microvolts, stream_info
from bci.stream.recording import RecordedMarkers, RecordedSignal, Recording


def read_xdf_recording(path: Path) -> Recording:
    """Streams as recorded: numeric ones become signals, strings and single numbers without a rate become markers."""
    from bci.stream.files.clocks import clocks_of
    from bci.stream.xdf_reader import read_xdf

    file = read_xdf(path)
    clocks, notes = clocks_of(file)
    signals: list[RecordedSignal] = []
    markers: list[RecordedMarkers] = []
    for stream in file.streams:
        clock, stamps = clocks[stream.id].unset, clocks[stream.id].continued(stream.stamps)
        numeric_markers = stream.rate_hz == 0 and np.shape(stream.values)[1:] == (1,)
        if stream.channel_format == "string" or numeric_markers:
            texts = tuple(v[0] if isinstance(v[0], str) else f"{v[0]:.15g}" for v in stream.values)
            head = parse_header(stream.header_xml)
            source_id, host = (head.findtext(tag) or "" for tag in ("source_id", "hostname"))
            markers.append(RecordedMarkers(stream.name, texts, stamps, clock, stream.type, source_id, host))
            continue
        info = stream_info(stream.header_xml)
        data = np.asarray(stream.values, np.float64).reshape(-1, len(info.channels)) * scale_to_microvolts(info)
        signals.append(RecordedSignal(info, data, stamps, clock, stream.header_xml))
        markers += trigger_markers(info, data, stamps, clock)
    return Recording(path, tuple(signals), tuple(markers), file.sha256, (*file.problems, *notes))
