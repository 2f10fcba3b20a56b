"""Colours and measures that all scenes share: calm, and the same on every display."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter

from gui.theme import Palette, font

SMALLEST_PX = 9


@dataclass(frozen=True, slots=True)
class Look:
    """Colours of all scenes, as ``#rrggbb``.

    Parameters
    ----------
    ground, ink, muted, line : str
        Behind everything; what is to be looked at; what is not; frames.
    bar, good : str
        Feedback; a target that was reached.
    """

    ground: str
    ink: str
    muted: str
    line: str
    bar: str
    good: str

    @classmethod
    def of(cls, palette: Palette) -> Look:
        """In the colours of the windows."""
        return cls(palette.ground, palette.ink, palette.muted, palette.line, palette.accent, palette.good)


class Scene(Protocol):
    """Something to be seen: a small frozen state, and how it is painted. Equal states look equal."""

    def paint(self, painter: QPainter, area: QRectF, look: Look) -> None:
        """Paint over the whole area, which shows the ground already."""
        ...


def unit(area: QRectF) -> float:
    """A hundredth of the shorter side, pixels: the measure of everything."""
    return min(area.width(), area.height()) / 100


def around(centre: QPointF, width: float, height: float) -> QRectF:
    """A rectangle by its middle."""
    return QRectF(centre.x() - width / 2, centre.y() - height / 2, width, height)


def write(painter: QPainter, room: QRectF, text: str, height: float, colour: str, bold: bool = False) -> None:
    """Write a text in the middle of a rectangle, lines broken, smaller where it would not fit; never as markup.

    Parameters
    ----------
    painter : QPainter
    room : QRectF
    text : str
    height : float
        Of the letters, pixels.
    colour : str
    bold : bool
    """
    flags = int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap)
    made = fitting(room, text, height, flags, bold)
    painter.setFont(made)
    painter.setPen(QColor(colour))
    painter.drawText(room, flags, text)


def fitting(room: QRectF, text: str, height: float, flags: int, bold: bool) -> QFont:
    """The largest font up to a height in which a text fits."""
    made = font(bold=bold)
    while True:
        made.setPixelSize(max(SMALLEST_PX, round(height)))
        needed = QFontMetricsF(made).boundingRect(room, flags, text)
        if height <= SMALLEST_PX or (needed.height() <= room.height() and needed.width() <= room.width()):
            return made
        height *= 0.9
