"""Page one: the person and the amplifier."""

from __future__ import annotations

from PySide6.QtWidgets import QCheckBox, QDoubleSpinBox, QHBoxLayout, QPlainTextEdit, QSpinBox, QVBoxLayout, QWidget

from bci import plugins
from gui.context import Context
from gui.sanitise import sanitise
from gui.text import Label
from gui.widgets.browser import with_browser
from gui.widgets.session import LINES_HZ
from gui.wizard.form import WIDE_PX, WizardPage, card, choice, field, form
from gui.wizard.plan import SIMULATED, STREAM, WizardPlan

MOST_NOTES = 500
NOTES_PX = 320


class PersonPage(WizardPage):
    """Pseudonym, session, amplifier, montage, mains, notes.

    Parameters
    ----------
    context : Context
    """

    TITLE = "Person and amplifier"
    SHORT = "Person"

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        remembered = context.settings.value
        self.subject = field("pseudonym", str(remembered("session/subject", "P001")), "P003, never a name")
        self.session = field("session", str(remembered("session/session", "S001")))
        self.amplifier = choice("amplifier", [("a simulated subject", (SIMULATED, ""))])
        for name in plugins.names(plugins.SOURCES):
            if name != SIMULATED:
                self.amplifier.addItem(sanitise(name, 30), (name, ""))
        self.device = field("settings of the device", str(remembered("wizard/device", "")), "port=/dev/ttyUSB0")
        self.fast = QCheckBox("faster than real time")
        self.fast.setChecked(True)
        self.skill = QDoubleSpinBox()
        self.skill.setAccessibleName("skill of the simulated subject")
        self.skill.setRange(0.0, 1.0)
        self.skill.setSingleStep(0.1)
        self.skill.setValue(0.8)
        self.seed = QSpinBox()
        self.seed.setAccessibleName("seed")
        self.seed.setRange(0, 9999)
        self.seed.setValue(1)
        self.montage = field("montage file", str(remembered("session/montage", "")), "only if the stream lacks information")
        self.line = choice("line frequency", [(f"{hz:g} Hz", hz) for hz in LINES_HZ])
        self.line.setCurrentIndex(max(0, self.line.findData(context.analysis.line_hz)))
        self.notes = QPlainTextEdit()
        self.notes.setAccessibleName("notes")
        self.notes.setPlaceholderText("Anything worth remembering. It is recorded when the trials begin.")
        self.notes.setMaximumHeight(NOTES_PX)
        self.amplifier.currentIndexChanged.connect(self._changed)
        self._lay_out()
        self.setMaximumWidth(WIDE_PX)
        self._changed()

    def _lay_out(self) -> None:
        subject = QWidget()
        row = QHBoxLayout(subject)
        row.setContentsMargins(0, 0, 0, 0)
        for widget in (Label("skill", "muted"), self.skill, Label("seed", "muted"), self.seed):
            row.addWidget(widget)
        row.addStretch(1)
        self._simulated = QWidget()
        box = QVBoxLayout(self._simulated)
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(subject)
        box.addWidget(self.fast)
        self._device = QWidget()
        inner = QVBoxLayout(self._device)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.addWidget(self.device)
        inner.addWidget(Label("Settings of the device, as in bci stream NAME --set key=value.", "muted", wrap=True))
        who = card("Person", form([("Pseudonym", self.subject), ("Session", self.session)]), self._hint(), stretch=False)
        montage = with_browser(self.montage, "Montages (*.toml)")
        rows = [("Amplifier", self.amplifier), ("Montage", montage), ("Mains", self.line)]
        what = card("Equipment", form(rows), self._simulated, self._device)
        notes = card("Notes", self.notes, stretch=False)
        left, right = QVBoxLayout(), QVBoxLayout()
        left.setSpacing(12)
        left.addWidget(who)
        left.addWidget(notes)
        left.addStretch(1)
        right.addWidget(what)
        right.addStretch(1)
        both = QHBoxLayout(self)
        both.setContentsMargins(0, 0, 0, 0)
        both.setSpacing(12)
        both.addLayout(left, 1)
        both.addLayout(right, 1)

    def _hint(self) -> Label:
        return Label("Letters and digits, never a name: the pseudonym is part of all file names.", "muted", wrap=True)

    def _changed(self) -> None:
        name, _ = self.amplifier.currentData() or ("", "")
        self._simulated.setVisible(name == SIMULATED)
        self._device.setVisible(name not in (SIMULATED, STREAM))

    def refresh(self) -> None:
        """List the EEG streams that are found, after the devices."""
        streams = [s for s in self._context.feed.streams if s.rate_hz > 0]
        wanted = {(STREAM, s.source_id): f"stream {sanitise(s.name, 30)}, {s.n_channels} × {s.rate_hz:g} Hz" for s in streams}
        have = [self.amplifier.itemData(i) for i in range(self.amplifier.count())]
        for data, text in wanted.items():
            if data not in [tuple(x) for x in have]:
                self.amplifier.addItem(text, data)
        for i in reversed(range(self.amplifier.count())):
            data = tuple(self.amplifier.itemData(i))
            if data[0] == STREAM and data not in wanted and i != self.amplifier.currentIndex():
                self.amplifier.removeItem(i)

    def choose_stream(self, source_id: str) -> None:
        """Choose the stream with this source identifier.

        Parameters
        ----------
        source_id : str
            Source identifier of the stream.
        """
        self.refresh()
        for i in range(self.amplifier.count()):
            if tuple(self.amplifier.itemData(i)) == (STREAM, source_id):
                self.amplifier.setCurrentIndex(i)

    def filled_in(self, plan: WizardPlan) -> dict[str, object]:
        """Fields of a plan.

        Parameters
        ----------
        plan : WizardPlan
        """
        amplifier, source_id = self.amplifier.currentData() or (SIMULATED, "")
        return {
            "subject": self.subject.text().strip(), "session": self.session.text().strip(), "amplifier": amplifier,
            "source_id": source_id, "device": self.device.text().strip(), "montage": self.montage.text().strip(),
            "line_hz": float(self.line.currentData()), "notes": self.notes.toPlainText().strip()[:MOST_NOTES],
            "fast": self.fast.isChecked(), "skill": round(self.skill.value(), 3), "seed": self.seed.value(),
        }  # fmt: skip

    def remember(self) -> None:
        """Remember the entries for the next time."""
        context = self._context
        for key, widget in (("session/subject", self.subject), ("session/session", self.session),
                            ("session/montage", self.montage), ("wizard/device", self.device)):  # fmt: skip
            context.settings.setValue(key, widget.text().strip())
        context.analysis.line_hz = self.line.currentData()
        context.settings.setValue("line_hz", self.line.currentData())
