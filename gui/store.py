"""The newest rows of endless tables, in memory of constant size."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import Chunk, FloatArray
from bci.engine.continuity import Continuity
from bci.engine.stream_info import StreamInfo

Rows = npt.NDArray[np.generic]
SLACK = 0.25
MEMORY_BYTES = 96_000_000
MEMORY_S = 600.0
LARGEST_UV = 1e9
"""More than any electrode has: such a value is no number on the screen."""
LONGEST_GAP_S = 10.0
ANCHOR_S = 0.25
ANCHORS = 4000


class SlidingRows:
    """The newest rows of an endless table, always contiguous, in one array that is never replaced.

    Rows are appended behind the last one; where the array is full, what is still wanted moves to its front.

    Parameters
    ----------
    capacity : int
        Rows that are kept.
    n_columns : int
    dtype : numpy dtype

    Attributes
    ----------
    total : int
        Rows ever appended: absolute number of the next row.
    """

    def __init__(self, capacity: int, n_columns: int, dtype: npt.DTypeLike = np.float64) -> None:
        self.capacity = capacity
        self._rows: npt.NDArray[np.generic] = np.zeros((capacity + max(16, int(SLACK * capacity)), n_columns), dtype)
        self._rows.fill(0)  # really taken now: memory that is short shows at once, and does not grow for minutes
        self._end = 0
        self.total = 0

    @property
    def first(self) -> int:
        """Absolute number of the oldest row that is kept."""
        return self.total - min(self._end, self.capacity)

    def __len__(self) -> int:
        return self.total - self.first

    def append(self, rows: npt.NDArray[np.generic]) -> None:
        """Add rows, shape (n_rows, n_columns); of more than fit, the newest are kept.

        Parameters
        ----------
        rows : ndarray
            Shape (n_rows, n_columns).
        """
        dropped = max(0, len(rows) - self.capacity)
        self.total += dropped
        if dropped:
            rows, self._end = rows[dropped:], 0
        if self._end + len(rows) > len(self._rows):
            kept = min(self._end, self.capacity - len(rows))
            self._rows[:kept] = self._rows[self._end - kept : self._end]
            self._end = kept
        self._rows[self._end : self._end + len(rows)] = rows
        self._end += len(rows)
        self.total += len(rows)

    def rows(self, start: int, stop: int) -> npt.NDArray[np.generic]:
        """Rows by absolute number, as far as they are kept: a view, valid until the next :meth:`append`.

        Parameters
        ----------
        start : int
            First row.
        stop : int
            Row after the last one.
        """
        start, stop = max(start, self.first), min(stop, self.total)
        shift = self._end - self.total
        return self._rows[max(0, start + shift) : max(0, stop + shift)]

    def newest(self, n: int) -> npt.NDArray[np.generic]:
        """The last ``n`` rows or fewer: a view.

        Parameters
        ----------
        n : int
            How many.
        """
        return self.rows(self.total - n, self.total)

    def clear(self) -> None:
        """Remove all rows; numbers start at 0 again."""
        self._end = self.total = 0


class RowStore:
    """Rows of one of the engine's streams with the times at which they were sent.

    Parameters
    ----------
    names : tuple of str
        Columns.
    capacity : int
    """

    def __init__(self, names: tuple[str, ...], capacity: int = 20_000) -> None:
        self.names = names
        self._column = {name: i for i, name in enumerate(names)}
        self._rows = SlidingRows(capacity, len(names) + 1)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def total(self) -> int:
        """Rows ever appended."""
        return self._rows.total

    def append(self, rows: FloatArray, times: FloatArray) -> None:
        """Add rows, shape (n_rows, n_columns), and their times, shape (n_rows,), seconds of our LSL clock.

        Parameters
        ----------
        rows : ndarray
            Shape (n_rows, n_columns).
        times : ndarray
            When rows were sent, our LSL clock, seconds.
        """
        self._rows.append(np.column_stack((times, rows)))

    def prepend(self, rows: FloatArray, times: FloatArray) -> None:
        """Put what was sent before the first row in front of it.

        Parameters
        ----------
        rows : ndarray
            Shape (n_rows, n_columns).
        times : ndarray
            When rows were sent, our LSL clock, seconds.
        """
        known = self._rows.newest(len(self._rows)).copy()
        before = times < known[0, 0] if len(known) else np.ones(len(times), bool)
        self._rows.clear()
        self._rows.append(np.column_stack((times[before], rows[before])))
        self._rows.append(known)

    def times(self, newest: int | None = None) -> FloatArray:
        """When rows were sent, seconds of our LSL clock, shape (n_rows,): a view.

        Parameters
        ----------
        newest : int or None, optional
            Number of last rows; all without it.
        """
        return self._rows.newest(len(self._rows) if newest is None else newest)[:, 0]  # type: ignore[return-value]

    def column(self, name: str, newest: int | None = None) -> FloatArray:
        """One column, shape (n_rows,): a view.

        Parameters
        ----------
        name : str
            Name of the column.
        newest : int or None, optional
            Number of last rows; all without it.

        Raises
        ------
        KeyError
            If the stream has no such column; names those that it has.
        """
        if name not in self._column:
            raise KeyError(f"{name}: this stream has no such column; it has {', '.join(self.names)}")
        found = self._rows.newest(len(self._rows) if newest is None else newest)
        return found[:, 1 + self._column[name]]  # type: ignore[return-value]

    def since(self, total: int) -> FloatArray:
        """Rows from absolute number ``total`` on, times in front, shape (n_rows, 1 + n_columns): a view.

        Parameters
        ----------
        total : int
            Absolute number of the first row.
        """
        return self._rows.rows(total, self._rows.total)  # type: ignore[return-value]

    def last(self, name: str) -> float:
        """Return the newest value of a column; NaN if there is none.

        Parameters
        ----------
        name : str
            Name of the column.
        """
        found = self.column(name, 1)
        return float(found[-1]) if len(found) else float("nan")


class SignalStore:
    """One signal: microvolts, with the engine's own continuity, so that a gap is a gap on screen too.

    Rows lie on a regular grid: lost samples are rows of NaN (bridged ones are interpolated, as the engine does it).

    Parameters
    ----------
    info : StreamInfo
    offset_s : float
        Brings the sender's stamps to our LSL clock.

    Attributes
    ----------
    rows : SlidingRows
        Float32, µV, one column for each channel of the stream.
    generation : int
        Increased when rows were renumbered.
    arrival_s : float
        When data came last, our LSL clock.
    """

    def __init__(self, info: StreamInfo, offset_s: float = 0.0) -> None:
        self.info, self.offset_s = info, offset_s
        n = len(info.channels)
        capacity = int(min(MEMORY_S * info.rate_hz, MEMORY_BYTES / (4 * n)))
        self.rows = SlidingRows(max(64, capacity), n, np.float32)
        self.generation = 0
        self.arrival_s = -np.inf
        self.received = 0
        self.gaps = 0
        self._continuity = Continuity(info.rate_hz, info.sample_clock)
        self._segment, self._expected = 0, 0
        self._anchors = SlidingRows(ANCHORS, 2)  # (row, time)

    @property
    def lost(self) -> int:
        """Samples declared lost since this window listens."""
        return self._continuity.lost

    @property
    def rate_hz(self) -> float:
        """Measured rate over the last 10 s, Hz."""
        return self._continuity.rate_hz

    def push(self, chunk: Chunk, now: float) -> None:
        """Add raw samples as they came.

        Parameters
        ----------
        chunk : Chunk
        now : float
            Our LSL clock.
        """
        self.arrival_s = now
        self.received += len(chunk)
        for piece in self._continuity.push(chunk):
            missing = piece.start - self._expected if piece.segment == self._segment else 1
            if missing > 0 and self.rows.total:
                self.gaps += 1
                self._blank(min(missing, round(LONGEST_GAP_S * self.info.rate_hz)))
            self.rows.append(np.where(np.abs(piece.data) <= LARGEST_UV, piece.data, np.nan))
            self._segment, self._expected = piece.segment, piece.start + len(piece)
        time_s = self._continuity.time_of(self._expected) + self.offset_s
        known = self._anchors.newest(1)
        if np.isfinite(time_s) and (not len(known) or time_s - known[0, 1] >= ANCHOR_S):
            self._anchors.append(np.array([[self.rows.total, time_s]]))

    def prepend(self, data: FloatArray, stamps: FloatArray) -> None:
        """Put recorded samples in front of those that came live.

        Parameters
        ----------
        data : ndarray, shape (n_samples, n_channels)
            Microvolts.
        stamps : ndarray, shape (n_samples,)
            Our LSL clock.
        """
        if not len(self._anchors) or data.shape[1] != len(self.info.channels):
            return
        live = self.rows.newest(len(self.rows)).copy()
        begin = self.time_of(self.rows.first)
        before = stamps < begin - 0.5 / self.info.rate_hz
        data, stamps = np.where(np.abs(data[before]) <= LARGEST_UV, data[before], np.nan), stamps[before]
        if not len(data):
            return
        missing = round((begin - float(stamps[-1])) * self.info.rate_hz) - 1
        missing = min(max(0, missing), round(LONGEST_GAP_S * self.info.rate_hz))
        first = self.rows.first
        self.rows.clear()
        self.rows.append(data)
        self._blank(missing)
        shift = self.rows.total - first
        self.rows.append(live)
        step = max(1, round(self.info.rate_hz))
        heard = self._anchors.newest(ANCHORS) + np.array([shift, 0.0])
        self._anchors.clear()
        self._anchors.append(np.column_stack((np.arange(len(stamps)), stamps))[::step])
        self._anchors.append(heard)
        self.generation += 1

    def time_of(self, row: float) -> float:
        """Our LSL clock when a row was sampled; NaN while nothing is known.

        Parameters
        ----------
        row : float
        """
        return self._interpolate(row, 0, 1, 1.0 / self.info.rate_hz)

    def row_of(self, time_s: float) -> float:
        """Row that was sampled at a time of our LSL clock; NaN while nothing is known.

        Parameters
        ----------
        time_s : float
        """
        return self._interpolate(time_s, 1, 0, self.info.rate_hz)

    def _interpolate(self, value: float, have: int, want: int, slope: float) -> float:
        """Along the anchors; beyond their ends with the nominal rate."""
        known = np.asarray(self._anchors.newest(ANCHORS), dtype=np.float64)
        if not len(known):
            return float("nan")
        first, last = known[0], known[-1]
        if value <= first[have]:
            return float(first[want] + (value - first[have]) * slope)
        if value >= last[have]:
            return float(last[want] + (value - last[have]) * slope)
        return float(np.interp(value, known[:, have], known[:, want]))

    def _blank(self, n: int) -> None:
        self.rows.append(np.full((n, len(self.info.channels)), np.nan, np.float32))
