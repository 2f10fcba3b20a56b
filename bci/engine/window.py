"""Sliding windows on the index grid, made of fixed blocks so that bits never depend on chunking.

Time is cut into blocks of one hop, anchored to sample indices. A window is a whole number of blocks.
Sums over a window are never updated by adding the newest and subtracting the oldest block, which would
let rounding errors wander; they are put together from two sums that only ever grow: the blocks since the last
multiple of the window length, and the blocks from the window's start up to that multiple. (The
sliding-window algorithm of van Herk 1992 and Gil & Werman 1993, with sums instead of maxima.)
Every number is so a function of absolute block indices, at three additions per window.
"""

from __future__ import annotations

import numpy as np

from bci.engine.blocks import LONGEST
from bci.engine.chunk import FloatArray


class ScatterWindow:
    """Scatter matrices ``[X 1]' [X 1]`` of windows, block after block.

    Parameters
    ----------
    n_bands, n_channels : int
    window, hop : int
        Samples; ``window`` is a whole number of hops.
    """

    def __init__(self, n_bands: int, n_channels: int, window: int, hop: int) -> None:
        self._n_blocks = n_blocks = window // hop
        self._n, self._hop = n_channels, hop
        size = (n_bands, n_channels + 1, n_channels + 1)
        self._beside = np.ones((1, n_bands, hop, n_channels + 1))
        self._sums = np.zeros((1, *size))
        self._blocks = np.zeros((n_blocks, *size))
        self._blocks[:, :, n_channels, n_channels] = hop
        self._prefix = np.zeros((n_blocks, *size))
        self._suffix = np.zeros((n_blocks + 1, *size))
        """The last one stays zero: a window that is one stretch has nothing before it."""
        self._due = False
        self._next, self._first, self._holes = 0, 0, 0

    def restart(self, block: int, first: int, forget: bool) -> None:
        """Something is missing before ``block``: what did not come counts as nothing, and so do blocks before ``first``.

        Only for windows that are decoded with a part missing; others wait until all their blocks have come in sequence.

        Parameters
        ----------
        block : int
            Absolute index of the first block that will come.
        first : int
            That of the first one that counts.
        forget : bool
            Whether nothing from before counts any more.
        """
        missing = block - self._next
        if forget or missing >= 2 * self._n_blocks:
            for held in (self._blocks, self._prefix, self._suffix):
                held.fill(0.0)
            self._due = False
        else:
            self._leave_out(self._next, missing)
        self._next, self._first, self._holes = block, first, self._n_blocks

    def _leave_out(self, block: int, n: int) -> None:
        """The next ``n`` blocks hold nothing."""
        while n > 0:
            self.prepare()
            place = block % self._n_blocks
            end = min(place + n, self._n_blocks)
            self._blocks[place:end] = 0.0
            self._prefix[place:end] = self._prefix[place - 1] if place else 0.0
            self._due, self._holes = end == self._n_blocks, self._n_blocks
            block, n = block + end - place, n - (end - place)

    def push(self, block: int, data: FloatArray) -> FloatArray:
        """Take the filtered samples of the next blocks; return the scatter of the windows they end.

        Parameters
        ----------
        block : int
            Absolute index of the first block in its segment.
        data : ndarray, shape (n_blocks, n_bands, hop, n_channels)

        Returns
        -------
        ndarray, shape (n_blocks, n_bands, n_channels + 1, n_channels + 1)
            Valid until the next call, and only where the last ``window // hop`` blocks came in sequence. After a
            :meth:`restart` that of the blocks that count.
        """
        if len(data) > len(self._sums):
            self._sums = np.zeros((len(data), *self._sums.shape[1:]))
            self._beside = np.ones((len(data), *self._beside.shape[1:]))
        self._next = block + len(data)
        done = min(len(data), self._first - block) if block < self._first else 0
        self._leave_out(block, done)
        while done < len(data):
            self.prepare()
            place = (block + done) % self._n_blocks
            n = min(len(data) - done, self._n_blocks - place)
            self._stretch(place, data[done : done + n], self._sums[done : done + n])
            done += n
        return self._sums[: len(data)]

    def _stretch(self, place: int, data: FloatArray, sums: FloatArray) -> None:
        """Blocks from ``place`` on, up to the next multiple of the window length at most."""
        n, end = self._n, place + len(data)
        if self._holes > 0:
            self._blocks[place:end, :, n, n] = self._hop
            self._holes -= len(data)
        self._beside[: len(data), :, :, :n] = data
        for i, bands, with_ones in zip(range(place, end), data, self._beside, strict=False):
            newest = self._blocks[i]
            for samples, beside, products in zip(bands, with_ones, newest, strict=True):
                np.dot(samples.T, beside, out=products[:n])
                products[n, :n] = products[:n, n]
            if i:
                np.add(self._prefix[i - 1], newest, out=self._prefix[i])
            else:
                self._prefix[0] = newest
        np.add(self._suffix[place + 1 : end + 1], self._prefix[place:end], out=sums)
        self._due = end == self._n_blocks

    def prepare(self) -> None:
        """Do what the next block will need and this one did not; bits do not depend on when."""
        if self._due:
            np.cumsum(self._blocks[::-1], axis=0, out=self._suffix[-2::-1])
            self._due = False


class SampleWindow:
    """The filtered samples of windows, block after block.

    Parameters
    ----------
    n_bands, n_channels : int
    window, hop : int
        Samples; ``window`` is a whole number of hops.
    """

    def __init__(self, n_bands: int, n_channels: int, window: int, hop: int) -> None:
        self._window, self._hop = window, hop
        self._ring = np.zeros((n_bands, window + max(3 * window, LONGEST * hop), n_channels))
        self._end = window
        self._first = 0

    def restart(self, block: int, first: int, forget: bool) -> None:
        """As of :class:`ScatterWindow`: blocks before ``first`` are not kept. The newest samples are those that count."""
        self._first = first

    def push(self, block: int, data: FloatArray) -> list[FloatArray]:
        """Take the filtered samples of the next blocks, at most ``LONGEST``; return the windows they end.

        Parameters
        ----------
        block : int
            Absolute index of the first block in its segment.
        data : ndarray, shape (n_blocks, n_bands, hop, n_channels)

        Returns
        -------
        list of ndarray, each of shape (n_bands, window, n_channels)
            Views, valid until the next call.
        """
        if self._end + len(data) * self._hop > self._ring.shape[1]:
            self._ring[:, : self._window] = self._ring[:, self._end - self._window : self._end]
            self._end = self._window
        windows = []
        for i, samples in enumerate(data, start=block):
            if i >= self._first:
                self._ring[:, self._end : self._end + self._hop] = samples
                self._end += self._hop
            windows.append(self._ring[:, self._end - self._window : self._end])
        return windows

    def prepare(self) -> None:
        """Nothing can be done early here."""
