"""The names beside the signals."""

from __future__ import annotations

import math

from PySide6.QtCore import QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPixmap

from gui import theme
from gui.context import Context
from gui.sanitise import sanitise
from gui.store import SignalStore

LONGEST = 40


class Gutter:
    """The names of the channels, painted again only if one of them changes.

    A cross stands before a bad channel, an exclamation mark before a doubtful one.

    Parameters
    ----------
    context : Context
    width : int
        Pixels.
    """

    def __init__(self, context: Context, width: int) -> None:
        self._context, self._width = context, width
        self._shown: tuple[object, ...] = ()
        self._picture = QPixmap()
        self._labels: tuple[SignalStore | None, list[str]] = (None, [])

    def paint(
        self, painter: QPainter, rect: QRect, signal: SignalStore, channels: list[int], bad: dict[str, str], ratio: float
    ) -> None:
        """Paint the names to the left of ``rect``."""
        if self._labels[0] is not signal:
            self._labels = (signal, [sanitise(label, LONGEST) for label in signal.info.labels])
        labels = self._labels[1]
        verdicts = self._context.analysis.verdicts(signal, bad)
        levels = tuple("bad" if labels[i] in bad else verdicts[i].level for i in channels)
        shown = (signal, tuple(channels), levels, rect.height(), ratio, self._context.palette.name)
        if shown != self._shown:
            self._shown = shown
            self._picture = self._made([labels[i] for i in channels], levels, rect.height(), ratio)
        painter.drawPixmap(0, rect.top(), self._picture)

    def _made(self, labels: list[str], levels: tuple[str, ...], height: int, ratio: float) -> QPixmap:
        palette = self._context.palette
        picture = QPixmap(round(self._width * ratio), round(height * ratio))
        picture.setDevicePixelRatio(ratio)
        picture.fill(QColor(palette.surface))
        painter = QPainter(picture)
        lane = height / len(labels)
        painter.setFont(theme.font(min(9.0, max(6.0, lane * 0.55))))
        metrics = QFontMetrics(painter.font())
        every = max(1, math.ceil(metrics.height() * 0.85 / lane))
        room = self._width - 10
        for row, (label, level) in enumerate(zip(labels, levels, strict=True)):
            if row % every and level != "bad":
                continue
            sign, ink = {"bad": ("✕ ", palette.bad), "warn": ("! ", palette.warn)}.get(level, ("", palette.ink))
            painter.setPen(QColor(ink))
            top = min(max(0.0, (row + 0.5) * lane - metrics.height() / 2), height - metrics.height())
            box = QRectF(2, top, room, metrics.height())
            text = metrics.elidedText(sign + label, Qt.TextElideMode.ElideRight, room)
            painter.drawText(box, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), text)
        painter.end()
        return picture
