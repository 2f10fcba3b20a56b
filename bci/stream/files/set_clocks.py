"""Clocks that were set during a recording although no clock offset shows it: what came afterwards is joined to what came before.

A signal shows it by itself (:mod:`bci.stream.files.clock_steps`). Markers are too few for that. Whether their clock was set with
the signal's, and which of them came behind, is told by where their stamps lie and by the order in which the file was written: a
marker stands between the samples that came with it. Nothing is shifted that does not fit; what is in doubt is counted and noted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import FloatArray
from bci.stream.clocks.clock_map import ClockMap
from bci.stream.files.clock_steps import ClockStep, steps_back
from bci.stream.files.clocks import clocks_of, host_of
from bci.stream.markers.streams import is_markers
from bci.stream.xdf.reader import XdfFile
from bci.stream.xdf.streams import XdfStream

SET_BACK = "clock set back"
"""What a seam of a signal is called."""
NEAR_S, FAR_S = 3.0, 10.0
"""Markers and samples that came together were written so near to each other; beyond, farther is not worse."""
OUTSIDE_S = 1.0
"""Markers may be stamped so much before the first sample or after the last of a part."""
FORWARD_S = 10.0
"""A signal that jumps forward by more was paused, or its clock was set."""
MOST_JUMPS = 300
"""Where it jumps more often, there is no clock that could be compared."""
MISFITS = 0.2
"""A stream of which more does not fit has another clock."""
FEW = 3
ALIKE_S = 0.1
"""Two signals whose clocks were set by no less alike were set together."""
SURE_S = 0.25
"""What lies no more wrong may be as right."""


@dataclass(frozen=True, slots=True, eq=False)
class Steadied:
    """A file whose stamps rise as they were recorded.

    Parameters
    ----------
    file : XdfFile
        With the stamps of clocks that were set put right.
    clocks : dict of int to ClockMap
        Of each stream, by its identifier.
    seams : dict of int to tuple of int
        Samples of signals before which their clock was set, by the stream's identifier.
    notes : tuple of str
        What a person should know of the clocks.
    """

    file: XdfFile
    clocks: dict[int, ClockMap]
    seams: dict[int, tuple[int, ...]]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Parts:
    """The signal by which a step was found, in parts between steps, on the recorder's clock.

    Parameters
    ----------
    stream : XdfStream
    steps : list of ClockStep
    line_s : ndarray, shape (n_samples,)
        Its stamps on one line.
    added_s : ndarray, shape (n_parts,)
        What takes the stamps of each part to the line.
    first_s, last_s : ndarray, shape (n_parts,)
        Range of each part's stamps.
    """

    stream: XdfStream
    steps: list[ClockStep]
    line_s: FloatArray
    added_s: FloatArray
    first_s: FloatArray
    last_s: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """How a stream lies to the parts.

    Parameters
    ----------
    which : ndarray of int, shape (n,), or None
        The part that each of its samples belongs to; None: its clock was not set.
    behind : int
        Samples that came behind the first step.
    doubtful : int
        Those that fit nowhere, or to either side of a step.
    """

    which: npt.NDArray[np.int64] | None
    behind: int = 0
    doubtful: int = 0


def steadied(file: XdfFile) -> Steadied:
    """Put the stamps of clocks that were set back, and of which no clock offset tells, on one line.

    Parameters
    ----------
    file : XdfFile
    """
    clocks, notes = clocks_of(file)
    streams = {stream.id: stream for stream in file.streams}
    seams: dict[int, tuple[int, ...]] = {}
    found = list(notes)
    waiting = sorted((s for s in file.streams if _regular(s)), key=len, reverse=True)
    for stream in waiting:
        if stream.id in seams:
            continue
        times = _times(streams[stream.id], clocks[stream.id])
        steps = steps_back(times, stream.rate_hz)
        if steps:
            found += _steady(file, _parts(stream, steps, times), streams, clocks, seams)
    main = waiting[0] if waiting else None
    if main is not None and len(main):
        found += _left_behind(file, main, streams, clocks)
    whole = file if not seams else replace(file, streams=tuple(streams[s.id] for s in file.streams))
    return Steadied(whole, clocks, {i: at for i, at in seams.items() if at}, tuple(found))


def _regular(stream: XdfStream) -> bool:
    """Whether a stream's samples come at a rate."""
    width = stream.header.n_channels
    return stream.rate_hz > 0 and not is_markers(stream.type, stream.channel_format, stream.rate_hz, width)


def _times(stream: XdfStream, clock: ClockMap) -> FloatArray:
    """Stamps on the recorder's clock, by the clock before its first reset that offsets tell of."""
    return clock.unset.to_recorder(clock.continued(stream.stamps))


def _parts(stream: XdfStream, steps: list[ClockStep], times: FloatArray) -> _Parts:
    edges = [0, *(step.sample for step in steps), len(times)]
    added_s = np.concatenate([[0.0], np.cumsum([step.back_s for step in steps])])
    line_s = times + np.repeat(added_s, np.diff(edges))
    ranges = [(np.nanmin(times[a:b]), np.nanmax(times[a:b])) for a, b in pairwise(edges)]
    first_s, last_s = np.array(ranges).T
    return _Parts(stream, steps, line_s, added_s, first_s, last_s)


