"""Page five: the verdict, its report, and more trials."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSize, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout

from gui.context import Context
from gui.message_values import JudgementReport
from gui.sanitise import sanitise
from gui.text import Label
from gui.wizard.calibration_run import CalibrationRun
from gui.wizard.form import WizardPage, card
from gui.wizard.learning import LearningCurve

WORDS = {"works": "● It works", "more": "▲ More trials are needed", "unlikely": "■ It is unlikely to work"}
ROLES = {"works": "good", "more": "warn", "unlikely": "bad"}


class VerdictPage(WizardPage):
    """Shows the verdict in words, the numbers behind it, the report and the button for a further block.

    Parameters
    ----------
    context : Context
    calibration : CalibrationRun
    """

    TITLE = "Verdict"
    SHORT = "Verdict"

    def __init__(self, context: Context, calibration: CalibrationRun) -> None:
        super().__init__()
        self._context, self._calibration = context, calibration
        self.word = Label("No verdict yet", "huge", wrap=True)
        self.line = Label("", "value", wrap=True)
        self.advice = Label("", wrap=True)
        self.counts = Label("", wrap=True)
        self.files = Label("", "muted", wrap=True)
        self.report = QPushButton("Open the report")
        self.report.clicked.connect(self._open_report)
        self.more = QPushButton("More trials")
        self.explore = QPushButton("Explore the features")
        self.explore.clicked.connect(self._explore)
        self.explore.setVisible("explorer" in context.names())
        self.curve = LearningCurve(context)
        buttons = QHBoxLayout()
        for button in (self.report, self.more, self.explore):
            button.setMinimumSize(QSize(150, 38))
            buttons.addWidget(button)
        buttons.addStretch(1)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(10)
        for widget in (self.word, self.line, self.advice):
            box.addWidget(widget)
        box.addLayout(buttons)
        row = QHBoxLayout()
        row.setSpacing(12)
        row.addWidget(card("What was recorded", self.counts, self.files), 4)
        row.addWidget(card("Accuracy by number of trials", self.curve, stretch=False), 6)
        box.addLayout(row, 1)

    def forget(self) -> None:
        """Forget the last calibration."""
        self.curve.forget()

    def refresh(self) -> None:
        """Show the result."""
        result, heard = self._calibration.result, self._calibration.heard
        verdict = str(result.get("verdict") or "")
        self.word.tell(WORDS.get(verdict, "No verdict yet"), "huge")
        self.line.tell(sanitise(result.get("line") or "The trials are not finished.", 400), ROLES.get(verdict, "value"))
        self.advice.tell(_advice(heard.judgement, verdict))
        self.advice.setVisible(bool(self.advice.text()))
        self.report.setEnabled(bool(result.get("report")))
        self.more.setEnabled(bool(result) and self._calibration.phase == "done" and self._calibration.can_grow)
        trials = result.get("trials")
        counts = ", ".join(f"{n} {sanitise(c, 24)}" for c, n in trials.items()) if isinstance(trials, dict) else "–"
        self.counts.tell(f"valid trials: {counts}; {result.get('rejected', heard.rejected)} rejected")
        paths = [*result.get("recordings", ()), result.get("model", ""), result.get("report", "")] if result else []
        names = [Path(str(path)).name for path in paths if path]
        where = str(Path(str(paths[0])).parent) if names else ""
        self.files.setText("\n".join([sanitise(where, 300), *(sanitise(name, 160) for name in names)]) if names else "")

    def _explore(self) -> None:
        """Open the explorer with this calibration."""
        window = self._context.open("explorer")
        opened, folder = getattr(window, "open", None), self._calibration.folder()
        if callable(opened) and folder is not None:
            opened(folder)

    def _open_report(self) -> None:
        path = Path(str(self._calibration.result.get("report", "")))
        if path.suffix == ".html" and path.is_file():
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(path.resolve())))


def _advice(judgement: JudgementReport | None, verdict: str) -> str:
    """Return what the person should check or change."""
    return "" if verdict == "works" or judgement is None else "   ".join(sanitise(text, 200) for text in judgement.advice[:3])
