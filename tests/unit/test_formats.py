"""Files as other people's programs, renames, crashes and transfers leave them: read with a note, or refused in words."""

from __future__ import annotations

import gzip
import io
import sys
from pathlib import Path

import numpy as np
import pytest
from format_writers import write_brainvision, write_edf, write_gdf
from scipy.io import savemat

from bci.commands import main
from bci.errors import RecordingError, StreamMismatch
from bci.stream.files import unpack
from bci.stream.files.readers import open_recording
from bci.stream.metadata import header_xml, text_info
from bci.stream.xdf.reader import read_xdf
from bci.stream.xdf.writer import XdfWriter

RATE = 200
LABELS = ["C3", "Cz", "C4"]
CUES = [(1.0, "left"), (2.5, "right"), (7.255, "left")]
GDF_2 = [("2.20", "", 4275, 1), ("2.20", "", 4274, 1e3), ("2.20", "", 4256, 1e6), ("2.20", "", 4276, 1e-3)]


@pytest.fixture(scope="module")
def data() -> np.ndarray:
    """10 s of microvolts."""
    return np.random.default_rng(0).normal(0, 15, (10 * RATE, len(LABELS)))


def same(path: Path, data: np.ndarray, texts: tuple[str, ...] = ("left", "right", "left")) -> tuple[str, ...]:
    """Check channels, samples, and where the cues stand; returns the notes."""
    recording = open_recording(path)
    signal = recording.eeg()
    assert signal.info.labels == tuple(LABELS)
    assert signal.info.rate_hz == RATE
    assert [c.unit for c in signal.info.channels] == ["uV"] * len(LABELS)
    np.testing.assert_allclose(signal.data, data, atol=0.002)
    (markers,) = recording.markers
    assert markers.texts == texts
    np.testing.assert_allclose(markers.stamps, [at for at, _ in CUES][: len(texts)], atol=0.5 / RATE)
    return recording.notes


@pytest.mark.parametrize("bdf", [False, True])
def test_headers_padded_with_nul_are_read_like_others(tmp_path: Path, data: np.ndarray, bdf: bool) -> None:
    path = write_edf(tmp_path / f"a.{'bdf' if bdf else 'edf'}", data, RATE, LABELS, CUES, pad=b"\0", bdf=bdf)
    before = path.read_bytes()
    assert same(path, data) == ()
    assert path.read_bytes() == before


@pytest.mark.parametrize("unit", ["uV", "\u00b5V", "uv", "UV"])
def test_a_microvolt_may_be_spelled_in_any_way_in_an_edf_file(tmp_path: Path, data: np.ndarray, unit: str) -> None:
    same(write_edf(tmp_path / "a.edf", data, RATE, LABELS, CUES, unit=unit), data)


def test_nanovolts_of_an_edf_file_come_out_in_microvolts(tmp_path: Path, data: np.ndarray) -> None:
    signal = open_recording(write_edf(tmp_path / "a.edf", data * 1e3, RATE, LABELS, CUES, unit="nV")).eeg()
    np.testing.assert_allclose(signal.data, data, atol=0.002)


@pytest.mark.parametrize(("bdf", "cut"), [(False, 500), (False, 3000), (True, 500), (True, 4000)])
def test_a_file_that_ends_early_is_read_up_to_its_last_whole_record(
    tmp_path: Path, data: np.ndarray, bdf: bool, cut: int
) -> None:
    path = write_edf(tmp_path / f"a.{'bdf' if bdf else 'edf'}", data, RATE, LABELS, CUES, bdf=bdf)
    path.write_bytes(path.read_bytes()[:-cut])
    lost = 1 if cut == 500 else 3
    (note,) = same(path, data[: (10 - lost) * RATE], ("left", "right", "left")[: 3 if lost == 1 else 2])
    assert f"{lost} of 10 records ({lost} s) are missing at its end" in note


def test_a_file_that_its_recorder_did_not_close_is_read_and_said(tmp_path: Path, data: np.ndarray) -> None:
    (note,) = same(write_edf(tmp_path / "a.edf", data, RATE, LABELS, CUES, declared=-1), data)
    assert "not closed" in note


