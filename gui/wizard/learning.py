"""How accuracy grew with the number of trials, and where that leads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from gui import theme
from gui.context import Context
from gui.widgets.plot import Key, Plot, pen


class LearningCurve(QWidget):
    """Looks of the judge, the measured curve, its forecast, and chance.

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
        self.key = Key(context)
        self.looks: dict[int, tuple[int, float, float, float]] = {}
        self._judgement: dict[str, Any] = {}
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(0)
        box.addWidget(self.key)
        box.addWidget(self.plot, 1)
        context.themed.connect(self._draw)

    def show_judgement(self, judgement: dict[str, Any]) -> None:
        """A further look of the judge; what an earlier one said stays."""
        if judgement == self._judgement:
            return
        self._judgement = judgement
        try:
            trials, verdict = sum(judgement["trials"].values()), judgement["verdict"]
            self.looks[trials] = (trials, *(100 * float(verdict[key]) for key in ("accuracy", "low", "high")))
            self._draw()
        except (AttributeError, KeyError, TypeError, ValueError):  # it came over a wire: what is no judgement is not drawn
            self.forget()

    def forget(self) -> None:
        """Another calibration."""
        self.looks, self._judgement = {}, {}
        self.plot.clear()
        self.key.show_entries([])

    def _draw(self) -> None:
        plot, palette = self.plot, self._context.palette
        plot.clear()
        self.key.show_entries([])
        if not self.looks:
            return
        forecast = self._judgement.get("forecast") or {}
        self._draw_forecast(forecast)
        looks = sorted(self.looks.values())
        at, value, low, high = (np.array(column, dtype=float) for column in zip(*looks, strict=True))
        ink = palette.of_class(0)
        bars = pg.ErrorBarItem(x=at, y=value, top=high - value, bottom=value - low, beam=1.0, pen=pen(ink, 1.6))
        plot.addItem(bars)
        plot.addItem(pg.PlotDataItem(at, value, pen=pen(ink, 1.6), symbol="o", symbolSize=8, symbolBrush=ink, symbolPen=ink))
        chance = 100 * float(self._judgement["verdict"]["chance"])
        plot.addItem(pg.InfiniteLine(chance, angle=0, pen=pen(palette.muted, 1.2, Qt.PenStyle.DashLine)))
        last = max(float(at.max()), *(float(p["trials"]) for p in forecast.get("points", ())), 20.0)
        plot.setXRange(0, 1.08 * last, padding=0)
        entries = [("●", "after each block, 95 %", ink), ("╌", "chance", palette.muted)]
        self.key.show_entries([*entries, *([("━", "learning curve, forecast", palette.of_class(2))] if forecast else [])])

    def _draw_forecast(self, forecast: dict[str, Any]) -> None:
        points = forecast.get("points") or []
        if not points:
            return
        at = np.array([float(p["trials"]) for p in points])
        value = np.array([100 * float(p["accuracy"]) for p in points])
        ink = self._context.palette.of_class(2)
        self.plot.addItem(pg.PlotDataItem(at, value, pen=pen(ink, 1.6), symbol="s", symbolSize=6, symbolBrush=ink, symbolPen=ink))
        low, high = 100 * float(forecast["low"]), 100 * float(forecast["high"])
        self.plot.addItem(pg.LinearRegionItem((low, high), "horizontal", movable=False, brush=theme.colour(ink, 26)))
