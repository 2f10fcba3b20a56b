"""What is said when there are too few trials: about the recording, with the channels, values and settings that are known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from recorded_parts import rhythm, write_recording

from bci.commands import main
from bci.engine.frontend import FrontSettings
from bci.training.rejected import BadChannel, measured_uv, why_rejected

TABLE = ("--set", "markers.table.left=left", "--set", "markers.table.right=right")
SHAPE = ("preprocessing.window_s=2", "trial.start_s=0.5", "trial.stop_s=3.5", "preprocessing.notch_hz=0")
OPTIONS = (*TABLE, *(word for key in SHAPE for word in ("--set", key)))


def made(path: Path, n: int) -> Path:
    cues = [(4.0 + 4 * i, ("left", "right")[i % 2]) for i in range(n)]
    return write_recording(path, rhythm(cues), cues)


def test_twelve_trials_make_a_model_and_only_the_estimate_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = made(tmp_path / "a.xdf", 12)
    assert main(["train", str(path), "-o", str(tmp_path / "m.safetensors"), "--json", *OPTIONS]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["accuracy"] is None
    assert "12 trials that count (left: 6, right: 6)" in result["not_judged"]
    assert (tmp_path / "m.safetensors").exists()


def test_too_few_trials_speaks_of_what_was_recorded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = made(tmp_path / "sub-1_task-a_eeg.xdf", 8)
    assert main(["train", str(path), "-o", str(tmp_path / "m.safetensors"), *OPTIONS]) != 0
    assert "left: 4, right: 4" in capsys.readouterr().err
    path = made(tmp_path / "sub-2_task-a_eeg.xdf", 12)
    assert main(["evaluate", str(path), "--out", str(tmp_path / "e"), "--jobs", "1", "--plots", "none", "--json", *OPTIONS]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert row["note"] == "too few trials to leave any out: the session has 12 that count (left: 6, right: 6)"


def test_channels_values_and_settings_are_named_where_trials_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = ("Fz", "C3", "Cz", "C4", "P3", "P4", "O1", "O2", "F3", "F4")
    cues = [(4.0 + 4 * i, ("left", "right")[i % 2]) for i in range(12)]
    data = rhythm(cues, labels=labels)
    rng = np.random.default_rng(0)
    for i, (cue, _) in enumerate(cues):  # others in each trial, so that no channel is left out of the model
        a, b = round((cue + 1.6) * 125), round((cue + 3.6) * 125)
        data[a:b, 2 * i % 10] = 7.0
        data[a:b, (2 * i + 1) % 10] += 900.0 * rng.choice([-1, 1], b - a)
    path = write_recording(tmp_path / "a.xdf", data, cues, labels=labels)
    assert main(["train", str(path), "-o", str(tmp_path / "m.safetensors"), "--json", *OPTIONS]) == 0
    said = " ".join(json.loads(capsys.readouterr().out)["why"])
    assert "F3 flat (0 µV, quality.flat_uv = 0.5), in 2" in said
    assert "F4 amplitude (" in said
    assert "quality.amplitude_uv = 500" in said
    assert "quality.bad_share = 0.2" in said


def test_counts_by_reason_are_in_order_and_in_words() -> None:
    rejected = [(i, why) for i, why in enumerate(["bad C3", "bad C3, C4", "refill", "bad C4", "recording ended", "strange"])]
    faults = [BadChannel("C3", "railed", 187_500.0), BadChannel("C3", "railed", 187_400.0), BadChannel("C4", "line", np.nan)]
    found = why_rejected(rejected, faults, FrontSettings())
    assert list(found.values()) == [3, 1, 1, 1]
    first = next(iter(found))
    assert "C3 railed (1.874e+05 µV" in first or "C3 railed (1.875e+05 µV" in first
    assert "C4 line (quality.line_uv = 2), in 1" in first
    assert "strange" in found


def test_what_is_measured_is_what_the_fault_is_about() -> None:
    data = np.r_[np.sin(np.arange(250.0)) * 50, np.full(250, 3.0)]
    assert measured_uv("flat", data, 250.0) == 0.0
    assert measured_uv("amplitude", data, 250.0) == pytest.approx(100.0, abs=1)
    assert np.isnan(measured_uv("line", data, 250.0))
    assert np.isnan(measured_uv("flat", data[:0], 250.0))
