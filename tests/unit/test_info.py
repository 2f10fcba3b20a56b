"""``bci info``: every format that is read, at any width, with what markers say, gaps as they are and true rates."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from format_writers import write_brainvision, write_edf
from scipy.io import savemat

from bci.commands import main
from bci.stream.metadata import header_xml, text_info
from bci.stream.xdf.writer import XdfWriter

RATE = 200
LABELS = ["C3", "Cz", "C4"]
CUES = [(1.0, "left"), (2.5, "right"), (7.255, "left")]


@pytest.fixture(scope="module")
def data() -> np.ndarray:
    """20 s of microvolts."""
    return np.random.default_rng(0).normal(0, 15, (20 * RATE, len(LABELS)))


def told(path: Path, capsys: pytest.CaptureFixture[str], code: int = 0) -> dict:  # type: ignore[type-arg]
    """What a program is told."""
    assert main(["info", str(path), "--json"]) == code
    return json.loads(capsys.readouterr().out)  # type: ignore[no-any-return]


def xdf(path: Path, stamps: np.ndarray, data: np.ndarray, cues: str = "Markers", cue_rate: float = 0.0) -> Path:
    from dataclasses import replace

    from bci.engine.stream_info import Channel, StreamInfo

    info = StreamInfo(RATE, tuple(Channel(label) for label in LABELS), source_id="s", name="amp")
    with XdfWriter(path) as writer:
        amp = writer.add_stream(header_xml(info, "float32"))
        marks = writer.add_stream(header_xml(replace(text_info("cues", cues, "c"), rate_hz=cue_rate), "string"))
        writer.write(amp, data[: len(stamps)].astype(np.float32), stamps)
        writer.write(marks, [[text] for _, text in CUES], np.array([at for at, _ in CUES]))
    return path


@pytest.mark.parametrize("kind", ["edf", "bdf", "vhdr", "set", "xdf", "xdf.gz"])
def test_every_format_is_told_with_channels_units_rate_and_what_its_markers_say(
    tmp_path: Path, data: np.ndarray, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"a.{kind}"
    if kind in ("edf", "bdf"):
        write_edf(path, data, RATE, LABELS, CUES, bdf=kind == "bdf")
    elif kind == "vhdr":
        write_brainvision(path, data, RATE, LABELS, CUES)
    elif kind == "set":
        events = np.array([(t, at * RATE + 1) for at, t in CUES], dtype=[("type", "O"), ("latency", "f8")])
        places = np.array([(label,) for label in LABELS], dtype=[("labels", "O")])
        savemat(path, {"srate": RATE, "nbchan": 3, "trials": 1, "data": data.T, "event": events, "chanlocs": places})
    else:
        xdf(tmp_path / "a.xdf", np.arange(len(data)) / RATE, data)
        if kind == "xdf.gz":
            path.write_bytes(gzip.compress((tmp_path / "a.xdf").read_bytes()))
    found = told(path, capsys)
    signal = next(s for s in found["streams"] if s["nominal_hz"])
    assert [(c["label"], c["type"], c["unit"]) for c in signal["layout"]] == [(label, "EEG", "uV") for label in LABELS]
    assert (signal["samples"], signal["nominal_hz"], signal["gaps"]) == (len(data), RATE, 0)
    assert signal["duration_s"] == pytest.approx(20, abs=0.01)
    texts = {text.removeprefix("Stimulus/"): n for s in found["streams"] for text, n in s["texts"].items()}
    assert texts == {"left": 2, "right": 1}
    assert len(found["sha256"]) == 64


def test_pauses_between_markers_are_no_gaps_even_where_they_declare_a_rate(
    tmp_path: Path, data: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    found = told(xdf(tmp_path / "a.xdf", np.arange(len(data)) / RATE, data, cue_rate=100.0), capsys)
    cues = next(s for s in found["streams"] if s["name"] == "cues")
    assert (cues["gaps"], cues["missing_s"], cues["segments"], cues["measured_hz"]) == (0, 0.0, 1, None)
    assert cues["duration_s"] == pytest.approx(6.255)


def test_a_short_loss_is_a_gap_and_the_rate_is_that_of_what_was_sent(
    tmp_path: Path, data: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    index = np.arange(len(data))
    kept = index[(index < 1000) | (index >= 1060)]
    found = told(xdf(tmp_path / "a.xdf", 50 + kept / (RATE * 1.004), data), capsys)
    signal = found["streams"][0]
    assert signal["gaps"] == 1
    assert signal["missing_s"] == pytest.approx(0.3, abs=0.01)
    assert signal["measured_hz"] == pytest.approx(RATE * 1.004, rel=2e-3)


def test_an_edf_file_that_was_cut_is_said_not_to_be_closed_with_what_is_missing(
    tmp_path: Path, data: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_edf(tmp_path / "a.edf", data, RATE, LABELS, CUES)
    assert told(path, capsys)["closed"]
    path.write_bytes(path.read_bytes()[:-500])
    assert not told(path, capsys)["closed"]
    assert main(["info", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "not closed" in shown
    assert "1 of 20 records (1 s) are missing" in " ".join(shown.split())


@pytest.mark.parametrize("columns", ["", "80", "60"])
def test_nothing_is_cut_at_eighty_columns_or_in_a_pipe(
    tmp_path: Path, data: np.ndarray, columns: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns:
        monkeypatch.setenv("COLUMNS", columns)
    path = write_edf(tmp_path / "a.edf", np.tile(data, 12), RATE, [f"EEG C{i}-REF" for i in range(36)], CUES)
    assert main(["info", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "\u2026" not in shown
    assert all(f"C{i}-REF" in shown for i in range(36))
    assert "'left' × 2, 'right' × 1" in shown
    assert max(len(line) for line in shown.splitlines() if "/" not in line) <= int(columns or 80)


def test_what_a_model_does_not_say_is_not_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from bci.commands.info import _plain, _says

    assert not _says(None)
    assert not _says({"eog": (), "eog_weights": []})
    assert _plain({"eog": (), "potato_z": 2.5}) == "potato_z 2.5"
    (tmp_path / "a.txt").write_text("x")
    assert main(["info", str(tmp_path / "a.txt")]) == 5
    assert "cannot be read; these can" in capsys.readouterr().err
