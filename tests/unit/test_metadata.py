"""Headers of senders in the wild and of hostile ones; ours go out and come back unchanged."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bci.engine.stream_info import Channel, StreamInfo
from bci.errors import ConfigError, StreamError
from bci.stream.metadata import bci_fields, header_xml, stream_info
from bci.stream.units import scale_to_microvolts


def header(channels: str = "", count: int = 2, rate: str = "250", kind: str = "EEG", name: str = "amp", desc: str = "") -> str:
    return (
        f"<info><name>{name}</name><type>{kind}</type><channel_count>{count}</channel_count>"
        f"<nominal_srate>{rate}</nominal_srate><channel_format>float32</channel_format><source_id>s</source_id>"
        f"<desc><channels>{channels}</channels>{desc}</desc></info>"
    )


def channel(label: str, kind: str = "EEG", unit: str = "microvolts", tag: str = "label") -> str:
    return f"<channel><{tag}>{label}</{tag}><type>{kind}</type><unit>{unit}</unit></channel>"


def types(*channels: str, kind: str = "EEG") -> list[str]:
    return [c.type for c in stream_info(header("".join(channels), len(channels), kind=kind)).channels]


LABELS = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=30)


@given(
    labels=st.lists(LABELS, min_size=1, max_size=8),
    rate_hz=st.floats(1, 1e5),
    reference=LABELS,
    position=st.tuples(*[st.floats(-0.2, 0.2)] * 3),
    clock=st.booleans(),
)
def test_what_we_write_is_what_we_read(labels, rate_hz, reference, position, clock) -> None:
    channels = tuple(
        Channel(label, kind, unit)
        for label, kind, unit in zip(labels, ["EOG", "EMG"] * 8, ["uV", "mV", "V", ""] * 2, strict=False)
    )
    info = StreamInfo(rate_hz, channels, reference, "id'\"<&", "na<me", "EEG", clock)
    assert stream_info(header_xml(info, "double64")) == info
    placed = StreamInfo(rate_hz, (Channel("C3", position=position),))
    np.testing.assert_allclose(stream_info(header_xml(placed, "double64")).channels[0].position, position, atol=1e-15)


def test_labels_may_stand_in_name_or_be_missing() -> None:
    info = stream_info(header(channel("Fz", tag="name"), 3))
    assert info.labels == ("Fz", "ch2", "ch3")


def test_a_header_without_any_description_still_gives_numbered_eeg_channels() -> None:
    text = "<info><name>x</name><type>EEG</type><channel_count>2</channel_count><nominal_srate>125</nominal_srate></info>"
    assert stream_info(text).channels == (Channel("ch1", "EEG", ""), Channel("ch2", "EEG", ""))


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        *[(text, 1.0) for text in ("microvolts", "uV", "UV", "\u00b5V", "\u03bcV", "", "g")],
        *[(text, 1e3) for text in ("mV", "millivolts")],
        *[(text, 1e6) for text in ("V", "volts")],
        ("nV", 1e-3),
        *[("0", 1e6), ("-3", 1e3), ("-6", 1.0), ("-9", 1e-3)],  # powers of ten, as MNE-LSL's player writes them
        *[(text, 1.0) for text in ("none", "unknown", "N/A")],
    ],
)
def test_units_in_any_usual_spelling_become_microvolts(unit: str, factor: float) -> None:
    info = stream_info(header(channel("C3", unit=unit), 1))
    assert scale_to_microvolts(info).tolist() == [factor]


def test_a_power_of_ten_is_a_voltage_only_where_voltages_are_measured() -> None:
    kinds = {"EOG": 1e6, "EMG": 1e6, "AUX": 1.0, "TRIG": 1.0}
    info = stream_info(header("".join(channel(f"x{kind}", kind, "0") for kind in kinds), len(kinds)))
    assert scale_to_microvolts(info).tolist() == list(kinds.values())


def test_codes_of_a_trigger_channel_are_never_scaled() -> None:
    assert scale_to_microvolts(stream_info(header(channel("TRIGGER", "TRIG", "V"), 1))).tolist() == [1.0]


def test_labels_of_clinical_systems_are_electrodes_with_their_reference() -> None:
    labels = ("EEG C3-A1", "EEG C4-A1", "EEG EKG1-REF", "C3-C4")
    info = stream_info(header("".join(channel(x, "") for x in labels), len(labels), kind="signal"))
    assert [c.type for c in info.channels] == ["EEG", "EEG", "AUX", "AUX"]
    assert info.columns(("C4", "c3")) == [1, 0]
    assert info.reference == "A1"


def test_counters_typed_eeg_are_not_eeg() -> None:
    emotiv = ("Timestamp", "Counter", "Interpolated", "AF3", "T7", "HardwareMarker", "Battery")
    assert types(*map(channel, emotiv)) == ["AUX", "AUX", "AUX", "EEG", "EEG", "TRIG", "AUX"]
    assert types(*map(channel, ("C3", "TRG", "TTL 1", "DIN1", "Trigger", "STI 014", "Status"))) == ["EEG", *["TRIG"] * 6]


def test_electrodes_are_eeg_by_name_where_no_channel_is_typed_eeg() -> None:
    unicorn = [channel(x, "AUX") for x in ("EEG 1", "C3", "FCz", "Accelerometer X", "Battery Level", "Counter", "AFF5h")]
    assert types(*unicorn) == ["EEG", "EEG", "EEG", "AUX", "AUX", "AUX", "EEG"]
    assert types(*unicorn, kind="signal") == types(*unicorn, kind="Data") == types(*unicorn)
    assert types(*unicorn, kind="ACC") == types(*unicorn, kind="EEG-Quality") == ["AUX"] * 7
    # where a sender does type its EEG channels, an AUX channel named like an electrode stays AUX
    assert types(channel("C3"), channel("C4", "AUX")) == ["EEG", "AUX"]


def test_more_or_fewer_described_channels_than_declared_follow_the_declared_count() -> None:
    assert len(stream_info(header("".join(map(channel, "ABC")), 2)).channels) == 2


@pytest.mark.parametrize("rate", ["-1", "nan", "inf", "", "fast", "1e300"])
def test_an_impossible_rate_is_refused_with_its_value(rate: str) -> None:
    with pytest.raises(StreamError, match="nominal_srate"):
        stream_info(header(rate=rate))


@pytest.mark.parametrize("count", [0, -3, 1_000_000_000])
def test_an_impossible_channel_count_is_refused(count: int) -> None:
    with pytest.raises(StreamError, match="channel_count"):
        stream_info(header(count=count))


def test_a_megabyte_label_is_refused_at_once() -> None:
    started = time.perf_counter()
    with pytest.raises(StreamError, match="at most 256") as error:
        stream_info(header(channel("x" * 1_000_000)))
    assert len(str(error.value)) < 300
    assert time.perf_counter() - started < 1.0


def test_an_entity_bomb_is_refused_unread() -> None:
    bomb = '<!DOCTYPE z [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>' + header(name="&b;")
    with pytest.raises(StreamError, match="DOCTYPE"):
        stream_info(bomb)


@pytest.mark.parametrize("text", ["\x07", "&#7;", "&#x1B;", "\x9b"])
def test_control_characters_are_replaced_whether_written_plainly_or_as_references(text: str) -> None:
    assert stream_info(header(channel(f"C3{text}"), 1)).labels == ("C3\ufffd",)


def test_markup_in_a_name_comes_back_as_plain_text() -> None:
    assert stream_info(header(name="&lt;img src=x&gt;")).name == "<img src=x>"


@pytest.mark.parametrize("text", ["", "not xml", "<info>", "<html/>", "<info><name>x</name></info>"])
def test_what_is_no_header_is_refused(text: str) -> None:
    with pytest.raises(StreamError):
        stream_info(text)


def test_everything_wrong_with_a_stream_of_ours_is_told_at_once() -> None:
    info = StreamInfo(float("nan"), (Channel("C3\n"), Channel("x" * 300)), name="n")
    with pytest.raises(ConfigError) as error:
        header_xml(info, "float16")
    assert [p.split(": ", 1)[1].split()[0] for p in error.value.problems] == ["channel_format", "rate_hz", "channel", "channel"]


def test_our_own_fields_stand_under_desc_bci() -> None:
    info = StreamInfo(0.0, (Channel("text", "AUX", ""),), name="e", sample_clock=True)
    assert bci_fields(header_xml(info, "string", {"session": "s1"})) == {"version": "1", "sample_clock": "1", "session": "s1"}
    assert bci_fields(header()) == {}
