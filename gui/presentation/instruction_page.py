"""A page of instructions."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QRectF
from PySide6.QtGui import QPainter

from gui.presentation.scene import SceneColours, unit, write


@dataclass(frozen=True, slots=True)
class InstructionPage:
    """Text in the middle, and below it how to continue.

    Parameters
    ----------
    text : str
        May have several lines; shown as it is, never as markup.
    hint : str
        For instance "Enter: go on".
    """

    text: str = ""
    hint: str = ""

    def paint(self, painter: QPainter, area: QRectF, look: SceneColours) -> None:
        """See :class:`~gui.presentation.scene.Scene`."""
        u = unit(area)
        margin = 0.1 * area.width()
        write(painter, area.adjusted(margin, 12 * u, -margin, -24 * u), self.text, 5.5 * u, look.ink)
        if self.hint:
            write(painter, QRectF(area.left() + margin, area.bottom() - 18 * u, area.width() - 2 * margin, 10 * u), self.hint,
                  3.5 * u, look.muted)  # fmt: skip
