"""Recordings of every format come out in one shape, in microvolts, or are refused with a reason."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from bci.engine.stream_info import Channel, StreamInfo
from bci.errors import ConfigError, RecordingError, StreamMismatch
from bci.stream.files.readers import open_recording
from bci.stream.montage import Montage
from bci.stream.recorded_signal import RecordedSignal
from bci.stream.recording import RecordedStreams
from bci.stream.signal_checks import check_unit, typical_size

RATE = 200.0
LABELS = ["C3", "C4", "Cz"]


def volts(seconds: float = 20.0, microvolts: float = 15.0) -> np.ndarray:
    """Noise of an EEG's size, shape (n_channels, n_samples), volts."""
    return np.random.default_rng(0).normal(0, microvolts * 1e-6, (len(LABELS), round(seconds * RATE)))


def raw_of(data: np.ndarray):
    import mne

    raw = mne.io.RawArray(data, mne.create_info(LABELS, RATE, "eeg"), verbose="ERROR")
    raw.set_annotations(mne.Annotations([1.0, 2.5], [0.0, 0.0], ["left", "right"]))
    return raw


def edf(path: Path, data_uv: np.ndarray, unit: str = "uV", labels: list[str] = LABELS) -> Path:
    """Written with edfio, so that reader and writer share no code."""
    import edfio

    limit = float(np.abs(data_uv).max()) * 1.01
    signals = [
        edfio.EdfSignal(row, RATE, label=label, physical_dimension=unit, physical_range=(-limit, limit))
        for label, row in zip(labels, data_uv, strict=True)
    ]
    marks = [edfio.EdfAnnotation(1.0, None, "left"), edfio.EdfAnnotation(2.5, None, "right")]
    edfio.Edf(signals, annotations=marks).write(path)
    return path


def test_an_edf_file_comes_out_in_microvolts_with_its_annotations_as_markers(tmp_path: Path) -> None:
    data = volts() * 1e6
    recording = open_recording(edf(tmp_path / "a.edf", data))
    signal = recording.eeg()
    assert signal.info.labels == ("C3", "C4", "Cz")
    assert signal.info.rate_hz == RATE
    assert signal.info.channels[0].unit == "uV"
    np.testing.assert_allclose(signal.data, data.T, atol=0.01)
    np.testing.assert_allclose(signal.stamps, np.arange(len(data.T)) / RATE)
    assert recording.markers[0].texts == ("left", "right")
    np.testing.assert_allclose(recording.markers[0].stamps, [1.0, 2.5])
    assert len(recording.sha256) == 64


def test_a_millivolt_edf_file_comes_out_in_microvolts(tmp_path: Path) -> None:
    data = volts() * 1e6
    signal = open_recording(edf(tmp_path / "a.edf", data * 1e-3, "mV")).eeg()
    np.testing.assert_allclose(signal.data, data.T, atol=0.01)


def test_a_fif_file_comes_out_in_microvolts_with_its_annotations(tmp_path: Path) -> None:
    raw = raw_of(volts())
    raw.crop(0.5).save(tmp_path / "a_raw.fif", verbose="ERROR")
    recording = open_recording(tmp_path / "a_raw.fif")
    np.testing.assert_allclose(recording.eeg().data, raw.get_data().T * 1e6, rtol=1e-5)
    np.testing.assert_allclose(recording.markers[0].stamps, [0.5, 2.0], atol=1 / RATE)


def test_a_brainvision_file_comes_out_in_microvolts_with_its_markers(tmp_path: Path) -> None:
    import pybv

    data = volts()
    events = [{"onset": 200, "duration": 1, "description": 7, "type": "Stimulus", "channels": "all"}]
    pybv.write_brainvision(data=data, sfreq=RATE, ch_names=LABELS, fname_base="a", folder_out=str(tmp_path), events=events)
    recording = open_recording(tmp_path / "a.vhdr")
    np.testing.assert_allclose(recording.eeg().data, data.T * 1e6, atol=0.1)
    at = recording.markers[0].texts.index("Stimulus/S  7")
    assert recording.markers[0].stamps[at] == pytest.approx(1.0)


