"""The spectrum panel, with mains hum and alpha rhythm."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QVBoxLayout, QWidget

from gui.analysis import Alpha, alpha, hum
from gui.context import Context
from gui.sanitise import sanitise
from gui.store import SignalStore
from gui.text import Label
from gui.widgets.plot import Plot, pen

TOP_HZ = 70.0
ALPHA_DB = 3.0


class SpectrumPanel(QWidget):
    """Power spectral density of one channel, or of the median channel with the range over all.

    Parameters
    ----------
    context : Context
    """

    TITLE = "Spectrum"
    EVERY = 15

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.setProperty("panel", "true")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._context = context
        self._signal: SignalStore | None = None
        self.channel = QComboBox()
        self.channel.setAccessibleName("channel")
        self.channel.addItem("median of all", -1)
        self.line = Label("", "muted", elastic=True)
        self.alpha = Label("", "muted", elastic=True)
        self.alpha.setToolTip("The highest peak between 8 and 13 Hz, above the 1/f background")
        self.plot = Plot(context, "Hz", "dB (µV²/Hz)")
        self.plot.setXRange(0, TOP_HZ, padding=0)
        self._curve = self.plot.plot([], [])
        self._low, self._high = self.plot.plot([], []), self.plot.plot([], [])
        context.themed.connect(self._dress)
        self._dress()
        top = QHBoxLayout()
        top.setContentsMargins(8, 6, 8, 0)
        top.addWidget(self.channel)
        words = QVBoxLayout()
        words.setContentsMargins(8, 0, 0, 0)
        words.setSpacing(0)
        words.addWidget(self.alpha)
        words.addWidget(self.line)
        top.addLayout(words, 1)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(0)
        box.addLayout(top)
        box.addWidget(self.plot, 1)

    def _dress(self) -> None:
        palette = self._context.palette
        self._curve.setPen(pen(palette.accent, 1.5))
        for curve in (self._low, self._high):
            curve.setPen(pen(palette.line))

    def refresh(self) -> None:
        """Draw the newest spectrum."""
        signal = self._context.feed.signal
        if signal is None:
            self.alpha.tell("no signal")
            return
        if signal is not self._signal:
            self._signal = signal
            self.channel.clear()
            self.channel.addItem("median of all", -1)
            for i, label in enumerate(signal.info.labels):
                self.channel.addItem(sanitise(label, 24), i)
        found = self._context.analysis.spectra(signal)
        if found is None:
            return
        shown = [i for i, c in enumerate(signal.info.channels) if c.type == "EEG"] or list(range(len(signal.info.channels)))
        inside = (found.hz >= 0.5) & (found.hz <= TOP_HZ)
        hz, density = found.hz[inside], np.maximum(found.density[inside][:, shown], 1e-9)
        chosen = self.channel.currentData()
        one = density[:, shown.index(chosen)] if chosen in shown else np.median(density, axis=1)
        self._curve.setData(hz, 10 * np.log10(one))
        if len(shown) > 1:
            self._low.setData(hz, 10 * np.log10(density.min(axis=1)))
            self._high.setData(hz, 10 * np.log10(density.max(axis=1)))
        line_hz = self._context.analysis.line_hz
        amplitude = hum(found, line_hz)
        level = amplitude[chosen] if chosen in shown else float(np.median(amplitude[shown]))
        self.line.tell(f"mains {line_hz:g} Hz: {level:.1f} µV")
        self.alpha.tell(_alpha_words(alpha(hz, one)))


def _alpha_words(found: Alpha | None) -> str:
    if found is None:
        return "alpha: not measurable"
    if found.above_db < ALPHA_DB:
        return f"no alpha ({found.above_db:+.0f} dB, {found.peak_hz:g} Hz)"
    return f"alpha {found.peak_hz:g} Hz: {found.above_db:+.0f} dB"
