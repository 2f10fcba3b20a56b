"""Plots in the style of the program. Names from streams go into plain labels beside them, never into a plot."""

from __future__ import annotations

import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPen
from PySide6.QtWidgets import QGraphicsItem, QHBoxLayout, QWidget

from gui import theme
from gui.context import Context
from gui.text import Label

DASHES = (Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine, Qt.PenStyle.DotLine, Qt.PenStyle.DashDotLine)


class Plot(pg.PlotWidget):  # type: ignore[misc]  # pyqtgraph has no types
    """A plot that cannot be moved by the mouse.

    Parameters
    ----------
    context : Context
    bottom, left : str
        What the axes show, with units; fixed words only, because pyqtgraph takes them for markup.
    """

    def __init__(self, context: Context, bottom: str, left: str) -> None:
        super().__init__()
        self._context = context
        item = self.getPlotItem()
        item.setMenuEnabled(False)
        item.hideButtons()
        item.setMouseEnabled(False, False)
        item.setContentsMargins(2, 6, 10, 2)
        item.setLabel("bottom", bottom)
        item.setLabel("left", left)
        for side in ("bottom", "left"):
            axis = item.getAxis(side)
            axis.setTickFont(theme.font(8))
            axis.setStyle(tickTextOffset=4, tickLength=-4)
            axis.enableAutoSIPrefix(False)
            axis.setCacheMode(QGraphicsItem.CacheMode.DeviceCoordinateCache)  # most frames change the lines only
        item.showGrid(x=True, y=True, alpha=0.12)
        context.themed.connect(self.dress)
        self.dress()

    def dress(self) -> None:
        """Use the colours of the theme."""
        palette = self._context.palette
        self.setBackground(palette.surface)
        for side in ("bottom", "left"):
            axis = self.getPlotItem().getAxis(side)
            axis.setPen(QColor(palette.muted))
            axis.setTextPen(QColor(palette.muted))
            axis.label.setFont(theme.font(8))


def pen(colour: str, width: float = 1.0, style: Qt.PenStyle = Qt.PenStyle.SolidLine) -> QPen:
    """Return a pen of the same width on every screen.

    Parameters
    ----------
    colour : str
        ``#rrggbb``.
    width : float, optional
        Pixels.
    style : Qt.PenStyle, optional
    """
    made = QPen(QColor(colour), width, style)
    made.setCosmetic(True)
    return made


class Legend(QWidget):
    """The legend of a plot: a stroke in each line's colour and style, and a name.

    Parameters
    ----------
    context : Context
    """

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(8, 2, 8, 0)
        self._row.setSpacing(10)
        self._row.addStretch(1)
        self._shown: tuple[tuple[str, str, str], ...] = ()

    def show_entries(self, entries: list[tuple[str, str, str]]) -> None:
        """Show (stroke, name, colour) for each line.

        Parameters
        ----------
        entries : list[tuple[str, str, str]]
            Stroke, name and colour of each line.
        """
        if tuple(entries) == self._shown:
            return
        self._shown = tuple(entries)
        while self._row.count() > 1:
            item = self._row.takeAt(0)
            label = item.widget() if item is not None else None
            if label is not None:
                label.deleteLater()
        for stroke, name, colour in reversed(entries):
            entry = Label()
            entry.tell(f"{stroke} {name}")
            entry.setStyleSheet(f"color: {colour}; font-weight: 600;")
            self._row.insertWidget(0, entry)
