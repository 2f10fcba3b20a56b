"""Keys that work anywhere in a window."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QWidget


def add_shortcuts(window: QWidget, actions: Mapping[str, Callable[[], object]]) -> None:
    """Let keys do something in a window.

    Parameters
    ----------
    window : QWidget
    actions : mapping of str to callable
        By key, as Qt writes it: ``"Ctrl+R"``.
    """
    for keys, do in actions.items():
        action = QAction(window)
        action.setShortcut(QKeySequence(keys))
        action.triggered.connect(lambda _=False, f=do: f())
        window.addAction(action)
