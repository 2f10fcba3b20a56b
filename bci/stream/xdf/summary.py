"""Numbers from which a person can judge a recorded stream."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from bci.engine.chunk import Chunk, FloatArray
from bci.engine.continuity import Continuity
from bci.errors import StreamError
from bci.stream.clocks.clock_map import SAME_CLOCK, ClockMap
from bci.stream.files.trigger_channels import trigger_markers
from bci.stream.metadata import stream_info
from bci.stream.xdf.streams import XdfStream

SEGMENT_S = 10.0
MOST_COLUMNS = 4
"""A stream of numbers at no fixed rate with more of them holds measurements, and no markers."""
OWN = "BCI-"
"""Types of the streams with which our own processes talk to each other."""


@dataclass(frozen=True, slots=True)
class ChannelSummary:
    """One channel, as its stream declares it.

    Parameters
    ----------
    label, type, unit : str
        Empty where the stream does not declare it.
    """

    label: str
    type: str
    unit: str


@dataclass(frozen=True, slots=True)
class StreamSummary:
    """One stream in numbers.

    Parameters
    ----------
    id : int
    name, type, channel_format : str
        The format is empty where the file keeps numbers in one of its own.
    channels, samples : int
    nominal_hz : float
        0 for irregular streams.
    measured_hz : float or None
        Samples per second outside gaps; None for irregular streams, fewer than two samples, and files that keep no stamps.
    duration_s : float
        Sum over segments, gaps included.
    segments : int
        Spans between steps of the clock.
    gaps : int
        Losses of samples in a signal, as live decoding finds them.
    missing_s : float
        Their sum.
    backward : int
        Stamps that lie before the one before; chunk-wise senders do this all the time.
    clock_offset_s : float or None
        To be added to stamps to have the recorder's time, in the middle of the recording; None: unknown.
    closed : bool
    notes : str
    layout : tuple of ChannelSummary
    texts : dict of str to int
        What its markers say, and how often; of a signal, what its trigger channels say.
    bad_channels : tuple of str
        That somebody marked bad.
    bad_spans : tuple of (start_s, stop_s, why)
        Spans that somebody marked bad.
    clock_ppm : float
        By how many microseconds its clock falls behind the recorder's in a second.
    clock_resets : int
        How often its clock was reset while it was recorded.
    """

    id: int
    name: str
    type: str
    channel_format: str
    channels: int
    samples: int
    nominal_hz: float
    measured_hz: float | None
    duration_s: float
    segments: int
    gaps: int
    missing_s: float
    backward: int
    clock_offset_s: float | None
    closed: bool
    notes: str
    layout: tuple[ChannelSummary, ...] = ()
    texts: dict[str, int] = field(default_factory=dict)
    bad_channels: tuple[str, ...] = ()
    bad_spans: tuple[tuple[float, float, str], ...] = ()
    clock_ppm: float = 0.0
    clock_resets: int = 0


@dataclass(frozen=True, slots=True)
class StampSummary:
    """Summary of the stamps of a stream.

    Parameters
    ----------
    measured_hz : float or None
    duration_s, missing_s : float
    segments, gaps, backward : int
    """

    measured_hz: float | None
    duration_s: float
    segments: int
    gaps: int
    missing_s: float
    backward: int


def times_of(stamps: FloatArray, rate_hz: float, sample_clock: bool = False) -> StampSummary:
    """Measure stamps; those that are no number are left out.

    Losses are found as live decoding finds them, so that what is said here is what happens there.

    Parameters
    ----------
    stamps : ndarray, shape (n_samples,)
        Seconds.
    rate_hz : float
        0 where the stream has none: then a pause is no gap.
    sample_clock : bool
        The stamps count samples.
    """
    stamps = stamps[np.isfinite(stamps)]
    steps = np.diff(stamps)
    regular = rate_hz > 0
    jumps = np.abs(steps) > SEGMENT_S if regular else steps < -SEGMENT_S
    parts = [part for part in np.split(stamps, np.flatnonzero(jumps) + 1) if len(part)]
    # The running maximum: stamps of chunk-wise senders run backwards, which is neither a gap nor a new segment.
    duration_s = float(sum(np.maximum.accumulate(part)[-1] - part[0] for part in parts))
    lost, segments = _losses(stamps, rate_hz, sample_clock) if regular else ([], len(parts))
    missing_s = sum(lost) / rate_hz if regular else 0.0
    # What is longer parts two spans, and is in the duration of neither.
    covered_s = duration_s - sum(n / rate_hz for n in lost if n / rate_hz <= SEGMENT_S)
    measured = (len(stamps) - len(parts)) / covered_s if regular and covered_s > 0 else None
    return StampSummary(measured, duration_s, segments, len(lost), missing_s, int((steps < 0).sum()))


def _losses(stamps: FloatArray, rate_hz: float, sample_clock: bool) -> tuple[list[int], int]:
    """Samples lost in each gap, and the number of spans between steps of the clock."""
    continuity = Continuity(rate_hz, sample_clock)
    lost: list[int] = []
    before, filled, segment = 0, 0, 0
    n = max(1, round(rate_hz))
    for start in range(0, len(stamps), n):
        piece = stamps[start : start + n]
        for placed in continuity.push(Chunk(np.zeros((len(piece), 1)), piece)):
            if placed.segment != segment:
                segment, before = placed.segment, filled
            missing = before + placed.start - filled
            if missing > 0:
                lost.append(missing)
            filled += max(missing, 0) + len(placed)
    return lost, segment + 1 if len(stamps) else 0


def summarise(stream: XdfStream, clock: ClockMap = SAME_CLOCK) -> StreamSummary:
    """Measure one stream of an XDF file.

    A stream of texts that declares a rate has none: its pauses are no gaps.

    Parameters
    ----------
    stream : XdfStream
    clock : ClockMap
        Its clock (:func:`bci.stream.files.clocks.clocks_of`).
    """
    rate_hz = 0.0 if stream.channel_format == "string" else stream.rate_hz
    try:
        info = stream_info(stream.header_xml)
    except StreamError:
        info = None
    times = times_of(stream.stamps, rate_hz, info is not None and info.sample_clock)
    texts = _texts(stream)
    if info is not None and rate_hz and len(stream):
        told = trigger_markers(info, np.asarray(stream.values, np.float64), stream.stamps)
        texts = dict(Counter(text for markers in told for text in markers.texts))
    return StreamSummary(
        id=stream.id,
        name=stream.name,
        type=stream.type,
        channel_format=stream.channel_format,
        channels=stream.header.n_channels,
        samples=len(stream),
        nominal_hz=stream.rate_hz,
        measured_hz=times.measured_hz,
        duration_s=times.duration_s,
        segments=times.segments,
        gaps=times.gaps,
        missing_s=times.missing_s,
        backward=times.backward,
        clock_offset_s=clock.offset_s,
        closed=stream.footer is not None,
        notes=(stream.footer or {}).get("note", ""),
        layout=tuple(ChannelSummary(c.label, c.type, c.unit) for c in info.channels) if info else (),
        clock_ppm=round(1e6 * clock.drift, 2),
        clock_resets=clock.resets,
        texts=texts,
    )


def _texts(stream: XdfStream) -> dict[str, int]:
    """What a stream of markers says, and how often."""
    if stream.type.startswith(OWN):
        return {}
    if stream.channel_format == "string":
        return dict(Counter(", ".join(row) for row in stream.values))
    if stream.rate_hz or stream.header.n_channels > MOST_COLUMNS:
        return {}
    return dict(Counter(", ".join(f"{value:.15g}" for value in row) for row in stream.values))
