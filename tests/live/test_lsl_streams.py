"""Real LSL on loopback: found or refused with reasons, read in microvolts, sent as docs/reference/streams.md says."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import numpy as np
import pytest

from bci.calibration.live import listen
from bci.commands import streams as streams_command
from bci.engine.stream_info import Channel, StreamInfo
from bci.errors import ConfigError, StreamAmbiguous, StreamError, StreamLost, StreamMismatch, StreamNotFound
from bci.stream.lsl import (
    FoundStream,
    LslMarkerInlet,
    LslOutlet,
    LslRawInlet,
    LslSignalInlet,
    LslTextOutlet,
    StreamQuery,
    list_streams,
    resolve,
    row_info,
)
from bci.stream.metadata import bci_fields
from bci.stream.montage import Montage

pytestmark = pytest.mark.live

INFO = StreamInfo(
    250.0,
    (
        Channel("C3", position=(-0.06, 0.0, 0.06)),
        Channel("C4", unit="mV"),
        Channel("EOGh", "EOG", "V"),
        Channel("TRIG", "TRIG", ""),
    ),
    reference="A1",
    source_id="live-amp",
    name="amp",
    sample_clock=True,
)


@pytest.fixture(scope="module")
def amp() -> Iterator[LslOutlet]:
    outlet = LslOutlet(INFO, "double64", {"session": "s1"})
    yield outlet
    outlet.close()


@pytest.fixture(scope="module")
def found(amp: LslOutlet) -> FoundStream:
    return resolve(StreamQuery(source_id="live-amp"))


def test_identity_and_layout_arrive_as_they_were_declared(found: FoundStream) -> None:
    inlet = LslSignalInlet(found)
    assert inlet.info == INFO
    assert bci_fields(inlet.header_xml) == {"version": "1", "sample_clock": "1", "session": "s1"}
    inlet.close()


def test_values_arrive_in_microvolts_with_the_senders_own_stamps(amp: LslOutlet, found: FoundStream) -> None:
    inlet = LslSignalInlet(found)
    data = np.arange(40.0).reshape(10, 4)
    stamps = np.array([5.0, 4.9, 1e9, -7.5, 5.0, 5.0, np.inf, np.nan, 1e-3, 6.0])
    amp.push_chunk(data, stamps)
    chunk = inlet.pull(2.0)
    while chunk is not None and len(chunk) < 10:
        more = inlet.pull(2.0)
        assert more is not None
        chunk = type(chunk)(np.vstack([chunk.data, more.data]), np.append(chunk.stamps, more.stamps))
    assert chunk is not None
    np.testing.assert_array_equal(chunk.data, data * [1, 1e3, 1e6, 1])
    np.testing.assert_array_equal(chunk.stamps, stamps)
    inlet.close()


def test_nan_and_infinite_values_pass_through(amp: LslOutlet, found: FoundStream) -> None:
    inlet = LslSignalInlet(found)
    amp.push([np.nan, np.inf, 1.0, 2.0], 3.0)
    chunk = inlet.pull(2.0)
    assert chunk is not None
    np.testing.assert_array_equal(chunk.data, [[np.nan, np.inf, 1e6, 2.0]])
    inlet.close()


def test_an_empty_pull_is_none_after_the_time_allowed(found: FoundStream) -> None:
    inlet = LslSignalInlet(found)
    started = time.monotonic()
    assert inlet.pull(0.1) is None
    assert 0.09 < time.monotonic() - started < 1.0
    assert inlet.pull(0.0) is None
    inlet.close()


def test_a_chunk_stays_as_it_is_when_the_next_is_pulled(amp: LslOutlet, found: FoundStream) -> None:
    inlet = LslSignalInlet(found)
    amp.push([1.0, 0, 0, 0], 1.5)
    first = inlet.pull(2.0)
    amp.push([2.0, 0, 0, 0], 2.5)
    assert inlet.pull(2.0) is not None
    assert first is not None
    assert first.data[0, 0] == 1.0
    assert first.stamps.tolist() == [1.5]
    inlet.close()


def test_a_montage_file_supplies_what_the_stream_leaves_out(amp: LslOutlet, found: FoundStream) -> None:
    inlet = LslSignalInlet(found, Montage(rename={"C4": "Cz"}, units={"Cz": "V"}))
    amp.push([1.0, 1.0, 0, 0], 1.5)
    chunk = inlet.pull(2.0)
    assert inlet.info.labels == ("C3", "Cz", "EOGh", "TRIG")
    assert chunk is not None
    assert chunk.data[0, 1] == 1e6
    inlet.close()


def test_a_full_buffer_is_counted_and_what_is_left_is_the_newest(amp: LslOutlet, found: FoundStream) -> None:
    inlet = LslSignalInlet(found, buffer_s=2)
    for k in range(12):
        amp.push_chunk(np.full((100, 4), float(k)), 1e3 + np.arange(k * 100, (k + 1) * 100))
    last = None
    deadline = time.monotonic() + 5
    while last is None and time.monotonic() < deadline:
        time.sleep(0.3)
        last = inlet.pull(0.0)
    assert last is not None
    assert inlet.overflows == 1
    assert inlet.overflow_risk == 1.0
    assert last.stamps[-1] == 1e3 + 1199
    assert len(last) <= 501
    inlet.close()


def test_a_backlog_arrives_whole_in_one_pull_without_overflow(amp: LslOutlet, found: FoundStream) -> None:
    inlet = LslSignalInlet(found)
    amp.push_chunk(np.zeros((3008, 4)), 2e3 + np.arange(3008) / 250)
    time.sleep(0.5)
    chunk = inlet.pull(1.0)
    assert chunk is not None
    assert len(chunk) == 3008
    assert inlet.overflows == 0
    assert 0.1 < inlet.overflow_risk < 0.5
    inlet.close()


@pytest.mark.parametrize("channel_format", ["float32", "double64", "int32", "int16", "int8", "int64"])
def test_the_recorder_reads_every_format_in_its_own_type(channel_format: str) -> None:
    outlet = LslOutlet(row_info(f"raw-{channel_format}", "Test", f"raw-{channel_format}", ["a", "b"]), channel_format)
    inlet = LslRawInlet(resolve(StreamQuery(name=f"raw-{channel_format}"), settle_s=0))
    outlet.push([1, -100], 4.5)
    pulled = inlet.pull(2.0)
    assert pulled is not None
    values, stamps = pulled
    assert isinstance(values, np.ndarray)
    assert values.dtype == {"float32": "f4", "double64": "f8"}.get(channel_format, channel_format)
    assert values.tolist() == [[1, -100]]
    assert stamps.tolist() == [4.5]
    assert "<channel_format>" + channel_format in inlet.header_xml
    inlet.close()
    outlet.close()


def test_texts_arrive_unchanged_markup_and_all() -> None:
    outlet = LslTextOutlet("cues", "Markers", "cues-1")
    inlet = LslMarkerInlet(resolve(StreamQuery.parse("cues"), settle_s=0))
    texts = ["left", "<b>links</b> & ünïcode ‽", "", "x" * 100_000]
    for k, text in enumerate(texts):
        outlet.push(text, 10.0 + k)
    got: list[tuple[str, float]] = []
    deadline = time.monotonic() + 5
    while len(got) < 4 and time.monotonic() < deadline:
        got += inlet.pull(0.5)
    assert got == [(text, 10.0 + k) for k, text in enumerate(texts)]
    assert inlet.pull(0.0) == []
    inlet.close()
    outlet.close()


def test_numeric_markers_are_texts() -> None:
    outlet = LslOutlet(row_info("codes", "Markers", "codes-1", ["code"]), "int32")
    inlet = LslMarkerInlet(resolve(StreamQuery(name="codes"), settle_s=0))
    outlet.push([769], 1.0)
    assert inlet.pull(2.0) == [("769", 1.0)]
    inlet.close()
    outlet.close()


def test_the_clock_offset_of_a_local_stream_is_near_zero(found: FoundStream) -> None:
    inlet = LslRawInlet(found)
    measured = inlet.time_correction(5.0)
    assert measured is not None
    assert abs(measured[1]) < 0.01
    inlet.close()
    assert inlet.time_correction(0.1) is None


def test_a_closed_sender_is_reported_at_once_and_a_closed_inlet_too() -> None:
    outlet = LslOutlet(row_info("brief", "Test", "brief-1", ["a"]), "float32")
    inlet = LslRawInlet(resolve(StreamQuery(name="brief"), settle_s=0))
    outlet.close()
    started = time.monotonic()
    with pytest.raises(StreamLost, match="brief"):
        inlet.pull(5.0)
    assert time.monotonic() - started < 2.0
    inlet.close()
    inlet.close()


def test_a_closed_inlet_says_that_it_is_closed(found: FoundStream) -> None:
    for inlet in (LslSignalInlet(found), LslRawInlet(found)):
        inlet.close()
        inlet.close()
        with pytest.raises(StreamLost, match="closed"):
            inlet.pull(0.0)


@pytest.mark.parametrize("name", ["it's", 'say "hi"', """both ' and " here""", "<b>&amp;", "a]b[c", "' or true() or '"])
def test_streams_with_quotes_and_markup_in_their_name_are_found_by_it_and_only_they(amp: LslOutlet, name: str) -> None:
    with pytest.raises(StreamNotFound):
        resolve(StreamQuery(name=name), timeout_s=0.05, settle_s=0.0)
    outlet = LslTextOutlet(name, "Markers", "odd")
    assert resolve(StreamQuery(name=name)).name == name
    outlet.close()


