"""The recorded and the recomputed decision at one time."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from bci.engine.outcome import Reason
from gui import theme
from gui.context import Context
from gui.replay.values import Track
from gui.sanitise import sanitise
from gui.text import Label

BAR, LEFT = 18, 96
REASONS = {
    Reason.DECIDED: "decided", Reason.IDLE: "below threshold", Reason.REFILL: "window not full", Reason.BRIDGED: "too much lost",
    Reason.NONFINITE: "not a number", Reason.QUALITY: "bad signal", Reason.DECODER: "decoder failed",
    Reason.SKIPPED: "skipped", Reason.FROZEN: "paused",
}  # fmt: skip


class DecisionView(QWidget):
    """One track at one time: the decision, the reason, and the evidence of each class.

    Parameters
    ----------
    context : Context
    title : str
    """

    def __init__(self, context: Context, title: str) -> None:
        super().__init__()
        self._title = Label(title, "muted")
        self.word = Label("–", "big", elastic=True)
        self.why = Label("", "muted", elastic=True)
        self.bars = Bars(context)
        box = QVBoxLayout(self)
        box.setContentsMargins(10, 4, 10, 4)
        box.setSpacing(1)
        for widget in (self._title, self.word, self.why, self.bars):
            box.addWidget(widget)

    def show_at(self, track: Track | None, time_s: float) -> None:
        """Show the newest window that ended by this time.

        Parameters
        ----------
        track : Track or None
            None: there is none.
        time_s : float
        """
        place = track.at(time_s) if track is not None else None
        if track is None or place is None:
            self.word.tell("–")
            self.why.tell("not computed" if track is None else "before the first window")
            self.bars.show_values((), np.empty(0))
            return
        decision = int(track.decisions[place])
        self.word.tell(sanitise(track.classes[decision], 40) if decision >= 0 else "nothing")
        reason = int(track.reasons[place])
        self.why.tell(REASONS.get(Reason(reason), "") if reason in set(Reason) else f"reason {reason}")
        self.bars.show_values(track.classes, track.evidence[place])


class Bars(QWidget):
    """Evidence of each class, 0 to 1."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._classes: tuple[str, ...] = ()
        self._values = np.empty(0)
        self.setMinimumSize(QSize(120, 2 * BAR))
        context.themed.connect(self.update)

    def show_values(self, classes: tuple[str, ...], values: np.ndarray) -> None:
        """Show these.

        Parameters
        ----------
        classes : tuple of str
            Names of the classes.
        values : ndarray
            One for each electrode, class or cell.
        """
        if len(classes) != len(self._classes):
            self.setMinimumHeight(max(2, len(classes)) * BAR)
        self._classes, self._values = classes, values
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """One frame."""
        painter, palette = QPainter(self), self._context.palette
        painter.setFont(theme.font(8.5))
        for i, (class_, value) in enumerate(zip(self._classes, self._values.tolist(), strict=True)):
            room = QRectF(LEFT, i * BAR + 3, max(1, self.width() - LEFT - 40), BAR - 6)
            painter.fillRect(room, QColor(palette.raised))
            painter.setPen(QColor(palette.ink))
            name = painter.fontMetrics().elidedText(sanitise(class_, 40), Qt.TextElideMode.ElideRight, LEFT - 8)
            painter.drawText(QRectF(0, i * BAR, LEFT - 6, BAR), int(Qt.AlignmentFlag.AlignVCenter), name)
            if np.isfinite(value):
                filled = QRectF(room.left(), room.top(), room.width() * min(max(value, 0.0), 1.0), room.height())
                painter.fillRect(filled, QColor(palette.of_class(i)))
                painter.drawText(QRectF(room.right() + 4, i * BAR, 36, BAR), int(Qt.AlignmentFlag.AlignVCenter), f"{value:.2f}")
