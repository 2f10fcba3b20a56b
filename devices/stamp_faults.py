"""Simulated faults of stamps, for :class:`devices.faulty.FaultySource`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bci.engine.stream_info import StreamInfo
from devices.faulty import FOREVER, Piece, Step, during


@dataclass(frozen=True, slots=True)
class StampJump:
    """Stamps step by ``by_s`` (+3.7, −20, +200000 …) at a time, and stay there until ``stop_s``.

    Parameters
    ----------
    by_s : float
        Seconds.
    start_s, stop_s : float
        From when on, and until when; seconds since the first sample, by count.
    """

    by_s: float
    start_s: float
    stop_s: float = FOREVER

    def begin(self, info: StreamInfo, rng: np.random.Generator) -> Step:
        """See :class:`devices.faulty.SourceFault`."""

        def step(piece: Piece) -> Piece:
            piece.stamps[during(self, piece)] += self.by_s
            return piece

        return step


@dataclass(frozen=True, slots=True)
class StampValue:
    """Stamps are all the same: NaN, inf, or None for the last good one, repeated.

    Parameters
    ----------
    value : float or None
    start_s, stop_s : float
        From when on, and until when; seconds since the first sample, by count.
    """

    value: float | None
    start_s: float
    stop_s: float = FOREVER

    def begin(self, info: StreamInfo, rng: np.random.Generator) -> Step:
        """See :class:`devices.faulty.SourceFault`."""
        last = np.nan

        def step(piece: Piece) -> Piece:
            nonlocal last
            bad = during(self, piece)
            good = piece.stamps[piece.at_s < self.start_s]
            last = good[-1] if len(good) else last
            piece.stamps[bad] = last if self.value is None else self.value
            return piece

        return step


@dataclass(frozen=True, slots=True)
class BackDated:
    """Stamps as chunk-wise senders make them: each packet's are too early or late by its own error, up to ±``by_s``.

    Parameters
    ----------
    by_s : float
    packet : int
        Samples.
    """

    by_s: float
    packet: int = 10

    def begin(self, info: StreamInfo, rng: np.random.Generator) -> Step:
        """See :class:`devices.faulty.SourceFault`."""
        last, error = -1, 0.0

        def step(piece: Piece) -> Piece:
            nonlocal last, error
            for i, packet in enumerate((np.round(piece.at_s * info.rate_hz).astype(int) // self.packet).tolist()):
                while last < packet:
                    last, error = last + 1, rng.uniform(-self.by_s, self.by_s)
                piece.stamps[i] += error
            return piece

        return step


@dataclass(frozen=True, slots=True)
class Jitter:
    """Each stamp has its own Gaussian error of standard deviation ``sd_s``.

    Parameters
    ----------
    sd_s : float
        Seconds.
    """

    sd_s: float

    def begin(self, info: StreamInfo, rng: np.random.Generator) -> Step:
        """See :class:`devices.faulty.SourceFault`."""

        def step(piece: Piece) -> Piece:
            piece.stamps += self.sd_s * rng.standard_normal(len(piece.stamps))
            return piece

        return step


@dataclass(frozen=True, slots=True)
class ClockDrift:
    """The sample clock is slow by ``ppm`` millionths from a time on: stamps are further apart than declared.

    ``ClockDrift(rate_ppm(250, 247))`` is a board that declares 250 Hz and has 247.

    Parameters
    ----------
    ppm : float
        Millionths.
    start_s : float
        Seconds since the first sample, by count.
    """

    ppm: float
    start_s: float = 0.0

    def begin(self, info: StreamInfo, rng: np.random.Generator) -> Step:
        """See :class:`devices.faulty.SourceFault`."""

        def step(piece: Piece) -> Piece:
            piece.stamps += np.maximum(piece.at_s - self.start_s, 0.0) * (self.ppm * 1e-6)
            return piece

        return step


def rate_ppm(declared_hz: float, true_hz: float) -> float:
    """Drift of a clock that declares one rate and has another.

    Parameters
    ----------
    declared_hz : float
    true_hz : float

    Returns
    -------
    float
        Parts per million.

    Examples
    --------
    >>> round(rate_ppm(250, 247))
    12146
    """
    return (declared_hz / true_hz - 1) * 1e6
