"""The emergency stop: one press, in any window, whatever has the focus."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from gui_rig import Ear
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QPushButton
from pytestqt.qtbot import QtBot

from bci.stream.lsl import local_clock
from gui.context import Context
from gui.emergency import EmergencyKeys
from gui.operator import OperatorWindow

pytestmark = pytest.mark.live


@pytest.fixture(autouse=True)
def keys(context: Context, qapp: QApplication) -> Iterator[None]:
    """The keys as the program installs them."""
    made = EmergencyKeys(context.emergency_stop)
    qapp.installEventFilter(made)
    yield
    qapp.removeEventFilter(made)


def until(qtbot: QtBot, ready: Callable[[], object], timeout_s: float = 5.0) -> None:
    qtbot.waitUntil(lambda: bool(ready()), timeout=round(1000 * timeout_s))


@pytest.mark.parametrize("name", ["operator", "therapist", "welcome", "explorer", "replay"])
@pytest.mark.parametrize("key", [Qt.Key.Key_Escape, Qt.Key.Key_Space])
def test_escape_and_the_space_bar_stop_from_every_window(
    context: Context, ear: Ear, name: str, key: Qt.Key, qtbot: QtBot
) -> None:
    window = context.open(name)
    window.setFocus()
    qtbot.keyClick(window.windowHandle(), key)
    until(qtbot, lambda: len(ear.heard("stop_now")) == 1)


def test_the_stop_button_stops_when_pressed_not_when_released(
    context: Context, window: OperatorWindow, ear: Ear, qtbot: QtBot
) -> None:
    qtbot.mousePress(window.stop, Qt.MouseButton.LeftButton)
    until(qtbot, lambda: len(ear.heard("stop_now")) == 1)
    assert "operator window" in ear.heard("stop_now")[0]["why"]
    qtbot.mouseRelease(window.stop, Qt.MouseButton.LeftButton)
    assert len(ear.heard("stop_now")) == 1


def test_the_space_bar_types_a_blank_where_somebody_types_and_escape_stops_there_too(
    context: Context, window: OperatorWindow, ear: Ear, qtbot: QtBot
) -> None:
    field = window.panels["session"].notes
    field.setFocus()
    until(qtbot, lambda: QApplication.focusWidget() is field)
    for key in (Qt.Key.Key_A, Qt.Key.Key_Space, Qt.Key.Key_B):
        qtbot.keyClick(window.windowHandle(), key)
    assert field.text() == "a b"
    assert not ear.heard("stop_now")
    qtbot.keyClick(window.windowHandle(), Qt.Key.Key_Escape)
    until(qtbot, lambda: len(ear.heard("stop_now")) == 1)


def test_the_space_bar_stops_even_where_a_button_has_the_focus_and_enter_presses_it(
    context: Context, window: OperatorWindow, ear: Ear, qtbot: QtBot
) -> None:
    button: QPushButton = window.traces.hold
    button.setFocus()
    until(qtbot, lambda: QApplication.focusWidget() is button)
    qtbot.keyClick(window.windowHandle(), Qt.Key.Key_Space)
    until(qtbot, lambda: len(ear.heard("stop_now")) == 1)
    assert not button.isChecked()
    qtbot.keyClick(window.windowHandle(), Qt.Key.Key_Return)
    assert button.isChecked()


@pytest.mark.alone
def test_the_stop_is_on_its_way_within_a_few_milliseconds(
    context: Context, window: OperatorWindow, ear: Ear, qtbot: QtBot
) -> None:
    took = []
    for k in range(10):
        began = local_clock()
        qtbot.keyClick(window.windowHandle(), Qt.Key.Key_Escape)
        took.append(local_clock() - began)
        until(qtbot, lambda n=k: len(ear.heard("stop_now")) == n + 1)
    assert sorted(took)[5] < 0.05


def test_a_window_says_many_times_a_second_that_it_lives_and_not_while_it_hangs(
    context: Context, window: OperatorWindow, ear: Ear, qtbot: QtBot
) -> None:
    until(qtbot, lambda: len(ear.heard("watching")) >= 5)
    before = len(ear.heard("watching"))
    begun = local_clock()
    while local_clock() - begun < 1.0:  # a paint handler that hangs
        pass
    assert len(ear.heard("watching")) - before <= 1
    until(qtbot, lambda: len(ear.heard("watching")) > before + 3)
