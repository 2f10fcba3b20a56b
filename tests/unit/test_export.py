"""``bci export``: a valid BIDS folder that holds the same samples and events, and nothing about a person."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest

from bci.bids.export import validate
from bci.commands import main
from bci.config import load_config
from bci.engine.chunk import Chunk
from bci.engine.stream_info import Channel, StreamInfo
from bci.evaluation.sources import find_sources
from bci.paradigm.timeline import short
from bci.settings import SessionConfig
from bci.simulation.simulate import record_virtually
from bci.stream.clock import VirtualClock
from bci.stream.files.even_grid import BOUNDARY, GAP, NONFINITE, even
from bci.stream.files.readers import open_recording
from bci.stream.metadata import header_xml, text_info
from bci.stream.xdf.writer import XdfWriter
from bci.training.epochs import Epochs
from bci.training.labelled import LabelledRun, open_labelled
from bci.training.resolved import resolve_decoder
from bci.training.train import run_epochs
from devices.simulated import SimulatedSettings, SimulatedSubject

RATE_HZ = 125.0
MONTAGE = str(Path(__file__).parents[1] / "benchmarks" / "results" / "labrecorder.toml")
CLASSES = ("left_hand", "right_hand")
INFO = StreamInfo(RATE_HZ, (Channel("C3"), Channel("C4")), name="a", sample_clock=True)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session as we record it."""
    clock = VirtualClock(1000.0)
    settings = SimulatedSettings(seed=1, channels=("C3", "Cz", "C4", "CP1", "CP2"), rate_hz=RATE_HZ)
    path = tmp_path_factory.mktemp("recorded") / "sub-P7_ses-2_task-mi_run-3_eeg.xdf"
    record_virtually(SimulatedSubject(settings, clock), clock, short(CLASSES, 2, 1), path)
    return path


def epochs_of(run: LabelledRun, config: SessionConfig) -> Epochs:
    return run_epochs(run, resolve_decoder(run.info, config), config)


