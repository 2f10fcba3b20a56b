"""Scrolling signals: scale, filter of the screen, pause and scroll back, markers; a click marks a channel bad."""

from __future__ import annotations

import math
from dataclasses import replace

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QComboBox, QHBoxLayout, QPushButton, QScrollBar, QVBoxLayout, QWidget

from gui.context import Context
from gui.sanitise import sanitise
from gui.widgets.trace_view import SCALES_UV, SECONDS, TraceView, neighbour

HIGH_PASS_HZ = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0)
LOW_PASS_HZ = (0.0, 15.0, 30.0, 40.0, 70.0, 100.0)
NOTCH_HZ = (0.0, 50.0, 60.0)
LEAST_PX, ONE_ROW_PX = 58, 690


class TracesPanel(QWidget):
    """The panel of the signals and their controls.

    Parameters
    ----------
    context : Context
    """

    TITLE = "Signals"
    EVERY = 1

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.setProperty("panel", "true")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._context = context
        self.view = TraceView(context)
        self.length = _choice("Length", [(f"{s:g} s", s) for s in SECONDS], self.view.seconds)
        self.scale = _choice("Scale", [(f"{s:g} µV", s) for s in SCALES_UV], self.view.scale_uv)
        self.high_pass = _choice(
            "High-pass", [("no high-pass" if not f else f"from {f:g} Hz", f) for f in HIGH_PASS_HZ], self.view.filter.high_pass_hz
        )
        self.low_pass = _choice(
            "Low-pass", [("no low-pass" if not f else f"to {f:g} Hz", f) for f in LOW_PASS_HZ], self.view.filter.low_pass_hz
        )
        self.notch = _choice("Notch", [("no notch" if not f else f"notch {f:g}", f) for f in NOTCH_HZ], self.view.filter.notch_hz)
        self.fit = QPushButton("Fit")
        self.fit.setAccessibleName("fit scale to the signal")
        self.hold = QPushButton("Pause")
        self.hold.setCheckable(True)
        self.hold.setFixedWidth(86)
        self.place = QScrollBar(Qt.Orientation.Horizontal)
        self.place.setAccessibleName("scroll back")
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        self._bar = bar = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        bar.setContentsMargins(8, 5, 8, 2)
        bar.setSpacing(5)
        for group in ((self.length, self.scale, self.fit, self.hold), (self.high_pass, self.low_pass, self.notch)):
            row = QHBoxLayout()
            row.setSpacing(5)
            for widget in group:
                row.addWidget(widget)
            row.addStretch(1)
            bar.addLayout(row)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(0)
        box.addLayout(bar)
        box.addWidget(self.view, 1)
        box.addWidget(self.place)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Put the filters in a second row if the panel is narrow."""
        super().resizeEvent(event)
        narrow = event.size().width() < ONE_ROW_PX
        self._bar.setDirection(QBoxLayout.Direction.TopToBottom if narrow else QBoxLayout.Direction.LeftToRight)

    def _connect(self) -> None:
        for choice in (self.length, self.scale, self.high_pass, self.low_pass, self.notch):
            choice.currentIndexChanged.connect(self._chosen)
        self.fit.clicked.connect(self.fit_scale)
        self.hold.toggled.connect(lambda on: self.view.pause() if on else self.view.resume())
        self.place.sliderMoved.connect(self._slid)
        self.view.marked.connect(self.mark)
        self.view.moved.connect(self._moved)
        self.view.scaled.connect(self._scaled)

    def refresh(self) -> None:
        """Show what is new."""
        self.view.refresh()
        signal = self.view.signal
        if signal is None:
            return
        page = round(self.view.seconds * signal.info.rate_hz)
        lowest = min(signal.rows.first + page, signal.rows.total)
        if not self.place.isSliderDown():
            self.place.setPageStep(page)
            self.place.setRange(lowest, signal.rows.total)
            self.place.setValue(signal.rows.total if self.view.paused_at is None else self.view.paused_at)

    def mark(self, label: str, bad: bool) -> None:
        """Ask the engine to treat a channel as bad, or good again; it is shown at once.

        Parameters
        ----------
        label : str
            Name of the channel.
        bad : bool
            Whether it is bad, or good again.
        """
        word = sanitise(label, 40)
        (self.view.local_bad.add if bad else self.view.local_bad.discard)(word)
        if not bad:
            self._context.feed.session.bad.pop(word, None)
        self._context.control.mark([label], bad)
        self._context.feed.say("info", "window", f"channel {word} marked {'bad' if bad else 'good'} by a person")
        self.view.update()

    def fit_scale(self) -> None:
        """Choose the scale at which the lines do not touch."""
        columns = self.view._columns
        size = columns.size() if columns is not None else math.nan
        if math.isfinite(size):
            self.view.scale_uv = next((s for s in SCALES_UV if s >= size), SCALES_UV[-1])
            self._scaled()
            self.view.update()

    def step_scale(self, step: int) -> None:
        """Choose the next scale, larger (1) or smaller (-1).

        Parameters
        ----------
        step : int
            1 or -1.
        """
        self.view.scale_uv = neighbour(SCALES_UV, self.view.scale_uv, step)
        self._scaled()
        self.view.update()

    def _chosen(self) -> None:
        self.view.seconds = self.length.currentData()
        self.view.scale_uv = self.scale.currentData()
        self.view.filter = replace(
            self.view.filter,
            high_pass_hz=self.high_pass.currentData(),
            low_pass_hz=self.low_pass.currentData(),
            notch_hz=self.notch.currentData(),
        )
        self.view.forget()

    def _scaled(self) -> None:
        for choice, value in ((self.length, self.view.seconds), (self.scale, self.view.scale_uv)):
            choice.blockSignals(True)
            choice.setCurrentIndex(choice.findData(value))
            choice.blockSignals(False)

    def _moved(self) -> None:
        held = self.view.paused_at is not None
        self.hold.blockSignals(True)
        self.hold.setChecked(held)
        self.hold.blockSignals(False)
        self.hold.setText("Go live" if held else "Pause")

    def _slid(self, row: int) -> None:
        if row >= self.place.maximum():
            self.view.resume()
        else:
            self.view.show_until(row)


def _choice(name: str, entries: list[tuple[str, float]], value: float) -> QComboBox:
    made = QComboBox()
    made.setAccessibleName(name)
    made.setToolTip(f"{name} on the screen only. Decoding has its own filters.")
    for text, data in entries:
        made.addItem(text, data)
    made.setCurrentIndex(max(0, made.findData(value)))
    made.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
    made.setMinimumWidth(LEAST_PX)  # beside the participant's window there is little room
    return made
