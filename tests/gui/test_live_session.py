"""Windows in front of the real thing: a session of the simulated subject, and an actuator host that is stopped."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from gui_rig import Engine
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton, QApplication
from pytestqt.qtbot import QtBot

from bci import plugins
from bci.paradigm.timeline import short
from bci.simulation.simulate import record_virtually
from bci.stream import keys
from bci.stream.clock import VirtualClock
from bci.stream.lsl import local_clock
from gui.context import Context
from gui.emergency import EmergencyKeys
from gui.operator import OperatorWindow
from gui.widgets.guard import guard_state
from gui.wizard.plan import WizardPlan
from gui.wizard.wizard_window import LIVE, WizardWindow

pytestmark = [pytest.mark.live, pytest.mark.slow]

LEFT = Qt.MouseButton.LeftButton
TOKEN = "0123456789abcdef"
CLASSES = ("left_hand", "right_hand")
TABLE = ("--set", "markers.table.769=left_hand", "--set", "markers.table.770=right_hand")
STOPS = 5
LIMIT_S = 0.05


def until(qtbot: QtBot, ready: Callable[[], object], timeout_s: float = 30.0) -> None:
    qtbot.waitUntil(lambda: bool(ready()), timeout=round(1000 * timeout_s))


def click(qtbot: QtBot, button: QAbstractButton) -> None:
    """As a person does, who cannot press a button that is grey."""
    until(qtbot, button.isEnabled)
    qtbot.mouseClick(button, LEFT)


class Deciding:
    """An engine that decides for the same class, many times a second."""

    def __init__(self) -> None:
        self._engine, self._closing = Engine(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        k = 0
        while not self._closing.wait(0.04):
            k += 1
            self._engine.decide(k, 0.9, local_clock())
            if k % 20 == 0:
                self._engine.state()

    def close(self) -> None:
        """End it."""
        self._closing.set()
        self._thread.join()
        self._engine.close()


@pytest.fixture
def hand(tmp_path: Path) -> Iterator[None]:
    """A real actuator host that writes what it is told into a file, and an engine that tells it."""
    deciding = Deciding()
    words = [sys.executable, "-m", "bci", "actuate", "log", "--set", f"path={tmp_path / 'hand.log'}", "--parent-pipe"]
    host = subprocess.Popen(
        words, env={**os.environ, "BCI_TOKEN": TOKEN}, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    yield
    assert host.stdin is not None
    host.stdin.close()
    host.wait(10)
    deciding.close()


@pytest.mark.alone
def test_a_key_stops_a_real_actuator_host_within_50_ms_and_it_stays_stopped(
    qapp: QApplication, context: Context, window: OperatorWindow, hand: None, qtbot: QtBot
) -> None:
    keys = EmergencyKeys(context.emergency_stop)
    qapp.installEventFilter(keys)
    panel = window.panels["guard"]
    panel.token.setText(TOKEN)
    took = []
    for _ in range(STOPS):
        until(qtbot, lambda: panel.refresh() or panel.arm.isEnabled())
        qtbot.mouseClick(panel.arm, LEFT)
        until(qtbot, lambda: guard_state(context)[0] == "active")
        pressed = local_clock()
        qtbot.keyClick(window.windowHandle(), Qt.Key.Key_Escape)
        until(qtbot, lambda: guard_state(context)[0] == "safe")
        until(qtbot, lambda t=pressed: any(c.kind == "neutral" and c.at > t for c in context.feed.commands))
        took.append(next(c.ended for c in context.feed.commands if c.kind == "neutral" and c.at > pressed) - pressed)
        qtbot.wait(300)
        assert guard_state(context)[0] == "safe"
    qapp.removeEventFilter(keys)
    print("key to neutral, ms:", [round(1e3 * t, 1) for t in took])
    assert sorted(took)[STOPS // 2] <= LIMIT_S


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the simulated subject."""
    folder = tmp_path_factory.mktemp("model")
    clock = VirtualClock(1000.0)
    settings = {"classes": CLASSES, "skill": 0.9, "seed": 1, "channels": 8}
    subject = plugins.load(plugins.SOURCES, "simulated").from_settings(settings, clock)
    record_virtually(subject, clock, short(CLASSES, 8, 1), folder / "calibration.xdf")
    path = folder / "model.safetensors"
    words = ["train", str(folder / "calibration.xdf"), "-o", str(path), "--preset", "motor-imagery", *TABLE]
    subprocess.run([sys.executable, "-m", "bci", *words], check=True, stdout=subprocess.DEVNULL)
    return path


def test_the_wizard_counts_the_trials_of_its_own_session_and_ends_that_one_with_another_beside_it(
    context: Context, engine: Engine, model: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    feed, other = context.feed, engine.texts["state"].info.source_id.removeprefix("bci-state-")
    until(qtbot, lambda: engine.state() or feed.session.id == other)  # left over, and shown: it was there first
    wizard = context.open("wizard")
    assert isinstance(wizard, WizardWindow)
    wizard.live.plan, wizard.live.model = WizardPlan(out=str(tmp_path)), str(model)
    wizard.live.participant.setChecked(False)
    wizard._reached = LIVE
    wizard.show_page(LIVE)
    wizard.live.begin()
    until(qtbot, lambda: engine.state() or wizard.live.decoder.tally.n >= 1, 150)
    assert feed.session.id != other
    assert feed.others == (other,)
    assert feed.key is not None  # so that what is asked for here is its own session's alone
    qtbot.mouseClick(wizard.live.end, LEFT)
    until(qtbot, lambda: engine.state() or wizard.live.recording is not None, 60)
    until(qtbot, lambda: engine.state() or feed.session.id == other)  # shown again, once nothing of our own is left


def test_a_session_is_started_watched_and_ended_by_clicks_alone(
    context: Context, window: OperatorWindow, model: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    keys.own_key()  # programs were begun by hand here before, and left the key that they share
    context.settings.setValue("session/out", str(tmp_path))
    panel, feed = window.panels["session"], context.feed
    panel.subject.setText("P007")
    panel.model.setText(str(model))
    panel.amplifier.setCurrentIndex(panel.amplifier.findData("simulated"))
    qtbot.mouseClick(panel.start, LEFT)
    until(qtbot, lambda: feed.session.phase(feed.now()) == "running", 60)
    until(qtbot, lambda: feed.outcomes is not None and len(feed.outcomes) > 50 and feed.signal is not None)
    window.refresh()
    assert panel.status.text() == "● running"
    assert not panel.start.isEnabled()
    click(qtbot, panel.pause)
    until(qtbot, lambda: any(e.kind == "freeze" and "break" in e.line for e in feed.events))
    click(qtbot, panel.pause)
    until(qtbot, lambda: any(e.kind == "resume" for e in feed.events))
    qtbot.keyClicks(panel.notes, "all well")
    qtbot.keyClick(panel.notes, Qt.Key.Key_Return)
    until(qtbot, lambda: any(e.kind == "note" and e.text == "all well" for e in feed.events))
    click(qtbot, panel.end)
    until(qtbot, lambda: not context.launcher.started[0].alive)
    assert list(tmp_path.rglob("sub-P007*_eeg.xdf"))
