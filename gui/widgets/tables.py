"""A table to read, whose last column breaks its lines instead of hiding their ends."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from PySide6.QtCore import QRect, Qt, QTimer
from PySide6.QtGui import QColor, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

ROW_PX = 20
CELL_PX = 8
TALL_PX = 10_000


class WrappedTable(QTableWidget):
    """Rows that are as high as what their last column says.

    Parameters
    ----------
    columns : sequence of str
        Headings.
    name : str
        For those who do not see it.
    """

    def __init__(self, columns: Sequence[str], name: str) -> None:
        super().__init__(0, len(columns))
        self._last = len(columns) - 1
        self.setHorizontalHeaderLabels(list(columns))
        self.setAccessibleName(name)
        self.verticalHeader().hide()
        self.verticalHeader().setMinimumSectionSize(ROW_PX)
        self.verticalHeader().setDefaultSectionSize(ROW_PX)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setShowGrid(False)
        self.setWordWrap(True)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        header = self.horizontalHeader()
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header.setSectionResizeMode(self._last, QHeaderView.ResizeMode.Stretch)
        # Widths change many times while a window is laid out; rows are fitted once, afterwards.
        self._later = QTimer(self, singleShot=True, interval=0)
        self._later.timeout.connect(self.fit)
        header.sectionResized.connect(lambda *_: self._later.start())

    def write(self, row: int, column: int, text: str, ink: str) -> None:
        """One cell; telling a table what it shows already costs as much as telling it something new."""
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

    def fit(self) -> None:
        """Every row as high as its text."""
        for row in range(self.rowCount()):
            self._fit_row(row)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """As any table; the last column has another width then."""
        super().resizeEvent(event)
        self._later.start()

    def _fit_row(self, row: int) -> None:
        item = self.item(row, self._last)
        if item is None:
            return
        room = QRect(0, 0, max(1, self.columnWidth(self._last) - CELL_PX), TALL_PX)
        needed = self.fontMetrics().boundingRect(room, int(Qt.TextFlag.TextWordWrap), item.text()).height() + 4
        if max(needed, ROW_PX) != self.rowHeight(row):
            self.setRowHeight(row, max(needed, ROW_PX))
