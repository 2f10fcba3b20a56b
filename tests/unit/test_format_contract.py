"""What every file format must do: the same recording comes out, wherever it was cut there is a sentence, and info tells it."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from format_writers import (
    write_brainvision,
    write_cnt,
    write_edf,
    write_fif,
    write_gdf,
    write_openvibe,
    write_set,
    write_xdf,
)

from bci.commands import main
from bci.errors import BciError
from bci.stream.files.readers import open_recording
from bci.stream.recording import RecordedStreams

RATE = 200
LABELS = ["C3", "Cz", "C4", "Pz"]
CUES = [(1.0, "769"), (2.5, "770"), (7.255, "769"), (9.5, "770")]
N = 10 * RATE

Writer = Callable[..., Path]
FORMATS: dict[str, tuple[str, Writer]] = {
    "edf": ("a.edf", write_edf),
    "bdf": ("a.bdf", partial(write_edf, bdf=True)),
    "gdf 1": ("a.gdf", partial(write_gdf, version="1.25")),
    "gdf 2": ("a.gdf", write_gdf),
    "brainvision": ("a.vhdr", write_brainvision),
    "brainvision by channel": ("a.vhdr", partial(write_brainvision, vectorized=True)),
    "fif": ("a_raw.fif", write_fif),
    "fif compressed": ("a_raw.fif.gz", write_fif),
    "eeglab": ("a.set", write_set),
    "eeglab with fdt": ("a.set", partial(write_set, beside=True)),
    "neuroscan": ("a.cnt", write_cnt),
    "xdf": ("a.xdf", write_xdf),
    "xdf compressed": ("a.xdf.gz", partial(write_xdf, packed=True)),
    "openvibe": ("a.ov", write_openvibe),
}


@pytest.fixture(scope="module")
def data() -> np.ndarray:
    """10 s of microvolts."""
    return np.random.default_rng(0).normal(0, 15, (N, len(LABELS)))


@pytest.fixture(params=FORMATS)
def written(request: pytest.FixtureRequest, tmp_path: Path, data: np.ndarray) -> Path:
    """The recording in one format."""
    name, write = FORMATS[request.param]
    return write(tmp_path / name, data, RATE, LABELS, CUES)


def test_the_same_channels_microvolts_rate_and_cues_come_out_of_every_format(written: Path, data: np.ndarray) -> None:
    recording = open_recording(written)
    signal = recording.eeg()
    assert signal.info.labels == tuple(LABELS)
    assert signal.info.rate_hz == RATE
    assert {c.type for c in signal.info.channels} == {"EEG"}
    np.testing.assert_allclose(signal.data, data, atol=0.01)
    np.testing.assert_allclose(signal.stamps - signal.stamps[0], np.arange(N) / RATE, atol=1e-6)
    found = [
        (stamp - signal.stamps[0], text.rsplit("/", 1)[-1])
        for markers in recording.markers
        for text, stamp in zip(markers.texts, markers.stamps.tolist(), strict=True)
    ]
    assert [text for _, text in found] == [text for _, text in CUES]
    np.testing.assert_allclose([at for at, _ in found], [at for at, _ in CUES], atol=0.5 / RATE)
    assert not [note for note in recording.notes if "declared" in note or "missing" in note or "cut" in note]


def test_info_tells_every_format_to_people_and_programs(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(written), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    signal = next(s for s in found["streams"] if s["nominal_hz"])
    assert [c["label"] for c in signal["layout"]] == LABELS
    assert (signal["samples"], signal["nominal_hz"], signal["gaps"]) == (N, RATE, 0)
    texts = {text.rsplit("/", 1)[-1]: n for s in found["streams"] for text, n in s["texts"].items()}
    assert texts == {"769": 2, "770": 2}
    assert main(["info", str(written)]) == 0
    shown = capsys.readouterr().out
    assert all(text in shown for text in ("C3 Cz C4 Pz", "200 Hz declared", "none", "× 2"))


def opened(path: Path) -> tuple[RecordedStreams | None, str]:
    """The recording, or why it is refused: in words that name it, and in no other way."""
    try:
        return open_recording(path), ""
    except BciError as error:
        said = str(error)
    assert str(path) in said
    return None, said


def heavy(path: Path) -> Path:
    """The file that holds the samples."""
    beside = [path.with_suffix(ending) for ending in (".eeg", ".fdt")]
    return next((p for p in beside if p.is_file()), path)


def test_a_file_cut_anywhere_is_read_as_far_as_it_goes_or_refused_in_one_sentence(written: Path, data: np.ndarray) -> None:
    for path in {written, heavy(written)}:
        whole = path.read_bytes()
        places = np.unique(np.concatenate([np.arange(0, 1200, 97), np.linspace(0, len(whole) - 1, 20).astype(int)]))
        for size in places[places < len(whole)].tolist():
            path.write_bytes(whole[:size])
            recording, refused = opened(written)
            assert "\n" not in refused
            for signal in recording.signals if recording else ():
                assert len(signal.data) <= N
                np.testing.assert_allclose(signal.data, data[: len(signal.data)], atol=0.01)
        path.write_bytes(whole)


def test_a_file_with_damaged_bytes_ends_in_no_traceback(written: Path) -> None:
    whole = written.read_bytes()
    chance = np.random.default_rng(5)
    for _ in range(30):
        bad = bytearray(whole)
        for at in chance.integers(0, min(len(whole), 2000), 4).tolist():
            bad[at] = int(chance.integers(0, 256))
        written.write_bytes(bad)
        opened(written)


def test_files_without_a_byte_or_of_noise_are_refused_with_their_name(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for content in (b"", b"\0" * 3000, np.random.default_rng(1).integers(0, 256, 5000, dtype=np.uint8).tobytes()):
        written.write_bytes(content)
        assert main(["info", str(written)]) == 5
        assert f"error: {written}" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["CRLF", "UTF-8"])
def test_a_file_that_was_transferred_as_text_is_refused_with_the_cause(written: Path, kind: str) -> None:
    path = heavy(written)
    whole = path.read_bytes()
    changed = whole.replace(b"\n", b"\r\n") if kind == "CRLF" else whole.decode("utf-8", "replace").encode()
    path.write_bytes(changed)
    with pytest.raises(BciError, match="copy the file again as binary"):
        open_recording(written)
