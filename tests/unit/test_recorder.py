"""The recorder on a virtual clock: what inlets deliver is in the file; what goes wrong is said."""

import gc
import threading
import tracemalloc

import numpy as np
import pytest
from recorder_parts import HandClock, ListInlet, eventually, header, samples

from bci.errors import RecordingError
from bci.recording.recorded_stream import BrokenConnection
from bci.recording.recorder import Recorder
from bci.recording.settings import RecorderSettings
from bci.stream.xdf.reader import read_xdf
from bci.stream.xdf.writer import XdfWriter


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


def test_a_regular_stream_that_falls_silent_is_said_once_and_its_silence_is_in_the_file(tmp_path, clock):
    told = []
    inlet = ListInlet(header(), [samples(0, 5)])
    with Recorder(XdfWriter(tmp_path / "a.xdf"), clock, tell=told.append) as recorder:
        recorder.add(inlet, "eeg")
        for second in range(40):
            clock.time_s = 1000.0 + 0.1 * second
            recorder.poll()
        assert [text for text in told if "has sent nothing" in text] == [
            "eeg: has sent nothing for more than a second, although it is connected; check its sender"
        ]
        inlet.chunks.append(samples(980, 5))
        recorder.poll()
    assert "eeg: sends again after 3.9 s" in told
    (stream,) = read_xdf(tmp_path / "a.xdf").streams
    assert "nothing came for 3.9 s before sample 5" in stream.footer["note"]


def test_streams_without_a_rate_may_be_silent(tmp_path, clock):
    told = []
    with Recorder(XdfWriter(tmp_path / "a.xdf"), clock, tell=told.append) as recorder:
        recorder.add(ListInlet(header("cues", "string", 1, 0.0)), "cues")
        for second in range(100):
            clock.time_s = 1000.0 + second
            recorder.poll()
        assert told == []


def test_a_stream_whose_connection_broke_is_recorded_on_and_what_is_missing_is_said(tmp_path, clock):
    told = []
    first, again = ListInlet(header(), [samples(0, 100)]), ListInlet(header(), [samples(150, 100)], offset=None)
    with Recorder(XdfWriter(tmp_path / "a.xdf"), clock, tell=told.append) as recorder:
        number = recorder.add(first, "eeg")
        recorder.poll()
        first.lost = True
        recorder.add(again, "eeg", broken=BrokenConnection(number, 0.1))
        recorder.poll()
        assert first.closed  # a hundred broken connections must not stay open
    assert (
        "eeg: its connection broke and came back, so its recording continues: 0.20 s of it are missing. "
        "Readers take both parts for one stream" in told
    )
    before, after = read_xdf(tmp_path / "a.xdf").streams
    assert [len(before), len(after)] == [100, 100]
    assert "stream lost after 100 samples" in before.footer["note"]
    assert "goes on with stream 1, whose connection broke: 0.20 s of it are missing" in after.footer["note"]
    assert len(after.offsets) == 1  # the clock is that of before


def test_of_texts_the_time_without_a_connection_is_on_record(tmp_path, clock):
    cues = header("cues", "string", 1, 0.0)
    first, again = ListInlet(cues, [([["go"]], np.array([3.5]))]), ListInlet(cues, [([["stop"]], np.array([9.5]))])
    with Recorder(XdfWriter(tmp_path / "a.xdf"), clock) as recorder:
        number = recorder.add(first, "cues")
        recorder.poll()
        first.lost = True
        recorder.add(again, "cues", broken=BrokenConnection(number, 2.25))
        recorder.poll()
    assert "what it sent in 2.2 s is missing" in read_xdf(tmp_path / "a.xdf").streams[1].footer["note"]


def test_memory_does_not_grow_with_the_length_of_a_recording(tmp_path, clock):
    """A minute of 64 channels at 1 kHz and a dozen streams of text: less than what one megabyte an hour would allow."""
    eeg = ListInlet(header(n_channels=64, rate_hz=1000.0))
    texts = [ListInlet(header(f"t{k}", "string", 1, 0.0)) for k in range(12)]
    data = np.zeros((100, 64), np.float32)

    def record(seconds):
        for _ in range(10 * seconds):
            clock.time_s += 0.1
            eeg.chunks.append((data, clock.time_s + np.arange(100) / 1000))
            for one in texts:
                one.chunks.append(([["x" * 50]], np.array([clock.time_s])))
                one.offset = eeg.offset = (clock.time_s, 0.5)
            recorder.poll()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    with Recorder(XdfWriter(tmp_path / "a.xdf"), clock) as recorder:
        for inlet in (eeg, *texts):
            recorder.add(inlet)
        tracemalloc.start()
        try:
            before = record(10)
            assert record(60) - before < 1e6 * 60 / 3600
        finally:
            tracemalloc.stop()
    assert read_xdf(tmp_path / "a.xdf").verified == "verified"


def test_a_disk_that_hangs_is_seen_from_outside_and_holds_up_neither_pulls_nor_new_streams(tmp_path, clock):
    """What ``bci record`` says of itself several times a second, while the writing thread hangs in a write."""
    file = Gate(tmp_path / "a.xdf")
    recorder = Recorder(file, clock, RecorderSettings(period_s=0.001))
    recorder.add(Flow(header()))
    recorder.start()
    eventually(lambda: recorder.waiting_bytes > 1000)
    clock.time_s += 10.0
    eventually(lambda: recorder.pull_s == 0.0)
    assert recorder.write_s == 10.0
    taken = recorder.taken
    recorder.add(ListInlet(header("late"), [samples(0, 5)]), "late")
    eventually(lambda: recorder.counts[2] == 5)
    assert recorder.taken > taken
    file.go.set()
    eventually(lambda: recorder.write_s == 0.0)
    recorder.stop()
    file = read_xdf(tmp_path / "a.xdf")
    assert file.verified == "verified"
    assert len(file.stream("late")) == 5


def test_parts_too_short_for_their_clock_to_be_measured_have_that_of_the_part_in_which_it_was(tmp_path, clock):
    parts = [ListInlet(header(), [samples(100 * k, 50)], offset=(1000.0, 0.5) if k == 2 else None) for k in range(4)]
    with Recorder(XdfWriter(tmp_path / "a.xdf"), clock) as recorder:
        number = 0
        for k, part in enumerate(parts):
            number = recorder.add(part, "eeg", broken=BrokenConnection(number, 0.1) if k else None)
            recorder.poll()
            part.lost = True
            clock.time_s += 10.0
    assert [stream.offsets.tolist() for stream in read_xdf(tmp_path / "a.xdf").streams] == [[0.5]] * 4
