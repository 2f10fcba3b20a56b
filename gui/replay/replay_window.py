"""The replay window: play a recording, decode it again, and go to the differences."""

from __future__ import annotations

import math
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QCloseEvent, QShowEvent
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
from gui.replay.decision_view import DecisionView
from gui.replay.model_choice import ModelChoice
from gui.replay.playback import PlayedContext, PlayedSignal
from gui.replay.recording_strip import RecordingStrip, clock
from gui.replay.values import Recomputation, ReplayRecording
from gui.replay.words import heading_words, next_row, note_words, row_words, speed_words, verdict_words
from gui.sanitise import recording_name
from gui.text import Label
from gui.widgets.browser import RECORDINGS
from gui.widgets.rows import add_widgets
from gui.widgets.shortcuts import add_shortcuts
from gui.widgets.tables import ReadTable
from gui.widgets.trace_view import SCALES_UV, SECONDS, TraceView

WORK = "gui.replay.background_jobs:ReplayJobs"
SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, math.inf)
FASTEST = 0.2
"""Share of the picture that each frame advances at the highest speed."""
STEP_S = 0.2


class ReplayWindow(QWidget):
    """Shows a recording with its decisions, and the decisions that are computed from it again.

    Parameters
    ----------
    context : Context

    Attributes
    ----------
    opened : ReplayRecording or None
    again : Recomputation or None
        The last second run.
    time_s : float
        Current time of the recording, sender's clock.
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
        self.opened: ReplayRecording | None = None
        self.again: Recomputation | None = None
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
        self.model = ModelChoice()
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setMaximumWidth(140)
        self.name, self.verdict = Label("no recording", "title", elastic=True), Label("", "muted", elastic=True)
        self.view = TraceView(self.played)  # type: ignore[arg-type]  # it asks for no more than that has
        self.play = QPushButton("Play")
        self.play.setCheckable(True)
        self.play.setFixedWidth(90)
        self.speed = _choice("speed", [(speed_words(s), s) for s in SPEEDS], 1.0)
        self.length = _choice("length of the picture", [(f"{s:g} s", s) for s in SECONDS], self.view.seconds)
        self.scale = _choice("scale", [(f"{s:g} µV", s) for s in SCALES_UV], self.view.scale_uv)
        self.clock = Label("0:00.0", "value")
        self.clock.setMinimumWidth(150)
        self.strip = RecordingStrip(self._context)
        self.then, self.now = DecisionView(self._context, "recorded"), DecisionView(self._context, "computed")
        self.list = ReadTable(("Time", "Duration", "Recorded", "Computed"), "differences")
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
        add_widgets(top, self.bar, self.cancel)
        top.addWidget(self.verdict, 3)
        add_widgets(top, self.model, self.recompute)
        transport = QHBoxLayout()
        transport.setContentsMargins(10, 2, 10, 2)
        transport.setSpacing(8)
        add_widgets(transport, self.play, Label("speed", "muted"), self.speed, self.clock)
        transport.addStretch(1)
        add_widgets(transport, Label("length", "muted"), self.length, Label("scale", "muted"), self.scale)
        left, right = QWidget(), QWidget()
        box = QVBoxLayout(left)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(2)
        box.addWidget(self.view, 1)
        box.addLayout(transport)
        beside = QVBoxLayout(right)
        beside.setContentsMargins(4, 6, 8, 4)
        beside.setSpacing(4)
        add_widgets(beside, self.then, self.now, self.listed, self.note)
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
        keys = {
            "P": self.play.toggle,
            "Left": lambda: self.go(self.time_s - STEP_S),
            "Right": lambda: self.go(self.time_s + STEP_S),
            "Home": lambda: self.go(-math.inf),
            "End": lambda: self.go(math.inf),
            "N": lambda: self.next_difference(1),
            "Shift+N": lambda: self.next_difference(-1),
            "Ctrl+O": self._choose_recording,
            "Ctrl+R": self.compute,
        }
        add_shortcuts(self, keys)

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
        path, _ = QFileDialog.getOpenFileName(self, "Choose a recording", "", RECORDINGS)
        if path:
            self.open(path)

    def _opened(self, opened: ReplayRecording) -> None:
        self.opened, self.again = opened, None
        signal = self.signal = PlayedSignal(opened.info, opened.signal, opened.anchors)
        self.played.feed.use(signal, opened.markers, opened.meanings)
        begin_s, end_s = signal.time_of(0), signal.time_of(signal.rows.end)
        self.view.count_from(begin_s)
        self.strip.use(begin_s, end_s, opened.markers, opened.meanings)
        self.name.tell(recording_name(opened.path))
        self.model.show_models(opened)
        self._show_again()
        self.go(begin_s + min(self.view.seconds, end_s - begin_s))

    def use_model(self, path: Path) -> None:
        """Use this model for the next computation."""
        self.model.use(path)

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
        """Show the recorded and the computed decision at the current time."""
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
        """Advance by the time that has passed, or as fast as frames can be painted."""
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
        """Go to the time to which the signals were scrolled."""
        if self.view.paused_at is not None and self.signal is not None:
            row, self.view.paused_at = self.view.paused_at, None
            self.go(self.signal.time_of(row))

    # --- computing again

    def compute(self) -> None:
        """Decode the recording again with the chosen model, in the background process."""
        if self.opened is None or self.worker.busy or self.model.undecided:
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
        if isinstance(found, ReplayRecording) and (self.opened is None or not self.worker.waits_for("again")):
            self._opened(found)
        elif isinstance(found, Recomputation):
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
        """Show the verdict, the list of differences and the strip."""
        again, opened = self.again, self.opened
        if opened is None:
            return
        found = again.differences if again is not None else ()
        spans = np.array([(d.time_s, d.last_s) for d in found]).reshape(-1, 2)
        self.strip.show_tracks(opened.recorded, again.track if again is not None else None, spans)
        self.list.setRowCount(len(found))
        for i, one in enumerate(found):
            for j, text in enumerate(row_words(one, self.strip.begin_s)):
                self.list.setItem(i, j, QTableWidgetItem(text))
        self._show_verdict()
        self.show_moment()

    def _show_verdict(self) -> None:
        again = self.again
        self.verdict.tell(*verdict_words(again, self.opened))
        self.listed.tell(heading_words(again))
        self.note.setVisible(again is None or not again.differences)
        if again is not None:
            self.note.tell(note_words(again))

    def go_to_difference(self, row: int) -> None:
        """Go to the time of a difference."""
        if self.again is not None and row < len(self.again.differences):
            self.play.setChecked(False)
            self.go(self.again.differences[row].time_s)

    def next_difference(self, step: int) -> None:
        """Go to the next difference (1) or the one before (-1)."""
        row = next_row(self.again.differences, self.time_s, step) if self.again is not None else None
        if row is not None:
            self.list.selectRow(row)
            self.go_to_difference(row)

    def demonstrate(self, until: Callable[[Callable[[], object]], None]) -> None:
        """Show what the window does, for a screenshot.

        Parameters
        ----------
        until : callable
            Waits until a condition is true.
        """
        until(lambda: self.opened is not None and not self.worker.busy)
        self.compute()
        until(lambda: not self.worker.busy)
        self.go((self.strip.begin_s + self.strip.end_s) / 2)

    # --- coming and going

    def showEvent(self, event: QShowEvent) -> None:
        """Open the recording that was given at the start."""
        super().showEvent(event)
        place = self._context.feed.place
        if self._place is None and place is not None and place.is_file():
            self.open(place)

    def closeEvent(self, event: QCloseEvent) -> None:
        """End the background process, and delete the copy of the signal."""
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
