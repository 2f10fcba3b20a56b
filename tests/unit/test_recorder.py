"""The recorder on a virtual clock: what inlets deliver is in the file; what goes wrong is said."""

import threading
import time

import numpy as np
import pytest

from bci.errors import RecordingError, StreamLost
from bci.stream.recorder import Recorder, RecorderSettings
from bci.stream.xdf_reader import read_xdf
from bci.stream.xdf_writer import XdfWriter


def header(name="eeg", channel_format="float32", n_channels=2, rate_hz=250.0):
    return (
        f"<info><name>{name}</name><type>EEG</type><channel_count>{n_channels}</channel_count>"
        f"<nominal_srate>{rate_hz}</nominal_srate><channel_format>{channel_format}</channel_format></info>"
    )


class HandClock:
    """Time that a test sets."""

    def __init__(self):
        self.time_s = 1000.0

    def now(self):
        return self.time_s

    def wait_until(self, time_s):
        self.time_s = max(self.time_s, time_s)


class ListInlet:
    """An in-process stream: what is in ``chunks`` is delivered, one at a pull."""

    def __init__(self, header_xml, chunks=(), offset=(1000.0, 0.5)):
        self.header_xml = header_xml
        self.chunks = list(chunks)
        self.offset = offset
        self.lost = False
        self.closed = False

    def pull(self, timeout_s):
        if self.chunks:
            return self.chunks.pop(0)
        if self.lost:
            raise StreamLost("the sender is gone")
        return None

    def time_correction(self, timeout_s):
        return self.offset

    def close(self):
        self.closed = True


def samples(start, n):
    index = np.arange(start, start + n)
    return np.stack([index, -index], axis=1).astype(np.float32), index / 250


@pytest.fixture
def clock():
    return HandClock()


def test_everything_that_several_streams_deliver_is_in_the_file(tmp_path, clock):
    eeg = ListInlet(header(), [samples(0, 5)])
    cues = ListInlet(header("cues", "string", 1, 0.0), [([["go"]], np.array([3.5]))])
    with Recorder(XdfWriter(tmp_path / "a.xdf"), clock) as recorder:
        ids = [recorder.add(eeg, "eeg"), recorder.add(cues, "cues")]
        recorder.poll()
        eeg.chunks += [samples(5, 3), samples(8, 2)]
        recorder.poll()
        eeg.chunks.append(samples(10, 1))  # delivered, but not yet pulled, when recording ends
    assert recorder.counts == dict(zip(ids, (11, 1), strict=True))
    file = read_xdf(tmp_path / "a.xdf")
    assert file.verified == "verified"
    assert file.stream("eeg").values[:, 0].tolist() == list(range(11))
    assert file.stream("cues").values == [["go"]]
    assert eeg.closed
    assert cues.closed


def test_clock_offsets_are_measured_every_five_seconds(tmp_path, clock):
    inlet = ListInlet(header())
    with Recorder(XdfWriter(tmp_path / "a.xdf"), clock) as recorder:
        recorder.add(inlet)
        for k in range(11):
            inlet.offset = (clock.now(), 0.25 + k)
            recorder.poll()
            clock.time_s += 1.0
    (stream,) = read_xdf(tmp_path / "a.xdf").streams
    assert stream.offset_times.tolist() == [1000.0, 1005.0, 1010.0]
    assert stream.offsets.tolist() == [0.25, 5.25, 10.25]


@pytest.mark.parametrize("answer", [None, (float("nan"), 0.0), (1.0, float("inf"))])
def test_an_offset_that_is_never_answered_stays_unknown_and_the_file_says_so(tmp_path, clock, answer):
    """Fault 51."""
    told = []
    with Recorder(XdfWriter(tmp_path / "a.xdf"), clock, tell=told.append) as recorder:
        recorder.add(ListInlet(header(), [samples(0, 5)], offset=answer), "eeg")
        recorder.poll()
    (stream,) = read_xdf(tmp_path / "a.xdf").streams
    assert len(stream) == 5
    assert len(stream.offsets) == 0
    assert stream.footer["note"] == "clock offset unknown"
    assert "never measured" in told[0]


def test_boundaries_and_disk_syncs_come_when_they_are_due(tmp_path, clock):
    class Counting(XdfWriter):
        calls = ()

        def boundary(self):
            self.calls += ("boundary",)
            super().boundary()

        def sync(self):
            self.calls += ("sync",)
            super().sync()

    file = Counting(tmp_path / "a.xdf")
    with Recorder(file, clock) as recorder:
        for _ in range(200):
            clock.time_s += 0.1
            recorder.poll()
        assert file.calls.count("boundary") in (1, 2)
        assert file.calls.count("sync") in (18, 19, 20)


