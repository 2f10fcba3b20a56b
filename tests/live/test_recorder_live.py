"""``bci record`` with real LSL streams on loopback, in a process of its own."""

import json
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import numpy as np
import pytest

from bci.engine.stream_info import Channel, StreamInfo
from bci.stream.lsl import LslOutlet, LslTextOutlet
from bci.stream.sidecar import sidecar_path
from bci.stream.xdf_reader import read_xdf

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]
RATE_HZ = 250.0


class Sender:
    """Numbered samples at 250 Hz, ten at a time, until closed."""

    def __init__(self, name):
        channels = tuple(Channel(f"E{k}") for k in range(4))
        self.outlet = LslOutlet(StreamInfo(RATE_HZ, channels, source_id=name, name=name), "float32")
        self.sent = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        while not self._end.wait(0.04):
            index = np.arange(self.sent, self.sent + 10)
            self.outlet.push_chunk(np.repeat(index[:, None], 4, 1).astype(float), 5000 + index / RATE_HZ)
            self.sent += 10

    def close(self):
        self._end.set()
        self._thread.join()
        self.outlet.close()


@pytest.fixture
def name():
    """Unlike that of any other stream on this machine."""
    return f"eeg-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def record(tmp_path):
    """Start ``bci record`` into the test's folder; whatever still runs at the end of the test is killed."""
    started = []

    def start(*options, **more):
        started.append(Recording(tmp_path, *options, **more))
        return started[-1]

    yield start
    for recording in started:
        recording.process.kill()
        recording.process.wait()
        recording.process.stdout.close()


@pytest.fixture
def sender(name):
    sender = Sender(name)
    yield sender
    sender.close()


class Recording:
    """``bci record --json`` and what it says."""

    def __init__(self, out, *options, stdin=subprocess.DEVNULL):
        main = "import sys; from bci.commands import main; sys.exit(main())"
        words = [sys.executable, "-c", main, "record", "--json", "--out", str(out), "--timeout", "30", *options]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stdin=stdin, text=True)
        self.seen = []

    def until(self, event):
        """The first line that tells of ``event``; everything on the way is kept."""
        for line in self.process.stdout:
            self.seen.append(json.loads(line))
            if self.seen[-1]["event"] == event:
                return self.seen[-1]
        raise AssertionError(f"ended without {event}: {self.seen}")

    def end(self, number=None):
        """Have it end, and return its exit code and how long that took."""
        start = time.monotonic()
        if number is not None:
            self.process.send_signal(number)
        self.process.stdout.read()
        code = self.process.wait(timeout=30)
        self.process.stdout.close()
        return code, time.monotonic() - start


def contiguous(stream):
    """Whether no sample is missing between the first and the last one recorded, and stamps are the sender's."""
    index = stream.values[:, 0].astype(int)
    return np.array_equal(index, np.arange(index[0], index[0] + len(index))) and np.array_equal(
        stream.stamps, 5000 + index / RATE_HZ
    )


def test_a_stream_is_recorded_with_its_stamps_offsets_and_full_header(record, sender, name):
    recording = record("--stream", name, "--seconds", "3", "--subject", "P003", "--task", "mi")
    path = recording.until("ready")["path"]
    assert [s["name"] for s in recording.seen if s["event"] == "subscribed"] == [name]
    done = recording.until("done")
    assert recording.end()[0] == 0
    assert path.endswith("sub-P003/ses-S001/eeg/sub-P003_ses-S001_task-mi_run-001_eeg.xdf")
    file = read_xdf(path)
    (stream,) = file.streams
    assert file.closed
    assert file.verified == "verified"
    assert done["samples"] == {f"{name} (1)": len(stream)}
    assert len(stream) > 200
    assert contiguous(stream)
    assert len(stream.offsets) >= 1
    assert abs(stream.offsets[0]) < 0.1
    assert "<label>E3</label>" in stream.header_xml


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_it_within_two_seconds_with_a_closed_file(record, sender, name, number):
    recording = record("--stream", name)
    path = recording.until("ready")["path"]
    time.sleep(0.5)
    code, took_s = recording.end(number)
    assert code == 0
    assert took_s < 2
    file = read_xdf(path)
    assert file.verified == "verified"
    assert contiguous(file.streams[0])