def test_an_annotation_in_latin_1_is_read_and_said(tmp_path: Path, data: np.ndarray) -> None:
    cues = [*CUES, (8.0, "M\u00fcdigkeit")]
    path = write_edf(tmp_path / "a.edf", data, RATE, LABELS, cues, encoding="latin-1")
    recording = open_recording(path)
    assert recording.markers[0].texts == ("left", "right", "left", "M\u00fcdigkeit")
    assert any("Latin-1" in note for note in recording.notes)


def test_a_bdf_file_under_the_name_of_edf_is_refused_with_its_right_name(tmp_path: Path, data: np.ndarray) -> None:
    path = write_edf(tmp_path / "a.edf", data, RATE, LABELS, CUES, bdf=True)
    with pytest.raises(RecordingError, match=r"contains BDF data.*rename it to a\.bdf"):
        open_recording(path)


@pytest.mark.parametrize("suffix", [".edf", ".bdf"])
def test_a_binary_file_that_was_transferred_as_text_is_refused_with_the_cause(
    tmp_path: Path, data: np.ndarray, suffix: str
) -> None:
    path = write_edf(tmp_path / f"a{suffix}", data, RATE, LABELS, CUES, bdf=suffix == ".bdf")
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    with pytest.raises(RecordingError, match=r"FTP in ASCII mode.*as binary"):
        open_recording(path)


@pytest.mark.parametrize(
    ("unit", "encoding"),
    [
        ("\u00b5V", "utf-8"),
        ("\u03bcV", "utf-8"),
        ("uV", "utf-8"),
        ("microvolts", "utf-8"),
        ("\u00b5V", "cp1252"),
        ("\u03bcV", "cp737"),
    ],
)
def test_either_letter_for_micro_declares_microvolts_in_any_code_page(
    tmp_path: Path, data: np.ndarray, unit: str, encoding: str
) -> None:
    page = encoding if encoding != "cp1252" else ""  # what is not declared is taken for that one
    path = write_brainvision(tmp_path / "a.vhdr", data, RATE, LABELS, CUES, unit=unit, encoding=encoding, codepage=page)
    assert same(path, data, ("Stimulus/left", "Stimulus/right", "Stimulus/left")) == ()


def test_brainvision_files_that_were_renamed_together_are_read_and_said(tmp_path: Path, data: np.ndarray) -> None:
    path = write_brainvision(tmp_path / "new.vhdr", data, RATE, LABELS, CUES, named="old")
    notes = same(path, data, ("Stimulus/left", "Stimulus/right", "Stimulus/left"))
    assert notes == (
        "names old.eeg, which does not exist; new.eeg in the same folder is read instead",
        "names old.vmrk, which does not exist; new.vmrk in the same folder is read instead",
    )


@pytest.mark.parametrize("named", ["$b", "C:\\recordings\\A", "/data/somebody/A"])
def test_names_in_a_brainvision_header_may_be_those_of_another_computer(tmp_path: Path, data: np.ndarray, named: str) -> None:
    same(
        write_brainvision(tmp_path / "a.vhdr", data, RATE, LABELS, CUES, named=named),
        data,
        ("Stimulus/left", "Stimulus/right", "Stimulus/left"),
    )


def test_a_brainvision_file_without_markers_is_read_and_said(tmp_path: Path, data: np.ndarray) -> None:
    recording = open_recording(write_brainvision(tmp_path / "a.vhdr", data, RATE, LABELS, CUES, marker_file=False))
    np.testing.assert_allclose(recording.eeg().data, data, atol=0.002)
    assert recording.markers[0].texts == ()
    assert any("no marker file" in note for note in recording.notes)


def test_a_brainvision_header_that_names_no_file_takes_those_with_its_name_and_damaged_markers_are_refused(
    tmp_path: Path, data: np.ndarray
) -> None:
    path = write_brainvision(tmp_path / "a.vhdr", data, RATE, LABELS, CUES)
    path.write_bytes(path.read_bytes().replace(b"MarkerFile=a.vmrk\n", b""))
    assert same(path, data, ("Stimulus/left", "Stimulus/right", "Stimulus/left")) == (
        "names no .vmrk file; a.vmrk in the same folder is read instead",
    )
    path.with_suffix(".vmrk").write_bytes(b"")
    with pytest.raises(RecordingError, match=r"a\.vmrk is not a marker file"):
        open_recording(path)


