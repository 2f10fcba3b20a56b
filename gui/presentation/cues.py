"""The cue of a class in a trial: an arrow, a word or a picture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPolygonF

from gui.presentation.directions import Direction, direction
from gui.presentation.scene import Scene, SceneColours, around, unit, write

KINDS = ("arrows", "words", "pictures")
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")
_ARROW = ((0.0, -0.7), (9.0, -0.7), (9.0, -2.4), (14.0, 0.0), (9.0, 2.4), (9.0, 0.7), (0.0, 0.7))


@dataclass(frozen=True, slots=True)
class Arrow:
    """An arrow from the middle, as in the Graz paradigm (Pfurtscheller & Neuper 2001, Proc. IEEE 89, 1123–1134).

    Parameters
    ----------
    towards : Direction
    """

    towards: Direction

    def paint(self, painter: QPainter, area: QRectF, look: SceneColours) -> None:
        """See :class:`~gui.presentation.scene.Scene`."""
        u, centre, (dx, dy) = unit(area), area.center(), self.towards
        points = [QPointF(centre.x() + u * (a * dx - b * dy), centre.y() + u * (a * dy + b * dx)) for a, b in _ARROW]
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(look.ink))
        painter.drawPolygon(QPolygonF(points))


@dataclass(frozen=True, slots=True)
class Word:
    """A word above the cross.

    Parameters
    ----------
    text : str
    """

    text: str

    def paint(self, painter: QPainter, area: QRectF, look: SceneColours) -> None:
        """See :class:`~gui.presentation.scene.Scene`."""
        u = unit(area)
        room = around(QPointF(area.center().x(), area.center().y() - 22 * u), 0.8 * area.width(), 16 * u)
        write(painter, room, self.text, 8 * u, look.ink, bold=True)


@dataclass(frozen=True, slots=True)
class PictureCue:
    """A picture above the cross, as large as there is space for, with its proportions.

    Parameters
    ----------
    path : str
    """

    path: str

    def paint(self, painter: QPainter, area: QRectF, look: SceneColours) -> None:
        """See :class:`~gui.presentation.scene.Scene`."""
        u, image = unit(area), load(self.path)
        size = image.size().scaled(round(60 * u), round(34 * u), Qt.AspectRatioMode.KeepAspectRatio)
        place = around(QPointF(area.center().x(), area.center().y() - 26 * u), size.width(), size.height())
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(place, image)


@lru_cache(maxsize=64)
def load(path: str) -> QImage:
    """Load a picture from a file, once, so that no frame waits for a disk.

    Parameters
    ----------
    path : str
    """
    return QImage(path)


def cue_for(kind: str, class_: str, text: str, folder: str = "") -> Scene:
    """Return the cue of a class: of the kind that was asked for, or its name if it has no arrow or no picture.

    Parameters
    ----------
    kind : str
        One of ``KINDS``.
    class_, text : str
        The class, and how the participant reads it.
    folder : str
        Where pictures are named by class: ``left_hand.png``.
    """
    towards = direction(class_)
    if kind == "arrows" and towards is not None:
        return Arrow(towards)
    if kind == "pictures" and folder:
        for suffix in SUFFIXES:
            path = Path(folder, class_).with_suffix(suffix)
            if path.parent == Path(folder) and path.is_file() and not load(str(path)).isNull():
                return PictureCue(str(path))
    return Word(text or class_.replace("_", " "))
