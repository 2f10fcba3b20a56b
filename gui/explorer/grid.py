"""Painting of a table of signed values. Cells that may be chance are paler and have no dot."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter

from bci.engine.chunk import BoolArray, FloatArray
from gui import theme
from gui.widgets.topography import MAP_COLOURS

PALE = 0.42
"""Share of the ground colour in a cell that may be chance."""
DOT_PX = 7.0
"""Size of the smallest cell that gets a dot, pixels."""


def cells(values: FloatArray, sure: BoolArray, reach: float, ground: str) -> npt.NDArray[np.uint32]:
    """Return the colours of a table, shape (n_rows, n_columns), 0xffRRGGBB; NaN gets the ground colour.

    Parameters
    ----------
    values : ndarray, shape (n_rows, n_columns)
    sure : ndarray of bool, same shape
        Where the value is significant.
    reach : float
        Value of the last colour; minus this is the first.
    ground : str
        Colour behind, ``#rrggbb``.
    """
    known = np.isfinite(values)
    share = np.clip(np.where(known, values, 0.0) / (2 * max(reach, 1e-12)) + 0.5, 0.0, 1.0)
    rgb = MAP_COLOURS[(share * (len(MAP_COLOURS) - 1)).astype(int)].astype(np.float64)
    behind = np.array([int(ground[i : i + 2], 16) for i in (1, 3, 5)], dtype=np.float64)
    cover = np.where(known, np.where(sure, 0.0, PALE), 1.0)[..., None]
    mixed = (rgb * (1 - cover) + behind * cover).round().astype(np.uint32)
    return np.ascontiguousarray(0xFF000000 | mixed[..., 0] << 16 | mixed[..., 1] << 8 | mixed[..., 2]).astype(np.uint32)


def paint(painter: QPainter, rect: QRectF, colours: npt.NDArray[np.uint32], sure: BoolArray) -> None:
    """Paint a table into a rectangle, first row at the top, with a dot in every significant cell that is large enough."""
    rows, columns = colours.shape
    image = QImage(colours.data, columns, rows, 4 * columns, QImage.Format.Format_RGB32)
    painter.drawImage(rect, image)
    width, height = rect.width() / columns, rect.height() / rows
    if min(width, height) < DOT_PX:
        return
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    for row, column in np.argwhere(sure).tolist():
        middle = QPointF(rect.left() + (column + 0.5) * width, rect.top() + (row + 0.5) * height)
        bright = colours[row, column] >> 8 & 0xFF
        painter.setBrush(theme.colour("#000000" if bright > 110 else "#ffffff", 170))
        painter.drawEllipse(middle, 1.6, 1.6)
    painter.restore()


def ticks(painter: QPainter, values: FloatArray, place: object, step: float, unit: str, rect: QRectF, ink: str) -> None:
    """Write the numbers of an axis below a table.

    Parameters
    ----------
    values : ndarray
        The first and the last are the ends of the axis.
    place : callable
        x of a value.
    step : float
    unit : str
        Behind the last number.
    rect : QRectF
        Of the table; the numbers stand below.
    ink : str
    """
    painter.setPen(QColor(ink))
    first = np.ceil(values[0] / step) * step
    marks = np.arange(first, values[-1] + 1e-9, step)
    for i, mark in enumerate(marks.tolist()):
        text = f"{mark:g} {unit}" if i == len(marks) - 1 else f"{mark:g}"
        x = place(mark)  # type: ignore[operator]
        painter.drawText(QRectF(x - 30, rect.bottom() + 2, 60, 15), int(Qt.AlignmentFlag.AlignCenter), text)
