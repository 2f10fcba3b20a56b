"""From received decisions to delays: pure arithmetic on what was measured.

A decision's way has three stages that follow each other without a gap, so that for every single decision they add up
to the whole: from the stamp of the newest sample it used to the engine's inlet, the engine's step, and from the
moment it was sent to the receiver.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from bci.engine.chunk import FloatArray
from bci.engine.outcome import Reason
from bci.errors import StreamError
from bci.stream import messages

RECEIVED_FIELDS = (*messages.DECISION_FIELDS, "sent", "received")
"""Columns of what a receiver notes: the row, its LSL stamp (when it was sent), and when it came."""
STAGES = ("wire", "engine", "delivery", "whole")
DECODED = (Reason.DECIDED, Reason.IDLE)
BLOCKS = 5


@dataclass(frozen=True, slots=True)
class Spread:
    """How one delay is spread, milliseconds."""

    p50: float
    p95: float
    p99: float
    max: float


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """All that was measured of one run.

    Parameters
    ----------
    delays : dict of str to ndarray, shape (n_decisions,)
        Seconds, by stage (``STAGES``).
    intervals : ndarray
        Seconds between decisions of neighbouring windows, as they came.
    hop_s : float
        What those should be.
    decisions : int
        Decoded windows that count.
    undecoded : dict of str to int
        Windows that were not decoded, by reason.
    missing : int
        Rows that were sent and never came.
    late : int
        Decisions older than the limit beyond which they steer nothing, or not made because they would have been.
    lost_samples, samples : int
        Samples lost on the way to the engine, and samples that came.
    seconds : float
        Measured time.
    """

    delays: dict[str, FloatArray]
    intervals: FloatArray
    hop_s: float
    decisions: int
    undecoded: dict[str, int] = field(default_factory=dict)
    missing: int = 0
    late: int = 0
    lost_samples: int = 0
    samples: int = 0
    seconds: float = 0.0

    @property
    def windows(self) -> int:
        """Windows that were due, decoded or not."""
        return self.decisions + sum(self.undecoded.values())


def spread(seconds: FloatArray) -> Spread:
    """Percentiles of delays in seconds, as milliseconds.

    Parameters
    ----------
    seconds : ndarray, shape (n_values,)
        At least one.
    """
    p50, p95, p99 = np.percentile(seconds, (50, 95, 99))
    return Spread(1e3 * float(p50), 1e3 * float(p95), 1e3 * float(p99), 1e3 * float(seconds.max()))


def block_medians(seconds: FloatArray, n_blocks: int = BLOCKS) -> list[float]:
    """Median of each stretch of the run, milliseconds: how steady the computer was.

    Parameters
    ----------
    seconds : ndarray, shape (n_values,)
        In order of time.
    n_blocks : int
        Stretches of equal length.
    """
    return [1e3 * float(np.median(part)) for part in np.array_split(seconds, n_blocks) if len(part)]


def measured(
    received: FloatArray,
    timing: FloatArray,
    hop_s: float,
    stale_s: float,
    offset_s: float = 0.0,
    samples: tuple[int, int] = (0, 0),
) -> Measured:
    """Delays, order and losses of one run.

    Parameters
    ----------
    received : ndarray, shape (n_rows, 9)
        ``RECEIVED_FIELDS`` of every row that came while measuring, heartbeats included.
    timing : ndarray, shape (n_rows, 7)
        ``bci-timing`` of the same session.
    hop_s : float
        Time between decisions.
    stale_s : float
        Data older than this steer nothing.
    offset_s : float
        What to add to stamps of the EEG stream, to have them on this machine's LSL clock.
    samples : (int, int)
        Samples that came to the engine while measuring, and samples lost.

    Raises
    ------
    StreamError
        If nothing was decoded.
    """
    row = {name: received[:, i] for i, name in enumerate(RECEIVED_FIELDS)}
    fresh = row["heartbeat"] == 0
    decoded = fresh & np.isin(row["reason"], DECODED)
    step = _steps(row["sequence"][decoded], timing)
    keep = np.isfinite(step)
    if not keep.any():
        reasons = _reasons(row["reason"][fresh & ~decoded])
        raise StreamError(
            f"nothing was decoded in {len(received)} rows: {reasons or 'no telemetry came'}; check the signal with bci doctor"
        )
    sent, came = row["sent"][decoded][keep], row["received"][decoded][keep]
    stamp, step = row["stamp"][decoded][keep] + offset_s, step[keep]
    delays = {"wire": sent - step - stamp, "engine": step, "delivery": came - sent, "whole": came - stamp}
    undecoded = _reasons(row["reason"][fresh & ~decoded])
    late = int((delays["whole"] > stale_s).sum()) + undecoded.get("stale", 0) + undecoded.get("skipped", 0)
    steps = np.diff(row["sequence"])
    return Measured(
        delays=delays,
        intervals=_intervals(row, decoded, hop_s),
        hop_s=hop_s,
        decisions=len(step),
        undecoded=undecoded,
        missing=int((steps - 1).clip(min=0).sum()),
        late=late,
        lost_samples=samples[1],
        samples=samples[0],
        seconds=float(row["received"][-1] - row["received"][0]),
    )


def _steps(sequence: FloatArray, timing: FloatArray) -> FloatArray:
    """Time inside the engine for each decision, seconds; NaN where the telemetry has none."""
    columns = [messages.TIMING_FIELDS.index(name) for name in ("sequence", "step_s")]
    known = {int(s): t for s, t in timing[:, columns].tolist()}
    return np.array([known.get(int(s), np.nan) for s in sequence])


def _reasons(codes: FloatArray) -> dict[str, int]:
    """How often each reason occurs, by name."""
    return {Reason(int(code)).name.lower(): n for code, n in sorted(Counter(codes.tolist()).items())}


def _intervals(row: dict[str, FloatArray], decoded: np.typing.NDArray[np.bool_], hop_s: float) -> FloatArray:
    """Between the arrivals of decisions whose newest samples are one hop apart."""
    came, stamps = row["received"][decoded], row["stamp"][decoded]
    neighbours = np.abs(np.diff(stamps) - hop_s) < 0.5 * hop_s
    return np.asarray(np.diff(came)[neighbours])
