"""Widgets one after another in a layout."""

from __future__ import annotations

from PySide6.QtWidgets import QBoxLayout, QWidget


def add_widgets(box: QBoxLayout, *widgets: QWidget) -> None:
    """Append widgets to a layout, in this order.

    Parameters
    ----------
    box : QBoxLayout
    *widgets : QWidget
    """
    for widget in widgets:
        box.addWidget(widget)