def _steady(
    file: XdfFile, parts: _Parts, streams: dict[int, XdfStream], clocks: dict[int, ClockMap], seams: dict[int, tuple[int, ...]]
) -> list[str]:
    """Put one signal and all streams that were set with it on one line; return the notes on it."""
    names, doubtful, others = [], 0, []
    for stream in file.streams:
        if stream.id in seams or not len(stream):
            continue
        clock = clocks[stream.id]
        times = _times(streams[stream.id], clock)
        if _regular(stream):
            fit = _alike(parts, times, stream)
        else:
            mine, theirs = ((clocks[s.id], host_of(s.header_xml)) for s in (stream, parts.stream))
            fit = _fitted(parts, times, _arrived(file, stream, parts), mine == theirs)
        if fit.which is None:
            others += _unset(stream, fit)
            continue
        names.append(repr(stream.name))
        doubtful += fit.doubtful
        streams[stream.id] = replace(stream, stamps=clock.unset.to_sender(times + parts.added_s[fit.which]))
        seams[stream.id] = tuple((np.flatnonzero(np.diff(fit.which)) + 1).tolist()) if _regular(stream) else ()
        clocks[stream.id] = clock.unset
    return [_steps_in_words(parts, names, doubtful), *others]


def _steps_in_words(parts: _Parts, names: list[str], doubtful: int) -> str:
    """The steps for people."""
    begin_s = parts.line_s[0]
    steps = ", ".join(f"by {s.back_s:.3f} s at {parts.line_s[s.sample] - begin_s:.1f} s" for s in parts.steps)
    doubt = (
        f"; {doubtful} markers may belong to the other side of it, and their times may be wrong by the same amount"
        if doubtful
        else ""
    )
    return (
        f"the clock of {', '.join(names)} was set back while it was recorded ({steps} since the beginning), and no clock offset "
        "shows it: the data after it are placed as if no sample had been lost there, and no window reaches across this place"
        f"{doubt}"
    )


def _unset(stream: XdfStream, fit: _Fit) -> list[str]:
    """Note on a stream whose clock was not set with the signal's."""
    if not fit.behind:
        return []
    if not fit.doubtful:
        return [
            f"the clock of {stream.name!r} was not set at the same time: the times of its {fit.behind} samples after that "
            "are right, "
            "provided that the signal lost no samples there"
        ]
    return [
        f"stream {stream.name!r}: {fit.doubtful} of its {fit.behind} samples after that fit neither a clock that was set "
        "together with "
        "the signal's clock nor a clock that was not set, so nobody knows by how much their times are wrong. They were not "
        "shifted"
    ]


def _alike(parts: _Parts, times: FloatArray, stream: XdfStream) -> _Fit:
    """The parts of another signal, where its clock was set by as much, or of the same one."""
    own = parts.steps if stream.id == parts.stream.id else steps_back(times, stream.rate_hz)
    if len(own) != len(parts.steps) or any(abs(a.back_s - b.back_s) > ALIKE_S for a, b in zip(own, parts.steps, strict=True)):
        return _Fit(None)
    edges = [0, *(step.sample for step in own), len(times)]
    return _Fit(np.repeat(np.arange(len(edges) - 1), np.diff(edges)))


def _arrived(file: XdfFile, stream: XdfStream, parts: _Parts) -> FloatArray:
    """The last sample of the signal that was written before each sample of a stream, on the line; NaN where nothing tells."""
    mine, theirs = np.flatnonzero(file.order == stream.id), np.flatnonzero(file.order == parts.stream.id)
    if len(mine) != len(stream.chunk_ends) or len(theirs) != len(parts.stream.chunk_ends):
        return np.full(len(stream), np.nan)
    before = np.concatenate([[0], parts.stream.chunk_ends])[np.searchsorted(theirs, mine)]
    at = parts.line_s[np.maximum(before - 1, 0)]
    return np.repeat(at, np.diff(np.concatenate([[0], stream.chunk_ends])))


