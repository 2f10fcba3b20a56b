"""``bci evaluate``: the same table whoever computes it, no leak between blocks, and nothing done twice."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from bci.bids.entities import names_in
from bci.commands import main
from bci.config import load_config
from bci.engine.engine import Engine
from bci.engine.preprocessing import Preprocessing
from bci.errors import ConfigError
from bci.evaluation.cutting import Cut, filled_by, keep, kept
from bci.evaluation.plan import Cell, Choices
from bci.evaluation.protocols import drawn, rows_of
from bci.evaluation.public import moabb_data_set
from bci.evaluation.sources import FileSource, find_sources
from bci.evaluation.table import COLUMNS, TIMING
from bci.paradigm.timeline import short
from bci.simulation.simulate import record_virtually
from bci.stream.clock import VirtualClock
from bci.training.decoding import decode_at_cues
from bci.training.epochs import Epochs
from bci.training.labelled import open_labelled
from bci.training.train import train
from devices.simulated import SimulatedSettings, SimulatedSubject

CLASSES = ("left_hand", "right_hand")
TABLE = ["--set", "markers.table.769=left_hand", "--set", "markers.table.770=right_hand"]
ALL = ["within", "cross-session", "cross-subject", "few-shot", "pseudo-online"]
LABELS = ("C3", "Cz", "C4", "Pz")
PREPROCESSING = Preprocessing(100.0, LABELS, window=100, hop=10, notch_hz=0)


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two simulated people, the first with two sessions."""
    folder = tmp_path_factory.mktemp("people")
    for subject, session, seed in (("P1", "1", 1), ("P1", "2", 2), ("P2", "1", 3)):
        clock = VirtualClock(1000.0)
        settings = SimulatedSettings(seed=seed, skill=0.9, channels=("C3", "Cz", "C4", "CP1", "CP2"), rate_hz=125.0)
        path = folder / f"sub-{subject}_ses-{session}_task-mi_run-1_eeg.xdf"
        record_virtually(SimulatedSubject(settings, clock), clock, short(CLASSES, 8, seed), path)
    return folder


@pytest.fixture(scope="module")
def done(people: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, str]]]:
    """Every protocol, computed by one process: the folder and the table."""
    out = tmp_path_factory.mktemp("done")
    return out, evaluated(out, *words(people, "--jobs", "1"))


def evaluated(out: Path, *words: str) -> list[dict[str, str]]:
    """Rows of the table that a command line makes, timing left out."""
    assert main(["evaluate", *words, "--out", str(out), "--plots", "none", "--json"]) == 0
    with (out / "table.csv").open(encoding="utf-8") as file:
        return [{k: v for k, v in row.items() if k not in TIMING} for row in csv.DictReader(file)]


def words(people: Path, *more: str) -> list[str]:
    return [str(people), *TABLE, "--draws", "2", "--trials", "1,4", *(w for p in ALL for w in ("--protocol", p)), *more]


@pytest.mark.slow
def test_every_protocol_gives_its_rows_and_one_process_the_same_as_two(
    people: Path, tmp_path: Path, done: tuple[Path, list[dict[str, str]]]
) -> None:
    alone = done[1]
    assert evaluated(tmp_path, *words(people, "--jobs", "2")) == alone
    where = [(r["protocol"], r["subject"], r["session"]) for r in alone]
    for protocol in ("within", "cross-subject", "pseudo-online"):
        assert [w[1:] for w in where if w[0] == protocol] == [("P1", "1"), ("P1", "2"), ("P2", "1")]
    assert [w[1:] for w in where if w[0] == "cross-session"] == [("P1", "2")]
    few = [(r["trials_per_class"], r["draw"]) for r in alone if r["protocol"] == "few-shot" and r["subject"] == "P2"]
    assert few == [("1", "0"), ("1", "1"), ("4", "0"), ("4", "1")]
    assert all(r["accuracy"] for r in alone), [r["note"] for r in alone if not r["accuracy"]]
    online = [r for r in alone if r["protocol"] == "pseudo-online"]
    assert all(r["nmcc"] and r["false_per_min"] and r["idle_min"] and r["itr_nykopp"] for r in online)


