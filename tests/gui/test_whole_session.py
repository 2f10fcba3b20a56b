"""A whole session through real widgets, with real processes: simulate, calibrate, verdict, live with feedback, stop, replay."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from bci.stream.files.readers import open_recording
from gui.context import Context
from gui.welcome import WelcomeWindow
from gui.wizard.wizard_window import LIVE, SIGNAL, TRIALS, VERDICT, WizardWindow

# What is worked out beside a window gives way to everything else, and would never end beside tests that compute.
pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.alone]

LEFT = Qt.MouseButton.LeftButton
LONG_S = 150.0


def until(qtbot: QtBot, ready: Callable[[], object], timeout_s: float = 40.0) -> None:
    qtbot.waitUntil(lambda: bool(ready()), timeout=round(1000 * timeout_s))


def press(qtbot: QtBot, button: object) -> None:
    qtbot.mouseClick(button, LEFT)


def calibrated(wizard: WizardWindow, qtbot: QtBot) -> str:
    """Through the pages to the verdict; the model."""
    feed = wizard._context.feed
    wizard.person.subject.setText("P042")
    wizard.person.skill.setValue(0.95)
    wizard.person.seed.setValue(3)
    press(qtbot, wizard.next)
    assert wizard.page == SIGNAL
    until(qtbot, lambda: feed.signal is not None and feed.signal.received > 500)
    press(qtbot, wizard.next)
    wizard.protocol.per_class.setValue(8)
    wizard.protocol.most_blocks.setValue(1)
    press(qtbot, wizard.next)
    assert wizard.page == TRIALS
    until(qtbot, lambda: wizard.page == VERDICT, LONG_S)
    until(qtbot, lambda: wizard.trials.map.values.size, LONG_S)  # the classes were compared
    wizard.refresh()
    assert wizard.verdict.word.text() == "● It works"
    assert wizard.verdict.report.isEnabled()
    assert wizard.trials.curve.looks
    return str(wizard.calibration.result["model"])


def test_a_whole_session_by_clicks_alone(context: Context, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    context.settings.setValue("session/out", str(tmp_path / "recordings"))
    welcome = context.open("welcome")
    assert isinstance(welcome, WelcomeWindow)
    press(qtbot, welcome.wizard)
    wizard = context.open("wizard")
    assert isinstance(wizard, WizardWindow)
    model = calibrated(wizard, qtbot)

    feed = context.feed
    press(qtbot, wizard.next)
    assert wizard.page == LIVE
    until(qtbot, lambda: feed.session.phase(feed.now()) == "running", LONG_S)
    until(qtbot, lambda: sum(e.kind == "cue" and bool(e.class_) for e in feed.events) >= 2, LONG_S)
    until(qtbot, lambda: wizard.live.decoder.tally.n >= 1)  # the trial before the second cue
    assert any(s.type == "BCI-Screen" for s in feed.streams), "the participant's window is not there"
    press(qtbot, wizard.live.end)
    until(qtbot, lambda: wizard.live.recording is not None)
    wizard.refresh()

    recording = wizard.live.recording
    assert recording is not None
    markers = {m.name: m.texts for m in open_recording(recording).markers}
    assert {"769", "770"} & set(markers["cues"])
    assert "781" in markers["cues"]  # feedback
    assert any(json.loads(text)["kind"] == "shown" for text in markers["bci-screen"])  # the participant saw the cues
    assert Path(model).is_file()

    press(qtbot, wizard.live.replay)
    if "replay" in context.names():
        window = context.open("replay")
        until(qtbot, lambda: getattr(window, "opened", None) is not None, LONG_S)
    else:
        until(qtbot, lambda: feed.signal is not None and feed.now() - feed.signal.arrival_s < 1.0)


def test_a_session_goes_on_when_its_windows_are_killed(model: Path, tmp_path: Path) -> None:
    """``bci run`` opens windows of its own; nobody needs them."""
    words = ["run", "--model", str(model), "--simulate", "--cues", "short", "--windows", "operator", "--json", "--seconds", "8"]
    command = [sys.executable, "-m", "bci", *words, "--out", str(tmp_path)]
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "XDG_CONFIG_HOME": str(tmp_path)}
    run = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        window = window_of(run.pid)
        time.sleep(3.0)  # it is being made, or there already
        os.kill(window, signal.SIGKILL)
        output, _ = run.communicate(timeout=120)
    finally:
        run.kill()
    assert run.returncode == 0
    result = json.loads(output.strip().splitlines()[-1])
    assert result["ended"] == "time is over"
    assert result["windows"] > 100


def window_of(parent: int) -> int:
    """Process of the windows that another process has opened."""
    end_s = time.monotonic() + 60
    while time.monotonic() < end_s:
        for place in Path("/proc").iterdir():
            if not place.name.isdigit():
                continue
            try:
                words = (place / "cmdline").read_bytes().split(b"\0")
                state = (place / "stat").read_text().rpartition(") ")[2].split()
            except OSError:  # it has just ended
                continue
            if b"gui" in words and int(state[1]) == parent:
                return int(place.name)
        time.sleep(0.2)
    raise AssertionError("no window was opened")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model of the simulated subject."""
    from gui.screenshots import train

    return train(tmp_path, channels=8)
