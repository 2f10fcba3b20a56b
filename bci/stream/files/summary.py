"""Summary of a recording of any format: its contents, and whether it is complete."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bci.safe_io.regular_file import open_regular
from bci.stream.clocks.clock_map import ClockMap
from bci.stream.clocks.foreign_clock import stamped_elsewhere
from bci.stream.files.boundary import in_words
from bci.stream.files.edf import check_edf
from bci.stream.files.readers import open_recording, reader_of, unknown_type
from bci.stream.files.restarts import restarts_joined
from bci.stream.files.set_clocks import steadied
from bci.stream.files.unpack import is_compressed
from bci.stream.markers.streams import is_markers
from bci.stream.metadata import sender_host, stream_info
from bci.stream.recorded_signal import RecordedMarkers, RecordedSignal
from bci.stream.xdf.reader import Verified, XdfFile, read_xdf
from bci.stream.xdf.summary import ChannelSummary, StreamSummary, summarise, times_of

FORMATS = {
    ".xdf": "XDF", ".xdf.gz": "XDF, compressed", ".xdfz": "XDF, compressed", ".edf": "EDF", ".bdf": "BDF", ".gdf": "GDF",
    ".vhdr": "BrainVision", ".fif": "FIF", ".fif.gz": "FIF, compressed", ".set": "EEGLAB", ".cnt": "Neuroscan CNT",
    ".ov": "OpenViBE",
}  # fmt: skip
STAMPED = ".ov"
"""Of the formats beside XDF, the one whose blocks carry times of their own."""


@dataclass(frozen=True, slots=True)
class FileSummary:
    """A recording in numbers.

    Parameters
    ----------
    path : Path
    format : str
    closed : bool or None
        The recorder ended in good order; None where the format does not show it.
    verified : {"verified", "unverified", "damaged"}
        As :class:`bci.stream.xdf.reader.XdfFile` has it.
    sha256 : str
        Of the file.
    problems : tuple of str
        What is damaged, what was put right, and what had to be guessed.
    left_out : int
        Bytes that could not be used.
    streams : tuple of StreamSummary
    checked : str
        How far a file that was not closed was compared with checksums, as :class:`bci.stream.xdf.reader.XdfFile` has it.
    """

    path: Path
    format: str
    closed: bool | None
    verified: Verified
    sha256: str
    problems: tuple[str, ...]
    left_out: int
    streams: tuple[StreamSummary, ...]
    checked: str = ""


def summarise_file(path: Path) -> FileSummary:
    """Read a recording of any format and measure it.

    Parameters
    ----------
    path : Path
        Of the file.

    Returns
    -------
    FileSummary

    Raises
    ------
    RecordingError
        If it cannot be read.
    """
    if reader_of(path) is None:
        raise unknown_type(path)
    name = path.name.lower()
    endings = (ending for ending in sorted(FORMATS, key=len, reverse=True) if name.endswith(ending))
    kind = FORMATS.get(next(endings, ""), path.suffix[1:].upper())  # a reader that was added has a name by its ending
    return _xdf(path, kind) if kind.startswith("XDF") else _other(path, kind)


def _xdf(path: Path, kind: str) -> FileSummary:
    with in_words(path):
        steady = steadied(read_xdf(path))
        file, clocks, notes = steady.file, steady.clocks, steady.notes
        streams = tuple(summarise(stream, clocks[stream.id]) for stream in file.streams)
        problems = (*file.problems, *notes, *_together(file, clocks))
        with open_regular(path) as opened:
            kind = "XDF, compressed" if is_compressed(opened) else kind
        sha256, left_out = _sha256(path), file.left_out
        return FileSummary(path, kind, file.closed, file.verified, sha256, problems, left_out, streams, file.checked)


def _together(file: XdfFile, clocks: Mapping[int, ClockMap]) -> list[str]:
    """What concerns several streams: restarts of a sender, and markers that another clock stamped than the longest signal.

    No sample is copied.
    """
    signals, markers = [], []
    for stream in file.streams:
        clock = clocks[stream.id]
        stamps, info = clock.continued(stream.stamps), stream_info(stream.header_xml)
        if not is_markers(stream.type, stream.channel_format, stream.rate_hz, len(info.channels)):
            signals.append(RecordedSignal(info, np.empty((len(stream), 0)), stamps, clock.unset, stream.header_xml))
        elif len(stream) and not stream.type.startswith("BCI-"):
            sender = (stream.type, info.source_id, sender_host(stream.header_xml))
            markers.append(RecordedMarkers(stream.name, ("",) * len(stream), stamps, clock.unset, *sender))
    whole, cues, notes = restarts_joined(signals, markers)
    main = max(whole, key=lambda s: len(s.stamps), default=None)
    if main is None or not len(main.stamps):
        return list(notes)
    return [*notes, *(text for one in cues if (text := stamped_elsewhere(main, one)))]


def _sha256(path: Path) -> str:
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _other(path: Path, kind: str) -> FileSummary:
    recording = open_recording(path)
    streams = [_signal(i, s, path.suffix.lower() == STAMPED) for i, s in enumerate(recording.signals, 1)]
    streams += [_markers(i, m) for i, m in enumerate(recording.markers, len(streams) + 1)]
    closed, left_out = None, 0
    if path.suffix.lower() in (".edf", ".bdf"):
        layout = check_edf(path)
        closed, left_out = layout.whole, layout.rest
    return FileSummary(path, kind, closed, "unverified", recording.sha256, recording.notes, left_out, tuple(streams))


def _signal(number: int, signal: RecordedSignal, stamped: bool) -> StreamSummary:
    info = signal.info
    times = times_of(signal.stamps, info.rate_hz, info.sample_clock)
    return StreamSummary(
        id=number,
        name=info.name,
        type=info.type,
        channel_format="",
        channels=len(info.channels),
        samples=len(signal.stamps),
        nominal_hz=info.rate_hz,
        measured_hz=times.measured_hz if stamped else None,
        duration_s=times.duration_s,
        segments=times.segments,
        gaps=times.gaps,
        missing_s=times.missing_s,
        backward=times.backward,
        clock_offset_s=None,
        closed=True,
        notes=f"declares no unit; its numbers are taken as {signal.assumed_unit}" if signal.assumed_unit else "",
        layout=tuple(ChannelSummary(c.label, c.type, c.unit) for c in info.channels),
        bad_channels=signal.bad_channels,
        bad_spans=tuple((span.start_s, span.stop_s, span.why) for span in signal.bad_spans),
    )


def _markers(number: int, markers: RecordedMarkers) -> StreamSummary:
    times = times_of(markers.stamps, 0.0)
    return StreamSummary(
        id=number,
        name=markers.name,
        type=markers.type,
        channel_format="string",
        channels=1,
        samples=len(markers.texts),
        nominal_hz=0.0,
        measured_hz=None,
        duration_s=times.duration_s,
        segments=times.segments,
        gaps=0,
        missing_s=0.0,
        backward=times.backward,
        clock_offset_s=None,
        closed=True,
        notes="",
        texts=dict(Counter(markers.texts)),
    )
