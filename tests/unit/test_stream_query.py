"""One language says which stream is meant: live, in files, in settings, and between processes."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bci.config import load_config
from bci.engine.stream_info import Channel, StreamInfo
from bci.errors import ConfigError, RecordingError, StreamMismatch
from bci.stream.montage import Montage
from bci.stream.recorded_signal import RecordedMarkers, RecordedSignal
from bci.stream.recording import RecordedStreams
from bci.stream.stream_query import EEG, Identity, StreamQuery, told_apart

TEXTS = st.text(st.sampled_from("ab C,='\"*"), max_size=8)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("Muse", {"anything": "Muse"}),
        ("EEG, 8 channels", {"anything": "EEG, 8 channels"}),
        ("a=b", {"anything": "a=b"}),
        ("a=b, c=d", {"anything": "a=b, c=d"}),
        ("Muse,host=*", {"anything": "Muse", "host": "*"}),
        ("type=EEG,host=*", {"type": "EEG", "host": "*"}),
        (" name = Amp , source_id = abc ", {"name": "Amp", "source_id": "abc"}),
        ("name=EEG, 8 channels", {"name": "EEG, 8 channels"}),
        ("name=EEG, 8 channels,host=lab2", {"name": "EEG, 8 channels", "host": "lab2"}),
        ('name="a, type=b",type=EEG', {"name": "a, type=b", "type": "EEG"}),
        ("name='it''s',host=*", {"name": "it's", "host": "*"}),
        ('"type=EEG"', {"anything": "type=EEG"}),
        ('5" disc', {"anything": '5" disc'}),
        ("NAME=Amp", {"name": "Amp"}),
        ("name=", {}),
        ("", {}),
    ],
)
def test_a_query_is_understood_as_people_write_it(text: str, meant: dict[str, str]) -> None:
    assert StreamQuery.parse(text) == StreamQuery(**meant)


@pytest.mark.parametrize(
    ("text", "word"), [("type=EEG,colour=red", "colour"), ("name=a,name=b", "twice"), ('name="a",red', "'red'")]
)
def test_what_is_no_query_is_refused_with_the_word(text: str, word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        StreamQuery.parse(text)


@given(st.builds(StreamQuery, *[TEXTS.map(str.strip)] * len(fields(StreamQuery))))
def test_a_query_survives_being_written_and_read(query: StreamQuery) -> None:
    assert StreamQuery.parse(query.words()) == query


@pytest.mark.parametrize(
    "text", ["Amp", "a1", "type=eeg", "EEG", "name=Amp", "source_id=a1,name=Amp", "host=lab,type=EEG", "host=*"]
)
def test_a_stream_is_meant_by_name_type_source_id_and_host(text: str) -> None:
    assert StreamQuery.parse(text).matches("Amp", "EEG", "a1", "lab")
    assert not StreamQuery.parse("name=amp").matches("Amp", "EEG", "a1", "lab")
    assert not StreamQuery.parse("host=elsewhere").matches("Amp", "EEG", "a1", "lab")


def test_each_of_several_streams_is_told_from_the_others_by_the_shortest_query() -> None:
    streams = [Identity("Amp, 8", "EEG", "a", "x"), Identity("Amp, 8", "EEG", "b", "x"), Identity("Cues", "Markers", "c", "x")]
    assert told_apart(streams) == ["source_id=a", "source_id=b", "name=Cues"]
    for some in permutations(streams):
        for i, text in enumerate(told_apart(some)):
            query = StreamQuery.parse(text)
            assert [query.matches(s.name, s.type, s.source_id, s.host) for s in some] == [k == i for k in range(3)]
    assert told_apart([streams[0], streams[0]]) == ["", ""]


def signal(name: str, type_: str = "EEG", source_id: str = "", host: str = "lab") -> RecordedSignal:
    rng = np.random.default_rng(0)
    info = StreamInfo(100.0, (Channel("C3"), Channel("C4")), name=name, type=type_, source_id=source_id)
    header = f"<info><hostname>{host}</hostname></info>"
    return RecordedSignal(info, rng.normal(0, 10, (300, 2)), np.arange(300) / 100, header_xml=header)


def recording(*signals: RecordedSignal, markers: tuple[RecordedMarkers, ...] = ()) -> RecordedStreams:
    return RecordedStreams(Path("a.xdf"), signals, markers, "")


def test_a_recorded_stream_is_chosen_by_any_query() -> None:
    one, two = signal("Amp", source_id="amp1"), signal("Amp", source_id="amp2", host="lab2")
    held = recording(one, two, signal("Motion", "Accelerometer"))
    for text in ("source_id=amp1", "amp1", "name=Amp,host=lab", "host=lab"):
        assert held.eeg(text) is one
    assert held.eeg(StreamQuery(source_id="amp2")) is two
    with pytest.raises(RecordingError, match=r"2 EEG streams(.|\n)*source_id=amp1: 'Amp'(.|\n)*source_id=amp2: 'Amp'"):
        held.eeg("Amp")
    with pytest.raises(RecordingError, match=r"no signal with name, type or source_id 'Muse'(.|\n)*name=Motion"):
        held.eeg("Muse")


def test_of_a_device_whose_streams_share_a_name_the_eeg_is_meant() -> None:
    brain, motion = signal("Muse", "eeg"), signal("Muse", "Accelerometer")
    assert recording(motion, brain).eeg("Muse") is brain
    assert recording(motion, brain).eeg() is brain
    assert recording(motion, brain).eeg("type=Accelerometer") is motion


def test_a_setting_and_an_option_name_the_stream_alike() -> None:
    for text in ("EEG, 8 channels", "source_id=abc,host=*", "type=signal", 'name="a=b"'):
        assert load_config(None, {"stream.name": text}).stream.query() == StreamQuery.parse(text)
    assert load_config(None).stream.query() == EEG
    assert load_config(None, {"stream.host": "*"}).stream.query() == StreamQuery(type="EEG", host="*")
    query = load_config(None, {"stream.name": "Amp", "stream.type": "EEG", "stream.source_id": "a"}).stream.query()
    assert query == StreamQuery(anything="Amp", type="EEG", source_id="a")


@pytest.mark.parametrize("key", ["stream.name", "markers.stream"])
def test_a_setting_that_is_no_query_is_refused_with_its_key(key: str) -> None:
    with pytest.raises(ConfigError, match=key):
        load_config(None, {key: "type=EEG,colour=red"})


def test_eeg_without_a_rate_is_refused_with_the_setting_and_read_once_it_is_declared() -> None:
    one = signal("Amp")
    held = recording(replace(one, info=replace(one.info, rate_hz=0.0)))
    with pytest.raises(RecordingError, match=r"'Amp'.*suggest 100 Hz.*montage.*rate_hz = 100"):
        held.eeg()
    assert replace(held, montage=Montage(rate_hz=100.0)).eeg().info == one.info


def test_a_stream_without_electrodes_says_what_to_declare() -> None:
    info = StreamInfo(100.0, tuple(Channel(f"Channel {i}", "AUX") for i in range(1, 5)), name="openvibeSignal", type="signal")
    with pytest.raises(StreamMismatch, match=r"'openvibeSignal' \(type 'signal'\).*Channel 1.*names = .*stream.montage"):
        info.eeg_labels()
    assert info.eeg_labels(("Channel 1",)) == ("Channel 1",)
