"""TCP connections break while both programs live: what reads is connected again, and what is missing is on record.

Senders are processes of their own; connections are cut from outside (tests/support/connections.py), so that both ends see it, or
silenced, so that neither does, as firewalls and pulled cables do it. Times are printed (pytest -s).
"""

from __future__ import annotations

import os
import signal
import sys
import time
import uuid
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from connections import connected, cut, silenced
from cut_session import run
from eeg_sender import LABELS, RATE_HZ, amplifier
from machine import condition, within
from session_rig import PATIENCE_S, Recorded, Session, assert_verified, save_a_model, until
from text_sender import text_sender

from bci.engine.outcome import Reason
from bci.errors import StreamLost
from bci.processes.child import Child
from bci.stream.files.readers import open_recording
from bci.stream.lsl import LslSignalInlet, Reopen, StreamQuery, resolve
from bci.stream.lsl.connection import DEAD_S
from bci.stream.lsl.late_markers import LateMarkers
from bci.stream.xdf.reader import XdfFile, read_xdf
from bci.stream.xdf.streams import XdfStream

pytestmark = [
    pytest.mark.live,
    pytest.mark.timeout(120),
    pytest.mark.skipif(sys.platform != "linux", reason="another process's sockets can be taken on Linux only"),
]
AGAIN_S = 0.5
"""A connection that broke for all to see is made again within."""
ME = os.getpid()


@pytest.fixture
def name() -> str:
    return f"b{uuid.uuid4().hex[:8]}"


def lost_of(ears: LateMarkers, uid: str, number: int, timeout_s: float) -> float:
    """Pull until the connection of that number is gone; how long it took. Nothing may come through it."""
    began = time.monotonic()
    while ears.connection(uid) == number:
        assert time.monotonic() - began < timeout_s, "nobody noticed"
        assert ears.pull_markers(0.01) == []
    return time.monotonic() - began


def heard(ears: LateMarkers, count: int = 1) -> list[str]:
    """The next texts."""
    texts: list[str] = []
    until(lambda: texts.extend(t for t, _ in ears.pull(0.02)) or len(texts) >= count, "texts", 5.0)
    return texts


def connect_again(ears: LateMarkers, uid: str) -> None:
    until(lambda: ears.pull(0.0) == [] and ears.connection(uid), "connected again", 5.0)


def test_texts_are_heard_again_after_each_of_thirty_cuts_and_each_once(name: str) -> None:
    """As an actuator host, an engine, a calibration and ``bci mark`` listen: all by the same class."""
    with text_sender(name, "BCI-Control") as window:
        ears = LateMarkers(StreamQuery(name=name))
        uid = resolve(StreamQuery(name=name), settle_s=0).uid
        connect_again(ears, uid)
        longest_s = 0.0
        for k in range(30):
            window.say(f"before {k}")
            assert heard(ears) == [f"before {k}"]
            number = ears.connection(uid)
            assert cut(window.pid, ME) == 1
            began = time.monotonic()
            lost_of(ears, uid, number, 2.0)
            connect_again(ears, uid)
            longest_s = max(longest_s, time.monotonic() - began)
            window.say(f"after {k}")
            assert heard(ears) == [f"after {k}"]
        time.sleep(0.3)
        assert ears.pull(0.0) == []
        assert set(ears.open) == {uid}
        print(f"\n30 cuts: connected again within {1000 * longest_s:.0f} ms ({condition()})")
        assert longest_s < within(AGAIN_S)
        ears.close()


def test_what_came_before_the_cut_is_read_before_the_loss_is_told(name: str) -> None:
    with text_sender(name) as sender:
        ears = LateMarkers(StreamQuery(name=name))
        uid = resolve(StreamQuery(name=name), settle_s=0).uid
        connect_again(ears, uid)
        number = ears.connection(uid)
        for k in range(100):
            sender.say(f"{k}")
        time.sleep(0.5)
        cut(sender.pid, ME)
        time.sleep(0.3)  # by now a new connection stands
        markers = ears.pull_markers(0.0)
        assert [m.row[0] for m in markers] == [f"{k}" for k in range(100)]
        assert {m.source for m in markers} == {uid}
        until(lambda: ears.pull(0.0) == [] and ears.connection(uid) not in (0, number), "another connection")
        ears.close()


