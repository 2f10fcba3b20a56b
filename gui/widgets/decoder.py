"""The decoder panel: probabilities over time, threshold, dwell time, decision and accuracy."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QProgressBar, QVBoxLayout, QWidget

from bci.engine.outcome import Reason
from gui import theme
from gui.context import Context
from gui.sanitise import sanitise
from gui.text import Label
from gui.trials import Tally, confirmed, window_ends
from gui.widgets.plot import Legend, Plot, pen

SHOWN_S = 20.0
STROKES = ("━", "╍", "┅", "┉")
DASHES = (Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine, Qt.PenStyle.DotLine, Qt.PenStyle.DashDotLine)
REASONS = {
    Reason.DECIDED: "", Reason.IDLE: "evidence below threshold", Reason.REFILL: "window is not full yet",
    Reason.BRIDGED: "too many lost samples", Reason.NONFINITE: "impossible values", Reason.QUALITY: "bad signal",
    Reason.DECODER: "decoder failed", Reason.SKIPPED: "late: skipped", Reason.FROZEN: "paused",
    Reason.STALE: "data too old", Reason.LOST: "no data", Reason.OPENING: "the unit is checked",
}  # fmt: skip


class ConfusionTable(QWidget):
    """The confusion matrix: cued classes as rows, decoded classes as columns."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._tally = Tally(())
        self.setMinimumSize(QSize(110, 64))

    def show_tally(self, tally: Tally) -> None:
        """Paint this one.

        Parameters
        ----------
        tally : Tally
        """
        self._tally = tally
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """One frame."""
        painter = QPainter(self)
        palette, table, names = self._context.palette, self._tally.table, self._tally.classes
        painter.setFont(theme.font(8))
        metrics = QFontMetrics(painter.font())
        if not names:
            return
        head = min(70, max(metrics.horizontalAdvance(sanitise(n, 12)) for n in names) + 8)
        n, top = len(names), metrics.height() + 2
        cell_w, cell_h = (self.width() - head) / n, min(56.0, (self.height() - top) / n)
        painter.setPen(QColor(palette.muted))
        painter.drawText(QRectF(0, 0, head - 4, top), int(Qt.AlignmentFlag.AlignRight), "cued")
        most = max(1, int(table.sum(axis=1).max()))
        for i, name in enumerate(names):
            painter.setPen(QColor(palette.muted))
            word = metrics.elidedText(sanitise(name, 24), Qt.TextElideMode.ElideRight, int(min(head, cell_w)) - 4)
            painter.drawText(QRectF(head + i * cell_w, 0, cell_w, top), int(Qt.AlignmentFlag.AlignCenter), word)
            word = metrics.elidedText(sanitise(name, 24), Qt.TextElideMode.ElideRight, head - 4)
            box = QRectF(0, top + i * cell_h, head - 4, cell_h)
            painter.drawText(box, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), word)
            for j in range(n):
                box = QRectF(head + j * cell_w, top + i * cell_h, cell_w, cell_h).adjusted(1, 1, -1, -1)
                ink = palette.good if i == j else palette.bad
                painter.fillRect(box, theme.colour(ink, 20 + round(130 * table[i, j] / most)))
                painter.setPen(QColor(palette.ink))
                painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), str(table[i, j]))


