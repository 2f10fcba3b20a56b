"""Samples that only the engine heard before its sender died, put in their place in what was recorded.

The engine says them in events of the kind ``last`` (:mod:`bci.session.last_heard`, docs/reference/streams.md).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from bci.engine.chunk import Chunk, FloatArray
from bci.errors import RecordingError
from bci.replay.recorded_events import RecordedEvent
from bci.session.last_heard import KIND, LAST_S, VALUE, joined


@dataclass(frozen=True, slots=True)
class Tail:
    """The samples that an engine consumed last before a loss.

    Parameters
    ----------
    consumed : int
        Raw samples that it had consumed with the last of them.
    raw : Chunk
        µV, raw stamps.
    """

    consumed: int
    raw: Chunk


@dataclass(frozen=True, slots=True)
class SegmentPart:
    """Where a part of the recorded input ends.

    Parameters
    ----------
    end : int
        Samples of the input up to there.
    lost : bool
        The recorder itself says that its sender was lost with just this sample.
    anew : bool
        What follows is another run of the sender.
    """

    end: int
    lost: bool = False
    anew: bool = False


@dataclass(frozen=True, slots=True)
class Mended:
    """The input with what only the engine heard in its place.

    Parameters
    ----------
    raw : Chunk
    parts : tuple of SegmentPart
    engine_only : tuple of (consumed, n_samples)
        Up to which sample of the engine's count, and how many.
    """

    raw: Chunk
    parts: tuple[SegmentPart, ...]
    engine_only: tuple[tuple[int, int], ...] = ()


def tails(events: Sequence[RecordedEvent], n_channels: int) -> list[Tail]:
    """Return the last samples that the engine recorded itself, in order of their counts.

    Raises
    ------
    RecordingError
        If an event of it is none.
    """
    said = sorted(((e.consumed(), e.count("first"), e) for e in events if e.kind == KIND), key=lambda one: one[:2])
    found = []
    for consumed, group in groupby(said, key=lambda one: one[0]):
        pieces = [(first, _piece(event, n_channels)) for _, first, event in group]
        begins = [first for first, _ in pieces[1:]] + [consumed]
        if all(first + len(piece) == begin for (first, piece), begin in zip(pieces, begins, strict=True)):
            found.append(Tail(consumed, joined([piece for _, piece in pieces])))
    return found


def mended(
    raw: Chunk, parts: Sequence[SegmentPart], joins: Sequence[tuple[int, float]], heard: Sequence[Tail], rate_hz: float
) -> Mended:
    """Put the samples that only the engine heard before a loss in their place.

    Only where the recorder says itself that it lost the sender there, where at least one sample that both have is the same bit
    for bit, and of no more than ``LAST_S``: so what somebody cut out of a recording stays missing.

    Parameters
    ----------
    raw : Chunk
        All recorded samples, µV, raw stamps.
    parts : sequence of SegmentPart
        Where its parts end, in order; the last one ends with it.
    joins : sequence of (consumed, stamp)
        Raw samples that the engine had consumed when it began to read, and the stamp of the first sample there.
    heard : sequence of Tail
    rate_hz : float
    """
    place, found = 0, Mended(raw, tuple(parts))
    for number, (consumed, stamp) in enumerate(joins):
        later = joins[number + 1][0] if number + 1 < len(joins) else None
        tail = next((t for t in heard if t.consumed > consumed and later in (None, t.consumed)), None)
        here = np.flatnonzero(found.raw.stamps[place:] == stamp)
        if not len(here):
            break
        first = place + int(here[0])
        part = next(p for p in found.parts if p.end > first)
        missing = tail.consumed - consumed - (part.end - first) if tail else 0
        if tail and part.lost and 0 < missing <= round(LAST_S * rate_hz) and _fits(found.raw, first, part.end, tail.raw, missing):
            found = _with(found, part.end, tail, missing)
        end = tail.consumed if tail else later
        own = next((p.end for p in found.parts if p.anew and p.end > first), len(found.raw))
        place = first if end is None else min(first + end - consumed, own)
    return found


def _fits(raw: Chunk, first: int, end: int, tail: Chunk, missing: int) -> bool:
    """Whether what was recorded before ``end`` is what the engine heard before the samples that are missing."""
    both = len(tail) - missing
    if not 0 < both <= end - first:
        return False
    same = raw.data[end - both : end].tobytes() == tail.data[:both].tobytes()
    return same and raw.stamps[end - both : end].tobytes() == tail.stamps[:both].tobytes()


def _with(found: Mended, at: int, tail: Tail, missing: int) -> Mended:
    """The input with the last samples of a tail behind sample ``at``."""
    raw, last = found.raw, Chunk(tail.raw.data[-missing:], tail.raw.stamps[-missing:])
    before, behind = Chunk(raw.data[:at], raw.stamps[:at]), Chunk(raw.data[at:], raw.stamps[at:])
    parts = tuple(replace(part, end=part.end + missing) if part.end >= at else part for part in found.parts)
    return Mended(joined([before, last, behind]), parts, (*found.engine_only, (tail.consumed, missing)))


def _piece(event: RecordedEvent, n_channels: int) -> Chunk:
    """The samples that one event holds.

    Raises
    ------
    RecordingError
        If they are none of so many channels.
    """
    stamps, values = (_values(event, key) for key in ("stamps", "samples"))
    if not len(stamps) or len(values) != len(stamps) * n_channels:
        raise RecordingError(
            f"{event.where} holds {len(stamps)} stamps and {len(values)} values; there must be {n_channels} values for each stamp"
        )
    return Chunk(values.reshape(len(stamps), n_channels), stamps)


def _values(event: RecordedEvent, key: str) -> FloatArray:
    try:
        read = base64.b64decode(event.get(key, str), validate=True)
        return np.frombuffer(read, VALUE).astype(np.float64)
    except (binascii.Error, ValueError) as error:
        raise RecordingError(f"{event.where}.{key}: are no numbers in base64 ({error})") from error
