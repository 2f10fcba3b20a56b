"""A source with simulated faults: those that real amplifiers, cables and clocks show.

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
from bci.errors import ConfigError
from bci.stream.bus import Source

FOREVER = float("inf")


@dataclass(slots=True)
class Piece:
    """Samples while faults are applied to them; ``at_s`` is each sample's time by count, which never changes.

    Parameters
    ----------
    data : ndarray, shape (n_samples, n_channels)
        Microvolts.
    stamps : ndarray, shape (n_samples,)
        Seconds on the sender's clock.
    at_s : ndarray, shape (n_samples,)
        Seconds since the first sample, by count.
    """

    data: FloatArray
    stamps: FloatArray
    at_s: FloatArray

    def keep(self, wanted: BoolArray) -> Piece:
        """Keep only some of the samples.

        Parameters
        ----------
        wanted : ndarray of bool, shape (n_samples,)

        Returns
        -------
        Piece
        """
        return Piece(self.data[wanted], self.stamps[wanted], self.at_s[wanted])


Step = Callable[[Piece], Piece]


class SourceFault(Protocol):
    """A fault of a source."""

    def begin(self, info: StreamInfo, rng: np.random.Generator) -> Step:
        """Begin to apply the fault to a source.

        Parameters
        ----------
        info : StreamInfo
            Of the source.
        rng : np.random.Generator
            For everything random in the fault.

        Returns
        -------
        Step
            What is done to the samples, in order, one piece after the other.
        """
        ...


class FaultySource:
    """A source with faults, applied in the order given.

    Parameters
    ----------
    source : Source
    faults : sequence of SourceFault
    seed : int
        Of everything random in the faults.

    Attributes
    ----------
    info : StreamInfo
        As the faulty device declares itself.
    """

    def __init__(self, source: Source, faults: Sequence[SourceFault], seed: int = 0) -> None:
        self._source = source
        self._steps = [f.begin(source.info, np.random.default_rng((seed, i))) for i, f in enumerate(faults)]
        self._count = 0
        self.info = source.info
        for fault in faults:
            if isinstance(fault, PermutedLabels):
                self.info = fault.relabel(self.info)

    def read(self, timeout_s: float) -> Chunk | None:
        """Read the source, and apply the faults.

        Parameters
        ----------
        timeout_s : float
            The longest time to wait, seconds.

        Returns
        -------
        Chunk or None
            None as well where the faults left nothing of what came.

        Raises
        ------
        StreamLost
            By :class:`devices.loss_faults.Silence`, or by the source.
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
        """See :class:`SourceFault`."""
        columns = info.columns(self.channels) if self.channels else list(range(len(info.channels)))

        def step(piece: Piece) -> Piece:
            piece.data[np.flatnonzero(during(self, piece))[:, None], columns] = self.value
            return piece

        return step


@dataclass(frozen=True, slots=True)
class Bridged:
    """Gel joins two electrodes: both show their mean.

    Parameters
    ----------
    first, second : str
        Labels of the electrodes.
    start_s, stop_s : float
        From when on, and until when; seconds since the first sample, by count.
    """

    first: str
    second: str
    start_s: float = 0.0
    stop_s: float = FOREVER

    def begin(self, info: StreamInfo, rng: np.random.Generator) -> Step:
        """See :class:`SourceFault`."""
        pair = info.columns((self.first, self.second))

        def step(piece: Piece) -> Piece:
            rows = np.flatnonzero(during(self, piece))[:, None]
            piece.data[rows, pair] = piece.data[rows, pair].mean(axis=1, keepdims=True)
            return piece

        return step


@dataclass(frozen=True, slots=True)
class Gain:
    """All values times a factor: V sent as µV (1e-6), µV read as V (1e6), or a person who sweats (3).

    Parameters
    ----------
    factor : float
    start_s, stop_s : float
        From when on, and until when; seconds since the first sample, by count.
    """

    factor: float
    start_s: float = 0.0
    stop_s: float = FOREVER

    def begin(self, info: StreamInfo, rng: np.random.Generator) -> Step:
        """See :class:`SourceFault`."""

        def step(piece: Piece) -> Piece:
            piece.data[during(self, piece)] *= self.factor
            return piece

        return step


@dataclass(frozen=True, slots=True)
class Garbage:
    """The last sample before a time holds whatever bits were in memory, as when an outlet closes.

    Parameters
    ----------
    before_s : float
        Seconds since the first sample, by count.
    """

    before_s: float

    def begin(self, info: StreamInfo, rng: np.random.Generator) -> Step:
        """See :class:`SourceFault`."""
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
        """See :class:`SourceFault`. The samples stay as they are."""
        self.relabel(info)
        return lambda piece: piece

    def relabel(self, info: StreamInfo) -> StreamInfo:
        """Describe the stream as the faulty device declares it.

        Parameters
        ----------
        info : StreamInfo
            Of the source.

        Returns
        -------
        StreamInfo
        """
        if sorted(map(canonical, self.order)) != sorted(map(canonical, info.labels)):
            raise ConfigError(f"order = {', '.join(self.order)}: must name each of {', '.join(info.labels)} once")
        return replace(info, channels=tuple(info.channels[i] for i in info.columns(self.order)))


class _Span(Protocol):
    @property
    def start_s(self) -> float: ...

    @property
    def stop_s(self) -> float: ...


def during(span: _Span, piece: Piece) -> BoolArray:
    """Tell which samples are in a span of time: those with ``start_s <= at_s < stop_s``.

    Parameters
    ----------
    span : _Span
    piece : Piece

    Returns
    -------
    ndarray of bool, shape (n_samples,)
    """
    return (piece.at_s >= span.start_s) & (piece.at_s < span.stop_s)
