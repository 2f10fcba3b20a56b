"""Page six: the live session with its feedback, and its replay."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSize
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QPushButton, QSizePolicy, QVBoxLayout

from bci.errors import BciError
from gui.context import Context
from gui.launch import StartedProcess
from gui.presentation.displays import share_display
from gui.text import Label
from gui.widgets.decoder import DecoderPanel
from gui.widgets.guard import STATES, guard_state, told
from gui.widgets.session import PHASES
from gui.widgets.streams import health
from gui.wizard.calibration_run import last_object
from gui.wizard.form import WizardPage
from gui.wizard.plan import WizardPlan

PATIENCE_S = 8.0


class LivePage(WizardPage):
    """Starts and ends the session; opens the windows that belong to it.

    Parameters
    ----------
    context : Context
    """

    TITLE = "Live session"
    SHORT = "Live"

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._run: StartedProcess | None = None
        self._end_s = 0.0
        self.recording: Path | None = None
        self.model = ""
        self.plan = WizardPlan()
        self.state = Label("", "huge", wrap=True)
        self.detail = Label("", "value", wrap=True)
        self.decoder = DecoderPanel(context)
        self.decoder.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)
        self.file = Label("", "muted", wrap=True)
        self.cues = QCheckBox("show cues, one trial after another (off: free running)")
        self.cues.setChecked(True)
        self.participant = QCheckBox("participant's window")
        self.participant.setChecked(True)
        self.start = QPushButton("Start the live session")
        self.start.setProperty("role", "primary")
        self.start.clicked.connect(self.begin)
        self.operator = QPushButton("Operator window")
        self.operator.clicked.connect(lambda: self._open("operator"))
        self.pause = QPushButton("Break")
        self.pause.setCheckable(True)
        self.pause.clicked.connect(self._pause)
        self.end = QPushButton("End session")
        self.end.clicked.connect(self.finish)
        self.replay = QPushButton("Replay it")
        self.replay.clicked.connect(self.play_again)
        self._lay_out()

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        for button in (self.start, self.pause, self.end, self.operator, self.replay):
            button.setMinimumSize(QSize(116, 42))
            buttons.addWidget(button)
        buttons.addStretch(1)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(12)
        box.addWidget(self.state)
        box.addWidget(self.detail)
        box.addLayout(buttons)
        what = QHBoxLayout()
        what.setSpacing(24)
        for choice in (self.cues, self.participant):
            what.addWidget(choice)
        what.addStretch(1)
        box.addLayout(what)
        box.addWidget(self.decoder, 1)
        box.addWidget(self.file)

    @property
    def running(self) -> bool:
        """Whether the session of this page is running."""
        return self._run is not None and self._run.alive

    def begin(self) -> None:
        """Start the session in a process of its own, with the participant's window, and open the operator window."""
        if self.running or not self.model:
            return
        self._end_s, self.recording = 0.0, None
        self._context.beside = self.participant.isChecked()
        if self._context.beside:
            share_display(self.window())
        words = self.plan.run_words(self.model, self.cues.isChecked(), self.participant.isChecked())
        self._run = self._context.begin_session(words)
        self._context.feed.say("info", "window", f"session of {self.plan.subject} starts")
        self._open("operator")

    def finish(self) -> None:
        """End the session: first neutral, then the recorder and the other processes."""
        self._context.control.stop("ended in the wizard")
        self._end_s = self._context.feed.now()

    def play_again(self) -> None:
        """Open the recorded session in the replay window; if there is none, play it as a stream."""
        if self.recording is None:
            return
        if "replay" not in self._context.names():
            self._context.launcher.start("recording", ("replay", str(self.recording)))
            self._open("operator")
            return
        window = self._open("replay")
        opened = getattr(window, "open", None)
        if callable(opened):
            opened(self.recording)

    def tick(self) -> None:
        """Check whether the session has ended."""
        if self._context.ticks % self.decoder.EVERY == 0:
            self.decoder.refresh()
        if self._run is None:
            return
        if self._run.alive:
            if self._end_s and self._context.feed.now() - self._end_s > PATIENCE_S:
                self._run.process.terminate()
            return
        self._context.beside = False
        if self.recording is None:
            found = last_object(self._run.log)
            if found.get("recording"):
                self.recording = Path(str(found["recording"]))

    def refresh(self) -> None:
        """Show the state of the session."""
        feed = self._context.feed
        phase = feed.session.phase(feed.now())
        running = self.running
        failed = self._run is not None and not running and self._run.process.returncode and not self._end_s
        if failed and self._run is not None:
            self.state.tell("■ The session ended unexpectedly", "huge")
            self.detail.tell(self._run.last_words(), "bad")
        elif running:
            self.state.tell("Ending …" if self._end_s else PHASES.get(phase, phase) if phase != "none" else "Starting …", "huge")
            state, report = guard_state(self._context)
            sign, word, meaning, _ = STATES[state]
            loud = state == "unconfirmed"
            why = f"{meaning}: {told(report)}" if loud else told(report) or meaning
            self.detail.tell(f"{sign} {word if loud else word.lower()}: {why}   ·   signal: {health(self._context)[1]}",
                             "alarm" if loud else "value")  # fmt: skip
        else:
            self.state.tell("Session ended" if self.recording else "Ready" if self.model else "There is no model yet", "huge")
            self.detail.tell("" if self.model else "Finish the trials first.", "value")
        self.file.tell(f"recording {self.recording or feed.recording or '–'}")
        self.start.setEnabled(not running and bool(self.model))
        self.pause.setEnabled(running and phase == "running")
        self.end.setEnabled(running and not self._end_s)
        self.replay.setEnabled(self.recording is not None and not running)
        for box in (self.cues, self.participant):
            box.setEnabled(not running)

    def _pause(self, on: bool) -> None:
        if on:
            self._context.control.freeze("break")
        else:
            self._context.control.resume("break is over")

    def _open(self, name: str) -> object:
        try:
            return self._context.open(name)
        except BciError as error:
            self._context.feed.say("bad", "window", str(error))
            return None
