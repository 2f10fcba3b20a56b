"""Page four: the trials and their results so far."""

from __future__ import annotations

from PySide6.QtCore import QSize
from PySide6.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout, QWidget

from bci.explore.exploration import Exploration
from gui.background import Background
from gui.context import Context
from gui.explorer.curves import ErdsMaps
from gui.explorer.feature_map import FeatureMap
from gui.message_values import CalibrationProgress, Question
from gui.sanitise import sanitise
from gui.text import Label
from gui.wizard.calibration_run import OVER, CalibrationRun
from gui.wizard.form import WizardPage
from gui.wizard.learning import LearningCurve
from gui.wizard.separation import Separation

WORK = "gui.wizard.separation:SeparationJobs"
PHASES = {
    "idle": "Nothing is running", "starting": "Starting …", "checking": "Checking the signal …", "ready": "Ready to begin?",
    "baseline": "Baseline", "practice": "Practice: these trials do not count", "judging": "Break. Computing the verdict …",
    "break": "Break", "fitting": "Fitting the decoder and writing the report …", "done": "Finished",
    "stopped": "Stopped. All recorded trials are kept", "failed": "■ The calibration ended unexpectedly",
}  # fmt: skip
LEAST_REACH = 0.1
MOST, MOST_ANSWERS = 1_000_000, 9
"""Largest number of trials of a block, and of answers to a question, that is shown."""


