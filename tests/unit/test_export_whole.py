"""An export is whole or not at all, holds the very samples, and needs little memory."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from recorded_parts import LABELS, START_S, rhythm, write_recording

from bci.bids import export as bids
from bci.bids import signal_files, staging
from bci.bids.export import ExportChoices, export, validate
from bci.bids.signal_files import record_s
from bci.commands import INTERRUPTED, main
from bci.config import load_config
from bci.engine.stream_info import Channel, StreamInfo
from bci.stream.files.even_grid import BLOCK, Even
from bci.stream.files.readers import open_recording
from bci.stream.files.stored import Columns, StoredSamples
from bci.stream.markers.marked import BadSpan
from bci.stream.recording import RecordedStreams

CUES = [(3.0 + 3 * i, ("left", "right")[i % 2]) for i in range(6)]
TABLE = ("--set", "markers.table.left=left", "--set", "markers.table.right=right")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("source") / "sub-1_task-mi_run-1_eeg.xdf"
    return write_recording(path, rhythm(CUES), CUES)


def everything(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def lines(path: Path, out: Path, *more: str) -> list[str]:
    return ["export", str(path), "--out", str(out), *TABLE, *more]


def test_samples_of_brainvision_are_those_of_the_recording_bit_for_bit_and_of_edf_to_one_step(
    source: Path, tmp_path: Path
) -> None:
    import mne

    recorded = open_recording(source).eeg().data
    for format, suffix, read in (("brainvision", ".vhdr", "vhdr"), ("edf", ".edf", "edf")):
        assert main(lines(source, tmp_path / format, "--format", format, "--no-source")) == 0
        (path,) = (tmp_path / format).rglob(f"*_eeg{suffix}")
        if format == "brainvision":
            stored = np.fromfile(path.with_suffix(".eeg"), "<f4").reshape(-1, len(LABELS))
            assert np.array_equal(stored.astype(np.float64), recorded), read
            continue
        data = mne.io.read_raw_edf(path, verbose="ERROR").get_data().T[: len(recorded)] * 1e6
        assert (np.abs(data - recorded).max(axis=0) <= np.ptp(recorded, axis=0) / 65535 * 0.51 + 1e-6).all()


@pytest.mark.parametrize("rate_hz", [256.5, 99.9, 250.25])
def test_edf_holds_rates_whose_samples_fill_records_of_some_whole_seconds(rate_hz: float, tmp_path: Path) -> None:
    import mne

    path = write_recording(tmp_path / "sub-1_task-a_eeg.xdf", rhythm(CUES, rate_hz), CUES, rate_hz)
    assert main(lines(path, tmp_path / "out", "--format", "edf", "--no-source")) == 0
    (written,) = (tmp_path / "out").rglob("*.edf")
    raw = mne.io.read_raw_edf(written, verbose="ERROR")
    assert raw.info["sfreq"] == pytest.approx(rate_hz, abs=1e-9)
    cues = [
        onset for onset, text in zip(raw.annotations.onset, raw.annotations.description, strict=True) if text in ("left", "right")
    ]
    assert np.allclose(cues, [t for t, _ in CUES], atol=0.5 / rate_hz + 1e-6)


def test_what_edf_cannot_hold_is_refused_before_anything_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert record_s(255.987) == 0
    path = write_recording(tmp_path / "sub-1_task-a_eeg.xdf", rhythm(CUES, 255.987), CUES, 255.987)
    assert main(lines(path, tmp_path / "out", "--format", "edf")) == 2
    said = capsys.readouterr().err
    assert "255.987 Hz" in said
    assert "--format brainvision" in said
    assert (
        sorted(p.name for p in tmp_path.iterdir()) == ["sub-1_task-a_eeg.xdf", "sub-1_task-a_eeg.xdf.sha256"]
        or not (tmp_path / "out").exists()
    )
    long = StreamInfo(250.0, (Channel("a name beyond sixteen letters"),))
    with pytest.raises(signal_files.ConfigError, match="longer"):
        signal_files.check_edf(long, "f")


@pytest.fixture
def begun(source: Path, tmp_path: Path) -> Iterator[tuple[Path, dict[str, bytes]]]:
    """A data set with one recording in it; afterwards it must be what it was, with nothing beside it."""
    out = tmp_path / "set"
    assert main(lines(source, out, "--no-source")) == 0
    before = everything(out)
    yield out, before
    assert everything(out) == before
    assert [p.name for p in tmp_path.iterdir()] == ["set"]
    assert validate(out) == []


def another(source: Path, folder: Path) -> Path:
    """The same recording as that of another person."""
    path = folder / "sub-2_task-mi_run-1_eeg.xdf"
    path.write_bytes(source.read_bytes())
    return path


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")])
@pytest.mark.parametrize("where", ["samples", "descriptions", "moving"])
def test_an_export_that_fails_or_is_interrupted_leaves_the_data_set_as_it_was(
    begun: tuple[Path, dict[str, bytes]],
    source: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    where: str,
    error: BaseException,
) -> None:
    out, _ = begun
    calls = 0

    def fails(*_: object, **__: object) -> None:
        nonlocal calls
        calls += 1
        if where != "moving" or calls > 3:
            raise error
        replaced(*_)  # type: ignore[arg-type]

    replaced = staging.os.replace
    if where == "samples":
        monkeypatch.setattr(Even, "block", fails)
    elif where == "descriptions":
        monkeypatch.setattr(bids, "_complete", fails)
    else:
        monkeypatch.setattr("bci.bids.staging.os.replace", fails)
    code = main(lines(another(source, tmp_path_factory.mktemp("other")), out, "--no-source"))
    monkeypatch.undo()
    assert code == (INTERRUPTED if isinstance(error, KeyboardInterrupt) else 5)
    if code == 5:
        assert "No space left" in capsys.readouterr().err


def test_what_was_marked_bad_is_bad_in_the_export_for_as_long(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bci.evaluation.sources import find_sources

    def marked(*_: object, **__: object) -> RecordedStreams:
        found = open_recording(source)
        span = BadSpan(START_S + 4.0, START_S + 6.0, "BAD_muscle")
        (signal,) = (replace(s, bad_channels=("P3",), bad_spans=(span,)) for s in found.signals)
        return replace(found, signals=(signal,))

    monkeypatch.setattr(bids, "open_with", marked)
    config = load_config(None, {"markers.table.left": "left", "markers.table.right": "right"})
    export(source, tmp_path / "out", config, ExportChoices(source=False))
    ((opened,),) = (source.open(config) for source in find_sources([tmp_path / "out"]))
    assert opened.labelled.marked.channels == ("P3",)
    (found,) = opened.labelled.marked.spans
    assert (found.why, found.start_s, found.stop_s) == ("BAD_muscle", pytest.approx(4.0), pytest.approx(6.0))
    assert len(opened.labelled.cues) == len(CUES)


@pytest.mark.parametrize("format", ["brainvision", "edf"])
def test_an_export_never_asks_for_more_than_a_block_of_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str
) -> None:
    """The resident size of the whole process is measured by tests/benchmarks/bench_export.py."""
    rate_hz = 1000.0
    data = np.random.default_rng(0).normal(0, 20, (5 * BLOCK, 4)).astype(np.float32)
    path = write_recording(tmp_path / "sub-1_task-a_eeg.xdf", data, [(5.0, "left")], rate_hz, labels=LABELS[:4])
    asked: list[int] = []
    read = StoredSamples.__getitem__

    def noted(self: StoredSamples, key: slice | tuple[slice, Columns]) -> npt.NDArray[np.float64]:
        found = read(self, key)
        asked.append(len(found))
        return found

    monkeypatch.setattr(StoredSamples, "__getitem__", noted)
    config = load_config(None, {"markers.table.left": "left"})
    export(path, tmp_path / "out", config, ExportChoices(format, source=False))
    assert 0 < max(asked) <= BLOCK + 1
    assert sum(asked) >= 2 * len(data)


@pytest.mark.parametrize("format", ["brainvision", "edf"])
def test_what_stays_in_its_file_is_what_is_read_from_it(source: Path, tmp_path: Path, format: str) -> None:
    assert main(lines(source, tmp_path / "out", "--format", format, "--no-source")) == 0
    (written,) = (p for p in (tmp_path / "out").rglob("*_eeg.*") if p.suffix in (".vhdr", ".edf"))
    for path in (source, written):
        whole, stored = (open_recording(path, stored=stays).eeg() for stays in (False, True))
        assert isinstance(stored.data, StoredSamples)
        assert (stored.info, stored.data.shape) == (whole.info, whole.data.shape)
        assert np.array_equal(np.asarray(stored.data), whole.data)
        assert np.array_equal(stored.data[490:1510, [3, 1]], whole.data[490:1510][:, [3, 1]])
        assert np.array_equal(stored.data[-7:], whole.data[-7:])
        np.testing.assert_allclose((stored.data * np.arange(1.0, 7.0))[5:6], whole.data[5:6] * np.arange(1.0, 7.0), rtol=1e-14)
        assert len(stored.data[20:10]) == 0
    assert main(lines(written, tmp_path / "again", "--no-source", "--subject", "9")) == 0
    (copied,) = (tmp_path / "again").rglob("*.eeg")
    assert np.array_equal(np.fromfile(copied, "<f4").reshape(-1, len(LABELS)), whole.data.astype("<f4"))
