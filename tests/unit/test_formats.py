"""Files as other people's programs, renames, crashes and transfers leave them: read with a note, or refused in words."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import numpy as np
import pytest
from format_writers import write_brainvision, write_edf

from bci.errors import RecordingError
from bci.stream import unpack
from bci.stream.metadata import header_xml, text_info
from bci.stream.readers import open_recording
from bci.stream.xdf_reader import read_xdf
from bci.stream.xdf_writer import XdfWriter

RATE = 200
LABELS = ["C3", "Cz", "C4"]
CUES = [(1.0, "left"), (2.5, "right"), (7.255, "left")]


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
    with pytest.raises(RecordingError, match=r"is a BDF file.*rename it to a\.bdf"):
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
        "names old.eeg, which is not there; new.eeg beside it is read instead",
        "names old.vmrk, which is not there; new.vmrk beside it is read instead",
    )


@pytest.mark.parametrize("named", ["$b", "C:\\recordings\\A", "/home/somebody/A"])
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


def test_a_brainvision_header_without_its_data_is_refused_with_what_to_change(tmp_path: Path, data: np.ndarray) -> None:
    path = write_brainvision(tmp_path / "a.vhdr", data, RATE, LABELS, CUES, named="old")
    path.with_suffix(".eeg").unlink()
    with pytest.raises(RecordingError, match=r"'old\.eeg'.*neither that nor a\.eeg.*DataFile="):
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
    with pytest.raises(RecordingError, match="nobody can say where each begins"):
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
    from bci.stream import readers

    path = tmp_path / "a.ov"
    path.write_bytes(b"x")
    for error, says in ((Exception("odd"), r"a\.ov.*odd"), (MemoryError(), "more memory"), (KeyError("x"), "Copy it again")):

        def fail(_: Path, error: BaseException = error) -> None:
            raise error

        monkeypatch.setitem(readers.READERS, ".ov", fail)
        with pytest.raises(RecordingError, match=says):
            open_recording(path)
