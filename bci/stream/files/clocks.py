"""One clock map for each stream of an XDF file: streams of one computer share theirs.

Stamps of streams that come from the same computer are compared as they are: two fits through two sets of measured offsets would
put some tenths of a millisecond between them that are not there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np

from bci.engine.chunk import FloatArray
from bci.errors import RecordingError
from bci.stream.clocks.clock_map import SAME_CLOCK, ClockMap
from bci.stream.clocks.clock_offsets import ABSURD_S, fit_clock
from bci.stream.xdf.format import parse_xml
from bci.stream.xdf.reader import XdfFile
from bci.stream.xdf.streams import XdfStream

AGREE_S, NAMED_S = 1e-3, 20e-3
"""Offsets that differ by no more come from one clock; by no more, where both streams name the same computer."""
MOST_CLOCKS = 20
"""Streams are compared with so many clocks, and with so many streams of each."""
SLACK_S = 1.0
"""An offset is written some time after it was measured."""
DECISIVE_S = 10.0
"""Where stamps lie that much nearer to one reading of collection times than to the other, that reading is right."""


@dataclass(frozen=True, slots=True, eq=False)
class _Offsets:
    """Clock offsets of one stream: when on both clocks, and how much."""

    stream: XdfStream
    host: str
    sender_s: FloatArray
    offsets: FloatArray

    @property
    def recorder_s(self) -> FloatArray:
        return self.sender_s + self.offsets


def clocks_of(file: XdfFile) -> tuple[dict[int, ClockMap], tuple[str, ...]]:
    """The clock of each stream, by its identifier in the file, and what a person should know of them.

    Parameters
    ----------
    file : XdfFile

    Returns
    -------
    clocks : dict of int to ClockMap
    notes : tuple of str
    """
    sender = on_sender(file.header, file.streams)
    streams = [_usable(stream, sender) for stream in file.streams]
    groups: list[list[_Offsets]] = []
    for one in streams:
        if len(one.offsets):
            group = next((g for g in groups[:MOST_CLOCKS] if all(_same_clock(one, other) for other in g[:MOST_CLOCKS])), None)
            groups.append([one]) if group is None else group.append(one)
    clocks: dict[int, ClockMap] = {}
    hosts: dict[str, ClockMap | None] = {}
    for group in groups:
        clock = _fit(group)
        for one in group:
            clocks[one.stream.id] = clock
            # Two computers of one name have two maps, and neither serves a third stream of that name.
            hosts[one.host] = clock if hosts.get(one.host, clock) == clock else None
    notes = []
    for one in streams:
        if one.stream.id not in clocks:
            clocks[one.stream.id] = (hosts.get(one.host) if one.host else None) or SAME_CLOCK
            notes += _unknown(one, clocks[one.stream.id], hosts)
    return clocks, (*notes, *_resets(groups, clocks))


def on_sender(header: Mapping[str, str], streams: Sequence[XdfStream]) -> bool:
    """Whether collection times are on the senders' clocks, as LabRecorder writes them and pyxdf reads them.

    Files of ours say so in their header since they are. Earlier ones, and whoever did as we did, have them on the recorder's
    clock: that is seen wherever the two clocks are so far apart that it matters, for offsets were measured while samples came.

    Parameters
    ----------
    header : mapping of str to str
        Of the file.
    streams : sequence of XdfStream
    """
    declared = header.get("collection_times", "")
    if declared in ("sender", "recorder"):
        return declared == "sender"
    votes = [vote for stream in streams for vote in [_nearer_to_sender(stream)] if vote is not None]
    if votes:
        return sum(votes) * 2 >= len(votes)
    return not any((s.footer or {}).get("writer") == "bci" for s in streams)


def _nearer_to_sender(stream: XdfStream) -> bool | None:
    """Which clock the collection times of a stream are on, by its stamps; None where that cannot be told."""
    offsets, times = stream.offsets, stream.offset_times
    good = np.abs(offsets) < ABSURD_S
    stamps = stream.stamps[np.isfinite(stream.stamps)]
    if not good.any() or not len(stamps):
        return None
    as_sender, as_recorder = _away(stamps, times[good]), _away(stamps, times[good] - offsets[good])
    if abs(as_sender - as_recorder) < DECISIVE_S or min(as_sender, as_recorder) > 0.2 * max(as_sender, as_recorder):
        return None
    return as_sender < as_recorder


def _away(stamps: FloatArray, times: FloatArray) -> float:
    """How far the first and last stamps lie from the time in which offsets were measured, seconds."""
    ends = np.array([stamps[0], stamps[-1]])
    return float(np.maximum(0.0, np.maximum(times.min() - ends, ends - times.max())).max())


def _usable(stream: XdfStream, sender: bool) -> _Offsets:
    """Offsets that can be true, with both times."""
    good = np.isfinite(stream.offset_times) & (np.abs(stream.offsets) < ABSURD_S)
    times, offsets = stream.offset_times[good], stream.offsets[good]
    return _Offsets(stream, host_of(stream.header_xml), times if sender else times - offsets, offsets)


def host_of(header_xml: str) -> str:
    """Name of the computer that a stream came from.

    Parameters
    ----------
    header_xml : str
        The sender's full description, as LSL gives it.

    Returns
    -------
    str
        Empty where the header does not say.
    """
    try:
        root: ElementTree.Element = parse_xml(header_xml.encode(), "stream header")
    except RecordingError:
        return ""
    return (root.findtext("hostname") or "").strip()


def _same_clock(a: _Offsets, b: _Offsets) -> bool:
    """Whether two streams were stamped by the same clock, as far as their offsets tell."""
    if a.host and b.host and a.host != b.host:
        return False
    apart_s = NAMED_S if a.host and a.host == b.host else AGREE_S
    first, last = max(a.recorder_s.min(), b.recorder_s.min()), min(a.recorder_s.max(), b.recorder_s.max())
    if first > last:
        # Never measured at the same time: only the name tells.
        return bool(a.host) and a.host == b.host
    inside = b.recorder_s[(b.recorder_s >= first) & (b.recorder_s <= last)]
    order = np.argsort(a.recorder_s, kind="stable")
    at = inside if len(inside) else np.array([first])
    theirs = np.interp(at, np.sort(b.recorder_s), b.offsets[np.argsort(b.recorder_s, kind="stable")])
    ours = np.interp(at, a.recorder_s[order], a.offsets[order])
    return bool(np.median(np.abs(theirs - ours)) <= apart_s)


def _fit(group: Sequence[_Offsets]) -> ClockMap:
    """One map through the offsets of all streams of one clock."""
    recorder_s = np.concatenate([one.recorder_s for one in group])
    order = np.argsort(recorder_s, kind="stable") if len(group) > 1 else np.arange(len(recorder_s))
    times, offsets = (np.concatenate([getattr(one, what) for one in group])[order] for what in ("sender_s", "offsets"))
    return fit_clock(times, offsets, np.concatenate([one.stream.stamps for one in group]))


def _unknown(one: _Offsets, clock: ClockMap, hosts: dict[str, ClockMap | None]) -> list[str]:
    """What to say of a stream whose clock offset was never measured."""
    elsewhere = any(c is not None and _far(c) for c in hosts.values())
    if not len(one.stream) or clock.known or not elsewhere:
        return []
    where = f"from computer {one.host!r} " if one.host else ""
    return [
        f"stream {one.stream.name!r} {where}has no clock offset, although other streams of the recording have one: its "
        "stamps are "
        "taken as times of the recorder's clock; if they come from the clock of another computer, its times are wrong"
    ]


def _far(clock: ClockMap) -> bool:
    """Whether a clock is plainly not the recorder's own."""
    return any(abs(offset) > NAMED_S for piece in clock.pieces for offset in piece.offsets_s)


