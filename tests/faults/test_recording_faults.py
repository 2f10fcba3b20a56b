"""Faults 39, 40: killed recorders, full disks, folders that cannot be written or go away."""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
import pyxdf

from bci.errors import RecordingError
from bci.recording.recorder import Recorder
from bci.stream.xdf.reader import read_xdf
from bci.stream.xdf.sidecar import sidecar_path
from bci.stream.xdf.writer import XdfWriter

HEADER = (
    "<info><name>eeg</name><type>EEG</type><channel_count>4</channel_count>"
    "<nominal_srate>250</nominal_srate><channel_format>float32</channel_format></info>"
)
KILLS = 20
CHUNK = 25
posix = pytest.mark.skipif(os.name != "posix", reason="SIGKILL and file size limits are POSIX; Windows has TerminateProcess")

WRITER = f"""
import os, sys
import numpy as np
from bci.stream.xdf.writer import XdfWriter
writer = XdfWriter(sys.argv[1])
stream = writer.add_stream({HEADER!r})
k = 0
while True:
    index = np.arange(k * {CHUNK}, (k + 1) * {CHUNK})
    writer.write(stream, np.repeat(index[:, None], 4, 1).astype(np.float32), index / 250)
    if k % 40 == 39:
        writer.boundary()
        writer.sync()
    k += 1
    os.write(1, k.to_bytes(8, "little"))
"""


def child(code, *args, **options):
    words = [sys.executable, "-c", textwrap.dedent(code), *map(str, args)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


@posix
@pytest.mark.live
@pytest.mark.slow
def test_a_killed_writer_loses_at_most_the_chunk_after_the_last_completed_write(tmp_path):
    """Fault 39, twenty times; our reader and pyxdf both open every file."""
    chance = random.Random(39)
    for k in range(KILLS):
        path = tmp_path / f"{k}.xdf"
        with child(WRITER, path) as process:
            assert process.stdout.read(8)
            # The pipe is left unread, so the child may block on a full one: it is emptied after the kill.
            time.sleep(chance.uniform(0, 0.05))
            process.send_signal(signal.SIGKILL)
            reported = process.stdout.read()
            process.wait()
        completed = 1 + len(reported) // 8
        file = read_xdf(path)
        (stream,) = file.streams
        assert not file.closed
        assert file.verified == "unverified"
        assert completed * CHUNK <= len(stream) <= (completed + 1) * CHUNK
        assert np.array_equal(stream.values[:, 3], np.arange(len(stream)))
        (theirs,), _ = pyxdf.load_xdf(path)
        assert completed * CHUNK <= len(theirs["time_stamps"])
        assert np.array_equal(theirs["time_series"][: completed * CHUNK], stream.values[: completed * CHUNK])


FULL = f"""
import resource, sys
import numpy as np
from bci.errors import RecordingError
from bci.stream.xdf.writer import XdfWriter
resource.setrlimit(resource.RLIMIT_FSIZE, (50_001, 50_001))
with XdfWriter(sys.argv[1]) as writer:
    stream = writer.add_stream({HEADER!r})
    written = 0
    try:
        while True:
            writer.write(stream, np.full((100, 4), written, np.float32), np.arange(100) / 250)
            written += 100
    except RecordingError as error:
        print(written, error)
    try:
        writer.write(stream, np.zeros((1, 4), np.float32), np.zeros(1))
    except RecordingError as error:
        print(error)
"""


@posix
def test_a_full_disk_is_an_error_and_what_is_written_stays_valid(tmp_path):
    """Fault 40; the operating system refuses in the middle of a chunk, as a full disk does."""
    path = tmp_path / "full.xdf"
    with child(FULL, path) as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err.decode()
    first, second = out.decode().splitlines()
    written, _, message = first.partition(" ")
    assert "what has been written stays valid" in message
    assert str(path) in message
    assert "no longer writable" in second
    file = read_xdf(path)
    assert len(file.streams[0]) == int(written) > 0
    assert file.problems == ()
    assert not file.closed
    assert not sidecar_path(path).exists()


class FullDisk(XdfWriter):
    """Takes three chunks."""

    chunks = 0

    def write(self, stream_id, values, stamps):
        self.chunks += 1
        if self.chunks > 3:
            raise RecordingError("No space left on device")
        super().write(stream_id, values, stamps)


class Endless:
    """A stream that delivers one chunk at each pull."""

    header_xml = HEADER
    given = False

    def pull(self, timeout_s):
        self.given = not self.given
        return (np.zeros((5, 4), np.float32), np.arange(5.0)) if self.given else None

    def time_correction(self, timeout_s):
        return None

    def close(self):
        pass


class Stopped:
    def now(self):
        return 0.0

    def wait_until(self, time_s):
        pass


def test_a_recorder_whose_disk_fills_up_says_so_at_once_and_at_the_end(tmp_path):
    told = []
    recorder = Recorder(FullDisk(tmp_path / "a.xdf"), Stopped(), tell=told.append)
    recorder.add(Endless())
    for _ in range(3):
        recorder.poll()
    with pytest.raises(RecordingError, match="No space left"):
        recorder.poll()
    assert "No space left" in told[0]
    with pytest.raises(RecordingError, match="No space left"):
        recorder.stop()
    assert len(read_xdf(tmp_path / "a.xdf").streams[0]) == 15


READ_ONLY = """
import os, sys
from bci.errors import RecordingError
from bci.stream.xdf.writer import XdfWriter
if os.geteuid() == 0:
    os.seteuid(65534)
try:
    XdfWriter(sys.argv[1])
except RecordingError as error:
    print(error)
"""


@posix
def test_a_folder_that_cannot_be_written_is_refused_before_the_start():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o555)
        for path in (folder / "a.xdf", folder / "deeper" / "a.xdf"):
            with child(READ_ONLY, path) as process:
                out, err = process.communicate(timeout=60)
            assert "choose a folder that can be written" in out.decode(), err.decode()


def test_a_file_in_the_way_of_the_folder_is_refused_before_the_start(tmp_path):
    (tmp_path / "sub-01").write_text("")
    with pytest.raises(RecordingError, match="cannot be created"):
        XdfWriter(tmp_path / "sub-01" / "a.xdf")


@posix
def test_a_folder_that_is_removed_while_recording_is_noticed_within_a_sync(tmp_path):
    folder = tmp_path / "session"
    writer = XdfWriter(folder / "a.xdf")
    stream = writer.add_stream(HEADER)
    writer.write(stream, np.zeros((5, 4), np.float32), np.arange(5.0))
    writer.sync()
    shutil.rmtree(folder)
    with pytest.raises(RecordingError, match="was removed while it was being recorded"):
        writer.sync()
    writer.close()


def test_a_file_that_exists_or_whose_sidecar_does_is_never_overwritten(tmp_path):
    XdfWriter(tmp_path / "a.xdf").close()
    for name in ("a.xdf", "a.xdf.checks.json"):
        before = (tmp_path / name).read_bytes()
        with pytest.raises(RecordingError, match="never overwritten"):
            XdfWriter(tmp_path / "a.xdf")
        assert (tmp_path / name).read_bytes() == before
        (tmp_path / "a.xdf").unlink(missing_ok=True)
