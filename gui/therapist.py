"""The therapist window: one button for start, break and going on, and an emergency stop."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QPushButton, QSizePolicy, QVBoxLayout, QWidget

from bci.errors import BciError
from gui.context import Context
from gui.text import Label
from gui.widgets.guard import STATES, guard_state, stop_button, told
from gui.widgets.session import PHASES, SessionPanel
from gui.widgets.streams import health

EVERY = 6


class TherapistWindow(QWidget):
    """A window for people who look at the patient, not at the screen.

    The button starts the session that was last set up in the operator window, begins a break, and ends it.

    Parameters
    ----------
    context : Context
    """

    TITLE = "Therapist"

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self.setProperty("panel", "true")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setWindowTitle("bci – therapist")
        self.resize(760, 560)
        self._session = SessionPanel(context)
        self._break = False
        self.state = Label("", "huge")
        self.state.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.detail = Label("", wrap=True)
        self.detail.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.button = QPushButton("Start")
        self.button.setProperty("role", "primary")
        self.button.setMinimumSize(QSize(200, 120))
        self.button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.button.clicked.connect(self.press)
        self.end = QPushButton("End session")
        self.end.setMinimumHeight(44)
        self.end.clicked.connect(self._session.finish)
        self.stop = stop_button(context, "therapist window")
        self.stop.setMinimumHeight(90)
        self.more = QPushButton("All details")
        self.more.clicked.connect(lambda: self._open("operator"))
        box = QVBoxLayout(self)
        box.setContentsMargins(28, 24, 28, 20)
        box.setSpacing(14)
        for widget, stretch in ((self.state, 0), (self.detail, 0), (self.button, 3), (self.stop, 1), (self.end, 0)):
            box.addWidget(widget, stretch)
        box.addWidget(self.more, 0, Qt.AlignmentFlag.AlignRight)
        context.ticked.connect(self._tick)
        context.themed.connect(self._dress)
        self._dress()
        self.refresh()

    def _dress(self) -> None:
        look = "font-size: 26pt; font-weight: 600; border-radius: 12px;"
        self.button.setStyleSheet(f"QPushButton {{ {look} }}")
        self.stop.setStyleSheet("QPushButton { font-size: 20pt; border-radius: 12px; }")

    def press(self) -> None:
        """Start, begin a break or end it, whichever is next."""
        if not self._running():
            self._session.begin()
        elif self._break:
            self._context.control.resume("therapist: go on")
            self._break = not self._context.control.may("resume")
        else:
            self._context.control.freeze("therapist: break")
            self._break = True
        self.refresh()

    def refresh(self) -> None:
        """Show the state in a few words."""
        feed = self._context.feed
        phase = feed.session.phase(feed.now())
        running = self._running()
        self._break = self._break and running
        words = "Break" if self._break else {"running": "Running", "none": "Ready"}.get(phase, PHASES.get(phase, phase))
        loud = guard_state(self._context)[0] == "unconfirmed"
        self.state.tell("✖ NEUTRAL NOT CONFIRMED" if loud else words, "alarm" if loud else "huge")
        self.button.setText("Go on" if self._break else "Take a break" if running else "Start")
        self.end.setEnabled(running)
        guard, report = guard_state(self._context)
        sign, word, meaning, _ = STATES[guard]
        self._session.refresh()
        problem = self._session.status.text() if self._session.status.property("role") == "bad" else ""
        why = f"{meaning}: {told(report)}" if loud else told(report) or meaning
        lines = [f"signal: {health(self._context)[1]}", f"{sign} {word.lower()}: {why}", problem, self._context.control.problem]
        self.detail.tell("   ·   ".join(part for part in lines if part), "bad" if loud else "")

    def _running(self) -> bool:
        feed = self._context.feed
        return feed.session.phase(feed.now()) in ("waiting", "settling", "running", "lost")

    def _open(self, name: str) -> None:
        try:
            self._context.open(name)
        except BciError as error:
            self._context.feed.say("bad", "window", str(error))

    def _tick(self) -> None:
        if self.isVisible() and self._context.ticks % EVERY == 0:
            self.refresh()