def _fitted(parts: _Parts, times: FloatArray, arrived_s: FloatArray, same: bool) -> _Fit:
    """Whether the clock of a stream was set with the signal's, and which of its samples came behind.

    Parameters
    ----------
    parts : _Parts
    times : ndarray, shape (n,)
        Of the stream's samples, on the recorder's clock.
    arrived_s : ndarray, shape (n,)
        The signal's sample that was written before each, on the line.
    same : bool
        Both say that they come from one computer.
    """
    seam_s = parts.line_s[parts.steps[0].sample]
    wrong = _outside(times[:, None], parts.first_s, parts.last_s)
    alone = _outside(times, np.nanmin(parts.line_s), np.nanmax(parts.line_s))
    behind = np.ones(len(times), bool)
    if _tells(parts, times, arrived_s, seam_s):
        before = arrived_s < seam_s - NEAR_S
        came_s = arrived_s + (np.median((times - arrived_s)[before]) if before.sum() >= FEW else 0.0)
        wrong = wrong + _capped(times[:, None] + parts.added_s - came_s[:, None])
        alone = alone + _capped(times - came_s)
        behind = arrived_s >= seam_s
    else:
        # Without the order of the file, only a jump of its own shows that a stream was set too.
        alone = alone + np.where(np.diff(times, prepend=times[:1]) < -0.5 * np.diff(parts.added_s).min(), FAR_S, 0.0)
    if not behind.any():
        return _Fit(None)
    which, doubtful = _shared(times, wrong)
    cost, costs_alone = wrong[np.arange(len(times)), which][behind], alone[behind]
    gain = float(costs_alone.sum() - cost.sum())
    n, misfits = len(cost), int((cost > NEAR_S).sum())
    if misfits <= MISFITS * n and (gain > SURE_S or (same and gain > -SURE_S)):
        return _Fit(which, n, doubtful + misfits)
    misfits = int((costs_alone > NEAR_S).sum())
    return _Fit(None, n, misfits if misfits > MISFITS * n else 0)


def _tells(parts: _Parts, times: FloatArray, arrived_s: FloatArray, seam_s: float) -> bool:
    """Whether the file was written in the order in which things came, as far as this stream shows before the step."""
    if not np.isfinite(arrived_s).all() or not len(times):
        return False
    before = arrived_s < seam_s - NEAR_S
    if before.sum() >= FEW:
        return bool(np.median(np.abs(times - arrived_s)[before]) <= NEAR_S)
    away = np.abs(times[:, None] + parts.added_s - arrived_s[:, None]).min(axis=1)
    return bool(np.median(away) <= NEAR_S)


def _outside(times: FloatArray, first_s: FloatArray | float, last_s: FloatArray | float) -> FloatArray:
    """How far times lie outside of a range, seconds, capped."""
    return _capped(np.maximum(0.0, np.maximum(first_s - times, times - last_s) - OUTSIDE_S))


def _capped(away: FloatArray) -> FloatArray:
    return np.asarray(np.minimum(np.nan_to_num(np.abs(away), nan=FAR_S), FAR_S))


def _shared(times: FloatArray, wrong: FloatArray) -> tuple[npt.NDArray[np.int64], int]:
    """Which part each time belongs to, none before the one of the time before it, and how many might as well be in the next.

    Of all ways to cut, the one that is least wrong in sum (dynamic programming); of several, where times fall.
    """
    n, n_parts = wrong.shape
    sums = [np.concatenate([[0.0], np.cumsum(wrong[:, k])]) for k in range(n_parts)]
    least = [sums[0]]
    for following in sums[1:]:
        least.append(np.minimum.accumulate(least[-1] - following) + following)
    which, end, doubtful = np.zeros(n, np.int64), n, 0
    for k in range(n_parts - 1, 0, -1):
        total = least[k - 1][: end + 1] - sums[k][: end + 1]
        possible = np.flatnonzero(total <= total.min() + SURE_S)
        inner = possible[(possible > 0) & (possible < end)]
        falls = times[inner - 1] - times[inner]
        if len(inner) and falls.max() > 0:
            cut = int(inner[falls.argmax()])
        else:
            cut = int(possible[total[possible].argmin()])
            doubtful += int(possible[-1] - possible[0])
        which[cut:end] = k
        end = cut
    return which, doubtful


def _left_behind(file: XdfFile, main: XdfStream, streams: Mapping[int, XdfStream], clocks: Mapping[int, ClockMap]) -> list[str]:
    """What to say of markers that came behind a place where the signal jumps forward, with times from before it."""
    times = _times(streams[main.id], clocks[main.id])
    jumps = [ClockStep(int(i) + 1, 0.0) for i in np.flatnonzero(np.diff(times) > FORWARD_S)]
    if not 0 < len(jumps) <= MOST_JUMPS:
        return []
    parts = _parts(main, jumps, times)
    notes = []
    for stream in file.streams:
        if stream.id == main.id or not len(stream):
            continue
        own, arrived_s = _times(streams[stream.id], clocks[stream.id]), _arrived(file, stream, parts)
        if not _tells(parts, own, arrived_s, float(times[jumps[0].sample])):
            continue
        between = np.zeros(len(own), bool)
        for jump in jumps:
            a, b = times[jump.sample - 1], times[jump.sample]
            between |= (own > a + NEAR_S) & (own < b - NEAR_S) & (arrived_s > b + NEAR_S)
        if between.any():
            notes.append(
                f"stream {stream.name!r}: {int(between.sum())} of its {len(own)} samples were recorded after the clock of "
                f"{main.name!r} jumped forward by {times[jumps[0].sample] - times[jumps[0].sample - 1]:.3f} s, but are stamped "
                "before the jump. One of the two clocks was set, and no clock offset shows which one. These samples belong to no "
                "sample of the signal. Nothing was shifted"
            )
    return notes
