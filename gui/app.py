"""The program of the windows: one process, an LSL client like any other."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QSettings, QTimer
from PySide6.QtWidgets import QApplication

from bci.stream.montage import load_montage
from gui.context import Context
from gui.control import Control
from gui.emergency import EmergencyKeys
from gui.feed import Feed
from gui.launch import Launcher

WELCOME = "welcome"
EXACT = {"participant"}
"""Windows whose frames must be in time; they belong into a process of their own (``bci gui participant``)."""
NICE = 10
BELOW_NORMAL = 0x4000  # BELOW_NORMAL_PRIORITY_CLASS


@dataclass(frozen=True, slots=True)
class Options:
    """How the windows start.

    Parameters
    ----------
    windows : tuple of str
        Names under ``bci.windows``; empty: the welcome window.
    name, host, session : str
        As in :class:`~gui.feed.Feed`.
    recording : str
        Growing recording, or folder in which it is looked for; empty: no past.
    montage : str
        Montage file.
    settings : str
        INI file in which the windows remember their places; empty: the user's own.
    theme : str
        ``"light"`` or ``"dark"``; empty: as last time.
    beside : bool
        On the only display, leave room for the participant's window.
    """

    windows: tuple[str, ...] = ()
    name: str = "bci"
    host: str = ""
    session: str = ""
    recording: str = ""
    montage: str = ""
    settings: str = ""
    theme: str = ""
    beside: bool = False


def make_context(options: Options, launcher: Launcher | None = None) -> Context:
    """Feed, control, settings and launcher for one process."""
    montage = load_montage(options.montage) if options.montage else None
    place = Path(options.recording) if options.recording else None
    if options.settings:
        settings = QSettings(options.settings, QSettings.Format.IniFormat)
    else:
        settings = QSettings(QSettings.Format.IniFormat, QSettings.Scope.UserScope, "bci", "windows")
    feed = Feed(options.name, options.host, options.session, place, montage)
    context = Context(feed, Control(options.name), settings, launcher or Launcher())
    context.beside = options.beside
    if options.theme:
        context.dress(options.theme)
    return context


def start(options: dict[str, object]) -> int:
    """Show the windows until the last one is closed; the program's exit code.

    Parameters
    ----------
    options : dict
        Fields of :class:`Options`.
    """
    chosen = Options(**options)  # type: ignore[arg-type]
    launcher = Launcher()
    if not EXACT & set(chosen.windows):
        give_way()
    app = QApplication.instance() or QApplication(sys.argv[:1])
    app.setApplicationName("bci")
    context = make_context(chosen, launcher)
    keys = EmergencyKeys(context.emergency_stop)
    app.installEventFilter(keys)
    try:
        _leave_on_signals(app)
        context.start()
        show(context, chosen.windows)
        return int(app.exec())
    finally:
        app.removeEventFilter(keys)
        context.close()


def give_way() -> None:
    """Let engine, recorder and actuator go first where processors are few: a picture may come a little later.

    On Linux a priority is a thread's own and goes to the threads that it makes: those of the feed give way too, and those of a
    :class:`~gui.launch.Launcher` that was made before do not.
    """
    if sys.platform == "linux":
        os.nice(NICE)
    elif sys.platform == "win32":
        import ctypes

        kernel = ctypes.windll.kernel32
        kernel.SetPriorityClass(kernel.GetCurrentProcess(), BELOW_NORMAL)


def show(context: Context, names: Sequence[str]) -> None:
    """Open windows by name."""
    for name in names or (WELCOME,):
        context.open(name)


def _leave_on_signals(app: QApplication) -> None:
    """Ctrl-C and a polite kill close the windows in good order, even while they are still being made."""
    asked: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda got, _: asked.append(got))
    # Python looks at signals only between its own instructions; this makes it have some.
    timer = QTimer(app)
    timer.timeout.connect(lambda: app.quit() if asked else None)
    timer.start(100)
