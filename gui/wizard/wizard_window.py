"""The wizard: person and montage, signal, protocol, trials, verdict, live session. You can go back to every page."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QCloseEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QStackedWidget, QVBoxLayout, QWidget

from bci.errors import BciError
from gui.context import Context
from gui.text import Label
from gui.widgets.guard import stop_button
from gui.wizard.calibration_run import CalibrationRun
from gui.wizard.form import WizardPage
from gui.wizard.live import LivePage
from gui.wizard.person import PersonPage
from gui.wizard.plan import WizardPlan
from gui.wizard.protocol import ProtocolPage
from gui.wizard.signal import SignalPage
from gui.wizard.trials import TrialsPage
from gui.wizard.verdict import VerdictPage

PERSON, SIGNAL, PROTOCOL, TRIALS, VERDICT, LIVE = range(6)
EVERY = 5
RAIL_PX = 138


class WizardWindow(QWidget):
    """Shows one page after another; going back loses nothing.

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
        self.calibration = CalibrationRun(context)
        self.person, self.signal, self.protocol = PersonPage(context), SignalPage(context), ProtocolPage(context)
        self.trials, self.verdict = TrialsPage(context, self.calibration), VerdictPage(context, self.calibration)
        self.live = LivePage(context)
        self.pages: tuple[WizardPage, ...] = (self.person, self.signal, self.protocol, self.trials, self.verdict, self.live)
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
            QShortcut(QKeySequence(keys), self).activated.connect(step.click)
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
        """Start at the first page with this EEG stream; empty: with the simulated subject."""
        if self.calibration.running or self.live.running:
            return
        if source_id:
            self.person.choose_stream(source_id)
        else:
            self.person.amplifier.setCurrentIndex(0)
        self.show_page(PERSON)

    # --- what is filled in

    def plan(self) -> WizardPlan:
        """Return the entries of all pages."""
        own = {"out": str(self._context.settings.value("session/out", "") or "")}
        return WizardPlan(**{**self.person.filled_in(WizardPlan()), **self.protocol.filled_in(), **own})  # type: ignore[arg-type]

    def problem(self) -> str:
        """Return why the next page cannot be opened, or ""."""
        plan = self.plan()
        found = {PERSON: plan.person_problem, SIGNAL: self.signal.problem, PROTOCOL: plan.protocol_problem}.get(self.page)
        return found() if found is not None else ""

    # --- going back and forth

    def show_page(self, number: int) -> None:
        """Show a page that has been reached before."""
        number = max(PERSON, min(number, self._reached))
        if number != SIGNAL:
            self.signal.end()
        self.page = number
        self.stack.setCurrentIndex(number)
        if number == SIGNAL:
            self.signal.begin(self.plan(), self.calibration.running or self.live.running)
        self.title.tell(self.pages[number].TITLE)
        self.refresh()

    def go_on(self) -> None:
        """Go to the next page; start the trials or the session if they are next."""
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
        if before == PROTOCOL and not self.calibration.running:
            self._begin()
        elif before == TRIALS and self.calibration.phase in ("stopped", "failed"):
            self._reached = TRIALS
            self.show_page(TRIALS)
            self.calibration.go_on(self.calibration.plan or self.plan())
        elif before == LIVE - 1:
            self.live.begin()

    def _begin(self) -> None:
        """Start the trials, or continue those that are recorded."""
        plan, before = self.plan(), self.calibration.plan
        if self.calibration.phase in ("stopped", "failed") and before is not None and plan.same_trials(before):
            self.calibration.go_on(plan)
            return
        if self.calibration.phase == "done" and before is not None and plan.same_trials(before):
            return  # they are there
        self._reached = TRIALS
        self._new(plan)

    def _new(self, plan: WizardPlan) -> None:
        self.trials.forget()
        self.verdict.forget()
        self.live.model = ""
        self.calibration.start(plan)

    def _more(self) -> None:
        """Record a further block."""
        self._reached = TRIALS
        self.calibration.go_on(self.calibration.plan or self.plan(), more=True)
        self.show_page(TRIALS)

    # --- showing

    def refresh(self) -> None:
        """Show what is new on the current page."""
        page = self.pages[self.page]
        if isinstance(page, PersonPage | ProtocolPage | TrialsPage | VerdictPage | LivePage):
            page.refresh()
        running = self.calibration.running
        self.person.setEnabled(not running)
        self.protocol.setEnabled(not running)
        for number, button in enumerate(self.steps):
            button.setEnabled(number <= self._reached)
            button.setChecked(number == self.page)
        self.back.setEnabled(self.page > PERSON)
        self._show_next(running)

    def _show_next(self, running: bool) -> None:
        phase, plan = self.calibration.phase, self.calibration.plan
        known = plan is not None and self.plan().same_trials(plan)
        words = {PROTOCOL: "Start the trials", VERDICT: "Start live session", TRIALS: "Verdict"}.get(self.page, "Next")
        enabled = self.page < LIVE
        if self.page == PROTOCOL and (running or (known and phase == "done")):
            words = "To the trials"
        elif self.page == PROTOCOL and known and phase in ("stopped", "failed"):
            words = "Go on with the trials"
        elif self.page == TRIALS:
            words = "Go on with the trials" if phase in ("stopped", "failed") else words
            enabled = phase in ("done", "stopped", "failed") and (phase == "done" or self.calibration.folder() is not None)
        elif self.page == VERDICT:
            words = "To the live session" if self.live.running else words
            enabled = bool(self.live.model)
        self.next.setText(words)
        self.next.setEnabled(enabled)
        self.next.setVisible(self.page < LIVE)
        problem = self.problem()
        if running and self.page in (PERSON, PROTOCOL):
            self.status.tell("The trials are running. Stop them there to change anything here.", "muted")
        elif self.page in (TRIALS, PROTOCOL) and phase == "stopped" and known:
            self.status.tell(f"{self.calibration.trials} trials are recorded. The calibration can continue with them.", "muted")
        else:
            self.status.tell(problem, "bad" if problem else "muted")

    def _tick(self) -> None:
        self.calibration.tick()
        self._follow()
        judgement = self.calibration.heard.judgement
        if judgement is not None:  # whichever page is seen: no look of the judge is missed
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
        """React to a new phase of the calibration."""
        before, phase = self._phase, self.calibration.phase
        if phase == before:
            return
        self._phase = phase
        if before == "idle" and self.calibration.plan is None and self.calibration.running:
            self._reached = TRIALS  # somebody else began it
            self.show_page(TRIALS)
        if phase == "done":
            self.live.model = str(self.calibration.result.get("model") or "")
            self.live.plan = self.calibration.plan or self.plan()
            self._reached = LIVE if self.live.model else VERDICT
            if self.page == TRIALS:
                self.show_page(VERDICT)

    def _open(self, name: str) -> None:
        try:
            self._context.open(name)
        except BciError as error:
            self.status.tell(str(error), "bad")

    def closeEvent(self, event: QCloseEvent) -> None:
        """End the background jobs of this window; calibration and session continue."""
        self.signal.end()
        self.trials.close_all()
        super().closeEvent(event)
