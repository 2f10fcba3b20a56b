"""What a recorder owes to whoever relies on it: bounds of what may be lost, waited for, and left running."""

import threading

import numpy as np
import pytest
from recorder_parts import HandClock, ListInlet, eventually, header, samples

from bci.errors import RecordingError
from bci.recording.recorded_stream import BrokenConnection, RateLimit
from bci.recording.recorder import Recorder
from bci.recording.settings import RecorderSettings
from bci.stream.xdf.reader import read_xdf
from bci.stream.xdf.writer import XdfWriter


@pytest.fixture
def clock():
    return HandClock()


def test_what_is_older_than_a_second_is_on_the_disk(tmp_path, clock):
    """Times are exact in binary, so that a second is a second: one that is synced a step later may lose more."""
    synced = []

    class Synced(XdfWriter):
        def sync(self):
            synced.append(clock.now())
            super().sync()

    began = clock.now()
    with Recorder(Synced(tmp_path / "a.xdf"), clock) as recorder:
        for _ in range(12):
            clock.time_s += 0.25
            recorder.poll()
        assert [time_s - began for time_s in synced] == [1.0, 2.0, 3.0]


def test_a_boundary_chunk_to_go_on_from_comes_every_ten_seconds(tmp_path, clock):
    bounds = []

    class Bounded(XdfWriter):
        def boundary(self):
            bounds.append(clock.now())
            super().boundary()

    began = clock.now()
    with Recorder(Bounded(tmp_path / "a.xdf"), clock) as recorder:
        for _ in range(20):
            clock.time_s += 1.0
            recorder.poll()
        assert [time_s - began for time_s in bounds] == [10.0, 20.0]


def test_senders_that_do_not_say_their_time_hold_up_nobody(tmp_path, clock):
    class Mute(ListInlet):
        """Answers nothing, however long it is waited for."""

        def time_correction(self, timeout_s):
            clock.time_s += timeout_s

    with Recorder(XdfWriter(tmp_path / "a.xdf"), clock) as recorder:
        for k in range(3):
            recorder.add(Mute(header(f"m{k}"), [samples(0, 5)]))
        recorder.poll()
        assert clock.now() == 1000.0


def test_clocks_are_measured_in_the_background_once_an_interval(tmp_path, clock):
    asked = []

    class Asked(ListInlet):
        def time_correction(self, timeout_s):
            asked.append(clock.now())
            return clock.now(), 0.5

    with Recorder(XdfWriter(tmp_path / "a.xdf"), clock, RecorderSettings(period_s=0.001)) as recorder:
        recorder.add(Asked(header()), "eeg")
        recorder.start()
        eventually(lambda: asked)
        clock.time_s += 5.0
        eventually(lambda: len(asked) > 1)
    (stream,) = read_xdf(tmp_path / "a.xdf").streams
    assert stream.offset_times.tolist() == [1000.0, 1005.0]


def test_nothing_of_a_recorder_keeps_a_program_alive_that_ends_without_stopping_it(tmp_path, clock):
    with Recorder(XdfWriter(tmp_path / "a.xdf"), clock) as recorder:
        recorder.start()
        assert {t.daemon for t in threading.enumerate() if t.name.startswith("recorder-")} == {True}


def test_a_stream_that_never_ends_does_not_keep_the_others_from_being_taken_in(tmp_path, clock):
    """The others wait for 64 pulls of it at most, since each of them may hold what a sender sent in seconds."""

    class Flood(ListInlet):
        pulls = 0

        def pull(self, timeout_s):
            self.pulls += 1
            assert self.pulls < 10_000, "the others starve"
            return samples(self.pulls, 1)

    flood, quiet = Flood(header("flood")), ListInlet(header("quiet"), [samples(0, 5), samples(5, 5)])
    with Recorder(XdfWriter(tmp_path / "a.xdf"), clock) as recorder:
        first, second = recorder.add(flood, "flood"), recorder.add(quiet, "quiet")
        recorder.poll()
        assert recorder.counts == {first: 64, second: 10}
        recorder.poll()
        assert recorder.counts == {first: 128, second: 10}


def test_a_recording_that_has_ended_takes_no_stream_any_more(tmp_path, clock):
    recorder = Recorder(XdfWriter(tmp_path / "a.xdf"), clock)
    recorder.add(ListInlet(header("in time"), [samples(0, 5)]), "in time")
    recorder.stop()
    with pytest.raises(RecordingError, match="stream 'too late': cannot be added, the recording has ended"):
        recorder.add(ListInlet(header("too late")), "too late")
    assert [s.name for s in read_xdf(tmp_path / "a.xdf").streams] == ["in time"]


def test_a_recording_that_failed_takes_no_stream_any_more_and_goes_on_failing(tmp_path, clock):
    recorder = Recorder(XdfWriter(tmp_path / "a.xdf"), clock, RecorderSettings(limit_bytes=100))
    recorder.add(ListInlet(header(), [samples(0, 50)]))
    for end in (recorder.poll, recorder.stop):
        with pytest.raises(RecordingError, match="0 bytes wait to be written, the limit is 100"):
            end()
    with pytest.raises(RecordingError, match="the recording has ended"):
        recorder.add(ListInlet(header("too late")))


def test_that_a_connection_broke_is_told_once_however_much_comes_afterwards(tmp_path, clock):
    told = []
    first, again = ListInlet(header(), [samples(0, 100)]), ListInlet(header())
    with Recorder(XdfWriter(tmp_path / "a.xdf"), clock, tell=told.append) as recorder:
        number = recorder.add(first, "eeg")
        recorder.poll()
        first.lost = True
        recorder.add(again, "eeg", broken=BrokenConnection(number, 0.1))
        again.chunks = [samples(150, 50), samples(200, 50)]
        recorder.poll()
        again.chunks = [samples(250, 50)]
        recorder.poll()
    assert len([text for text in told if "its connection broke" in text]) == 1
    note = read_xdf(tmp_path / "a.xdf").streams[1].footer["note"]
    assert note == "goes on with stream 1, whose connection broke: 0.20 s of it are missing"


def test_of_a_flood_of_messages_so_many_a_second_are_recorded_and_the_rest_is_counted(tmp_path, clock):
    told = []
    flood = ListInlet(header("control", "string", 1, 0.0))

    def sends(n):
        flood.chunks.append(([["x"]] * n, np.full(n, clock.now())))
        recorder.poll()
        return recorder.counts[1]

    with Recorder(XdfWriter(tmp_path / "a.xdf"), clock, tell=told.append) as recorder:
        recorder.add(flood, "control", RateLimit(20.0))
        assert sends(15) == 15
        assert told == []
        assert sends(15) == 20
        assert told == ["control: sends more than is recorded of such a stream; the rest is counted and not recorded"]
        clock.time_s += 0.5
        assert sends(100) == 30
        clock.time_s += 60.0
        assert sends(100) == 50
        assert len(told) == 1
    (stream,) = read_xdf(tmp_path / "a.xdf").streams
    assert len(stream) == 50
    assert stream.footer["note"] == "180 samples above the limit for such a stream were not recorded"
