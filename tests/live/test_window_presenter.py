"""The participant's window in a process of its own, as a calibration uses it."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from connections import connected, cut
from session_rig import until

from bci.calibration.window import WindowPresenter
from bci.errors import StreamLost
from bci.paradigm.present import Silent
from bci.paradigm.timeline import CROSS, TRIAL_END, TRIAL_START, Cue
from bci.processes.display import has_display
from bci.stream.lsl import local_clock

pytest.importorskip("PySide6", reason="windows need the extra gui: pip install 'bci[gui]'")


@pytest.mark.live
@pytest.mark.slow
def test_cues_come_back_with_the_time_of_their_frame_until_the_window_is_killed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("BCI_PARTICIPANT", '{"patch": "top-left", "delay_ms": 9}')
    said: list[str] = []
    with WindowPresenter(Silent(said.append), "presenter-test", {"delay_ms": 4.0}) as window:
        assert (window.frames["delay_s"], window.frames["patch"]) == ("0.004", "top-left")
        window.say("Sit still.")
        assert window.show(Cue(0.0, TRIAL_START, ""), "") is None
        for cue in (Cue(0.0, CROSS, "cross"), Cue(1.0, 769, "left_hand", "left_hand")):
            begin = local_clock()
            seen = window.show(cue, "Left hand")
            assert seen is not None
            assert begin < seen < local_clock() + 0.004
        assert window.show(Cue(2.0, TRIAL_END, "trial_end"), "") is None
        assert window.ask("Which?", {"a": "this", "b": "that"}, lambda: None) == "a"  # the operator's
        assert said == ["Sit still.", "Which?"]
        ours, theirs = os.getpid(), window._window._process.pid
        there = connected(ours, theirs) if sys.platform == "linux" else 0
        for k in range(2 if there else 0):  # the connections break, both ways
            assert cut(ours, theirs) >= 2
            until(lambda: window._screen.ended, "the loss is known")
            assert window._wait("answer", -1, 0.1) is None
            until(lambda: connected(ours, theirs) >= there, "connected again")
            assert window.show(Cue(3.0 + k, 769, "left_hand", "left_hand"), "Left hand") is not None
        os.kill(window._window._process.pid, signal.SIGKILL)
        with pytest.raises(StreamLost, match="resume"):
            window.ask("Ready?", {"g": "go on"}, lambda: None)


@pytest.mark.skipif("sys.platform != 'linux'", reason="a display is announced in the environment on Linux only")
def test_without_a_display_there_are_no_windows() -> None:
    assert not has_display({})
    assert has_display({"DISPLAY": ":0"})
    assert has_display({"WAYLAND_DISPLAY": "wayland-0"})