def test_a_wrong_name_is_refused_with_what_was_searched_and_what_was_seen(amp: LslOutlet) -> None:
    started = time.monotonic()
    with pytest.raises(
        StreamNotFound, match=r"(?s)type 'Gaze' and name 'amq'|name 'amq' and type 'Gaze'.*'amp' \(type 'EEG', 4 ch"
    ):
        resolve(StreamQuery(name="amq", type="Gaze"), timeout_s=0.5)
    assert time.monotonic() - started < 4.0


def test_streams_of_another_machine_are_not_taken_by_default(amp: LslOutlet) -> None:
    with pytest.raises(StreamNotFound, match="on 'elsewhere'"):
        resolve(StreamQuery(name="amp", host="elsewhere"), timeout_s=0.3)
    assert resolve(StreamQuery(name="amp", host="*")).name == "amp"


def test_two_streams_that_match_are_refused_with_a_list(amp: LslOutlet) -> None:
    other = LslOutlet(StreamInfo(250.0, (Channel("C3"),), source_id="live-amp-2", name="amp"))
    with pytest.raises(StreamAmbiguous, match=r"(?s)2 streams match.*source_id 'live-amp'.*on .*source_id 'live-amp-2'"):
        resolve(StreamQuery(type="EEG"))
    assert resolve(StreamQuery.parse("live-amp-2")).n_channels == 1
    other.close()


