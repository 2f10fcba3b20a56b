"""A window of a plug-in that has a fault: what the person who writes it sees."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gui.repeated_errors import ErrorsReportedOnce

BROKEN = """
from PySide6.QtWidgets import QApplication, QWidget


class Broken(QWidget):
    def __init__(self, context):
        super().__init__()
        self._context, self._ticks, self._paints = context, 0, 0
        context.ticked.connect(self._show)
        context.ticked.connect(self._count)

    def _show(self):
        {}[f"column {self._ticks}"]

    def _count(self):
        self._ticks += 1
        self.update()
        if self._ticks >= 10 and self._paints >= 3:
            print(*(line.text for line in self._context.feed.log), sep="\\n")
            QApplication.quit()

    def paintEvent(self, event):
        self._paints += 1
        raise ZeroDivisionError(f"paint {self._paints}")
"""


def test_a_fault_in_a_window_is_printed_once_and_stands_in_the_log(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project.entry-points."bci.windows"]\nbroken = "broken_window:Broken"\n')
    (tmp_path / "broken_window.py").write_text(BROKEN)
    words = [sys.executable, "-m", "bci", "gui", "broken", "--settings", str(tmp_path / "windows.ini")]
    done = subprocess.run(
        words,
        env={**os.environ, "BCI_PLUGINS": str(tmp_path), "QT_QPA_PLATFORM": "offscreen"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stderr.count("KeyError: 'column 0'") == 1
    assert done.stderr.count("KeyError") == 1
    assert done.stderr.count("ZeroDivisionError: paint 1") == 1
    assert done.stderr.count("ZeroDivisionError: ") == 1
    assert done.stderr.count("a window has this error. If it occurs again, it is not printed again.") == 2
    assert "KeyError: 'column 0'" in done.stdout
    assert "ZeroDivisionError: paint 1" in done.stdout
    assert "broken_window.py:13" in done.stdout


def test_another_error_at_another_place_is_reported_too(capsys: pytest.CaptureFixture[str]) -> None:
    reported: list[str] = []
    lines: list[tuple[str, str, str]] = []
    hook = ErrorsReportedOnce(lambda kind, error, trace: reported.append(str(error)), lambda *line: lines.append(line))

    def raise_and_hand_over(make: type[Exception], text: str) -> None:
        try:
            raise make(text)
        except Exception as error:
            hook(type(error), error, error.__traceback__)

    for text in ("first", "second"):
        raise_and_hand_over(KeyError, text)
    raise_and_hand_over(ValueError, "third")
    try:
        raise KeyError("fourth")
    except KeyError as error:
        hook(KeyError, error, error.__traceback__)
    assert reported == ["'first'", "third", "'fourth'"]
    assert [line[:2] for line in lines] == [("bad", "window")] * 3
    assert capsys.readouterr().err.count("bci gui: a window has this error") == 3
