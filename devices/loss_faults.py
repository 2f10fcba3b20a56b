"""Simulated faults of a sender whose samples never come, or come late, for :class:`devices.faulty.FaultySource`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bci.engine.stream_info import StreamInfo
from bci.errors import ConfigError, StreamLost
from devices.faulty import FOREVER, Piece, Step, during


@dataclass(frozen=True, slots=True)
class Loss:
    """Samples lost at random.

    Parameters
    ----------
    fraction : float
        Of all samples, 0 to 1.
    burst : int
        Samples lost together.
    start_s, stop_s : float
    """

    fraction: float
    burst: int = 1
    start_s: float = 0.0
    stop_s: float = FOREVER

    def __post_init__(self) -> None:
        if not 0 <= self.fraction < 1 or self.burst < 1:
            raise ConfigError(f"{self}: fraction must be at least 0 and below 1, burst at least 1")

    def begin(self, info: StreamInfo, rng: np.random.Generator) -> Step:
        """See :class:`SourceFault`."""
        # A sample survives when none of the bursts that would cover it begins.
        probability = 1 - (1 - self.fraction) ** (1 / self.burst)
        recent = np.zeros(self.burst - 1, dtype=np.bool_)

        def step(piece: Piece) -> Piece:
            nonlocal recent
            begins = np.concatenate((recent, (rng.random(len(piece.at_s)) < probability) & during(self, piece)))
            recent = begins[len(begins) - self.burst + 1 :]
            lost = np.convolve(begins, np.ones(self.burst), mode="valid") > 0.5 if len(piece.at_s) else begins[:0]
            return piece.keep(~lost)

        return step


@dataclass(frozen=True, slots=True)
class Gap:
    """Everything between two times is lost.

    Parameters
    ----------
    start_s, stop_s : float
        From when on, and until when; seconds since the first sample, by count.
    """

    start_s: float
    stop_s: float

    def begin(self, info: StreamInfo, rng: np.random.Generator) -> Step:
        """See :class:`SourceFault`."""
        return lambda piece: piece.keep(~during(self, piece))


@dataclass(frozen=True, slots=True)
class Stall:
    """The sender hangs; what it could not send comes as one burst that looks contiguous.

    Parameters
    ----------
    start_s, stop_s : float
        From when on, and until when; seconds since the first sample, by count.
    """

    start_s: float
    stop_s: float

    def begin(self, info: StreamInfo, rng: np.random.Generator) -> Step:
        """See :class:`SourceFault`."""
        held: list[Piece] = []

        def step(piece: Piece) -> Piece:
            if len(piece.at_s) and self.start_s <= piece.at_s[-1] < self.stop_s:
                before = piece.at_s < self.start_s
                held.append(piece.keep(~before))
                return piece.keep(before)
            released = [*held, piece]
            held.clear()
            return Piece(*(np.concatenate([getattr(p, name) for p in released]) for name in ("data", "stamps", "at_s")))

        return step


@dataclass(frozen=True, slots=True)
class Silence:
    """The sender ends and sends nothing more.

    Parameters
    ----------
    start_s : float
    raises : bool
        Whether the source notices, and raises :class:`StreamLost`; else it says nothing for ever.
    """

    start_s: float
    raises: bool = False

    def begin(self, info: StreamInfo, rng: np.random.Generator) -> Step:
        """See :class:`SourceFault`."""

        def step(piece: Piece) -> Piece:
            if self.raises and len(piece.at_s) and piece.at_s[0] >= self.start_s:
                raise StreamLost(f"stream {info.name!r}: the sender has gone after {self.start_s:g} s")
            return piece.keep(piece.at_s < self.start_s)

        return step
