"""From one computer's clock to another's, fitted from clock offsets that were measured now and then.

Clocks of two computers run apart by tens of millionths, which is a tenth of a second in an hour, and by how much changes with
temperature; a computer that restarts begins to count anew. So a map has one piece for each time that its clock ran without a
reset, and each piece is a line with bends, fitted through the offsets so that single wrong ones do not move it.

Offsets are measured as in NTP (Mills, RFC 5905): half of what the way there and the way back differ goes into them as an error,
which is why they err to one side when a network is busy. The fit is locally weighted regression with bisquare weights, which
leaves such errors out (Cleveland, J. Am. Stat. Assoc. 74 (1979) 829).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import FloatArray

ABSURD_S = 1e10
"""No clock is that far from another: recorders write uninitialised memory as an offset, or the largest number there is."""
JUMP_S = 0.02
"""Offsets that differ by more, and by more than noise and drift explain, were not measured against the same clock."""
NOISIEST_S = 0.5
"""Offsets that differ by more are a jump however noisy they are."""
FASTEST = 1e-3
"""No two clocks run apart faster than this; while one is being set by NTP, it is half of it."""
USUAL = 50e-6
"""How fast two clocks usually run apart; what few offsets seem to say beyond is taken for noise."""
NOISE_S = 1e-4
"""An offset is hardly ever measured better."""
KNOT_S, REACH_S = 120.0, 400.0
"""Distance of two bends, and how far a bend looks to both sides."""
BISQUARE = 4.685
APART_S = 20.0
"""A time that lies so much nearer to the offsets of one piece than to those of another belongs to it."""
FEW = 2
"""So many offsets between others that agree with each other are wrong; more are a clock that was reset."""


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
        """Sender's times on the recorder's clock, seconds."""
        return times + self._offset(times, np.array(self.knots_s))

    def to_sender(self, times: FloatArray) -> FloatArray:
        """Recorder's times on the sender's clock, seconds."""
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
    """From a sender's clock to the recorder's, and back.

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
        """A map that adds the same number to all times."""
        return ClockMap((ClockPiece((0.0,), (float(offset_s),), (0.0, 0.0), 0.0, 0.0),))

    @property
    def known(self) -> bool:
        """Whether any offset was measured."""
        return bool(self.pieces)

    @property
    def resets(self) -> int:
        """How often the clock was reset, against the other."""
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

    @property
    def unset(self) -> ClockMap:
        """The clock as it would have gone on, had it never been reset (:meth:`continued`)."""
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
        start = 0
        for i, piece in enumerate(self.pieces):
            later = self.pieces[i + 1 :]
            end = start + _reset_at(times[start:], piece, later) if later else len(times)
            yield piece, slice(start, end)
            start = end

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


def fit_clock(times: npt.ArrayLike, offsets: npt.ArrayLike, stamps: npt.ArrayLike = ()) -> ClockMap:
    """Fit a map through clock offsets.

    Parameters
    ----------
    times : array_like, shape (n_offsets,)
        When each was measured, seconds on the sender's clock, in the order of the recording.
    offsets : array_like, shape (n_offsets,)
        What to add to the sender's time then, to have the recorder's.
    stamps : array_like, shape (n_stamps,), optional
        What the map is for: a single offset at the end far from all others is believed where there are stamps near it.
    """
    t, o = np.asarray(times, np.float64), np.asarray(offsets, np.float64)
    with np.errstate(invalid="ignore"):
        good = np.isfinite(t) & np.isfinite(o) & (np.abs(o) < ABSURD_S)
    t, o = t[good], o[good]
    if not len(t):
        return SAME_CLOCK
    return ClockMap(tuple(_piece(t[part], o[part]) for part in _parts(t, o, np.asarray(stamps, np.float64))))


