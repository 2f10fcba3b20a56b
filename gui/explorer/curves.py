"""Spectra of the classes, and ERD/ERS over time and frequency, of one channel."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from bci.explore.spectra import ClassSpectrum
from bci.explore.time_frequency import Erds
from gui import theme
from gui.context import Context
from gui.explorer import grid
from gui.sanitise import sanitise
from gui.text import Label
from gui.widgets.plot import DASHES, Legend, Plot, pen
from gui.widgets.topography import ColourBar

REACH_PERCENT = 100.0
STROKES = ("━", "╍", "┄", "┅")


class ClassSpectra(QWidget):
    """Mean spectrum of each class with its standard error, at one channel; the bands can be dragged.

    Parameters
    ----------
    context : Context

    Attributes
    ----------
    banded : Signal(float, float, bool)
        A band was moved: its ends, and False.
    """

    banded = Signal(float, float, bool)

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self.plot = Plot(context, "Hz", "dB (µV²/Hz)")
        self.key = Legend(context)
        self._regions: list[pg.LinearRegionItem] = []
        self._bands: tuple[tuple[float, float], ...] = ()
        self._shown: tuple[list[ClassSpectrum], np.ndarray, int] | None = None
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(0)
        box.addWidget(self.key)
        box.addWidget(self.plot, 1)
        context.themed.connect(self._dress)

    def show_channel(self, classes: list[ClassSpectrum], freqs_hz: np.ndarray, channel: int) -> None:
        """Draw the spectra of one channel.

        Parameters
        ----------
        classes : list of ClassSpectrum
            Their spectra.
        freqs_hz : ndarray
            Frequencies of the rows of the spectra.
        channel : int
            Number of the channel.
        """
        self._shown = (classes, freqs_hz, channel)
        palette = self._context.palette
        self.plot.clear()
        self._regions = []
        entries = []
        for i, one in enumerate(classes):
            colour, dash = palette.of_class(i), DASHES[i % len(DASHES)]
            low, high = (pg.PlotDataItem(freqs_hz, edge[:, channel]) for edge in (one.low, one.high))
            if np.isfinite(one.low[:, channel]).all():
                shade = pg.FillBetweenItem(low, high, brush=theme.colour(colour, 50))
                self.plot.addItem(shade)
            self.plot.addItem(pg.PlotDataItem(freqs_hz, one.mean[:, channel], pen=pen(colour, 1.8, dash)))
            entries.append((STROKES[i % len(STROKES)], f"{sanitise(one.class_, 24)} ({one.n_trials})", colour))
        self.key.show_entries(entries)
        self.plot.setXRange(float(freqs_hz[0]), float(freqs_hz[-1]), padding=0)
        self.show_bands(self._bands)

    def show_bands(self, bands: tuple[tuple[float, float], ...]) -> None:
        """Show what is selected.

        Parameters
        ----------
        bands : tuple[tuple[float, float], ...]
            Lower and upper ends, Hz.
        """
        self._bands = bands
        for region in self._regions:
            self.plot.removeItem(region)
        self._regions = []
        for band in bands if self._shown is not None else ():
            accent = self._context.palette.accent
            looks = {"brush": theme.colour(accent, 28), "pen": pen(accent), "hoverPen": pen(accent, 2.0)}
            region = pg.LinearRegionItem(band, movable=len(bands) == 1, hoverBrush=theme.colour(accent, 45), **looks)
            region.setZValue(-10)
            region.sigRegionChangeFinished.connect(self._moved)
            self.plot.addItem(region)
            self._regions.append(region)

    def _moved(self, region: pg.LinearRegionItem) -> None:
        low, high = region.getRegion()
        if (low, high) != self._bands[0]:
            self.banded.emit(max(1.0, round(2 * low) / 2), max(2.0, round(2 * high) / 2), False)

    def _dress(self) -> None:
        if self._shown is not None:
            self.show_channel(*self._shown)


class ErdsMaps(QWidget):
    """Change of power against the time before the cue, one map for each class.

    Parameters
    ----------
    context : Context
    """

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self.maps: dict[str, ErdsMap] = {}
        self.note = Label("", "muted", wrap=True)
        self.bar = ColourBar(context)
        self.bar.show_ends("−100 % (ERD)", "+100 % (ERS)")
        self._row = QHBoxLayout()
        self._row.setSpacing(6)
        box = QVBoxLayout(self)
        box.setContentsMargins(4, 0, 4, 0)
        box.setSpacing(1)
        box.addLayout(self._row, 1)
        box.addWidget(self.note)
        box.addWidget(self.bar)

    def show_channel(self, change: dict[str, Erds], channel: int) -> None:
        """Draw the maps of one channel; without values, remove them.

        Parameters
        ----------
        change : mapping of str to Erds
            ERD/ERS by class.
        channel : int
            Number of the channel.
        """
        if list(change) != list(self.maps):
            for one in self.maps.values():
                self._row.removeWidget(one)
                one.deleteLater()
            self.maps = {class_: ErdsMap(self._context, class_) for class_ in change}
            for one in self.maps.values():
                self._row.addWidget(one, 1)
        for class_, found in change.items():
            self.maps[class_].show_values(found, channel)
        self.bar.setVisible(bool(change))
        self.note.setVisible(not change)


class ErdsMap(QWidget):
    """ERD/ERS of one class: time to the right, frequency upwards.

    Parameters
    ----------
    context : Context
    class_ : str
    """

    LEFT, TOP, FOOT = 30, 18, 18

    def __init__(self, context: Context, class_: str) -> None:
        super().__init__()
        self._context, self.class_ = context, class_
        self._found: Erds | None = None
        self._channel = 0
        self.setMinimumSize(QSize(110, 90))
        context.themed.connect(self.update)

    def show_values(self, found: Erds, channel: int) -> None:
        """Show one channel.

        Parameters
        ----------
        found : Erds
        channel : int
            Number of the channel.
        """
        self._found, self._channel = found, channel
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """One frame."""
        if self._found is None:
            return
        painter, palette, found = QPainter(self), self._context.palette, self._found
        times = found.times_s
        whole = np.isfinite(found.percent[:, :, self._channel]).any(axis=0)
        percent = found.percent[::-1, whole, self._channel]
        sure = found.significant[::-1, whole, self._channel]
        times = times[whole]
        rect = QRectF(self.LEFT, self.TOP, self.width() - self.LEFT - 10, self.height() - self.TOP - self.FOOT)
        grid.paint(painter, rect, grid.cells(percent, sure, REACH_PERCENT, palette.surface), sure & False)
        step = float(times[1] - times[0])

        def x_of(time_s: float) -> float:
            return float(rect.left() + ((time_s - times[0]) / step + 0.5) * rect.width() / len(times))

        painter.setFont(theme.font(8))
        grid.ticks(painter, times[[0, -1]], x_of, 1.0, "s", rect, palette.muted)
        self._paint_words(painter, rect, found.freqs_hz)
        painter.setPen(QPen(QColor(palette.ink), 1.2, Qt.PenStyle.DashLine))
        painter.drawLine(QPointF(x_of(0.0), rect.top()), QPointF(x_of(0.0), rect.bottom()))

    def _paint_words(self, painter: QPainter, rect: QRectF, freqs_hz: np.ndarray) -> None:
        palette, lane = self._context.palette, rect.height() / len(freqs_hz)
        painter.setPen(QColor(palette.ink))
        name = painter.fontMetrics().elidedText(sanitise(self.class_, 40), Qt.TextElideMode.ElideRight, int(rect.width()))
        painter.drawText(QRectF(rect.left(), 1, rect.width(), self.TOP - 2), int(Qt.AlignmentFlag.AlignLeft), name)
        painter.setPen(QColor(palette.muted))
        painter.drawText(QRectF(0, 1, self.LEFT - 4, self.TOP - 2), int(Qt.AlignmentFlag.AlignRight), "Hz")
        last = -1e9
        for i, hz in enumerate(freqs_hz.tolist()):
            y = rect.bottom() - (i + 0.5) * lane
            if hz % 4 == 0 and abs(last - y) >= 13:
                painter.drawText(QRectF(0, y - 7, self.LEFT - 4, 14), int(Qt.AlignmentFlag.AlignRight), f"{hz:g}")
                last = y
