"""Conversion of times between the clocks of two computers, with drift, changes of the drift, and resets.

Clocks of two computers run apart by tens of millionths, which is a tenth of a second in an hour, and by how much changes with
temperature; a computer that restarts begins to count again from zero. So a map has one piece for each time that its clock ran
without a reset, and each piece is a line with bends (fitted in :mod:`bci.stream.clocks.clock_offsets`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import FloatArray

APART_S = 20.0
"""A time that lies so much nearer to the offsets of one piece than to those of another belongs to it."""


@dataclass(frozen=True, slots=True)
class ClockPiece:
    """A time without a reset.

    Parameters
    ----------
    knots_s : tuple of float
        On the sender's clock, rising.
    offsets_s : tuple of float
        To be added to the sender's time, at each knot; on lines between them.
    slopes : tuple of two floats
        Change of the offset per second before the first knot and after the last.
    first_s, last_s : float
        First and last offset, on the sender's clock.
    """

    knots_s: tuple[float, ...]
    offsets_s: tuple[float, ...]
    slopes: tuple[float, float]
    first_s: float
    last_s: float

    def to_recorder(self, times: FloatArray) -> FloatArray:
        """Convert times of the sender's clock into times of the recorder's clock.

        Parameters
        ----------
        times : ndarray, shape (n_times,)
            Seconds.

        Returns
        -------
        ndarray, shape (n_times,)
            Seconds.
        """
        return times + self._offset(times, np.array(self.knots_s))

    def to_sender(self, times: FloatArray) -> FloatArray:
        """Convert times of the recorder's clock into times of the sender's clock.

        Parameters
        ----------
        times : ndarray, shape (n_times,)
            Seconds.

        Returns
        -------
        ndarray, shape (n_times,)
            Seconds.
        """
        knots = np.array(self.knots_s) + np.array(self.offsets_s)
        before, after = (slope / (1.0 + slope) for slope in self.slopes)
        return times - self._offset(times, knots, before, after)

    def _offset(
        self, times: FloatArray, knots: FloatArray, before: float | None = None, after: float | None = None
    ) -> FloatArray:
        """The offset at times on the clock that the knots are on."""
        before, after = self.slopes[0] if before is None else before, self.slopes[1] if after is None else after
        if len(knots) == 1 and before == after == 0.0:
            return np.full(np.shape(times), self.offsets_s[0])
        inside = np.interp(times, knots, self.offsets_s)
        found: FloatArray = inside + before * np.minimum(times - knots[0], 0.0) + after * np.maximum(times - knots[-1], 0.0)
        return found


@dataclass(frozen=True, slots=True)
class ClockMap:
    """Converts times of a sender's clock to the recorder's clock, and back.

    Parameters
    ----------
    pieces : tuple of ClockPiece
        In the order of the recording, one for each time without a reset; none: the offset is not known, and both clocks are taken
        for the same.

    Notes
    -----
    Two maps are equal where they say the same: streams of one computer share one map, and their stamps are compared as they are.
    """

    pieces: tuple[ClockPiece, ...] = ()

    @staticmethod
    def constant(offset_s: float) -> ClockMap:
        """Make a map that adds the same number to all times.

        Parameters
        ----------
        offset_s : float
            Seconds.

        Returns
        -------
        ClockMap
        """
        return ClockMap((ClockPiece((0.0,), (float(offset_s),), (0.0, 0.0), 0.0, 0.0),))

    @property
    def known(self) -> bool:
        """Whether any offset was measured."""
        return bool(self.pieces)

    @property
    def resets(self) -> int:
        """How often the sender's clock was reset."""
        return max(0, len(self.pieces) - 1)

    @property
    def offset_s(self) -> float | None:
        """The offset in the middle of the longest time without a reset, seconds; None where none is known."""
        piece = self._longest()
        if piece is None:
            return None
        middle = 0.5 * (piece.first_s + piece.last_s)
        return float(piece.to_recorder(np.array([middle]))[0]) - middle

    @property
    def drift(self) -> float:
        """By how much the offset changes in a second, on average over the longest time without a reset."""
        piece = self._longest()
        if piece is None or piece.last_s <= piece.first_s:
            return 0.0
        ends = np.array([piece.first_s, piece.last_s])
        first, last = (piece.to_recorder(ends) - ends).tolist()
        return float(last - first) / (piece.last_s - piece.first_s)

    def _longest(self) -> ClockPiece | None:
        return max(self.pieces, key=lambda piece: piece.last_s - piece.first_s, default=None)

    def steps(self) -> list[tuple[float, float, float]]:
        """Each reset: by how much the clock was set forward, and between which two times on the clock :attr:`unset`, seconds."""
        found = []
        for piece, after in zip(self.pieces, self.pieces[1:], strict=False):
            a, b = _around(piece, after)
            before, behind = (float(p.to_sender(np.array([0.5 * (a + b)]))[0]) for p in (piece, after))
            first, last = self.pieces[0].to_sender(np.array([a, b])).tolist()
            found.append((behind - before, first, last))
        return found

    @property
    def unset(self) -> ClockMap:
        """How the clock would have continued if it had never been reset (:meth:`continued`)."""
        return ClockMap(self.pieces[:1]) if self.resets else self

    def continued(self, times: npt.ArrayLike) -> FloatArray:
        """Sender's times as its clock would have shown them, had it never been reset: what came later is later.

        Parameters
        ----------
        times : array_like, shape (n,)
            Seconds, in the order in which they were recorded. Those before the first reset are returned as they are.

        Returns
        -------
        ndarray, shape (n,)
            Seconds, on the clock :attr:`unset`.
        """
        given = np.asarray(times, np.float64)
        if not self.resets:
            return given
        found, first = given.copy(), self.pieces[0]
        for piece, part in self._shares(given):
            if piece is not first:
                found[part] = first.to_sender(piece.to_recorder(given[part]))
        return found

    def to_recorder(self, times: npt.ArrayLike) -> FloatArray:
        """Sender's times on the recorder's clock.

        Parameters
        ----------
        times : array_like, shape (n,)
            Seconds, in the order in which they were recorded: where a clock was reset, the same time comes twice.

        Returns
        -------
        ndarray, shape (n,)
            Seconds. What is not finite stays what it is.
        """
        given = np.asarray(times, np.float64)
        if not self.pieces:
            return given
        found = given.copy()
        for piece, part in self._shares(given):
            found[part] = piece.to_recorder(given[part])
        return found

    def _shares(self, times: FloatArray) -> Iterator[tuple[ClockPiece, slice]]:
        """Which of the times, in the order in which they were recorded, are by which piece."""
        ends = _ends(times, self.pieces) if self.resets else [len(times)]
        for piece, start, end in zip(self.pieces, [0, *ends[:-1]], ends, strict=True):
            yield piece, slice(start, end)

    def to_sender(self, times: npt.ArrayLike) -> FloatArray:
        """Recorder's times on the sender's clock.

        Parameters
        ----------
        times : array_like, shape (n,)
            Seconds, in any order.

        Returns
        -------
        ndarray, shape (n,)
            Seconds. Not rising where the clock was set back.
        """
        given = np.asarray(times, np.float64)
        if not self.pieces:
            return given
        which = np.searchsorted(self._resets_s(), given)
        found = given.copy()
        for i, piece in enumerate(self.pieces):
            here = which == i
            found[here] = piece.to_sender(given[here])
        return found

    def _resets_s(self) -> FloatArray:
        """When the clock was reset, on the recorder's clock: halfway between the offsets around it."""
        return np.array([np.mean(_around(a, b)) for a, b in zip(self.pieces, self.pieces[1:], strict=False)])


