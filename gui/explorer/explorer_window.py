"""The window of the feature explorer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QCloseEvent, QShowEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from bci.errors import BciError
from bci.explore.suggestions import Suggestion
from gui.background import Background
from gui.context import Context
from gui.explorer.comparison import Comparison
from gui.explorer.pictures import ClassPictures
from gui.explorer.saving import configuration_text, facts, training_command
from gui.explorer.selection import Selection, SelectionHistory
from gui.explorer.selection_form import SelectionForm
from gui.explorer.splits import splitter
from gui.explorer.values import ClassDifferences, Estimate, ExplorerRecordings, JudgedSelection
from gui.sanitise import sanitise
from gui.text import Label
from gui.widgets.rows import add_widgets
from gui.widgets.shortcuts import add_shortcuts

WORK = "gui.explorer.background_jobs:ExplorerJobs"
FILES = (
    "Recordings and configuration (*.xdf *.xdf.gz *.xdfz *.edf *.bdf *.gdf *.vhdr *.fif *.fif.gz *.set *.cnt *.ov *.toml)"
    ";;All files (*)"
)
FOLLOW_MS = 8000
SETTLE_MS = 250
BELOW_PX = 216


class ExplorerWindow(QWidget):
    """Shows where classes differ, and how well a decoder tells them apart.

    Parameters
    ----------
    context : Context
        The recording of its feed is opened first, if there is one.

    Attributes
    ----------
    opened : ExplorerRecordings or None
    pictures : ClassPictures
    history : SelectionHistory or None
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
        self.opened: ExplorerRecordings | None = None
        self.history: SelectionHistory | None = None
        self._place: tuple[tuple[Path, ...], str] | None = None
        self._judge_has: tuple[ExplorerRecordings, int | None] | None = None
        self.looker, self.judge = Background(WORK, self), Background(WORK, self)
        self._make_parts()
        self._lay_out()
        self._connect()
        self._show_status("", "muted")

    def _make_parts(self) -> None:
        self.open_button, self.follow = QPushButton("Open …"), QPushButton("Follow the live session")
        self.follow.setCheckable(True)
        self.suggestions = QPushButton("Suggestions")
        self.suggestions.setMenu(QMenu(self.suggestions))
        self.status = Label("", "muted", wrap=True)
        self.pictures = ClassPictures(self._context)
        self.chooser, self.table = SelectionForm(), Comparison()
        self._settle, self._following = QTimer(self), QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(SETTLE_MS)
        self._following.setInterval(FOLLOW_MS)

    def _lay_out(self) -> None:
        bar = QFrame()
        bar.setProperty("role", "bar")
        top = QHBoxLayout(bar)
        top.setContentsMargins(10, 5, 10, 5)
        add_widgets(top, self.open_button, self.follow)
        top.addWidget(self.status, 1)
        add_widgets(top, self.suggestions, self.pictures.measure, self.pictures.comparison)
        self.below = splitter(Qt.Orientation.Horizontal, (self.chooser, self.table), (36, 64))
        self.whole = splitter(Qt.Orientation.Vertical, (self.pictures, self.below), (70, 30))
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
        self.pictures.toggled.connect(self.toggle)
        self.pictures.banded.connect(self.take_band)
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
        keys = {"Ctrl+Z": self.undo, "Ctrl+Shift+Z": self.redo, "Ctrl+R": self.retrain, "Ctrl+O": self._choose_recording}
        add_shortcuts(self, keys)

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
            self._show_status("Choose a recording together with the configuration.", "warn")
            return
        self._place = (recordings, config)
        self.looker.ask("open", *self._place)

    def _choose_recording(self) -> None:
        paths, _ = QFileDialog.getOpenFileNames(self, "Choose recordings of one person, and a configuration", "", FILES)
        if paths:
            self.open(*paths)

    def _follow(self, on: bool) -> None:
        """Start or stop checking at intervals whether the recording of the session has grown."""
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
            self._show_status("There is no live session.", "warn")
            return
        self.looker.ask("grown", place, source, self.opened.size if self.opened else 0)

    def _opened(self, opened: ExplorerRecordings) -> None:
        before, self.opened = self.opened, opened
        same = before is not None and (before.channels, before.recordings[0]) == (opened.channels, opened.recordings[0])
        if before is not None and same and before.counts == opened.counts:
            return  # it has grown, but by no trial
        self._judge_has = None
        if self.fitting:
            self.judge.cancel()
            self.table.rest()
        if not same:
            self.history = SelectionHistory(Selection.of(opened.config))
            self.pictures.use(opened)
            self.table.forget()
        self.chooser.use(opened)
        self._show_selection()
        self._look_again()

    def _look_again(self) -> None:
        """Compute again what depends on the time window of the selection."""
        if self.history is None:
            return
        self.looker.ask("look", self.history.now)
        self.looker.ask("change", self.history.now)

    def _looked(self, _number: int, method: str, found: object) -> None:
        if method == "grown":
            if isinstance(found, Path):
                self.open(found)
            return
        if isinstance(found, ExplorerRecordings):
            self._opened(found)
        elif isinstance(found, ClassDifferences):
            self.pictures.show_look(found)
            self._show_suggestions(found)
        elif isinstance(found, dict):
            self.pictures.show_change(found)
        if not self.looker.busy:
            self._show_facts()
            self._prepare_judge()

    def _not_looked(self, _number: int, method: str, why: str) -> None:
        if method == "change":
            self.pictures.show_change({}, why)
            self._show_facts()
        else:
            self._show_status(why, "bad")
            self.pictures.say(why)

    # --- the selection

    def select(self, selection: Selection) -> None:
        """Select something else."""
        if self.history is None:
            return
        before = self.history.now
        if self.history.do(selection):
            self._changed(before)

    def toggle(self, channel: str) -> None:
        """Select or deselect a channel."""
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
        """Undo one step."""
        if self.history is not None:
            before = self.history.now
            self.history.undo()
            self._changed(before)

    def redo(self) -> None:
        """Redo one step."""
        if self.history is not None:
            before = self.history.now
            self.history.redo()
            self._changed(before)

    def _changed(self, before: Selection) -> None:
        self._show_selection()
        now = self.history.now if self.history is not None else before
        if (now.start_s, now.stop_s, now.reference) != (before.start_s, before.stop_s, before.reference):
            self._settle.start()

    def _show_selection(self) -> None:
        if self.history is None or self.opened is None:
            return
        now = self.history.now
        self.chooser.show_selection(now, len(self.opened.channels), self.history.can_undo, self.history.can_redo)
        self.pictures.show_selection(now)

    # --- judging

    @property
    def fitting(self) -> bool:
        """Whether a selection is being judged."""
        return self.judge.waits_for("judge", "honest")

    def retrain(self) -> None:
        """Train and cross-validate the selection, in a background process."""
        if self.history is not None:
            self._judge("judge", self.history.now)

    def _judge(self, method: str, *arguments: object) -> None:
        if self.opened is None or self.fitting:
            return
        self.table.work("starting", 0.0)
        self._prepare_judge()
        self.judge.ask(method, *arguments)

    def _prepare_judge(self) -> None:
        """Let the training process read the open recordings, if it has not."""
        if self.opened is not None and self._place is not None and self._judge_has != (self.opened, self.judge.pid):
            self.judge.ask("prepare", *self._place)
            self._judge_has = (self.opened, self.judge.pid)

    def cancel(self) -> None:
        """Cancel the training that is running."""
        self.judge.cancel()
        self.table.rest("cancelled")

    def _judged(self, _number: int, _method: str, found: object) -> None:
        if isinstance(found, JudgedSelection):
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
        try:
            path.write_text(configuration_text(self.opened, self.history.now, self.table.compared), encoding="utf-8")
        except (OSError, BciError) as error:
            self.table.rest(f"The selection was not saved: {error}", "bad")
            return
        self.table.rest(f"Saved. To train it: {training_command(self.opened, path)}", "good")

    # --- showing

    def _show_suggestions(self, look: ClassDifferences) -> None:
        menu = self.suggestions.menu()
        menu.clear()
        for one in look.found.suggestions:
            action = menu.addAction(sanitise(one, 120).replace("&", "&&"))
            action.triggered.connect(lambda _=False, s=one: self.take_suggestion(s))
        self.suggestions.setEnabled(not menu.isEmpty())

    def _show_facts(self) -> None:
        if self.opened is not None:
            self._show_status(facts(self.opened, self.pictures.look), "title")

    def _show_status(self, text: str, role: str) -> None:
        self.status.tell(text, role)

    def demonstrate(self, until: Callable[[Callable[[], object]], None]) -> None:
        """Show what the window does, for a screenshot.

        Parameters
        ----------
        until : callable
            Waits until a condition is true.
        """
        until(lambda: self.pictures.change and not self.looker.busy)
        self.retrain()
        until(lambda: not self.fitting)
        for channel in ("C3", "C4"):
            self.toggle(channel)
        self.take_band(9.0, 13.0)
        self.retrain()
        until(lambda: not (self.fitting or self.looker.busy or self._settle.isActive()))

    # --- coming and going

    def showEvent(self, event: QShowEvent) -> None:
        """Open the recording that was given at the start, or the one that was open last."""
        super().showEvent(event)
        if self.looker.pid is not None:
            return
        place = self._context.feed.place
        if self._place is not None:
            self.open(*self._place[0], *filter(None, (self._place[1],)))
        elif place is not None and (place.is_file() or (place.is_dir() and any(place.rglob("*.xdf")))):
            self.open(place)

    def closeEvent(self, event: QCloseEvent) -> None:
        """End the background processes."""
        self.follow.setChecked(False)
        self.looker.close()
        self.judge.close()
        super().closeEvent(event)
