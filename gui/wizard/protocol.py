"""Page three: the protocol."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QListWidget, QListWidgetItem, QSpinBox, QVBoxLayout, QWidget

from bci.errors import ConfigError
from bci.paradigm.protocol import INSTRUCTIONS, CalibrationProtocol, load_protocol, protocols
from bci.paradigm.texts import Texts, languages
from gui.context import Context
from gui.text import Label
from gui.wizard.form import WIDE_PX, WizardPage, card, choice, form
from gui.wizard.plan import WizardPlan
from gui.wizard.trial_picture import TrialPicture

FIRST = "short"


class ProtocolPage(WizardPage):
    """The list of protocols, with a picture of one trial, the duration and the instructions.

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
        rows = [("Trials per class", self.per_class), ("Maximum of blocks", self.most_blocks)]
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
        right.addWidget(card("Settings", how, self.said))
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
        """Show the numbers of the protocol that was chosen."""
        protocol = load_protocol(self._name())
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
        """Show what the settings mean."""
        try:
            protocol = WizardPlan(**self.filled_in()).chosen()  # type: ignore[arg-type]
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
        """Remember the entries for the next time.

        Parameters
        ----------
        context : Context
        """
        context.settings.setValue("wizard/protocol", self._name())
        context.settings.setValue("wizard/language", self.language.currentData())


def _facts(p: CalibrationProtocol) -> str:
    """Return classes and durations as text."""
    trial_s = p.paradigm.stop_s + sum(p.paradigm.pause_s) / 2
    block_s = p.block_size * trial_s
    classes = ", ".join(c.replace("_", " ") for c in p.classes)
    before_s = sum(b.seconds for b in p.baselines) + p.practice * len(p.classes) * trial_s
    first = f"Baselines and practice take {_minutes(before_s)} first. " if before_s else ""
    blocks = f"A block has {p.block_size} trials and takes {_minutes(block_s)}. "
    blocks += f"A verdict follows each block; there are at most {p.most_blocks}."
    longest = _minutes(before_s + p.most_blocks * (block_s + p.break_s))
    return f"{classes}. {first}{blocks} The calibration ends as soon as the verdict is clear, after {longest} at the latest."


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def _count(name: str, low: int, high: int) -> QSpinBox:
    made = QSpinBox()
    made.setAccessibleName(name)
    made.setRange(low, high)
    made.setAlignment(Qt.AlignmentFlag.AlignLeft)
    return made
