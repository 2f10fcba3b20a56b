"""The streams panel: the streams that are found, and the health of the shown signal."""

from __future__ import annotations

import math

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QAbstractItemView, QGridLayout, QHeaderView, QTableWidgetItem, QVBoxLayout, QWidget

from bci.stream.lsl import FoundStream
from bci.stream.stream_query import folded
from gui.context import Context
from gui.sanitise import sanitise
from gui.text import Label
from gui.widgets.tables import ReadTable

STALE_S = 0.5
LOST_S = 2.0
WARN_RATE = 0.01


def health(context: Context) -> tuple[str, str]:
    """Return level and description of the health of the shown signal.

    Parameters
    ----------
    context : Context
    """
    signal = context.feed.signal
    if signal is None:
        return "none", "no signal"
    silent_s = context.feed.now() - signal.arrival_s
    if silent_s > LOST_S:
        return "bad", f"no data for {silent_s:.0f} s" if math.isfinite(silent_s) else "no data yet"
    if silent_s > STALE_S:
        return "warn", f"late by {1e3 * silent_s:.0f} ms"
    error = signal.rate_hz / signal.info.rate_hz - 1
    if abs(error) > WARN_RATE and signal.received > 10 * signal.info.rate_hz:
        return "warn", f"runs at {signal.rate_hz:.4g} Hz, declares {signal.info.rate_hz:g}"
    return "good", f"{signal.info.rate_hz:g} Hz, {len(signal.info.channels)} channels"


class StreamsPanel(QWidget):
    """The panel with the streams that are found; a click on a signal shows it.

    Parameters
    ----------
    context : Context
    """

    TITLE = "Streams"
    EVERY = 15

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.setProperty("panel", "true")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._context = context
        self._shown: list[FoundStream] = []
        self.table = ReadTable(("stream", "what it carries"), "streams that were found")
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.table.cellClicked.connect(lambda row, _: self._choose(row))
        self.table.cellActivated.connect(lambda row, _: self._choose(row))
        self.values = {name: Label("–", "value", elastic=True) for name in ("signal", "rate", "gaps", "clock", "age", "messages")}
        grid = QGridLayout()
        grid.setContentsMargins(10, 4, 10, 8)
        grid.setVerticalSpacing(2)
        for row, (name, label) in enumerate(self.values.items()):
            grid.addWidget(Label(name, "muted"), row, 0)
            grid.addWidget(label, row, 1)
        grid.setColumnStretch(1, 1)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(self.table, 1)
        box.addLayout(grid)

    def refresh(self) -> None:
        """Show the streams that are found now."""
        self._list()
        self._show_health()

    def _list(self) -> None:
        feed, palette = self._context.feed, self._context.palette
        shown = [s for s in feed.streams if s.type != "BCI-Control"]
        shown.sort(key=lambda s: (s.type.startswith("BCI-"), folded(s.type) != "eeg", s.name))
        if [s.uid for s in shown] != [s.uid for s in self._shown]:
            self.table.setRowCount(len(shown))
        self._shown = shown
        for row, stream in enumerate(shown):
            looked_at = feed.signal_stream is not None and feed.signal_stream.uid == stream.uid and feed.joined(stream.uid)
            sign = "▶ " if looked_at else "● " if feed.joined(stream.uid) else "○ "
            kind = sanitise(stream.type, 20)
            what = f"{kind} {stream.n_channels} × {stream.rate_hz:g} Hz" if stream.rate_hz else kind.removeprefix("BCI-").lower()
            for column, text in enumerate((sign + sanitise(stream.name, 60), what)):
                item = self.table.item(row, column)
                if item is None:
                    item = QTableWidgetItem()
                    self.table.setItem(row, column, item)
                if item.text() != text:
                    item.setText(text)
                item.setForeground(QColor(palette.accent if looked_at else palette.ink if column == 0 else palette.muted))

    def _choose(self, row: int) -> None:
        stream = self._shown[row] if row < len(self._shown) else None
        if stream is not None and stream.rate_hz > 0:
            self._context.feed.choose(stream)

    def _show_health(self) -> None:
        signal, feed = self._context.feed.signal, self._context.feed
        level, words = health(self._context)
        self.values["signal"].tell(words, {"none": "muted"}.get(level, level))
        senseless = sum(feed.senseless.values())
        self.values["messages"].tell(f"{senseless} invalid" if senseless else "all valid", "warn" if senseless else "")
        if signal is None:
            return
        self.values["rate"].tell(f"{signal.rate_hz:.2f} Hz of {signal.info.rate_hz:g}")
        self.values["gaps"].tell(f"{signal.gaps} gaps, {signal.lost} samples lost")
        drift = 1e6 * (signal.rate_hz / signal.info.rate_hz - 1)
        where = "this computer" if not signal.offset_s else f"offset {1e3 * signal.offset_s:+.1f} ms"
        self.values["clock"].tell(f"{where}, {drift:+.0f} ppm")
        age = feed.now() - signal.time_of(signal.rows.total - 1)
        self.values["age"].tell("–" if math.isnan(age) else f"{1e3 * age:.0f} ms")
