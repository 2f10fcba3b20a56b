"""Map, head, spectra and ERD/ERS, which follow one cursor."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from bci.explore.separability import REST, Separability
from bci.explore.time_frequency import Erds
from bci.explore.topography import topography
from gui.context import Context
from gui.explorer.curves import ClassSpectra, ErdsMaps
from gui.explorer.feature_map import FeatureMap
from gui.explorer.selectable_map import SelectableMap
from gui.explorer.selection import Selection
from gui.explorer.splits import splitter
from gui.explorer.values import ClassDifferences, ExplorerRecordings, places_of
from gui.sanitise import sanitise
from gui.text import Label
from gui.widgets.topography import ColourBar

MEASURES = ("power", "connectivity (node strength)")
BAND_PERMUTATIONS = 199
LEAST_REACH = 0.1


class ClassPictures(QWidget):
    """The pictures that show where the classes differ.

    Parameters
    ----------
    context : Context

    Attributes
    ----------
    toggled : Signal(str)
        A channel is to be taken in or out.
    banded : Signal(float, float, bool)
        A band was dragged; whether it is one more.
    comparison, measure : QComboBox
        Which classes, and what of the signal; the window decides where they are.
    look : ClassDifferences or None
    change : dict of str to Erds
    """

    toggled = Signal(str)
    banded = Signal(float, float, bool)

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.look: ClassDifferences | None = None
        self.change: dict[str, Erds] = {}
        self._selection: Selection | None = None
        self._columns: list[int] = []
        self.comparison, self.measure = QComboBox(), QComboBox()
        self.comparison.setAccessibleName("classes that are compared")
        self.measure.setAccessibleName("measure")
        self.measure.addItems(MEASURES)
        self.map, self.map_note = FeatureMap(context), Label("", "muted", elastic=True)
        self.head, self.head_note = SelectableMap(context), Label("", "title", elastic=True)
        self.head_bar = ColourBar(context)
        self.spectra, self.spectra_note = ClassSpectra(context), Label("", "title", elastic=True)
        self.erds, self.erds_note = ErdsMaps(context), Label("", "title", elastic=True)
        self._lay_out()
        for one in (self.map, self.head):
            one.toggled.connect(self.toggled)
        for source in (self.map, self.spectra):
            source.banded.connect(self.banded)
        self.map.pointed.connect(lambda *_: self.show_cursor())
        for choice in (self.comparison, self.measure):
            choice.currentIndexChanged.connect(lambda _: self.refresh())

    def _lay_out(self) -> None:
        right = QGridLayout()
        right.setContentsMargins(8, 4, 4, 0)
        right.setSpacing(4)
        for (row, column, width), parts in (
            ((0, 0, 1), (self.head_note, self.head, self.head_bar)),
            ((0, 1, 1), (self.spectra_note, self.spectra)),
            ((1, 0, 2), (self.erds_note, self.erds)),
        ):
            right.addLayout(_column(*parts), row, column, 1, width)
            right.setColumnStretch(column, 1)
            right.setRowStretch(row, 1)
        left, other = QWidget(), QWidget()
        left.setLayout(_column(self.map_note, self.map))
        other.setLayout(right)
        box = QHBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(splitter(Qt.Orientation.Horizontal, (left, other), (46, 54)))

    # --- what is shown

    def use(self, opened: ExplorerRecordings) -> None:
        """Show other recordings.

        Parameters
        ----------
        opened : ExplorerRecordings
            The open recordings.
        """
        self.look, self.change = None, {}
        self._columns, places = places_of(opened)
        self.head.use_labels(tuple(opened.channels[i] for i in self._columns), places)

    def say(self, why: str) -> None:
        """Say why there is nothing to show yet.

        Parameters
        ----------
        why : str
            The reason.
        """
        if self.look is None:
            self.map.note = why
            self.map.update()

    def show_look(self, look: ClassDifferences) -> None:
        """Show another analysis; the first one puts the cursor where the classes differ most.

        Parameters
        ----------
        look : ClassDifferences
            The analysis of the trials.
        """
        first, self.look = self.look is None, look
        found = look.found.power
        words = [f"{sanitise(a, 24)} – {sanitise(b, 24)}" for a, b in found.comparisons]
        if [self.comparison.itemText(i) for i in range(self.comparison.count())] != words:
            self.comparison.blockSignals(True)
            self.comparison.clear()
            self.comparison.addItems(words)
            self.comparison.blockSignals(False)
        self.comparison.setEnabled(len(words) > 1)
        if first:
            self.point_at_best()
        self.refresh()

    def show_change(self, change: dict[str, Erds], why: str = "") -> None:
        """Show ERD/ERS of each class; if there are none, why.

        Parameters
        ----------
        change : mapping of str to Erds
            ERD/ERS by class.
        why : str, optional
            Why there are none.
        """
        self.change = change
        self.erds.note.tell(f"no ERD/ERS: {why}" if why else "")
        self.show_cursor()

    def show_selection(self, selection: Selection) -> None:
        """Show the selection.

        Parameters
        ----------
        selection : Selection
        """
        self._selection = selection
        self.map.show_selection(selection.channels, selection.bands)
        self.spectra.show_bands(selection.bands)
        self.show_cursor()

    def point_at_best(self) -> None:
        """Put the cursor where r² is largest."""
        if self.look is not None:
            peak = np.abs(self.look.found.power.r2[0])
            freq, channel = (int(i) for i in np.unravel_index(int(peak.argmax()), peak.shape))
            self.map.pointed_at = (channel, freq)

    # --- showing

    def _measured(self) -> Separability | None:
        """Return what the map shows."""
        if self.look is None:
            return None
        return self.look.found.power if self.measure.currentIndex() == 0 else self.look.found.connectivity

    def _which(self, found: Separability) -> int:
        """Return the number of the chosen comparison."""
        return min(max(0, self.comparison.currentIndex()), len(found.comparisons) - 1)

    def refresh(self) -> None:
        """Show the map of the chosen comparison, and the pictures that follow the cursor."""
        found = self._measured()
        if found is None or self.look is None:
            return
        which = self._which(found)
        values, sure = found.r2[which].T, found.significant[which].T
        reach = max(LEAST_REACH, float(np.abs(values).max()))
        self.map.show_values(self.look.found.channels, self.look.found.freqs_hz, values, sure, reach)
        self.map_note.tell(f"Signed r² of {self.measure.currentText()}; dots: p ≤ 0.05 for the whole map; pale: may be chance")
        self.show_cursor()

    def show_cursor(self) -> None:
        """Show head, spectra and ERD/ERS at the cursor."""
        found = self._measured()
        if found is None or self.look is None or not self.map.values.size:
            return
        channel, freq = self.map.pointed_at
        name = sanitise(self.look.found.channels[channel], 24)
        self._show_head(self.look, found, channel, freq)
        self.spectra_note.tell(f"{name}: spectra of the classes")
        self.spectra.show_channel(self.look.found.classes, self.look.found.freqs_hz, channel)
        self.erds_note.tell(f"{name}: ERD/ERS (pale: may be chance)")
        self.erds.show_channel(self.change, channel)

    def _show_head(self, look: ClassDifferences, found: Separability, channel: int, freq: int) -> None:
        """Show r² over the head: for the selected band if the cursor is inside it, else for the frequency of the cursor."""
        which, hz = self._which(found), float(look.found.freqs_hz[freq])
        bands = self._selection.bands if self._selection is not None else ()
        band = next((b for b in bands if b[0] <= hz <= b[1]), None)
        values, sure, said = found.r2[which, freq], found.significant[which, freq], f"{hz:g} Hz"
        if band is not None and self.measure.currentIndex() == 0:
            head = topography(look.spectra, look.labels, *band, look.blocks, BAND_PERMUTATIONS).difference
            values, sure, said = head.r2[which], head.significant[which], f"{band[0]:g}–{band[1]:g} Hz"
        reach = max(LEAST_REACH, float(np.abs(values).max()))
        first, second = (sanitise(c, 18) for c in found.comparisons[which])
        chosen = self._selection.channels if self._selection is not None else ()
        self.head_note.tell(f"r² at {said}")
        self.head.show_values(values[self._columns], -reach, reach)
        self.head.mark(chosen, look.found.channels[channel], sure[self._columns])
        self.head_bar.show_ends(f"more: {second if second != REST else 'the rest'}", f"more: {first}")


def _column(*widgets: QWidget) -> QVBoxLayout:
    box = QVBoxLayout()
    box.setContentsMargins(6, 4, 2, 2)
    box.setSpacing(2)
    for widget in widgets:
        box.addWidget(widget, 0 if isinstance(widget, Label | ColourBar) else 1)
    return box