SAME_CLOCK = ClockMap()
"""Where no offset is known."""


def _ends(times: FloatArray, pieces: Sequence[ClockPiece]) -> list[int]:
    """Up to which place the times, in the order in which they were recorded, are by each of the pieces.

    A time is by no piece that would place it, on the recorder's clock, before the last offset of the piece before or behind the
    first one of the piece after; nor by one from whose offsets it lies far away on the sender's clock, and near those of another.
    The cut that breaks these rules least is found by dynamic programming; of several, it is where times jump as the clock did.
    """
    mapped = [piece.to_recorder(times) for piece in pieces]
    faults = _faults(times, pieces, mapped)
    least, sums = [faults[0]], faults
    for following in sums[1:]:
        least.append(np.minimum.accumulate(least[-1] - following) + following)
    ends = [len(times)]
    for k in range(len(pieces) - 1, 0, -1):
        total = least[k - 1][: ends[0] + 1] - sums[k][: ends[0] + 1]
        possible = np.flatnonzero(total == total.min())
        ends.insert(0, _cut(times[: ends[0]], mapped[k - 1], mapped[k], possible, pieces[k - 1 : k + 1]))
    return ends


def _faults(times: FloatArray, pieces: Sequence[ClockPiece], mapped: Sequence[FloatArray]) -> list[FloatArray]:
    """How many of the first times would be wrong by each piece, shape (n + 1,) for each."""
    last_s = [float(p.to_recorder(np.array([p.last_s]))[0]) for p in pieces]
    first_s = [float(p.to_recorder(np.array([p.first_s]))[0]) for p in pieces]
    outside = np.array([np.maximum(0.0, np.maximum(p.first_s - times, times - p.last_s)) for p in pieces])
    found = []
    with np.errstate(invalid="ignore"):
        for k, at in enumerate(mapped):
            wrong = outside[k] - outside.min(axis=0) > APART_S
            if k:
                wrong |= at < last_s[k - 1]
            if k + 1 < len(pieces):
                wrong |= at > first_s[k + 1]
            found.append(np.concatenate([[0.0], np.cumsum(wrong)]))
    return found