class TrialsPage(WizardPage):
    """Progress, questions, and live class separation: r² map, ERD/ERS, learning curve, verdict so far.

    Parameters
    ----------
    context : Context
    calibration : CalibrationRun
    """

    TITLE = "Trials"
    SHORT = "Trials"

    def __init__(self, context: Context, calibration: CalibrationRun) -> None:
        super().__init__()
        self._context, self._calibration = context, calibration
        self._looker = Background(WORK)
        self._looker.done.connect(self._seen)
        self._looker.failed.connect(self._not_looked)
        self._looked: tuple[object, ...] = ()
        self._asked: object = None
        self._found: Exploration | None = None
        self.phase = Label("", "big", wrap=True)
        self.detail = Label("", "muted", wrap=True)
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.verdict = Label("There is no verdict yet. One follows after each block.", "value", wrap=True)
        self.hold = QPushButton("Break")
        self.hold.setCheckable(True)
        self.hold.clicked.connect(calibration.hold)
        self.stop = QPushButton("Stop")
        self.stop.clicked.connect(self._stop)
        self.question = Label("", "value", wrap=True)
        self.answers: dict[str, QPushButton] = {}
        self.map = FeatureMap(context)
        self.map.note = "The map of r² appears after the first block."
        self.map.pointed.connect(lambda channel, _freq: self._show_erds(channel))
        self.where = Label("", "muted", elastic=True)
        self.erds = ErdsMaps(context)
        self.erds.show_channel({}, 0)
        self.erds.note.tell("The maps of ERD/ERS appear after the first block.")
        self.curve = LearningCurve(context)
        self._lay_out()

    def _lay_out(self) -> None:
        self._box = QFrame()
        self._box.setProperty("role", "card")
        row = QHBoxLayout(self._box)
        row.setContentsMargins(14, 8, 14, 8)
        row.addWidget(self.question, 1)
        self._answers = QHBoxLayout()
        row.addLayout(self._answers)
        self._box.hide()
        head, words = QHBoxLayout(), QVBoxLayout()
        words.setSpacing(2)
        for widget in (self.phase, self.detail, self.progress):
            words.addWidget(widget)
        head.addLayout(words, 1)
        for button in (self.hold, self.stop):
            button.setMinimumSize(QSize(96, 36))
            head.addWidget(button)
        pictures, right = QHBoxLayout(), QVBoxLayout()
        pictures.setSpacing(10)
        right.setSpacing(8)
        right.addWidget(_titled("ERD/ERS at the marked channel", self.erds), 1)
        right.addWidget(_titled("Accuracy so far", self.curve), 1)
        pictures.addWidget(_titled("Signed r²: where the classes differ", self.map, self.where), 5)
        pictures.addLayout(right, 5)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(8)
        box.addLayout(head)
        box.addWidget(self._box)
        box.addWidget(self.verdict)
        box.addLayout(pictures, 1)

    def forget(self) -> None:
        """Forget the last calibration."""
        self._looked, self._found = (), None
        self.curve.forget()
        self.verdict.tell("There is no verdict yet. One follows after each block.", "value")

    def close_all(self) -> None:
        """End the background process of this page."""
        self._looker.close()

    def _stop(self) -> None:
        self._calibration.stop()
        self.refresh()

    def refresh(self) -> None:
        """Show the progress."""
        calibration, heard = self._calibration, self._calibration.heard
        phase = calibration.phase
        block, blocks = heard.block, heard.blocks
        of = min(max(1, heard.of), MOST)
        done = min(max(0, heard.done), of)
        words = PHASES.get(phase, sanitise(phase, 40))
        if phase == "trials":
            held = ", break after this trial" if heard.held else ""
            words = f"Block {block} of at most {blocks}: {done} of {of} trials{held}"
        self.phase.tell("Stopping …" if calibration.stopping else words, "big")
        self.detail.tell(calibration.problem or self._detail(heard), "bad" if calibration.problem else "muted")
        self.progress.setMaximum(of)
        self.progress.setValue(done if phase == "trials" else of if phase in ("judging", "break", "fitting", "done") else 0)
        self.hold.setEnabled(phase in ("trials", "ready", "practice") and not heard.virtual)
        self.hold.setChecked(heard.held)
        self.hold.setText("Go on" if heard.held else "Break")
        self.stop.setEnabled(phase not in (*OVER, "fitting") and not calibration.stopping)
        self._ask(heard.question if calibration.running else None)
        self._judge(heard)

    def _detail(self, heard: CalibrationProgress) -> str:
        """Return the counts of trials, and the current cue."""
        counts = ", ".join(f"{sanitise(c, 24)} {n}" for c, n in heard.kept.items())
        rejected = f"; {heard.rejected} rejected" if heard.rejected else ""
        cue = f"   shown now: {sanitise(heard.cue, 24).replace('_', ' ')}" if heard.cue else ""
        said = sanitise(heard.said[-1], 120) if heard.said else ""
        return f"valid trials: {counts}{rejected}{cue}" if counts else said

    def _ask(self, question: Question | None) -> None:
        """Show the question, with a button for each answer."""
        number = question.number if question is not None else None
        if number == self._asked:
            return
        self._asked = number
        for button in self.answers.values():
            self._answers.removeWidget(button)
            button.deleteLater()
        self.answers = {}
        self._box.setVisible(question is not None)
        if question is None:
            return
        self.question.tell(question.text)
        for i, (key, what) in enumerate(list(question.choices.items())[:MOST_ANSWERS]):
            button = QPushButton(sanitise(what, 40).capitalize())
            button.setProperty("role", "primary" if i == 0 else "")
            button.setMinimumSize(QSize(110, 34))
            button.clicked.connect(lambda _=False, k=key: self._calibration.answer(k))
            self._answers.addWidget(button)
            self.answers[key] = button

    def _judge(self, heard: CalibrationProgress) -> None:
        """Show the verdict so far, and analyse the trials after each block."""
        asked = heard.question is not None and heard.question.text == sanitise(heard.line, 300)
        self.verdict.setVisible(not asked)  # it stands in the question
        if heard.line:
            self.verdict.tell(f"After block {heard.look}: {sanitise(heard.line, 300)}", "value")
        wanted = (heard.id, heard.look)
        if wanted != self._looked and heard.look > 0 and not self._looker.busy:
            self._looked = wanted
            self._looker.ask("look", list(heard.recordings), dict(heard.config))

    def _seen(self, _number: int, _method: str, seen: Separation) -> None:
        """Show the analysis of the trials."""
        self._found = found = seen.exploration
        if found is None:
            self.where.tell(seen.why)
            return
        first, second = found.power.comparisons[0]
        sure = found.power.significant[0].T
        reach = max(LEAST_REACH, float(abs(found.power.r2[0]).max()))
        self.map.show_values(found.channels, found.freqs_hz, found.power.r2[0].T, sure, reach)
        best = int(abs(found.power.r2[0]).max(axis=0).argmax())
        at = int(abs(found.power.r2[0][:, best]).argmax())
        self.map.point_at(best, at)
        n = int(sure.sum())
        told = f"{n or 'none'} of the cells {'is' if n == 1 else 'are'} significant"
        self.where.tell(f"{sanitise(first, 20)} against {sanitise(second, 20)}: largest at {found.channels[best]}; {told}")

    def _not_looked(self, _number: int, _method: str, why: str) -> None:
        self.where.tell(why)

    def _show_erds(self, channel: int) -> None:
        if self._found is not None:
            self.erds.note.tell("" if self._found.change else "The time before the cues is too short for ERD/ERS.")
            self.erds.show_channel(self._found.change, channel)


def _titled(title: str, *inside: QWidget) -> QWidget:
    made = QWidget()
    box = QVBoxLayout(made)
    box.setContentsMargins(0, 0, 0, 0)
    box.setSpacing(2)
    box.addWidget(Label(title, "muted"))
    for one in inside:
        box.addWidget(one, 1 if one is inside[0] else 0)
    return made