def test_an_xdf_file_gives_every_stream_and_scales_its_unit(tmp_path: Path) -> None:
    from bci.stream.metadata import header_xml, text_info
    from bci.stream.xdf.writer import XdfWriter

    channels = (Channel("C3", unit="mV"), Channel("TRIG", "TRIG", ""))
    info = StreamInfo(RATE, channels, source_id="s", name="amp")
    stamps = 100 + np.arange(400) / RATE
    values = np.stack([np.sin(np.arange(400)) * 0.02, np.repeat([0.0, 5.0, 0.0, 6.0], 100)], axis=1)
    with XdfWriter(tmp_path / "a.xdf") as writer:
        amp, cues = (
            writer.add_stream(x) for x in (header_xml(info, "double64"), header_xml(text_info("cues", "Markers", "c"), "string"))
        )
        writer.write(amp, values, stamps)
        writer.write(cues, [["left"]], np.array([100.5]))
    recording = open_recording(tmp_path / "a.xdf")
    np.testing.assert_allclose(recording.eeg().data[:, 0], values[:, 0] * 1e3)
    assert [(m.name, m.texts) for m in recording.markers] == [("amp triggers", ("5", "6")), ("cues", ("left",))]
    np.testing.assert_allclose(recording.markers[0].stamps, [100.5, 101.5])


def test_a_file_that_declares_no_unit_is_refused_with_both_numbers_and_the_option_until_it_is_declared(tmp_path: Path) -> None:
    data = volts() * 1e6
    path = edf(tmp_path / "a.edf", data, "")
    with pytest.raises(StreamMismatch, match=r"1\.49e\+07 µV.*declares no unit.*14\.9 µV as uV\. .*--set stream\.unit=uV"):
        open_recording(path).eeg()
    np.testing.assert_allclose(open_recording(path, unit="uV").eeg().data, data.T, atol=0.01)
    np.testing.assert_allclose(open_recording(path, Montage(unit="uV")).eeg().data, data.T, atol=0.01)


def test_a_wrongly_declared_unit_is_refused_and_can_be_overruled(tmp_path: Path) -> None:
    data = volts() * 1e6
    path = edf(tmp_path / "a.edf", data, "mV")
    with pytest.raises(StreamMismatch, match=r"declares mV.*14\.9 µV as uV\."):
        open_recording(path).eeg()
    np.testing.assert_allclose(open_recording(path, unit="uV").eeg().data, data.T, atol=0.01)


def test_what_is_played_carries_the_unit_and_the_names_that_were_given(tmp_path: Path) -> None:
    data = volts() * 1e6
    path = edf(tmp_path / "a.edf", data, "")
    recording = open_recording(path, Montage(names=("F3", "F4", "Fz")), unit="uV").corrected()
    np.testing.assert_allclose(recording.signals[0].data, data.T, atol=0.01)
    assert recording.signals[0].info.labels == ("F3", "F4", "Fz")
    assert recording.eeg().info == recording.signals[0].info


def test_electrode_offsets_and_drift_are_no_unit_error() -> None:
    n = round(60 * RATE)
    data = np.random.default_rng(0).normal(0, 10, (n, 1)) + 150_000 + np.arange(n)[:, None] * 5.0
    info = StreamInfo(RATE, (Channel("C3"),))
    check_unit(RecordedSignal(info, data, np.arange(n) / RATE), "here")
    assert typical_size(data, RATE) < 400


def test_dots_that_pad_labels_are_taken_off(tmp_path: Path) -> None:
    path = edf(tmp_path / "a.edf", volts() * 1e6, labels=["C3..", "Fcz.", "Cz"])
    assert open_recording(path).eeg().info.columns(("c3", "FCZ")) == [0, 1]


def test_two_eeg_streams_must_be_told_apart_and_are_listed() -> None:
    n = 400
    signals = tuple(
        RecordedSignal(
            StreamInfo(RATE, (Channel("C3"),), name=name), np.random.default_rng(0).normal(0, 9, (n, 1)), np.arange(n) / RATE
        )
        for name in ("one", "two")
    )
    recording = RecordedStreams(Path("a.xdf"), signals, (), "")
    with pytest.raises(RecordingError, match=r"2 EEG streams.*\n.*'one'.*\n.*'two'"):
        recording.eeg()
    assert recording.eeg("two") is signals[1]
    with pytest.raises(RecordingError, match=r"no signal with .*'three'"):
        recording.eeg("three")


def test_an_unknown_format_a_missing_file_and_an_unknown_unit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"\.mat"):
        open_recording(tmp_path / "a.mat")
    with pytest.raises(RecordingError, match="cannot be read"):
        open_recording(tmp_path / "none.xdf")
    with pytest.raises(ConfigError, match="tesla"):
        open_recording(tmp_path / "a.xdf", unit="tesla")


