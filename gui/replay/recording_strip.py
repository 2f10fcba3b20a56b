"""The whole recording in one strip: markers, recorded and computed decisions, their differences, and the current time."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPixmap, QPolygonF, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from bci.engine.chunk import FloatArray
from gui import theme
from gui.context import Context
from gui.replay.values import Track
from gui.sanitise import sanitise
from gui.stream_state import ShownMarker

GUTTER, RIGHT, TOP, FOOT = 76, 12, 2, 18
MARKERS_PX, GAP_PX = 16, 4
STEPS_S = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
LEAST_TICK_PX = 70
HOLDS_S = 0.5
"""A decision is shown for this time at most, if no other follows."""


class RecordingStrip(QWidget):
    """A click or a drag goes to that time.

    Each class has a lane of its own inside the bands of decisions, so that classes differ not only in colour.

    Parameters
    ----------
    context : Context

    Attributes
    ----------
    sought : Signal(float)
        Time to go to.
    """

    sought = Signal(float)

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self.begin_s, self.end_s, self.time_s = 0.0, 1.0, 0.0
        self._markers: tuple[ShownMarker, ...] = ()
        self._meanings: dict[str, str] = {}
        self._tracks: tuple[tuple[str, Track | None], ...] = ()
        self._differences: FloatArray = np.empty((0, 2))
        self._picture: QPixmap | None = None
        self.setMinimumSize(QSize(300, 112))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName("the whole recording")
        context.themed.connect(self._forget)

    def use(self, begin_s: float, end_s: float, markers: tuple[ShownMarker, ...], meanings: dict[str, str]) -> None:
        """Another recording.

        Parameters
        ----------
        begin_s : float
            Begin of the recording.
        end_s : float
            End of the recording.
        markers : tuple of ShownMarker
            In order of time.
        meanings : mapping of str to str
            Class of a marker's text.
        """
        self.begin_s, self.end_s = begin_s, max(end_s, begin_s + 1e-3)
        self._markers, self._meanings = markers, meanings
        self._forget()

    def show_tracks(self, recorded: Track | None, again: Track | None, differences: FloatArray) -> None:
        """Show recorded and computed decisions, and begin and end of their differences, shape (n_differences, 2).

        Parameters
        ----------
        recorded : Track or None
            None: nothing was decided in the recording.
        again : Track or None
            None: it was not computed.
        differences : ndarray
        """
        self._tracks = (("recorded", recorded), ("computed", again))
        self._differences = differences
        self._forget()

    def go(self, time_s: float) -> None:
        """Show the current time.

        Parameters
        ----------
        time_s : float
        """
        if time_s != self.time_s:
            self.time_s = time_s
            self.update()

    # --- places

    def room(self) -> QRectF:
        """Return the rectangle of the time axis."""
        return QRectF(GUTTER, TOP, max(1, self.width() - GUTTER - RIGHT), max(1, self.height() - TOP - FOOT))

    def x_of(self, time_s: float) -> float:
        """Return the x position of a time.

        Parameters
        ----------
        time_s : float
        """
        room = self.room()
        return room.left() + (time_s - self.begin_s) / (self.end_s - self.begin_s) * room.width()

    def time_at(self, x: float) -> float:
        """Return the time at an x position.

        Parameters
        ----------
        x : float
            Pixels.
        """
        room = self.room()
        share = min(max((x - room.left()) / room.width(), 0.0), 1.0)
        return self.begin_s + share * (self.end_s - self.begin_s)

    # --- painting

    def _forget(self) -> None:
        self._picture = None
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the picture of the recording, which is drawn once, and the current time."""
        if self._picture is None:
            self._picture = self._drawn()
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._picture)
        room, x = self.room(), self.x_of(self.time_s)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(self._context.palette.ink))
        painter.drawRect(QRectF(x - 0.75, room.top(), 1.5, room.height()))
        painter.drawPolygon(QPolygonF([QPointF(x - 6, room.top()), QPointF(x + 6, room.top()), QPointF(x, room.top() + 8)]))

    def _drawn(self) -> QPixmap:
        ratio, palette = self.devicePixelRatioF(), self._context.palette
        picture = QPixmap(round(self.width() * ratio), round(self.height() * ratio))
        picture.setDevicePixelRatio(ratio)
        picture.fill(QColor(palette.surface))
        painter = QPainter(picture)
        painter.setFont(theme.font(8))
        room = self.room()
        self._draw_names(painter, room)
        self._draw_markers(painter, QRectF(room.left(), room.top(), room.width(), MARKERS_PX))
        for number, (_, track) in enumerate(self._tracks):
            self._draw_track(painter, self._band(room, number), track)
        self._draw_differences(painter, self._band(room, 2))
        self._draw_ticks(painter, room)
        painter.end()
        return picture

    def _band(self, room: QRectF, number: int) -> QRectF:
        """Return the rectangle of recorded decisions, computed decisions, or differences, which have half the height."""
        height = (room.height() - MARKERS_PX - 3 * GAP_PX) / 2.5
        top = room.top() + MARKERS_PX + GAP_PX + number * (height + GAP_PX)
        return QRectF(room.left(), top, room.width(), height if number < 2 else height / 2)

    def _draw_names(self, painter: QPainter, room: QRectF) -> None:
        painter.setPen(QColor(self._context.palette.muted))
        places = [QRectF(0, room.top(), GUTTER - 8, MARKERS_PX)]
        places += [QRectF(0, band.top(), GUTTER - 8, band.height()) for band in (self._band(room, n) for n in range(3))]
        flags = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        for place, name in zip(places, ("markers", "recorded", "computed", "differ"), strict=True):
            painter.drawText(place, flags, name)

    def _draw_markers(self, painter: QPainter, band: QRectF) -> None:
        palette = self._context.palette
        classes = next((t.classes for _, t in self._tracks if t is not None), ())
        names = [sanitise(c, 60) for c in classes]
        for marker in self._markers:
            class_ = self._meanings.get(marker.text, marker.text)
            known = class_ in names
            ink = palette.of_class(names.index(class_)) if known else palette.line
            height = band.height() if known else band.height() / 2
            painter.fillRect(QRectF(self.x_of(marker.time_s) - 0.5, band.bottom() - height, 1.6, height), QColor(ink))

    def _draw_track(self, painter: QPainter, band: QRectF, track: Track | None) -> None:
        painter.fillRect(band, QColor(self._context.palette.raised))
        if track is None or not len(track.times_s):
            painter.setPen(QColor(self._context.palette.muted))
            painter.drawText(band.adjusted(8, 0, 0, 0), int(Qt.AlignmentFlag.AlignVCenter), "not computed")
            return
        n = max(1, round(band.width()))
        starts, stops = self._pixels(track, n)
        lane = band.height() / max(1, len(track.classes))
        for class_ in range(len(track.classes)):
            own = track.decisions == class_
            change = np.bincount(starts[own], minlength=n + 2) - np.bincount(stops[own], minlength=n + 2)
            held = np.concatenate(([False], np.cumsum(change)[: n + 1] > 0))
            edges = np.flatnonzero(np.diff(held.astype(np.int8))).reshape(-1, 2)
            ink, top = QColor(self._context.palette.of_class(class_)), band.top() + class_ * lane
            for start, stop in edges.tolist():
                painter.fillRect(QRectF(band.left() + start, top, stop - start, max(1.0, lane - 1)), ink)

    def _pixels(self, track: Track, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the first pixel of each window, and the one after its last: a decision holds until the next window."""
        times = np.maximum.accumulate(track.times_s)
        until = np.minimum(np.append(times[1:], times[-1]), times + HOLDS_S)
        places = [(t - self.begin_s) / (self.end_s - self.begin_s) * n for t in (times, until)]
        starts, stops = (np.clip(p.astype(np.int64), 0, n) for p in places)
        return starts, np.maximum(stops, starts + 1)

    def _draw_differences(self, painter: QPainter, band: QRectF) -> None:
        painter.fillRect(band, QColor(self._context.palette.raised))
        for begin, end in {(round(self.x_of(a)), round(self.x_of(b))) for a, b in self._differences.tolist()}:
            painter.fillRect(QRectF(begin, band.top(), max(1.6, end - begin), band.height()), QColor(self._context.palette.bad))

    def _draw_ticks(self, painter: QPainter, room: QRectF) -> None:
        painter.setPen(QColor(self._context.palette.muted))
        length = self.end_s - self.begin_s
        step = next((s for s in STEPS_S if room.width() * s / length >= LEAST_TICK_PX), STEPS_S[-1])
        for i in range(int(length / step) + 1):
            x = self.x_of(self.begin_s + i * step)
            box = QRectF(min(max(x - 30, 0), self.width() - 60), room.bottom() + 1, 60, FOOT - 2)
            painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), clock(i * step))

    # --- mouse

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go there."""
        if event.button() == Qt.MouseButton.LeftButton:
            self.sought.emit(self.time_at(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Follow the mouse."""
        if event.buttons() & Qt.MouseButton.LeftButton:
            self.sought.emit(self.time_at(event.position().x()))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Draw the picture again for another width."""
        self._picture = None


def clock(seconds: float, tenths: bool = False) -> str:
    """Return a time from the beginning as text.

    Parameters
    ----------
    seconds : float
    tenths : bool, optional
        Whether to write tenths of a second.

    Examples
    --------
    >>> clock(3725.25), clock(65.25, True)
    ('1:02:05', '1:05.2')
    """
    whole = int(max(0.0, seconds))
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    front = f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
    return f"{front}.{int(max(0.0, seconds) * 10) % 10}" if tenths else front
