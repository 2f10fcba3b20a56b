"""What a recording holds, in numbers that a person can judge it by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bci.stream.xdf_reader import XdfStream

SEGMENT_S = 10.0
GAP_S = 0.5


@dataclass(frozen=True, slots=True)
class StreamSummary:
    """One stream in numbers.

    Parameters
    ----------
    id : int
    name, type, channel_format : str
    channels, samples : int
    nominal_hz : float
        0 for irregular streams.
    measured_hz : float or None
        Samples per second outside gaps; None for irregular streams and fewer than two samples.
    duration_s : float
        Sum over segments, gaps included.
    segments : int
        Stretches between which stamps jump by more than 10 s.
    gaps : int
        Times at which no sample was stamped for more than 0.5 s (regular streams).
    missing_s : float
        Their sum.
    backward : int
        Stamps that lie before the one before; chunk-wise senders do this all the time.
    clock_offset_s : float or None
        Median; None: unknown.
    closed : bool
    notes : str
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


def summarise(stream: XdfStream) -> StreamSummary:
    """Measure one stream. Stamps that are no number are left out."""
    stamps = stream.stamps[np.isfinite(stream.stamps)]
    steps = np.diff(stamps)
    regular = stream.rate_hz > 0
    parts = np.split(stamps, np.flatnonzero(np.abs(steps) > SEGMENT_S) + 1) if len(stamps) else []
    # The running maximum: stamps of chunk-wise senders run backwards, which is neither a gap nor a new segment.
    risen = [np.maximum.accumulate(part) for part in parts]
    leaps = np.concatenate([np.diff(part) for part in risen]) if risen else np.empty(0)
    longest_s = max(GAP_S, 2.0 / stream.rate_hz) if regular else np.inf
    gaps = leaps[leaps > longest_s]
    missing_s = float((gaps - 1.0 / stream.rate_hz).sum()) if regular else 0.0
    duration_s = float(sum(part[-1] - part[0] for part in risen))
    covered_s = duration_s - missing_s
    return StreamSummary(
        id=stream.id,
        name=stream.name,
        type=stream.type,
        channel_format=stream.channel_format,
        channels=stream.header.n_channels,
        samples=len(stream),
        nominal_hz=stream.rate_hz,
        measured_hz=(len(stamps) - len(parts)) / covered_s if regular and covered_s > 0 else None,
        duration_s=duration_s,
        segments=len(parts),
        gaps=len(gaps),
        missing_s=missing_s,
        backward=int((steps < 0).sum()),
        clock_offset_s=float(np.median(stream.offsets)) if len(stream.offsets) else None,
        closed=stream.footer is not None,
        notes=(stream.footer or {}).get("note", ""),
    )