@pytest.mark.parametrize(
    ("at", "text", "says"),
    [
        (252, b"9999", "number of signals"),
        (252, b"-1  ", "number of signals"),
        (236, b"x       ", "number of records"),
    ],
)
def test_a_hostile_edf_header_is_refused_at_once(tmp_path: Path, at: int, text: bytes, says: str) -> None:
    path = edf(tmp_path / "a.edf", volts() * 1e6)
    content = bytearray(path.read_bytes())
    content[at : at + len(text)] = text
    path.write_bytes(content)
    started = time.perf_counter()
    with pytest.raises(RecordingError, match=says):
        open_recording(path)
    assert time.perf_counter() - started < 1.0


def test_an_edf_header_that_promises_more_than_there_is_costs_nothing_and_is_said(tmp_path: Path) -> None:
    path = edf(tmp_path / "a.edf", volts() * 1e6)
    content = bytearray(path.read_bytes())
    content[236:244] = b"99999999"
    path.write_bytes(content)
    started = time.perf_counter()
    recording = open_recording(path)
    assert time.perf_counter() - started < 1.0
    assert len(recording.eeg().data) == 20 * RATE
    assert "of 99999999 records" in recording.notes[0]


@pytest.mark.parametrize("size", [0, 100, 300, 1000])
def test_an_edf_file_cut_in_its_header_is_refused(tmp_path: Path, size: int) -> None:
    path = edf(tmp_path / "a.edf", volts() * 1e6)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(RecordingError):
        open_recording(path)


@pytest.mark.parametrize("suffix", [".edf", ".bdf", ".gdf", ".vhdr", ".fif", ".ov", ".xdf"])
def test_noise_is_no_recording_of_any_format(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(np.random.default_rng(1).integers(0, 256, 5000, dtype=np.uint8).tobytes())
    with pytest.raises(RecordingError):
        open_recording(path)


def test_openvibe_and_edf_files_of_one_recording_agree(shared_data: Path) -> None:
    ov = open_recording(shared_data / "openvibe" / "S03_FILT_S1R0.ov")
    other = open_recording(shared_data / "mi-rest-ds003810" / "S03" / "S03_RUN0.edf", unit="uV")
    a, b = ov.eeg(), other.eeg()
    assert a.info.rate_hz == b.info.rate_hz
    assert a.info.labels == b.info.labels
    n = min(len(a.data), len(b.data))
    late = slice(round(5 * a.info.rate_hz), n)
    assert np.median(np.abs(a.data[late] - b.data[late])) < 0.02 * np.median(np.abs(a.data[late]))
    cues = dict.fromkeys(("770", "772"), 0) | {t: ov.markers[0].texts.count(t) for t in ("770", "772")}
    named = [other.markers[0].texts.count(t) for t in ("OVTK_GDF_Right", "OVTK_GDF_Tongue")]
    assert list(cues.values()) == named
    at = {t: s for t, s in zip(ov.markers[0].texts, ov.markers[0].stamps, strict=True) if t == "770"}
    there = {t: s for t, s in zip(other.markers[0].texts, other.markers[0].stamps, strict=True) if t == "OVTK_GDF_Right"}
    assert at["770"] == pytest.approx(there["OVTK_GDF_Right"], abs=0.001)


def test_an_openvibe_file_that_was_cut_is_read_up_to_there(shared_data: Path, tmp_path: Path) -> None:
    whole = open_recording(shared_data / "openvibe" / "S03_FILT_S1R0.ov")
    cut = tmp_path / "cut.ov"
    cut.write_bytes((shared_data / "openvibe" / "S03_FILT_S1R0.ov").read_bytes()[:500_001])
    recording = open_recording(cut)
    n = len(recording.eeg().data)
    assert 1000 < n < len(whole.eeg().data)
    np.testing.assert_array_equal(recording.eeg().data, whole.eeg().data[:n])
    assert "cut short" in recording.notes[0]


def test_real_recordings_are_read(shared_data: Path) -> None:
    run = open_recording(shared_data / "labrecorder-mi" / "subjT_2022-04-07_run02.xdf")
    assert run.eeg().data.shape == (31590, 16)
    assert run.markers[0].texts[:2] == ("111.0000000000000", "1111.000000000000")
    physionet = open_recording(shared_data / "physionet-eegmmi" / "S001R04.edf").eeg()
    assert physionet.info.columns(("C3", "CZ", "C4")) == [8, 10, 12]
    muse = open_recording(shared_data / "muse-xdf" / "muse_P001_4streams_2023-09-22.xdf")
    assert muse.eeg().info.labels[:4] == ("TP9", "AF7", "AF8", "TP10")
    empty = open_recording(shared_data / "xdf-awkward" / "openbci_empty_eeg_with_markers.xdf")
    assert empty.eeg().data.shape == (0, 16)
