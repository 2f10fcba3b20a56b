"""Commands that were sent and their effects, seen by a photodiode, a trigger cable, or another program's markers.

The largest part that software cannot see by itself, the screen or the motor, comes back through the amplifier (or any
other LSL stream) and is compared with what was sent.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bci.engine.chunk import FloatArray

EARLY_S = 0.005
WAIT_S = 1.0
NOISE = 12.0  # a step must be this many times the usual difference of neighbours; noise alone spans some eight


@dataclass(frozen=True, slots=True, eq=False)
class Loopback:
    """The measured effects.

    Parameters
    ----------
    delays : ndarray, shape (n_matched,)
        From command to effect, seconds.
    sent, missed, unasked : int
        Commands; those of which nothing was seen; effects without a command.
    """

    delays: FloatArray
    sent: int
    missed: int
    unasked: int


def command_times(texts: Sequence[tuple[str, float]]) -> FloatArray:
    """When commands were sent.

    Parameters
    ----------
    texts : sequence of (str, float)
        Of ``bci-commands``: a line of kind ``command`` counts from its ``began``, any other line not at all. Of any
        other stream, each text counts from its stamp.

    Returns
    -------
    ndarray, shape (n_commands,)
        Seconds on the sender's LSL clock.
    """
    found = [_began(text, stamp) for text, stamp in texts]
    return np.array(sorted(t for t in found if t is not None))


def _began(text: str, stamp: float) -> float | None:
    """When one command was sent; None where the text is none."""
    try:
        line = json.loads(text)
    except ValueError:
        return stamp
    if not isinstance(line, dict) or "kind" not in line:
        return stamp
    began = line.get("began")
    return float(began) if line["kind"] == "command" and isinstance(began, int | float) else None


def rising_edges(values: FloatArray, stamps: FloatArray) -> FloatArray:
    """When a signal goes from its low to its high level.

    Levels are the 5th and the 95th percentile of what was seen (the extremes where those are equal: short pulses);
    an edge is a crossing of the middle, after the signal was in the lower quarter.

    Parameters
    ----------
    values, stamps : ndarray, shape (n_samples,)

    Returns
    -------
    ndarray, shape (n_edges,)
        Stamp of the first sample above the middle: as fine as the sampling.
    """
    if len(values) < 2:
        return np.empty(0)
    low, high = np.percentile(values, (5, 95))
    extremes = float(values.min()), float(values.max())
    if high - low < 0.5 * (extremes[1] - extremes[0]):
        low, high = extremes  # pulses too short, or pauses too short, for percentiles
    scatter = float(np.median(np.abs(np.diff(values))))
    if high - low <= NOISE * scatter or high == low:
        return np.empty(0)
    middle, quarter = low + 0.5 * (high - low), low + 0.25 * (high - low)
    found, armed = [], values[0] < quarter
    for i in np.flatnonzero((values < quarter) | (values > middle)):
        if values[i] < quarter:
            armed = True
        elif armed:
            found.append(stamps[i])
            armed = False
    return np.array(found, dtype=np.float64)


def match(sent: FloatArray, seen: FloatArray, wait_s: float = WAIT_S) -> Loopback:
    """Each command with the first effect after it, each effect with one command.

    Parameters
    ----------
    sent, seen : ndarray
        Times of commands and of effects on one clock, ascending, seconds.
    wait_s : float
        An effect comes within this time, or not at all.

    Returns
    -------
    Loopback
    """
    delays, k = [], 0
    for i, time in enumerate(sent.tolist()):
        until = min(time + wait_s, sent[i + 1] - EARLY_S if i + 1 < len(sent) else np.inf)
        while k < len(seen) and seen[k] < time - EARLY_S:
            k += 1
        if k < len(seen) and seen[k] <= until:
            delays.append(float(seen[k]) - time)
            k += 1
    return Loopback(np.array(delays), len(sent), len(sent) - len(delays), len(seen) - len(delays))


def watched(
    sent: FloatArray, seen: FloatArray, since: float, until: float, wait_s: float = WAIT_S
) -> tuple[FloatArray, FloatArray]:
    """Commands whose effect had time to come, and the effects that can be theirs.

    Parameters
    ----------
    sent, seen : ndarray
        As for :func:`match`.
    since, until : float
        Effects were looked for between these times.

    Returns
    -------
    (ndarray, ndarray)
    """
    sent = sent[sent >= since]
    whole = sent[sent + wait_s <= until]
    if not len(whole):
        return whole, seen[:0]
    end = sent[len(whole)] if len(sent) > len(whole) else np.inf
    return whole, seen[(seen >= whole[0] - EARLY_S) & (seen < end - EARLY_S)]
