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
    """Places of the offsets of each time without a reset; wrong offsets are in none.

    A clock was reset where several offsets that agree with each other do not agree with those before. One or two between others
    that go on as before are wrong.
    """
    steps = np.abs(np.diff(o))
    noise_s = float(np.percentile(steps, 90)) if len(steps) else 0.0
    limit_s = max(JUMP_S, min(4.0 * noise_s, NOISIEST_S))
    parts: list[list[int]] = [[0]]
    doubted: list[int] = []
    for i in range(1, len(t)):
        if _goes_on(t, o, parts[-1], i, limit_s):
            parts[-1].append(i)
            doubted = []
            continue
        doubted = [*doubted, i] if doubted and _goes_on(t, o, doubted, i, limit_s) else [i]
        if len(doubted) > FEW:
            parts.append(doubted)
            doubted = []
    if doubted:
        parts.append(doubted)
    return _without_wrong_ends(t, [np.array(part, np.int64) for part in parts], stamps)


def _goes_on(t: FloatArray, o: FloatArray, part: Sequence[int], i: int, limit_s: float) -> bool:
    """Whether an offset may have been measured by the clock of those before it."""
    before, last = float(np.median(o[part[-5:]])), part[-1]
    elapsed_s = abs(t[i] + o[i] - t[last] - o[last])
    return bool(abs(o[i] - before) <= limit_s + FASTEST * elapsed_s)


def _without_wrong_ends(t: FloatArray, parts: list[npt.NDArray[np.int64]], stamps: FloatArray) -> list[npt.NDArray[np.int64]]:
    """Leave out one or two offsets before or after many that agree, unless something was stamped by such a clock."""
    for alone, beside in ((0, 1), (-1, -2)):
        if len(parts) > 1 and len(parts[alone]) <= FEW < len(parts[beside]):
            at, first, last = np.median(t[parts[alone]]), t[parts[beside]].min(), t[parts[beside]].max()
            away = np.maximum(first - stamps, stamps - last)
            if not np.any((np.abs(stamps - at) < away) & (away > APART_S)):
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
        # From one offset to the next a bend does not show, so this is noise alone.
        noise_s = max(NOISE_S, 1.4826 * float(np.median(np.abs(np.diff(rest)))) / np.sqrt(2.0))
        bends = np.array([_bend(x - knot, rest, noise_s) for knot in knots.tolist()])
        bends *= _real_share(bends[:, 0], noise_s, len(x) * min(1.0, REACH_S / (last - first)))
        values = level + slope * knots + bends[:, 0]
        slopes = (slope + float(bends[0, 1]), slope + float(bends[-1, 1]))
    shifted = tuple((knots + middle).tolist())
    return ClockPiece(shifted, tuple(values.tolist()), slopes, float(t.min()), float(t.max()))


def _real_share(levels: FloatArray, noise_s: float, n: float) -> float:
    """How much of the bends is more than noise would give, 0 to 1 (James and Stein's estimator, for all of them together).

    Parameters
    ----------
    levels : ndarray, shape (n_knots,)
        How far each bend lies from a straight line, seconds.
    noise_s : float
        Of one offset.
    n : float
        Offsets that a bend rests on.
    """
    by_chance, found = 2.0 * noise_s**2 / n, float(np.mean(levels**2))
    return max(0.0, 1.0 - by_chance / found) if found > 0 else 0.0


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
        return int(inner[gain.argmax()])
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
