"""A recording that was not made at the rate it declares is refused wherever it is read for decoding, as a live stream is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from recorded_parts import START_S, rhythm, write_recording

from bci.commands import main
from bci.engine.stream_info import Channel, StreamInfo
from bci.engine.watch import rate_of

CUES = [(3.0 + 4 * i, ("left", "right")[i % 2]) for i in range(12)]
TABLE = ("--set", "markers.table.left=left", "--set", "markers.table.right=right")


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """50 Hz under the name of 125 Hz."""
    path = tmp_path_factory.mktemp("slow") / "sub-1_task-mi_eeg.xdf"
    return write_recording(path, rhythm(CUES, 50.0), CUES, 50.0, declared_hz=125.0)


@pytest.mark.parametrize("command", ["train", "judge", "evaluate", "export"])
def test_it_is_refused_with_both_rates_and_the_remedy(
    slow: Path, tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = () if command == "judge" else ("-o" if command == "train" else "--out", str(tmp_path / "out"))
    jobs = ("--jobs", "1") if command == "evaluate" else ()
    assert main([command, str(slow), *out, *jobs, *TABLE]) not in (0, 2)
    said = capsys.readouterr().err
    assert "125 Hz" in said
    assert "50 Hz" in said
    assert "rate_hz = 50" in said
    assert not (tmp_path / "out").exists()


def test_with_the_true_rate_in_a_montage_it_is_trained_on(slow: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "m.toml").write_text("rate_hz = 50\n", encoding="utf-8")
    line = ["train", str(slow), "-o", str(tmp_path / "m.safetensors"), *TABLE]
    shape = ["preprocessing.window_s=2", "trial.stop_s=3.5", "preprocessing.notch_hz=0", "preprocessing.bands=[[8,20]]"]
    more = [word for key in shape for word in ("--set", key)]
    assert main([*line, *more, "--set", f"stream.montage={tmp_path / 'm.toml'}"]) == 0, capsys.readouterr().err


def test_a_rate_that_is_a_little_wrong_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "sub-1_task-mi_eeg.xdf"
    write_recording(path, rhythm(CUES, 121.0), CUES, 121.0, declared_hz=125.0)
    assert main(["train", str(path), "-o", str(tmp_path / "m.safetensors"), *TABLE]) == 0
    assert "declares 125 Hz, but by its stamps 121 Hz were recorded" in capsys.readouterr().out
    assert main(["export", str(path), "--out", str(tmp_path / "out"), "--no-source", *TABLE]) == 0
    assert "rate_hz = 121" in capsys.readouterr().out


def info(sample_clock: bool = False) -> StreamInfo:
    return StreamInfo(125.0, (Channel("C3"),), name="amp", sample_clock=sample_clock)


def test_losses_pauses_resets_and_jitter_of_a_true_rate_are_no_wrong_rate() -> None:
    rng = np.random.default_rng(0)
    even = START_S + np.arange(15_000) / 125.0
    lossy = even[rng.random(len(even) // 25).repeat(25) > 0.2]
    paused = np.where(np.arange(15_000) > 7000, even + 300.0, even)
    reset = np.where(np.arange(15_000) > 7000, even - 900.0, even)
    for stamps in (even, lossy, paused, reset, even + np.abs(rng.normal(0, 0.05, len(even)))):
        verdict = rate_of(info(), stamps)
        assert verdict is None or verdict.level != "mismatch"


@pytest.mark.parametrize("real_hz", [25.0, 50.0, 100.0, 250.0, 500.0])
@pytest.mark.parametrize("jitter_s", [0.0, 0.02])
def test_half_or_double_the_rate_is_found_with_jitter_too(real_hz: float, jitter_s: float) -> None:
    stamps = START_S + np.arange(round(60 * real_hz)) / real_hz
    verdict = rate_of(info(), stamps + np.abs(np.random.default_rng(0).normal(0, jitter_s, len(stamps))))
    assert verdict is not None
    assert verdict.level == "mismatch"
    assert verdict.effective_hz == pytest.approx(real_hz, rel=0.02)


def test_stamps_that_count_samples_or_hardly_any_say_nothing() -> None:
    assert rate_of(info(sample_clock=True), np.arange(10_000) / 50.0) is None
    assert rate_of(info(), np.arange(500) / 50.0) is None
    assert rate_of(info(), np.full(100, np.nan)) is None


def test_a_real_board_that_ran_at_50_instead_of_125_hz_is_refused(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = shared_data / "xdf-awkward" / "openbci_declared125_real50Hz.xdf"
    assert main(["train", str(path), "-o", str(tmp_path / "m.safetensors"), *TABLE]) not in (0, 2)
    said = capsys.readouterr().err
    assert "declares 125 Hz" in said
    assert "49.13 Hz" in said
