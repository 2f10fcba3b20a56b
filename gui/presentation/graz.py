"""The Graz paradigm: a cross, a cue for the class, and a bar that follows the evidence."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter

from gui.presentation.directions import Direction
from gui.presentation.scene import Scene, SceneColours, around, unit

LONGEST = 38.0
THICK = 5.0


@dataclass(frozen=True, slots=True)
class Graz:
    """A trial (Pfurtscheller & Neuper 2001, Proc. IEEE 89, 1123–1134, fig. 4).

    Parameters
    ----------
    cross : bool
        The fixation cross.
    cue : Scene or None
        What stands for the class.
    bar : Direction or None
        Feedback, each part from -1 to 1: the bar grows from the middle along the larger one. None: no feedback.
    """

    cross: bool = True
    cue: Scene | None = None
    bar: Direction | None = None

    def paint(self, painter: QPainter, area: QRectF, look: SceneColours) -> None:
        """See :class:`~gui.presentation.scene.Scene`."""
        if self.bar is not None:
            _bar(painter, area, look, self.bar)
        if self.cross:
            _cross(painter, area, look)
        if self.cue is not None:
            self.cue.paint(painter, area, look)


def _cross(painter: QPainter, area: QRectF, look: SceneColours) -> None:
    u, centre = unit(area), area.center()
    for width, height in ((20 * u, 0.8 * u), (0.8 * u, 20 * u)):
        painter.fillRect(around(centre, width, height), QColor(look.ink))


def _bar(painter: QPainter, area: QRectF, look: SceneColours, value: Direction) -> None:
    u, centre, (x, y) = unit(area), area.center(), value
    level = abs(x) >= abs(y)
    length = LONGEST * u * (x if level else y)
    width, height = (abs(length), THICK * u) if level else (THICK * u, abs(length))
    middle = QPointF(centre.x() + (length / 2 if level else 0), centre.y() + (0 if level else length / 2))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.fillRect(around(middle, width, height), QColor(look.bar))