def read_back(path: Path) -> tuple[np.ndarray, list[tuple[float, str]]]:  # type: ignore[type-arg]
    """Samples (µV) and events as mne-bids gives them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mne_bids

        raw = mne_bids.read_raw_bids(mne_bids.get_bids_path_from_fname(path), verbose="ERROR")
        data = raw.get_data().T * 1e6
    events = zip(raw.annotations.onset.tolist(), raw.annotations.description.tolist(), strict=True)
    return data, [(onset, str(text)) for onset, text in events if text != "BAD_ACQ_SKIP"]


@pytest.mark.parametrize("format", ["brainvision", "edf"])
def test_what_is_exported_is_valid_and_reads_back_with_equal_samples_and_events(
    recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], format: str
) -> None:
    assert main(["export", str(recorded), "--out", str(tmp_path), "--format", format, "--validate", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["problems"] == []
    written = result["files"][0]
    assert Path(written["path"]).parent == tmp_path / "sub-P7" / "ses-2" / "eeg"
    recording = open_recording(recorded)
    signal = recording.eeg()
    data, events = read_back(Path(written["path"]))
    assert len(signal.data) <= len(data) < len(signal.data) + RATE_HZ
    assert np.abs(data[: len(signal.data)] - signal.data).max() <= written["resolution_uv"] <= 0.02
    markers = recording.markers[0]
    onsets = (markers.stamps - signal.stamps[0]).tolist()
    assert [text for _, text in events] == [_NAMES[text] for text in markers.texts]
    assert np.allclose([onset for onset, _ in events], onsets, atol=0.5 / RATE_HZ + 1e-6)
    assert written["events"] == len(events)


_NAMES = {
    "768": "trial_start",
    "769": "left_hand",
    "770": "right_hand",
    "781": "feedback",
    "786": "cross",
    "800": "trial_end",
    "1010": "session_end",
}


def test_events_hold_the_codes_that_users_know_and_the_source_goes_along(
    recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(recorded), "--out", str(tmp_path), "--name", "Hands", "--licence", "CC0"]) == 0
    folder = tmp_path / "sub-P7" / "ses-2" / "eeg"
    rows = [line.split("\t") for line in (folder / "sub-P7_ses-2_task-mi_run-03_events.tsv").read_text().splitlines()]
    name, code = rows[0].index("trial_type"), rows[0].index("value")
    assert {(row[name], row[code]) for row in rows[1:]} == {(n, c) for c, n in _NAMES.items()}
    copied = tmp_path / "sourcedata" / "sub-P7" / "ses-2" / "eeg" / "sub-P7_ses-2_task-mi_run-03_eeg.xdf"
    assert copied.read_bytes() == recorded.read_bytes()
    described = json.loads((tmp_path / "dataset_description.json").read_text())
    assert (described["Name"], described["License"]) == ("Hands", "CC0")


def test_no_date_person_or_device_is_written(recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from datetime import UTC, datetime

    line = ["export", str(recorded), "--out", str(tmp_path), "--no-source"]
    assert main(line) == 0
    assert not (tmp_path / "sourcedata").exists()
    year = str(datetime.now(UTC).year)
    for path in sorted(p for p in tmp_path.rglob("*") if p.suffix in (".tsv", ".json", ".vhdr", ".vmrk")):
        text = path.read_text(encoding="utf-8")
        assert year not in text, path
        assert '"Authors"' not in text
        assert "Brain Products" not in text or path.suffix == ".vhdr"  # the format's own first line
    assert (tmp_path / "participants.tsv").read_text().splitlines()[1].split("\t") == ["sub-P7"] + ["n/a"] * 5


def test_an_export_is_never_overwritten_and_a_broken_folder_is_told(
    recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["export", str(recorded), "--out", str(tmp_path), "--no-source"]
    assert main(line) == 0
    assert main(line) == 5
    assert "already exists and is not overwritten" in capsys.readouterr().err
    events = tmp_path / "sub-P7" / "ses-2" / "eeg" / "sub-P7_ses-2_task-mi_run-03_events.tsv"
    events.write_text(events.read_text().replace("onset", "when", 1))
    assert any("onset" in problem for problem in validate(tmp_path))


def test_an_exported_folder_is_evaluated_like_the_recordings_it_was_made_from(
    recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(recorded), "--out", str(tmp_path)]) == 0
    config = load_config(None, {f"markers.table.{c}": c for c in CLASSES})
    codes = load_config(None, {"markers.table.769": CLASSES[0], "markers.table.770": CLASSES[1]})
    (back,) = [run for source in find_sources([tmp_path]) for run in source.open(config)]
    (own,) = [run for source in find_sources([recorded]) for run in source.open(codes)]
    assert (back.subject, back.session) == (own.subject, own.session) == ("P7", "2")
    assert [c.class_ for c in back.labelled.cues] == [c.class_ for c in own.labelled.cues]
    start_s = own.labelled.raw.stamps[0]
    times = [c.time_s - start_s for c in own.labelled.cues]
    assert np.allclose([c.time_s for c in back.labelled.cues], times, atol=0.5 / RATE_HZ + 1e-6)


@pytest.mark.slow
def test_what_was_lost_is_lost_in_the_exported_folder_too(
    tmp_path: Path, shared_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A recording of a consumer board that lost a quarter of its samples over a radio link."""
    source = shared_data / "labrecorder-mi" / "subjT_2022-04-07_run01.xdf"
    montage = ["--set", f"stream.montage={MONTAGE}"]
    assert main(["export", str(source), "--out", str(tmp_path), "--subject", "T", *montage, "--no-source", "--json"]) == 0
    written = json.loads(capsys.readouterr().out)["files"][0]
    assert written["gaps"] > 10
    table = {"markers.table.2": "left", "markers.table.3": "right"}
    config = load_config(None, {**table, "stream.montage": MONTAGE})
    (own,) = find_sources([source], "{subject}_{session}_run{run}")[0].open(config)
    (back,) = find_sources([tmp_path])[0].open(load_config(None, table))
    before, after = (epochs_of(run.labelled, config) for run in (own, back))
    assert after.labels.tolist() == before.labels.tolist()
    assert len(before.rejected) == len(after.rejected) > 5


def chunk(n: int = 1000) -> Chunk:
    data = np.random.default_rng(0).normal(0, 10, (n, 2))
    return Chunk(data, 50.0 + np.arange(n) / RATE_HZ)


def test_lost_samples_leave_time_true_and_are_marked() -> None:
    raw = chunk()
    kept = np.r_[0:400, 450:1000]
    placed = even(INFO, Chunk(raw.data[kept], raw.stamps[kept]), [(50.0 + 700 / RATE_HZ, "769")])
    assert len(placed.data) == 1000
    assert np.array_equal(placed.data[450:], raw.data[450:])
    assert [(m.text, m.sample, m.n_samples) for m in placed.marks] == [(GAP, 400, 50), ("769", 700, 0)]


def test_a_new_segment_is_a_boundary_and_markers_outside_of_the_signal_are_counted() -> None:
    raw = chunk()
    stamps = raw.stamps.copy()
    stamps[500:] += 1000.0
    placed = even(INFO, Chunk(raw.data, stamps), [(1050.0 + 600 / RATE_HZ, "a"), (40.0, "before"), (9999.0, "after")])
    assert np.array_equal(placed.data, raw.data)
    assert [(m.text, m.sample) for m in placed.marks] == [(BOUNDARY, 500), ("a", 600)]
    assert placed.left_out == 2


def test_values_that_are_no_number_become_lines_and_are_marked() -> None:
    raw = chunk()
    raw.data[10:12, 1] = np.nan
    placed = even(INFO, raw, [])
    assert np.isfinite(placed.data).all()
    assert np.array_equal(placed.data[:, 0], raw.data[:, 0])
    assert [(m.text, m.sample, m.n_samples) for m in placed.marks] == [(NONFINITE, 10, 2)]


