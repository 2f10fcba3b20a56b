"""The scrolling signals: lanes, seconds, gaps and markers."""

from __future__ import annotations

import math
import time

import numpy as np
from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFontMetrics,
    QImage,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from bci.engine.chunk import FloatArray
from gui import theme
from gui.columns import ColumnImage, Columns, joined
from gui.context import Context
from gui.filtering import ViewFilter
from gui.sanitise import sanitise
from gui.store import SignalStore
from gui.text import still_text
from gui.widgets.trace_gutter import Gutter

SECONDS = (2.0, 5.0, 10.0, 20.0, 30.0, 60.0)
SCALES_UV = (5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 5000.0)
TOP, FOOT, GUTTER = 18, 18, 64
OVERLAP = 1.6
TICK_STEPS_S = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0)
MAX_MARKERS = 60


class TraceView(QWidget):
    """The picture itself.

    Parameters
    ----------
    context : Context

    Attributes
    ----------
    marked : Signal(str, bool)
        A person marked this channel as bad (true) or good again.
    moved : Signal()
        The picture was scrolled, paused or set live again.
    scaled : Signal()
        Scale or length were changed with the mouse.
    """

    marked = Signal(str, bool)
    moved = Signal()
    scaled = Signal()

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self.seconds, self.scale_uv = 10.0, 50.0
        self.filter = ViewFilter(notch_hz=context.analysis.line_hz)
        self.paused_at: int | None = None
        self.local_bad: set[str] = set()
        self._columns: Columns | None = None
        self._picture: ColumnImage | None = None
        self._drawn = -1
        self._look: tuple[object, ...] = ()
        self._centre: FloatArray = np.empty(0)
        self._gutter = Gutter(context, GUTTER)
        self._wall_s = time.time() - context.feed.now()
        self.setMinimumSize(QSize(320, 160))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setAccessibleName("signals")

    # --- what is shown

    @property
    def signal(self) -> SignalStore | None:
        """The signal that is shown."""
        return self._context.feed.signal

    def channels(self) -> list[int]:
        """Return the channels that are shown: all biosignals, or all channels if there are none."""
        if self.signal is None:
            return []
        shown = [i for i, c in enumerate(self.signal.info.channels) if c.type in ("EEG", "EOG", "EMG")]
        return shown or list(range(len(self.signal.info.channels)))

    def bad(self) -> dict[str, str]:
        """Return the bad channels, and why: those of the engine, and those that were marked here."""
        return {**dict.fromkeys(self.local_bad, "marked"), **self._context.feed.session.bad}

    def plot_rect(self) -> QRect:
        """Return the rectangle of the signals."""
        return QRect(GUTTER, TOP, max(1, self.width() - GUTTER - 8), max(1, self.height() - TOP - FOOT))

    def forget(self) -> None:
        """Draw everything again in the next frame."""
        self._columns = None
        self.update()

    def refresh(self) -> None:
        """Show what is new."""
        if self.paused_at is None or self._columns is None or self.look() != self._look:
            self.update()

    def look(self) -> tuple[object, ...]:
        """Return all that the drawing depends on; if it changes, everything is drawn again."""
        bad = tuple(sorted(self.bad()))
        return (self.scale_uv, bad, self._context.palette.name, self.width(), self.height(), self.devicePixelRatioF())

    # --- where

    def pause(self) -> None:
        """Hold the picture."""
        if self.signal is not None and self.paused_at is None:
            self.paused_at = self.signal.rows.total
            self.forget()
            self.moved.emit()

    def count_from(self, time_s: float) -> None:
        """Label the axis with seconds from this time on, not with the time of day, for recordings."""
        self._wall_s = -time_s - time.localtime(0).tm_gmtoff
        self.update()

    def resume(self) -> None:
        """Follow the newest samples."""
        self.paused_at = None
        self.forget()
        self.moved.emit()

    def show_until(self, row: int) -> None:
        """Hold the picture so that it ends with this row."""
        if self.signal is not None:
            lowest = self.signal.rows.first + min(len(self.signal.rows), round(self.seconds * self.signal.info.rate_hz))
            self.paused_at = min(max(row, lowest), self.signal.rows.total)
            self.forget()
            self.moved.emit()

    def scroll_pages(self, pages: float) -> None:
        """Scroll by a number of pages; at the end the picture is live again."""
        if self.signal is None:
            return
        end = self.signal.rows.total if self.paused_at is None else self.paused_at
        wanted = end + round(pages * self.seconds * self.signal.info.rate_hz)
        if wanted >= self.signal.rows.total:
            self.resume()
        else:
            self.show_until(wanted)

    # --- painting

    def paintEvent(self, event: QPaintEvent) -> None:
        """One frame."""
        painter = QPainter(self)
        rect, signal = self.plot_rect(), self.signal
        empty = signal is None or not len(signal.rows) or not self.channels()
        for part in (self.rect(),) if empty else _around(self.rect(), rect):
            painter.fillRect(part, QColor(self._context.palette.surface))
        if signal is None or empty:
            self._say_nothing(painter)
            return
        self._advance(signal, rect)
        self._paint_picture(painter, rect)
        self._paint_grid(painter, rect, signal)
        self._paint_markers(painter, rect, signal)
        self._gutter.paint(painter, rect, signal, self.channels(), self.bad(), self.devicePixelRatioF())
        self._paint_scale(painter, rect)

    def _say_nothing(self, painter: QPainter) -> None:
        painter.setPen(QColor(self._context.palette.muted))
        painter.drawText(
            self.rect(), int(Qt.AlignmentFlag.AlignCenter), "No signal yet.\nChoose a stream, or start a simulated subject."
        )

    def _advance(self, signal: SignalStore, rect: QRect) -> None:
        """Bring columns and picture up to date."""
        ratio = self.devicePixelRatioF()
        width, height = max(8, round(rect.width() * ratio)), max(8, round(rect.height() * ratio))
        per = self.seconds * signal.info.rate_hz / width
        columns, look = self._columns, self.look()
        channels = self.channels()
        other = columns is None or columns.signal is not signal or columns.channels != channels
        if columns is None or other or columns.rows_per_column != per or (self.paused_at is None and columns.stale):
            stop = signal.rows.total if self.paused_at is None else self.paused_at
            columns = self._columns = Columns(signal, channels, self.filter, per, width, stop)
            self._drawn = -1
        elif self.paused_at is None:
            columns.advance()
        if self._picture is None or self._picture.pixels.shape != (height, width):
            self._picture, self._drawn = ColumnImage(width, height), -1
        if look != self._look or self._drifted(columns):
            self._look, self._drawn = look, -1
        if self._drawn < 0:
            self._centre = columns.centre() if self.filter.high_pass_hz == 0 else np.zeros(len(columns.channels))
            self._picture.clear(_rgb(self._context.palette.surface))
            self._drawn = columns.total - width
        self._draw(columns, self._picture)

    def _drifted(self, columns: Columns) -> bool:
        """Return whether a channel has left its lane, which happens without a high-pass; all are then centred again."""
        if self.filter.high_pass_hz > 0 or self._drawn < 0 or len(self._centre) != len(columns.channels):
            return False
        low, high, _ = columns.spans(columns.total - 1, columns.total)
        return bool(len(low) and (np.abs((low[0] + high[0]) / 2 - self._centre) > 2 * self.scale_uv).any())

    def _draw(self, columns: Columns, picture: ColumnImage) -> None:
        """Draw the columns that are new."""
        if columns.total <= self._drawn:
            return
        low, high, first = columns.spans(self._drawn - 1, columns.total)
        before = None
        if first == self._drawn - 1 and len(low):
            before, low, high, first = (low[0], high[0]), low[1:], high[1:], first + 1
        low, high = joined(low, high, before)
        height = picture.pixels.shape[0]
        lane = height / len(columns.channels)
        middle = (np.arange(len(columns.channels)) + 0.5) * lane
        pixels_per_uv = lane / self.scale_uv
        reach = OVERLAP * lane
        top = middle - np.clip((high - self._centre) * pixels_per_uv, -reach, reach)
        bottom = middle - np.clip((low - self._centre) * pixels_per_uv, -reach, reach)
        picture.draw(first, top, bottom, self._colours(columns))
        self._drawn = columns.total

    def _colours(self, columns: Columns) -> np.ndarray:
        """Colour of each line."""
        palette, bad = self._context.palette, self.bad()
        labels = columns.signal.info.labels
        names = [palette.bad if sanitise(labels[i], 40) in bad else palette.trace for i in columns.channels]
        return np.array([_rgb(name) for name in names], np.uint32)

    def _paint_picture(self, painter: QPainter, rect: QRect) -> None:
        if self._picture is None or self._columns is None:
            return
        pixels, ratio = self._picture.pixels, self.devicePixelRatioF()
        height, width = pixels.shape
        image = QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_RGB32)
        turn = self._columns.total % width
        for source, at in ((turn, 0), (0, width - turn)):
            n = width - turn if source else turn
            if n:
                target = QRectF(rect.left() + at / ratio, rect.top(), n / ratio, height / ratio)
                painter.drawImage(target, image, QRectF(source, 0, n, height))

    def _x_of(self, row: float, rect: QRect) -> float:
        if self._columns is None:
            return math.nan
        per = self._columns.rows_per_column * self.devicePixelRatioF()
        return rect.right() + 1 - (self._columns.total * self._columns.rows_per_column - row) / per

    def _paint_grid(self, painter: QPainter, rect: QRect, signal: SignalStore) -> None:
        """Paint seconds as vertical lines with the time of day below, and gaps as bands."""
        if self._columns is None:
            return
        palette = self._context.palette
        per = self._columns.rows_per_column
        begin_row = self._columns.total * per - self.seconds * signal.info.rate_hz
        begin, end = signal.time_of(begin_row), signal.time_of(self._columns.total * per)
        if not (math.isfinite(begin) and end > begin):
            return
        step = next((s for s in TICK_STEPS_S if rect.width() * s / self.seconds >= 72), TICK_STEPS_S[-1])
        painter.setFont(theme.font(8))
        tick = math.ceil((begin + self._wall_s) / step) * step
        while tick < end + self._wall_s:
            x = round(self._x_of(signal.row_of(tick - self._wall_s), rect))
            painter.fillRect(x, rect.top(), 1, rect.height(), theme.colour(palette.muted, 60))
            text = time.strftime("%H:%M:%S", time.localtime(tick + 1e-6))
            if rect.left() + 26 <= x <= rect.right() - 26:
                painter.setPen(QColor(palette.muted))
                still = still_text(text)
                painter.drawStaticText(QPointF(x - still.size().width() / 2, rect.bottom() + 3), still)
            tick += step
        self._paint_gaps(painter, rect)

    def _paint_gaps(self, painter: QPainter, rect: QRect) -> None:
        if self._columns is None:
            return
        low, _, first = self._columns.spans(
            self._columns.total - round(rect.width() * self.devicePixelRatioF()), self._columns.total
        )
        missing = np.isnan(low[:, 0])
        if not missing.any():
            return
        edges = np.flatnonzero(np.diff(missing.astype(np.int8), prepend=0, append=0)).reshape(-1, 2) + first
        painter.setPen(Qt.PenStyle.NoPen)
        per = self._columns.rows_per_column
        for start, stop in edges.tolist():
            left, right = self._x_of(start * per, rect), self._x_of(stop * per, rect)
            band = QRectF(left, rect.top(), max(2.0, right - left), rect.height()).intersected(QRectF(rect))
            painter.fillRect(band, theme.colour(self._context.palette.warn, 60))
            painter.fillRect(band, Qt.BrushStyle.BDiagPattern)

    def _paint_markers(self, painter: QPainter, rect: QRect, signal: SignalStore) -> None:
        """Paint the newest markers in the picture, with their texts in rows so that they do not overlap."""
        palette = self._context.palette
        painter.setFont(theme.font(8))
        metrics = QFontMetrics(painter.font())
        ends = [-math.inf, -math.inf, -math.inf]
        shown: list[tuple[float, str]] = []
        for marker in reversed(self._context.feed.markers):
            x = self._x_of(signal.row_of(marker.time_s), rect)
            if x < rect.left() or len(shown) >= MAX_MARKERS:
                break
            if x <= rect.right():
                shown.append((x, self._context.feed.meanings.get(marker.text, marker.text)))
        for x, text in reversed(shown):
            painter.fillRect(round(x), rect.top(), 1, rect.height(), theme.colour(palette.accent, 170))
            word = metrics.elidedText(text, Qt.TextElideMode.ElideRight, 90)
            width = metrics.horizontalAdvance(word) + 8
            left = min(x + 1, rect.right() - width)
            row = next((i for i, end in enumerate(ends) if end < left), None)
            if row is None:
                continue
            ends[row] = left + width + 1
            box = QRectF(
                left, rect.top() + row * (metrics.height() + 2) - (TOP - 2 if row == 0 else 2), width, metrics.height() + 1
            )
            painter.fillRect(box, theme.colour(palette.surface, 225))
            painter.setPen(QColor(palette.accent))
            painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), word)

    def _paint_scale(self, painter: QPainter, rect: QRect) -> None:
        """Paint the scale: the voltage between two lines."""
        palette = self._context.palette
        painter.setFont(theme.font(8))
        text = f"line to line {self.scale_uv:g} µV"
        width = QFontMetrics(painter.font()).horizontalAdvance(text) + 12
        box = QRectF(rect.right() - width, rect.bottom() - 18, width, 17)
        painter.fillRect(box, theme.colour(palette.surface, 225))
        painter.setPen(QColor(palette.muted))
        painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), text)

    # --- mouse and size

    def label_at(self, place: QPoint) -> str:
        """Return the channel whose lane is at this height, or ""."""
        rect, channels = self.plot_rect(), self.channels()
        if self.signal is None or not channels or not rect.top() <= place.y() <= rect.bottom():
            return ""
        row = min(len(channels) - 1, int((place.y() - rect.top()) / rect.height() * len(channels)))
        return self.signal.info.labels[channels[row]]

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Mark a channel bad, or good again, by a click on its name."""
        label = self.label_at(event.position().toPoint())
        if event.button() == Qt.MouseButton.LeftButton and label and event.position().x() < GUTTER:
            self.marked.emit(label, sanitise(label, 40) not in self.bad())

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Wheel: scale; with Ctrl: length; with Shift: back and forth."""
        up = (event.angleDelta().y() or event.angleDelta().x()) > 0
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.scroll_pages(-0.25 if up else 0.25)
        elif event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.seconds = neighbour(SECONDS, self.seconds, -1 if up else 1)
            self.forget()
        else:
            self.scale_uv = neighbour(SCALES_UV, self.scale_uv, -1 if up else 1)
        self.scaled.emit()
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Reduce the signal to columns again, because these are one pixel wide."""
        self._columns = None


def _around(outer: QRect, inner: QRect) -> tuple[QRect, ...]:
    """What of one rectangle lies outside another one in it."""
    below, beside = inner.bottom() + 1, inner.right() + 1
    return (
        QRect(outer.left(), outer.top(), outer.width(), inner.top() - outer.top()),
        QRect(outer.left(), below, outer.width(), outer.bottom() + 1 - below),
        QRect(outer.left(), inner.top(), inner.left() - outer.left(), inner.height()),
        QRect(beside, inner.top(), outer.right() + 1 - beside, inner.height()),
    )


def _rgb(name: str) -> int:
    """A colour ``#rrggbb`` as a number, opaque."""
    return 0xFF000000 | int(name[1:], 16)


def neighbour(values: tuple[float, ...], value: float, step: int) -> float:
    """Return the neighbour of a value in a list."""
    near = min(range(len(values)), key=lambda i: abs(values[i] - value))
    return values[min(max(near + step, 0), len(values) - 1)]
