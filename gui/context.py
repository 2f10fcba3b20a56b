"""The objects that every window gets: the feed, the control of the session, settings, colours, other windows."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QObject, QSettings, QTimer, Signal
from PySide6.QtWidgets import QApplication, QWidget

from bci import plugins
from gui import theme
from gui.arming import Arming
from gui.control import ControlOutlet
from gui.feed import Feed
from gui.feed_reader import FeedReader
from gui.launch import Launcher, StartedProcess
from gui.presentation.displays import share_display

if TYPE_CHECKING:
    from gui.analysis import Analysis

TICK_MS = 33
WATCHING_MS = 100
PARTICIPANT = "participant"


class Panel(Protocol):
    """A part of a window that shows the feed."""

    TITLE: str
    EVERY: int
    """Ticks of 33 ms from one :meth:`refresh` to the next."""

    def refresh(self) -> None:
        """Show what is new. Called only while the panel is visible."""
        ...


class Context(QObject):
    """The objects that all windows of one process share. It belongs to the thread of the windows.

    Parameters
    ----------
    feed : Feed
    reader : FeedReader
        Fills the feed.
    control : ControlOutlet
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
    arming : Arming
    beside : bool
        On the only display, windows leave room for the participant's, which is another process.
    """

    ticked = Signal()
    themed = Signal()

    def __init__(self, feed: Feed, reader: FeedReader, control: ControlOutlet, settings: QSettings, launcher: Launcher) -> None:
        super().__init__()
        self.feed, self.reader, self.control = feed, reader, control
        self.settings, self.launcher = settings, launcher
        self.arming = Arming(control)
        self.palette = theme.PALETTES.get(str(settings.value("theme", "light")), theme.LIGHT)
        self.ticks = 0
        self.beside = False
        self._windows: dict[str, QWidget] = {}
        self._session: StartedProcess | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self.tick)
        # From the thread that paints: a frozen window must not look alive to a guard that requires it.
        self._alive = QTimer(self)
        self._alive.setInterval(WATCHING_MS)
        self._alive.timeout.connect(control.watching)

    @cached_property
    def analysis(self) -> Analysis:
        """Statistics of the signal that is shown; scipy is loaded for it, which the first window must not wait for."""
        from gui.analysis import Analysis

        return Analysis(float(str(self.settings.value("line_hz", 50.0))), self.feed.now)

    @cached_property
    def token(self) -> str:
        """The session's token for arming; empty if it is not known. Loads what an actuator's process needs."""
        from bci.actuation.process import TOKEN

        return os.environ.get(TOKEN, "")

    def start(self) -> None:
        """Start to read streams and to update windows."""
        self.dress(self.palette.name)
        self._timer.start()
        self._alive.start()

    def tick(self) -> None:
        """Read the streams, and let the windows show what is new."""
        self.ticks += 1
        if self._session is not None and not self._session.alive:
            self._session = None
            self.feed.keep_to("")
        self.reader.update()
        self.control.use(self.feed.key, self.feed.keyed, self.feed.session.id)
        self.arming.tick(self.feed.guard, self.feed.now())
        self.ticked.emit()

    def begin_session(self, words: Sequence[str]) -> StartedProcess:
        """Start a session in a process that outlives the windows. While it runs, they show and steer only this one.

        Parameters
        ----------
        words : sequence of str
            After ``bci``: ``run`` and its options.
        """
        id_ = uuid.uuid4().hex[:12]
        self._session = self.launcher.start("session", (*words, "--session-id", id_))
        self.feed.keep_to(id_)
        return self._session

    def dress(self, name: str) -> None:
        """Change the theme to ``"light"`` or ``"dark"``, and remember it.

        Parameters
        ----------
        name : str
            ``"light"`` or ``"dark"``.
        """
        self.palette = theme.PALETTES[name]
        self.settings.setValue("theme", name)
        app = QApplication.instance()
        if isinstance(app, QApplication):
            theme.apply(app, self.palette)
        self.themed.emit()

    def open(self, name: str) -> QWidget:
        """Show the window that is registered under ``bci.windows`` by that name; each is made once.

        Parameters
        ----------
        name : str
            Name under ``bci.windows``.

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
                share_display(window)
        window.show()
        window.raise_()
        window.activateWindow()
        return window

    def names(self) -> tuple[str, ...]:
        """Windows that can be opened."""
        return plugins.names(plugins.WINDOWS)

    def emergency_stop(self, why: str) -> None:
        """Send the emergency stop at once, and give up arming.

        Parameters
        ----------
        why : str
            Reason, for the record.
        """
        self.control.stop_now(why)
        self.arming.give_up()
        self.feed.say("bad", "window", f"emergency stop: {why}")

    def disarm(self, why: str) -> None:
        """Ask all actuator hosts to disarm, and give up arming.

        Parameters
        ----------
        why : str
            Reason, for the record.
        """
        self.control.disarm(why)
        self.arming.give_up()

    def close(self) -> None:
        """Stop reading and close all windows. May be called twice."""
        self._timer.stop()
        self._alive.stop()
        for window in tuple(self._windows.values()):
            window.close()
            window.deleteLater()
        self._windows.clear()
        self.reader.close()
        self.control.close()
        self.launcher.close()