def _resets(groups: Sequence[Sequence[_Offsets]], clocks: dict[int, ClockMap]) -> list[str]:
    """What to say of clocks that were reset, and of markers that came between the last offset before and the first behind."""
    notes = []
    for group in groups:
        clock = clocks[group[0].stream.id]
        if not clock.resets:
            continue
        names = ", ".join(repr(one.stream.name) for one in group)
        times = "once" if clock.resets == 1 else f"{clock.resets} times"
        steps = ", ".join(f"by {step_s:+.3f} s between {a:.3f} and {b:.3f} s" for step_s, a, b in clock.steps())
        doubt = _between(group, clock)
        notes.append(
            f"the clock of {names} was reset {times} while it was recorded, {steps}; the stamps after that continue the "
            "clock from before"
            f"{f', and times of the {doubt} markers in between may be wrong by the same amount' if doubt else ''}"
        )
    return notes


def _between(group: Sequence[_Offsets], clock: ClockMap) -> int:
    """Markers of which nothing tells whether they came before a reset or behind it.

    One that was taken for the wrong side of it stands where it was, but for the size of the step.
    """
    found = 0
    for one in group:
        if not one.stream.rate_hz:
            times = clock.continued(one.stream.stamps)
            doubtful = np.zeros(len(times), dtype=np.bool_)
            for step, a, b in clock.steps():
                for moved in (times - step, times, times + step):
                    doubtful |= (moved > a - SLACK_S) & (moved < b + SLACK_S)
            found += int(doubtful.sum())
    return found
