"""A recording on the even grid of samples that formats without stamps need: lost samples and clock steps made visible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bci.engine.chunk import Chunk, FloatArray
from bci.engine.continuity import Continuity, ContinuitySettings
from bci.engine.stream_info import StreamInfo
from bci.session.epochs import pieces
from bci.stream.marked import BadSpan, span_of

_MARKER = (-1, -1)
GAP, BOUNDARY, NONFINITE = "BAD_gap", "boundary", "BAD_nonfinite"


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at a sample.

    Parameters
    ----------
    sample : int
        On the even grid.
    text : str
    n_samples : int
        How long it lasted; 0 for an instant.
    channels : tuple of str
        That it speaks of; none for all.
    """

    sample: int
    text: str
    n_samples: int = 0
    channels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Even:
    """Samples at an even rate.

    Parameters
    ----------
    data : ndarray, shape (n_samples, n_channels)
        µV. Lost samples lie on straight lines between their neighbours.
    marks : tuple of Mark
        Markers, gaps and steps of the clock, in order.
    left_out : int
        Markers before the first sample or after the last.
    """

    data: FloatArray
    marks: tuple[Mark, ...]
    left_out: int


def even(
    info: StreamInfo,
    raw: Chunk,
    markers: Sequence[tuple[float, str]],
    settings: ContinuitySettings | None = None,
    spans: Sequence[BadSpan] = (),
) -> Even:
    """Place every sample and marker where live decoding would have placed it.

    Parameters
    ----------
    info : StreamInfo
    raw : Chunk
        µV and raw stamps.
    markers : sequence of (time_s, text)
        On the signal's clock.
    settings : ContinuitySettings
    spans : sequence of BadSpan
        Stretches that are marked bad; each becomes a mark that lasts, under a name that says so to whoever reads it.
    """
    continuity = Continuity(info.rate_hz, info.sample_clock, settings)
    waiting = sorted(((time_s, text, _MARKER) for time_s, text in markers), reverse=True)
    edges = [(time_s, "", (i, end)) for i, s in enumerate(spans) for end, time_s in enumerate((s.start_s, s.stop_s))]
    waiting = sorted([*waiting, *edges], key=lambda one: one[0], reverse=True)
    places: dict[tuple[int, int], int] = {}
    rows: list[FloatArray] = []
    marks: list[Mark] = []
    before, filled, segment, left_out = 0, 0, 0, 0
    for piece in pieces(raw, max(1, round(info.rate_hz / 25))):
        for placed in continuity.push(piece):
            if placed.segment != segment:
                segment, before = placed.segment, filled
                marks.append(Mark(filled, BOUNDARY))
            lost = before + placed.start - filled
            if lost > 0:
                marks.append(Mark(filled, GAP, lost))
                rows.append(_line(rows[-1][-1] if rows else placed.data[0], placed.data[0], lost))
            rows.append(placed.data)
            filled += max(lost, 0) + len(placed)
        last_s = continuity.time_of(continuity.index - 1)
        while waiting and waiting[-1][0] <= last_s + 0.5 / info.rate_hz:
            time_s, text, edge = waiting.pop()
            sample = filled - 1 - round((last_s - time_s) * info.rate_hz)
            if edge != _MARKER:
                places[edge] = max(0, sample)
            elif sample >= before or (segment and sample >= 0):
                marks.append(Mark(sample, text))
            else:
                left_out += 1
    data = np.concatenate(rows) if rows else np.empty((0, len(info.channels)))
    data, bad = _finite(data)
    marked = [_mark(span, places[i, 0], places.get((i, 1), len(data))) for i, span in enumerate(spans) if (i, 0) in places]
    order = sorted([*marks, *bad, *marked], key=lambda m: (m.sample, m.n_samples == 0, m.text))
    return Even(data, tuple(order), left_out + sum(edge == _MARKER for _, _, edge in waiting))


def _mark(span: BadSpan, first: int, end: int) -> Mark:
    """A stretch under a name by which every reader knows it for one."""
    known = span_of(0.0, 0.0, span.why) is not None
    return Mark(first, span.why if known else f"BAD_{'_'.join(span.why.split())}", max(0, end - first), span.channels)


def _line(a: FloatArray, b: FloatArray, n: int) -> FloatArray:
    """Lost samples between two that are there."""
    share = (np.arange(1, n + 1) / (n + 1))[:, None]
    with np.errstate(invalid="ignore"):
        line: FloatArray = a + share * (b - a)
    return line


def _finite(data: FloatArray) -> tuple[FloatArray, list[Mark]]:
    """Values that are no number replaced by lines, and where they were."""
    wrong = ~np.isfinite(data)
    rows = wrong.any(axis=1)
    if not rows.any():
        return data, []
    fixed = data.copy()
    at = np.arange(len(data))
    for column in np.flatnonzero(wrong.any(axis=0)):
        good = ~wrong[:, column]
        fixed[:, column] = np.interp(at, at[good], data[good, column]) if good.any() else 0.0
    edges = np.flatnonzero(np.diff(np.concatenate(([0], rows.view(np.int8), [0]))))
    return fixed, [Mark(int(a), NONFINITE, int(b - a)) for a, b in edges.reshape(-1, 2)]
