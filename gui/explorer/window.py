"""The feature explorer's window."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QAction, QCloseEvent, QKeySequence, QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from bci.errors import BciError
from bci.session.explore.separability import REST, Separability
from bci.session.explore.suggestions import Suggestion
from bci.session.explore.time_frequency import Erds
from bci.session.explore.topography import topography
from gui.background import Background
from gui.context import Context
from gui.explorer.chooser import Chooser
from gui.explorer.comparison import Comparison
from gui.explorer.curves import ClassSpectra, ErdsMaps
from gui.explorer.feature_map import FeatureMap
from gui.explorer.head import PickMap
from gui.explorer.selection import History, Selection, toml_of
from gui.explorer.shapes import Compared, Estimate, Look, Opened, places_of
from gui.text import Label
from gui.tidy import tidy
from gui.widgets.topography import ColourBar

WORK = "gui.explorer.work:Work"
FILES = "Recordings and configuration (*.xdf *.edf *.bdf *.gdf *.vhdr *.fif *.toml);;All files (*)"
MEASURES = ("power", "connectivity (node strength)")
FOLLOW_MS = 8000
SETTLE_MS = 250
BAND_PERMUTATIONS = 199
LEAST_REACH = 0.1
BELOW_PX = 216
HEAD = """Selected in the feature explorer, by looking at the trials of {recordings}.
Cross-validated on the same trials: {said}. A selection made by looking is judged too well by the trials it was made on."""


class ExplorerWindow(QWidget):
    """Where classes differ, and what a decoder makes of it.

    Parameters
    ----------
    context : Context
        Its feed's recording is opened first, where it is one.

    Attributes
    ----------
    opened : Opened or None
    look : Look or None
    history : History or None
        What was selected.
    looker, judge : Background
        Two processes: looking never waits for a fit.
    """

    TITLE = "Explorer"

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self.setProperty("panel", "true")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setWindowTitle("bci – feature explorer")
        self.resize(1280, 720)
        self.opened: Opened | None = None
        self.look: Look | None = None
        self.change: dict[str, Erds] = {}
        self.history: History | None = None
        self._place: tuple[tuple[Path, ...], str] | None = None
        self._judge_has: tuple[Opened, int | None] | None = None
        self._columns: list[int] = []
        self.looker, self.judge = Background(WORK, self), Background(WORK, self)
        self._make_parts()
        self._lay_out()
        self._connect()
        self._show_status("", "muted")

    def _make_parts(self) -> None:
        self.open_button, self.follow = QPushButton("Open …"), QPushButton("Follow the live session")
        self.follow.setCheckable(True)
        self.comparison, self.measure = QComboBox(), QComboBox()
        self.comparison.setAccessibleName("classes that are compared")
        self.measure.setAccessibleName("measure")
        self.measure.addItems(MEASURES)
        self.suggestions = QPushButton("Suggestions")
        self.suggestions.setMenu(QMenu(self.suggestions))
        self.status = Label("", "muted", elastic=True)
        self.map = FeatureMap(self._context)
        self.map_note = Label("", "muted", elastic=True)
        self.head, self.head_note = PickMap(self._context), Label("", "title", elastic=True)
        self.head_bar = ColourBar(self._context)
        self.spectra, self.spectra_note = ClassSpectra(self._context), Label("", "title", elastic=True)
        self.erds, self.erds_note = ErdsMaps(self._context), Label("", "title", elastic=True)
        self.chooser, self.table = Chooser(), Comparison()
        self._settle, self._following = QTimer(self), QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(SETTLE_MS)
        self._following.setInterval(FOLLOW_MS)

    def _lay_out(self) -> None:
        bar = QFrame()
        bar.setProperty("role", "bar")
        top = QHBoxLayout(bar)
        top.setContentsMargins(10, 5, 10, 5)
        for widget in (self.open_button, self.follow):
            top.addWidget(widget)
        top.addWidget(self.status, 1)
        for widget in (self.suggestions, self.measure, self.comparison):
            top.addWidget(widget)
        right = QGridLayout()
        right.setContentsMargins(8, 4, 4, 0)
        right.setSpacing(4)
        for (row, column, width), parts in (
            ((0, 0, 1), (self.head_note, self.head, self.head_bar)),
            ((0, 1, 1), (self.spectra_note, self.spectra)),
            ((1, 0, 2), (self.erds_note, self.erds)),
        ):
            right.addLayout(_column(*parts), row, column, 1, width)
        right.setColumnStretch(0, 1)
        right.setColumnStretch(1, 1)
        for row in (0, 1):
            right.setRowStretch(row, 1)
        left, other = QWidget(), QWidget()
        left.setLayout(_column(self.map_note, self.map))
        other.setLayout(right)
        self.across = _splitter(Qt.Orientation.Horizontal, (left, other), (46, 54))
        self.below = _splitter(Qt.Orientation.Horizontal, (self.chooser, self.table), (36, 64))
        self.whole = _splitter(Qt.Orientation.Vertical, (self.across, self.below), (70, 30))
        self.below.setMinimumHeight(BELOW_PX)
        self.whole.setSizes([10 * BELOW_PX, BELOW_PX])
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(0)
        box.addWidget(bar)
        box.addWidget(self.whole, 1)

    def _connect(self) -> None:
        self.open_button.clicked.connect(self._choose_recording)
        self.follow.toggled.connect(self._follow)
        self.comparison.currentIndexChanged.connect(lambda _: self.show_look())
        self.measure.currentIndexChanged.connect(lambda _: self.show_look())
        self.map.pointed.connect(lambda *_: self.show_cursor())
        self.map.toggled.connect(self.toggle)
        self.head.toggled.connect(self.toggle)
        self.map.banded.connect(self.take_band)
        self.spectra.banded.connect(self.take_band)
        self.chooser.changed.connect(self.select)
        self.chooser.undone.connect(self.undo)
        self.chooser.redone.connect(self.redo)
        self.table.chosen.connect(self.select)
        self.table.retrain.clicked.connect(self.retrain)
        self.table.honest.clicked.connect(lambda: self._judge("honest"))
        self.table.save.clicked.connect(self._choose_file)
        self.table.cancel.clicked.connect(self.cancel)
        self._settle.timeout.connect(self._look_again)
        self._following.timeout.connect(self._look_for_more)
        for background, done, failed in (
            (self.looker, self._looked, self._not_looked),
            (self.judge, self._judged, self._not_judged),
        ):
            background.done.connect(done)
            background.failed.connect(failed)
        self.looker.told.connect(lambda what, _: self._show_status(f"{what} …", "muted"))
        self.judge.told.connect(lambda what, share: self.table.work(what, share) if self.fitting else None)
        for keys, do in (
            ("Ctrl+Z", self.undo),
            ("Ctrl+Shift+Z", self.redo),
            ("Ctrl+R", self.retrain),
            ("Ctrl+O", self._choose_recording),
        ):
            action = QAction(self)
            action.setShortcut(QKeySequence(keys))
            action.triggered.connect(lambda _=False, f=do: f())
            self.addAction(action)

    # --- recordings

    def open(self, place: Path | str, *more: Path | str) -> None:
        """Explore recordings of one person.

        Parameters
        ----------
        place : Path or str
            A recording, or a folder: the newest calibration in it.
        more : Path or str
            More recordings, or the configuration file (``.toml``) that says what their markers mean.
        """
        paths = [Path(p) for p in (place, *more)]
        config = next((str(p) for p in paths if p.suffix == ".toml"), "")
        recordings = tuple(p for p in paths if p.suffix != ".toml")
        if not recordings:
            self._show_status("choose a recording together with the configuration", "warn")
            return
        self._place = (recordings, config)
        self.looker.ask("open", *self._place)

    def _choose_recording(self) -> None:
        paths, _ = QFileDialog.getOpenFileNames(self, "Choose recordings of one person, and a configuration", "", FILES)
        if paths:
            self.open(*paths)

    def _follow(self, on: bool) -> None:
        """Look again and again whether the session's recording has grown."""
        if on:
            self._look_for_more()
            self._following.start()
        else:
            self._following.stop()

    def _look_for_more(self) -> None:
        feed = self._context.feed
        source = feed.signal_stream.source_id if feed.signal_stream is not None else ""
        place = feed.recording or feed.place
        if self.looker.busy or place is None:
            return
        if not place.is_file() and not source:
            self._show_status("no live session is in reach", "warn")
            return
        self.looker.ask("grown", place, source, self.opened.size if self.opened else 0)

    def _opened(self, opened: Opened) -> None:
        before, self.opened = self.opened, opened
        same = before is not None and (before.channels, before.recordings[0]) == (opened.channels, opened.recordings[0])
        if before is not None and same and before.counts == opened.counts:
            return  # it has grown, but by no trial
        self._judge_has = None
        if self.fitting:
            self.judge.cancel()
            self.table.rest()
        if not same:
            self.history, self.look, self.change = History(Selection.of(opened.config)), None, {}
            self._columns, places = places_of(opened)
            self.head.use_labels(tuple(opened.channels[i] for i in self._columns), places)
            self.table.forget()
        self.chooser.use(opened)
        self._show_selection()
        self._look_again()

    def _look_again(self) -> None:
        """Everything that depends on the window of the selection."""
        if self.history is None:
            return
        self.looker.ask("look", self.history.now)
        self.looker.ask("change", self.history.now)

    def _looked(self, _number: int, method: str, found: object) -> None:
        if method == "grown":
            if isinstance(found, Path):
                self.open(found)
            return
        if isinstance(found, Opened):
            self._opened(found)
        elif isinstance(found, Look):
            first = self.look is None
            self.look = found
            self._show_comparisons(found.found.power)
            self._show_suggestions()
            if first:
                self._point_at_best()
            self.show_look()
        elif method == "change":
            self.change = found  # type: ignore[assignment]
            self.show_cursor()
        if not self.looker.busy:
            self._show_facts()
            self._prepare_judge()

    def _not_looked(self, _number: int, method: str, why: str) -> None:
        if method == "change":
            self.change = {}
            self.erds.note.tell(f"no ERD/ERS: {why}")
            self.show_cursor()
            self._show_facts()
            return
        self._show_status(why, "bad")
        if self.look is None:
            self.map.note = why
            self.map.update()

    # --- the selection

    def select(self, selection: Selection) -> None:
        """Select something else."""
        if self.history is None:
            return
        before = self.history.now
        if self.history.do(selection):
            self._changed(before)

    def toggle(self, channel: str) -> None:
        """Take a channel in or out."""
        if self.history is not None and self.opened is not None:
            self.select(self.history.now.toggled(channel, self.opened.channels))

    def take_band(self, low_hz: float, high_hz: float, more: bool = False) -> None:
        """Select a band, or one more."""
        if self.history is not None:
            self.select(self.history.now.with_band((low_hz, high_hz), more))

    def take_suggestion(self, one: Suggestion) -> None:
        """Select a suggested channel and band."""
        if self.history is not None:
            narrow = self.history.now.with_channels((one.channel,))
            self.select(narrow.with_band((one.low_hz, max(one.high_hz, one.low_hz + 1.0))))

    def undo(self) -> None:
        """One step back."""
        if self.history is not None:
            before = self.history.now
            self.history.undo()
            self._changed(before)

    def redo(self) -> None:
        """One step forth."""
        if self.history is not None:
            before = self.history.now
            self.history.redo()
            self._changed(before)

    def _changed(self, before: Selection) -> None:
        self._show_selection()
        now = self.history.now if self.history is not None else before
        if (now.start_s, now.stop_s, now.reference) != (before.start_s, before.stop_s, before.reference):
            self._settle.start()
        else:
            self.show_cursor()

    def _show_selection(self) -> None:
        if self.history is None or self.opened is None:
            return
        now = self.history.now
        self.chooser.show_selection(now, len(self.opened.channels), self.history.can_undo, self.history.can_redo)
        self.map.show_selection(now.channels, now.bands)
        self.spectra.show_bands(now.bands)

    # --- judging

    @property
    def fitting(self) -> bool:
        """Whether a selection is being judged."""
        return self.judge.waits_for("judge", "honest")

    def retrain(self) -> None:
        """Train and cross-validate what is selected, in the other process."""
        if self.history is not None:
            self._judge("judge", self.history.now)

    def _judge(self, method: str, *arguments: object) -> None:
        if self.opened is None or self.fitting:
            return
        self.table.work("starting", 0.0)
        self._prepare_judge()
        self.judge.ask(method, *arguments)

    def _prepare_judge(self) -> None:
        """Have the process that fits read what is open, if it has not."""
        if self.opened is not None and self._place is not None and self._judge_has != (self.opened, self.judge.pid):
            self.judge.ask("prepare", *self._place)
            self._judge_has = (self.opened, self.judge.pid)

    def cancel(self) -> None:
        """Give up the fit that is going on."""
        self.judge.cancel()
        self.table.rest("cancelled")

    def _judged(self, _number: int, _method: str, found: object) -> None:
        if isinstance(found, Compared):
            self.table.add(found)
        elif isinstance(found, Estimate):
            self.table.whole = found
            self.table.show_all()
        if not self.fitting:
            self.table.rest()

    def _not_judged(self, _number: int, _method: str, why: str) -> None:
        if not self.fitting:
            self.table.rest(why, "bad")

    # --- saving

    def _choose_file(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save the selection", "selection.toml", "Configuration (*.toml)")
        if path:
            self.save(Path(path))

    def save(self, path: Path) -> None:
        """Write the selection as a configuration for ``bci train --config``."""
        if self.history is None or self.opened is None:
            return
        now = self.history.now
        said = next((c.own for c in self.table.compared if c.selection == now), None)
        numbers = f"{100 * said.accuracy:.0f} % right of {said.n}" if said else "not yet"
        names = ", ".join(tidy(p.name, 80) for p in self.opened.recordings)
        try:
            config, _ = now.configured(self.opened.config, self.opened.info)
            path.write_text(toml_of(config, HEAD.format(recordings=names, said=numbers)), encoding="utf-8")
        except (OSError, BciError) as error:
            self.table.rest(f"not saved: {error}", "bad")
            return
        self.table.rest(f"saved: bci train {names} --config {tidy(path, 200)} -o model.safetensors", "good")

    # --- showing

    def _measured(self) -> Separability | None:
        """What the map shows."""
        if self.look is None:
            return None
        return self.look.found.power if self.measure.currentIndex() == 0 else self.look.found.connectivity

    def _which(self) -> int:
        return max(0, self.comparison.currentIndex())

    def show_look(self) -> None:
        """Show the map of the comparison that is chosen."""
        found = self._measured()
        if found is None or self.look is None:
            return
        which = min(self._which(), len(found.comparisons) - 1)
        values, sure = found.r2[which].T, found.significant[which].T
        reach = max(LEAST_REACH, float(np.abs(values).max()))
        self.map.show_values(self.look.found.channels, self.look.found.freqs_hz, values, sure, reach)
        self.map_note.tell(f"Signed r² of {self.measure.currentText()}; dots: p ≤ 0.05 for the whole map; pale: may be chance")
        self.show_cursor()

    def show_cursor(self) -> None:
        """Show head, spectra and ERD/ERS of where the cursor is."""
        found = self._measured()
        if found is None or self.look is None or self.opened is None:
            return
        channel, freq = self.map.cursor
        name = tidy(self.look.found.channels[channel], 24)
        self._show_head(found, channel, freq)
        self.spectra_note.tell(f"{name}: spectra of the classes")
        self.spectra.show_channel(self.look.found.classes, self.look.found.freqs_hz, channel)
        self.erds_note.tell(f"{name}: ERD/ERS (pale: may be chance)")
        self.erds.show_channel(self.change, channel)

    def _show_head(self, found: Separability, channel: int, freq: int) -> None:
        """r² over the head: of the selected band where the cursor is in it, else of the cursor's frequency."""
        if self.look is None or self.history is None or self.opened is None:
            return
        which, hz = min(self._which(), len(found.comparisons) - 1), float(self.look.found.freqs_hz[freq])
        band = next((b for b in self.history.now.bands if b[0] <= hz <= b[1]), None)
        values, sure, said = found.r2[which, freq], found.significant[which, freq], f"{hz:g} Hz"
        if band is not None and self.measure.currentIndex() == 0:
            look = self.look
            head = topography(look.spectra, look.labels, *band, look.blocks, BAND_PERMUTATIONS).difference
            values, sure, said = head.r2[which], head.significant[which], f"{band[0]:g}–{band[1]:g} Hz"
        reach = max(LEAST_REACH, float(np.abs(values).max()))
        first, second = (tidy(c, 18) for c in found.comparisons[which])
        self.head_note.tell(f"r² at {said}")
        self.head.show_values(values[self._columns], -reach, reach)
        self.head.mark(self.history.now.channels, self.look.found.channels[channel], sure[self._columns])
        self.head_bar.show_ends(f"more: {second if second != REST else 'the rest'}", f"more: {first}")

    def _show_comparisons(self, found: Separability) -> None:
        words = [f"{tidy(a, 24)} – {tidy(b, 24)}" for a, b in found.comparisons]
        if [self.comparison.itemText(i) for i in range(self.comparison.count())] != words:
            self.comparison.blockSignals(True)
            self.comparison.clear()
            self.comparison.addItems(words)
            self.comparison.blockSignals(False)
        self.comparison.setEnabled(len(words) > 1)

    def _show_suggestions(self) -> None:
        menu = self.suggestions.menu()
        menu.clear()
        for one in self.look.found.suggestions if self.look is not None else ():
            action = menu.addAction(tidy(one, 120).replace("&", "&&"))
            action.triggered.connect(lambda _=False, s=one: self.take_suggestion(s))
        self.suggestions.setEnabled(not menu.isEmpty())

    def _point_at_best(self) -> None:
        if self.look is None:
            return
        peak = np.abs(self.look.found.power.r2[0])
        freq, channel = (int(i) for i in np.unravel_index(int(peak.argmax()), peak.shape))
        self.map.cursor = (channel, freq)

    def _show_facts(self) -> None:
        if self.opened is None:
            return
        trials = ", ".join(f"{n} {tidy(c, 24)}" for c, n in self.opened.counts.items())
        left = f"; {self.look.left_out} not whole" if self.look is not None and self.look.left_out else ""
        names = tidy(", ".join(p.name for p in self.opened.recordings), 80)
        self._show_status(f"{names}: {trials}{left}", "title")

    def _show_status(self, text: str, role: str) -> None:
        self.status.tell(text, role)

    def demonstrate(self, until: Callable[[Callable[[], object]], None]) -> None:
        """Show what the window is for, for a picture.

        Parameters
        ----------
        until : callable
            Waits until something has become true.
        """
        until(lambda: self.change and not self.looker.busy)
        self.retrain()
        until(lambda: not self.fitting)
        for channel in ("C3", "C4"):
            self.toggle(channel)
        self.take_band(9.0, 13.0)
        self.retrain()
        until(lambda: not (self.fitting or self.looker.busy or self._settle.isActive()))

    # --- coming and going

    def showEvent(self, event: QShowEvent) -> None:
        """Open what was named when the windows were started, or what was open last."""
        super().showEvent(event)
        if self.looker.pid is not None:
            return
        place = self._context.feed.place
        if self._place is not None:
            self.open(*self._place[0], *filter(None, (self._place[1],)))
        elif place is not None and (place.is_file() or (place.is_dir() and any(place.rglob("*.xdf")))):
            self.open(place)

    def closeEvent(self, event: QCloseEvent) -> None:
        """End the other processes."""
        self.follow.setChecked(False)
        self.looker.close()
        self.judge.close()
        super().closeEvent(event)


def _column(*widgets: QWidget) -> QVBoxLayout:
    box = QVBoxLayout()
    box.setContentsMargins(6, 4, 2, 2)
    box.setSpacing(2)
    for widget in widgets:
        box.addWidget(widget, 0 if isinstance(widget, Label | ColourBar) else 1)
    return box


def _splitter(way: Qt.Orientation, parts: tuple[QWidget, QWidget], shares: tuple[int, int]) -> QSplitter:
    made = QSplitter(way)
    made.setChildrenCollapsible(False)
    for part, share in zip(parts, shares, strict=True):
        made.addWidget(part)
        # What is below keeps its height: pictures are what a larger window is for.
        made.setStretchFactor(made.indexOf(part), share if way == Qt.Orientation.Horizontal or share > 50 else 0)
    made.setSizes([10 * share for share in shares])
    return made
