"""When each stream of a recording is played: where one push ended and the next began, all on one clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import FloatArray
from bci.stream.recorded_signal import RecordedMarkers, RecordedSignal, times_on

IntArray = npt.NDArray[np.int64]

BACKWARD_S, FORWARD_S = 10.0, 3600.0
"""Stamps that step further than this were reset: they are not waited for."""
LONGEST_PUSH_S = 0.25
PIECE_S = 0.032


@dataclass(frozen=True, slots=True, eq=False)
class Pushes:
    """When one stream is pushed, and how much each time.

    Parameters
    ----------
    ends : ndarray of int, shape (n_pushes,)
        Samples sent up to and with each push.
    due_s : ndarray, shape (n_pushes,)
        When, seconds on the reference's clock; never backwards.
    """

    ends: IntArray
    due_s: FloatArray


def timeline(stamps: FloatArray, step_s: float) -> FloatArray:
    """Stamps with resets taken out: what a clock that was never set would have shown.

    Parameters
    ----------
    stamps : ndarray, shape (n_samples,)
        They may run backwards, jump, or not be finite.
    step_s : float
        Taken instead of an impossible step.

    Returns
    -------
    ndarray, shape (n_samples,)
        The stamps themselves where there is no reset.
    """
    if not len(stamps):
        return stamps
    with np.errstate(invalid="ignore"):
        steps = np.diff(stamps)
        reset = ~((steps >= -BACKWARD_S) & (steps <= FORWARD_S))
    first = float(stamps[0]) if np.isfinite(stamps[0]) else 0.0
    if not reset.any() and np.isfinite(stamps[0]):
        return stamps
    return first + np.concatenate([[0.0], np.cumsum(np.where(reset, step_s, steps))])


def push_ends(stamps: FloatArray, rate_hz: float, chunk_samples: int | None) -> IntArray:
    """Find where one push ended and the next began.

    A sender that pushes chunks gives one stamp, that of the newest sample, from which liblsl (or the sender, by
    its own fit) counts back in even steps; so within a push all steps are the usual one, and between pushes
    they are not. Spans in which nothing gives a push away are cut into pieces.

    Parameters
    ----------
    stamps : ndarray, shape (n_samples,)
    rate_hz : float
        Nominal; 0: each sample was pushed alone.
    chunk_samples : int or None
        Cut into pushes of this many instead.
    """
    n = len(stamps)
    if chunk_samples is not None and rate_hz > 0:
        return np.minimum(np.arange(chunk_samples, n + chunk_samples, chunk_samples), n)
    if rate_hz <= 0:
        return np.arange(1, n + 1)
    with np.errstate(invalid="ignore"):
        steps = np.diff(stamps)
        usual = np.median(steps[np.isfinite(steps)]) if np.isfinite(steps).any() else 1.0 / rate_hz
        between = ~(np.abs(steps - usual) < 1e-3 / rate_hz)
    ends = np.append(np.flatnonzero(between) + 1, n) if n else np.empty(0, np.int64)
    starts = np.concatenate([[0], ends[:-1]])
    longest, piece = max(1, round(LONGEST_PUSH_S * rate_hz)), max(1, round(PIECE_S * rate_hz))
    cut = [np.append(np.arange(a + piece, b, piece), b) if b - a > longest else [b] for a, b in zip(starts, ends, strict=True)]
    return np.concatenate(cut).astype(np.int64) if cut else ends.astype(np.int64)


def stamps_of(streams: Sequence[RecordedSignal | RecordedMarkers]) -> list[FloatArray]:
    """Convert the stamps of all streams to one clock.

    It is that of the signal with the most samples, whose stamps stay what they are.

    Parameters
    ----------
    streams : sequence of RecordedSignal or RecordedMarkers

    Returns
    -------
    list of ndarray
        One array of shape (n_samples,) for each stream, seconds.
    """
    reference = _reference(streams) or streams[0]
    return [times_on(reference, stream) for stream in streams]


def _reference(streams: Sequence[RecordedSignal | RecordedMarkers]) -> RecordedSignal | None:
    """The signal with the most samples."""
    return max((s for s in streams if isinstance(s, RecordedSignal)), key=lambda s: len(s.stamps), default=None)


def pushes_of(streams: Sequence[RecordedSignal | RecordedMarkers], chunk_samples: int | None) -> list[Pushes]:
    """Compute when each stream is pushed, all on one clock (:func:`stamps_of`).

    The signal with the most samples is the reference: the others are placed beside its samples with the nearest stamp, so that
    they stay in step with it where clocks were reset.

    Parameters
    ----------
    streams : sequence of RecordedSignal or RecordedMarkers
    chunk_samples : int or None
        Samples per push; None: as the sender pushed them.

    Returns
    -------
    list of Pushes
    """
    reference, stamps = _reference(streams), stamps_of(streams)
    if reference is None:
        common = np.concatenate(stamps)
        place_on = common, timeline(common, 0.0)
    else:
        common = reference.stamps
        rate_hz = reference.info.rate_hz
        place_on = common, timeline(common, 1.0 / rate_hz if rate_hz > 0 else 0.0)
    result = []
    for stream, placed in zip(streams, stamps, strict=True):
        times = place_on[1] if stream is reference else _beside(placed, *place_on)
        ends = push_ends(stream.stamps, stream.info.rate_hz if isinstance(stream, RecordedSignal) else 0.0, chunk_samples)
        result.append(Pushes(ends, np.maximum.accumulate(times)[ends - 1]))
    return result


def _beside(times: FloatArray, common: FloatArray, placed: FloatArray) -> FloatArray:
    """Times moved as the reference's nearest sample was moved; those that are not finite go with the one before."""
    good = np.flatnonzero(np.isfinite(common))
    order = good[np.argsort(common[good], kind="stable")]
    times = np.array(times)
    for i in np.flatnonzero(~np.isfinite(times)):
        times[i] = times[i - 1] if i else common[order[0]]
    right = np.clip(np.searchsorted(common[order], times), 1, len(order) - 1) if len(order) > 1 else np.zeros(len(times), int)
    left = np.maximum(right - 1, 0)
    nearer = np.where(times - common[order[left]] < common[order[right]] - times, left, right)
    nearest = order[nearer]
    moved: FloatArray = placed[nearest] + (times - common[nearest])
    return moved
