"""Page four: the trials, and what they tell so far."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QSize
from PySide6.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout, QWidget

from bci.session.explore.exploration import Exploration
from gui.background import Background
from gui.context import Context
from gui.explorer.curves import ErdsMaps
from gui.explorer.feature_map import FeatureMap
from gui.text import Label
from gui.tidy import tidy
from gui.wizard.following import OVER, Calibrating
from gui.wizard.form import Page
from gui.wizard.learning import LearningCurve
from gui.wizard.separation import Seen

WORK = "gui.wizard.separation:Looker"
PHASES = {
    "idle": "Nothing is running", "starting": "Starting …", "checking": "The signal is looked at", "ready": "Ready to begin?",
    "baseline": "Baseline", "practice": "Practice: these trials do not count", "judging": "Break. The judge is working …",
    "break": "Break", "fitting": "Fitting the decoder, writing the report …", "done": "Finished",
    "stopped": "Stopped. Everything recorded is kept", "failed": "■ It ended before its time",
}  # fmt: skip
LEAST_REACH = 0.1


class TrialsPage(Page):
    """Progress, questions, and live class separation: r² map, ERD/ERS, learning curve, verdict so far.

    Parameters
    ----------
    context : Context
    calibrating : Calibrating
    """

    TITLE = "Trials"
    SHORT = "Trials"

    def __init__(self, context: Context, calibrating: Calibrating) -> None:
        super().__init__()
        self._context, self._calibrating = context, calibrating
        self._looker = Background(WORK)
        self._looker.done.connect(self._seen)
        self._looker.failed.connect(lambda _number, _method, why: self.where.tell(why))
        self._looked: tuple[object, ...] = ()
        self._asked: object = None
        self._found: Exploration | None = None
        self.phase = Label("", "big", wrap=True)
        self.detail = Label("", "muted", wrap=True)
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.verdict = Label("No verdict yet: the judge looks after each block.", "value", wrap=True)
        self.hold = QPushButton("Break")
        self.hold.setCheckable(True)
        self.hold.clicked.connect(calibrating.hold)
        self.stop = QPushButton("Stop")
        self.stop.clicked.connect(self._stop)
        self.question = Label("", "value", wrap=True)
        self.answers: dict[str, QPushButton] = {}
        self.map = FeatureMap(context)
        self.map.note = "r² of channels and frequencies: after the first block"
        self.map.pointed.connect(lambda channel, _freq: self._show_erds(channel))
        self.where = Label("", "muted", elastic=True)
        self.erds = ErdsMaps(context)
        self.erds.show_channel({}, 0)
        self.erds.note.tell("Change of power against the time before the cue: after the first block.")
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
        right.addWidget(_titled("ERD/ERS at the channel of the cursor", self.erds), 1)
        right.addWidget(_titled("Accuracy so far", self.curve), 1)
        pictures.addWidget(_titled("Signed r²: what tells the classes apart", self.map, self.where), 5)
        pictures.addLayout(right, 5)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(8)
        box.addLayout(head)
        box.addWidget(self._box)
        box.addWidget(self.verdict)
        box.addLayout(pictures, 1)

    def forget(self) -> None:
        """Another calibration."""
        self._looked, self._found = (), None
        self.curve.forget()
        self.verdict.tell("No verdict yet: the judge looks after each block.", "value")

    def close_all(self) -> None:
        """End what works for this page."""
        self._looker.close()

    def _stop(self) -> None:
        self._calibrating.stop()
        self.refresh()

    def refresh(self) -> None:
        """Show how far it is."""
        calibrating, heard = self._calibrating, self._calibrating.heard
        phase = calibrating.phase
        block, blocks = _whole(heard.get("block")), _whole(heard.get("blocks"))
        done, of = _whole(heard.get("done")), max(1, _whole(heard.get("of")))
        words = PHASES.get(phase, tidy(phase, 40))
        if phase == "trials":
            held = ", break after this trial" if heard.get("held") else ""
            words = f"Block {block} of at most {blocks}: {done} of {of} trials{held}"
        self.phase.tell("Stopping …" if calibrating.stopping else words, "big")
        self.detail.tell(calibrating.problem or self._detail(heard), "bad" if calibrating.problem else "muted")
        self.progress.setMaximum(of)
        self.progress.setValue(done if phase == "trials" else of if phase in ("judging", "break", "fitting", "done") else 0)
        self.hold.setEnabled(phase in ("trials", "ready", "practice") and not heard.get("virtual"))
        self.hold.setChecked(bool(heard.get("held")))
        self.hold.setText("Go on" if heard.get("held") else "Break")
        self.stop.setEnabled(phase not in (*OVER, "fitting") and not calibrating.stopping)
        self._ask(heard.get("question") if calibrating.running else None)
        self._judge(heard)

    def _detail(self, heard: dict[str, Any]) -> str:
        """Counts, and what is shown now."""
        kept = heard.get("kept")
        counts = ", ".join(f"{tidy(c, 24)} {n}" for c, n in kept.items()) if isinstance(kept, dict) else ""
        rejected = f"; {heard['rejected']} rejected" if heard.get("rejected") else ""
        cue = f"   shown now: {tidy(heard['cue'], 24).replace('_', ' ')}" if heard.get("cue") else ""
        lines = heard.get("said")
        said = tidy(lines[-1], 120) if isinstance(lines, list) and lines else ""
        return f"trials that count: {counts}{rejected}{cue}" if counts else said

    def _ask(self, question: object) -> None:
        """Show what is asked, a button for each answer."""
        number = question.get("number") if isinstance(question, dict) else None
        if number == self._asked:
            return
        self._asked = number
        for button in self.answers.values():
            self._answers.removeWidget(button)
            button.deleteLater()
        self.answers = {}
        self._box.setVisible(isinstance(question, dict))
        if not isinstance(question, dict) or not isinstance(question.get("choices"), dict):
            return
        self.question.tell(tidy(question.get("text", ""), 300))
        for i, (key, what) in enumerate(question["choices"].items()):
            button = QPushButton(tidy(what, 40).capitalize())
            button.setProperty("role", "primary" if i == 0 else "")
            button.setMinimumSize(QSize(110, 34))
            button.clicked.connect(lambda _=False, k=str(key): self._calibrating.answer(k))
            self._answers.addWidget(button)
            self.answers[str(key)] = button

    def _judge(self, heard: dict[str, Any]) -> None:
        """Verdict so far, learning curve, and a look at the trials after each block."""
        question = heard.get("question")
        asked = isinstance(question, dict) and question.get("text") == heard.get("line")
        self.verdict.setVisible(not asked)  # it stands in the question
        if heard.get("line"):
            self.verdict.tell(f"After block {_whole(heard.get('look'))}: {tidy(heard['line'], 300)}", "value")
        recordings = heard.get("recordings")
        wanted = (heard.get("id"), heard.get("look"))
        if wanted != self._looked and heard.get("look") and isinstance(recordings, list) and not self._looker.busy:
            self._looked = wanted
            self._looker.ask("look", recordings, heard.get("config"))

    def _seen(self, _number: int, _method: str, seen: Seen) -> None:
        """The background has looked."""
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
        told = f"{n or 'no'} {'place' if n == 1 else 'places'} beyond chance"
        self.where.tell(f"{tidy(first, 20)} against {tidy(second, 20)}: largest at {found.channels[best]}; {told}")

    def _show_erds(self, channel: int) -> None:
        if self._found is not None:
            self.erds.note.tell("" if self._found.change else "There is too little before the cues for ERD/ERS.")
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


def _whole(value: object) -> int:
    return value if isinstance(value, int) and value >= 0 else 0
