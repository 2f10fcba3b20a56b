"""The newcomer's path, word for word: demo, then each command on what the demo wrote."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.live, pytest.mark.slow]


def bci(*words: str, timeout_s: float = 170.0) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "bci", *words], capture_output=True, text=True, timeout=timeout_s, check=False)


def answer(*words: str) -> dict[str, Any]:
    """What a command says as JSON; it must end well."""
    done = bci(*words, "--json")
    assert done.returncode == 0, done.stderr + done.stdout
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Summary of a short demo."""
    out = tmp_path_factory.mktemp("demo")
    return answer("demo", "--headless", "--out", str(out), "--calibration", "10", "--trials", "1")


def test_the_demo_ends_with_a_verified_replay(demo: dict[str, Any]) -> None:
    assert demo["verified"]
    assert demo["identical"] == demo["outcomes"] > 200
    assert demo["live_trials"] == 2
    assert demo["accuracy"] > 0.6
    assert Path(demo["recording"]).exists()


def test_its_recording_is_verified_again_from_the_command_line(demo: dict[str, Any]) -> None:
    found = answer("replay", "--verify", demo["recording"])
    assert found["ok"]
    assert found["identical"] == demo["outcomes"]


def test_another_model_is_asked_what_it_would_have_decided(demo: dict[str, Any], tmp_path: Path) -> None:
    model = str(tmp_path / "csp.safetensors")
    table = ["--set", "markers.table.769=left_hand", "--set", "markers.table.770=right_hand"]
    trained = answer("train", demo["calibration"], *table, "--set", "decoder.name=csp-lda", "-o", model)
    assert trained["trials"] == {"left_hand": 10, "right_hand": 10}
    found = answer("replay", demo["recording"], "--model", model)
    assert found["recorded"] == demo["outcomes"]
    assert found["outcomes"] >= demo["outcomes"]


def test_info_reads_what_the_demo_wrote(demo: dict[str, Any]) -> None:
    assert answer("info", demo["recording"])["verified"] == "verified"
    assert answer("info", demo["model"])["classes"] == ["left_hand", "right_hand"]


def test_a_model_is_never_overwritten_and_a_wrong_table_lists_the_markers(demo: dict[str, Any], tmp_path: Path) -> None:
    table = ["--set", "markers.table.769=left_hand", "--set", "markers.table.770=right_hand"]
    again = bci("train", demo["calibration"], *table, "-o", demo["model"])
    assert again.returncode == 4
    assert "not overwritten" in again.stderr
    wrong = bci("train", demo["calibration"], "--set", "markers.table.7=left", "-o", str(tmp_path / "m.safetensors"))
    assert wrong.returncode == 6
    assert "'769' × 10" in wrong.stderr
