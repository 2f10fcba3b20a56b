"""Raw samples of one segment, cut into blocks of one hop that begin at multiples of the hop."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import Chunk, FloatArray


@dataclass(slots=True)
class Block:
    """One hop of samples. The arrays belong to the assembler and are reused.

    Parameters
    ----------
    number : int
        Absolute index of the block in its segment: its first sample is ``number * hop``.
    fresh : bool
        It does not follow the block before it; filters and windows start anew.
    data : ndarray, shape (hop, n_channels)
    stamp : float
        Raw stamp of the newest sample.
    bridged : int
        Interpolated samples in it.
    consumed : int
        Raw samples up to the end of the block.
    crc : int
        CRC-32 chained over their values, exclusive-or that chained over their stamps (float64, little endian).
    """

    segment: int
    number: int
    fresh: bool
    data: FloatArray
    stamp: float
    bridged: int
    consumed: int
    crc: int


class Blocks:
    """Cut pieces as continuity yields them into blocks.

    Parameters
    ----------
    columns : list of int
        Stream columns that a block holds, in its order.
    hop : int
    """

    def __init__(self, columns: list[int], hop: int) -> None:
        self._columns = _slice(columns)
        self._hop = hop
        self._data = np.zeros((hop, len(columns)))
        self._crc_data, self._crc_stamps = 0, 0
        self._filled = -1
        self._bridged = 0
        self._segment, self._next = 0, 0
        self._fresh = True
        self.consumed = 0

    @property
    def crc(self) -> int:
        """CRC-32 of all values consumed, exclusive-or that of all stamps."""
        return self._crc_data ^ self._crc_stamps

    @property
    def room(self) -> int:
        """Samples until the next block is whole, if nothing is lost before."""
        return self._hop - self._next % self._hop

    def push(self, piece: Chunk) -> Iterator[Block]:
        """Blocks that end inside this piece."""
        if self._filled < 0 or piece.segment != self._segment or piece.start != self._next:
            self._restart(piece)
        taken = 0
        while taken < len(piece):
            end = min(len(piece), taken + self.room)
            self._take(piece, taken, end)
            if self._next % self._hop == 0:
                if self._filled >= 0:
                    yield self._block(float(piece.stamps[end - 1]))
                self._filled, self._bridged = 0, 0
            taken = end

    def _restart(self, piece: Chunk) -> None:
        """The piece does not continue the last one: wait for the next multiple of the hop."""
        self._segment, self._next = piece.segment, piece.start
        self._filled = 0 if piece.start % self._hop == 0 else -1
        self._bridged = 0
        self._fresh = True

    def _take(self, piece: Chunk, start: int, end: int) -> None:
        """Count, hash and, inside a block, keep the rows ``start`` to ``end``."""
        data, stamps = piece.data[start:end], piece.stamps[start:end]
        n = end - start
        if self._filled >= 0:
            self._data[self._filled : self._filled + n] = data[:, self._columns]
            self._filled += n
        if piece.bridged is not None and piece.bridged[start:end].any():
            lost = piece.bridged[start:end]
            self._bridged += int(lost.sum())
            data, stamps = data[~lost], stamps[~lost]
        self._crc_data = zlib.crc32(np.ascontiguousarray(data, "<f8").data, self._crc_data)
        self._crc_stamps = zlib.crc32(np.ascontiguousarray(stamps, "<f8").data, self._crc_stamps)
        self.consumed += len(stamps)
        self._next += n

    def _block(self, stamp: float) -> Block:
        """The block that has just been completed."""
        block = Block(
            self._segment, self._next // self._hop - 1, self._fresh, self._data, stamp, self._bridged, self.consumed, self.crc
        )
        self._fresh = False
        return block


def _slice(columns: list[int]) -> slice | npt.NDArray[np.intp]:
    """Columns as a slice where they follow each other, which copies several times faster than picking them."""
    follow = columns == list(range(columns[0], columns[0] + len(columns)))
    return slice(columns[0], columns[0] + len(columns)) if follow else np.array(columns, dtype=np.intp)
