"""Consecutive samples of one stream, and the one place where seconds become samples."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bci.errors import ConfigError

MOST_SAMPLES = 2**53
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive samples of one stream, time axis first.

    Parameters
    ----------
    data : ndarray, shape (n_samples, n_channels)
        Float64, microvolts.
    stamps : ndarray, shape (n_samples,)
        Raw stamps of the sender, seconds. They may run backwards.
    segment : int
        Counts the stretches between which time cannot be related (set by continuity).
    start : int
        Index of the first sample in its segment (set by continuity).
    bridged : ndarray of bool, shape (n_samples,), or None
        True where a sample was lost and interpolated. None: nothing was bridged.
    """

    data: FloatArray
    stamps: FloatArray
    segment: int = 0
    start: int = 0
    bridged: BoolArray | None = None

    def __len__(self) -> int:
        return len(self.stamps)


def samples(seconds: float, rate_hz: float) -> int:
    """Return the number of samples in ``seconds``, rounded to the nearest.

    Parameters
    ----------
    seconds : float
        Finite, above 0.
    rate_hz : float
        Finite, above 0.

    Raises
    ------
    ConfigError
        If either is not finite and positive, or the result is zero or beyond counting.

    Examples
    --------
    >>> samples(0.29, 100)
    29
    """
    for name, value in (("seconds", seconds), ("rate", rate_hz)):
        if not math.isfinite(value) or value <= 0:
            raise ConfigError(f"{name} = {value}: must be a positive, finite number")
    if not seconds * rate_hz <= MOST_SAMPLES:
        raise ConfigError(f"{seconds} s at {rate_hz:g} Hz are more samples than can be counted; give a shorter time")
    count = round(seconds * rate_hz)
    if count < 1:
        raise ConfigError(f"{seconds} s at {rate_hz:g} Hz is less than one sample; give at least {1 / rate_hz:g} s")
    return count


def window_grid(window_s: float, hop_s: float, rate_hz: float) -> tuple[int, int]:
    """Return window and hop in samples; the window is rounded to a whole number of hops.

    Parameters
    ----------
    window_s : float
        At least one hop.
    hop_s : float
        From one window to the next.
    rate_hz : float
        Of the stream.

    Returns
    -------
    window, hop : int

    Examples
    --------
    >>> window_grid(2.0, 0.04, 160)
    (318, 6)
    """
    hop = samples(hop_s, rate_hz)
    window = samples(window_s, rate_hz)
    if window < hop:
        raise ConfigError(f"window {window_s} s is shorter than hop {hop_s} s; make the window at least one hop long")
    return round(window / hop) * hop, hop


def hop_chunks(raw: Chunk, hop: int) -> Iterator[Chunk]:
    """Yield the stream one hop at a time, so that times are judged only by what is known live.

    Parameters
    ----------
    raw : Chunk
        Any length.
    hop : int
        Samples of each piece; the last one may be shorter.
    """
    for start in range(0, len(raw), hop):
        yield Chunk(raw.data[start : start + hop], raw.stamps[start : start + hop])
