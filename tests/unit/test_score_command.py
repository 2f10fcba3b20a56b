"""`bci score` and `bci replay --model`: how many cues were right, of how many that live decoding would have decoded."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from recorded_parts import rhythm, write_recording

from bci.commands import main
from bci.training.chance import interval

TABLE = ("--set", "markers.table.left=left", "--set", "markers.table.right=right")
SHAPE = ("preprocessing.window_s=2", "trial.start_s=0.5", "trial.stop_s=3.5", "preprocessing.notch_hz=0")
OPTIONS = (*TABLE, *(word for key in SHAPE for word in ("--set", key)))
CUES = [(4.0 + 4 * i, ("left", "right")[i % 2]) for i in range(20)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording to train on, the model, and a later one with a wrong label, a gap and a class that nobody trained."""
    folder = tmp_path_factory.mktemp("score")
    write_recording(folder / "first.xdf", rhythm(CUES), CUES)
    line = ["train", str(folder / "first.xdf"), "-o", str(folder / "m.safetensors"), "--json", *OPTIONS]
    assert main(line) == 0
    shown = [(t, "right" if i == 2 else c) for i, (t, c) in enumerate(CUES)]
    data = rhythm(CUES, seed=1)
    stamps = 1000.0 + np.arange(len(data)) / 125.0
    keep = np.ones(len(data), dtype=np.bool_)
    keep[round(9.5 * 125) : round(10.5 * 125)] = False  # in the second trial
    write_recording(folder / "later.xdf", data[keep], [*shown, (79.5, "feet"), (86.0, "left")], stamps=stamps[keep])
    return folder


@pytest.fixture
def scored(folder: Path, capsys: pytest.CaptureFixture[str]) -> dict:  # type: ignore[type-arg]
    feet = ("--set", "markers.table.feet=feet")
    capsys.readouterr()
    assert main(["score", str(folder / "m.safetensors"), str(folder / "later.xdf"), "--json", *TABLE, *feet]) == 0
    found: dict = json.loads(capsys.readouterr().out)  # type: ignore[type-arg]
    return found


def test_each_class_has_its_cues_those_decoded_those_right_and_an_exact_interval(scored: dict) -> None:  # type: ignore[type-arg]
    (one,) = scored["recordings"]
    assert one["recording"] == "later.xdf"
    assert (one["cues"], one["decoded"], one["correct"]) == (22, 19, 18)
    assert one["interval"] == pytest.approx(interval(18, 19))
    right, left = one["classes"]["right"], one["classes"]["left"]
    assert (right["cues"], right["decoded"], right["correct"]) == (11, 10, 9)
    assert (left["cues"], left["decoded"], left["correct"]) == (10, 9, 9)
    assert sum(one["not_decoded"].values()) == 3
    assert any("not a class of the model" in why for why in one["not_decoded"])
    assert any("gap" in why for why in one["not_decoded"])
    assert any("recording ended" in why for why in one["not_decoded"])
    assert {key: scored["all"][key] for key in ("cues", "decoded", "correct")} == {"cues": 22, "decoded": 19, "correct": 18}


def test_a_recording_that_the_model_was_trained_on_is_refused_or_counted_with_a_warning(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["score", str(folder / "m.safetensors"), str(folder / "first.xdf"), *TABLE]
    assert main(line) != 0
    said = capsys.readouterr().err
    assert "trained on first.xdf" in said
    assert "--with-training" in said
    assert main([*line, "--with-training"]) == 0
    assert "TRAINED on first.xdf" in capsys.readouterr().out


def test_names_of_the_models_classes_are_cues_where_no_table_is_given(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", str(folder / "m.safetensors"), str(folder / "later.xdf")]) == 0
    out = capsys.readouterr().out
    assert "later.xdf" in out
    assert max(map(len, out.splitlines())) <= 130
    assert [line.split()[:4] for line in out.splitlines() if line.split()[0] in ("left", "right", "all")] == [
        ["left", "10", "9", "9"],
        ["right", "11", "10", "9"],
        ["all", "21", "19", "18"],
    ]


def test_replaying_with_a_model_says_how_many_cues_were_right(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["replay", str(folder / "later.xdf"), "--model", str(folder / "m.safetensors"), *TABLE]
    assert main([*line, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["cues"]["cues"], found["cues"]["decoded"], found["cues"]["correct"]) == (21, 19, 18)
    assert main(line) == 0
    said = capsys.readouterr().out
    assert "all: 18 of 19 decoded cues correct (95 % interval 74–100 %), 21 cues in all" in said
    assert "not decoded: 1 because" in said
    assert main(["replay", str(folder / "first.xdf"), "--model", str(folder / "m.safetensors"), *TABLE]) == 0
    assert "TRAINED on this recording" in capsys.readouterr().out


def test_a_replay_without_any_known_cue_says_what_is_missing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = ("--set", "markers.table.x=left")
    assert main(["replay", str(folder / "later.xdf"), "--model", str(folder / "m.safetensors"), *other]) == 0
    assert "markers.table.TEXT=CLASS" in capsys.readouterr().out


def test_a_replay_with_a_model_says_why_no_cue_counts_and_what_was_found_out_about_cues(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = rhythm(CUES[:3])[: 18 * 125]
    rejected = write_recording(tmp_path / "a.xdf", short, [(4.0, "left"), (5.0, "1023")])
    assert main(["replay", str(rejected), "--model", str(folder / "m.safetensors"), *TABLE]) == 0
    assert "the accuracy cannot be computed" in (said := capsys.readouterr().out)
    assert "1 trial is left out: marked as rejected (1023)" in said
    twice = write_recording(tmp_path / "b.xdf", short, [(4.0, "left"), (4.01, "left"), (8.0, "right")])
    assert main(["replay", str(twice), "--model", str(folder / "m.safetensors"), *TABLE]) == 0
    assert "note: 1 cue came twice on" in capsys.readouterr().out


def test_a_replay_of_a_file_in_a_bids_folder_finds_the_cues_that_training_finds(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_recording(tmp_path / "sub-1_ses-1_task-mi_run-1_eeg.xdf", rhythm(CUES[:5])[: 26 * 125], CUES[:5])
    assert main(["export", str(source), "--out", str(tmp_path / "set"), "--no-source", *TABLE]) == 0
    (exported,) = (tmp_path / "set").rglob("*_eeg.vhdr")
    capsys.readouterr()
    assert main(["replay", str(exported), "--model", str(folder / "m.safetensors"), "--json", *TABLE]) == 0
    assert json.loads(capsys.readouterr().out)["cues"]["cues"] == 5
