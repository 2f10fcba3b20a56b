"""The outline of a head from above, nose up."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen

from bci.engine.chunk import FloatArray
from gui.theme import Palette


def head_rect(area: QRectF) -> QRectF:
    """Return the circle of the largest head that fits, with nose and ears.

    Parameters
    ----------
    area : QRectF
        The area of the widget.
    """
    radius = max(8.0, min(area.width() / 2.2, area.height() / 2.3) - 2)
    return QRectF(area.center().x() - radius, area.center().y() + 0.05 * radius - radius, 2 * radius, 2 * radius)


def place(head: QRectF, at: FloatArray) -> QPointF:
    """Return the screen position of a point on the disc (x to the right, y to the front, 1 at the rim).

    Parameters
    ----------
    head : QRectF
        Circle of the head.
    at : ndarray
        x and y on the disc.
    """
    radius = head.width() / 2
    return QPointF(head.center().x() + float(at[0]) * radius, head.center().y() - float(at[1]) * radius)


def outline(painter: QPainter, head: QRectF, palette: Palette, ground: str | None = None) -> None:
    """Nose, ears and rim.

    Parameters
    ----------
    painter : QPainter
    head : QRectF
        Circle of the head.
    palette : Palette
    ground : str or None, optional
        Colour inside, ``#rrggbb``; None: transparent.
    """
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    pen = QPen(QColor(palette.muted), 1.4)
    painter.setPen(pen)
    painter.setBrush(QColor(ground) if ground else Qt.BrushStyle.NoBrush)
    r, c = head.width() / 2, head.center()
    nose = QPainterPath(QPointF(c.x() - 0.12 * r, c.y() - 0.985 * r))
    nose.quadTo(QPointF(c.x() - 0.03 * r, c.y() - 1.13 * r), QPointF(c.x(), c.y() - 1.13 * r))
    nose.quadTo(QPointF(c.x() + 0.03 * r, c.y() - 1.13 * r), QPointF(c.x() + 0.12 * r, c.y() - 0.985 * r))
    painter.drawPath(nose)
    for side in (-1, 1):
        ear = QRectF(c.x() + side * 1.045 * r - 0.05 * r, c.y() - 0.16 * r, 0.10 * r, 0.32 * r)
        painter.drawEllipse(ear)
    painter.drawEllipse(head)
    painter.restore()
