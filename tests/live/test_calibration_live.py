"""`bci calibrate` over LSL: terminal presenter, simulated subject, recorder and judge in processes; killed, then resumed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bci.calibration.history import find_recordings, read_history
from bci.errors import BciError
from bci.model.file import load_model
from bci.stream.files.readers import open_recording
from bci.stream.lsl import LslTextOutlet

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(420)]

PROTOCOL = """
title = "Ten trials of 1.8 s"
classes = ["left_hand", "right_hand"]
per_class = 5
most_blocks = 1
break_s = 0.0

[trial]
beep_s = 0.0
cue_s = 0.3
stop_s = 1.8
pause_s = [0.1, 0.2]
"""


def words(folder: Path) -> list[str]:
    """Options of a quick calibration of a simulated subject."""
    (folder / "quick.toml").write_text(PROTOCOL)
    settings = {
        "source.name": "simulated",
        "source.settings.classes": "left_hand,right_hand",
        "source.settings.name": "someone",
        "markers.stream": "cues",
        "trial.start_s": "0.3",
        "trial.stop_s": "1.3",
        "preprocessing.window_s": "1.0",
    }
    sets = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    return ["--protocol", str(folder / "quick.toml"), "--device", "--stream", "name=someone", "--out", str(folder), *sets]


def start(arguments: list[str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bci", "calibrate", *arguments, "--no-report", "--json"]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def trials(folder: Path) -> int:
    """Trials that are recorded so far."""
    try:
        return len(read_history(find_recordings(folder)).attempts)
    except BciError:
        return 0


def test_a_calibration_that_is_killed_goes_on_at_its_trial_and_ends_with_a_model_and_a_verdict(tmp_path: Path) -> None:
    first = start(words(tmp_path))
    deadline = time.monotonic() + 120
    while trials(tmp_path) < 4 and time.monotonic() < deadline and first.poll() is None:
        time.sleep(0.2)
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    before = read_history(find_recordings(tmp_path)).attempts
    assert 4 <= len(before) <= 8

    second = start([*words(tmp_path)[2:], "--resume", str(tmp_path)])
    try:
        output, errors = second.communicate(timeout=280)
    finally:
        second.kill()
    assert second.returncode == 0, errors
    result = json.loads(output.strip().splitlines()[-1])
    assert result["trials"] == {"left_hand": 5, "right_hand": 5}
    assert len(result["recordings"]) == 2
    assert result["verdict"] == "more"
    assert "10" in result["line"] or "too few" in result["line"]
    header = load_model(Path(result["model"])).header
    assert header.trials == {"left_hand": 5, "right_hand": 5}
    assert len(header.recordings) == 2
    after = read_history(find_recordings(tmp_path)).attempts
    assert after[: len(before)] == before
    assert sum(a.kept for a in after) == 10


def test_somebody_elses_program_may_present_and_nothing_is_counted_twice(tmp_path: Path) -> None:
    program = LslTextOutlet("Experiment", "Markers", "experiment-1")
    table = ["--set", "markers.table.769=left_hand", "--set", "markers.table.go right=right_hand"]
    process = start([*words(tmp_path), "--headless", "--cues-from", "Experiment", *table])
    try:
        program.wait_for_consumers(60)
        deadline = time.monotonic() + 150
        for number in range(1000):
            if process.poll() is not None or time.monotonic() > deadline:
                break
            program.push(("769", "go right")[number % 2])
            time.sleep(1.5)
        output, errors = process.communicate(timeout=200)
    finally:
        process.kill()
        program.close()
    assert process.returncode == 0, errors
    result = json.loads(output.strip().splitlines()[-1])
    assert sum(result["trials"].values()) == 10
    recording = open_recording(Path(result["recordings"][0]))
    assert {"Experiment", "cues", "calibration"} <= {m.name for m in recording.markers}
    header = load_model(Path(result["model"])).header
    assert header.trials == result["trials"]
