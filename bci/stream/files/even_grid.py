"""A recording on the even grid of samples that formats without stamps need: lost samples and clock steps made visible."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bci.engine.chunk import BoolArray, Chunk, FloatArray, hop_chunks
from bci.engine.continuity import Continuity, ContinuitySettings
from bci.engine.stream_info import StreamInfo
from bci.stream.markers.marked import BadSpan, span_of

_MARKER = -1
GAP, BOUNDARY, NONFINITE = "BAD_gap", "boundary", "BAD_nonfinite"
BLOCK = 1 << 12
"""Samples that are worked out at a time."""


@dataclass(frozen=True, slots=True)
class GridMarker:
    """Something that happened at a sample.

    Parameters
    ----------
    sample : int
        On the even grid.
    text : str
    n_samples : int
        How long it lasted; 0 for an instant.
    channels : tuple of str
        Labels of the channels that it concerns; empty for all.
    """

    sample: int
    text: str
    n_samples: int = 0
    channels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hole:
    """Values of one channel that were no numbers, and between what they lie.

    Parameters
    ----------
    first, last : int
        Samples of the even grid, ``last`` not included.
    before, after : float
        Good values beside it; the same one twice where there is only one, 0 where there is none.
    """

    first: int
    last: int
    before: float
    after: float


@dataclass(frozen=True, slots=True, eq=False)
class Even:
    """Samples at an even rate, worked out a block at a time.

    Parameters
    ----------
    places : ndarray, shape (n_samples,)
        Which recorded sample stands here; a fraction where none does, which lies on a straight line between two.
    recorded : ndarray, shape (n_recorded, n_channels)
        µV. May stay in its file until it is asked for.
    marks : tuple of GridMarker
        Markers, gaps and steps of the clock, in order.
    left_out : int
        Markers before the first sample or after the last.
    holes : dict of int to tuple of Hole
        By channel: what was no number, and is a line.
    low, high : ndarray, shape (n_channels,)
        Range of each channel.
    """

    places: FloatArray
    recorded: FloatArray
    marks: tuple[GridMarker, ...]
    left_out: int
    holes: dict[int, tuple[Hole, ...]]
    low: FloatArray
    high: FloatArray

    def __len__(self) -> int:
        return len(self.places)

    @property
    def data(self) -> FloatArray:
        """All of it, shape (n_samples, n_channels)."""
        return self.block(0, len(self))

    def block(self, start: int, stop: int) -> FloatArray:
        """Compute a block of samples.

        Parameters
        ----------
        start : int
            First sample of the block.
        stop : int
            The sample after its last.

        Returns
        -------
        ndarray, shape (n_samples, n_channels)
            µV.
        """
        found = _between(self.recorded, self.places[start:stop])
        for column, holes in self.holes.items():
            for hole in holes:
                a, b = max(start, hole.first), min(stop, hole.last)
                if a < b:
                    share = (np.arange(a, b) - hole.first + 1) / (hole.last - hole.first + 1)
                    found[a - start : b - start, column] = hole.before + share * (hole.after - hole.before)
        return found

    def blocks(self) -> Iterator[FloatArray]:
        """All of it, in order, in blocks that are small beside a recording."""
        for start in range(0, len(self), BLOCK):
            yield self.block(start, min(start + BLOCK, len(self)))


def even(
    info: StreamInfo,
    raw: Chunk,
    markers: Sequence[tuple[float, str]],
    settings: ContinuitySettings | None = None,
    spans: Sequence[BadSpan] = (),
    durations_s: Sequence[float] = (),
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
        Spans that are marked bad; each becomes a mark that lasts, under a name that readers understand.
    durations_s : sequence of float
        How long each marker lasts; an instant where omitted.
    """
    longest_s = len(raw) / info.rate_hz
    lengths = [round(min(max(0.0, s), longest_s) * info.rate_hz) for s in durations_s] or [0] * len(markers)
    lasting = [(time_s, text, n) for (time_s, text), n in zip(markers, lengths, strict=True)]
    places, marks, left_out = _placed(info, raw.stamps, lasting, settings, spans)
    holes, low, high = _survey(raw.data, places)
    bad = _marks_of(holes, len(places))
    order = sorted([*marks, *bad], key=lambda m: (m.sample, m.n_samples == 0, m.text))
    return Even(places, raw.data, tuple(order), left_out, holes, low, high)


