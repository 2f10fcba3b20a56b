"""What the first window must not wait for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SLOW = ("scipy", "pyqtgraph", "mne", "sklearn", "pyriemann", "pydantic", "rich", "bci.engine.engine", "bci.actuation.host")
"""Each of them takes a tenth of a second or more."""


def test_the_first_window_loads_nothing_slow_that_it_does_not_show(tmp_path: Path) -> None:
    """``bci gui`` shows its welcome window within 1.5 s; tests/benchmarks/bench_start.py measures it."""
    program = f"""
import sys
from PySide6.QtWidgets import QApplication
from gui.app import WindowOptions, make_context

app = QApplication([])
context = make_context(WindowOptions(settings=sys.argv[1], theme="light"))
context.start()
context.open("welcome")
app.processEvents()
context.close()
print(*(name for name in {SLOW!r} if name in sys.modules))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "windows.ini")], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == []
