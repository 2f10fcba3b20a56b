"""Windows over real streams: every test has its own context, its own settings file and, where it asks, a simulated subject."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import pytest

pytest.importorskip("PySide6", reason="windows need the extra gui: pip install 'bci[gui]'")

from gui_rig import Ear, Engine, Subject
from PySide6.QtWidgets import QApplication

from gui.app import WindowOptions, make_context
from gui.context import Context
from gui.operator import OperatorWindow


@pytest.fixture(autouse=True)
def keys_of_this_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No key of programs that other tests began by hand; every fixture of a test finds the same keys."""
    monkeypatch.setenv("BCI_KEYS", str(tmp_path / "keys"))


@pytest.fixture
def context(qapp: QApplication, tmp_path: Path) -> Iterator[Context]:
    """A running context with nothing open."""
    made = make_context(WindowOptions(settings=str(tmp_path / "windows.ini")))
    made.start()
    yield made
    made.close()
    for started in made.launcher.started:  # a session outlives its windows; none may outlive its test
        if started.alive:
            started.process.terminate()
            started.process.wait(30)


@pytest.fixture
def subject() -> Iterator[Callable[..., Subject]]:
    """Makes simulated subjects on LSL, which end with the test."""
    started: list[Subject] = []

    def make(**options: object) -> Subject:
        started.append(Subject(**options))  # type: ignore[arg-type]
        return started[-1]

    yield make
    for one in started:
        one.close()


@pytest.fixture
def engine() -> Iterator[Engine]:
    """The streams of an engine."""
    made = Engine()
    yield made
    made.close()


@pytest.fixture
def window(context: Context) -> OperatorWindow:
    """The operator window, open."""
    made = context.open("operator")
    assert isinstance(made, OperatorWindow)
    made.resize(1280, 720)
    return made


@pytest.fixture
def ear(context: Context) -> Iterator[Ear]:
    """What the windows of this test ask for."""
    made = Ear(context)
    yield made
    made.close()
