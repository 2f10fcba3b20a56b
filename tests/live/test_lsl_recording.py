"""Streams that are looked for and recorded in this process, over real LSL."""

import threading
import uuid

import pytest
from recorder_parts import eventually

from bci.errors import RecordingError, StreamNotFound
from bci.recording.lsl_recording import LslRecording, LslWatch
from bci.stream.lsl import LslTextOutlet, StreamQuery
from bci.stream.xdf.reader import read_xdf

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]


@pytest.fixture
def outlets():
    """Two streams, of names unlike those of any other on this machine."""
    mark = uuid.uuid4().hex[:8]
    outlets = [LslTextOutlet(f"{what}-{mark}", "Markers", f"{what}-{mark}") for what in ("cues", "keys")]
    yield outlets
    for outlet in outlets:
        outlet.close()


@pytest.fixture
def cues(outlets):
    return StreamQuery(name=outlets[0].info.name)


@pytest.fixture
def keys(outlets):
    return StreamQuery(name=outlets[1].info.name)


def names(streams):
    return sorted(stream.name for stream in streams)


def test_a_required_stream_is_waited_for_among_others_and_nothing_is_found_after_the_end(cues, keys):
    with LslWatch([cues, keys]) as watch:
        watch.wait([cues, keys], 20.0)
        watch.wait([cues], 20.0)
        assert names(watch.found()) == [cues.name, keys.name]
        assert watch.has(keys)
    assert watch.found() == [], "it is still looked for, which takes ports of liblsl"


def test_of_required_streams_only_those_that_are_missing_are_named(cues):
    absent = StreamQuery(name="Nonesuch")
    with LslWatch([cues, absent]) as watch:
        watch.wait([cues], 20.0)
        with pytest.raises(StreamNotFound) as raised:
            watch.wait([cues, absent], 0.0, option="without")
        asked, _, seen = str(raised.value).partition("seen on the network:")
        assert "'Nonesuch'" in asked
        assert cues.name not in asked
        assert cues.name in seen
        assert "--without Nonesuch" in seen or "--without name=Nonesuch" in seen


def test_without_a_required_stream_any_will_do_and_where_nobody_waits_none(cues):
    absent = StreamQuery(name="Nonesuch")
    with LslWatch([absent, cues]) as watch:
        watch.wait([], 20.0)
        assert names(watch.found()) == [cues.name]
    with LslWatch([absent]) as watch:
        watch.wait([], 0.0)
        watch.wait([absent], 20.0, cancelled=lambda: True)
        with pytest.raises(StreamNotFound, match="no stream with name 'Nonesuch'"):
            watch.wait([], 0.2, option="without")


def test_a_recording_says_what_it_records_and_leaves_nothing_running(tmp_path, outlets, cues, keys):
    subscribed, path = [], tmp_path / "a.xdf"
    with LslWatch([cues, keys]) as watch:
        watch.wait([cues, keys], 20.0)
        with LslRecording(path, watch, subscribed=subscribed.append) as recording:
            recording.subscribe([cues, keys], 20.0)
            assert names(recording.streams) == names(subscribed) == [cues.name, keys.name]
            with pytest.raises(StreamNotFound, match=r"'Nonesuch' .* was found but does not answer"):
                recording.subscribe([cues, StreamQuery(name="Nonesuch")], 0.2)
            assert outlets[0].wait_for_consumers(20)
            outlets[0].push("go", 5000.0)
            outlets[0].push("stop", 5001.0)
            eventually(lambda: recording.recorder.taken >= 2)
    assert not [t.name for t in threading.enumerate() if t.name.startswith(("opens ", "recorder-"))]
    assert read_xdf(path).stream(cues.name).values == [["go"], ["stop"]]
    with pytest.raises(RecordingError):
        LslRecording(path, watch)


def test_of_a_recording_that_is_given_up_no_file_is_left(tmp_path, cues):
    with LslWatch([cues]) as watch:
        recording = LslRecording(tmp_path / "a.xdf", watch)
        assert list(tmp_path.iterdir())
        recording.discard()
        recording.discard()
    assert list(tmp_path.iterdir()) == []
