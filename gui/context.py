"""What every window is given: the feed, the way to ask for things, settings, colours, and the other windows."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Protocol

from PySide6.QtCore import QObject, QSettings, QTimer, Signal
from PySide6.QtWidgets import QApplication, QWidget

from bci import plugins
from bci.session.actuator_process import TOKEN
from gui import theme
from gui.analysis import Analysis
from gui.control import Control
from gui.feed import Feed
from gui.launch import Launcher
from gui.stage.displays import make_room

TICK_MS = 33
WATCHING_MS = 100
PARTICIPANT = "participant"


class Panel(Protocol):
    """A part of a window that shows the feed."""

    TITLE: str
    EVERY: int
    """Ticks of 33 ms from one :meth:`refresh` to the next."""

    def refresh(self) -> None:
        """Show what is new. Called only while the panel can be seen."""
        ...


class Context(QObject):
    """Shared by all windows of one process. Everything here belongs to the windows' thread.

    Parameters
    ----------
    feed : Feed
    control : Control
    settings : QSettings
        Where windows remember how they were arranged.
    launcher : Launcher

    Attributes
    ----------
    ticked : Signal()
        About 30 times a second, after the feed has been updated.
    themed : Signal()
        The palette has changed.
    palette : Palette
    analysis : Analysis
    token : str
        The session's, for arming; empty where it is not known.
    beside : bool
        On the only display, windows leave room for the participant's, which is another process.
    """

    ticked = Signal()
    themed = Signal()

    def __init__(self, feed: Feed, control: Control, settings: QSettings, launcher: Launcher) -> None:
        super().__init__()
        self.feed, self.control, self.settings, self.launcher = feed, control, settings, launcher
        self.analysis = Analysis(float(settings.value("line_hz", 50.0)), feed.now)
        self.token = os.environ.get(TOKEN, "")
        self.palette = theme.PALETTES.get(str(settings.value("theme", "light")), theme.LIGHT)
        self.ticks = 0
        self.beside = False
        self._windows: dict[str, QWidget] = {}
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self.tick)
        # From the thread that paints: a frozen window must not look alive to a guard that requires it.
        self._alive = QTimer(self)
        self._alive.setInterval(WATCHING_MS)
        self._alive.timeout.connect(control.watching)

    def start(self) -> None:
        """Begin to read and to tick."""
        self.dress(self.palette.name)
        self._timer.start()
        self._alive.start()

    def tick(self) -> None:
        """Read what has come, and let the windows show it."""
        self.ticks += 1
        self.feed.update()
        self.ticked.emit()

    def dress(self, name: str) -> None:
        """Change to ``"light"`` or ``"dark"``, and remember it."""
        self.palette = theme.PALETTES[name]
        self.settings.setValue("theme", name)
        app = QApplication.instance()
        if isinstance(app, QApplication):
            theme.apply(app, self.palette)
        self.themed.emit()

    def open(self, name: str) -> QWidget:
        """Show the window that is registered under ``bci.windows`` by that name; each is made once.

        Raises
        ------
        PluginError
            If there is none.
        """
        window = self._windows.get(name)
        if window is None:
            make: Callable[[Context], QWidget] = plugins.load(plugins.WINDOWS, name)
            window = self._windows[name] = make(self)
            if self.beside and name != PARTICIPANT:
                make_room(window)
        window.show()
        window.raise_()
        window.activateWindow()
        return window

    def names(self) -> tuple[str, ...]:
        """Windows that can be opened."""
        return plugins.names(plugins.WINDOWS)

    def emergency_stop(self, why: str) -> None:
        """Send the emergency stop at once."""
        self.control.stop_now(why)
        self.feed.say("bad", "window", f"emergency stop: {why}")

    def close(self) -> None:
        """Stop reading and close all windows. May be called twice."""
        self._timer.stop()
        self._alive.stop()
        for window in tuple(self._windows.values()):
            window.close()
            window.deleteLater()
        self._windows.clear()
        self.feed.close()
        self.control.close()
        self.launcher.close()
