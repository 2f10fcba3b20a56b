"""A topographic map whose electrodes can be selected."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen

from bci.engine.chunk import BoolArray, FloatArray
from gui.context import Context
from gui.widgets.head import head_rect, place
from gui.widgets.topography import TopographicMap

NEAR_PX = 14.0


class SelectableMap(TopographicMap):
    """A click on an electrode selects or deselects its channel. Selected ones have a ring, significant ones a larger dot.

    Parameters
    ----------
    context : Context

    Attributes
    ----------
    toggled : Signal(str)
    """

    toggled = Signal(str)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.labels: tuple[str, ...] = ()
        self.chosen: tuple[str, ...] = ()
        self._sure: BoolArray = np.empty(0, bool)
        self._pointed = ""
        self.setMouseTracking(True)
        self.setAccessibleName("r² over the head")
        context.themed.connect(self.update)

    def use_labels(self, labels: tuple[str, ...], places: FloatArray) -> None:
        """Set the electrodes of the following maps, and their names.

        Parameters
        ----------
        labels : tuple of str
            Names of channels.
        places : ndarray
            x to the right and y to the front, 1 at the rim of the head.
        """
        self.labels = labels
        self.use(places)

    def mark(self, chosen: tuple[str, ...], pointed: str, sure: BoolArray) -> None:
        """Mark the selected channels, that of the cursor, and the significant ones, shape (n_electrodes,).

        Parameters
        ----------
        chosen : tuple of str
            Selected channels; empty: all.
        pointed : str
            Channel of the cursor.
        sure : ndarray
            Where the value is significant.
        """
        self.chosen, self._pointed, self._sure = chosen, pointed, sure
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """One frame."""
        super().paintEvent(event)
        if not len(self._places):
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        head = head_rect(QRectF(self.rect()))
        for i, (label, at) in enumerate(zip(self.labels, self._places, strict=True)):
            middle = place(head, at)
            if i < len(self._sure) and self._sure[i]:
                painter.setPen(QPen(QColor("#ffffff"), 1))
                painter.setBrush(QColor("#000000"))
                painter.drawEllipse(middle, 3.2, 3.2)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            for width, colour in ((3.4, "#ffffff"), (1.6, "#000000")) if label in self.chosen else ():
                painter.setPen(QPen(QColor(colour), width))
                painter.drawEllipse(middle, 6.5, 6.5)
            if label == self._pointed:
                painter.setPen(QPen(QColor(self._context.palette.stop), 2))
                painter.drawRect(QRectF(middle.x() - 9, middle.y() - 9, 18, 18))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Select the nearest electrode."""
        if event.button() != Qt.MouseButton.LeftButton or not len(self._places):
            return
        head, at = head_rect(QRectF(self.rect())), event.position()
        ways = [place(head, p) - at for p in self._places]
        far = np.array([np.hypot(w.x(), w.y()) for w in ways])
        if far.min() <= NEAR_PX:
            self.toggled.emit(self.labels[int(far.argmin())])