class DecoderPanel(QWidget):
    """The panel that shows the decoder.

    Parameters
    ----------
    context : Context
    """

    TITLE = "Decoder"
    EVERY = 3

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.setProperty("panel", "true")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._context = context
        self._classes: tuple[str, ...] = ()
        self._session = ""
        self._seen = (0, 0)
        self._generation = 0
        self.tally = Tally(())
        self.word = Label("waiting", "big")
        self.reason = Label("", "muted", elastic=True)
        self.dwell = QProgressBar()
        self.dwell.setTextVisible(False)
        self.dwell.setRange(0, 1000)
        self.dwell.setAccessibleName("dwell")
        self.dwell.hide()
        self.dwell_word = Label("", "muted")
        self.key = Legend(context)
        self.plot = Plot(context, "seconds", "evidence")
        self.plot.setMaximumHeight(460)
        self.plot.setXRange(-SHOWN_S, 0, padding=0)
        self.plot.setYRange(0, 1, padding=0.02)
        self._threshold = self.plot.plot([], [])
        self._chance = self.plot.plot([], [])
        self._curves: list[object] = []
        self.table = ConfusionTable(context)
        self.accuracy = Label("no trial yet", wrap=True)
        self.after = QDoubleSpinBox()
        self.after.setRange(0.1, 30)
        self.after.setSingleStep(0.5)
        self.after.setDecimals(1)
        self.after.setSuffix(" s after cue")
        self.after.setValue(float(str(context.settings.value("decoder/stop_s", 2.5))))
        self.after.setAccessibleName("trials count so long after their cue")
        self.after.valueChanged.connect(self._count_anew)
        context.themed.connect(self._dress)
        self._lay_out()
        self._dress()

    def _lay_out(self) -> None:
        words = QHBoxLayout()
        words.addWidget(self.word)
        words.addWidget(self.reason, 1)
        dwell = QHBoxLayout()
        dwell.addWidget(self.dwell, 1)
        dwell.addWidget(self.dwell_word)
        foot = QHBoxLayout()
        foot.addWidget(self.table, 3)
        right = QVBoxLayout()
        right.addWidget(self.accuracy)
        right.addWidget(self.after)
        right.addStretch(1)
        foot.addLayout(right, 2)
        box = QVBoxLayout(self)
        box.setContentsMargins(8, 4, 8, 6)
        box.setSpacing(4)
        box.addLayout(words)
        box.addLayout(dwell)
        box.addWidget(self.key)
        box.addWidget(self.plot, 4)
        box.addLayout(foot, 1)

    def _dress(self) -> None:
        palette = self._context.palette
        self._threshold.setPen(pen(palette.ink, 1, Qt.PenStyle.DashLine))
        self._chance.setPen(pen(palette.muted, 1, Qt.PenStyle.DotLine))
        self._classes = ()  # curves and key are made anew

    def refresh(self) -> None:
        """Show the newest windows."""
        session = self._context.feed.session
        if session.classes != self._classes or session.id != self._session:
            self._begin(session.classes, session.id)
        self._show_decision()
        self._show_curves()
        self._count()

    def _begin(self, classes: tuple[str, ...], session: str) -> None:
        """Another session, or another theme."""
        palette = self._context.palette
        if session != self._session:
            self._session = session
            self._count_anew()
        self._classes = classes
        for curve in self._curves:
            self.plot.removeItem(curve)
        self._curves = [
            self.plot.plot([], [], pen=pen(palette.of_class(i), 1.6, DASHES[i % len(DASHES)])) for i in range(len(classes))
        ]
        entries = [(STROKES[i % len(STROKES)], sanitise(name, 18), palette.of_class(i)) for i, name in enumerate(classes)]
        self.key.show_entries([*entries, ("╌", "threshold", palette.ink), ("┈", "chance", palette.muted)] if classes else [])

    def _count_anew(self) -> None:
        self._context.settings.setValue("decoder/stop_s", self.after.value())
        self.tally = Tally(self._context.feed.session.classes, self.after.value())
        self._seen = (0, 0)

    def _show_decision(self) -> None:
        feed = self._context.feed
        if feed.decisions is None or not len(feed.decisions):
            self.word.tell("waiting")
            self.reason.tell("There are no decisions. Is a session running?")
            return
        decided, reason = int(feed.decisions.last("decision")), feed.decisions.last("reason")
        if 0 <= decided < len(self._classes):
            self.word.tell(self._classes[decided])
            self.word.setStyleSheet(f"color: {self._context.palette.of_class(decided)};")
            self.reason.tell(f"{100 * feed.decisions.last('confidence'):.0f} %")
        else:
            self.word.tell("neutral")
            self.word.setStyleSheet(f"color: {self._context.palette.muted};")
            self.reason.tell(reason_words(reason))
        self._show_dwell()

    def _show_dwell(self) -> None:
        """Show for how long the strongest class has been above threshold, of the dwell time."""
        feed, settings = self._context.feed, self._context.feed.session.settings
        need = settings.get("dwell_s", 0.0)
        self.dwell.setVisible(need > 0)
        self.dwell_word.tell(f"dwell {need:g} s" if need > 0 else "no dwell time")
        if need <= 0 or feed.outcomes is None or not len(feed.outcomes):
            return
        n = min(len(feed.outcomes), 500)
        evidence = np.column_stack([feed.outcomes.column(f"evidence:{c}", n) for c in self._classes])
        times = feed.outcomes.times(n)
        best = np.where(np.isfinite(evidence).all(axis=1), evidence.argmax(axis=1), -1)
        above = (np.nanmax(np.nan_to_num(evidence), axis=1) >= float(settings.get("threshold", 1.0))) & (best == best[-1])
        held = times[-1] - times[len(above) - int(np.argmin(above[::-1]))] if above[-1] and not above.all() else 0.0
        self.dwell.setValue(round(1000 * min(1.0, held / need)))

    def _show_curves(self) -> None:
        feed = self._context.feed
        if feed.outcomes is None or not len(feed.outcomes) or not self._classes:
            return
        times = feed.outcomes.times()
        n = len(times) - int(np.searchsorted(times, times[-1] - SHOWN_S))
        ago = times[-n:] - feed.now()
        for curve, name in zip(self._curves, self._classes, strict=True):
            curve.setData(ago, feed.outcomes.column(f"evidence:{name}", n), connect="finite")  # type: ignore[attr-defined]
        level = feed.session.settings.get("threshold")
        if level is not None:
            self._threshold.setData([-SHOWN_S, 0], [level, level])
        self._chance.setData([-SHOWN_S, 0], [self.tally.chance] * 2)

    def _count(self) -> None:
        """Judge the trials that have ended."""
        feed = self._context.feed
        if feed.outcomes is None or feed.timing is None:
            return
        if self.tally.classes != feed.session.classes or feed.generation != self._generation:
            self._generation = feed.generation
            self._count_anew()
        events, windows = self._seen
        for event in list(feed.events)[len(feed.events) - min(len(feed.events), feed.events_total - events) :]:
            cue = confirmed(event)
            if cue is not None:
                self.tally.cue(*cue)
        rows = feed.outcomes.since(windows)
        first = 1 + feed.outcomes.names.index(f"p:{feed.session.classes[0]}") if feed.session.classes else 0
        done = windows if rows.size == 0 else feed.outcomes.total - len(rows)
        ends = window_ends(rows, feed.timing)
        for row, end in zip(rows, ends, strict=False):
            self.tally.window(end, row[first : first + len(feed.session.classes)])
        self._seen = (feed.events_total, done + len(ends))
        self.table.show_tally(self.tally)
        self.accuracy.tell(self.tally.summary())


def reason_words(reason: float) -> str:
    """Return why there is no decision, for people.

    Parameters
    ----------
    reason : float
        As the stream of decisions sends it.

    Examples
    --------
    >>> reason_words(5.0)
    'bad signal'
    """
    try:
        return REASONS[Reason(int(reason))]
    except (ValueError, KeyError, OverflowError):
        return "unknown reason"
