"""Processes of a session that are killed or stand still, in a short form; the long one is tests/campaigns/processes.py."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from process_faults import kill, life, stand_still
from session_rig import save_a_model

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(os.name != "posix", reason="signals are POSIX"),
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_a_model(tmp_path_factory.mktemp("model") / "m.safetensors")


def test_whatever_is_killed_at_once_every_file_is_whole_to_its_last_chunk_and_nobody_is_left(model: Path, tmp_path: Path) -> None:
    with life(model, tmp_path) as one:
        found = kill(one, "all")
    print(f"\n{found}")
    assert not found.problems, one.said()


def test_a_recorder_that_stands_still_for_15_s_loses_nothing_and_nothing_moves_meanwhile(model: Path, tmp_path: Path) -> None:
    with life(model, tmp_path) as one:
        found = stand_still(one, "recorder", 15.0)
    print(f"\n{found}")
    assert not found.problems, one.said()
