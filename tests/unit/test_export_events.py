"""Events of an export: every marker is named, and read back the trials are those of the source."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from recorded_parts import rhythm, write_recording

from bci.bids.event_names import EventNames
from bci.commands import main
from bci.config import load_config
from bci.evaluation.sources import find_sources
from bci.paradigm.cues import CueEvent
from bci.settings import SessionConfig
from bci.stream.files.bids_events import read_events
from bci.stream.markers.triggers import MarkerTable
from bci.training.labelled import open_labelled

RATE_HZ = 125.0
CUES = [(5.0 + 5 * i + 0.0013 * i, ("left", "right")[i % 2]) for i in range(8)]
OF_CLASS = {"left": ("769", "L", "left_hand", "left"), "right": ("770", "right hand", "R", "2")}
TABLE = {text: class_ for class_, texts in OF_CLASS.items() for text in texts}
BY_TEXT = {f"markers.table.{text}": class_ for text, class_ in TABLE.items()}


def config(table: dict[str, str]) -> SessionConfig:
    return load_config(None, table)


def trials(path: Path, table: dict[str, str]) -> list[CueEvent]:
    """Cues as `bci evaluate` finds them, on a clock that begins with the first sample."""
    (run,) = [run.labelled for source in find_sources([path]) for run in source.open(config(table))]
    return [CueEvent(cue.time_s - float(run.raw.stamps[0]), cue.class_) for cue in run.cues]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight trials, of which one was rejected; each class arrives as four different texts."""
    places = {"left": 0, "right": 0}
    markers = []
    for time_s, class_ in CUES:
        markers += [(time_s - 1, "768"), (time_s, OF_CLASS[class_][places[class_]])]
        places[class_] += 1
    markers += [(CUES[5][0] + 2, "1023"), (-3.0, "before"), (1e4, "after"), (CUES[0][0] + 1, "two words\tand a tab")]
    markers += [(CUES[1][0] + 1, "ends \x14 here")]  # what separates the annotations of an EDF file
    path = tmp_path_factory.mktemp("source") / "sub-1_task-mi_eeg.xdf"
    return write_recording(path, rhythm(CUES, RATE_HZ), sorted(markers), RATE_HZ)


@pytest.mark.parametrize("format", ["brainvision", "edf"])
def test_every_marker_of_a_class_has_its_name_and_the_trials_read_back_are_those_of_the_source(
    source: Path, tmp_path: Path, format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [word for key, value in BY_TEXT.items() for word in ("--set", f"{key}={value}")]
    assert main(["export", str(source), "--out", str(tmp_path), "--no-source", "--format", format, *options]) == 0
    said = capsys.readouterr().out
    assert "2 markers outside the signal" in said
    assert "note: sub-1_task-mi_eeg.xdf: 1 trial is left out: marked as rejected (1023)" in said
    (events,) = tmp_path.rglob("*_events.tsv")
    rows = list(csv.DictReader(events.read_text(encoding="utf-8").splitlines(), delimiter="\t"))
    assert [row["trial_type"] for row in rows if row["trial_type"] in ("left", "right")] == [class_ for _, class_ in CUES]
    assert {row["marker"] for row in rows} >= set(TABLE) | {"768", "1023", "two words and a tab", "ends here"}
    assert len({(row["trial_type"], row["value"]) for row in rows}) == len({row["trial_type"] for row in rows})
    own = trials(source, BY_TEXT)
    assert len(own) == 7  # one was rejected
    for table in (BY_TEXT, {"markers.table.left": "left", "markers.table.right": "right"}):
        back = trials(tmp_path, table)
        alone = open_labelled(next(p for p in tmp_path.rglob("*_eeg.*") if p.suffix in (".vhdr", ".edf")), config(table))
        assert alone.cues == tuple(back)
        assert alone.sha256
        assert [t.class_ for t in back] == [t.class_ for t in own]
        assert np.abs(np.array([b.time_s - o.time_s for b, o in zip(back, own, strict=True)])).max() <= 0.5 / RATE_HZ + 1e-9


def test_names_and_codes_belong_together_one_to_one_whatever_the_texts_are() -> None:
    names = EventNames(MarkerTable({"769": "left", "left": "left", "7": "left", "left_hand": "other"}))
    texts = ["7", "left", "769", "left_hand", "2 foo", "2 bar", "BAD_gap", "32001", "40001", "hello", "x" * 99, "", "769.0"]
    found = [names.of(text) for text in texts]
    assert found[:3] == ["left"] * 3
    assert found[3] == "other"
    assert found[-1] == "left"
    assert set(found) == set(names.codes)
    assert len(set(names.codes.values())) == len(names.codes)
    assert max(map(len, found)) <= 64


def test_events_of_other_peoples_folders_are_known_by_type_or_by_value(tmp_path: Path) -> None:
    path = tmp_path / "sub-1_task-a_eeg.vhdr"
    (tmp_path / "sub-1_task-a_events.tsv").write_text(
        "onset\tduration\ttrial_type\tvalue\n1.5\tn/a\tleft\t1\n2.5\t0\tn/a\t2\nn/a\t0\tleft\t1\n", encoding="utf-8"
    )
    events = read_events(path)
    assert [(e.onset_s, e.duration_s, e.texts) for e in events] == [(1.5, 0.0, ("left", "1")), (2.5, 0.0, ("2",))]
    assert [e.text(MarkerTable({"1": "a", "2": "b"})) for e in events] == ["1", "2"]
    assert [e.text(MarkerTable({"left": "a"})) for e in events] == ["left", "2"]
    assert read_events(tmp_path / "sub-2_task-a_eeg.vhdr") == ()


@pytest.mark.parametrize("format", ["brainvision", "edf"])
def test_a_rejection_that_lasts_rejects_the_same_trial_in_the_export(tmp_path: Path, format: str) -> None:
    import mne

    raw = mne.io.RawArray(rhythm(CUES, RATE_HZ).T * 1e-6, mne.create_info(6, RATE_HZ, "eeg"), verbose="ERROR")
    notes = [(t, 0.0, c) for t, c in CUES] + [(CUES[3][0] - 1, 4.0, "1023"), (CUES[6][0] + 1, 0.0, "1023")]
    raw.set_annotations(mne.Annotations(*map(list, zip(*notes, strict=True))), verbose="ERROR")
    raw.save(tmp_path / "sub-1_raw.fif", verbose="ERROR")
    table = {f"markers.table.{c}": c for c in ("left", "right")}
    own = [cue.time_s for cue in open_labelled(tmp_path / "sub-1_raw.fif", config(table)).cues]
    assert own == pytest.approx([t for i, (t, _) in enumerate(CUES) if i not in (3, 6)], abs=1e-5)  # FIF keeps float32
    options = [word for key, value in table.items() for word in ("--set", f"{key}={value}")]
    assert main(["export", str(tmp_path / "sub-1_raw.fif"), "--out", str(tmp_path / "set"), "--format", format, *options]) == 0
    assert [t.time_s for t in trials(tmp_path / "set", table)] == pytest.approx(own, abs=1 / RATE_HZ)
