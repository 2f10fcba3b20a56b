"""The wizard: person and montage, signal, protocol, trials, verdict, live. Every step can be gone back to."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QCloseEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QStackedWidget, QVBoxLayout, QWidget

from bci.errors import BciError
from gui.context import Context
from gui.text import Label
from gui.widgets.guard import stop_button
from gui.wizard.following import Calibrating
from gui.wizard.live import LivePage
from gui.wizard.person import PersonPage
from gui.wizard.plan import Plan
from gui.wizard.protocol import ProtocolPage
from gui.wizard.signal import SignalPage
from gui.wizard.trials import TrialsPage
from gui.wizard.verdict import VerdictPage

PERSON, SIGNAL, PROTOCOL, TRIALS, VERDICT, LIVE = range(6)
EVERY = 5
RAIL_PX = 138


class WizardWindow(QWidget):
    """One page after another; going back loses nothing.

    The trials and the session run in processes of their own (``bci calibrate``, ``bci run``), which outlive this window. A
    wizard that is opened while a calibration is going on joins it.

    Parameters
    ----------
    context : Context

    Attributes
    ----------
    page : int
        Number of the page that is seen.
    pages : tuple of QWidget
    """

    TITLE = "Wizard"

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self.setWindowTitle("bci – wizard")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setProperty("panel", "true")
        self.resize(1180, 680)
        self.calibrating = Calibrating(context)
        self.person, self.signal, self.protocol = PersonPage(context), SignalPage(context), ProtocolPage(context)
        self.trials, self.verdict = TrialsPage(context, self.calibrating), VerdictPage(context, self.calibrating)
        self.live = LivePage(context)
        self.pages = (self.person, self.signal, self.protocol, self.trials, self.verdict, self.live)
        self.page = PERSON
        self._phase = "idle"
        self._reached = PERSON
        self.title = Label("", "huge")
        self.status = Label("", "muted", wrap=True)
        self.back = QPushButton("Back")
        self.next = QPushButton("Next")
        self._lay_out()
        self.back.clicked.connect(lambda: self.show_page(self.page - 1))
        self.next.clicked.connect(self.go_on)
        self.verdict.more.clicked.connect(self._more)
        for keys, step in (("Alt+Left", self.back), ("Alt+Right", self.next)):
            QShortcut(QKeySequence(keys), self, activated=step.click)
        context.ticked.connect(self._tick)
        self.show_page(PERSON)

    # --- parts

    def _lay_out(self) -> None:
        self.stack = QStackedWidget()
        for page in self.pages:
            self.stack.addWidget(page)
        rail = QFrame()
        rail.setProperty("role", "chip")
        rail.setFixedWidth(RAIL_PX)
        column = QVBoxLayout(rail)
        column.setContentsMargins(8, 12, 8, 12)
        column.setSpacing(6)
        self.steps: list[QPushButton] = []
        for number, page in enumerate(self.pages):
            button = QPushButton(f"{number + 1}  {page.SHORT}")
            button.setAccessibleName(f"step {number + 1}: {page.TITLE}")
            button.setCheckable(True)
            button.setMinimumHeight(36)
            button.clicked.connect(lambda _=False, n=number: self.show_page(n))
            column.addWidget(button)
            self.steps.append(button)
        column.addStretch(1)
        self.operator = QPushButton("Operator …")
        self.operator.setAccessibleName("open the operator window")
        self.operator.clicked.connect(lambda: self._open("operator"))
        column.addWidget(self.operator)
        right = QVBoxLayout()
        right.setSpacing(10)
        right.addLayout(self._head())
        right.addWidget(self.stack, 1)
        right.addLayout(self._foot())
        both = QHBoxLayout(self)
        both.setContentsMargins(16, 14, 16, 14)
        both.setSpacing(16)
        both.addWidget(rail)
        both.addLayout(right, 1)

    def _head(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.addWidget(self.title, 1)
        self.stop = stop_button(self._context, "wizard")
        self.stop.setMinimumHeight(40)
        row.addWidget(self.stop)
        return row

    def _foot(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(10)
        row.addWidget(self.status, 1)
        for button in (self.back, self.next):
            button.setMinimumSize(QSize(120, 38))
            row.addWidget(button)
        self.next.setProperty("role", "primary")
        return row

    def begin_with(self, source_id: str) -> None:
        """From the first page, with this EEG stream; empty: with the simulated subject."""
        if self.calibrating.running or self.live.running:
            return
        if source_id:
            self.person.choose_stream(source_id)
        else:
            self.person.amplifier.setCurrentIndex(0)
        self.show_page(PERSON)

    # --- what is filled in

    def plan(self) -> Plan:
        """What all pages hold."""
        own = {"out": str(self._context.settings.value("session/out", "") or "")}
        return Plan(**{**self.person.filled_in(Plan()), **self.protocol.filled_in(), **own})  # type: ignore[arg-type]

    def problem(self) -> str:
        """Why the next page cannot be gone to, or ""."""
        plan = self.plan()
        found = {PERSON: plan.person_problem, SIGNAL: self.signal.problem, PROTOCOL: plan.protocol_problem}.get(self.page)
        return found() if found is not None else ""

    # --- going back and forth

    def show_page(self, number: int) -> None:
        """Go to a page that has been reached."""
        number = max(PERSON, min(number, self._reached))
        if number != SIGNAL:
            self.signal.end()
        self.page = number
        self.stack.setCurrentIndex(number)
        if number == SIGNAL:
            self.signal.begin(self.plan(), self.calibrating.running or self.live.running)
        self.title.tell(self.pages[number].TITLE)
        self.refresh()

    def go_on(self) -> None:
        """To the next page; begins the trials, and the session, where that is next."""
        problem = self.problem()
        if problem:
            self.status.tell(problem, "bad")
            return
        if self.page == PERSON:
            self.person.remember()
        elif self.page == PROTOCOL:
            self.protocol.remember(self._context)
        self._reached = max(self._reached, self.page + 1)
        before = self.page
        self.show_page(self.page + 1)
        if before == PROTOCOL and not self.calibrating.running:
            self._begin()
        elif before == TRIALS and self.calibrating.phase in ("stopped", "failed"):
            self._reached = TRIALS
            self.show_page(TRIALS)
            self.calibrating.go_on(self.calibrating.plan or self.plan())
        elif before == LIVE - 1:
            self.live.begin()

    def _begin(self) -> None:
        """Begin the trials, or go on with those that there are."""
        plan, before = self.plan(), self.calibrating.plan
        if self.calibrating.phase in ("stopped", "failed") and before is not None and plan.same_trials(before):
            self.calibrating.go_on(plan)
            return
        if self.calibrating.phase == "done" and before is not None and plan.same_trials(before):
            return  # they are there
        self._reached = TRIALS
        self._new(plan)

    def _new(self, plan: Plan) -> None:
        self.trials.forget()
        self.verdict.forget()
        self.live.model = ""
        self.calibrating.start(plan)

    def _more(self) -> None:
        """A further block."""
        self._reached = TRIALS
        self.calibrating.go_on(self.calibrating.plan or self.plan(), more=True)
        self.show_page(TRIALS)

    # --- showing

    def refresh(self) -> None:
        """Show what is new on the page that is seen."""
        page = self.pages[self.page]
        if isinstance(page, PersonPage | ProtocolPage | TrialsPage | VerdictPage | LivePage):
            page.refresh()
        running = self.calibrating.running
        self.person.setEnabled(not running)
        self.protocol.setEnabled(not running)
        for number, button in enumerate(self.steps):
            button.setEnabled(number <= self._reached)
            button.setChecked(number == self.page)
        self.back.setEnabled(self.page > PERSON)
        self._show_next(running)

    def _show_next(self, running: bool) -> None:
        phase, plan = self.calibrating.phase, self.calibrating.plan
        known = plan is not None and self.plan().same_trials(plan)
        words = {PROTOCOL: "Start the trials", VERDICT: "Start live session", TRIALS: "Verdict"}.get(self.page, "Next")
        enabled = self.page < LIVE
        if self.page == PROTOCOL and (running or (known and phase == "done")):
            words = "To the trials"
        elif self.page == PROTOCOL and known and phase in ("stopped", "failed"):
            words = "Go on with the trials"
        elif self.page == TRIALS:
            words = "Go on with the trials" if phase in ("stopped", "failed") else words
            enabled = phase in ("done", "stopped", "failed") and (phase == "done" or self.calibrating.folder() is not None)
        elif self.page == VERDICT:
            words = "To the live session" if self.live.running else words
            enabled = bool(self.live.model)
        self.next.setText(words)
        self.next.setEnabled(enabled)
        self.next.setVisible(self.page < LIVE)
        problem = self.problem()
        if running and self.page in (PERSON, PROTOCOL):
            self.status.tell("The trials go on; stop them there to change anything here.", "muted")
        elif self.page in (TRIALS, PROTOCOL) and phase == "stopped" and known:
            self.status.tell(f"{self.calibrating.trials} trials are recorded and can be gone on with.", "muted")
        else:
            self.status.tell(problem, "bad" if problem else "muted")

    def _tick(self) -> None:
        self.calibrating.tick()
        self._follow()
        judgement = self.calibrating.heard.get("judgement")
        if isinstance(judgement, dict):  # whichever page is seen: no look of the judge is missed
            self.trials.curve.show_judgement(judgement)
            self.verdict.curve.show_judgement(judgement)
        if not self.isVisible():
            return
        if self.page == SIGNAL:
            self.signal.tick()
        if self.page == LIVE:
            self.live.tick()
        if self._context.ticks % EVERY == 0:
            self.refresh()

    def _follow(self) -> None:
        """The calibration has gone from one phase into another."""
        before, phase = self._phase, self.calibrating.phase
        if phase == before:
            return
        self._phase = phase
        if before == "idle" and self.calibrating.plan is None and self.calibrating.running:
            self._reached = TRIALS  # somebody else began it
            self.show_page(TRIALS)
        if phase == "done":
            self.live.model = str(self.calibrating.result.get("model") or "")
            self.live.plan = self.calibrating.plan or self.plan()
            self._reached = LIVE if self.live.model else VERDICT
            if self.page == TRIALS:
                self.show_page(VERDICT)

    def _open(self, name: str) -> None:
        try:
            self._context.open(name)
        except BciError as error:
            self.status.tell(str(error), "bad")

    def closeEvent(self, event: QCloseEvent) -> None:
        """What looks for this window ends; calibration and session go on."""
        self.signal.end()
        self.trials.close_all()
        super().closeEvent(event)
