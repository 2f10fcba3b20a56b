"""The topography panel: band power over the head."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QVBoxLayout, QWidget

from bci.engine.chunk import FloatArray
from gui import theme
from gui.analysis import BANDS_HZ
from gui.context import Context
from gui.scalp import ScalpMap, can_spread, flat_places
from gui.store import SignalStore
from gui.text import Label
from gui.widgets.head import head_rect, outline, place

MAP_COLOURS = theme.colour_map()


class TopographicMap(QWidget):
    """A map of one value for each electrode.

    Parameters
    ----------
    context : Context
    """

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._map: ScalpMap | None = None
        self._places: FloatArray = np.empty((0, 2))
        self._image: np.ndarray | None = None
        self.note = ""
        self.setMinimumSize(QSize(120, 110))

    def use(self, places: FloatArray) -> None:
        """Set the electrodes of the following maps, shape (n_electrodes, 2).

        Parameters
        ----------
        places : ndarray
            x to the right and y to the front, 1 at the rim of the head.
        """
        self._places = places
        self._map = ScalpMap(places) if can_spread(places) else None
        self._image = None
        self.note = "" if self._map else "needs four or more electrodes with positions"
        self.update()

    def show_values(self, values: FloatArray, low: float, high: float) -> None:
        """Paint values, shape (n_electrodes,), with colours from ``low`` to ``high``.

        Parameters
        ----------
        values : ndarray
            One for each electrode, class or cell.
        low : float
            Smallest value.
        high : float
            Largest value.
        """
        if self._map is None:
            return
        share = (self._map(values) - low) / max(high - low, 1e-12)
        inside = np.isfinite(share)
        index = (np.clip(np.where(inside, share, 0), 0, 1) * (len(MAP_COLOURS) - 1)).astype(int)
        rgb = MAP_COLOURS[index].astype(np.uint32)
        self._image = np.ascontiguousarray(
            np.where(inside, 0xFF000000 | rgb[..., 0] << 16 | rgb[..., 1] << 8 | rgb[..., 2], 0).astype(np.uint32)
        )
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """One frame."""
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        palette = self._context.palette
        head = head_rect(QRectF(self.rect()))
        outline(painter, head, palette, palette.raised)
        if self._image is None:
            painter.setPen(QColor(palette.muted))
            painter.drawText(head, int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap), self.note or "no signal")
            return
        n = len(self._image)
        rim = QPainterPath()
        rim.addEllipse(head)
        painter.setClipPath(rim)
        grow = 0.05 * head.width() / 2
        painter.drawImage(
            head.adjusted(-grow, -grow, grow, grow), QImage(self._image.data, n, n, 4 * n, QImage.Format.Format_ARGB32)
        )
        painter.setClipping(False)
        outline(painter, head, palette)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour("#000000", 150))
        for at in self._places:
            painter.drawEllipse(place(head, at), 1.8, 1.8)


class ColourBar(QWidget):
    """The bar that explains the colours."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._ends = ("", "")
        self.setFixedHeight(30)

    def show_ends(self, low: str, high: str) -> None:
        """Show texts at both ends.

        Parameters
        ----------
        low : str
            Text for the smallest value.
        high : str
            Text for the largest value.
        """
        self._ends = (low, high)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """One frame."""
        painter = QPainter(self)
        width = min(self.width() - 20, 220)
        left = (self.width() - width) // 2
        for x in range(width):
            r, g, b = MAP_COLOURS[x * (len(MAP_COLOURS) - 1) // max(1, width - 1)].tolist()
            painter.fillRect(left + x, 2, 1, 9, QColor(r, g, b))
        painter.setPen(QColor(self._context.palette.muted))
        painter.setFont(theme.font(8))
        box = QRectF(left, 12, width, 16)
        painter.drawText(box, int(Qt.AlignmentFlag.AlignLeft), self._ends[0])
        painter.drawText(box, int(Qt.AlignmentFlag.AlignRight), self._ends[1])


class TopographyPanel(QWidget):
    """The panel that shows the power of a band over the head, relative to the median electrode.

    Parameters
    ----------
    context : Context
    """

    TITLE = "Band power"
    EVERY = 15

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.setProperty("panel", "true")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._context = context
        self._signal: SignalStore | None = None
        self._columns: list[int] = []
        self.band = QComboBox()
        self.band.setAccessibleName("band")
        for name, band in BANDS_HZ.items():
            self.band.addItem(f"{name} Hz", band)
        self.band.setCurrentIndex(2)
        self.map = TopographicMap(context)
        self.bar = ColourBar(context)
        top = QHBoxLayout()
        top.addWidget(self.band)
        top.addWidget(Label("last 4 s, relative to the median electrode", "muted", wrap=True), 1)
        box = QVBoxLayout(self)
        box.setContentsMargins(8, 6, 8, 2)
        box.setSpacing(2)
        box.addLayout(top)
        box.addWidget(self.map, 1)
        box.addWidget(self.bar)

    def refresh(self) -> None:
        """Paint the newest powers."""
        signal = self._context.feed.signal
        if signal is None:
            return
        if signal is not self._signal:
            self._signal = signal
            self._columns, places = flat_places(signal.info)
            self.map.use(places)
        spectra = self._context.analysis.spectra(signal)
        if spectra is None or not self._columns:
            return
        power = np.log10(np.maximum(spectra.power(*self.band.currentData())[self._columns], 1e-9)) * 10
        bad = self._context.feed.session.bad
        known = np.array([signal.info.labels[i] not in bad for i in self._columns])
        if known.any():
            power = np.where(known, power, np.median(power[known]))
        power -= np.median(power)
        reach = max(3.0, float(np.abs(power).max()))
        self.map.show_values(power, -reach, reach)
        self.bar.show_ends(f"−{reach:.0f} dB", f"+{reach:.0f} dB")
