"""``bci stream``: a source on LSL, as a process."""

import json
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from bci.engine.chunk import Chunk
from bci.stream.clock import VirtualClock
from bci.stream.lsl import LslOutlet, LslSignalInlet, LslTextOutlet, StreamQuery, local_clock, resolve, row_info
from devices.simulated import SimulatedSettings, SimulatedSubject

pytestmark = pytest.mark.live


@contextmanager
def streaming(*words: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, object]]]:
    """The command, from its ready line on; killed at the end where it still runs."""
    command = [sys.executable, "-m", "bci", "stream", "simulated", "--json", *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            assert line, process.stderr.read() if process.stderr else ""
            yield process, json.loads(line)
        finally:
            if process.poll() is None:
                process.kill()


def new_name() -> str:
    return f"sim-{uuid.uuid4().hex[:8]}"


def pull(inlet: LslSignalInlet, seconds: float) -> Chunk:
    """What comes within some seconds."""
    until_s, pieces = local_clock() + seconds, []
    while local_clock() < until_s:
        chunk = inlet.pull(0.1)
        if chunk is not None:
            pieces.append(chunk)
    return Chunk(np.concatenate([p.data for p in pieces]), np.concatenate([p.stamps for p in pieces]))


def test_what_arrives_over_lsl_is_the_simulated_subject_bit_for_bit() -> None:
    name = new_name()
    with streaming("--name", name, "--channels", "3", "--seed", "5") as (_, ready):
        inlet = LslSignalInlet(resolve(StreamQuery(name=name)))
        got = pull(inlet, 2.0)
        inlet.close()
    assert ready["ready"] is True
    assert ready["channels"] == ["C3", "Cz", "C4"]
    clock = VirtualClock()
    person = SimulatedSubject(SimulatedSettings(name=name, channels=3, seed=5), clock)
    assert inlet.info.labels == person.info.labels
    assert (inlet.info.rate_hz, inlet.info.source_id, inlet.info.reference) == (250.0, ready["source_id"], "M1+M2")
    assert inlet.info.sample_clock
    assert inlet.info.channels[0].position == pytest.approx(person.info.channels[0].position)
    np.testing.assert_allclose(np.diff(got.stamps), 1 / 250, atol=1e-7)
    clock.wait_until(60.0)
    truth = person.read(0.0)
    assert truth is not None
    begin = int(np.flatnonzero((truth.data == got.data[0]).all(axis=1))[0])
    assert truth.data[begin : begin + len(got)].tobytes() == got.data.tobytes()


def test_samples_come_in_real_time() -> None:
    name = new_name()
    with streaming("--name", name) as (_, _ready):
        inlet = LslSignalInlet(resolve(StreamQuery(name=name)))
        newest = pull(inlet, 1.5).stamps[-1]
        age_s = local_clock() - newest
        inlet.close()
    assert 0 <= age_s < 0.3


@pytest.mark.alone
def test_cues_on_a_marker_stream_are_imagined_at_their_stamps() -> None:
    name = new_name()
    cues = LslTextOutlet(f"{name}-cues", "Markers", f"{name}-cues")
    with streaming("--name", name, "--channels", "3", "--listen", f"{name}-cues", "--skill", "1") as (_, _ready):
        assert cues.wait_for_consumers(10.0)
        inlet = LslSignalInlet(resolve(StreamQuery(name=name)))
        pull(inlet, 0.5)
        shown_s = local_clock()
        cues.push("770", shown_s)
        got = pull(inlet, 2.5)
        inlet.close()
    cues.close()
    clock = VirtualClock()
    silent = SimulatedSubject(SimulatedSettings(name=name, channels=3, skill=1.0), clock)
    clock.wait_until(120.0)
    truth = silent.read(0.0)
    assert truth is not None
    begin = int(np.flatnonzero((truth.data == got.data[0]).all(axis=1))[0])
    differs = np.flatnonzero((truth.data[begin : begin + len(got)] != got.data).any(axis=1))
    assert len(differs) > 250
    # Latency of 0.3 to 0.6 s after the cue, none before.
    assert 0.3 <= got.stamps[differs[0]] - shown_s < 0.65


def test_decisions_of_a_decoder_are_shown_to_the_person() -> None:
    name = new_name()
    cues = LslTextOutlet(f"{name}-cues", "Markers", f"{name}-cues")
    columns = ("sequence", "decision", "confidence")
    decisions = LslOutlet(
        row_info(f"{name}-dec", "BCI-Decision", f"{name}-dec", columns), bci={"classes": json.dumps(["left_hand", "right_hand"])}
    )
    words = ("--listen", f"{name}-cues", "--feedback", f"{name}-dec", "--set", "feedback_gain=1", "--set", "lapse=0")
    with streaming("--name", name, "--channels", "3", *words) as (_, _ready):
        assert cues.wait_for_consumers(10.0)
        assert decisions.wait_for_consumers(10.0)
        inlet = LslSignalInlet(resolve(StreamQuery(name=name)))
        first = pull(inlet, 0.5)
        shown_s = local_clock()
        cues.push("770", shown_s)
        time.sleep(0.2)
        decisions.push([1, 1, 0.9])
        got = pull(inlet, 2.0)
        inlet.close()
    clock = VirtualClock(0.0)
    same = SimulatedSubject(SimulatedSettings(name=name, channels=3, lapse=0.0, feedback_gain=1.0), clock)
    clock.wait_until(60.0)
    untold = same.read(0.0)
    assert untold is not None
    begin = int(np.flatnonzero((untold.data == first.data[0]).all(axis=1))[0])
    # The same cue without feedback, at the same place.
    clock = VirtualClock(first.stamps[0] - begin / 250)
    deaf = SimulatedSubject(SimulatedSettings(name=name, channels=3, lapse=0.0, feedback_gain=1.0), clock)
    clock.wait_until(shown_s)
    before = deaf.read(0.0)
    deaf.cue("770", shown_s)
    clock.wait_until(got.stamps[-1] + 1)
    after = deaf.read(0.0)
    assert before is not None
    assert after is not None
    expected = np.concatenate((before.data, after.data))[begin + len(first) :][: len(got)]
    assert not np.allclose(expected, got.data, atol=1.0)
    early = got.stamps < shown_s + 0.4
    np.testing.assert_allclose(expected[early], got.data[early], atol=0.2)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_ends_it_within_two_seconds(number: signal.Signals) -> None:
    with streaming("--name", new_name(), "--listen", "nobody") as (process, _):
        time.sleep(0.3)
        process.send_signal(number)
        begin = time.monotonic()
        rest, errors = process.communicate(timeout=5)
        assert time.monotonic() - begin < 2.0
    assert process.returncode == 0
    assert json.loads(rest.splitlines()[-1])["event"] == "done"
    assert "Traceback" not in errors


def test_it_ends_when_the_parents_pipe_closes_and_leaves_interrupts_to_the_parent() -> None:
    with streaming("--name", new_name(), "--parent-pipe") as (process, _):
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert process.poll() is None
        begin = time.monotonic()
        process.communicate(timeout=5)
        assert time.monotonic() - begin < 2.0
    assert process.returncode == 0


def test_wrong_settings_are_told_with_exit_code_2() -> None:
    command = [sys.executable, "-m", "bci", "stream", "simulated", "--skill", "3", "--loss", "2", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 2
    assert len(json.loads(done.stdout)["problems"]) == 2


def test_an_unknown_device_is_told_with_the_known_ones() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bci", "stream", "simulatd"], capture_output=True, text=True, check=False, timeout=20
    )
    assert done.returncode == 8
    assert "simulated" in done.stderr
