"""The welcome window: begin with a simulated subject, a stream or a recording."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import (
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from bci.errors import BciError
from bci.stream.lsl import FoundStream
from gui.context import Context
from gui.launch import StartedProcess
from gui.sanitise import sanitise
from gui.text import Label
from gui.widgets.browser import RECORDINGS

EVERY = 15
SIMULATE = ("stream", "simulated", "--channels", "32", "--rate", "250", "--listen", "type=Markers", "--feedback", "bci-decisions")


class WelcomeWindow(QWidget):
    """Offers three ways to begin: the wizard, the operator window and the replay window.

    Parameters
    ----------
    context : Context
    """

    TITLE = "Welcome"

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self.setProperty("panel", "true")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setWindowTitle("bci")
        self.resize(900, 520)
        self._playing: StartedProcess | None = None
        self.wizard = QPushButton("Simulate a session")
        self.wizard.setProperty("role", "primary")
        self.wizard.clicked.connect(lambda: self._wizard(""))
        self.simulate = QPushButton("Only show its signals")
        self.simulate.clicked.connect(self._simulate)
        self.streams = QListWidget()
        self.streams.setAccessibleName("streams that were found")
        self.streams.setMinimumHeight(90)
        self.calibrate = QPushButton("Calibrate with this stream")
        self.calibrate.clicked.connect(lambda: self._wizard(self._source_id()))
        self.look = QPushButton("Only show its signals")
        self.look.clicked.connect(self._look)
        self.replay = QPushButton("Choose a recording …")
        self.replay.clicked.connect(lambda: self._choose_recording(self.open_recording))
        self.play_live = QPushButton("Play a recording as a live stream …")
        self.play_live.clicked.connect(lambda: self._choose_recording(self.play))
        self.status = Label("", "muted", wrap=True)
        self._lay_out()
        context.ticked.connect(self._tick)
        self.refresh()

    def _lay_out(self) -> None:
        box = QVBoxLayout(self)
        box.setContentsMargins(36, 30, 36, 22)
        box.setSpacing(16)
        box.addWidget(Label("What would you like to do?", "huge"))
        row = QHBoxLayout()
        row.setSpacing(16)
        own = "The wizard leads you step by step to a working decoder and a live session."
        try_out = f"A simulated person imagines movements. You need no hardware. {own}"
        recording = "An earlier session, or any EEG file: see what was decided, and what another model would decide."
        for title, text, middle, buttons in (
            ("Try it out", try_out, None, (self.wizard, self.simulate)),
            ("Use an amplifier", "EEG streams appear here as soon as they are found.", self.streams,
             (self.calibrate, self.look)),
            ("Open a recording", recording, None, (self.replay, self.play_live)),
        ):  # fmt: skip
            card = _card(title, text, middle, buttons)
            card.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Expanding)
            card.setMaximumHeight(360)
            row.addWidget(card, 1)
        box.addLayout(row, 4)
        box.addStretch(1)
        box.addWidget(self.status)
        foot = QHBoxLayout()
        foot.addStretch(1)
        for name in self._context.names():
            if name != "welcome":
                button = QPushButton(name.capitalize())
                button.setAccessibleName(f"open {name}")
                button.clicked.connect(lambda _=False, n=name: self._open(n))
                foot.addWidget(button)
        box.addLayout(foot)

    def refresh(self) -> None:
        """List the signals that are found."""
        signals = [s for s in self._context.feed.streams if s.rate_hz > 0]
        have = [self.streams.item(i).data(Qt.ItemDataRole.UserRole) for i in range(self.streams.count())]
        if [s.uid for s in signals] != have:
            self.streams.clear()
            for s in signals:
                item = QListWidgetItem(f"{sanitise(s.name, 40)}   {s.n_channels} × {s.rate_hz:g} Hz")
                item.setData(Qt.ItemDataRole.UserRole, s.uid)
                self.streams.addItem(item)
            self.streams.setCurrentRow(0)
        self.look.setEnabled(bool(signals))
        self.calibrate.setEnabled(bool(signals))
        if self._playing is not None and not self._playing.alive and self._playing.process.returncode:
            self.status.tell(self._playing.last_words(), "bad")

    def _simulate(self) -> None:
        self._playing = self._context.launcher.start("simulated subject", SIMULATE)
        self._open("operator")

    def _wizard(self, source_id: str) -> None:
        """Open the wizard with a stream; without one, with the simulated subject."""
        window = self._open("wizard")
        begin = getattr(window, "begin_with", None)
        if callable(begin):
            begin(source_id)

    def _chosen(self) -> FoundStream | None:
        """Return the stream that is selected in the list."""
        item = self.streams.currentItem()
        uid = item.data(Qt.ItemDataRole.UserRole) if item is not None else ""
        return next((s for s in self._context.feed.streams if s.uid == uid), None)

    def _source_id(self) -> str:
        found = self._chosen()
        return found.source_id if found is not None else ""

    def _look(self) -> None:
        found = self._chosen()
        if found is not None:
            self._context.feed.choose(found)
        self._open("operator")

    def _choose_recording(self, then: Callable[[str], None]) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Choose a recording", "", RECORDINGS)
        if path:
            then(path)

    def open_recording(self, path: str) -> None:
        """Open a recording in the replay window; if there is none, play it as a stream.

        Parameters
        ----------
        path : str
        """
        if "replay" not in self._context.names():
            self.play(path)
            return
        window = self._open("replay")
        opened = getattr(window, "open", None)
        if callable(opened):
            opened(Path(path))

    def play(self, path: str) -> None:
        """Play a recording as a stream, and show it.

        Parameters
        ----------
        path : str
        """
        self._playing = self._context.launcher.start("recording", ("replay", path))
        self._open("operator")

    def _open(self, name: str) -> QWidget | None:
        try:
            return self._context.open(name)
        except BciError as error:
            self.status.tell(str(error), "bad")
            return None

    def _tick(self) -> None:
        if self.isVisible() and self._context.ticks % EVERY == 0:
            self.refresh()


def _card(title: str, text: str, middle: QWidget | None, buttons: Sequence[QPushButton]) -> QFrame:
    card = QFrame()
    card.setProperty("role", "card")
    box = QVBoxLayout(card)
    box.setContentsMargins(18, 16, 18, 16)
    box.setSpacing(10)
    box.addWidget(Label(title, "big"))
    box.addWidget(Label(text, "muted", wrap=True))
    if middle is None:
        box.addStretch(1)
    else:
        box.addWidget(middle, 1)
    for button in buttons:
        button.setMinimumSize(QSize(160, 40))
        box.addWidget(button)
    return card
