"""The display of the participant's window, and whether it refreshes as expected."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRect, Qt, QTimer
from PySide6.QtGui import QScreen
from PySide6.QtWidgets import QApplication, QWidget

from bci.errors import ConfigError
from gui.presentation.settings import PresentationSettings

SMALL_PX, SETTLE_MS = 1100, 600
TOLERANCE_HZ = 0.6
"""59.94 Hz passes for 60."""
LEFT, MOST, FRAMED = 0.73, 0.8, 0.94
"""Share of the display's width for the other windows, their largest share, and their share of its height."""


def choose(wanted: str, screens: Sequence[QScreen], primary: QScreen) -> QScreen:
    """Return the display with a name or number.

    Parameters
    ----------
    wanted : str
        Name, or number from 1; empty: the first that is not the primary one, if there is one.

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
    """Return what is wrong with the refresh rate of a display; empty if nothing is.

    Parameters
    ----------
    screen : QScreen
    expected_hz : float
        Expected refresh rate; 0: any.
    """
    rate_hz = screen.refreshRate()
    if not expected_hz or abs(rate_hz - expected_hz) <= TOLERANCE_HZ:
        return ""
    return f"The display {screen.name()!r} refreshes at {rate_hz:.5g} Hz, not at {expected_hz:.5g} Hz as expected."


def share_display(window: QWidget) -> None:
    """Place a window beside the participant's, which is another process, if there is only one display.

    Parameters
    ----------
    window : QWidget
    """
    screens = QApplication.screens()
    if len(screens) != 1:
        return
    room = screens[0].availableGeometry()
    window.resize(round(LEFT * room.width()), round(FRAMED * room.height()))
    window.move(room.topLeft())
    _squeeze(window)


def _squeeze(window: QWidget) -> None:
    """Let a window use its compact arrangement, if it has one and is narrow."""
    compact = getattr(window, "compact", None)
    if callable(compact) and window.width() < SMALL_PX:
        compact()
        QTimer.singleShot(SETTLE_MS, window, compact)  # once more when the window manager has had its say


def place(window: QWidget, settings: PresentationSettings, screen: QScreen, alone: bool) -> None:
    """Place the window on its display, and the other windows beside it if the settings ask for that.

    Parameters
    ----------
    window : QWidget
    settings : PresentationSettings
    screen : QScreen
    alone : bool
        Whether there is no other display.
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
