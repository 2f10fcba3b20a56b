"""Many signals as columns of pixels: each column's smallest and largest value, drawn into one picture.

The cost of a frame is that of the columns that are new: columns are numbered from the beginning of the signal, and
column k stands at k modulo the picture's width for as long as it is shown, so that scrolling moves nothing.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import FloatArray
from gui.filtering import RunningFilter, ViewFilter
from gui.store import SignalStore, SlidingRows

WARM_UP_S = 3.0
STRIP = 64  # columns drawn at once: few enough for the processor's cache
PixelArray = npt.NDArray[np.uint32]


class Columns:
    """Filtered signal of some channels, reduced to columns of pixels.

    Parameters
    ----------
    signal : SignalStore
    channels : sequence of int
        Columns of the signal that are shown.
    settings : ViewFilter
    rows_per_column : float
        Samples in one column of pixels; below 1 the signal is interpolated.
    width : int
        Columns that are shown at once.
    stop : int
        Row before which to begin: the past up to it is there at once.
    """

    def __init__(
        self, signal: SignalStore, channels: list[int], settings: ViewFilter, rows_per_column: float, width: int, stop: int
    ) -> None:
        self.signal, self.channels, self.generation = signal, channels, signal.generation
        self.rows_per_column = rows_per_column
        shown = math.ceil(width * rows_per_column) + 2
        start = max(signal.rows.first, stop - shown - round(WARM_UP_S * signal.info.rate_hz))
        self._filter = RunningFilter(settings, signal.info.rate_hz)
        self._rows = SlidingRows(shown + round((WARM_UP_S + 1) * signal.info.rate_hz), len(channels), np.float32)
        self._rows.total = start
        self._lowest = SlidingRows(width + 1, len(channels), np.float32)
        self._highest = SlidingRows(width + 1, len(channels), np.float32)
        first = math.ceil(max(start, stop - shown) / rows_per_column)
        self._lowest.total = self._highest.total = first
        self.advance(stop)

    @property
    def total(self) -> int:
        """Number of the next column."""
        return self._lowest.total

    @property
    def stop(self) -> int:
        """Rows of the signal up to this one are in."""
        return self._rows.total

    @property
    def stale(self) -> bool:
        """Whether so much has arrived, or was renumbered, that it is better to begin again."""
        renumbered = self.generation != self.signal.generation or self.stop > self.signal.rows.total
        return renumbered or self.signal.rows.total - self.stop > self._rows.capacity // 2

    def advance(self, stop: int | None = None) -> int:
        """Take the signal's new rows, up to ``stop``; return how many columns came.

        Parameters
        ----------
        stop : int or None, optional
            Row after the last one.
        """
        new = self.signal.rows.rows(self._rows.total, self.signal.rows.total if stop is None else stop)
        if len(new):
            self._rows.append(self._filter(new[:, self.channels].astype(np.float64)))
        before = self.total
        lowest, highest = self._reduce(before)
        self._lowest.append(lowest)
        self._highest.append(highest)
        return self.total - before

    def spans(self, start: int, stop: int) -> tuple[FloatArray, FloatArray, int]:
        """Smallest and largest values of columns that are kept, each (n_columns, n_channels), and the first one's number.

        Parameters
        ----------
        start : int
            Number of the first column.
        stop : int
            Number after that of the last column.
        """
        first = max(start, self._lowest.first)
        return self._lowest.rows(first, stop), self._highest.rows(first, stop), first  # type: ignore[return-value]

    def centre(self) -> FloatArray:
        """Middle value of each channel over what is shown, shape (n_channels,); 0 where nothing is known."""
        low, high = self._lowest.newest(self._lowest.capacity), self._highest.newest(self._highest.capacity)
        known = np.isfinite(low[:, 0]) if low.shape[1] else np.zeros(0, bool)
        if not known.any():
            return np.zeros(len(self.channels))
        return np.asarray(np.median((low[known] + high[known]) / 2, axis=0), dtype=np.float64)

    def size(self) -> float:
        """Typical distance from lowest to highest within a second, µV; NaN where nothing is known."""
        low, high = self._lowest.newest(self._lowest.capacity), self._highest.newest(self._highest.capacity)
        n = max(1, round(self.signal.info.rate_hz / self.rows_per_column))
        parts = [np.s_[i : i + n] for i in range(0, len(low) - n + 1, n)]
        spans = [high[part].max(axis=0) - low[part].min(axis=0) for part in parts]
        return float(np.nanmedian(spans)) if spans and np.isfinite(spans).any() else math.nan

    def _reduce(self, first: int) -> tuple[FloatArray, FloatArray]:
        """Columns from number ``first`` on that are complete."""
        per = self.rows_per_column
        if per < 1:
            return self._interpolate(first)
        end = math.floor(self._rows.total / per)
        edges = np.round(np.arange(first, end + 1) * per).astype(np.int64)
        edges = edges[edges <= self._rows.total]
        if len(edges) < 2:
            empty = np.empty((0, len(self.channels)))
            return empty, empty
        rows = self._rows.rows(int(edges[0]), int(edges[-1]))
        at = edges[:-1] - edges[0]
        return np.minimum.reduceat(rows, at, axis=0), np.maximum.reduceat(rows, at, axis=0)

    def _interpolate(self, first: int) -> tuple[FloatArray, FloatArray]:
        """Fewer samples than columns: values on straight lines between samples."""
        end = math.floor((self._rows.total - 1) / self.rows_per_column)
        place = np.arange(first, max(first, end)) * self.rows_per_column
        left = np.floor(place).astype(np.int64)
        if not len(left):
            empty = np.empty((0, len(self.channels)))
            return empty, empty
        rows = self._rows.rows(int(left[0]), int(left[-1]) + 2)
        left, share = left - int(left[0]), (place - left)[:, None]
        values = rows[left] * (1 - share) + rows[np.minimum(left + 1, len(rows) - 1)] * share
        return values, values


class ColumnImage:
    """One picture into which columns are drawn, at their number modulo its width.

    Parameters
    ----------
    width, height : int
        Pixels of the screen.
    ground : int
        Colour where there is no line: red, green and blue, a byte each. Opaque, because a picture without
        transparency is put on screen many times faster.

    Attributes
    ----------
    pixels : ndarray of uint32, shape (height, width)
    """

    def __init__(self, width: int, height: int, ground: int = 0) -> None:
        self.ground = np.uint32(ground)
        self.pixels: PixelArray = np.full((height, width), self.ground, np.uint32)

    def clear(self, ground: int) -> None:
        """Nothing but ground.

        Parameters
        ----------
        ground : int
            Colour, 0xffRRGGBB.
        """
        self.ground = np.uint32(ground)
        self.pixels.fill(self.ground)

    def draw(self, first: int, top: FloatArray, bottom: FloatArray, colours: PixelArray) -> None:
        """Draw columns, replacing what stood there.

        Parameters
        ----------
        first : int
            Number of the first column.
        top, bottom : ndarray, shape (n_columns, n_lines)
            From which row of pixels to which, both included; NaN: nothing.
        colours : ndarray of uint32, shape (n_lines,)
        """
        height, width = self.pixels.shape
        at, end = max(0, len(top) - width), len(top)
        while at < end:
            place = (first + at) % width
            n = min(STRIP, end - at, width - place)
            strip = self.pixels[:, place : place + n]
            strip[:] = self.ground
            for colour in np.unique(colours)[::-1]:
                of_it = colours == colour
                strip[_covered(top[at : at + n, of_it], bottom[at : at + n, of_it], height)] = colour
            at += n


def _covered(top: FloatArray, bottom: FloatArray, height: int) -> npt.NDArray[np.bool_]:
    """Which pixels lie on a span, shape (height, n_columns): a span's start counts up, its end down, and sums tell."""
    n = len(top)
    known = np.isfinite(top) & np.isfinite(bottom)
    column = np.broadcast_to(np.arange(n)[:, None], top.shape)[known]
    above = np.clip(top[known], 0, height).astype(np.int64)
    below = np.clip(bottom[known] + 1, 0, height).astype(np.int64)
    size = (height + 1) * n
    change = np.bincount(above * n + column, minlength=size) - np.bincount(below * n + column, minlength=size)
    return np.cumsum(change.reshape(height + 1, n)[:height].astype(np.int16), axis=0) > 0


def joined(
    lowest: FloatArray, highest: FloatArray, before: tuple[FloatArray, FloatArray] | None
) -> tuple[FloatArray, FloatArray]:
    """Spans that touch their left neighbours, so that a steep line has no holes.

    Parameters
    ----------
    lowest, highest : ndarray, shape (n_columns, n_channels)
    before : tuple of ndarray, each of shape (n_channels,), or None
        The column to the left of the first.
    """
    if not len(lowest):
        return lowest, highest
    left_low = np.vstack((before[0] if before else lowest[0], lowest[:-1]))
    left_high = np.vstack((before[1] if before else highest[0], highest[:-1]))
    return np.fmin(lowest, np.where(np.isnan(lowest), np.nan, left_high)), np.fmax(
        highest, np.where(np.isnan(highest), np.nan, left_low)
    )