def _cut(
    times: FloatArray, before: FloatArray, after: FloatArray, possible: npt.NDArray[np.int64], pieces: Sequence[ClockPiece]
) -> int:
    """Which of the possible places is where a clock was reset between two pieces."""
    inner = possible[(possible > 0) & (possible < len(times))]
    if not len(inner):
        return int(possible[0])
    # How much more evenly times follow each other where the reset is taken to lie here.
    raw, even = np.abs(times[inner] - times[inner - 1]), np.abs(after[inner] - before[inner - 1])
    gain = np.where(np.isfinite(raw - even), raw - even, -np.inf)
    if gain.max() > 0:
        return int(inner[np.where(gain > 0.5 * gain.max(), even, np.inf).argmin()])
    jump_s = float(np.nanmedian(np.abs(after[: len(times)] - before[: len(times)])))
    if np.isfinite(raw).any() and np.nanmax(raw) < 0.5 * jump_s:
        # So dense a stream would show the reset: all that may be on either side was on one.
        places = np.array([possible[0], possible[-1]])
        here = times[places[0] : places[1]]
        away = [float(np.nanmedian(np.maximum(p.first_s - here, here - p.last_s))) for p in pieces]
        return int(places[1] if away[0] <= away[1] else places[0])
    middle = 0.5 * sum(_around(*pieces))
    return int(possible[0] + np.searchsorted(np.maximum.accumulate(before[possible[0] : possible[-1]]), middle))


def _around(piece: ClockPiece, after: ClockPiece) -> tuple[float, float]:
    """Last offset before a reset and first one behind it, on the recorder's clock."""
    a, b = (float(p.to_recorder(np.array([t]))[0]) for p, t in zip((piece, after), (piece.last_s, after.first_s), strict=True))
    return a, b