def _parts(t: FloatArray, o: FloatArray, stamps: FloatArray) -> list[npt.NDArray[np.int64]]:
    """Places of the offsets of each time without a reset; single wrong offsets are in none."""
    steps = np.abs(np.diff(o))
    usual = float(np.median(steps)) if len(steps) else 0.0
    limit_s = max(JUMP_S, min(12.0 * usual, NOISIEST_S))
    parts = [
        p for p in np.split(np.arange(len(t)), np.flatnonzero(steps > limit_s + FASTEST * np.abs(np.diff(t + o))) + 1) if len(p)
    ]
    merged: list[npt.NDArray[np.int64]] = []
    while parts:
        part = parts.pop(0)
        # What lies on the other side of a few wrong offsets may go on where it was before them.
        for k, later in enumerate(parts):
            between = sum(len(p) for p in parts[:k])
            if between <= FEW and len(later) > between and _agree(t, o, part, later, limit_s):
                part, parts = np.concatenate([part, later]), parts[k + 1 :]
                break
        else:
            merged.append(part)
            continue
        parts.insert(0, part)
    return _without_wrong_ends(t, merged, stamps)


def _agree(t: FloatArray, o: FloatArray, part: npt.NDArray[np.int64], later: npt.NDArray[np.int64], limit_s: float) -> bool:
    """Whether the clock went on between two stretches of offsets as if nothing had been."""
    a, b = part[-1], later[0]
    return bool(abs(o[b] - o[a]) <= limit_s + FASTEST * abs(t[b] + o[b] - t[a] - o[a]))


def _without_wrong_ends(t: FloatArray, parts: list[npt.NDArray[np.int64]], stamps: FloatArray) -> list[npt.NDArray[np.int64]]:
    """Leave out a single offset before or after many that agree, unless something was stamped by such a clock."""
    for alone, beside in ((0, 1), (-1, -2)):
        if len(parts) > 1 and len(parts[alone]) == 1 and len(parts[beside]) > FEW:
            at, first, last = t[parts[alone][0]], t[parts[beside]].min(), t[parts[beside]].max()
            away = np.maximum(first - stamps, stamps - last)
            if not np.any(np.abs(stamps - at) < away):
                parts.pop(alone)
    return parts


