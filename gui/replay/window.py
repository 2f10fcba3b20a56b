"""The replay window: play a recording, run it again, and go to what came out otherwise."""

from __future__ import annotations

import math
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QCloseEvent, QKeySequence, QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QProgressBar,
    QPushButton,
    QSplitter,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from gui.background import Background
from gui.context import Context
from gui.replay.moment import Moment
from gui.replay.playback import PlayedContext, PlayedSignal
from gui.replay.shapes import Again, Opened
from gui.replay.strip import Strip, clock
from gui.text import Label
from gui.tidy import recording_name, tidy
from gui.widgets.tables import ReadTable
from gui.widgets.trace_view import SCALES_UV, SECONDS, TraceView

WORK = "gui.replay.work:Work"
FILES = "Recordings (*.xdf *.xdf.gz *.xdfz *.edf *.bdf *.gdf *.vhdr *.fif *.fif.gz *.set *.cnt *.ov);;All files (*)"
MODELS = "Models (*.safetensors)"
SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, math.inf)
FASTEST = 0.2
"""Share of the picture that comes new with each frame where it goes as fast as it can."""
STEP_S = 0.2
OWN = "the session's own model"
CHOOSE = "another model …"


class ReplayWindow(QWidget):
    """A recording with its decisions, and the same decisions made again.

    Parameters
    ----------
    context : Context

    Attributes
    ----------
    opened : Opened or None
    again : Again or None
        The last second run.
    time_s : float
        Where playing is, sender's clock.
    worker : Background
    """

    TITLE = "Replay"

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self.setProperty("panel", "true")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setWindowTitle("bci – replay")
        self.resize(1280, 720)
        self.opened: Opened | None = None
        self.again: Again | None = None
        self.signal: PlayedSignal | None = None
        self.time_s = 0.0
        self._ticked_at = time.monotonic()
        self._folder: Path | None = None
        self._place: Path | None = None
        self.worker = Background(WORK, self)
        self.played = PlayedContext(context)
        self._make_parts()
        self._lay_out()
        self._connect()
        self._rest()

    def _make_parts(self) -> None:
        self.open_button, self.recompute = QPushButton("Open …"), QPushButton("Compute again")
        self.recompute.setProperty("role", "primary")
        self.cancel = QPushButton("Cancel")
        self.model = QComboBox()
        self.model.setAccessibleName("model")
        self.model.setMinimumContentsLength(26)
        self.model.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setMaximumWidth(140)
        self.name, self.verdict = Label("no recording", "title", elastic=True), Label("", "muted", elastic=True)
        self.view = TraceView(self.played)  # type: ignore[arg-type]  # it asks for no more than that has
        self.play = QPushButton("Play")
        self.play.setCheckable(True)
        self.play.setFixedWidth(90)
        self.speed = _choice("speed", [(_speed(s), s) for s in SPEEDS], 1.0)
        self.length = _choice("length of the picture", [(f"{s:g} s", s) for s in SECONDS], self.view.seconds)
        self.scale = _choice("scale", [(f"{s:g} µV", s) for s in SCALES_UV], self.view.scale_uv)
        self.clock = Label("0:00.0", "value")
        self.clock.setMinimumWidth(150)
        self.strip = Strip(self._context)
        self.then, self.now = Moment(self._context, "recorded"), Moment(self._context, "computed")
        self.list = ReadTable(("Time", "For", "Recorded", "Computed"), "differences")
        header = self.list.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        for column in (0, 1):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        self.listed = Label("Differences", "title", elastic=True)
        self.note = Label("Open the recording of a session, and compute its decisions again.", "muted", wrap=True)

    def _lay_out(self) -> None:
        frame = QFrame()
        frame.setProperty("role", "bar")
        top = QHBoxLayout(frame)
        top.setContentsMargins(10, 5, 10, 5)
        top.addWidget(self.open_button)
        top.addWidget(self.name, 2)
        for widget in (self.bar, self.cancel):
            top.addWidget(widget)
        top.addWidget(self.verdict, 3)
        for widget in (self.model, self.recompute):
            top.addWidget(widget)
        transport = QHBoxLayout()
        transport.setContentsMargins(10, 2, 10, 2)
        transport.setSpacing(8)
        for widget in (self.play, Label("speed", "muted"), self.speed, self.clock):
            transport.addWidget(widget)
        transport.addStretch(1)
        for widget in (Label("length", "muted"), self.length, Label("scale", "muted"), self.scale):
            transport.addWidget(widget)
        left, right = QWidget(), QWidget()
        box = QVBoxLayout(left)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(2)
        box.addWidget(self.view, 1)
        box.addLayout(transport)
        beside = QVBoxLayout(right)
        beside.setContentsMargins(4, 6, 8, 4)
        beside.setSpacing(4)
        for widget in (self.then, self.now, self.listed, self.note):
            beside.addWidget(widget)
        beside.addWidget(self.list, 1)
        across = QSplitter(Qt.Orientation.Horizontal)
        across.setChildrenCollapsible(False)
        for part, share in ((left, 72), (right, 28)):
            across.addWidget(part)
            across.setStretchFactor(across.indexOf(part), share)
        across.setSizes([720, 300])
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 4)
        whole.setSpacing(2)
        whole.addWidget(frame)
        whole.addWidget(across, 1)
        whole.addWidget(self.strip)

    def _connect(self) -> None:
        self.open_button.clicked.connect(self._choose_recording)
        self.recompute.clicked.connect(self.compute)
        self.cancel.clicked.connect(self._give_up)
        self.model.activated.connect(self._model_chosen)
        self.play.toggled.connect(self._played)
        self.length.currentIndexChanged.connect(self._looks)
        self.scale.currentIndexChanged.connect(self._looks)
        self.view.moved.connect(self._scrolled)
        self.view.scaled.connect(self._scaled)
        self.strip.sought.connect(self.go)
        self.list.cellClicked.connect(lambda row, _: self.go_to_difference(row))
        self.worker.told.connect(self._told)
        self.worker.done.connect(self._done)
        self.worker.failed.connect(self._failed)
        self._context.ticked.connect(self._tick)
        for keys, do in (
            ("P", self.play.toggle),
            ("Left", lambda: self.go(self.time_s - STEP_S)),
            ("Right", lambda: self.go(self.time_s + STEP_S)),
            ("Home", lambda: self.go(-math.inf)),
            ("End", lambda: self.go(math.inf)),
            ("N", lambda: self.next_difference(1)),
            ("Shift+N", lambda: self.next_difference(-1)),
            ("Ctrl+O", self._choose_recording),
            ("Ctrl+R", self.compute),
        ):
            action = QAction(self)
            action.setShortcut(QKeySequence(keys))
            action.triggered.connect(lambda _=False, f=do: f())
            self.addAction(action)

    # --- recordings

    def open(self, path: Path | str) -> None:
        """Open a recording."""
        self._place = Path(path)
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="bci-replay-"))
        self.play.setChecked(False)
        self.worker.ask("open", self._place, self._folder)
        self._told("reading", 0.0)

    def _choose_recording(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Choose a recording", "", FILES)
        if path:
            self.open(path)

    def _opened(self, opened: Opened) -> None:
        self.opened, self.again = opened, None
        signal = self.signal = PlayedSignal(opened.info, opened.signal, opened.anchors)
        self.played.feed.use(signal, opened.markers, opened.meanings)
        begin_s, end_s = signal.time_of(0), signal.time_of(signal.rows.end)
        self.view.count_from(begin_s)
        self.strip.use(begin_s, end_s, opened.markers, opened.meanings)
        self.name.tell(recording_name(opened.path))
        self._show_models(opened)
        self._show_again()
        self.go(begin_s + min(self.view.seconds, end_s - begin_s))

    def _show_models(self, opened: Opened) -> None:
        self.model.clear()
        if opened.recorded is not None:
            self.model.addItem(OWN, None)
        for path in opened.models:
            self.model.addItem(tidy(path.name, 60), path)
        self.model.addItem(CHOOSE, CHOOSE)

    def _model_chosen(self, _index: int) -> None:
        if self.model.currentData() != CHOOSE:
            return
        path, _ = QFileDialog.getOpenFileName(self, "Choose a model", "", MODELS)
        if path:
            self.use_model(Path(path))
        else:
            self.model.setCurrentIndex(0)

    def use_model(self, path: Path) -> None:
        """Compute with this model next."""
        place = next((i for i in range(self.model.count()) if self.model.itemData(i) == path), -1)
        if place < 0:
            place = self.model.count() - 1
            self.model.insertItem(place, tidy(path.name, 60), path)
        self.model.setCurrentIndex(place)

    # --- playing

    def go(self, time_s: float) -> None:
        """Go to a time of the recording."""
        if self.signal is None:
            return
        self.time_s = min(max(time_s, self.strip.begin_s), self.strip.end_s)
        self.played.feed.time_s = self.time_s
        self.signal.go(round(self.signal.row_of(self.time_s)))
        self.view.paused_at = None
        self.view.refresh()
        self.strip.go(self.time_s)
        self.show_moment()

    def show_moment(self) -> None:
        """Show what was decided, and is computed, where playing is."""
        recorded = self.opened.recorded if self.opened is not None else None
        self.then.show_at(recorded, self.time_s)
        self.now.show_at(self.again.track if self.again is not None else None, self.time_s)
        length = self.strip.end_s - self.strip.begin_s
        self.clock.tell(f"{clock(self.time_s - self.strip.begin_s, True)} of {clock(length, True)}")

    def _played(self, on: bool) -> None:
        self.play.setText("Pause" if on else "Play")
        if on and self.time_s >= self.strip.end_s - 1e-6:
            self.go(self.strip.begin_s)

    def _tick(self) -> None:
        """Play on by the time that has passed, or as fast as pictures can be painted."""
        now = time.monotonic()
        passed, self._ticked_at = now - self._ticked_at, now
        if not self.play.isChecked() or self.signal is None or not self.isVisible():
            return
        speed = self.speed.currentData()
        self.go(self.time_s + (FASTEST * self.view.seconds if math.isinf(speed) else speed * passed))
        if self.time_s >= self.strip.end_s:
            self.play.setChecked(False)

    def _looks(self) -> None:
        self.view.seconds, self.view.scale_uv = self.length.currentData(), self.scale.currentData()
        self.view.forget()

    def _scaled(self) -> None:
        for choice, value in ((self.length, self.view.seconds), (self.scale, self.view.scale_uv)):
            choice.blockSignals(True)
            choice.setCurrentIndex(choice.findData(value))
            choice.blockSignals(False)

    def _scrolled(self) -> None:
        """The view was scrolled with the wheel: that is a place in the recording."""
        if self.view.paused_at is not None and self.signal is not None:
            row, self.view.paused_at = self.view.paused_at, None
            self.go(self.signal.time_of(row))

    # --- computing again

    def compute(self) -> None:
        """Run the recording again with the model that is chosen, in the other process."""
        if self.opened is None or self.worker.busy or self.model.currentData() == CHOOSE:
            return
        self._told("computing again", 0.0)
        if self.worker.pid is None and self._place is not None:
            self.worker.ask("open", self._place, self._folder)
        self.worker.ask("again", self.model.currentData())

    def _told(self, what: str, share: float) -> None:
        self.bar.setValue(round(1000 * share))
        self.bar.show()
        self.cancel.show()
        self.recompute.setEnabled(False)
        self.verdict.tell(f"{what} …", "muted")

    def _rest(self) -> None:
        self.bar.hide()
        self.cancel.hide()
        self.recompute.setEnabled(self.opened is not None)

    def _give_up(self) -> None:
        self.worker.cancel()
        self._rest()
        self.verdict.tell("cancelled", "muted")

    def _done(self, _number: int, method: str, found: object) -> None:
        if isinstance(found, Opened) and (self.opened is None or not self.worker.waits_for("again")):
            self._opened(found)
        elif isinstance(found, Again):
            self.again = found
            self._show_again()
        if not self.worker.busy:
            self._rest()

    def _failed(self, _number: int, method: str, why: str) -> None:
        self._rest()
        self.verdict.tell(why, "bad")
        if method == "open":
            self.note.tell(why)
            self.note.show()

    def _show_again(self) -> None:
        """The verdict, the list and the strip."""
        again, opened = self.again, self.opened
        if opened is None:
            return
        found = again.differences if again is not None else ()
        spans = np.array([(d.time_s, d.last_s) for d in found]).reshape(-1, 2)
        self.strip.show_tracks(opened.recorded, again.track if again is not None else None, spans)
        self.list.setRowCount(len(found))
        for i, one in enumerate(found):
            long = f"{one.last_s - one.time_s:.1f} s" if one.windows > 1 else "one"
            texts = (clock(one.time_s - self.strip.begin_s, True), long, tidy(one.was, 40), tidy(one.now, 160))
            for j, text in enumerate(texts):
                self.list.setItem(i, j, QTableWidgetItem(text))
        self._show_verdict()
        self.show_moment()

    def _show_verdict(self) -> None:
        again, opened = self.again, self.opened
        if again is None or opened is None:
            first = opened.notes[0] if opened is not None and opened.notes else "not computed again yet"
            self.verdict.tell(first, "muted")
            self.listed.tell("Differences")
            self.note.show()
            return
        word, role = {True: ("● VERIFIED: ", "good"), False: ("■ NOT VERIFIED: ", "bad"), None: ("", "value")}[again.verified]
        self.verdict.tell(word + again.said, role)
        windows = max(again.compared - again.identical, len(again.differences))
        places = len(again.differences)
        more = f" in {places} places" if 1 < places < windows else ""
        self.listed.tell(f"{windows} differences{more}" if windows != 1 else "1 difference")
        self.note.setVisible(not again.differences)
        same = "Every recorded outcome came out the same." if again.verified else "Nothing came out otherwise."
        self.note.tell(same if again.compared else "There is nothing to compare with in this recording.")

    def go_to_difference(self, row: int) -> None:
        """Go to where a difference is."""
        if self.again is not None and row < len(self.again.differences):
            self.play.setChecked(False)
            self.go(self.again.differences[row].time_s)

    def next_difference(self, step: int) -> None:
        """Go to the next difference (1) or the one before (-1)."""
        if self.again is None or not self.again.differences:
            return
        times = [d.time_s for d in self.again.differences]
        behind = [i for i, t in enumerate(times) if (t > self.time_s + 1e-6 if step > 0 else t < self.time_s - 1e-6)]
        if behind:
            row = behind[0] if step > 0 else behind[-1]
            self.list.selectRow(row)
            self.go_to_difference(row)

    def demonstrate(self, until: Callable[[Callable[[], object]], None]) -> None:
        """Show what the window is for, for a picture.

        Parameters
        ----------
        until : callable
            Waits until something has become true.
        """
        until(lambda: self.opened is not None and not self.worker.busy)
        self.compute()
        until(lambda: not self.worker.busy)
        self.go((self.strip.begin_s + self.strip.end_s) / 2)

    # --- coming and going

    def showEvent(self, event: QShowEvent) -> None:
        """Open what was named when the windows were started."""
        super().showEvent(event)
        place = self._context.feed.place
        if self._place is None and place is not None and place.is_file():
            self.open(place)

    def closeEvent(self, event: QCloseEvent) -> None:
        """End the other process, and forget the copy of the signal."""
        self.play.setChecked(False)
        self.worker.close()
        self.opened = self.again = self.signal = self._place = None
        self.played.feed.signal = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
        super().closeEvent(event)


def _choice(name: str, entries: list[tuple[str, float]], value: float) -> QComboBox:
    made = QComboBox()
    made.setAccessibleName(name)
    for text, data in entries:
        made.addItem(text, data)
    made.setCurrentIndex(max(0, made.findData(value)))
    return made


def _speed(speed: float) -> str:
    """A speed in words."""
    if math.isinf(speed):
        return "as fast as it goes"
    return f"{speed:g} ×" if speed >= 1 else f"1/{round(1 / speed)} ×"
