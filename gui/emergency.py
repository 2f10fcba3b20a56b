"""The emergency stop on a key, in every window of the program."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QAbstractButton, QAbstractSpinBox, QApplication, QComboBox, QLineEdit, QPlainTextEdit, QTextEdit

TYPING = (QLineEdit, QPlainTextEdit, QTextEdit, QAbstractSpinBox)


class EmergencyKeys(QObject):
    """Escape always stops, the space bar unless a text field is active. Enter presses the button that has the focus.

    Parameters
    ----------
    stop : callable
        Takes the reason.
    """

    def __init__(self, stop: Callable[[str], None]) -> None:
        super().__init__()
        self._stop = stop

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take every key before the widgets do."""
        if not isinstance(event, QKeyEvent) or event.type() != QEvent.Type.KeyPress or not watched.isWindowType():
            return False
        if event.isAutoRepeat():
            return event.key() == Qt.Key.Key_Space and not _typing()
        if event.key() == Qt.Key.Key_Escape:
            self._stop("Escape key")
            return False
        if event.key() == Qt.Key.Key_Space and not _typing():
            self._stop("space bar")
            return True
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            return _press()
        return False


def _typing() -> bool:
    """Return whether a text field has the focus."""
    focus = QApplication.focusWidget()
    return isinstance(focus, TYPING) or (isinstance(focus, QComboBox) and focus.isEditable())


def _press() -> bool:
    """Press the button that has the focus."""
    focus = QApplication.focusWidget()
    if isinstance(focus, QAbstractButton) and focus.isEnabled():
        focus.click()
        return True
    return False
