"""The form that shows and changes the selection."""

from __future__ import annotations

import re
from dataclasses import replace

from PySide6.QtCore import QLocale, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from bci.engine.preprocessing import REFERENCES
from gui.explorer.selection import Band, Selection
from gui.explorer.values import ExplorerRecordings
from gui.sanitise import sanitise
from gui.text import Label

NUMBER = r"(\d+(?:\.\d+)?)"
BAND = re.compile(rf"\s*{NUMBER}\s*[-–]\s*{NUMBER}\s*(?:Hz)?\s*")
HOP_S = 0.1


class SelectionForm(QWidget):
    """Channels, bands, window, decoder and reference, with undo.

    Attributes
    ----------
    changed : Signal(Selection)
        A person has selected something else.
    undone, redone : Signal()
    """

    changed = Signal(object)
    undone = Signal()
    redone = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._selection: Selection | None = None
        self.channels = Label("", "value", elastic=True)
        self.every = QPushButton("All channels")
        self.every.clicked.connect(lambda: self._change(channels=()))
        self.bands = QLineEdit()
        self.bands.setAccessibleName("bands, Hz")
        self.bands.editingFinished.connect(self._bands_typed)
        self.start, self.stop = _seconds("start of the window"), _seconds("end of the window")
        self.start.valueChanged.connect(lambda s: self._change(start_s=round(s, 3)))
        self.stop.valueChanged.connect(lambda s: self._change(stop_s=round(s, 3)))
        self.decoder, self.reference = QComboBox(), QComboBox()
        for box, name in ((self.decoder, "decoder"), (self.reference, "reference")):
            box.setAccessibleName(name)
        self.reference.addItems(REFERENCES)
        self.decoder.currentTextChanged.connect(lambda name: self._change(decoder=name))
        self.reference.currentTextChanged.connect(lambda name: self._change(reference=name))
        self.undo, self.redo = QPushButton("Undo"), QPushButton("Redo")
        self.undo.clicked.connect(self.undone)
        self.redo.clicked.connect(self.redone)
        self.note = Label("", "muted", wrap=True)
        self._lay_out()
        self.setEnabled(False)

    def _lay_out(self) -> None:
        grid = QGridLayout()
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(5)
        rows = (
            ("Channels", (self.channels, self.every)),
            ("Bands, Hz", (self.bands,)),
            ("After the cue", (self.start, Label("to"), self.stop)),
            ("Decoder", (self.decoder, Label("reference"), self.reference)),
        )
        for row, (name, widgets) in enumerate(rows):
            grid.addWidget(Label(name, "muted"), row, 0)
            line = QHBoxLayout()
            line.setSpacing(8)
            for widget in widgets:
                line.addWidget(widget, 0 if isinstance(widget, QPushButton | Label) and widget is not self.channels else 1)
            grid.addLayout(line, row, 1)
        buttons = QHBoxLayout()
        buttons.addWidget(self.undo)
        buttons.addWidget(self.redo)
        buttons.addWidget(self.note, 1)
        box = QVBoxLayout(self)
        box.setContentsMargins(10, 6, 10, 6)
        box.setSpacing(6)
        box.addLayout(grid)
        box.addLayout(buttons)
        box.addStretch(1)

    def use(self, opened: ExplorerRecordings) -> None:
        """Offer the decoders of these recordings.

        Parameters
        ----------
        opened : ExplorerRecordings
            The open recordings.
        """
        self._selection = None
        if [self.decoder.itemText(i) for i in range(self.decoder.count())] != list(opened.decoders):
            self.decoder.clear()
            self.decoder.addItems(opened.decoders)
        self.setEnabled(True)

    def show_selection(self, selection: Selection, n_channels: int, can_undo: bool, can_redo: bool) -> None:
        """Show a selection without emitting :attr:`changed`.

        Parameters
        ----------
        selection : Selection
        n_channels : int
            Number of EEG channels of the recordings.
        can_undo : bool
            Whether there is an earlier selection.
        can_redo : bool
            Whether there is an undone selection.
        """
        self._selection = None
        n = len(selection.channels) or n_channels
        self.channels.tell(f"{n}: {sanitise(selection.channel_words(), 400)}" if selection.channels else f"all {n}")
        self.every.setEnabled(bool(selection.channels))
        self.bands.setText(selection.band_words())
        self.start.setValue(selection.start_s)
        self.stop.setValue(selection.stop_s)
        self.decoder.setCurrentText(selection.decoder)
        self.reference.setCurrentText(selection.reference)
        self.undo.setEnabled(can_undo)
        self.redo.setEnabled(can_redo)
        self.note.tell("")
        self._selection = selection

    def _bands_typed(self) -> None:
        if self._selection is None or self.bands.text() == self._selection.band_words():
            return
        bands = parsed(self.bands.text())
        if bands is None:
            self.note.tell("Write bands as low–high in Hz, for instance 8–13, 18–26.", "warn")
            self.bands.setText(self._selection.band_words())
        else:
            self._change(bands=bands)

    def _change(self, **what: object) -> None:
        """Emit the changed selection, if it is valid."""
        if self._selection is None:
            return
        wanted = replace(self._selection, **what)  # type: ignore[arg-type]
        if wanted.stop_s - wanted.start_s < 2 * HOP_S:
            self.note.tell("The window must end after it begins.", "warn")
            return
        self.changed.emit(wanted)


def parsed(text: str) -> tuple[Band, ...] | None:
    """Parse bands that a person typed; return None if they are invalid.

    Parameters
    ----------
    text : str

    Examples
    --------
    >>> parsed("8-13, 18–26 Hz")
    ((8.0, 13.0), (18.0, 26.0))
    """
    found = [BAND.fullmatch(part) for part in re.split(r"[,;]", text)]
    bands = [(float(m.group(1)), float(m.group(2))) for m in found if m]
    return tuple(bands) if bands and len(bands) == len(found) and all(0 < low < high for low, high in bands) else None


def _seconds(name: str) -> QDoubleSpinBox:
    made = QDoubleSpinBox()
    made.setLocale(QLocale.c())
    made.setAccessibleName(name)
    made.setRange(0.0, 20.0)
    made.setSingleStep(HOP_S)
    made.setDecimals(2)
    made.setSuffix(" s")
    made.setKeyboardTracking(False)
    return made