def _placed(
    info: StreamInfo,
    stamps: FloatArray,
    markers: Sequence[tuple[float, str, int]],
    settings: ContinuitySettings | None,
    spans: Sequence[BadSpan],
) -> tuple[FloatArray, list[GridMarker], int]:
    """The recorded sample of each place of the grid, the marks, and how many markers have none.

    Continuity places the samples' numbers as it would place the samples, and draws the same lines between them.
    """
    continuity = Continuity(info.rate_hz, info.sample_clock, settings)
    waiting = sorted(((time_s, text, (_MARKER, n)) for time_s, text, n in markers), reverse=True)
    edges = [(time_s, "", (i, end)) for i, s in enumerate(spans) for end, time_s in enumerate((s.start_s, s.stop_s))]
    waiting = sorted([*waiting, *edges], key=lambda one: one[0], reverse=True)
    places: dict[tuple[int, int], int] = {}
    numbers = Chunk(np.arange(len(stamps), dtype=np.float64)[:, np.newaxis], stamps)
    rows: list[FloatArray] = []
    marks: list[GridMarker] = []
    before, filled, segment, left_out = 0, 0, 0, 0
    for piece in hop_chunks(numbers, max(1, round(info.rate_hz / 25))):
        for placed in continuity.push(piece):
            if placed.segment != segment:
                segment, before = placed.segment, filled
                marks.append(GridMarker(filled, BOUNDARY))
            lost = before + placed.start - filled
            if lost > 0:
                marks.append(GridMarker(filled, GAP, lost))
                rows.append(_line(rows[-1][-1] if rows else placed.data[0], placed.data[0], lost))
            rows.append(placed.data)
            filled += max(lost, 0) + len(placed)
        last_s = continuity.time_of(continuity.index - 1)
        while waiting and waiting[-1][0] <= last_s + 0.5 / info.rate_hz:
            time_s, text, edge = waiting.pop()
            sample = filled - 1 - round((last_s - time_s) * info.rate_hz)
            if edge[0] != _MARKER:
                places[edge] = max(0, sample)
            elif sample >= before or (segment and sample >= 0):
                marks.append(GridMarker(sample, text, edge[1]))
            else:
                left_out += 1
    found = np.concatenate(rows)[:, 0] if rows else np.empty(0)
    marks += [_mark(span, places[i, 0], places.get((i, 1), len(found))) for i, span in enumerate(spans) if (i, 0) in places]
    return found, marks, left_out + sum(edge[0] == _MARKER for _, _, edge in waiting)


def _mark(span: BadSpan, first: int, end: int) -> GridMarker:
    """A span under a name by which every reader knows it for one."""
    known = span_of(0.0, 0.0, span.why) is not None
    return GridMarker(first, span.why if known else f"BAD_{'_'.join(span.why.split())}", max(0, end - first), span.channels)


def _line(a: FloatArray, b: FloatArray, n: int) -> FloatArray:
    """Places of lost samples between two that are there."""
    share = (np.arange(1, n + 1) / (n + 1))[:, None]
    line: FloatArray = a + share * (b - a)
    return line


def _between(recorded: FloatArray, places: FloatArray) -> FloatArray:
    """Recorded samples at whole places, lines between them elsewhere."""
    if not len(places):
        return np.empty((0, recorded.shape[1]))
    below = np.floor(places).astype(np.int64)
    first = int(below.min())
    part = recorded[first : int(below.max()) + 2]
    found: FloatArray = part[below - first]
    share = places - below
    lines = share > 0
    if lines.any():
        with np.errstate(invalid="ignore"):
            found[lines] += share[lines, np.newaxis] * (part[below[lines] - first + 1] - found[lines])
    return found


def _survey(recorded: FloatArray, places: FloatArray) -> tuple[dict[int, tuple[Hole, ...]], FloatArray, FloatArray]:
    """What is no number, and the range of each channel, in one pass."""
    n_channels = recorded.shape[1]
    low, high = np.full(n_channels, np.inf), np.full(n_channels, -np.inf)
    runs: dict[int, list[list[int]]] = {}
    for start in range(0, len(places), BLOCK):
        block = _between(recorded, places[start : start + BLOCK])
        wrong = ~np.isfinite(block)
        low = np.minimum(low, np.where(wrong, np.inf, block).min(axis=0))
        high = np.maximum(high, np.where(wrong, -np.inf, block).max(axis=0))
        for column in np.flatnonzero(wrong.any(axis=0)).tolist():
            own = runs.setdefault(column, [])
            for a, b in _stretches(wrong[:, column]):
                if own and own[-1][1] == start + a:
                    own[-1][1] = start + b
                else:
                    own.append([start + a, start + b])
    known = np.isfinite(low)
    holes = {column: tuple(_hole(recorded, places, column, a, b) for a, b in own) for column, own in runs.items()}
    return holes, np.where(known, low, 0.0), np.where(known, high, 0.0)


def _hole(recorded: FloatArray, places: FloatArray, column: int, first: int, last: int) -> Hole:
    """A span without numbers, with the values beside it."""
    before = _between(recorded, places[first - 1 : first])[0, column] if first else np.nan
    after = _between(recorded, places[last : last + 1])[0, column] if last < len(places) else np.nan
    if np.isnan(before):
        before = 0.0 if np.isnan(after) else after
    return Hole(first, last, float(before), float(before if np.isnan(after) else after))


def _stretches(flags: BoolArray) -> list[tuple[int, int]]:
    """Begin and end of each run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.view(np.int8), [0]))))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def _marks_of(holes: dict[int, tuple[Hole, ...]], n: int) -> list[GridMarker]:
    """Where some channel had no number."""
    if not holes:
        return []
    rows = np.zeros(n, dtype=np.bool_)
    for hole in (hole for each in holes.values() for hole in each):
        rows[hole.first : hole.last] = True
    return [GridMarker(a, NONFINITE, b - a) for a, b in _stretches(rows)]
