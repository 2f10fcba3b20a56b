"""Clock maps fitted through clock offsets that were measured now and then, some of which are wrong.

Offsets are measured as in NTP (Mills, RFC 5905): half of what the way there and the way back differ goes into them as an error,
which is why they err to one side when a network is busy. The fit is locally weighted regression with bisquare weights, which
leaves such errors out (Cleveland, J. Am. Stat. Assoc. 74 (1979) 829).
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import FloatArray
from bci.stream.clocks.clock_map import APART_S, SAME_CLOCK, ClockMap, ClockPiece

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
NEAR_S = 60.0
"""Where something was stamped so near to an offset's time, there was such a clock."""
FEW = 2
"""So many offsets between others that agree with each other are wrong; more are a clock that was reset."""
MOST_KNOTS, MOST_PARTS, MOST_DOUBTED, MOST_DOUBTS = 5000, 200, 10, 2000
"""Of one clock: bends (a week at ``KNOT_S``), resets, offsets at a time that agree with none before, and such offsets in all.
Files may say anything; what is beyond is passed over."""


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
        good = (np.abs(t) < ABSURD_S) & (np.abs(o) < ABSURD_S)
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
    # The lower one of two neighbours: among few offsets a reset would else make itself pass for noise.
    noise_s = float(np.percentile(steps, 90, method="lower")) if len(steps) else 0.0
    limit_s = max(JUMP_S, min(4.0 * noise_s, NOISIEST_S))
    parts: list[list[int]] = [[0]]
    doubted: list[list[int]] = []
    times, values = t.tolist(), o.tolist()
    doubts = 0
    for i in range(1, len(t)):
        if doubts > MOST_DOUBTS:
            break
        if _goes_on(times, values, parts[-1], i, limit_s):
            parts[-1].append(i)
            doubted = []
            continue
        doubts += 1
        alike = next((group for group in doubted if _goes_on(times, values, group, i, limit_s)), None)
        if alike is None:
            doubted = [*doubted[1 - MOST_DOUBTED :], [i]]
            continue
        alike.append(i)
        if len(alike) > FEW:
            parts += [group for group in doubted if len(group) > 1 and group[-1] < alike[0]] + [alike]
            doubted = []
    parts += [group for k, group in enumerate(doubted) if len(group) > 1 or k == len(doubted) - 1]
    if len(parts) > MOST_PARTS:
        shortest = sorted(map(len, parts))[-MOST_PARTS]
        parts = [part for part in parts if len(part) >= shortest][:MOST_PARTS]
    return _without_wrong_ends(t, [np.array(part, np.int64) for part in parts], stamps)


def _goes_on(t: list[float], o: list[float], part: Sequence[int], i: int, limit_s: float) -> bool:
    """Whether an offset may have been measured by the clock of those before it."""
    before, last = median(o[k] for k in part[-5:]), part[-1]
    elapsed_s = abs(t[i] + o[i] - t[last] - o[last])
    return abs(o[i] - before) <= limit_s + FASTEST * elapsed_s


def _without_wrong_ends(t: FloatArray, parts: list[npt.NDArray[np.int64]], stamps: FloatArray) -> list[npt.NDArray[np.int64]]:
    """Leave out a single offset before or after many that agree, unless something was stamped by such a clock."""
    for alone, beside in ((0, 1), (-1, -2)):
        if len(parts) > 1 and len(parts[alone]) == 1 and len(parts[beside]) > FEW:
            at, first, last = t[parts[alone][0]], t[parts[beside]].min(), t[parts[beside]].max()
            away = np.maximum(first - stamps, stamps - last)
            if not np.any((np.abs(stamps - at) < NEAR_S) & (away > APART_S)):
                parts.pop(alone)
    return parts


def _piece(t: FloatArray, o: FloatArray) -> ClockPiece:
    """One piece: a robust line, bent where there are enough offsets to say so."""
    middle = float(np.median(t))
    x = t - middle
    level, slope, noise_s = _line(x, o)
    first, last = float(x.min()), float(x.max())
    n = 1 + min(int((last - first) // KNOT_S), MOST_KNOTS, 20 * len(t))
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
