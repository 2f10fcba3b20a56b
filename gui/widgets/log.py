"""The log panel: what happened, when, and why."""

from __future__ import annotations

import time

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QVBoxLayout, QWidget

from gui.context import Context
from gui.stream_state import LogLine
from gui.widgets.tables import WrappedTable

SIGNS = {"info": "·", "warn": "▲", "bad": "■"}
SHOWN = 500


class LogPanel(QWidget):
    """The newest lines, newest first.

    Parameters
    ----------
    context : Context
    """

    TITLE = "Log"
    EVERY = 6

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.setProperty("panel", "true")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._context = context
        self._seen = 0
        self._wall_s = time.time() - context.feed.now()
        self.important = QCheckBox("only warnings")
        self.important.toggled.connect(self._anew)
        self.table = WrappedTable(("time", "source", "message"), "log")
        self.table.setColumnWidth(0, 66)
        self.table.setColumnWidth(1, 78)
        bar = QHBoxLayout()
        bar.setContentsMargins(8, 4, 8, 0)
        bar.addStretch(1)
        bar.addWidget(self.important)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(2)
        box.addLayout(bar)
        box.addWidget(self.table, 1)
        context.themed.connect(self._anew)

    def refresh(self) -> None:
        """Add the lines that are new."""
        feed = self._context.feed
        new = feed.log_total - self._seen
        if new <= 0:
            return
        self._seen = feed.log_total
        for line in list(feed.log)[-min(new, len(feed.log)) :]:
            if line.level != "info" or not self.important.isChecked():
                self._insert(line)
        if self.table.rowCount() > SHOWN:
            self.table.setRowCount(SHOWN)

    def _anew(self) -> None:
        self.table.setRowCount(0)
        self._seen = max(0, self._context.feed.log_total - len(self._context.feed.log))
        self.refresh()

    def _insert(self, line: LogLine) -> None:
        palette = self._context.palette
        ink = {"warn": palette.warn, "bad": palette.bad}.get(line.level, palette.ink)
        self.table.insertRow(0)
        clock = time.strftime("%H:%M:%S", time.localtime(line.time_s + self._wall_s))
        for column, text in enumerate((clock, line.source, f"{SIGNS[line.level]} {line.text}")):
            self.table.write(0, column, text, ink if column == 2 else palette.muted)
