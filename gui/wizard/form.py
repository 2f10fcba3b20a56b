"""Small parts that the wizard's pages are made of."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QFrame,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from gui.text import Label

WIDE_PX = 1240
"""Forms are read badly when they are wider."""


class Page(QWidget):
    """Ground for a page: nothing but its look."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("panel", "true")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)


def card(title: str, *inside: QWidget | QFormLayout, stretch: bool = True) -> QFrame:
    """A frame with a heading."""
    made = QFrame()
    made.setProperty("role", "card")
    box = QVBoxLayout(made)
    box.setContentsMargins(16, 12, 16, 12)
    box.setSpacing(8)
    box.addWidget(Label(title, "title"))
    for one in inside:
        if isinstance(one, QWidget):
            box.addWidget(one)
        else:
            box.addLayout(one)
    if stretch:
        box.addStretch(1)
    return made


def form(rows: Sequence[tuple[str, QWidget]]) -> QFormLayout:
    """Names on the left, fields on the right."""
    made = QFormLayout()
    made.setVerticalSpacing(8)
    made.setHorizontalSpacing(14)
    made.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    for name, widget in rows:
        label = Label(name, "muted")
        label.setMinimumHeight(widget.sizeHint().height())
        made.addRow(label, widget)
    return made


def field(name: str, text: str = "", hint: str = "") -> QLineEdit:
    """A line to type in."""
    made = QLineEdit(text)
    made.setPlaceholderText(hint)
    made.setAccessibleName(name)
    made.setMinimumWidth(60)
    return made


def choice(name: str, entries: Sequence[tuple[str, object]]) -> QComboBox:
    """A list to choose from."""
    made = QComboBox()
    made.setAccessibleName(name)
    made.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    made.setMinimumContentsLength(8)
    for text, value in entries:
        made.addItem(text, value)
    return made
