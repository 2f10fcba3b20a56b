"""The quality panel: all electrodes on a head, and what to do about bad ones."""

from __future__ import annotations

import math

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QAbstractItemView, QHBoxLayout, QVBoxLayout, QWidget

from gui import theme
from gui.analysis import ChannelVerdict
from gui.context import Context
from gui.sanitise import sanitise
from gui.scalp import flat_places
from gui.store import SignalStore
from gui.text import Label
from gui.widgets.head import head_rect, outline, place
from gui.widgets.tables import WrappedTable

SIGNS = {"good": "●", "warn": "▲", "bad": "■", "none": "○"}
CELL_PX = 10
NARROW_PX = 200
"""A table that is narrower than this has no numbers, so that there is space for what to do."""
WORDS = {"good": "good", "warn": "doubtful", "bad": "bad", "none": "no data"}


class QualityHead(QWidget):
    """Electrodes as shapes: a disc is good, a triangle doubtful, a square bad."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._signal: SignalStore | None = None
        self._where: tuple[list[int], object] = ([], None)
        self.verdicts: list[ChannelVerdict] = []
        self.setMinimumSize(QSize(120, 110))
        self.setAccessibleName("signal quality on the head")

    def show_verdicts(self, signal: SignalStore, verdicts: list[ChannelVerdict]) -> None:
        """Paint these.

        Parameters
        ----------
        signal : SignalStore
            The signal that is shown.
        verdicts : list of ChannelVerdict
            One for each channel.
        """
        if signal is not self._signal:
            self._signal, self._where = signal, flat_places(signal.info)
        self.verdicts = verdicts
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """One frame."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        palette = self._context.palette
        head = head_rect(QRectF(self.rect()))
        outline(painter, head, palette, palette.raised)
        columns, places = self._where
        if self._signal is None or not columns or len(self.verdicts) != len(self._signal.info.channels):
            painter.setPen(QColor(palette.muted))
            text = "no signal" if self._signal is None else "no positions:\ngive a montage file"
            painter.drawText(head, int(Qt.AlignmentFlag.AlignCenter), text)
            return
        size = max(3.5, min(9.0, head.width() / 2 / math.sqrt(len(columns)) * 0.42))
        painter.setFont(theme.font(max(6.0, min(8.0, size))))
        metrics = QFontMetrics(painter.font())
        named = head.width() / math.sqrt(len(columns)) > 34
        for i, at in zip(columns, places, strict=True):  # type: ignore[call-overload]
            verdict = self.verdicts[i]
            self._paint_electrode(painter, place(head, at), size, verdict.level)
            if named or verdict.level == "bad":
                label = metrics.elidedText(sanitise(self._signal.info.labels[i], 12), Qt.TextElideMode.ElideRight, 40)
                painter.setPen(QColor(palette.ink))
                below = place(head, at) + QPointF(0, size + metrics.height() / 2 - 1)
                painter.drawText(QRectF(below.x() - 24, below.y() - 8, 48, 16), int(Qt.AlignmentFlag.AlignCenter), label)

    def _paint_electrode(self, painter: QPainter, at: QPointF, size: float, level: str) -> None:
        palette = self._context.palette
        ink = {"good": palette.good, "warn": palette.warn, "bad": palette.bad}.get(level, palette.muted)
        painter.setPen(QPen(QColor(palette.surface), 1))
        painter.setBrush(QColor(ink))
        if level == "warn":
            r = size * 1.15
            painter.drawPolygon(
                QPolygonF([at + QPointF(0, -r), at + QPointF(0.95 * r, 0.75 * r), at + QPointF(-0.95 * r, 0.75 * r)])
            )
        elif level == "bad":
            painter.drawRect(QRectF(at.x() - size, at.y() - size, 2 * size, 2 * size))
            painter.setPen(QPen(QColor(palette.surface), 1.6))
            for side in (-1, 1):
                painter.drawLine(at + QPointF(-0.55 * size, side * 0.55 * size), at + QPointF(0.55 * size, -side * 0.55 * size))
        else:
            if level == "none":
                painter.setPen(QPen(QColor(ink), 1.4))
                painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(at, size * 0.9, size * 0.9)


class QualityPanel(QWidget):
    """The panel with the head and the list of bad channels.

    Parameters
    ----------
    context : Context
    """

    TITLE = "Signal quality"
    EVERY = 15

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.setProperty("panel", "true")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._context = context
        self.head = QualityHead(context)
        self.summary = Label("", "value")
        self.table = WrappedTable(("channel", "µV", "to do"), "signal quality")
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        right = QVBoxLayout()
        right.setContentsMargins(0, 6, 6, 4)
        right.addWidget(self.summary)
        right.addWidget(self.table, 1)
        row = QHBoxLayout(self)
        row.setContentsMargins(6, 0, 0, 0)
        row.addWidget(self.head, 4)
        row.addLayout(right, 5)

    def refresh(self) -> None:
        """Show the quality over the last two seconds, the worst channels first."""
        signal = self._context.feed.signal
        if signal is None:
            self.summary.tell("no signal", "muted")
            return
        verdicts = self._context.analysis.verdicts(signal, self._context.feed.session.bad)
        self.head.show_verdicts(signal, verdicts)
        counted = [(v, sanitise(c.label, 24)) for v, c in zip(verdicts, signal.info.channels, strict=True) if c.type == "EEG"]
        worst = sorted(counted, key=lambda x: ("bad", "warn", "none", "good").index(x[0].level))
        n_bad = sum(v.level == "bad" for v, _ in counted)
        n_warn = sum(v.level == "warn" for v, _ in counted)
        role = "bad" if n_bad else "warn" if n_warn else "none" if any(v.level == "none" for v, _ in counted) else "good"
        words = [f"{n} {word}" for n, word in ((n_bad, "bad"), (n_warn, "doubtful")) if n]
        n = len(counted)
        found = f"{', '.join(words)} of {n} channels" if words else "no data" if role == "none" else f"all {n} channels are good"
        self.summary.tell(f"{SIGNS[role]} {found}", "muted" if role == "none" else role)
        self._fill(worst)

    def _fill(self, rows: list[tuple[ChannelVerdict, str]]) -> None:
        palette = self._context.palette
        if self.table.rowCount() != len(rows):
            self.table.setRowCount(len(rows))
        inks = {"good": palette.good, "warn": palette.warn, "bad": palette.bad, "none": palette.muted}
        lines = [
            (f"{SIGNS[v.level]} {label}", "–" if math.isnan(v.size_uv) else f"{v.size_uv:.0f}", v.remedy or WORDS[v.level])
            for v, label in rows
        ]
        for row, (line, (verdict, _)) in enumerate(zip(lines, rows, strict=True)):
            for column, text in enumerate(line):
                self.table.write(row, column, text, inks[verdict.level] if column == 0 else palette.ink)
        self._fit(lines)

    def _fit(self, lines: list[tuple[str, str, str]]) -> None:
        """Set the widths of the columns. A table that does so itself measures all cells at every change."""
        metrics = self.table.fontMetrics()
        self.table.setColumnHidden(1, self.table.viewport().width() < NARROW_PX)
        for column in (0, 1):
            least = self.table.horizontalHeader().sectionSizeHint(column)
            width = max([least, *(metrics.horizontalAdvance(line[column]) + CELL_PX for line in lines)])
            if width != self.table.columnWidth(column) and not self.table.isColumnHidden(column):
                self.table.setColumnWidth(column, width)