def _piece(t: FloatArray, o: FloatArray) -> ClockPiece:
    """One piece: a robust line, bent where there are enough offsets to say so."""
    middle = float(np.median(t))
    x = t - middle
    level, slope, noise_s = _line(x, o)
    first, last = float(x.min()), float(x.max())
    n = 1 + int((last - first) // KNOT_S)
    if n < 3:
        knots = np.array([0.0])
        values, slopes = np.array([level]), (slope, slope)
    else:
        knots = np.linspace(first, last, n)
        rest = o - level - slope * x
        local = [_bend(x - knot, rest, noise_s) for knot in knots.tolist()]
        values = level + slope * knots + np.array([value for value, _ in local])
        slopes = (slope + local[0][1], slope + local[-1][1])
    shifted = tuple((knots + middle).tolist())
    return ClockPiece(shifted, tuple(values.tolist()), slopes, float(t.min()), float(t.max()))


def _line(x: FloatArray, y: FloatArray) -> tuple[float, float, float]:
    """Level at 0, slope and noise of a line that outliers do not move.

    The slope is drawn to 0 by as much as it is uncertain (a normal prior of ``USUAL``): two offsets five seconds apart say
    nothing of an hour.
    """
    weights = np.ones(len(x))
    level, slope, noise_s = float(np.median(y)), 0.0, NOISE_S
    if len(x) > FEW:
        slope = _pairwise(x, y)
        level = float(np.median(y - slope * x))
    for _ in range(10 if len(x) > FEW else 1):
        if len(x) > FEW:
            rest = y - level - slope * x
            noise_s = max(NOISE_S, 1.4826 * float(np.median(np.abs(rest))))
            weights = _bisquare(rest / noise_s)
        level, slope = _weighted(x, y, weights, noise_s)
    return level, slope, noise_s


def _pairwise(x: FloatArray, y: FloatArray) -> float:
    """Slope to begin with: the middle one of lines through offsets that lie half the span apart (Theil and Sen)."""
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    half = len(x) // 2
    run = x[half:] - x[: len(x) - half]
    rises = (y[half:] - y[: len(y) - half])[run > 0] / run[run > 0]
    return float(np.median(rises)) if len(rises) else 0.0


def _weighted(x: FloatArray, y: FloatArray, weights: FloatArray, noise_s: float, prior: float = USUAL) -> tuple[float, float]:
    """Level at 0 and slope of a weighted line."""
    total = weights.sum()
    mean_x, mean_y = float(weights @ x / total), float(weights @ y / total)
    spread = float(weights @ (x - mean_x) ** 2)
    slope = float(weights @ ((x - mean_x) * (y - mean_y))) / (spread + (noise_s / prior) ** 2)
    return mean_y - slope * mean_x, slope


def _bend(x: FloatArray, rest: FloatArray, noise_s: float) -> tuple[float, float]:
    """How far the offsets near a knot lie from the line, and by how much they are steeper."""
    near = np.abs(x) < REACH_S
    if near.sum() <= FEW:
        return float(np.interp(0.0, x, rest)), 0.0
    x, rest = x[near], rest[near]
    nearness = (1.0 - (np.abs(x) / REACH_S) ** 3) ** 3
    level, slope = float(np.median(rest)), 0.0
    for _ in range(5):
        away = rest - level - slope * x
        spread_s = max(noise_s, 1.4826 * float(np.median(np.abs(away))))
        level, slope = _weighted(x, rest, nearness * _bisquare(away / spread_s), noise_s)
    return level, slope


def _bisquare(r: FloatArray) -> FloatArray:
    """Weights of residuals that are measured in noise; never all 0."""
    weights: FloatArray = np.clip(1.0 - (r / BISQUARE) ** 2, 0.0, None) ** 2
    return weights if weights.sum() > 0 else np.ones_like(weights)


def _around(piece: ClockPiece, after: ClockPiece) -> tuple[float, float]:
    """Last offset before a reset and first one behind it, on the recorder's clock."""
    times: Sequence[float] = (piece.last_s, after.first_s)
    a, b = (float(p.to_recorder(np.array([t]))[0]) for p, t in zip((piece, after), times, strict=True))
    return a, b


def _outside(times: FloatArray, piece: ClockPiece) -> FloatArray:
    """How far times lie from those at which a piece's offsets were measured, on the sender's clock, seconds."""
    return np.maximum(0.0, np.maximum(piece.first_s - times, times - piece.last_s))


def _nearest(times: FloatArray, pieces: Sequence[ClockPiece]) -> FloatArray:
    """How far times lie from the offsets of the nearest of several pieces, on the sender's clock, seconds."""
    nearest: FloatArray = np.min([_outside(times, piece) for piece in pieces], axis=0)
    return nearest


def _reset_at(times: FloatArray, piece: ClockPiece, later: Sequence[ClockPiece]) -> int:
    """How many of the times were before the reset between a piece and the next of those that follow it.

    Before it none can lie, on the recorder's clock, behind the first offset that was measured after it, and the other way round;
    and none lies far from its own piece and near another on the sender's clock: a stream that was only there before the reset, or
    only after it, does not show it. Of the places that are left, it is where the times themselves jump as the clock did.
    """
    if not len(times):
        return 0
    after = later[0]
    before, behind = piece.to_recorder(times), after.to_recorder(times)
    last_s, first_s = _around(piece, after)
    with np.errstate(invalid="ignore"):
        nearer = _outside(times, piece) - _nearest(times, later)
        too_late = np.concatenate([[0], np.cumsum((before > first_s) | (nearer > APART_S))])
        too_early = np.concatenate([np.cumsum(((behind < last_s) | (nearer < -APART_S))[::-1])[::-1], [0]])
    cost = too_late + too_early
    possible = np.flatnonzero(cost == cost.min())
    inner = possible[(possible > 0) & (possible < len(times))]
    if len(inner):
        # How much more evenly times follow each other where the reset is taken to lie here.
        raw, mapped = np.abs(times[inner] - times[inner - 1]), np.abs(behind[inner] - before[inner - 1])
        gain = np.where(np.isfinite(raw - mapped), raw - mapped, -np.inf)
        if gain.max() > 0:
            return int(inner[gain.argmax()])
        known = np.isfinite(raw)
        if known.any() and raw[known].max() < 0.5 * float(np.nanmedian(np.abs(behind - before))):
            # So dense a stream would show the reset: all of it was on one side.
            own, others = (float(np.nanmedian(x)) for x in (_outside(times, piece), _nearest(times, later)))
            return len(times) if (cost[-1], own) <= (cost[0], others) else 0
    middle = 0.5 * (last_s + first_s)
    return int(possible[0] + np.searchsorted(np.maximum.accumulate(before[possible[0] : possible[-1]]), middle))