def test_cues_of_an_export_are_those_of_the_recording_however_they_were_sent(tmp_path: Path) -> None:
    path, rate_hz = tmp_path / "sub-P7_ses-2_task-mi_run-3_eeg.xdf", 250
    info = StreamInfo(float(rate_hz), (*INFO.channels, Channel("TRIGGER", "TRIG", "")), source_id="a", name="Amp")
    data = np.random.default_rng(0).normal(0, 10, (30 * rate_hz, 3))
    data[:, 2] = 0
    cues = [(float(t), ("left_hand", "right_hand")[t % 2]) for t in range(2, 26, 3)]
    for t, class_ in cues:
        data[round(t * rate_hz) :][:25, 2] = 1 + (class_ == "right_hand")
    with XdfWriter(path) as writer:
        eeg = writer.add_stream(header_xml(info, "float32"))
        named = [
            writer.add_stream(header_xml(text_info(name, "Markers", name), "string")) for name in ("Cues", "Answers", "flips")
        ]
        for stream in (eeg, *named):
            writer.write_offset(stream, 0.0, 0.0)
        writer.write(eeg, data.astype(np.float32), np.arange(len(data)) / rate_hz)
        for t, class_ in cues:
            writer.write(named[0], [[json.dumps({"event": class_[0].upper()})]], np.array([t + 0.03]))
            writer.write(named[1], [["R" if class_ == "left_hand" else "L"]], np.array([t + 1.0]))
            writer.write(named[2], [["flip"], ["flip"]], np.array([t + 1.5, t + 1.516]))
        writer.write(named[0], [["1023"]], np.array([cues[3][0] + 2]))
    table = {"L": "left_hand", "1": "left_hand", "R": "right_hand", "2": "right_hand"}
    settings = {f"markers.table.{text}": class_ for text, class_ in table.items()}
    for stream in ("Cues", "Amp triggers"):
        chosen = {**settings, "markers.stream": stream, "markers.field": "event" if stream == "Cues" else ""}
        config = load_config(None, chosen)
        words = [word for key, value in chosen.items() for word in ("--set", f"{key}={value}")]
        out = tmp_path / stream.replace(" ", "")
        assert main(["export", str(path), "--out", str(out), *words, "--json"]) == 0
        (source,) = find_sources([out])
        (opened,) = source.open(config)
        source = open_labelled(path, config)
        assert len(source.cues) == len(cues) - 1
        assert [c.class_ for c in opened.labelled.cues] == [c.class_ for c in source.cues]
        assert np.allclose([c.time_s for c in opened.labelled.cues], [c.time_s for c in source.cues], atol=0.002 + 1e-6)
        _, events = read_back(next(out.rglob("*_eeg.vhdr")))
        assert sum(text == "flip" for _, text in events) == 2 * len(cues)


def test_what_people_marked_bad_is_marked_in_the_exported_folder_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import mne

    data = np.random.default_rng(0).normal(0, 1e-5, (4, 6000))
    raw = mne.io.RawArray(data, mne.create_info(["C3", "Cz", "C4", "Pz"], RATE_HZ, "eeg"), verbose="ERROR")
    raw.info["bads"] = ["Pz"]
    cues = np.arange(4.0, 44.0, 4.0)
    marked = [(9.0, 2.4, "BAD_talking", ()), (20.0, 4.0, "bad electrode", ("C4",)), (30.0, 0.0, "EDGE boundary", ())]
    notes = [(t, 0.0, "left" if i % 2 else "right", ()) for i, t in enumerate(cues)] + marked
    onset, duration, text, channels = (list(column) for column in zip(*notes, strict=True))
    raw.set_annotations(mne.Annotations(onset, duration, text, ch_names=channels))
    source = tmp_path / "sub-1_ses-1_task-mi_run-1_raw.fif"
    raw.save(source, verbose="ERROR")
    table = {"markers.table.left": "left", "markers.table.right": "right"}
    words = [w for key, value in table.items() for w in ("--set", f"{key}={value}")]
    assert main(["export", str(source), "--out", str(tmp_path / "bids"), "--json", *words]) == 0
    config = load_config(None, table)
    (back,) = find_sources([tmp_path / "bids"])[0].open(config)
    own = open_labelled(source, config)
    assert [(s.why, s.channels) for s in back.labelled.marked.spans] == [(s.why, s.channels) for s in own.marked.spans]
    ends = [[(s.start_s, s.stop_s) for s in run.marked.spans] for run in (own, back.labelled)]
    assert np.allclose(*ends, atol=1e-6)
    assert back.labelled.marked.channels == ("Pz",)
    assert [(s.why, s.channels) for s in own.marked.spans] == [(why, names) for _, _, why, names in marked]
    before, after = epochs_of(own, config), epochs_of(back.labelled, config)
    assert [why for _, why in after.rejected] == [why for _, why in before.rejected] != []
    assert after.bad.tolist() == before.bad.tolist()
    capsys.readouterr()
