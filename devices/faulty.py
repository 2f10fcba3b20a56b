"""Any source, made worse in stated ways: the faults that real amplifiers, cables and clocks show.

A fault is a frozen description. Times are in seconds since the first sample, by sample count, so
that what happens does not depend on how the source is read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from bci.engine.chunk import BoolArray, Chunk, FloatArray
from bci.engine.stream_info import StreamInfo, canonical
from bci.errors import ConfigError, StreamLost
from bci.stream.bus import Source

FOREVER = float("inf")


@dataclass(slots=True)
class Piece:
    """Samples on their way through the faults; ``at_s`` is each sample's time by count, never changed."""

    data: FloatArray
    stamps: FloatArray
    at_s: FloatArray

    def keep(self, wanted: BoolArray) -> Piece:
        """Only the samples where ``wanted`` is true."""
        return Piece(self.data[wanted], self.stamps[wanted], self.at_s[wanted])


Step = Callable[[Piece], Piece]


class Fault(Protocol):
    """One way of going wrong."""

    def begin(self, info: StreamInfo, rng: np.random.Generator) -> Step:
        """What is done to the samples, in order, one piece after the other."""
        ...


class FaultySource:
    """A source with faults, applied in the order given.

    Parameters
    ----------
    source : Source
    faults : sequence of Fault
    seed : int
        Of everything random in the faults.

    Attributes
    ----------
    info : StreamInfo
        As the faulty device declares itself.
    """

    def __init__(self, source: Source, faults: Sequence[Fault], seed: int = 0) -> None:
        self._source = source
        self._steps = [f.begin(source.info, np.random.default_rng((seed, i))) for i, f in enumerate(faults)]
        self._count = 0
        self.info = source.info
        for fault in faults:
            if isinstance(fault, PermutedLabels):
                self.info = fault.relabel(self.info)

    def read(self, timeout_s: float) -> Chunk | None:
        """As the source; None as well where the faults left nothing of what came.

        Raises
        ------
        StreamLost
            By :class:`Silence`, or by the source.
        """
        chunk = self._source.read(timeout_s)
        if chunk is None:
            return None
        n = len(chunk)
        at_s = np.arange(self._count, self._count + n) / self._source.info.rate_hz
        self._count += n
        piece = Piece(chunk.data.copy(), chunk.stamps.copy(), at_s)
        for step in self._steps:
            piece = step(piece)
        return Chunk(piece.data, piece.stamps) if len(piece.stamps) else None

    def close(self) -> None:
        """Close the source behind. May be called twice."""
        self._source.close()


# Samples that never come, or come late


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
        """See :class:`Fault`."""
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
    """Everything between two times is lost."""

    start_s: float
    stop_s: float

    def begin(self, info: StreamInfo, rng: np.random.Generator) -> Step:
        """See :class:`Fault`."""
        return lambda piece: piece.keep(~during(self, piece))


@dataclass(frozen=True, slots=True)
class Stall:
    """The sender hangs; what it could not send comes as one burst that looks contiguous."""

    start_s: float
    stop_s: float

    def begin(self, info: StreamInfo, rng: np.random.Generator) -> Step:
        """See :class:`Fault`."""
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
    """The sender goes away.

    Parameters
    ----------
    start_s : float
    raises : bool
        Whether the source notices, and raises :class:`StreamLost`; else it says nothing for ever.
    """

    start_s: float
    raises: bool = False

    def begin(self, info: StreamInfo, rng: np.random.Generator) -> Step:
        """See :class:`Fault`."""

        def step(piece: Piece) -> Piece:
            if self.raises and len(piece.at_s) and piece.at_s[0] >= self.start_s:
                raise StreamLost(f"stream {info.name!r}: the sender is gone after {self.start_s:g} s")
            return piece.keep(piece.at_s < self.start_s)

        return step


# Values


@dataclass(frozen=True, slots=True)
class Stuck:
    """Channels show one value: flat (0), railed (187500), NaN or inf.

    Parameters
    ----------
    value : float
        Microvolts.
    start_s, stop_s : float
    channels : tuple of str
        Labels; empty for all.
    """

    value: float
    start_s: float
    stop_s: float = FOREVER
    channels: tuple[str, ...] = ()

    def begin(self, info: StreamInfo, rng: np.random.Generator) -> Step:
        """See :class:`Fault`."""
        columns = info.columns(self.channels) if self.channels else list(range(len(info.channels)))

        def step(piece: Piece) -> Piece:
            piece.data[np.flatnonzero(during(self, piece))[:, None], columns] = self.value
            return piece

        return step


@dataclass(frozen=True, slots=True)
class Bridged:
    """Gel joins two electrodes: both show their mean."""

    first: str
    second: str
    start_s: float = 0.0
    stop_s: float = FOREVER

    def begin(self, info: StreamInfo, rng: np.random.Generator) -> Step:
        """See :class:`Fault`."""
        pair = info.columns((self.first, self.second))

        def step(piece: Piece) -> Piece:
            rows = np.flatnonzero(during(self, piece))[:, None]
            piece.data[rows, pair] = piece.data[rows, pair].mean(axis=1, keepdims=True)
            return piece

        return step


@dataclass(frozen=True, slots=True)
class Gain:
    """All values times a factor: V sent as µV (1e-6), µV read as V (1e6), or a person who sweats (3)."""

    factor: float
    start_s: float = 0.0
    stop_s: float = FOREVER

    def begin(self, info: StreamInfo, rng: np.random.Generator) -> Step:
        """See :class:`Fault`."""

        def step(piece: Piece) -> Piece:
            piece.data[during(self, piece)] *= self.factor
            return piece

        return step


@dataclass(frozen=True, slots=True)
class Garbage:
    """The last sample before a time holds whatever bits were in memory, as when an outlet closes."""

    before_s: float

    def begin(self, info: StreamInfo, rng: np.random.Generator) -> Step:
        """See :class:`Fault`."""
        bits = rng.integers(0, 2**63, len(info.channels), dtype=np.uint64)

        def step(piece: Piece) -> Piece:
            last = (piece.at_s < self.before_s) & (piece.at_s >= self.before_s - 1 / info.rate_hz)
            piece.data[last] = bits.view(np.float64)
            return piece

        return step


@dataclass(frozen=True, slots=True)
class PermutedLabels:
    """The device declares the same electrodes in another order than it sends them.

    Parameters
    ----------
    order : tuple of str
        All labels, as they are declared.
    """

    order: tuple[str, ...]

    def begin(self, info: StreamInfo, rng: np.random.Generator) -> Step:
        """See :class:`Fault`. The samples stay as they are."""
        self.relabel(info)
        return lambda piece: piece

    def relabel(self, info: StreamInfo) -> StreamInfo:
        """What is declared."""
        if sorted(map(canonical, self.order)) != sorted(map(canonical, info.labels)):
            raise ConfigError(f"order = {', '.join(self.order)}: must name each of {', '.join(info.labels)} once")
        return replace(info, channels=tuple(info.channels[i] for i in info.columns(self.order)))


class _Span(Protocol):
    @property
    def start_s(self) -> float: ...

    @property
    def stop_s(self) -> float: ...


def during(span: _Span, piece: Piece) -> BoolArray:
    """Samples with ``start_s <= at_s < stop_s``."""
    return (piece.at_s >= span.start_s) & (piece.at_s < span.stop_s)
