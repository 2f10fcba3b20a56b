"""The map of r² over channels and frequencies, on which features are selected."""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetrics, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from bci.engine.chunk import BoolArray, FloatArray
from gui import theme
from gui.context import Context
from gui.explorer import grid
from gui.sanitise import sanitise

GUTTER, FOOT, TOP, RIGHT = 70, 20, 6, 14
DRAG_PX = 5
LEAST_BAND_HZ = 1.0
Band = tuple[float, float]


class FeatureMap(QWidget):
    """A map with channels as rows and frequencies as columns.

    A click moves the cursor, a click on a name takes a channel in or out, dragging over frequencies makes a band (with
    Ctrl: one more). Arrow keys move the cursor, Enter takes its channel in or out.

    Parameters
    ----------
    context : Context

    Attributes
    ----------
    pointed : Signal(int, int)
        Channel and frequency of the cursor, by number.
    toggled : Signal(str)
        A channel is to be taken in or out.
    banded : Signal(float, float, bool)
        A band was dragged; whether it is one more.
    """

    pointed = Signal(int, int)
    toggled = Signal(str)
    banded = Signal(float, float, bool)

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self.channels: tuple[str, ...] = ()
        self.freqs_hz: FloatArray = np.empty(0)
        self.values: FloatArray = np.empty((0, 0))
        self.sure: BoolArray = np.empty((0, 0), bool)
        self.reach = 1.0
        self.pointed_at: tuple[int, int] = (0, 0)
        self.chosen: tuple[str, ...] = ()
        self.bands: tuple[Band, ...] = ()
        self.note = "Open a recording of a calibration."
        self._pressed: QPointF | None = None
        self._dragged: Band | None = None
        self.setMinimumSize(QSize(300, 170))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setAccessibleName("r² of channels and frequencies")
        context.themed.connect(self.update)

    def show_values(
        self, channels: tuple[str, ...], freqs_hz: FloatArray, values: FloatArray, sure: BoolArray, reach: float
    ) -> None:
        """Show a map, ``values`` and ``sure`` of shape (n_channels, n_freqs).

        Parameters
        ----------
        channels : tuple of str
            Names of channels.
        freqs_hz : ndarray
            Frequencies of the columns.
        values : ndarray
            Signed r².
        sure : ndarray
            Where the value is significant.
        reach : float
            Largest value of the colours.
        """
        self.channels, self.freqs_hz = channels, freqs_hz
        self.values, self.sure, self.reach = values, sure, reach
        self.pointed_at = (min(self.pointed_at[0], len(channels) - 1), min(self.pointed_at[1], len(freqs_hz) - 1))
        self.update()

    def show_selection(self, chosen: tuple[str, ...], bands: tuple[Band, ...]) -> None:
        """Show the selection; no channel means all of them.

        Parameters
        ----------
        chosen : tuple of str
            Selected channels; empty: all.
        bands : tuple of tuple of float
            Lower and upper ends, Hz.
        """
        self.chosen, self.bands = chosen, bands
        self.update()

    def point_at(self, channel: int, freq: int) -> None:
        """Move the cursor.

        Parameters
        ----------
        channel : int
            Number of the channel.
        freq : int
            Number of the frequency.
        """
        self.pointed_at = (channel, freq)
        self.pointed.emit(channel, freq)
        self.update()

    # --- places

    def map_rect(self) -> QRectF:
        """Return the rectangle of the map."""
        return QRectF(GUTTER, TOP, max(1, self.width() - GUTTER - RIGHT), max(1, self.height() - TOP - FOOT))

    def step_hz(self) -> float:
        """Return the step from one frequency to the next."""
        return float(self.freqs_hz[1] - self.freqs_hz[0]) if len(self.freqs_hz) > 1 else 1.0

    def x_of(self, hz: float) -> float:
        """Return the x position of the middle of a frequency's column.

        Parameters
        ----------
        hz : float
        """
        rect = self.map_rect()
        return rect.left() + ((hz - float(self.freqs_hz[0])) / self.step_hz() + 0.5) * rect.width() / len(self.freqs_hz)

    def hz_at(self, x: float) -> float:
        """Return the frequency at an x position.

        Parameters
        ----------
        x : float
            Pixels.
        """
        rect = self.map_rect()
        share = min(max((x - rect.left()) / rect.width(), 0.0), 1.0)
        return float(self.freqs_hz[0] + (share * len(self.freqs_hz) - 0.5) * self.step_hz())

    def row_at(self, y: float) -> int:
        """Return the number of the channel at a y position.

        Parameters
        ----------
        y : float
        """
        rect = self.map_rect()
        return min(max(int((y - rect.top()) / rect.height() * len(self.channels)), 0), len(self.channels) - 1)

    # --- painting

    def paintEvent(self, event: QPaintEvent) -> None:
        """One frame."""
        painter = QPainter(self)
        palette, rect = self._context.palette, self.map_rect()
        if not self.values.size:
            painter.setPen(QColor(palette.muted))
            painter.drawText(self.rect(), int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap), self.note)
            return
        colours = grid.cells(self.values, self.sure, self.reach, palette.surface)
        grid.paint(painter, rect, colours, self.sure)
        painter.setFont(theme.font(8))
        span = np.array([self.freqs_hz[0], self.freqs_hz[-1]])
        grid.ticks(painter, span, self.x_of, 4.0, "Hz", rect, palette.muted)
        self._paint_names(painter, rect)
        self._paint_bands(painter, rect)
        self._paint_cursor(painter, rect)

    def _paint_names(self, painter: QPainter, rect: QRectF) -> None:
        """Write the names of the channels; selected ones are bold, with a mark."""
        palette, lane = self._context.palette, rect.height() / len(self.channels)
        size = min(9.0, max(6.0, lane * 0.6))
        metrics = QFontMetrics(theme.font(size, True))
        every = max(1, math.ceil(metrics.height() * 0.8 / lane))
        for row, label in enumerate(self.channels):
            chosen = not self.chosen or label in self.chosen
            if row % every and not (self.chosen and chosen) and row != self.pointed_at[0]:
                continue
            painter.setFont(theme.font(size, bool(self.chosen) and chosen))
            painter.setPen(QColor(palette.ink if chosen else palette.muted))
            middle = rect.top() + (row + 0.5) * lane
            box = QRectF(2, middle - metrics.height() / 2, GUTTER - 8, metrics.height())
            sign = "● " if self.chosen and chosen else ""
            text = metrics.elidedText(sign + sanitise(label, 24), Qt.TextElideMode.ElideRight, GUTTER - 10)
            painter.drawText(box, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), text)

    def _paint_bands(self, painter: QPainter, rect: QRectF) -> None:
        """Paint two lines and a bar on top for each band."""
        pen = QPen(QColor(self._context.palette.ink), 1.5)
        shown = (*self.bands, self._dragged) if self._dragged else self.bands
        for low, high in shown:
            left, right = (min(max(self.x_of(hz), rect.left()), rect.right()) for hz in (low, high))
            painter.setPen(pen)
            painter.drawLine(QPointF(left, rect.top()), QPointF(left, rect.bottom()))
            painter.drawLine(QPointF(right, rect.top()), QPointF(right, rect.bottom()))
            painter.fillRect(QRectF(left, rect.top() - 4, right - left, 4), QColor(self._context.palette.accent))

    def _paint_cursor(self, painter: QPainter, rect: QRectF) -> None:
        row, column = self.pointed_at
        lane, width = rect.height() / len(self.channels), rect.width() / len(self.freqs_hz)
        box = QRectF(rect.left() + column * width, rect.top() + row * lane, width, lane).adjusted(-1, -1, 1, 1)
        painter.setPen(QPen(QColor("#ffffff"), 3))
        painter.drawRect(box)
        painter.setPen(QPen(QColor("#000000"), 1.4))
        painter.drawRect(box)

    # --- mouse and keys

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """On a name: select or deselect it. On the map: start to point or to drag."""
        if event.button() != Qt.MouseButton.LeftButton or not self.values.size:
            return
        place = event.position()
        if place.x() < GUTTER:
            self.toggled.emit(self.channels[self.row_at(place.y())])
        else:
            self._pressed = place

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag a band."""
        if self._pressed is None or abs(event.position().x() - self._pressed.x()) < DRAG_PX:
            return
        ends = sorted((self.hz_at(self._pressed.x()), self.hz_at(event.position().x())))
        self._dragged = self._rounded(*ends)
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Select the dragged band, or move the cursor."""
        if self._pressed is None:
            return
        pressed, self._pressed = self._pressed, None
        if self._dragged is not None:
            band, self._dragged = self._dragged, None
            self.banded.emit(*band, bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier))
        else:
            near = round((self.hz_at(pressed.x()) - self.freqs_hz[0]) / self.step_hz())
            self.point_at(self.row_at(pressed.y()), min(max(near, 0), len(self.freqs_hz) - 1))
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrow keys and Enter."""
        steps = {Qt.Key.Key_Left: (0, -1), Qt.Key.Key_Right: (0, 1), Qt.Key.Key_Up: (-1, 0), Qt.Key.Key_Down: (1, 0)}
        key = Qt.Key(event.key())
        if key in steps and self.values.size:
            row, column = (a + b for a, b in zip(self.pointed_at, steps[key], strict=True))
            self.point_at(min(max(row, 0), len(self.channels) - 1), min(max(column, 0), len(self.freqs_hz) - 1))
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.values.size:
            self.toggled.emit(self.channels[self.pointed_at[0]])
        else:
            super().keyPressEvent(event)

    def _rounded(self, low: float, high: float) -> Band:
        """Return a band with ends on half hertz, at least one hertz apart, inside the map."""
        lowest, highest = float(self.freqs_hz[0]), float(self.freqs_hz[-1])
        low = min(max(round(2 * low) / 2, lowest), highest - LEAST_BAND_HZ)
        return low, min(max(round(2 * high) / 2, low + LEAST_BAND_HZ), highest)
