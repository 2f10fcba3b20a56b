"""Which display, and whether it is what was expected."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRect, Qt, QTimer
from PySide6.QtGui import QScreen
from PySide6.QtWidgets import QApplication, QWidget

from bci.errors import ConfigError
from gui.stage.settings import StageSettings

SMALL_PX, SETTLE_MS = 1100, 600
TOLERANCE_HZ = 0.6
"""59.94 Hz passes for 60."""
LEFT, MOST, FRAMED = 0.73, 0.8, 0.94
"""Share of a display's width that the other windows get, and the most they may take; of its height, without a frame."""


def choose(wanted: str, screens: Sequence[QScreen], primary: QScreen) -> QScreen:
    """The display that is meant.

    Parameters
    ----------
    wanted : str
        Name, or number from 1; empty: the first that is not the primary one, where there is one.

    Raises
    ------
    ConfigError
    """
    if not wanted:
        return next((s for s in screens if s is not primary), primary)
    for number, screen in enumerate(screens, 1):
        if wanted in (screen.name(), str(number)):
            return screen
    listing = ", ".join(f"{i} {s.name()!r}" for i, s in enumerate(screens, 1))
    raise ConfigError(f"participant/display = {wanted!r}: there is no such display; there are {listing}")


def complaint(screen: QScreen, expected_hz: float) -> str:
    """What is wrong with the refresh rate of a display; empty where nothing is."""
    rate_hz = screen.refreshRate()
    if not expected_hz or abs(rate_hz - expected_hz) <= TOLERANCE_HZ:
        return ""
    return f"The display {screen.name()!r} refreshes at {rate_hz:.5g} Hz, not at {expected_hz:.5g} Hz as expected."


def make_room(window: QWidget) -> None:
    """Put a window where the participant's, of another process, leaves room on the only display."""
    screens = QApplication.screens()
    if len(screens) != 1:
        return
    room = screens[0].availableGeometry()
    window.resize(round(LEFT * room.width()), round(FRAMED * room.height()))
    window.move(room.topLeft())
    _squeeze(window)


def _squeeze(window: QWidget) -> None:
    """A window that has an arrangement for little room takes it."""
    compact = getattr(window, "compact", None)
    if callable(compact) and window.width() < SMALL_PX:
        compact()
        QTimer.singleShot(SETTLE_MS, window, compact)  # once more when the window manager has had its say


def place(window: QWidget, settings: StageSettings, screen: QScreen, alone: bool) -> None:
    """Put the window where it is to be seen, and the others beside it where that is asked for.

    Parameters
    ----------
    window : QWidget
    settings : StageSettings
    screen : QScreen
    alone : bool
        There is no other display.
    """
    if settings.beside and alone:
        if not window.windowFlags() & Qt.WindowType.FramelessWindowHint:
            window.setWindowFlag(Qt.WindowType.FramelessWindowHint)
            window.show()
        room = screen.availableGeometry()
        others = [w for w in QApplication.topLevelWidgets() if w is not window and w.isVisible() and not w.parent()]
        needed = max((w.minimumSizeHint().width() for w in others), default=0)
        left = min(max(round(LEFT * room.width()), needed), round(MOST * room.width()))
        window.setGeometry(QRect(room.left() + left, room.top(), room.width() - left, room.height()))
        for other in others:
            other.showNormal()
            edges, inside = other.frameGeometry(), other.geometry()
            height = room.height() - (edges.height() - inside.height())
            other.setGeometry(QRect(room.left(), room.top() + inside.top() - edges.top(), left, height))
            _squeeze(other)
        return
    window.setGeometry(screen.geometry() if settings.full else screen.availableGeometry())
    if settings.full:
        window.showFullScreen()
