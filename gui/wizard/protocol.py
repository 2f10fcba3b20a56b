"""Page three: what the person is asked to do."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QListWidget, QListWidgetItem, QSpinBox, QVBoxLayout, QWidget

from bci.errors import ConfigError
from bci.session.calibration.protocol import INSTRUCTIONS, CalibrationProtocol, protocols
from bci.session.calibration.texts import Texts, languages
from gui.context import Context
from gui.text import Label
from gui.wizard.form import WIDE_PX, Page, card, choice, form
from gui.wizard.plan import Plan
from gui.wizard.trial_picture import TrialPicture

FIRST = "short"


class ProtocolPage(Page):
    """The protocols that are shipped; one trial as a picture, how long it takes, what is said.

    Parameters
    ----------
    context : Context
    """

    TITLE = "Protocol"
    SHORT = "Protocol"

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.names = QListWidget()
        self.names.setAccessibleName("protocols")
        self.names.setMinimumWidth(130)
        self.names.setMaximumWidth(210)
        for name in protocols():
            item = QListWidgetItem(name)
            self.names.addItem(item)
            if name == str(context.settings.value("wizard/protocol", FIRST)):
                self.names.setCurrentItem(item)
        if self.names.currentItem() is None:
            self.names.setCurrentRow(0)
        self.title = Label("", "big", wrap=True)
        self.picture = TrialPicture(context)
        self.facts = Label("", wrap=True)
        self.said = Label("", "muted", wrap=True)
        self.per_class = _count("trials of each class in a block", 1, 100)
        self.most_blocks = _count("blocks at most", 1, 100)
        self.instruction = choice("instruction", [(name, name) for name in INSTRUCTIONS])
        self.language = choice("language", [(name, name) for name in languages()])
        self.language.setCurrentIndex(max(0, self.language.findData(str(context.settings.value("wizard/language", "en")))))
        self._lay_out()
        self.setMaximumWidth(WIDE_PX)
        self.names.currentItemChanged.connect(lambda *_: self._chosen())
        for box in (self.per_class, self.most_blocks):
            box.valueChanged.connect(lambda _: self.refresh())
        for list_ in (self.instruction, self.language):
            list_.currentIndexChanged.connect(lambda _: self.refresh())
        self._chosen()

    def _lay_out(self) -> None:
        rows = [("Trials of each class", self.per_class), ("Blocks at most", self.most_blocks)]
        more = [("Instruction", self.instruction), ("Language", self.language)]
        how = QWidget()
        both = QHBoxLayout(how)
        both.setContentsMargins(0, 0, 0, 0)
        both.setSpacing(24)
        both.addLayout(form(rows), 1)
        both.addLayout(form(more), 1)
        right = QVBoxLayout()
        right.setSpacing(12)
        right.addWidget(card("One trial", self.picture, self.facts, stretch=False))
        right.addWidget(card("How", how, self.said))
        right.addStretch(1)
        lists = QHBoxLayout()
        lists.setSpacing(12)
        lists.addWidget(self.names)
        lists.addLayout(right, 1)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(self.title)
        box.addLayout(lists, 1)

    def _chosen(self) -> None:
        """Another protocol: its own numbers."""
        protocol = Plan(protocol=self._name(), **_as_shipped(self._name())).chosen()
        for widget, value in ((self.per_class, protocol.per_class), (self.most_blocks, protocol.most_blocks)):
            widget.blockSignals(True)
            widget.setValue(value)
            widget.blockSignals(False)
        self.instruction.setCurrentIndex(max(0, self.instruction.findData(protocol.instruction)))
        self.refresh()

    def _name(self) -> str:
        item = self.names.currentItem()
        return item.text() if item is not None else FIRST

    def filled_in(self) -> dict[str, object]:
        """Fields of a plan."""
        return {
            "protocol": self._name(), "per_class": self.per_class.value(), "most_blocks": self.most_blocks.value(),
            "instruction": str(self.instruction.currentData()), "language": str(self.language.currentData()),
        }  # fmt: skip

    def refresh(self) -> None:
        """Say what that means."""
        try:
            protocol = Plan(**self.filled_in()).chosen()  # type: ignore[arg-type]
        except ConfigError as error:
            self.facts.tell(str(error), "bad")
            return
        self.title.tell(protocol.title)
        self.picture.show_protocol(protocol)
        self.facts.tell(_facts(protocol), "")
        texts = Texts(str(self.language.currentData()))
        told = "   ".join(f"“{texts(key)}”" for key in (protocol.instruction, *(b.name for b in protocol.baselines)))
        self.said.tell(f"The person is told: {told}")

    def remember(self, context: Context) -> None:
        """For the next time."""
        context.settings.setValue("wizard/protocol", self._name())
        context.settings.setValue("wizard/language", self.language.currentData())


def _as_shipped(name: str) -> dict[str, object]:
    from bci.session.calibration.protocol import load_protocol

    protocol = load_protocol(name)
    return {"per_class": protocol.per_class, "most_blocks": protocol.most_blocks, "instruction": protocol.instruction}


def _facts(p: CalibrationProtocol) -> str:
    """How long it takes, in a few lines."""
    trial_s = p.paradigm.stop_s + sum(p.paradigm.pause_s) / 2
    block_s = p.block_size * trial_s
    classes = ", ".join(c.replace("_", " ") for c in p.classes)
    before_s = sum(b.seconds for b in p.baselines) + p.practice * len(p.classes) * trial_s
    first = f"{_minutes(before_s)} of baselines and practice first. " if before_s else ""
    blocks = f"A block is {p.block_size} trials, {_minutes(block_s)}; a verdict after each, {p.most_blocks} at most."
    longest = _minutes(before_s + p.most_blocks * (block_s + p.break_s))
    return f"{classes}. {first}{blocks} It ends as soon as it is enough, at the latest after {longest}."


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def _count(name: str, low: int, high: int) -> QSpinBox:
    made = QSpinBox()
    made.setAccessibleName(name)
    made.setRange(low, high)
    made.setAlignment(Qt.AlignmentFlag.AlignLeft)
    return made
