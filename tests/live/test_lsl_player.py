"""A recording played into LSL arrives as it was recorded, in real time and faster."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from bci.engine.stream_info import Channel, StreamInfo
from bci.errors import StreamLost
from bci.stream.files.readers import open_recording
from bci.stream.lsl import LslMarkerInlet, LslSignalInlet, StreamQuery, local_clock, resolve
from bci.stream.player import PlayerSettings, play
from bci.stream.recorded_signal import RecordedMarkers, RecordedSignal
from bci.stream.recording import RecordedStreams

pytestmark = pytest.mark.live

RATE = 250.0


def recording(seconds: float = 2.0) -> RecordedStreams:
    """Pushes of 5 samples, late by up to 40 ms, two cues and a gap of half a second."""
    rng = np.random.default_rng(3)
    due = np.arange(1, round(seconds * RATE / 5) + 1) * 5 / RATE
    due[len(due) // 2 :] += 0.5
    late = np.maximum.accumulate(due + rng.uniform(0, 0.04, len(due)))
    stamps = (100 + late[:, None] - np.arange(5)[::-1] / RATE).ravel()
    info = StreamInfo(RATE, (Channel("C3", unit="V"), Channel("C4", unit="V")), name="played amp")
    signal = RecordedSignal(info, rng.normal(0, 20, (len(stamps), 2)), stamps)
    cues = RecordedMarkers("played cues", ("left", "right"), np.array([100.5, 101.7]))
    return RecordedStreams(Path("a.xdf"), (signal,), (cues,), "cd" * 32)


@contextmanager
def playing(rec: RecordedStreams, settings: PlayerSettings) -> Iterator[list[bool]]:
    """Play in a thread, beginning when somebody reads."""
    finished: list[bool] = []
    ready, stop = threading.Event(), threading.Event()
    thread = threading.Thread(
        target=lambda: finished.append(play(rec, settings, stop.is_set, wait_for_consumers_s=10, ready=ready.set))
    )
    thread.start()
    try:
        assert ready.wait(10)
        yield finished
    finally:
        stop.set()
        thread.join(10)


def pull_all(cues: LslMarkerInlet, texts: list[tuple[str, float]], timeout_s: float = 30.0) -> None:
    """Add what comes until the sender is gone; give up after ``timeout_s``."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        texts += cues.pull(0.5)


def receive(rec: RecordedStreams, settings: PlayerSettings) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[tuple[str, float]]]:
    """Data, stamps, arrival times and markers."""
    data, stamps, arrivals, texts = [], [], [], []
    with playing(rec, settings) as finished:
        cues = LslMarkerInlet(resolve(StreamQuery(name=rec.markers[0].name)))
        inlet = LslSignalInlet(resolve(StreamQuery(type="EEG")))
        wanted, deadline = len(rec.signals[0].stamps), time.monotonic() + 30
        while sum(map(len, stamps)) < wanted and time.monotonic() < deadline:
            chunk = inlet.pull(0.05)
            if chunk is not None:
                data.append(chunk.data)
                stamps.append(chunk.stamps)
                arrivals.append(np.full(len(chunk), local_clock()))
        with pytest.raises(StreamLost):  # everything is there, then the end is told
            pull_all(cues, texts)
        cues.close()
        inlet.close()
    assert finished == [True]
    return np.concatenate(data), np.concatenate(stamps), np.concatenate(arrivals), texts


def test_in_real_time_every_value_arrives_bit_for_bit_when_its_sender_pushed_it() -> None:
    rec = recording()
    data, stamps, arrivals, texts = receive(rec, PlayerSettings())
    np.testing.assert_array_equal(data, rec.signals[0].data)
    shift = stamps - rec.signals[0].stamps
    assert np.ptp(shift) < 1e-9
    assert [t for t, _ in texts] == ["left", "right"]
    np.testing.assert_allclose([s for _, s in texts], rec.markers[0].stamps + shift[0], atol=1e-9)
    lateness = arrivals.reshape(-1, 5)[:, -1] - stamps.reshape(-1, 5)[:, -1]
    assert np.median(lateness) < 0.01
    assert lateness.min() > -0.001


def test_ten_times_faster_and_with_recorded_stamps_the_same_bits_arrive() -> None:
    rec = recording()
    started = time.monotonic()
    data, stamps, _, texts = receive(rec, PlayerSettings(speed=10, keep_stamps=True))
    np.testing.assert_array_equal(data, rec.signals[0].data)
    np.testing.assert_array_equal(stamps, rec.signals[0].stamps)
    assert texts == [("left", 100.5), ("right", 101.7)]
    assert time.monotonic() - started < 15


def test_playing_stops_when_asked_to() -> None:
    with playing(recording(60.0), PlayerSettings()) as finished:
        inlet = LslSignalInlet(resolve(StreamQuery(type="EEG")))
        assert inlet.pull(2.0) is not None
        inlet.close()
    assert finished == [False]


def test_a_real_recording_with_backward_stamps_arrives_whole(shared_data: Path) -> None:
    rec = open_recording(shared_data / "xdf-awkward" / "openbci_mi_cue_baseline_protocol.xdf")
    data, stamps, _, texts = receive(rec, PlayerSettings(speed=100))
    np.testing.assert_array_equal(data, rec.signals[0].data)
    assert (np.diff(stamps) < 0).sum() == (np.diff(rec.signals[0].stamps) < 0).sum() > 0
    assert [t for t, _ in texts] == list(rec.markers[0].texts)
