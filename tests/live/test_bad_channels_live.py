"""A bad channel is not an emergency: how long a live session takes to go on without one, marked by a person or flat by itself."""

from __future__ import annotations

import json
import os
import signal
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from eeg_sender import LABELS, amplifier
from machine import condition, within
from session_rig import Recorded, Session, assert_verified, bci, save_a_model, until
from udp_receiver import Receiver

from bci.engine.outcome import Reason
from bci.stream import messages
from bci.stream.lsl import local_clock

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.timeout(180),
    pytest.mark.skipif(os.name != "posix", reason="the sender is told by a signal"),
]

GO_ON_S = 5.0
NAMED_S = 0.5
DECODED = (Reason.DECIDED, Reason.IDLE)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.close()


def guard_states(recorded: Recorded) -> list[tuple[float, str, str]]:
    """Time, state and cause of all that the guard said."""
    (stream,) = [s for s in recorded.file.streams if s.header.type == "BCI-Guard"]
    lines = [messages.parse(row[0], "guard") for row in stream.values]
    return [(t, m["state"], m["cause"]) for m, t in zip(lines, stream.stamps, strict=True) if m["kind"] == "guard"]


def decoded_after(recorded: Recorded, begin: float) -> float:
    """The longest time without a decoded window in the five seconds from ``begin`` on, the way to the first one included."""
    news = recorded.decisions[:, 6] == 0
    fine = recorded.sent[news & np.isin(recorded.decisions[:, 5], DECODED)]
    fine = fine[(fine > begin) & (fine < begin + GO_ON_S)]
    return float(np.diff([begin, *fine]).max())


def test_a_session_goes_on_within_5_s_of_a_mark_and_of_a_channel_that_goes_flat_and_the_recording_verifies(
    tmp_path: Path, receiver: Receiver
) -> None:
    name = f"amp{uuid.uuid4().hex[:8]}"
    settings = [f"actuator.settings.port={receiver.port}", "pace.repeat_s=0.08", "pace.min_interval_s=0.04"]
    words = ["--actuator", "udp", "--arm", *(word for s in settings for word in ("--set", s))]
    model = save_a_model(tmp_path / "m.safetensors")
    with amplifier(name, "--source-id", name, "--flat", "Pz") as sender:
        session = Session(model, name, tmp_path / "out", *words, "--set", "decision.smoothing_s=0.1")
        try:
            session.until_deciding()
            until(lambda: receiver.since(0.0), "commands")
            typed = time.monotonic()
            marked = bci("mark", "CP1", "--name", session.name, "--json")
            command_s = time.monotonic() - typed
            assert marked.returncode == 0, marked.stderr
            assert json.loads(marked.stdout)["labels"] == ["CP1"]
            wrong = bci("mark", "Oz", "--name", session.name)
            assert (wrong.returncode, "'Oz' is not in use" in wrong.stderr) == (3, True), wrong.stderr
            assert bci("mark", "cp1", "--good", "--name", session.name).returncode == 0
            sender.send_signal(signal.SIGUSR1)
            time.sleep(GO_ON_S + 1.0)
            heavy_s = local_clock()
            assert bci("mark", "C3", "--name", session.name).returncode == 0
            until(lambda: receiver.since(heavy_s, "neutral"), "neutral")
            time.sleep(1.5)
            code, _, said = session.signal(signal.SIGINT)
        finally:
            session.clean()
    assert code == 0, said
    recorded = Recorded(session)
    marks = [(t, e) for e, t in zip(recorded.events, recorded.event_times, strict=True) if e["kind"] == "mark"]
    assert [(e["labels"], e["bad"]) for _, e in marks] == [(["CP1"], True), (["cp1"], False), (["C3"], True)]
    mark_s = decoded_after(recorded, marks[0][0])
    (signals,) = [s for s in recorded.file.streams if s.header.name == name]
    flat = np.asarray(signals.values)[:, LABELS.index("Pz")] == 0.0
    onset = float(np.asarray(signals.stamps)[flat][0])
    flat_s = decoded_after(recorded, onset)
    masks = [(t, e["bad"]) for e, t in zip(recorded.events, recorded.event_times, strict=True) if e["kind"] == "mask"]
    named_s = next(t for t, bad in masks if t > onset and "Pz" in bad) - onset
    print(f"\nmark: longest wait for a decoded window {1000 * mark_s:.0f} ms; bci mark took {command_s:.2f} s as a command")
    print(f"flat: longest wait {1000 * flat_s:.0f} ms, named after {1000 * named_s:.0f} ms ({condition()})")
    assert mark_s <= GO_ON_S
    assert flat_s <= GO_ON_S
    assert named_s <= within(NAMED_S)
    before = [(s, c) for t, s, c in guard_states(recorded) if marks[0][0] <= t < heavy_s]
    assert {s for s, _ in before} == {"active"}, "no emergency: commands went on all the time"
    after = [(s, c) for t, s, c in guard_states(recorded) if t > marks[-1][0]]
    assert ("hold", "quality") in after, "a channel that carries the decision stops it, with the reason"
    assert ("safe", "quality") in after
    assert_verified(session.path)
