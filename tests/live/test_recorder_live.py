"""``bci record`` with real LSL streams on loopback, in a process of its own."""

import json
import os
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
from bci.processes.child import WATCHED
from bci.stream.lsl import LslOutlet, LslTextOutlet
from bci.stream.xdf.check_log import log_path
from bci.stream.xdf.reader import read_xdf
from bci.stream.xdf.sidecar import sidecar_path

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]
RATE_HZ = 250.0
MAIN = "import sys; from bci.commands import main; sys.exit(main())"


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
        if recording.process.stdin:
            recording.process.stdin.close()


@pytest.fixture
def sender(name):
    sender = Sender(name)
    yield sender
    sender.close()


class Recording:
    """``bci record --json`` and what it says."""

    def __init__(self, out, *options, stdin=subprocess.DEVNULL, code=MAIN, first=()):
        words = [sys.executable, "-c", code, *first, "record", "--json", "--out", str(out), "--timeout", "30", *options]
        environment = {**os.environ, **({WATCHED: "1"} if stdin == subprocess.PIPE else {})}
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stdin=stdin, text=True, env=environment)
        self.seen = []

    def until(self, event):
        """The first line that tells of ``event``; everything on the way is kept."""
        return self.until_line(lambda line: line.get("event") == event)

    def until_line(self, wanted):
        """The first line that is wanted; everything on the way is kept."""
        for line in self.process.stdout:
            self.seen.append(json.loads(line))
            if wanted(self.seen[-1]):
                return self.seen[-1]
        raise AssertionError(f"ended without it: {self.seen}")

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
    assert [s["name"] for s in recording.seen if s.get("event") == "subscribed"] == [name]
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
        assert [s["name"] for s in recording.seen if s.get("event") == "subscribed"] == [name]
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


STALLS = """
import os, sys, time
real, path = os.fdatasync, sys.argv.pop(1)
def stalls(handle):
    while os.path.exists(path):
        time.sleep(0.02)
    real(handle)
os.fdatasync = stalls
from bci.commands import main
sys.exit(main())
"""


@pytest.mark.slow
def test_a_disk_that_hangs_is_told_and_what_comes_meanwhile_is_recorded(tmp_path, record, sender, name):
    """The main loop goes on saying how long the disk has not answered; an end waits for it, and nothing is lost."""
    stall = tmp_path / "stall"
    recording = record("--stream", name, "--parent-pipe", stdin=subprocess.PIPE, code=STALLS, first=[str(stall)])
    path = recording.until("ready")["path"]
    recording.until_line(lambda said: "alive" in said and said["taken"] > 100)
    stall.touch()
    hung = recording.until_line(lambda said: "alive" in said and said["write_s"] > 3.0)
    later = recording.until_line(lambda said: "alive" in said and said["alive"] > hung["alive"] + 3)
    assert later["taken"] > hung["taken"]
    assert later["waiting"] > 0
    recording.process.stdin.close()
    recording.until_line(lambda said: "alive" in said and said["alive"] > later["alive"] + 8)
    assert recording.process.poll() is None
    stall.unlink()
    recording.until("done")
    assert recording.process.wait(20) == 0
    file = read_xdf(path)
    assert file.verified == "verified"
    assert contiguous(file.streams[0])
    assert len(file.streams[0]) > later["taken"]


def test_a_folder_that_is_moved_is_told_and_the_end_names_where_the_recording_is(tmp_path, record, sender, name):
    recording = record("--stream", name, "--parent-pipe", "--out", str(tmp_path / "rec"), stdin=subprocess.PIPE)
    before = Path(recording.until("ready")["path"])
    (tmp_path / "rec").rename(tmp_path / "elsewhere")
    after = Path(recording.until("moved")["path"])
    assert after == tmp_path / "elsewhere" / before.relative_to(tmp_path / "rec")
    assert any("is no longer there" in line.get("note", "") for line in recording.seen)
    recording.process.stdin.close()
    assert recording.until("done")["path"] == str(after)
    assert recording.process.wait(20) == 0
    assert read_xdf(after).verified == "verified"
    assert not (tmp_path / "rec").exists()


def test_a_recording_that_is_removed_ends_with_an_error_that_says_what_is_there(tmp_path, record, sender, name):
    recording = record("--stream", name, "--parent-pipe", "--out", str(tmp_path / "rec"), stdin=subprocess.PIPE)
    path = Path(recording.until("ready")["path"])
    path.unlink()
    said = recording.until_line(lambda line: "error" in line)
    assert recording.process.wait(20) == 5
    assert "was removed while it was being recorded" in said["problems"][0]
    assert "is not there" in said["problems"][0]


def test_a_recorder_that_is_killed_leaves_a_file_that_is_checked_up_to_its_last_seconds(tmp_path, record, sender, name):
    recording = record("--stream", name, "--parent-pipe", stdin=subprocess.PIPE)
    path = Path(recording.until("ready")["path"])
    recording.until_line(lambda said: "alive" in said and said["taken"] > 700)
    recording.process.kill()
    recording.process.wait()
    file = read_xdf(path)
    assert (file.closed, file.verified) == (False, "unverified")
    assert log_path(path).exists()
    assert file.checked.startswith("verified up to")
    raw = bytearray(path.read_bytes())
    raw[2000] ^= 1
    path.write_bytes(raw)
    assert read_xdf(path).verified == "damaged"


def test_of_a_sessions_own_names_only_the_streams_that_it_names_are_recorded(tmp_path, record, sender, name):
    """``{"ours": [uid]}`` on standard input; another stream of the same source_id is told and left out."""
    own = LslTextOutlet(f"{name}-events", "BCI-Event", f"{name}-events-5e")
    control = LslTextOutlet(f"{name}-control", "BCI-Control", f"{name}-control-5e")
    later = [word for what in ("events", "control") for word in ("--later", f"source_id={name}-{what}-5e")]
    recording = record("--stream", name, *later, "--parent-pipe", stdin=subprocess.PIPE)
    recording.process.stdin.write(json.dumps({"ours": [own.uid, control.uid]}) + "\n")
    recording.process.stdin.flush()
    path = recording.until("ready")["path"]
    assert own.wait_for_consumers(20)
    stranger = LslTextOutlet(f"{name}-events", "BCI-Event", f"{name}-events-5e")
    recording.until_line(lambda line: "does not belong to this session" in line.get("note", ""))
    own.push("ours")
    stranger.push("forged")
    time.sleep(0.5)
    recording.process.stdin.close()
    recording.until("done")
    assert recording.process.wait(20) == 0
    assert read_xdf(path).stream(f"{name}-events").values == [["ours"]]
    for outlet in (own, control, stranger):
        outlet.close()
