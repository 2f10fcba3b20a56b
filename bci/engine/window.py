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

from bci.engine.chunk import FloatArray


class ScatterWindow:
    """Scatter matrices ``[X 1]' [X 1]`` of the newest window, one block at a time.

    Parameters
    ----------
    n_bands, n_channels : int
    window, hop : int
        Samples; ``window`` is a whole number of hops.
    """

    def __init__(self, n_bands: int, n_channels: int, window: int, hop: int) -> None:
        self._n_blocks = window // hop
        size = (n_bands, n_channels + 1, n_channels + 1)
        self._n = n_channels
        self._block = np.ones((n_bands, hop, n_channels + 1))
        self._blocks = np.zeros((self._n_blocks, *size))
        self._blocks[:, :, n_channels, n_channels] = hop
        self._suffix = np.zeros((self._n_blocks, *size))
        self._prefix = np.zeros(size)
        self._sum = np.zeros(size)
        self._due = False

    def push(self, block: int, data: FloatArray) -> FloatArray:
        """Take the filtered samples of block ``block``; return the scatter of the window it ends.

        Parameters
        ----------
        block : int
            Absolute index of the block in its segment.
        data : ndarray, shape (n_bands, hop, n_channels)

        Returns
        -------
        ndarray, shape (n_bands, n_channels + 1, n_channels + 1)
            Valid until the next call, and only if the last ``window // hop`` blocks came in
            sequence since the last restart.
        """
        self.prepare()
        place = block % self._n_blocks
        self._block[:, :, :-1] = data
        newest = self._blocks[place]
        for samples, ones_beside, products in zip(data, self._block, newest, strict=True):
            np.dot(samples.T, ones_beside, out=products[: self._n])
            products[self._n, : self._n] = products[: self._n, self._n]
        if place == 0:
            self._prefix[:] = newest
        else:
            self._prefix += newest
        if place == self._n_blocks - 1:
            self._due = True
            return self._prefix
        np.add(self._suffix[place + 1], self._prefix, out=self._sum)
        return self._sum

    def prepare(self) -> None:
        """Do what the next block will need and this one did not; bits do not depend on when."""
        if self._due:
            np.cumsum(self._blocks[::-1], axis=0, out=self._suffix[::-1])
            self._due = False


class SampleWindow:
    """The filtered samples of the newest window, one block at a time.

    Parameters
    ----------
    n_bands, n_channels : int
    window, hop : int
        Samples; ``window`` is a whole number of hops.
    """

    def __init__(self, n_bands: int, n_channels: int, window: int, hop: int) -> None:
        self._window, self._hop = window, hop
        self._ring = np.zeros((n_bands, 4 * window, n_channels))
        self._end = window

    def push(self, block: int, data: FloatArray) -> FloatArray:
        """Take the filtered samples of the next block; return the window it ends.

        Parameters
        ----------
        block : int
            Absolute index of the block in its segment; unused, since samples are only kept.
        data : ndarray, shape (n_bands, hop, n_channels)

        Returns
        -------
        ndarray, shape (n_bands, window, n_channels)
            A view, valid until the next call.
        """
        if self._end + self._hop > self._ring.shape[1]:
            self._ring[:, : self._window] = self._ring[:, self._end - self._window : self._end]
            self._end = self._window
        self._ring[:, self._end : self._end + self._hop] = data
        self._end += self._hop
        return self._ring[:, self._end - self._window : self._end]

    def prepare(self) -> None:
        """Nothing can be done early here."""