def test_what_is_finished_is_kept_and_a_change_of_settings_is_computed_anew(
    people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = [str(people), *TABLE, "--jobs", "1"]
    first = evaluated(tmp_path, *one)
    capsys.readouterr()
    cells = sorted((tmp_path / "cells").iterdir())
    cells[0].unlink()  # as after an interruption
    assert evaluated(tmp_path, *one) == first
    document = json.loads(capsys.readouterr().out)
    assert (document["computed"], document["kept"]) == (1, 2)
    evaluated(tmp_path, *one, "--folds", "4")
    document = json.loads(capsys.readouterr().out)
    assert (document["computed"], document["kept"]) == (3, 0)


def test_any_moabb_data_set_is_evaluated_by_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = "FakeDataset(seed=1, n_subjects=2, n_sessions=2, n_runs=1, n_events=24, duration=100, event_list=('left', 'right'))"
    rows = evaluated(tmp_path, "--moabb", spec, "--jobs", "1", "--protocol", "within", "--protocol", "cross-session")
    assert [(r["subject"], r["session"], r["n_test"]) for r in rows if r["protocol"] == "within"] == [
        ("1", "0", "24"), ("1", "1", "24"), ("2", "0", "24"), ("2", "1", "24")
    ]  # fmt: skip
    assert [(r["subject"], r["train"], r["session"]) for r in rows if r["protocol"] == "cross-session"] == [
        ("1", "0", "1"), ("2", "0", "1")
    ]  # fmt: skip


def test_a_head_start_has_rows_of_its_own_from_no_own_trial_on(
    people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    protocols = [
        "--protocol",
        "few-shot",
        "--protocol",
        "cross-subject",
        "--head-start",
        "--jobs",
        "1",
        "--draws",
        "1",
        "--trials",
        "2",
    ]
    rows = evaluated(tmp_path, str(people), *TABLE, *protocols, "--decoder", "ts-lr", "--decoder", "csp-lda")
    few = [r for r in rows if r["protocol"] == "few-shot" and (r["subject"], r["session"]) == ("P1", "1")]
    assert [(r["decoder"], r["head_start"], r["trials_per_class"], r["n_train"], r["train"]) for r in few] == [
        ("csp-lda", "False", "2", "4", "first half"),
        ("head-start", "True", "0", "0", "first half + 1 others"),
        ("head-start", "True", "2", "4", "first half + 1 others"),
        ("ts-lr", "False", "2", "4", "first half"),
    ]
    across = [(r["decoder"], r["accuracy"] != "") for r in rows if r["protocol"] == "cross-subject"]
    assert across == [("csp-lda", True)] * 3 + [("head-start", True)] * 3 + [("ts-lr", True)] * 3


def test_the_engine_with_recentring_and_without_decodes_the_same_later_trials(people: Path, tmp_path: Path) -> None:
    rows = evaluated(tmp_path, str(people), *TABLE, "--jobs", "1", "--protocol", "cross-session", "--protocol", "recentring")
    by_decoder = {(r["protocol"], r["decoder"]): r for r in rows}
    assert set(by_decoder) == {("cross-session", "ts-lr"), ("recentring", "ts-lr"), ("recentring", "ts-lr, recentred")}
    plain, moved = by_decoder["recentring", "ts-lr"], by_decoder["recentring", "ts-lr, recentred"]
    assert plain["trials"] == by_decoder["cross-session", "ts-lr"]["trials"]
    assert [t[:-1] for t in plain["trials"].split()] == [t[:-1] for t in moved["trials"].split()]


def test_an_engine_that_saw_a_recording_before_decodes_the_cues_of_the_next_one_when_they_come(people: Path) -> None:
    config = load_config(None, {"markers.table.769": "left_hand", "markers.table.770": "right_hand"})
    runs = [open_labelled(people / f"sub-P1_ses-{n}_task-mi_run-1_eeg.xdf", config) for n in (1, 2)]
    engine = Engine(runs[0].info, train(runs[:1], config).model.decoder(), config.engine_settings())
    for run in runs:
        late = [o.stamp - cue.time_s for cue, o in decode_at_cues(engine, run.raw, run.cues, 2.5) if o is not None]
        assert len(late) == len(run.cues) == 16
        assert all(2.49 <= x <= 2.55 for x in late)


def test_a_decoder_whose_training_is_random_is_trained_with_every_seed_and_the_others_once(
    people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = ["--set", "decoder.name=eegnet", "--set", "decoder.settings.epochs=2", "--decoder", "eegnet", "--decoder", "ts-lr"]
    rows = evaluated(tmp_path, str(people), *TABLE, *network, "--seeds", "2", "--jobs", "1", "--protocol", "cross-session")
    assert [(r["decoder"], r["seed"]) for r in rows] == [("eegnet", "0"), ("eegnet", "1"), ("ts-lr", "")]
    assert len({r["fits"] for r in rows}) == 1
    compared = json.loads(capsys.readouterr().out)["compared"]
    assert [(c["decoder"], c["baseline"], c["seeds"], len(c["by_seed"])) for c in compared] == [("eegnet", "ts-lr", 2, 2)]
    assert all(c["step_us"] > 0 and c["fit_s"] > 0 for c in compared)


@pytest.mark.slow
def test_a_dask_scheduler_gives_the_same_table(people: Path, tmp_path: Path, done: tuple[Path, list[dict[str, str]]]) -> None:
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        given = evaluated(tmp_path / "given", *words(people, "--cluster", cluster.scheduler_address))
    assert given == done[1]
    own = evaluated(tmp_path / "own", str(people), *TABLE, "--jobs", "1", "--cluster", "local")
    assert own == [row for row in done[1] if row["protocol"] == "within"]


def test_an_old_name_of_a_protocol_is_accepted_with_a_warning_that_names_the_new_one(
    people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = evaluated(tmp_path, str(people), *TABLE, "--jobs", "1", "--protocol", "sessions", "--protocol", "cross-session")
    assert {r["protocol"] for r in rows} == {"cross-session"}
    assert "protocol 'sessions' is now called 'cross-session'" in capsys.readouterr().err
    assert main(["evaluate", str(people), *TABLE, "--protocol", "nonsense"]) == 2
    assert "must be one of within, chronological, cross-session, cross-subject" in capsys.readouterr().err


def test_the_table_and_the_plots_are_written_for_people(
    people: Path, done: tuple[Path, list[dict[str, str]]], capsys: pytest.CaptureFixture[str]
) -> None:
    out = done[0]
    assert main(["evaluate", *words(people, "--jobs", "1"), "--out", str(out), "--plots", "svg"]) == 0
    told = capsys.readouterr().out
    assert "0 results computed" in told
    text = (out / "table.md").read_text(encoding="utf-8")
    assert "| within | " in text
    assert text.startswith(told.split("\n\n")[0])
    assert {p.name for p in out.glob("*.svg")} == {"accuracy.svg", "few-shot.svg", "pseudo-online.svg"}
    assert tuple((out / "table.csv").read_text(encoding="utf-8").splitlines()[0].split(",")) == COLUMNS


def cell(folder: Path, parts: list[Epochs], protocol: str = "within") -> Cell:
    """A cell over trials that are kept already."""
    cuts = []
    for i, part in enumerate(parts):
        path = folder / f"{i}.npz"
        keep(path, part)
        cuts.append(Cut(path, FileSource(path, "d", "s", "1", str(i)), 0, "s", "1", str(i), PREPROCESSING))
    config = load_config(None, {"trial.stop_s": "2.5"})
    return Cell(protocol, "d", "s", "1", "x", "ts-lr", False, tuple(cuts), (), (), PREPROCESSING, config, Choices())


def trials(labels: list[str], seed: int = 0, drift: float = 0.0, skill: float = 0.0) -> Epochs:
    """Noise whose size drifts from trial to trial; with skill, C3 is quieter in the class left."""
    rng = np.random.default_rng(seed)
    n = len(labels)
    windows = rng.normal(0, 10, (n, 1, 100, len(LABELS)))
    windows[..., 1] *= (1 + drift * np.arange(n) / n)[:, None, None]
    windows[..., 0] *= np.where(np.array(labels) == "left", 1 - skill, 1.0)[:, None, None]
    return Epochs(windows, np.array(labels), np.zeros(n, dtype=int), np.zeros((n, len(LABELS)), dtype=bool))


def test_slow_drift_within_blocks_of_one_class_is_not_taken_for_skill(tmp_path: Path) -> None:
    """Classes come in long blocks while the signal drifts: shuffled folds would decode the drift."""
    labels = [c for block in range(8) for c in ["left", "right"][block % 2 : block % 2 + 1] * 10]
    drifting = trials(labels, drift=8.0)
    row = rows_of(cell(tmp_path, [drifting]))[0]
    assert row.accuracy is not None
    assert row.low is not None
    assert row.low <= 0.5
    skilled = rows_of(cell(tmp_path, [trials(["left", "right"] * 40, skill=0.6)]))[0]
    assert skilled.low is not None
    assert skilled.low > 0.6


def test_three_runs_or_more_are_left_out_as_a_whole(tmp_path: Path) -> None:
    parts = [trials(["left", "right"] * 10, seed=i) for i in range(3)]
    row = rows_of(cell(tmp_path, parts))[0]
    assert (row.n_train, row.n_test) == (40, 60)


def test_a_session_that_cannot_be_evaluated_says_why_and_does_not_stop_the_others(tmp_path: Path) -> None:
    row = rows_of(cell(tmp_path, [trials(["left"] * 20)]))[0]
    assert row.accuracy is None
    assert "only one class" in row.note


def test_a_bad_channel_of_a_test_trial_is_filled_in_from_training_trials_only() -> None:
    train, test = trials(["left", "right"] * 10), trials(["left", "right"] * 3, seed=9)
    test.bad[2, 3] = True
    other = trials(["left", "right"] * 3, seed=10)
    other.windows[2] = test.windows[2]
    other.bad[2, 3] = True
    one, two = filled_by(train, test, LABELS), filled_by(train, other, LABELS)
    assert np.array_equal(one.windows[2], two.windows[2])
    assert not np.array_equal(one.windows[2], test.windows[2])
    assert np.array_equal(one.windows[[0, 1, 3, 4, 5]], test.windows[[0, 1, 3, 4, 5]])


def test_kept_trials_come_back_bit_for_bit(tmp_path: Path) -> None:
    epochs = trials(["left", "right"] * 5)
    keep(tmp_path / "a.npz", epochs)
    back = kept(tmp_path / "a.npz")
    assert np.array_equal(back.windows, epochs.windows)
    assert back.labels.tolist() == epochs.labels.tolist()


def test_the_first_draw_is_the_first_trials_and_fewer_are_part_of_more() -> None:
    labels = ["a", "b", "b", "a", "a", "b", "a", "b"]
    assert drawn(labels, 2, 0, seed=5) == [0, 1, 2, 3]
    for draw in range(1, 5):
        one, two = drawn(labels, 1, draw, seed=5), drawn(labels, 3, draw, seed=5)
        assert one is not None
        assert two is not None
        assert set(one) < set(two)
    assert drawn(labels, 5, 0, seed=5) is None
    assert drawn(labels, 2, 3, seed=5) == drawn(labels, 2, 3, seed=5)
    assert len({tuple(drawn(labels, 2, d, seed=5) or ()) for d in range(1, 9)}) > 1


@pytest.mark.parametrize(
    ("path", "pattern", "found"),
    [
        ("sub-P3/ses-2/eeg/sub-P3_ses-2_run-01_eeg.xdf", "", {"subject": "P3", "session": "2", "run": "01"}),
        ("S03/S03_RUN1.edf", "{subject}/{subject}_RUN{run}", {"subject": "S03", "run": "1"}),
        ("T_2022-04-07_run02.xdf", "{subject}_{session}_run{run}", {"subject": "T", "session": "2022-04-07", "run": "02"}),
        ("S001R04.edf", "S{subject}R{run}", {"subject": "001", "run": "04"}),
        ("monday.xdf", "{run}.xdf", {"subject": "1", "run": "monday"}),
    ],
)
def test_names_say_who_and_when(path: str, pattern: str, found: dict[str, str]) -> None:
    assert names_in(Path(path), pattern) == found


def test_a_package_that_is_not_installed_is_named_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "moabb.datasets", None)
    with pytest.raises(ConfigError, match=r'moabb, which is not installed. Install it with: pip install "bci\[evaluate\]"'):
        moabb_data_set("FakeDataset")


def test_what_cannot_be_evaluated_is_refused_with_what_to_do(people: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not say whose recording it is"):
        names_in(Path("a/monday.xdf"))
    with pytest.raises(ConfigError, match="--pattern"):
        names_in(Path("a/monday.xdf"), "{person}")
    with pytest.raises(ConfigError, match="does not fit"):
        names_in(Path("a/monday.xdf"), "{subject}_R{run}")
    with pytest.raises(ConfigError, match="no recording is named"):
        find_sources([])
    with pytest.raises(ConfigError, match="did you mean BNCI2014_001"):
        moabb_data_set("BNCI2014001")
    with pytest.raises(ConfigError, match="keyword arguments"):
        moabb_data_set("FakeDataset(print(1))")
    assert main(["evaluate", str(people), *TABLE, "--protocol", "between", "--out", str(tmp_path)]) == 2
    assert main(["evaluate", str(people), "--out", str(tmp_path), "--jobs", "1"]) == 6
    assert main(["evaluate", str(people), *TABLE, "--out", str(tmp_path), "--jobs", "0"]) == 2
    assert main(["evaluate", str(people), *TABLE, "--decoder", "nonesuch", "--out", str(tmp_path)]) == 8
