"""Two widgets that share a window."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QSplitter, QWidget


def splitter(way: Qt.Orientation, parts: tuple[QWidget, QWidget], shares: tuple[int, int]) -> QSplitter:
    """Make a splitter of two widgets with a handle between them.

    Parameters
    ----------
    way : Qt.Orientation
        Beside each other, or one above the other: then what is below keeps its height in a larger window.
    parts : tuple of QWidget
    shares : tuple of int
        Of the room, in per cent.
    """
    made = QSplitter(way)
    made.setChildrenCollapsible(False)
    for number, (part, share) in enumerate(zip(parts, shares, strict=True)):
        made.addWidget(part)
        made.setStretchFactor(number, share if way == Qt.Orientation.Horizontal or number == 0 else 0)
    made.setSizes([10 * share for share in shares])
    return made
