"""Neurofeedback: a bar that the participant is to raise."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from gui.presentation.scene import SceneColours, around, unit, write

TALL, WIDE = 64.0, 16.0


@dataclass(frozen=True, slots=True)
class Thermometer:
    """An upright bar with a line that is to be reached.

    Parameters
    ----------
    value : float or None
        0 to 1; None while nothing is known: the bar is empty, with a dash over it.
    threshold : float
        0 to 1: the line.
    word : str
        What is to be done.
    """

    value: float | None = None
    threshold: float = 0.5
    word: str = ""

    def paint(self, painter: QPainter, area: QRectF, look: SceneColours) -> None:
        """See :class:`~gui.presentation.scene.Scene`."""
        u = unit(area)
        frame = around(QPointF(area.center().x(), area.center().y() + 4 * u), WIDE * u, TALL * u)
        value = self.value or 0.0
        above = self.value is not None and value >= self.threshold
        filled = QRectF(frame)
        filled.setTop(frame.bottom() - value * frame.height())
        painter.fillRect(filled, QColor(look.good if above else look.bar))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(look.muted), max(1.0, 0.4 * u)))
        painter.drawRect(frame)
        y = frame.bottom() - self.threshold * frame.height()
        painter.setPen(QPen(QColor(look.ink), max(2.0, 0.6 * u)))
        painter.drawLine(QPointF(frame.left() - 4 * u, y), QPointF(frame.right() + 4 * u, y))
        sign = "–" if self.value is None else "✓" if above else ""
        write(painter, around(QPointF(frame.right() + 9 * u, y), 8 * u, 8 * u), sign, 6 * u, look.ink)
        write(
            painter,
            around(QPointF(area.center().x(), frame.top() - 8 * u), 0.8 * area.width(), 9 * u),
            self.word,
            5 * u,
            look.ink,
        )
