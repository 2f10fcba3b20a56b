"""``bci stream`` with a device on the network: samples and markers on LSL, and its end."""

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import rda_server as rda
from fieldtrip_server import FieldTripServer
from rda_server import RdaServer

from bci.engine.chunk import Chunk
from bci.stream.lsl import LslMarkerInlet, LslSignalInlet, StreamQuery, local_clock, resolve

pytestmark = pytest.mark.live

LABELS = ("C3", "Cz", "HEOG")
RESOLUTIONS = (0.1, 0.1, 0.5)
STEPS = np.random.default_rng(4).integers(-400, 400, (5000, 3))
TRUTH = STEPS * np.array(RESOLUTIONS)


@contextmanager
def streaming(device: str, port: int, name: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, object]]]:
    """The command, from its ready line on; killed at the end where it still runs."""
    words = [sys.executable, "-m", "bci", "stream", device, "--json", "--name", name]
    words += ["--set", "host=127.0.0.1", "--set", f"port={port}"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            assert line, process.stderr.read() if process.stderr else ""
            yield process, json.loads(line)
        finally:
            if process.poll() is None:
                process.kill()


def listen(name: str, seconds: float) -> tuple[LslSignalInlet, Chunk, list[tuple[str, float]]]:
    """Samples and markers of some seconds."""
    inlet = LslSignalInlet(resolve(StreamQuery(name=name)))
    marks = LslMarkerInlet(resolve(StreamQuery(name=f"{name}-markers")))
    until_s, pieces, heard = local_clock() + seconds, [], []
    while local_clock() < until_s:
        chunk = inlet.pull(0.1)
        if chunk is not None:
            pieces.append(chunk)
        heard += marks.pull(0.0)
    newest_age_s = local_clock() - pieces[-1].stamps[-1]
    assert 0 <= newest_age_s < 0.5
    inlet.close()
    marks.close()
    return inlet, Chunk(np.concatenate([p.data for p in pieces]), np.concatenate([p.stamps for p in pieces])), heard


@pytest.fixture
def name() -> str:
    return f"net-{uuid.uuid4().hex[:8]}"


def check(inlet: LslSignalInlet, got: Chunk, heard: list[tuple[str, float]]) -> None:
    """Whether what arrived is the truth, in order, with the marker at its sample."""
    assert (inlet.info.rate_hz, inlet.info.labels, inlet.info.sample_clock) == (250.0, LABELS, True)
    assert [c.type for c in inlet.info.channels] == ["EEG", "EEG", "EOG"]
    begin = int(np.flatnonzero((got.data[0] == TRUTH).all(axis=1))[0])
    np.testing.assert_array_equal(got.data, TRUTH[begin : begin + len(got)])
    np.testing.assert_allclose(np.diff(got.stamps) * 250, 1.0, atol=2e-3)
    text, stamp = heard[0]
    number = int(text.removeprefix("Stimulus/S"))
    sample = ((number - 1) * 50 + 25) * 5 + 1  # the second of the block that it came with
    assert stamp == pytest.approx(got.stamps[0] + (sample - begin) / 250, abs=4e-3)


def test_recorder_with_its_markers_is_on_lsl_value_for_value(name: str) -> None:
    start = rda.start(LABELS, 250.0, RESOLUTIONS)
    with RdaServer(start) as server, streaming("brainvision-rda", server.port, name) as (process, ready):
        server.play(STEPS.astype(np.int16), 250.0, 5)
        assert ready["channels"] == list(LABELS)
        check(*listen(name, 2.5))
        server.hang_up()
        said, errors = process.communicate(timeout=10)
    assert process.returncode == 3
    assert "BrainVision Recorder at 127.0.0.1" in said + errors
    assert "Traceback" not in errors


def test_a_fieldtrip_buffer_with_its_events_is_on_lsl_value_for_value(name: str) -> None:
    with FieldTripServer() as server:
        server.put_header(3, 250.0, "float64", LABELS)
        with streaming("fieldtrip", server.port, name) as (process, _):
            server.play(TRUTH, 250.0, 5)
            check(*listen(name, 2.5))
            server.hang_up()
            said, errors = process.communicate(timeout=10)
    assert process.returncode == 3
    assert "FieldTrip buffer at 127.0.0.1" in said + errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("device", ["brainvision-rda", "fieldtrip"])
def test_nobody_there_ends_with_address_remedy_and_exit_code_3(device: str) -> None:
    with FieldTripServer() as gone:
        port = gone.port
    words = [sys.executable, "-m", "bci", "stream", device, "--set", f"port={port}", "--set", "timeout_s=1"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 3
    assert f"127.0.0.1:{port}" in done.stderr
    assert "--set host=" in done.stderr
    assert "Traceback" not in done.stderr
