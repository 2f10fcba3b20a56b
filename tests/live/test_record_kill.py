"""Fault 39: ``bci record`` killed at random moments, twenty times, while two real streams flow."""

import json
import os
import random
import subprocess
import sys
import threading
import time
import uuid

import numpy as np
import pytest
import pyxdf
from machine import condition, stalled_s

from bci.engine.stream_info import Channel, StreamInfo
from bci.recording.settings import RecorderSettings
from bci.stream.lsl import LslOutlet, LslTextOutlet
from bci.stream.xdf.reader import read_xdf
from bci.stream.xdf.salvage import salvage

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX"),
]
KILLS = 20
RATE_HZ = 250.0
CHUNK_S = RecorderSettings().period_s
"""What is taken in within it becomes one chunk of the file."""
SENT_EVERY_S, WRITE_S = 0.04, 0.05
"""Of this test's sender; and of a disk that is asked to write."""


@pytest.fixture
def streams():
    """A numbered signal and numbered cues; stamps are the LSL clock's, so they say how old what was recorded is."""
    name = f"kill-{uuid.uuid4().hex[:8]}"
    signal = LslOutlet(StreamInfo(RATE_HZ, (Channel("C3"), Channel("C4")), source_id=name, name=name), "float32")
    cues = LslTextOutlet(f"{name}-cues", "Markers", f"{name}-cues")
    end = threading.Event()

    def send():
        k = 0
        while not end.wait(SENT_EVERY_S):
            index = np.arange(k, k + 10)
            now = time.monotonic()
            signal.push_chunk(np.stack([index, -index], 1).astype(float), now - (9 - np.arange(10)) / RATE_HZ)
            cues.push(f"cue {k}")
            k += 10

    thread = threading.Thread(target=send)
    thread.start()
    yield name
    end.set()
    thread.join()
    signal.close()
    cues.close()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere monotonic time is not the LSL clock")
def test_a_killed_recorder_leaves_a_readable_file_that_lacks_at_most_the_last_moment(tmp_path, streams):
    chance = random.Random(7)
    for k in range(KILLS):
        out = tmp_path / str(k)
        code = "import sys; from bci.commands import main; sys.exit(main())"
        options = [
            "record",
            "--json",
            "--out",
            str(out),
            "--wait-for",
            streams,
            "--wait-for",
            f"{streams}-cues",
            "--timeout",
            "30",
        ]
        queries = ["--stream", streams, "--stream", f"{streams}-cues"]
        with subprocess.Popen([sys.executable, "-c", code, *options, *queries], stdout=subprocess.PIPE, text=True) as process:
            lines = iter(process.stdout)
            event = {}
            while event.get("event") != "ready":
                event = json.loads(next(lines))
            time.sleep(chance.uniform(0.3, 1.5))
            process.kill()
            killed = time.monotonic()
        path = event["path"]
        file = read_xdf(path)
        assert not file.closed
        assert file.verified == "unverified"
        signal, cues = file.stream(streams), file.stream(f"{streams}-cues")
        index = signal.values[:, 0].astype(int)
        assert np.array_equal(index, np.arange(index[0], index[0] + len(index)))
        for stamps in (signal.stamps, cues.stamps):
            assert killed - stamps[-1] < CHUNK_S + SENT_EVERY_S + WRITE_S + stalled_s(), condition()
        numbers = [int(row[0].split()[1]) for row in cues.values]
        assert np.array_equal(np.diff(numbers), np.full(len(numbers) - 1, 10))
        theirs = {s["info"]["name"][0]: s for s in pyxdf.load_xdf(path)[0]}
        assert np.array_equal(theirs[streams]["time_series"], signal.values)
        assert theirs[f"{streams}-cues"]["time_series"] == cues.values
        saved = salvage(path, out / "saved.xdf")
        assert read_xdf(saved.path).verified == "verified"
        assert saved.recovered == {f"{s.name} ({s.id})": len(s) for s in file.streams}
