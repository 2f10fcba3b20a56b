"""A picture of one trial of a protocol: what the person sees and hears, and when."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from bci.paradigm.protocol import CalibrationProtocol
from gui import theme
from gui.context import Context

LANE, GAP, FOOT, NAMES = 24, 8, 22, 74


class TrialPicture(QWidget):
    """Cross, tone, cue, feedback and pause over time.

    Parameters
    ----------
    context : Context
    """

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._protocol: CalibrationProtocol | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMinimumSize(QSize(260, 4 * (LANE + GAP) + FOOT))
        self.setAccessibleName("one trial over time")
        context.themed.connect(self.update)

    def show_protocol(self, protocol: CalibrationProtocol) -> None:
        """Draw a trial of this protocol.

        Parameters
        ----------
        protocol : CalibrationProtocol
        """
        self._protocol = protocol
        self.setFixedHeight(len(self.bars()) * (LANE + GAP) + FOOT)
        self.update()

    def bars(self) -> list[tuple[str, float, float, int]]:
        """Return name, begin and end in seconds, and colour number of each part of a trial."""
        if self._protocol is None:
            return []
        p = self._protocol.paradigm
        bars = [("cross", 0.0, p.stop_s, 6), ("cue", p.cue_s, p.cue_stop_s or p.stop_s, 0)]
        if p.beep_s is not None:
            bars.insert(0, ("tone", p.beep_s, p.beep_s + 0.15, 1))
        if p.feedback_s is not None:
            bars.append(("feedback", p.feedback_s, p.stop_s, 2))
        return [*bars, ("pause", p.stop_s, p.stop_s + p.pause_s[1], 3)]

    def paintEvent(self, event: QPaintEvent) -> None:
        """One frame."""
        if self._protocol is None:
            return
        painter, palette, bars = QPainter(self), self._context.palette, self.bars()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(theme.font(9))
        total_s = bars[-1][2]
        width = self.width() - NAMES - 16
        bottom = len(bars) * (LANE + GAP)

        def x_of(time_s: float) -> float:
            return NAMES + time_s / total_s * width

        for second in range(int(total_s) + 1):
            painter.setPen(QPen(QColor(palette.line), 1))
            painter.drawLine(QPointF(x_of(second), 0), QPointF(x_of(second), bottom))
            painter.setPen(QColor(palette.muted))
            text = f"{second} s" if second == int(total_s) else str(second)
            painter.drawText(QRectF(x_of(second) - 20, bottom + 2, 40, 16), int(Qt.AlignmentFlag.AlignCenter), text)
        for i, (name, begin_s, end_s, ink) in enumerate(bars):
            top = i * (LANE + GAP) + GAP / 2
            painter.setPen(QColor(palette.ink))
            place = QRectF(0, top, NAMES - 8, LANE)
            painter.drawText(place, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), name)
            colour = theme.colour(palette.of_class(ink), 210)
            dense = Qt.BrushStyle.BDiagPattern if name == "pause" else Qt.BrushStyle.SolidPattern
            painter.setPen(QPen(colour, 1))
            painter.setBrush(QBrush(colour, dense))
            painter.drawRoundedRect(QRectF(x_of(begin_s), top, max(5.0, x_of(end_s) - x_of(begin_s)), LANE), 4, 4)