def test_a_brainvision_header_without_its_data_is_refused_with_what_to_change(tmp_path: Path, data: np.ndarray) -> None:
    path = write_brainvision(tmp_path / "a.vhdr", data, RATE, LABELS, CUES, named="old")
    path.with_suffix(".eeg").unlink()
    with pytest.raises(RecordingError, match=r"'old\.eeg'.*neither that file nor a\.eeg.*DataFile="):
        open_recording(path)


def test_brainvision_data_that_were_cut_are_read_where_channels_can_be_told_apart(tmp_path: Path, data: np.ndarray) -> None:
    path = write_brainvision(tmp_path / "a.vhdr", data, RATE, LABELS, CUES)
    path.with_suffix(".eeg").write_bytes(path.with_suffix(".eeg").read_bytes()[:-1201])
    recording = open_recording(path)
    np.testing.assert_allclose(recording.eeg().data, data[:-101], atol=0.002)
    assert "101 of 2000 samples are missing" in recording.notes[0]
    path = write_brainvision(tmp_path / "b.vhdr", data, RATE, LABELS, CUES, vectorized=True)
    same(path, data, ("Stimulus/left", "Stimulus/right", "Stimulus/left"))
    path.with_suffix(".eeg").write_bytes(path.with_suffix(".eeg").read_bytes()[:-1200])
    with pytest.raises(RecordingError, match="nobody can know where each channel begins"):
        open_recording(path)


def write_xdf(path: Path, data: np.ndarray) -> Path:
    from bci.engine.stream_info import Channel, StreamInfo

    info = StreamInfo(RATE, tuple(Channel(label) for label in LABELS), source_id="s", name="amp")
    with XdfWriter(path) as writer:
        amp = writer.add_stream(header_xml(info, "float32"))
        cues = writer.add_stream(header_xml(text_info("cues", "Markers", "c"), "string"))
        for start in range(0, len(data), RATE):
            part = data[start : start + RATE].astype(np.float32)
            writer.write(amp, part, (start + np.arange(len(part))) / RATE)
        writer.write(cues, [[text] for _, text in CUES], np.array([at for at, _ in CUES]))
    return path