def test_a_connection_that_dies_without_a_word_is_noticed_and_made_again(name: str) -> None:
    with text_sender(name) as sender:
        ears = LateMarkers(StreamQuery(name=name))
        uid = resolve(StreamQuery(name=name), settle_s=0).uid
        connect_again(ears, uid)
        sender.say("before")
        assert heard(ears) == ["before"]
        with silenced(sender.pid, ME) as count:
            assert count == 1
            sender.say("into the void")
            noticed_s = lost_of(ears, uid, ears.connection(uid), 10.0)
            connect_again(ears, uid)
            sender.say("after")
            assert heard(ears) == ["after"]
        print(f"\nsilent death noticed after {noticed_s:.2f} s ({condition()})")
        assert noticed_s < within(DEAD_S + 1.0)
        ears.close()


def test_a_sender_that_hangs_keeps_its_connection_and_what_it_sends_afterwards_comes(name: str) -> None:
    with text_sender(name) as sender:
        ears = LateMarkers(StreamQuery(name=name))
        uid = resolve(StreamQuery(name=name), settle_s=0).uid
        connect_again(ears, uid)
        number = ears.connection(uid)
        os.kill(sender.pid, signal.SIGSTOP)
        sender.say("late")
        assert ears.pull(DEAD_S + 1.5) == []
        os.kill(sender.pid, signal.SIGCONT)
        assert heard(ears) == ["late"]
        assert ears.connection(uid) == number
        ears.close()


def pull_until_lost(inlet: LslSignalInlet, timeout_s: float) -> None:
    """Samples come, and then a loss."""
    end = time.monotonic() + timeout_s
    try:
        while time.monotonic() < end:
            inlet.pull(0.05)
    except StreamLost:
        inlet.close()
        return
    raise AssertionError("nobody noticed")


def again(reopen: Reopen) -> LslSignalInlet:
    """The inlet once it is there."""
    end = time.monotonic() + PATIENCE_S
    while (inlet := reopen()) is None:
        assert time.monotonic() < end
        time.sleep(0.01)
    return inlet


@pytest.mark.parametrize("options", [["--source-id", "amp-1"], []], ids=["source_id", "without source_id"])
def test_eeg_goes_on_after_its_connection_broke_also_of_a_sender_without_source_id(name: str, options: list[str]) -> None:
    with amplifier(name, *options) as amp:
        found = resolve(StreamQuery(name=name), settle_s=0)
        inlet = LslSignalInlet(found)
        reopen = Reopen(inlet.info, settle_s=2.0, uid=found.uid)
        took = []
        for _ in range(3):
            assert inlet.pull(1.0) is not None
            assert cut(amp.pid, ME) == 1
            began = time.monotonic()
            pull_until_lost(inlet, 2.0)
            inlet = again(reopen)
            took.append(time.monotonic() - began)
        print(f"\nEEG again after {max(took):.2f} s ({condition()})")
        assert max(took) < within(2.0)
        inlet.close()


def test_eeg_whose_connection_dies_without_a_word_is_lost_and_taken_back(name: str) -> None:
    with amplifier(name, "--source-id", name) as amp:
        found = resolve(StreamQuery(name=name), settle_s=0)
        inlet = LslSignalInlet(found)
        reopen = Reopen(inlet.info, uid=found.uid)
        assert inlet.pull(1.0) is not None
        with silenced(amp.pid, ME):
            began = time.monotonic()
            pull_until_lost(inlet, 10.0)
            noticed_s = time.monotonic() - began
            inlet = again(reopen)
            assert inlet.pull(1.0) is not None
        print(f"\nsilent death of the EEG noticed after {noticed_s:.2f} s ({condition()})")
        assert noticed_s < within(DEAD_S + 1.0)
        inlet.close()


