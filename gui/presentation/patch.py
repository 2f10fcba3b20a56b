"""A patch in a corner that a photodiode watches: bright while a cue is shown, dark otherwise."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QPainter

from gui.presentation.scene import unit

CORNERS = ("", "top-left", "top-right", "bottom-left", "bottom-right")
SIZE = 8.0


@dataclass(frozen=True, slots=True)
class Patch:
    """A patch that is black or white in both themes.

    Parameters
    ----------
    corner : str
        One of ``CORNERS``; empty: no patch.
    bright : bool
    """

    corner: str = ""
    bright: bool = False

    def place(self, area: QRectF) -> QRectF:
        """Return its rectangle; empty if there is no patch.

        Parameters
        ----------
        area : QRectF
            The whole area.
        """
        size = SIZE * unit(area) if self.corner else 0.0
        x = area.right() - size if self.corner.endswith("right") else area.left()
        y = area.bottom() - size if self.corner.startswith("bottom") else area.top()
        return QRectF(x, y, size, size)

    def paint(self, painter: QPainter, area: QRectF) -> None:
        """Paint it over a scene."""
        if self.corner:
            painter.fillRect(self.place(area), QColor("#ffffff" if self.bright else "#000000"))
