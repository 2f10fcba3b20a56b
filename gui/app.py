"""The program of the windows: one process that is a client of the streams."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QSettings, QTimer
from PySide6.QtWidgets import QApplication

from bci.processes.stop import ENDING
from bci.stream.montage import load_montage
from gui.context import Context
from gui.control import ControlOutlet
from gui.emergency import EmergencyKeys
from gui.feed import Feed
from gui.feed_reader import FeedReader
from gui.launch import Launcher
from gui.repeated_errors import ErrorsReportedOnce

WELCOME = "welcome"
EXACT = {"participant"}
"""Windows whose frames must be in time; each belongs in a process of its own (``bci gui participant``)."""
NICE = 10
BELOW_NORMAL = 0x4000  # BELOW_NORMAL_PRIORITY_CLASS


@dataclass(frozen=True, slots=True)
class WindowOptions:
    """Options of the windows.

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


def make_context(options: WindowOptions, launcher: Launcher | None = None) -> Context:
    """Make feed, control, settings and launcher for one process.

    Parameters
    ----------
    options : WindowOptions
    launcher : Launcher or None, optional
        Without one, a new one is made.
    """
    montage = load_montage(options.montage) if options.montage else None
    place = Path(options.recording) if options.recording else None
    if options.settings:
        settings = QSettings(options.settings, QSettings.Format.IniFormat)
    else:
        settings = QSettings(QSettings.Format.IniFormat, QSettings.Scope.UserScope, "bci", "windows")
    feed = Feed(options.name, options.session, place)
    reader = FeedReader(feed, options.host, montage)
    control = ControlOutlet(options.name, lambda text: feed.say("bad", "window", text))
    context = Context(feed, reader, control, settings, launcher or Launcher())
    context.beside = options.beside
    if options.theme:
        context.dress(options.theme)
    return context


def start(options: dict[str, object]) -> int:
    """Show the windows until the last one is closed; return the exit code.

    Parameters
    ----------
    options : dict
        Fields of :class:`Options`.
    """
    chosen = WindowOptions(**options)  # type: ignore[arg-type]  # the command line gives each field its type
    launcher = Launcher()
    if not EXACT & set(chosen.windows):
        give_way()
    there = QApplication.instance()
    app = there if isinstance(there, QApplication) else QApplication(sys.argv[:1])
    app.setApplicationName("bci")
    context = make_context(chosen, launcher)
    keys = EmergencyKeys(context.emergency_stop)
    app.installEventFilter(keys)
    report, sys.excepthook = sys.excepthook, ErrorsReportedOnce(sys.excepthook, context.feed.say)
    try:
        _leave_on_signals(app)
        context.start()
        show(context, chosen.windows)
        return int(app.exec())
    finally:
        sys.excepthook = report
        app.removeEventFilter(keys)
        context.close()


def give_way() -> None:
    """Lower the priority, so that engine, recorder and actuator go first on few processors.

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
    """Open windows by name.

    Parameters
    ----------
    context : Context
    names : sequence of str
        Names under ``bci.windows``; empty: the welcome window.
    """
    for name in names or (WELCOME,):
        context.open(name)


def _leave_on_signals(app: QApplication) -> None:
    """Close the windows in good order on Ctrl-C, SIGTERM and the end of the terminal, even while they are being made."""
    asked: list[int] = []
    for number in (signal.SIGINT, *ENDING):
        signal.signal(number, lambda got, _: asked.append(got))
    # Python looks at signals only between its own instructions; this makes it have some.
    timer = QTimer(app)
    timer.timeout.connect(lambda: app.quit() if asked else None)
    timer.start(100)
