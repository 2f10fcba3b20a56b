"""Colours and sizes that all scenes share; they look the same on every display."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter

from gui.theme import Palette, font

SMALLEST_PX = 9


@dataclass(frozen=True, slots=True)
class SceneColours:
    """Colours of all scenes, as ``#rrggbb``.

    Parameters
    ----------
    ground, ink, muted, line : str
        Background; what is to be seen; less important parts; frames.
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
    def of(cls, palette: Palette) -> SceneColours:
        """Make them from the colours of the windows.

        Parameters
        ----------
        palette : Palette
        """
        return cls(palette.ground, palette.ink, palette.muted, palette.line, palette.accent, palette.good)


class Scene(Protocol):
    """One picture for the participant: a small frozen state that paints itself. Equal states look equal."""

    def paint(self, painter: QPainter, area: QRectF, look: SceneColours) -> None:
        """Paint the whole area, which has the ground colour already."""
        ...


def unit(area: QRectF) -> float:
    """Return a hundredth of the shorter side, pixels: the unit of all sizes.

    Parameters
    ----------
    area : QRectF
        The whole area.
    """
    return min(area.width(), area.height()) / 100


def around(centre: QPointF, width: float, height: float) -> QRectF:
    """Return a rectangle around its middle.

    Parameters
    ----------
    centre : QPointF
    width : float
        Pixels.
    height : float
        Pixels.
    """
    return QRectF(centre.x() - width / 2, centre.y() - height / 2, width, height)


def write(painter: QPainter, room: QRectF, text: str, height: float, colour: str, bold: bool = False) -> None:
    """Write a text in the middle of a rectangle, with line breaks, smaller if it does not fit; never as markup.

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
    """Return the largest font, up to a height, in which a text fits.

    Parameters
    ----------
    room : QRectF
        The rectangle.
    text : str
    height : float
        Pixels.
    flags : int
        Alignment flags of Qt.
    bold : bool
    """
    made = font(bold=bold)
    while True:
        made.setPixelSize(max(SMALLEST_PX, round(height)))
        needed = QFontMetricsF(made).boundingRect(room, flags, text)
        if height <= SMALLEST_PX or (needed.height() <= room.height() and needed.width() <= room.width()):
            return made
        height *= 0.9
