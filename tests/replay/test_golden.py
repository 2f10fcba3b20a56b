"""The golden recording gives the same outcomes for ever."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bci.config import load_config
from bci.model.beside import find_model
from bci.model.file import load_model
from bci.paradigm.cues import trials_of
from bci.paradigm.timeline import short
from bci.replay.recorded_session import read_session
from bci.replay.replay import verify
from bci.replay.score import latency, score
from bci.simulation.virtual import run_virtually
from bci.stream.clock import VirtualClock
from bci.stream.files.readers import open_recording
from bci.stream.markers.triggers import MarkerTable
from bci.stream.xdf.reader import read_xdf
from devices.simulated import SimulatedSettings, SimulatedSubject

GOLDEN = Path(__file__).parents[2] / "recordings" / "golden" / "golden.xdf"
CLASSES = ("left_hand", "right_hand")
TABLE = {"769": CLASSES[0], "770": CLASSES[1]}


def test_the_golden_session_is_reproduced() -> None:
    result = verify(read_session(GOLDEN), lambda sha256: find_model(GOLDEN, sha256))
    assert result.ok, result.different[:3]
    assert result.outcomes == 623


@pytest.mark.parametrize(("by", "ok"), [(1e-10, True), (1e-7, False)])
def test_on_another_computer_probabilities_may_differ_by_rounding_and_the_answer_says_so(by: float, ok: bool) -> None:
    session = read_session(GOLDEN)
    rows = session.rows.copy()
    rows[:, 8:] += by
    elsewhere = replace(session, fingerprint={**session.fingerprint, "numpy": "0"}, rows=rows)
    result = verify(elsewhere, lambda sha256: find_model(GOLDEN, sha256))
    assert result.ok is ok
    assert result.how.startswith("to 1e-09 (another processor")


def test_the_golden_file_is_as_it_was_made() -> None:
    assert read_xdf(GOLDEN).verified == "verified"


def test_the_golden_subject_is_decoded_at_its_cues() -> None:
    recording = open_recording(GOLDEN)
    trials = trials_of(recording, recording.eeg(), MarkerTable(TABLE))
    header = find_model(GOLDEN, read_session(GOLDEN).model).header
    scored = score(GOLDEN, trials, header)
    assert len(scored) == 4
    assert sum(s.class_ == s.decided for s in scored) >= 3
    assert latency(GOLDEN).step[0] > 0


@pytest.mark.parametrize("bursty", [False, True])
def test_a_virtual_session_is_verified_like_a_live_one_and_gives_the_same_again(tmp_path: Path, bursty: bool) -> None:
    config = load_config(None, {"markers.stream": "cues", **{f"markers.table.{k}": v for k, v in TABLE.items()}})
    model = load_model(GOLDEN.with_name("golden_model.safetensors"))
    rows = []
    for name in ("a.xdf", "b.xdf"):
        clock = VirtualClock(100.0)
        subject = SimulatedSubject(SimulatedSettings(seed=3, channels=8, bursty=bursty, loss=0.005), clock)
        run_virtually(subject, clock, short(CLASSES, 1, 3), model, config, tmp_path / name)
        session = read_session(tmp_path / name)
        assert verify(session, lambda _: model).ok
        rows.append(session.rows)
    assert rows[0].tobytes() == rows[1].tobytes()
    assert np.isfinite(rows[0][-1]).all()
