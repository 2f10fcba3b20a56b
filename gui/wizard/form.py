"""Small widgets for the pages of the wizard."""

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
"""Widest form, pixels: wider ones are hard to read."""


class WizardPage(QWidget):
    """A page of the wizard: its look and its names.

    Attributes
    ----------
    TITLE, SHORT : str
        Heading of the page, and its name in the list of steps.
    """

    TITLE = SHORT = ""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("panel", "true")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)


def card(title: str, *inside: QWidget | QFormLayout, stretch: bool = True) -> QFrame:
    """Make a frame with a heading.

    Parameters
    ----------
    title : str
    """
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
    """Make a form with names on the left and fields on the right.

    Parameters
    ----------
    rows : Sequence[tuple[str, QWidget]]
        Name and field of each row.
    """
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
    """Make a text field.

    Parameters
    ----------
    name : str
        Name, for screen readers.
    text : str, optional
    hint : str, optional
        Text of the empty field.
    """
    made = QLineEdit(text)
    made.setPlaceholderText(hint)
    made.setAccessibleName(name)
    made.setMinimumWidth(60)
    return made


def choice(name: str, entries: Sequence[tuple[str, object]]) -> QComboBox:
    """Make a list of choices.

    Parameters
    ----------
    name : str
        Name, for screen readers.
    entries : Sequence[tuple[str, object]]
        Text and value of each choice.
    """
    made = QComboBox()
    made.setAccessibleName(name)
    made.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    made.setMinimumContentsLength(8)
    for text, value in entries:
        made.addItem(text, value)
    return made
