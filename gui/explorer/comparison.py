"""The table of judged selections, with their accuracies and a warning about them."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QHBoxLayout,
    QHeaderView,
    QProgressBar,
    QPushButton,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from gui.explorer.selection import Selection
from gui.explorer.values import Estimate, JudgedSelection
from gui.sanitise import sanitise
from gui.text import Label
from gui.widgets.tables import ReadTable

COLUMNS = ("Selection", "Bands, Hz", "After the cue", "Decoder", "Correct", "95 % interval")
WARNING = (
    "Each row is cross-validated as if its selection had been fixed before anybody saw these trials. Selections made by "
    "looking at the same trials come out too well."
)
AMONG = "Best of these {n}, chosen again inside each fold"
HONEST = "Unbiased: everything chosen again inside each fold"


class Comparison(QWidget):
    """The table, the buttons that fill it, and their progress.

    Attributes
    ----------
    retrain, honest, save, cancel : QPushButton
    chosen : Signal(Selection)
        A row was double-clicked: select it again.
    """

    chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.compared: list[JudgedSelection] = []
        self.whole: Estimate | None = None
        self.retrain = QPushButton("Retrain")
        self.retrain.setProperty("role", "primary")
        self.honest = QPushButton("Unbiased accuracy")
        self.save = QPushButton("Save selection …")
        self.cancel = QPushButton("Cancel")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setRange(0, 1000)
        self.status = Label("", "muted", elastic=True)
        self.warning = Label(WARNING, "muted", wrap=True)
        self.table = ReadTable(COLUMNS, "selections that were compared")
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.table.cellDoubleClicked.connect(self._take)
        self._lay_out()
        self.rest()

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        for widget in (self.retrain, self.honest, self.save):
            top.addWidget(widget)
        top.addWidget(self.status, 1)
        top.addWidget(self.bar)
        top.addWidget(self.cancel)
        self.bar.setMaximumWidth(160)
        box = QVBoxLayout(self)
        box.setContentsMargins(10, 6, 10, 6)
        box.setSpacing(4)
        box.addLayout(top)
        box.addWidget(self.table, 1)
        box.addWidget(self.warning)

    def work(self, what: str, share: float) -> None:
        """Show the progress of a training.

        Parameters
        ----------
        what : str
            What is done.
        share : float
            Share that is done, 0 to 1.
        """
        self.bar.show()
        self.cancel.show()
        self.bar.setValue(round(1000 * share))
        self.status.tell(what, "muted")
        for button in (self.retrain, self.honest):
            button.setEnabled(False)

    def rest(self, said: str = "", role: str = "muted") -> None:
        """Show that no training is running.

        Parameters
        ----------
        said : str, optional
            Text of the status.
        role : str, optional
            Role in the style sheet.
        """
        self.bar.hide()
        self.cancel.hide()
        self.status.tell(said, role)
        for button in (self.retrain, self.honest):
            button.setEnabled(True)

    def add(self, found: JudgedSelection) -> None:
        """Add a row, or replace that of the same selection.

        Parameters
        ----------
        found : JudgedSelection
        """
        self.compared = [c for c in self.compared if c.selection != found.selection] + [found]
        self.show_all()

    def forget(self) -> None:
        """Clear the table, because the trials have changed."""
        self.compared, self.whole = [], None
        self.show_all()

    def show_all(self) -> None:
        """Fill the table."""
        among = self.compared[-1].among if self.compared else None
        rows = [_row(c.selection, c.own) for c in self.compared]
        if among is not None:
            rows.append((AMONG.format(n=among.name.rpartition(" ")[2]), "", "", "", *_numbers(among)))
        if self.whole is not None:
            rows.append((f"{HONEST} → {sanitise(self.whole.name, 60)}", "", "", "", *_numbers(self.whole)))
        self.table.clearSpans()
        self.table.setRowCount(len(rows))
        for i, row in enumerate(rows):
            for j, text in enumerate(row):
                item = QTableWidgetItem(text)
                if i >= len(self.compared):
                    font = item.font()
                    font.setItalic(True)
                    item.setFont(font)
                self.table.setItem(i, j, item)
            if i >= len(self.compared):
                self.table.setSpan(i, 0, 1, 4)
        self.table.scrollToBottom()

    def _take(self, row: int, _column: int) -> None:
        if row < len(self.compared):
            self.chosen.emit(self.compared[row].selection)


def _row(selection: Selection, own: Estimate) -> tuple[str, ...]:
    channels = selection.channels
    words = f"{len(channels)}: {sanitise(' '.join(channels), 120)}" if channels else "all channels"
    window = f"{selection.start_s:g}–{selection.stop_s:g} s"
    decoder = selection.decoder if selection.reference == "none" else f"{selection.decoder}, {selection.reference}"
    return words, selection.band_words(), window, decoder, *_numbers(own)


def _numbers(found: Estimate) -> tuple[str, str]:
    """Return accuracy and interval as text, with a remark if it may be chance."""
    sign = "" if found.low > found.chance else "  may be chance"
    return f"{100 * found.accuracy:.0f} % of {found.n}", f"{100 * found.low:.0f}–{100 * found.high:.0f} %{sign}"
