"""The session panel: person, amplifier, progress, and notes for the recording."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from bci import plugins
from bci.stream.stream_query import StreamQuery
from gui.context import Context
from gui.launch import StartedProcess
from gui.sanitise import recording_name, sanitise
from gui.text import Label
from gui.trials import confirmed
from gui.widgets.browser import with_browser

LINES_HZ = (50.0, 60.0)
SIMULATED = "simulated"
STREAM = "stream"


@dataclass(frozen=True, slots=True)
class SessionChoices:
    """The entries of the session panel.

    Parameters
    ----------
    subject, session : str
        Pseudonym and session label: letters and digits.
    model : str
        Model file.
    amplifier : str
        ``"stream"``: the one that is looked at; else a name under ``bci.sources``.
    source_id : str
        Of the stream that is looked at.
    montage : str
        Montage file.
    out : str
        Folder for recordings.
    """

    subject: str
    session: str
    model: str
    amplifier: str
    source_id: str = ""
    montage: str = ""
    out: str = ""

    def words(self) -> tuple[str, ...]:
        """Return the arguments of ``bci`` that run this session."""
        words = ["run", "--headless", "--model", self.model, "--subject", self.subject, "--set", f"record.session={self.session}"]
        if self.out:
            words += ["--out", self.out]
        if self.montage:
            words += ["--set", f"stream.montage={self.montage}"]
        if self.amplifier == SIMULATED:
            return (*words, "--simulate")
        if self.amplifier == STREAM:
            return (*words, "--stream", StreamQuery(source_id=self.source_id).words() or "type=EEG")
        return (*words, "--device", "--set", f"source.name={self.amplifier}")

    def problem(self) -> str:
        """Return why this session cannot be started, or ""."""
        if not self.subject.isalnum() or not self.session.isalnum():
            return "Pseudonym and session may contain only letters and digits."
        if not Path(self.model).is_file():
            return "Choose a model file. bci calibrate and bci train write one."
        if self.montage and not Path(self.montage).is_file():
            return "The montage file does not exist."
        return ""


class SessionPanel(QWidget):
    """Form, progress and notes.

    Parameters
    ----------
    context : Context
    """

    TITLE = "Session"
    EVERY = 15

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.setProperty("panel", "true")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._context = context
        self._run: StartedProcess | None = None
        remembered = context.settings.value
        self.subject = _field("pseudonym", str(remembered("session/subject", "P001")))
        self.session = _field("session", str(remembered("session/session", "S001")))
        self.model = _field("model file", str(remembered("session/model", "")))
        self.montage = _field("montage file", str(remembered("session/montage", "")))
        self.amplifier = QComboBox()
        self.amplifier.setAccessibleName("amplifier")
        self.amplifier.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.amplifier.setMinimumContentsLength(6)
        self.amplifier.addItem("the stream shown", STREAM)
        for name in plugins.names(plugins.SOURCES):
            self.amplifier.addItem(sanitise(name, 30), name)
        self.amplifier.setCurrentIndex(max(0, self.amplifier.findData(str(remembered("session/amplifier", STREAM)))))
        self.line = QComboBox()
        self.line.setAccessibleName("line frequency")
        for hz in LINES_HZ:
            self.line.addItem(f"{hz:g} Hz", hz)
        self.line.setCurrentIndex(max(0, self.line.findData(context.analysis.line_hz)))
        self.line.currentIndexChanged.connect(self._line_changed)
        self.notes = _field("note: Enter records it", "")
        self.notes.setMaxLength(500)
        self.notes.returnPressed.connect(self._note)
        self.status = Label("no session", "value", wrap=True)
        self.progress = Label("", "muted", wrap=True)
        self.file = Label("", "muted", wrap=True)
        self.start = QPushButton("Start")
        self.start.setProperty("role", "primary")
        self.start.clicked.connect(self.begin)
        self.pause = QPushButton("Break")
        self.pause.setCheckable(True)
        self.pause.clicked.connect(self._pause)
        self.end = QPushButton("End")
        self.end.clicked.connect(self.finish)
        self._lay_out()

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(2)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        rows = (
            ("Pseudonym", self.subject), ("Session", self.session), ("Amplifier", self.amplifier),
            ("Model", with_browser(self.model, "Models (*.safetensors)")),
            ("Montage", with_browser(self.montage, "Montages (*.toml)")), ("Mains", self.line),
        )  # fmt: skip
        for name, widget in rows:
            label = Label(name, "muted")
            label.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
            form.addRow(label, widget)
        buttons = QHBoxLayout()
        for button, stretch in ((self.start, 2), (self.pause, 1), (self.end, 1)):
            button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            button.setMinimumWidth(50)
            button.setProperty("role", button.property("role") or "small")
            buttons.addWidget(button, stretch)
        buttons.setSpacing(4)
        inner = QWidget()
        inner.setProperty("panel", "true")
        inner.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        box = QVBoxLayout(inner)
        box.setContentsMargins(10, 6, 10, 6)
        box.setSpacing(4)
        for widget in (self.status, self.progress, self.file):
            box.addWidget(widget)
        box.addLayout(buttons)
        box.addLayout(form)
        box.addWidget(self.notes)
        box.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(inner)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(area)

    def plan(self) -> SessionChoices:
        """Return the entries."""
        stream = self._context.feed.signal_stream
        return SessionChoices(
            self.subject.text().strip(),
            self.session.text().strip(),
            self.model.text().strip(),
            str(self.amplifier.currentData()),
            stream.source_id if stream is not None else "",
            self.montage.text().strip(),
            str(self._context.settings.value("session/out", "")),
        )

    def begin(self) -> None:
        """Start the session in a process that outlives this window."""
        plan = self.plan()
        problem = plan.problem()
        if problem:
            self.status.tell(problem, "bad")
            return
        for key in ("subject", "session", "model", "montage", "amplifier"):
            self._context.settings.setValue(f"session/{key}", getattr(plan, key))
        self._run = self._context.begin_session(plan.words())
        self._context.feed.say("info", "window", f"session of {plan.subject} starts")

    def finish(self) -> None:
        """End the session: first neutral, then the recorder and the other processes."""
        self._context.control.stop("ended in the operator window")
        if self._run is not None:
            self._context.launcher.stop(self._run)

    def refresh(self) -> None:
        """Show the progress."""
        feed = self._context.feed
        phase = feed.session.phase(feed.now())
        running = phase not in ("none", "stopped", "silent")
        if self._run is not None and not self._run.alive and self._run.process.returncode not in (0, None) and not running:
            self.status.tell(self._run.last_words() or "The session did not start.", "bad")
        elif self._run is not None and self._run.alive and phase == "none":
            self.status.tell("starting …", "value")
        else:
            self.status.tell(PHASES.get(phase, phase), "good" if phase == "running" else "value")
        self.start.setEnabled(not running and not (self._run is not None and self._run.alive))
        self.pause.setEnabled(running)
        self.end.setEnabled(running or (self._run is not None and self._run.alive))
        cues = [found[0] for event in feed.events if (found := confirmed(event)) is not None]
        counts = [f"{sanitise(c, 20)} {cues.count(c)}" for c in feed.session.classes]
        state = feed.session.state
        seconds = state.consumed / max(1.0, state.rate_hz) if state is not None and math.isfinite(state.rate_hz) else 0.0
        minutes = f"{int(seconds) // 60}:{int(seconds) % 60:02d} min"
        self.progress.tell(f"{minutes}, {len(cues)} trials ({', '.join(counts)})" if running else "")
        self.file.tell(f"recording {recording_name(feed.recording)}" if feed.recording else "")

    def _pause(self, on: bool) -> None:
        if on:
            self._context.control.freeze("break")
        else:
            self._context.control.resume("break is over")

    def _note(self) -> None:
        text = self.notes.text().strip()
        if text:
            self._context.control.note(text)
            self._context.feed.say("info", "window", f"note: {text}")
            self.notes.clear()

    def _line_changed(self) -> None:
        self._context.analysis.line_hz = self.line.currentData()
        self._context.settings.setValue("line_hz", self.line.currentData())


PHASES = {
    "none": "no session", "waiting": "waiting for data", "settling": "filters are settling", "running": "● running",
    "lost": "■ stream lost", "stopped": "ended", "silent": "■ the engine does not answer",
}  # fmt: skip


def _field(name: str, text: str) -> QLineEdit:
    made = QLineEdit(text)
    made.setPlaceholderText(name)
    made.setAccessibleName(name)
    made.setMinimumWidth(40)
    return made