def test_a_lost_stream_ends_and_the_others_go_on(tmp_path, clock):
    told = []
    lost, stays = ListInlet(header("lost"), [samples(0, 5)]), ListInlet(header("stays"))
    with Recorder(XdfWriter(tmp_path / "a.xdf"), clock, tell=told.append) as recorder:
        first, second = recorder.add(lost, "lost"), recorder.add(stays, "stays")
        lost.lost = True
        recorder.poll()
        stays.chunks.append(samples(0, 7))
        recorder.poll()
        assert recorder.alive == {first: False, second: True}
    file = read_xdf(tmp_path / "a.xdf")
    assert [len(s) for s in file.streams] == [5, 7]
    assert "stream lost after 5 samples" in file.stream("lost").footer["note"]
    assert "lost after 5 samples" in told[0]


def test_a_stream_added_in_the_middle_is_recorded_from_there(tmp_path, clock):
    with Recorder(XdfWriter(tmp_path / "a.xdf"), clock) as recorder:
        recorder.add(ListInlet(header("one"), [samples(0, 5)]))
        recorder.poll()
        recorder.add(ListInlet(header("two"), [samples(0, 6)]))
        recorder.poll()
    assert [(s.name, len(s)) for s in read_xdf(tmp_path / "a.xdf").streams] == [("one", 5), ("two", 6)]


class Gate(XdfWriter):
    """A disk that hangs until told to go on."""

    def __init__(self, path):
        super().__init__(path)
        self.go = threading.Event()

    def write(self, stream_id, values, stamps):
        self.go.wait()
        super().write(stream_id, values, stamps)


class Flow(ListInlet):
    """A stream that always has another chunk."""

    taken = 0

    def pull(self, timeout_s):
        self.taken += 10
        return samples(self.taken - 10, 10) if self.taken % 20 else None


def eventually(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


def test_a_disk_that_hangs_for_a_while_costs_nothing(tmp_path, clock):
    """Fault 44, below the limit."""
    file = Gate(tmp_path / "a.xdf")
    inlet = Flow(header())
    recorder = Recorder(file, clock, RecorderSettings(period_s=0.001))
    recorder.add(inlet)
    recorder.start()
    eventually(lambda: recorder.waiting_bytes > 10_000)
    file.go.set()
    eventually(lambda: recorder.waiting_bytes < 1000)
    recorder.stop()
    (stream,) = read_xdf(tmp_path / "a.xdf").streams
    assert len(stream) == recorder.counts[1] >= 500


def test_a_disk_that_is_too_slow_for_too_long_is_a_loud_error_and_nothing_before_it_is_dropped(tmp_path, clock):
    """Fault 44, at the limit."""
    told = []
    file = Gate(tmp_path / "a.xdf")
    recorder = Recorder(file, clock, RecorderSettings(period_s=0.001, limit_bytes=20_000), told.append)
    recorder.add(ListInlet(header(), [samples(k, 10) for k in range(0, 2000, 10)]))
    recorder.start()
    eventually(lambda: recorder.error is not None)
    assert "the disk is slower than the streams" in told[0]
    assert recorder.waiting_bytes <= 20_000
    file.go.set()
    with pytest.raises(RecordingError, match="slower than the streams"):
        recorder.stop()
    recorded = read_xdf(tmp_path / "a.xdf")
    assert recorded.verified == "verified"
    n = recorder.counts[1]
    assert recorded.streams[0].values[:, 0].tolist() == list(range(n))
    assert n == 20_000 // (10 * 16) * 10


def test_no_thread_is_left_after_recording(tmp_path, clock):
    before = threading.active_count()
    recorder = Recorder(XdfWriter(tmp_path / "a.xdf"), clock)
    recorder.add(ListInlet(header(), [samples(0, 5)]))
    recorder.start()
    recorder.stop()
    recorder.stop()
    assert threading.active_count() == before
    assert len(read_xdf(tmp_path / "a.xdf").streams[0]) == 5


def test_a_stream_with_an_impossible_header_is_refused_and_the_rest_recorded(tmp_path, clock):
    with Recorder(XdfWriter(tmp_path / "a.xdf"), clock) as recorder:
        with pytest.raises(RecordingError, match="channel_format"):
            recorder.add(ListInlet(header(channel_format="float128")))
        recorder.add(ListInlet(header("good"), [samples(0, 3)]))
        recorder.poll()
    assert [(s.name, len(s)) for s in read_xdf(tmp_path / "a.xdf").streams] == [("good", 3)]