@pytest.mark.parametrize("name", ["a.xdf.gz", "a.xdfz", "packed.xdf"])
def test_a_compressed_xdf_file_is_read_like_the_file_itself(tmp_path: Path, data: np.ndarray, name: str) -> None:
    plain = write_xdf(tmp_path / "plain.xdf", data)
    path = tmp_path / name
    path.write_bytes(gzip.compress(plain.read_bytes()))
    same(path, data)
    import hashlib

    assert open_recording(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_compressed_file_that_was_cut_is_read_up_to_there(tmp_path: Path, data: np.ndarray) -> None:
    packed = gzip.compress(write_xdf(tmp_path / "plain.xdf", data).read_bytes())
    (tmp_path / "a.xdf.gz").write_bytes(packed[: len(packed) // 2])
    recording = open_recording(tmp_path / "a.xdf.gz")
    n = len(recording.eeg().data)
    assert 0 < n < len(data)
    np.testing.assert_allclose(recording.eeg().data, data[:n], atol=0.002)
    assert not read_xdf(tmp_path / "a.xdf.gz").closed


def test_a_small_file_that_would_unpack_into_all_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "ALWAYS_BYTES", 1 << 20)
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb") as file:
        file.write(b"XDF:")
        for _ in range(64):
            file.write(bytes(1 << 20))
    (tmp_path / "a.xdf.gz").write_bytes(buffer.getvalue())
    with pytest.raises(RecordingError, match=r"grows to more than .* MB when it is unpacked"):
        open_recording(tmp_path / "a.xdf.gz")


def test_whatever_a_reader_raises_is_one_sentence_about_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bci.stream.files import readers

    path = tmp_path / "a.ov"
    path.write_bytes(b"x")
    for error, says in ((Exception("odd"), r"a\.ov.*odd"), (MemoryError(), "more memory"), (KeyError("x"), "Copy it again")):

        def fail(_: Path, error: BaseException = error) -> None:
            raise error

        monkeypatch.setitem(readers.READERS, ".ov", fail)
        with pytest.raises(RecordingError, match=says):
            open_recording(path)


@pytest.mark.parametrize("bdf", [False, True])
def test_a_cut_edf_or_bdf_file_is_salvaged_into_a_whole_one_that_mne_reads_without_a_word(
    tmp_path: Path, data: np.ndarray, bdf: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    import mne

    path = write_edf(tmp_path / f"a.{'bdf' if bdf else 'edf'}", data, RATE, LABELS, CUES, bdf=bdf)
    before = path.read_bytes()[:-500]
    path.write_bytes(before)
    assert main(["salvage", str(path)]) == 0
    assert "each of 3 signals: 1800 samples, 200 are missing" in capsys.readouterr().out
    rescued = tmp_path / f"a_salvaged{path.suffix}"
    assert same(rescued, data[: 9 * RATE]) == ()
    (mne.io.read_raw_bdf if bdf else mne.io.read_raw_edf)(rescued, preload=True, verbose="ERROR")
    assert path.read_bytes() == before
    assert main(["salvage", str(path)]) == 5
    assert "never overwritten" in capsys.readouterr().err


def test_what_is_salvaged_has_a_header_that_every_reader_takes(tmp_path: Path, data: np.ndarray) -> None:
    import mne

    path = write_edf(tmp_path / "a.edf", data, RATE, LABELS, CUES, pad=b"\0")
    path.write_bytes(path.read_bytes()[:-500])
    assert main(["salvage", str(path)]) == 0
    raw = mne.io.read_raw_edf(tmp_path / "a_salvaged.edf", preload=True, verbose="ERROR")
    assert raw.ch_names == LABELS
    np.testing.assert_allclose(raw.get_data().T * 1e6, data[: 9 * RATE], atol=0.002)
    assert list(raw.annotations.description) == [text for _, text in CUES]


def test_salvaging_what_cannot_be_rescued_leaves_no_file_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.edf").write_bytes(b"0" + b" " * 300)
    (tmp_path / "a.gdf").write_bytes(b"GDF 2.20")
    for name in ("a.edf", "a.gdf"):
        assert main(["salvage", str(tmp_path / name)]) == 5
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.edf", "a.gdf"]
    assert "XDF, EDF and BDF files can be salvaged" in capsys.readouterr().err


def set_of(data: np.ndarray, /, **fields: object) -> dict[str, object]:
    """An EEGLAB data set; latencies count from 1."""
    events = np.array(
        [(text, at * RATE + 1, 0.0) for at, text in CUES], dtype=[("type", "O"), ("latency", "f8"), ("duration", "f8")]
    )
    places = np.array([(label, "EEG") for label in LABELS], dtype=[("labels", "O"), ("type", "O")])
    base = {
        "nbchan": len(LABELS),
        "trials": 1,
        "pnts": len(data),
        "srate": float(RATE),
        "xmin": 0.0,
        "epoch": [],
        "ref": "common",
    }
    return base | {"data": data.T.astype("f4"), "chanlocs": places, "event": events} | fields


@pytest.mark.parametrize("nested", [False, True])
def test_an_eeglab_data_set_is_read_in_microvolts_with_its_events(tmp_path: Path, data: np.ndarray, nested: bool) -> None:
    content = set_of(data)
    savemat(tmp_path / "a.set", {"EEG": content} if nested else content)
    assert same(tmp_path / "a.set", data) == ()


def test_an_eeglab_data_set_may_have_its_samples_beside_it_and_be_renamed_with_them(tmp_path: Path, data: np.ndarray) -> None:
    savemat(tmp_path / "new.set", set_of(data, data="old.fdt"))
    with pytest.raises(RecordingError, match=r"samples are in old\.fdt.*neither that file nor new\.fdt"):
        open_recording(tmp_path / "new.set")
    data.astype("<f4").tofile(tmp_path / "new.fdt")
    assert same(tmp_path / "new.set", data) == (
        "names old.fdt, which does not exist; new.fdt in the same folder is read instead",
    )
    data[:-100].astype("<f4").tofile(tmp_path / "new.fdt")
    assert "100 of 2000 samples are missing" in same(tmp_path / "new.set", data[:-100])[1]


def test_event_types_of_eeglab_may_be_numbers_and_a_single_event_may_stand_alone(tmp_path: Path, data: np.ndarray) -> None:
    savemat(tmp_path / "a.set", set_of(data, event={"type": 769.0, "latency": 201.0}))
    (markers,) = open_recording(tmp_path / "a.set").markers
    assert markers.texts == ("769",)
    np.testing.assert_allclose(markers.stamps, [1.0])


def test_events_of_eeglab_without_a_place_in_the_signal_are_left_out_and_said(tmp_path: Path, data: np.ndarray) -> None:
    lost = np.array([("x", np.nan), ("left", 201.0), ("y", 1e7)], dtype=[("type", "O"), ("latency", "O")])
    savemat(tmp_path / "a.set", set_of(data, event=lost))
    recording = open_recording(tmp_path / "a.set")
    assert recording.markers[0].texts == ("left",)
    assert "2 events lie outside the signal" in recording.notes[0]


def test_epochs_of_eeglab_and_other_matlab_files_are_refused_in_words(tmp_path: Path, data: np.ndarray) -> None:
    cube = data[:1000].T.reshape(3, 100, 10).astype("f4")
    savemat(tmp_path / "a.set", set_of(data, trials=10, pnts=100, data=cube))
    with pytest.raises(RecordingError, match=r"10 epochs.*before EEGLAB extracted epochs"):
        open_recording(tmp_path / "a.set")
    savemat(tmp_path / "b.set", {"x": 1})
    with pytest.raises(RecordingError, match="no EEGLAB data set"):
        open_recording(tmp_path / "b.set")


def test_a_data_set_of_matlab_7_3_is_read_with_h5py_and_otherwise_says_what_to_do(
    tmp_path: Path, data: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.set"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(2000))
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(RecordingError, match=r"pip install h5py.*save it again as version 7"):
        open_recording(path)
    monkeypatch.undo()
    h5py = pytest.importorskip("h5py", reason="h5py is not installed, and is not asked for")
    path.unlink()
    with h5py.File(path, "w") as file:
        refs, group = file.create_group("#refs#"), file.create_group("EEG")

        def cells(values: list[object]) -> np.ndarray:
            found = []
            for value in values:
                content = np.array([[ord(c)] for c in value], "u2") if isinstance(value, str) else np.array([[value]], "f8")
                item = refs.create_dataset(str(len(refs)), data=content)
                if isinstance(value, str):
                    item.attrs["MATLAB_class"] = np.bytes_("char")
                found.append([item.ref])
            return np.array(found, h5py.ref_dtype)

        for name, value in {"srate": RATE, "nbchan": 3, "trials": 1, "pnts": len(data)}.items():
            group[name] = np.array([[float(value)]])
        group["data"] = data.astype("f4")
        group.create_group("chanlocs")["labels"] = cells(list(LABELS))
        events = group.create_group("event")
        events["type"], events["latency"] = cells([t for _, t in CUES]), cells([at * RATE + 1 for at, _ in CUES])
    assert same(path, data) == ()


@pytest.mark.parametrize(
    ("version", "unit", "code", "factor"),
    [*GDF_2, ("1.25", "uV", 0, 1), ("1.25", "mV", 0, 1e3), ("1.25", "nV", 0, 1e-3), ("1.25", "microV", 0, None)],
)
def test_the_unit_of_a_gdf_file_is_that_of_its_header(
    tmp_path: Path, data: np.ndarray, version: str, unit: str, code: int, factor: float | None
) -> None:
    cues = [(1.0, "769")]
    values = data if factor is None else data / factor
    path = write_gdf(tmp_path / "a.gdf", values, RATE, LABELS, cues, version=version, unit=unit, unit_code=code)
    if factor is None:
        with pytest.raises(StreamMismatch, match=r"declares no unit.*stream\.unit=uV"):
            open_recording(path).eeg()
        return
    np.testing.assert_allclose(open_recording(path).eeg().data, data, rtol=1e-5, atol=1e-3)


def test_a_rate_that_edf_cannot_hold_is_refused_with_the_format_that_can_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from bci.engine.stream_info import Channel, StreamInfo

    info = StreamInfo(255.987, (Channel("C3"), Channel("C4")), source_id="s", name="amp")
    with XdfWriter(tmp_path / "a.xdf") as writer:
        values = np.random.default_rng(0).normal(0, 10, (2000, 2)).astype(np.float32)
        writer.write(writer.add_stream(header_xml(info, "float32")), values, 100 + np.arange(2000) / 255.987)
    where = ["export", str(tmp_path / "a.xdf"), "--out", str(tmp_path / "bids"), "--no-source", "--subject", "P1"]
    assert main([*where, "--format", "edf"]) == 2
    assert "255.987 Hz" in (said := capsys.readouterr().err)
    assert "--format brainvision" in said
    assert not (tmp_path / "bids").exists()
    assert main(where) == 0
    (written,) = (tmp_path / "bids").rglob("*.vhdr")
    assert open_recording(written).eeg().info.rate_hz == pytest.approx(255.987)


@pytest.mark.parametrize("suffix", [".edf", ".bdf", ".gdf", ".vhdr", ".fif", ".set", ".cnt", ".xdf", ".ov"])
def test_a_training_or_an_export_of_a_file_that_cannot_be_read_leaves_nothing_behind(
    tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"no recording " * 300)
    table = ["--set", "markers.table.1=left", "--set", "markers.table.2=right"]
    assert main(["train", str(path), "-o", str(tmp_path / "models" / "m.safetensors"), *table]) == 5
    assert main(["export", str(path), "--out", str(tmp_path / "bids"), "--subject", "P1"]) == 5
    said = capsys.readouterr().err
    assert said.count(f"error: {path}") == 2
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_place_that_cannot_be_written_is_named_in_a_sentence(
    tmp_path: Path, data: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_edf(tmp_path / "a.edf", data, RATE, LABELS, CUES)
    (tmp_path / "file").write_text("x")
    assert main(["export", str(path), "--out", str(tmp_path / "file" / "bids"), "--subject", "P1"]) != 0
    assert main(["salvage", str(path), "-o", str(tmp_path / "file" / "b.edf")]) == 5
    said = capsys.readouterr().err
    assert said.count(f"error: {tmp_path / 'file'}") == 2


def test_channels_of_another_rate_than_the_eeg_are_left_out_and_said_and_change_no_sample_of_it(
    tmp_path: Path, data: np.ndarray
) -> None:
    import edfio

    def signal(values: np.ndarray, rate: int, label: str) -> edfio.EdfSignal:
        return edfio.EdfSignal(values, rate, label=label, physical_dimension="uV", physical_range=(-500, 500))

    eeg = [signal(row, RATE, label) for row, label in zip(data.T, LABELS, strict=True)]
    noise = np.random.default_rng(1).normal(0, 50, 10_000)
    others = [signal(noise, 1000, "ECG"), signal(noise[:500], 50, "Acc X")]
    edfio.Edf([*eeg, *others], annotations=[edfio.EdfAnnotation(1.0, None, "left")]).write(tmp_path / "a.edf")
    recording = open_recording(tmp_path / "a.edf")
    assert recording.eeg().info.rate_hz == RATE
    assert recording.eeg().info.labels == tuple(LABELS)
    np.testing.assert_allclose(recording.eeg().data, data, atol=0.01)
    assert "ECG (1000 Hz), Acc X (50 Hz)" in recording.notes[0]


def test_a_header_in_which_no_number_of_records_was_written_yet_is_read(tmp_path: Path, data: np.ndarray) -> None:
    path = write_edf(tmp_path / "a.edf", data, RATE, LABELS, CUES)
    content = bytearray(path.read_bytes())
    content[236:244] = b" " * 8
    path.write_bytes(content)
    (note,) = same(path, data)
    assert "not closed" in note


def test_a_part_of_a_recording_is_refused_with_the_name_of_its_header(tmp_path: Path, data: np.ndarray) -> None:
    write_brainvision(tmp_path / "a.vhdr", data, RATE, LABELS, CUES)
    for name in ("a.edf.gz", "a.xdf.zip", "a.tar"):
        with pytest.raises(RecordingError, match="unpack it first"):
            open_recording(tmp_path / name)
    for name in ("a.eeg", "a.vmrk"):
        with pytest.raises(RecordingError, match=r"give its header instead, a\.vhdr"):
            open_recording(tmp_path / name)
