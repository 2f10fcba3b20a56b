"""Cues of any session are the same, and right to 2 ms, in its recording, live and in its export, or the run says why not.

The long form: ``python tests/campaigns/cues.py``.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from generated_runs import through, wrong
from generated_sessions import (
    Amplifier,
    Computer,
    Cue,
    GeneratedSession,
    MarkerSource,
    Trigger,
    sessions,
)
from hypothesis import HealthCheck, Phase, given, settings

CUES = (Cue(8.0, "left"), Cue(12.0, "right", "after the cue"), Cue(16.0003, "feet"))
AWAY = Computer("lab-amp", -400_000.0, 80.0, noise_s=3e-4)
SCREEN = Computer("lab-screen", 12_345.0, -90.0, noise_s=3e-4)
KNOWN = {
    "a trigger channel of another computer and a marker stream of a third": GeneratedSession(
        CUES, False, Amplifier(AWAY, trigger=Trigger(10, 1)), (MarkerSource("Cues", "code", SCREEN, 0.02, 0.03, twin=True),)
    ),
    "a trigger channel beside markers with columns": GeneratedSession(
        CUES, True, Amplifier(trigger=Trigger(10)), (MarkerSource("Cues", "columns", latency_s=0.08),)
    ),
    "three lines for three samples, up two samples apart": GeneratedSession(CUES, False, Amplifier(trigger=Trigger(3, 2))),
}  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_cues_are_right_in_the_recording_live_and_in_the_export_with(name: str, tmp_path: Path) -> None:
    assert wrong(KNOWN[name], through(KNOWN[name], tmp_path)) == []


@pytest.mark.slow
@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(sessions())
def test_cues_of_any_session_are_right_in_the_recording_live_and_in_the_export_or_the_run_says_why(
    session: GeneratedSession,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        assert wrong(session, through(session, Path(folder))) == []
