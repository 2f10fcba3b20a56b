"""A cursor that evidence or a velocity moves, in one or two dimensions, and targets to be reached."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from gui.presentation.directions import Direction
from gui.presentation.scene import SceneColours, around, unit, write

REACH = 40.0
SIZE = 7.0
TARGET = 10.0


@dataclass(frozen=True, slots=True)
class Cursor:
    """A ball, and targets at the ends of the directions.

    Parameters
    ----------
    at : Direction
        Each part from -1 to 1, of the way from the middle to a target.
    targets : tuple of Direction
    wanted : Direction or None
        The target to be reached; it is filled.
    result : str
        ``"hit"``, ``"miss"``, or empty; said by a word too, not by colour alone.
    word : str
        What is said of it.
    """

    at: Direction = (0.0, 0.0)
    targets: tuple[Direction, ...] = ()
    wanted: Direction | None = None
    result: str = ""
    word: str = ""

    def paint(self, painter: QPainter, area: QRectF, look: SceneColours) -> None:
        """See :class:`~gui.presentation.scene.Scene`."""
        u, centre = unit(area), area.center()
        hit = self.result == "hit"
        for target in self.targets:
            _target(painter, area, look, target, target == self.wanted, hit)
        painter.setPen(QPen(QColor(look.ground), 0.6 * u))
        painter.setBrush(QColor(look.bar))
        at = QPointF(centre.x() + REACH * u * self.at[0], centre.y() + REACH * u * self.at[1])
        painter.drawEllipse(around(at, SIZE * u, SIZE * u))
        if self.word:
            write(painter, around(QPointF(centre.x(), centre.y() - 18 * u), 40 * u, 10 * u), self.word, 5 * u, look.ink)


def _target(painter: QPainter, area: QRectF, look: SceneColours, target: Direction, wanted: bool, hit: bool) -> None:
    u, centre, (dx, dy) = unit(area), area.center(), target
    along, across = TARGET * u, 3 * TARGET * u
    level = abs(dx) >= abs(dy)
    place = around(QPointF(centre.x() + REACH * u * dx, centre.y() + REACH * u * dy),
                   along if level else across, across if level else along)  # fmt: skip
    painter.setPen(QPen(QColor(look.ink if wanted else look.muted), max(1.0, 0.3 * u)))
    painter.setBrush(QColor(look.good if hit else look.muted) if wanted else Qt.BrushStyle.NoBrush)
    painter.drawRect(place)
