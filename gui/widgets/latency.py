"""The latency panel: age of data, duration of a step, waiting and skipped windows."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QVBoxLayout, QWidget

from bci.engine.outcome import Reason
from gui.context import Context
from gui.text import Label
from gui.widgets.plot import Plot, pen

SHOWN_S = 60.0
BINS = 40
TOP_MS = 250.0
ROWS = {"age": "age of data", "step": "engine step", "command": "to actuator", "late": "late"}
TURNS = {"first": "engine has priority", "equal": "engine without priority"}
"""Whether the engine has priority over other programs (``bci doctor`` says what to do)."""


class LatencyPanel(QWidget):
    """Numbers over the last minute, and how the age of data is distributed.

    Parameters
    ----------
    context : Context
    """

    TITLE = "Latency"
    EVERY = 15

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.setProperty("panel", "true")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._context = context
        self._values: dict[str, Label] = {}
        grid = QGridLayout()
        grid.setContentsMargins(10, 6, 10, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(1)
        self._turn = Label("", "muted")
        grid.addWidget(self._turn, 0, 0)
        grid.addWidget(Label("median / 99 % / largest", "muted", elastic=True), 0, 1)
        for row, (name, text) in enumerate(ROWS.items(), start=1):
            grid.addWidget(Label(text, "muted"), row, 0)
            self._values[name] = Label("–", "value", elastic=True)
            grid.addWidget(self._values[name], row, 1)
        grid.setColumnStretch(1, 1)
        self.plot = Plot(context, "age of data, ms", "windows")
        self._bars = pg.BarGraphItem(x=[0], height=[0], width=1)
        self.plot.addItem(self._bars)
        self._limit = pg.InfiniteLine(pos=TOP_MS, angle=90)
        self.plot.addItem(self._limit)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(2)
        box.addLayout(grid)
        box.addWidget(self.plot, 1)
        context.themed.connect(self._dress)
        self._dress()

    def _dress(self) -> None:
        palette = self._context.palette
        self._bars.setOpts(brush=palette.accent, pen=palette.surface)
        self._limit.setPen(pen(palette.bad))

    def refresh(self) -> None:
        """Show the last minute."""
        timing = self._context.feed.timing
        if timing is None or not len(timing):
            return
        times = timing.times()
        n = len(times) - int(np.searchsorted(times, times[-1] - SHOWN_S))
        age, step = 1e3 * timing.column("age_s", n), 1e3 * timing.column("step_s", n)
        self._values["age"].tell(_spread(age))
        self._values["step"].tell(_spread(step))
        delays = [1e3 * c.delay_s for c in self._context.feed.commands if np.isfinite(c.delay_s)]
        self._values["command"].tell(_spread(np.array(delays)) if delays else "no actuator")
        self._values["late"].tell(self._lateness())
        self._turn.tell(TURNS.get(self._context.feed.session.scheduling, ""))
        known = age[np.isfinite(age)]
        top = max(10.0, float(np.percentile(known, 99.5)) * 1.3) if len(known) else 10.0
        counts, edges = np.histogram(known, BINS, (0.0, top))
        self._bars.setOpts(x=(edges[:-1] + edges[1:]) / 2, height=counts, width=0.9 * (edges[1] - edges[0]))
        self.plot.setXRange(0, top, padding=0)
        self.plot.setYRange(0, max(1, int(counts.max(initial=0))), padding=0.05)

    def _lateness(self) -> str:
        feed = self._context.feed
        skipped = 0
        if feed.outcomes is not None and len(feed.outcomes):
            skipped = int((feed.outcomes.column("reason") == Reason.SKIPPED).sum())
        waiting = feed.timing.last("backlog") if feed.timing is not None else 0
        return f"{skipped} skipped, {waiting:.0f} waiting"


def _spread(values: np.ndarray) -> str:
    """Median, 99th percentile and largest, milliseconds."""
    known = values[np.isfinite(values)]
    if not len(known):
        return "–"
    middle, high = np.percentile(known, (50, 99))
    return f"{middle:.1f} / {high:.1f} / {known.max():.1f} ms"
