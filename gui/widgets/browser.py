"""A text field for the path of a file, with a button that opens a file dialog."""

from __future__ import annotations

from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QPushButton, QWidget

RECORDINGS = "Recordings (*.xdf *.xdf.gz *.xdfz *.edf *.bdf *.gdf *.vhdr *.fif *.fif.gz *.set *.cnt *.ov);;All files (*)"
"""Files that a dialog offers as recordings."""


def with_browser(line: QLineEdit, files: str) -> QWidget:
    """Return a text field with a button that opens a file dialog.

    Parameters
    ----------
    line : QLineEdit
        The text field.
    files : str
        Filter of the file dialog.
    """
    both = QWidget()
    row = QHBoxLayout(both)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(4)
    row.addWidget(line, 1)
    browse = QPushButton("…")
    browse.setAccessibleName(f"look for {line.accessibleName()}")
    browse.setFixedWidth(32)
    browse.setProperty("role", "small")

    def look() -> None:
        path, _ = QFileDialog.getOpenFileName(both, "Choose a file", line.text(), files)
        if path:
            line.setText(path)

    browse.clicked.connect(look)
    row.addWidget(browse)
    return both