def test_it_ends_when_its_parents_pipe_closes_and_ignores_the_terminals_interrupt(record, sender, name):
    recording = record("--stream", name, "--parent-pipe", stdin=subprocess.PIPE)
    path = recording.until("ready")["path"]
    recording.process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        recording.process.wait(timeout=0.5)
    recording.process.stdin.close()
    code, took_s = recording.end()
    assert code == 0
    assert took_s < 2
    assert read_xdf(path).verified == "verified"


def test_streams_that_appear_later_are_added_and_lost_ones_do_not_stop_it(record, sender, name):
    recording = record("--stream", name, "--stream", f"{name}-late", "--without", f"{name}-late")
    path = recording.until("ready")["path"]
    late = LslTextOutlet(f"{name}-late", "Markers", f"{name}-late")
    assert recording.until("subscribed")["name"] == f"{name}-late"
    assert late.wait_for_consumers(10)
    for k in range(5):
        late.push(f"cue {k}", 7000.0 + k)
    time.sleep(0.5)
    late.close()
    while "lost" not in recording.until("note")["note"]:
        pass
    time.sleep(0.3)
    assert recording.end(signal.SIGTERM)[0] == 0
    file = read_xdf(path)
    cues = file.stream(f"{name}-late")
    assert cues.values == [[f"cue {k}"] for k in range(5)]
    assert cues.stamps.tolist() == [7000.0 + k for k in range(5)]
    assert "stream lost" in cues.footer["note"]
    assert contiguous(file.stream(name))


def test_a_required_stream_that_is_missing_is_named_and_nothing_is_written(tmp_path, record, sender, name):
    recording = record("--stream", name, "--wait-for", "Nonesuch", "--timeout", "1.5")
    out = recording.process.stdout.read()
    assert recording.end()[0] == 3
    error = json.loads(out)
    assert error["error"] == "StreamNotFound"
    assert "Nonesuch" in error["problems"][0]
    assert name in error["problems"][0]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("asked", ["Cuez", "name=Cuez,host=*"])
def test_a_stream_that_was_asked_for_and_is_not_there_is_never_passed_over(tmp_path, record, sender, name, asked):
    recording = record("--stream", name, "--stream", asked, "--timeout", "1")
    out = recording.process.stdout.read()
    assert recording.end()[0] == 3
    problem = json.loads(out)["problems"][0]
    assert "'Cuez'" in problem
    assert f"--without {shlex.quote(asked)}" in problem
    assert f"name={name}" in problem, "the query of what is there instead"
    assert list(tmp_path.iterdir()) == []


def test_what_is_done_without_is_in_the_header_of_the_file(record, sender, name):
    recording = record("--stream", name, "--stream", "a, b", "--without", "a, b", "--seconds", "1")
    path = recording.until("ready")["path"]
    recording.until("done")
    assert b"<without>a, b</without>" in Path(path).read_bytes()
    assert any("'a, b'" in s.get("note", "") for s in recording.seen)


def test_labrecorders_commands_start_and_stop_recordings(record, sender, name):
    recording = record("--stream", name, "--remote-control", "0")
    port = recording.until("listening")["port"]
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for line, reply in (("select all", b"OK"), ("filename {participant:P9} {task:x}", b"OK"), ("start", b"OK")):
            connection.sendall(line.encode() + b"\n")
            assert connection.recv(1000) == reply
        first = recording.until("ready")["path"]
        assert [s["name"] for s in recording.seen if s["event"] == "subscribed"] == [name]
        time.sleep(0.5)
        for line in ("stop", "start"):
            connection.sendall(line.encode() + b"\n")
            assert connection.recv(1000) == b"OK"
    second = recording.until("ready")["path"]
    assert recording.end(signal.SIGINT)[0] == 0
    assert first.endswith("sub-P9_ses-S001_task-x_run-001_eeg.xdf")
    assert second.endswith("sub-P9_ses-S001_task-x_run-002_eeg.xdf")
    for path in (first, second):
        assert read_xdf(path).verified == "verified"
    assert contiguous(read_xdf(first).streams[0])
    assert sidecar_path(read_xdf(second).path).exists()