def test_a_query_of_unknown_keys_is_refused() -> None:
    with pytest.raises(ConfigError, match="colour"):
        StreamQuery.parse("type=EEG,colour=red")


def test_a_marker_stream_is_no_signal(amp: LslOutlet) -> None:
    outlet = LslTextOutlet("words", "Markers", "words-1")
    with pytest.raises(StreamError, match="not a signal"):
        LslSignalInlet(resolve(StreamQuery(name="words"), settle_s=0))
    outlet.close()


def test_an_outlet_without_source_id_or_with_a_hostile_label_is_refused() -> None:
    with pytest.raises(ConfigError, match="source_id is empty"):
        LslOutlet(row_info("x", "y", "", ["a"]))
    with pytest.raises(ConfigError, match="control characters"):
        LslOutlet(row_info("x", "y", "z", ["left\r\nRESET"]))
    with pytest.raises(ConfigError, match="1000000 characters"):
        LslOutlet(row_info("x", "y", "z", ["x" * 1_000_000]))


def test_a_row_of_the_wrong_length_is_refused(amp: LslOutlet) -> None:
    with pytest.raises(ValueError, match="broadcast"):
        amp.push([1.0, 2.0, 3.0])
    with pytest.raises(StreamError, match="does not fit"):
        amp.push_chunk(np.zeros((2, 3)), np.zeros(2))


def test_an_outlet_knows_whether_anybody_listens() -> None:
    outlet = LslOutlet(row_info("lonely", "Test", "lonely-1", ["a"]))
    assert not outlet.has_consumers
    assert not outlet.wait_for_consumers(0.05)
    inlet = LslRawInlet(resolve(StreamQuery(name="lonely"), settle_s=0))
    assert outlet.wait_for_consumers(2.0)
    inlet.close()
    outlet.close()


def test_bci_streams_lists_names_as_text_and_measures_rates(amp: LslOutlet, capsys: pytest.CaptureFixture[str]) -> None:
    import argparse

    parser = argparse.ArgumentParser()
    streams_command.configure(parser)
    odd = LslTextOutlet("[red]<b>odd</b>", "Markers", "odd-1")
    assert streams_command.run(parser.parse_args(["--json"])) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {r["name"] for r in rows} >= {"amp", "[red]<b>odd</b>"}
    assert streams_command.run(parser.parse_args([])) == 0
    assert "[red]<b>" in capsys.readouterr().out.replace("\n", "")
    with pytest.raises(ConfigError):
        streams_command.run(parser.parse_args(["--wait", "nan"]))
    odd.close()


def test_every_stream_in_reach_is_listed_sorted(amp: LslOutlet) -> None:
    names = [s.name for s in list_streams(0.8)]
    assert "amp" in names
    assert names == sorted(names)


def test_another_programs_cues_may_come_on_the_trigger_channel_of_the_amplifier(amp: LslOutlet, found: FoundStream) -> None:
    with listen({"query": "amp triggers", "table": {"7": "left"}}, 5.0) as outside:
        deadline = time.monotonic() + 10
        cue, began, sent = None, time.monotonic(), 0
        while cue is None and time.monotonic() < deadline:
            rows = np.zeros((10, 4))
            rows[:, 3] = 7.0 if sent > 5 else 0.0
            amp.push_chunk(rows, began + (10 * sent + np.arange(10)) / INFO.rate_hz)
            sent += 1
            time.sleep(0.04)
            cue = outside.cue()
        assert cue is not None
        assert cue[0] == "left"


def test_a_stream_without_trigger_channels_cannot_give_cues_by_them() -> None:
    plain = LslOutlet(StreamInfo(250.0, (Channel("C3"),), source_id="plain-amp", name="plain"), "double64")
    try:
        with pytest.raises(StreamMismatch, match=r"'plain', which has none; its channels are C3 \(EEG\)"):
            listen({"query": "plain triggers", "table": {"7": "left"}}, 5.0)
    finally:
        plain.close()
