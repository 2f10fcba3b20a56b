"""Tables that are read only."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from PySide6.QtCore import QRect, Qt, QTimer
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

ROW_PX = 22
DENSE_PX = 20
CELL_PX = 8
TALL_PX = 10_000


class ReadTable(QTableWidget):
    """A table whose rows can be selected but not edited.

    Parameters
    ----------
    columns : sequence of str
        Headings.
    name : str
        Name for screen readers.
    row_px : int
        Height of a row.
    """

    def __init__(self, columns: Sequence[str], name: str, row_px: int = ROW_PX) -> None:
        super().__init__(0, len(columns))
        self.setHorizontalHeaderLabels(list(columns))
        self.setAccessibleName(name)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(row_px)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)


class WrappedTable(ReadTable):
    """A table whose last column breaks its lines; rows are as high as their text.

    Parameters
    ----------
    columns : sequence of str
        Headings.
    name : str
        Name for screen readers.
    """

    def __init__(self, columns: Sequence[str], name: str) -> None:
        super().__init__(columns, name, DENSE_PX)
        self._last = len(columns) - 1
        self.verticalHeader().setMinimumSectionSize(DENSE_PX)
        self.setWordWrap(True)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header.setSectionResizeMode(self._last, QHeaderView.ResizeMode.Stretch)
        # Widths change many times while a window is laid out; rows are fitted once, afterwards.
        self._later = QTimer(self, singleShot=True, interval=0)
        self._later.timeout.connect(self._fit)
        header.sectionResized.connect(lambda *_: self._later.start())

    def write(self, row: int, column: int, text: str, ink: str) -> None:
        """Write one cell. A cell that shows the text already is left alone, because setting it costs the same.

        Parameters
        ----------
        row : int
        column : int
        text : str
        ink : str
            Colour ``#rrggbb``.
        """
        item = self.item(row, column)
        if item is None:
            item = QTableWidgetItem()
            item.setTextAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
            self.setItem(row, column, item)
        if item.text() != text:
            item.setText(text)
            item.setToolTip(f"<qt>{escape(text)}</qt>")
            if column == self._last:
                self._fit_row(row)
        if item.foreground().color() != QColor(ink):
            item.setForeground(QColor(ink))

    def _fit(self) -> None:
        """Make every row as high as its text."""
        for row in range(self.rowCount()):
            self._fit_row(row)

    def _fit_row(self, row: int) -> None:
        item = self.item(row, self._last)
        if item is None:
            return
        room = QRect(0, 0, max(1, self.columnWidth(self._last) - CELL_PX), TALL_PX)
        needed = self.fontMetrics().boundingRect(room, int(Qt.TextFlag.TextWordWrap), item.text()).height() + 4
        if max(needed, DENSE_PX) != self.rowHeight(row):
            self.setRowHeight(row, max(needed, DENSE_PX))
