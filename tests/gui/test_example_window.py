"""The documented window of a plug-in, on the streams of an engine."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from gui_rig import Engine
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from gui.context import Context

pytestmark = pytest.mark.live

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "plugin"


@pytest.fixture
def window(context: Context, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot) -> Iterator[QWidget]:
    """The example's window, open."""
    monkeypatch.syspath_prepend(str(EXAMPLE))
    made = import_module("bci_example.decision_window").DecisionWindow(context)
    qtbot.addWidget(made)
    made.show()
    yield made
    monkeypatch.undo()


def decide(engine: Engine, p: float) -> None:
    """The engine says that it runs, and decides once; what a window misses while it joins comes again."""
    engine.state()
    engine.decide(1, p, 1.0)


def test_the_documented_window_shows_what_is_decided_and_when_nothing_is(window: QWidget, engine: Engine, qtbot: QtBot) -> None:
    def shown(word: str, p: float | None = None) -> bool:
        if p is not None:
            decide(engine, p)
        return bool(window.word.text() == word)

    qtbot.waitUntil(lambda: shown("no session"), timeout=5_000)
    qtbot.waitUntil(lambda: shown("right", 0.2), timeout=20_000)
    qtbot.waitUntil(lambda: shown("left", 0.9), timeout=5_000)
    qtbot.waitUntil(lambda: shown("no session"), timeout=5_000)
