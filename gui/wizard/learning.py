"""Accuracy by the number of trials, and its forecast."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from gui import theme
from gui.context import Context
from gui.message_values import JudgementReport
from gui.widgets.plot import Legend, Plot, pen

MOST_LOOKS = 100


class LearningCurve(QWidget):
    """Accuracies after each block, the learning curve, its forecast, and chance level.

    Parameters
    ----------
    context : Context
    """

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self.plot = Plot(context, "trials", "% correct")
        self.plot.setYRange(0, 100, padding=0.02)
        self.plot.setMinimumHeight(90)
        self.plot.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)
        self.key = Legend(context)
        self.looks: dict[int, tuple[int, float, float, float]] = {}
        self._judgement: JudgementReport | None = None
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(0)
        box.addWidget(self.key)
        box.addWidget(self.plot, 1)
        context.themed.connect(self._draw)

    def show_judgement(self, judgement: JudgementReport) -> None:
        """Add the judgement after a block; earlier ones stay.

        Parameters
        ----------
        judgement : JudgementReport
        """
        if judgement == self._judgement:
            return
        self._judgement = judgement
        if judgement.trials in self.looks or len(self.looks) < MOST_LOOKS:
            accuracy, low, high = 100 * judgement.accuracy, 100 * judgement.low, 100 * judgement.high
            self.looks[judgement.trials] = (judgement.trials, accuracy, low, high)
        self._draw()

    def forget(self) -> None:
        """Forget the last calibration."""
        self.looks, self._judgement = {}, None
        self.plot.clear()
        self.key.show_entries([])

    def _draw(self) -> None:
        plot, palette = self.plot, self._context.palette
        plot.clear()
        self.key.show_entries([])
        if self._judgement is None:
            return
        points = self._judgement.points
        self._draw_forecast(self._judgement)
        looks = sorted(self.looks.values())
        at, value, low, high = (np.array(column, dtype=float) for column in zip(*looks, strict=True))
        ink = palette.of_class(0)
        bars = pg.ErrorBarItem(x=at, y=value, top=high - value, bottom=value - low, beam=1.0, pen=pen(ink, 1.6))
        plot.addItem(bars)
        plot.addItem(pg.PlotDataItem(at, value, pen=pen(ink, 1.6), symbol="o", symbolSize=8, symbolBrush=ink, symbolPen=ink))
        plot.addItem(pg.InfiniteLine(100 * self._judgement.chance, angle=0, pen=pen(palette.muted, 1.2, Qt.PenStyle.DashLine)))
        last = max(float(at.max()), *(trials for trials, _ in points), 20.0)
        plot.setXRange(0, 1.08 * last, padding=0)
        entries = [("●", "after each block, 95 %", ink), ("╌", "chance", palette.muted)]
        self.key.show_entries([*entries, *([("━", "learning curve, forecast", palette.of_class(2))] if points else [])])

    def _draw_forecast(self, judgement: JudgementReport) -> None:
        if not judgement.points:
            return
        at, value = (np.array(column, dtype=float) for column in zip(*judgement.points, strict=True))
        value *= 100
        ink = self._context.palette.of_class(2)
        self.plot.addItem(pg.PlotDataItem(at, value, pen=pen(ink, 1.6), symbol="s", symbolSize=6, symbolBrush=ink, symbolPen=ink))
        low, high = (100 * x for x in judgement.forecast)
        if np.isfinite([low, high]).all():
            self.plot.addItem(pg.LinearRegionItem((low, high), "horizontal", movable=False, brush=theme.colour(ink, 26)))
