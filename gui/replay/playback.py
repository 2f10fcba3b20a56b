"""A recorded signal, up to the current time, in the form of a live one, so that the views of live signals can show it."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PySide6.QtCore import QObject, Signal

from bci.engine.chunk import FloatArray
from bci.engine.stream_info import StreamInfo
from gui.analysis import Analysis
from gui.context import Context
from gui.stream_state import SessionState, ShownMarker
from gui.theme import Palette

SHOWN_MARKERS = 200


class PlayedRows:
    """Rows of a file, of which those before ``total`` have been played.

    Parameters
    ----------
    rows : ndarray, shape (n_rows, n_channels)
        Mapped, not read.

    Attributes
    ----------
    total : int
        Rows played.
    """

    first = 0

    def __init__(self, rows: np.ndarray) -> None:
        self._rows = rows
        self.total = 0

    def __len__(self) -> int:
        return self.total

    @property
    def end(self) -> int:
        """Rows that there are."""
        return len(self._rows)

    def rows(self, start: int, stop: int) -> np.ndarray:
        """Rows by number, as far as they were played.

        Parameters
        ----------
        start : int
            First row.
        stop : int
            Row after the last one.
        """
        return self._rows[max(0, start) : max(0, min(stop, self.total))]

    def newest(self, n: int) -> np.ndarray:
        """The last ``n`` rows or fewer.

        Parameters
        ----------
        n : int
            How many.
        """
        return self.rows(self.total - n, self.total)


class PlayedSignal:
    """Like :class:`gui.store.SignalStore`, but from a file.

    Parameters
    ----------
    info : StreamInfo
    path : Path
        ``.npy`` of float32.
    anchors : ndarray, shape (n_anchors, 2)
        Row and time.
    """

    generation = gaps = lost = 0

    def __init__(self, info: StreamInfo, path: Path, anchors: FloatArray) -> None:
        self.info = info
        self.rows = PlayedRows(np.load(path, mmap_mode="r", allow_pickle=False))
        self._anchors = anchors
        self._ordered = np.maximum.accumulate(anchors[:, 1])
        self.arrival_s = time.monotonic()

    @property
    def received(self) -> int:
        """Rows played."""
        return self.rows.total

    @property
    def rate_hz(self) -> float:
        """Declared rate."""
        return self.info.rate_hz

    def go(self, row: int) -> None:
        """Play, or wind, to a row.

        Parameters
        ----------
        row : int
        """
        self.rows.total = min(max(row, 0), self.rows.end)
        self.arrival_s = time.monotonic()

    def time_of(self, row: float) -> float:
        """Time of a row, sender's clock.

        Parameters
        ----------
        row : float
        """
        rows = self._anchors[:, 0]
        if row < rows[0]:
            return float(self._ordered[0] - (rows[0] - row) / self.info.rate_hz)
        return float(np.interp(row, rows, self._ordered))

    def row_of(self, time_s: float) -> float:
        """Row at a time.

        Parameters
        ----------
        time_s : float
            Sender's clock.
        """
        if time_s < self._ordered[0]:
            return float(self._anchors[0, 0] - (self._ordered[0] - time_s) * self.info.rate_hz)
        if time_s > self._ordered[-1]:
            return float(self._anchors[-1, 0] + (time_s - self._ordered[-1]) * self.info.rate_hz)
        return float(np.interp(time_s, self._ordered, self._anchors[:, 0]))


class PlayedFeed:
    """The part of a feed that a view of signals uses.

    Attributes
    ----------
    signal : PlayedSignal or None
    meanings : dict of str to str
    session : SessionState
    """

    def __init__(self) -> None:
        self.signal: PlayedSignal | None = None
        self.meanings: dict[str, str] = {}
        self.session = SessionState()
        self.time_s = 0.0
        self._markers: Sequence[ShownMarker] = ()
        self._times: list[float] = []

    def use(self, signal: PlayedSignal, markers: Sequence[ShownMarker], meanings: dict[str, str]) -> None:
        """Another recording.

        Parameters
        ----------
        signal : PlayedSignal
            The signal that is shown.
        markers : sequence of ShownMarker
            In order of time.
        meanings : mapping of str to str
            Class of a marker's text.
        """
        self.signal, self._markers, self.meanings = signal, markers, meanings
        self._times = [m.time_s for m in markers]

    @property
    def markers(self) -> Sequence[ShownMarker]:
        """The newest that were played."""
        end = bisect_right(self._times, self.time_s)
        return self._markers[max(0, end - SHOWN_MARKERS) : end]

    def now(self) -> float:
        """Current time of the recording, sender's clock."""
        return self.time_s


class PlayedContext(QObject):
    """The part of a context that a view of signals uses.

    Parameters
    ----------
    context : Context
        Of the windows: palette and changes of it.
    """

    themed = Signal()

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._context = context
        self.feed = PlayedFeed()
        self.analysis = Analysis(context.analysis.line_hz, time.monotonic)
        context.themed.connect(self.themed)

    @property
    def palette(self) -> Palette:
        """Of the windows."""
        return self._context.palette
