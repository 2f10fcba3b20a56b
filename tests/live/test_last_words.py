"""A recorder whose parent process has died records what its session's other processes send while they end."""

from __future__ import annotations

import time
import uuid
from pathlib import Path

import pytest
from machine import within

from bci.processes.child import Child
from bci.stream.lsl import LslTextOutlet
from bci.stream.xdf.reader import read_xdf

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]
LATER_S = 0.5
"""After the end of the parent, the last word of another process; a recorder that does not wait has ended by then."""
END_S = 1.5


@pytest.fixture
def name() -> str:
    """Unlike that of any other session."""
    return f"t{uuid.uuid4().hex[:8]}"


def begin(name: str, out: Path, outlets: dict[str, LslTextOutlet], *ours: str) -> Child:
    """A recorder of these streams, of which some are its session's own."""
    words = ["record", "--json", "--parent-pipe", "--out", str(out)]
    for what in outlets:
        words += ["--stream", f"source_id={name}-{what}-s1"]
    recorder = Child("recorder", words, out.with_suffix(".log"))
    recorder.wait_ready(60.0)
    recorder.tell(ours=[outlets[what].uid for what in ours])
    return recorder


def texts(out: Path, name: str, what: str) -> list[str]:
    """What was recorded of a stream."""
    (path,) = out.rglob("*.xdf")
    (found,) = [s for s in read_xdf(path).streams if s.header.name == f"{name}-{what}"]
    return [row[0] for row in found.values]


def test_the_last_words_of_a_session_whose_parent_was_killed_are_recorded(tmp_path: Path, name: str) -> None:
    kinds = {"control": "BCI-Control", "events": "BCI-Events"}
    outlets = {what: LslTextOutlet(f"{name}-{what}", kind, f"{name}-{what}-s1") for what, kind in kinds.items()}
    recorder = begin(name, tmp_path / "out", outlets, "control", "events")
    try:
        time.sleep(2 * LATER_S)  # the recorder has heard which are its session's
        recorder.hang_up()
        outlets.pop("control").close()
        time.sleep(LATER_S)
        outlets["events"].push("stop")
        time.sleep(0.1)
    finally:
        for outlet in outlets.values():
            outlet.close()
        recorder.stop()
    assert recorder.exit_code == 0
    assert texts(tmp_path / "out", name, "events") == ["stop"]


def test_a_recorder_does_not_wait_for_the_session_s_own_control_or_for_other_people_s_streams(tmp_path: Path, name: str) -> None:
    kinds = {"control": "BCI-Control", "cues": "Markers"}
    outlets = {what: LslTextOutlet(f"{name}-{what}", kind, f"{name}-{what}-s1") for what, kind in kinds.items()}
    recorder = begin(name, tmp_path / "out", outlets, "control")
    try:
        time.sleep(2 * LATER_S)
        began = time.monotonic()
        recorder.hang_up()
        while recorder.alive and time.monotonic() < began + 10:
            time.sleep(0.01)
        took_s = time.monotonic() - began
    finally:
        for outlet in outlets.values():
            outlet.close()
        recorder.stop()
    assert (recorder.exit_code, took_s < within(END_S)) == (0, True), took_s
