"""Markers from the trigger channels of an amplifier: where their level changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bci.engine.chunk import Chunk, FloatArray
from bci.engine.stream_info import StreamInfo

SETTLE = 2
"""Lines of a parallel port rise and fall up to so many samples apart."""
MOST_SHORT = 16
ON_TOP_S = 1.0
"""A line that rises so briefly on top of a code that is held, a button's, does not make it a new one when it falls."""
LARGEST = 2.0**53
"""Whole numbers of a channel are exact up to here; what is beyond, infinite or no number is no level."""
BIOSEMI = "status"
BIOSEMI_CODE = 0xFFFF


@dataclass(slots=True)
class _Line:
    """One trigger channel: the level that stands, and the change that is under way."""

    level: float
    stamp: float = 0.0
    length: int = SETTLE + 1
    settled: float = 0.0
    settled_at: float = 0.0
    under: float | None = None
    since: float | None = None
    short: list[tuple[float, int]] | None = None


class TriggerEdges:
    """Markers from amplifier trigger channels: one at each change to a value other than zero.

    The value at the start of the stream is the resting level and no marker. A pulse that was lost with its
    samples is lost; one that lasts over the loss is met by its level.

    Lines of a port change up to two samples apart, so a level counts when it has lasted longer, or when the channel is back
    at zero; it is stamped with the first sample of the change. What stands for two samples on the way from one level to
    another is no marker, and neither are lines that fall one by one. A level that was there before further lines rose for a
    second or less, and is there again, has never gone.

    BioSemi's ``Status`` (www.biosemi.com/faq/trigger_signals.htm) holds codes in its low 16 bits; the others say when an
    epoch began, whether the electrodes' loop is closed, and the like. Inputs of it that are open read as one all the time:
    bits that were never seen as zero are none of a code.

    Parameters
    ----------
    info : StreamInfo
        Channels of type TRIG are watched; values are rounded to whole numbers.
    """

    def __init__(self, info: StreamInfo) -> None:
        self.columns = [i for i, c in enumerate(info.channels) if c.type == "TRIG"]
        self._biosemi = [info.channels[i].label.strip().lower() == BIOSEMI for i in self.columns]
        self._stuck = [BIOSEMI_CODE] * len(self.columns)
        self._lines: list[_Line] = []

    def __call__(self, chunk: Chunk) -> list[tuple[str, float]]:
        """Return the markers that are certain once these samples have come.

        Parameters
        ----------
        chunk : Chunk
            The next samples.

        Returns
        -------
        list of tuple of (str, float)
            The new level as text, and the stamp in seconds with which the change began.
        """
        if not self.columns or not len(chunk):
            return []
        given = chunk.data[:, self.columns]
        levels = np.where(np.abs(given) < LARGEST, np.rint(given), 0.0)
        for i, biosemi in enumerate(self._biosemi):
            if biosemi:
                levels[:, i] = self._code(i, levels[:, i])
        if not self._lines:
            self._lines = [_Line(level, settled=level) for level in levels[0].tolist()]
        found: list[tuple[str, float]] = []
        for line, column in zip(self._lines, levels.T, strict=True):
            found += _run(line, column, chunk.stamps)
        return sorted(found, key=lambda marker: marker[1])

    def finish(self) -> list[tuple[str, float]]:
        """The stream is over: what has not lasted long enough counts too."""
        return [marker for line in self._lines for marker in _end(line)]

    def _code(self, i: int, values: FloatArray) -> FloatArray:
        """Codes of a Status channel."""
        bits = values.astype(np.int64) & BIOSEMI_CODE
        stuck = np.bitwise_and.accumulate(np.concatenate([[self._stuck[i]], bits]))
        self._stuck[i] = int(stuck[-1])
        return np.asarray(bits & ~stuck[1:], np.float64)


def _run(line: _Line, levels: FloatArray, stamps: FloatArray) -> list[tuple[str, float]]:
    """Markers of one channel in some samples, one span of equal levels after the other."""
    ends = [*(np.flatnonzero(np.diff(levels)) + 1).tolist(), len(levels)]
    found = []
    begin = 0
    for end in ends:
        level = float(levels[begin])
        if level != line.level:
            found += _change(line, level, float(stamps[begin]))
        line.length += end - begin
        found += _settle(line)
        begin = end
    return found


def _change(line: _Line, level: float, stamp: float) -> list[tuple[str, float]]:
    """The level changes; a marker if it is back at zero after something too short to settle."""
    found = []
    if line.length <= SETTLE and line.level != 0:
        line.short = [*(line.short or []), (line.level, line.length)][-MOST_SHORT:]
    if level == 0:
        found = _pulse(line)
    elif line.since is None:
        line.since = stamp
    line.level, line.stamp, line.length = level, stamp, 0
    return found


def _settle(line: _Line) -> list[tuple[str, float]]:
    """A marker if the level has lasted long enough now and is another one than before."""
    if line.length <= SETTLE or line.level == 0:
        return []
    since = line.stamp if line.since is None else line.since
    new, held = line.level != line.settled, _held(line, since)
    if new:
        line.under, line.settled_at = line.settled, since
    line.settled, line.since, line.short = line.level, None, None
    return [(f"{line.level:.15g}", since)] if new and not held else []


def _held(line: _Line, since: float) -> bool:
    """Whether the level only comes back from under other lines that were up for a moment."""
    return line.level == line.under and _part(line.level, line.settled) and since - line.settled_at <= ON_TOP_S


def _pulse(line: _Line) -> list[tuple[str, float]]:
    """Back at zero: what was there too shortly to settle, unless lines only fell one by one."""
    short, since, before = line.short or [], line.since, line.settled
    line.settled, line.since, line.short, line.under = 0.0, None, None, None
    new = [(level, n) for level, n in short if not _part(level, before)]
    if not new or since is None:
        return []
    # While lines rise and fall one by one, all of them are up in one level, however short.
    whole = [(level, n) for level, n in new if all(_part(other, level) for other, _ in new)]
    level, _ = max(whole or new, key=lambda one: (one[1], _bits(one[0])))
    return [(f"{level:.15g}", since)]


def _end(line: _Line) -> list[tuple[str, float]]:
    if line.since is None or line.level == 0:
        return []
    line.short = [*(line.short or []), (line.level, line.length)]
    return _pulse(line)


def _part(level: float, whole: float) -> bool:
    """Whether a level is made of lines that were up before."""
    return level == whole or (0 < level < whole and int(level) & int(whole) == int(level))


def _bits(level: float) -> int:
    return int(abs(level)).bit_count()