def of(file: XdfFile, name: str) -> list[XdfStream]:
    """All parts of a stream."""
    return [s for s in file.streams if s.header.name == name]


def test_a_recorder_records_again_after_each_cut_and_what_is_missing_is_in_the_file(name: str, tmp_path: Path) -> None:
    cues = f"{name}-cues"
    with amplifier(name, "--source-id", name) as amp, text_sender(cues) as program:
        words = ["record", "--stream", f"name={name}", "--stream", f"name={cues}", "--out", str(tmp_path), "--json"]
        recorder = Child("recorder", [*words, "--parent-pipe"], tmp_path / "log")
        try:
            path = Path(recorder.wait_ready(PATIENCE_S)["path"])
            for k in range(3):
                until(lambda: connected(amp.pid, recorder.pid) and connected(program.pid, recorder.pid), "both connected")
                time.sleep(0.7)
                program.say(f"cue {k}")
                time.sleep(0.3)
                assert cut(amp.pid, recorder.pid) >= 1
                assert cut(program.pid, recorder.pid) >= 1
            until(lambda: connected(amp.pid, recorder.pid) and connected(program.pid, recorder.pid), "both connected")
            time.sleep(0.7)
            program.say("cue 3")
            time.sleep(0.3)
        finally:
            assert recorder.stop(PATIENCE_S) == 0
    file = read_xdf(path)
    parts = of(file, name)
    counts = [np.asarray(part.values)[:, len(LABELS)].astype(int) for part in parts]
    missing = [b[0] - a[-1] - 1 for a, b in pairwise(counts)]
    assert len(parts) == 4
    assert file.verified == "verified"
    assert all(np.array_equal(c, np.arange(c[0], c[0] + len(c))) for c in counts), "nothing that was delivered is lost"
    for part, n in zip(parts[1:], missing, strict=True):
        assert f"whose connection broke: {n / RATE_HZ:.2f} s of it are missing" in part.footer["note"]
        assert len(part.offsets) >= 1
    assert [row[0] for part in of(file, cues) for row in part.values] == [f"cue {k}" for k in range(4)]
    recording = open_recording(path)
    assert [len(s.stamps) for s in recording.signals] == [sum(map(len, counts))]
    assert any("stopped and came back 3 times" in note for note in recording.notes)
    print(f"\nmissing after a cut: {[round(1000 * n / RATE_HZ) for n in missing]} ms ({condition()})")
    assert max(missing) / RATE_HZ < within(AGAIN_S)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_in_a_running_session_with_an_actuator_every_connection_is_made_again_and_the_stop_is_heard_each_time(
    tmp_path: Path,
) -> None:
    """The short form of ``tests/campaigns/connections.py``, where each pair has its turn."""
    found = run(
        tmp_path, 5, pairs=(("window", "host"), ("engine", "host"), ("amp", "engine"), ("amp", "recorder"), ("run", "host"))
    )
    print(f"\n{found}")


@pytest.mark.slow
def test_a_session_in_which_the_engines_eeg_broke_off_is_verified(tmp_path: Path) -> None:
    with amplifier("broken amp", "--source-id", "broken-amp") as amp:
        session = Session(save_a_model(tmp_path / "m.safetensors"), "broken amp", tmp_path / "out")
        try:
            session.until_deciding()
            for _ in range(2):
                seen = len(session.decisions())
                assert cut(amp.pid, session.children["engine"].pid) >= 1
                until(lambda: (session.decisions()[seen:, 5] == Reason.LOST).any(), "a neutral row")  # noqa: B023
                session.until_deciding()
            assert session.signal(signal.SIGINT)[0] == 0
            recorded = Recorded(session)
            assert [k for k in recorded.kinds() if k in ("lost", "found")] == ["lost", "found"] * 2
            recorded.assert_everything_delivered_is_here()
            assert_verified(session.path)
        finally:
            session.clean()
