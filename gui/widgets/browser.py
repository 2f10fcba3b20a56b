"""A line for the path of a file, with a button that looks for one."""

from __future__ import annotations

from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QPushButton, QWidget


def with_browser(line: QLineEdit, files: str) -> QWidget:
    """A line with a button that looks for a file."""
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
