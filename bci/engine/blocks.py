"""Raw samples of one segment, cut into blocks of one hop that begin at multiples of the hop."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import Chunk, FloatArray

LONGEST = 32
"""Blocks that are handed on at once at most."""


@dataclass(slots=True)
class BlockRun:
    """Consecutive blocks that came together. The arrays are valid until the next run.

    A live stream gives one block at a time; a recording gives many, and what is done to many at once is cheaper for
    each. Every number is the same, however blocks are put together to runs.

    Parameters
    ----------
    segment : int
    number : int
        Absolute index of the first block in its segment: its first sample is ``number * hop``.
    fresh : bool
        The first block does not follow the one before it; filters and windows start anew.
    data : ndarray, shape (n_blocks, hop, n_channels)
    stamps : list of float, length n_blocks
        Raw stamp of the newest sample of each block.
    bridged : list of int, length n_blocks
        Interpolated samples in each block.
    consumed : list of int, length n_blocks
        Raw samples up to the end of each block.
    crc : list of int, length n_blocks
        CRC-32 chained over their values, exclusive-or that chained over their stamps (float64, little endian).
    """

    segment: int
    number: int
    fresh: bool
    data: FloatArray
    stamps: list[float]
    bridged: list[int]
    consumed: list[int]
    crc: list[int]

    def singly(self) -> Iterator[BlockRun]:
        """Return the blocks as runs of one block each."""
        for i in range(len(self.stamps)):
            one = slice(i, i + 1)
            yield BlockRun(
                self.segment,
                self.number + i,
                self.fresh and i == 0,
                self.data[one],
                self.stamps[one],
                self.bridged[one],
                self.consumed[one],
                self.crc[one],
            )


class Blocks:
    """Cut pieces as continuity yields them into blocks.

    Parameters
    ----------
    columns : list of int
        Stream columns that a block holds, in its order.
    hop : int
    """

    def __init__(self, columns: list[int], hop: int) -> None:
        self._columns = np.array(columns)
        self._all = columns == list(range(len(columns)))
        self._hop = hop
        self._data = np.zeros((1, hop, len(columns)))
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

    def push(self, piece: Chunk) -> Iterator[BlockRun]:
        """Blocks that end inside this piece."""
        if self._filled < 0 or piece.segment != self._segment or piece.start != self._next:
            self._restart(piece)
        n, hop, taken = len(piece), self._hop, 0
        while taken < n:
            if piece.bridged is None and self._filled == 0 and n - taken >= 2 * hop:
                end = taken + min((n - taken) // hop, LONGEST) * hop
                yield self._whole(piece, taken, end)
            else:
                end = min(n, taken + self.room)
                self._take(piece, taken, end)
                if self._next % hop == 0:
                    if self._filled > 0:
                        yield self._pending(float(piece.stamps[end - 1]))
                    self._filled, self._bridged = 0, 0
            taken = end

    def _restart(self, piece: Chunk) -> None:
        """The piece does not continue the last one: wait for the next multiple of the hop."""
        self._segment, self._next = piece.segment, piece.start
        self._filled = 0 if piece.start % self._hop == 0 else -1
        self._bridged = 0
        self._fresh = True

    def _whole(self, piece: Chunk, start: int, end: int) -> BlockRun:
        """The rows ``start`` to ``end``, which are whole blocks, without a copy where they need none."""
        hop, rows = self._hop, piece.data[start:end]
        number = self._next // hop
        crc = self._hash(rows, piece.stamps[start:end])
        consumed = list(range(self.consumed + hop, self.consumed + end - start + 1, hop))
        self.consumed += end - start
        self._next += end - start
        data = rows[:, : len(self._columns)] if self._all else rows.take(self._columns, axis=1)
        stamps = piece.stamps[start + hop - 1 : end : hop].tolist()
        return self._run(number, data.reshape(-1, hop, len(self._columns)), stamps, [0] * len(stamps), consumed, crc)

    def _hash(self, rows: FloatArray, stamps: FloatArray) -> list[int]:
        """Carry the checksums over whole blocks; what they are after each."""
        hop, n = self._hop, len(stamps)
        values = np.ascontiguousarray(rows, "<f8").reshape(-1).data.cast("B")
        times = np.ascontiguousarray(stamps, "<f8").data.cast("B")
        data, width = self._crc_data, len(values) // n
        time, crc = self._crc_stamps, []
        for i in range(0, n, hop):
            data = zlib.crc32(values[i * width : (i + hop) * width], data)
            time = zlib.crc32(times[i * 8 : (i + hop) * 8], time)
            crc.append(data ^ time)
        self._crc_data, self._crc_stamps = data, time
        return crc

    def _take(self, piece: Chunk, start: int, end: int) -> None:
        """Count, hash and, inside a block, keep the rows ``start`` to ``end``."""
        data, stamps = piece.data[start:end], piece.stamps[start:end]
        n = end - start
        if self._filled >= 0:
            kept = data[:, : len(self._columns)] if self._all else data[:, self._columns]
            self._data[0, self._filled : self._filled + n] = kept
            self._filled += n
        if piece.bridged is not None and piece.bridged[start:end].any():
            lost = piece.bridged[start:end]
            self._bridged += int(lost.sum())
            data, stamps = data[~lost], stamps[~lost]
        self._crc_data = zlib.crc32(np.ascontiguousarray(data, "<f8").data, self._crc_data)
        self._crc_stamps = zlib.crc32(np.ascontiguousarray(stamps, "<f8").data, self._crc_stamps)
        self.consumed += len(stamps)
        self._next += n

    def _pending(self, stamp: float) -> BlockRun:
        """The block that has just been completed from parts."""
        number = self._next // self._hop - 1
        return self._run(number, self._data, [stamp], [self._bridged], [self.consumed], [self.crc])

    def _run(
        self,
        number: int,
        data: npt.NDArray[np.float64],
        stamps: list[float],
        bridged: list[int],
        consumed: list[int],
        crc: list[int],
    ) -> BlockRun:
        run = BlockRun(self._segment, number, self._fresh, data, stamps, bridged, consumed, crc)
        self._fresh = False
        return run
