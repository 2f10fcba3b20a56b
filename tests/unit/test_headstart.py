"""What anybody may rely on when a newcomer starts from other people's calibrations."""

from __future__ import annotations

import json
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from bci.commands import main
from bci.contracts.kernel import kernel_breaches
from bci.engine.decoder import scatter
from bci.engine.preprocessing import Preprocessing
from bci.errors import ConfigError, RecordingError, TrainingError
from bci.model.file import load_model
from bci.paradigm.timeline import short
from bci.settings import MarkersSection, PreprocessingSection, SessionConfig, TrialSection
from bci.simulation.simulate import record_virtually
from bci.stream.clock import VirtualClock
from bci.training.alignment import between, session_mean, tangent_vectors, trial_weights, whitening
from bci.training.labelled import open_labelled
from bci.training.train import write_model
from bci.transfer.adapted_prior import STRENGTHS, DonorSession, Prior, adapt_prior, learn_prior, strength_for
from bci.transfer.library import Library
from bci.transfer.prior import Linear, fit_towards_prior, zero_prior
from bci.transfer.prior_regression import fitted_model
from bci.transfer.training import head_start
from devices.simulated import SimulatedSettings, SimulatedSubject

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

CHANNELS = 5
NAMES = np.array(["left", "right"])


def windows_of(person: int, n: int = 60, effect: float = 0.35, skew: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """A person whose head mixes the same two sources differently; ``skew`` times as many trials of class right."""
    rng = np.random.default_rng((3, person))
    labels = np.repeat(NAMES, [1, skew])[np.arange(n) % (1 + skew)]
    sources = rng.standard_normal((n, 1, 120, CHANNELS)) * np.exp(0.3 * rng.standard_normal((n, 1, 1, CHANNELS)))
    sources[labels == "left", :, :, 0] *= np.exp(-effect)
    sources[labels == "right", :, :, 1] *= np.exp(-effect)
    mixing = np.random.default_rng(0).standard_normal((CHANNELS, CHANNELS)) * 0.2 + np.eye(CHANNELS)
    gains = np.exp(rng.uniform(-1, 1, CHANNELS))
    return 8 * sources @ mixing * gains, labels


def donor(person: int, **settings: float) -> DonorSession:
    from bci.training.alignment import covariances

    windows, labels = windows_of(person, **settings)
    return DonorSession(f"P{person:03d}-S001", covariances(windows), labels)


@cache
def prior() -> Prior:
    return learn_prior([donor(p) for p in range(1, 6)])


def correct(found, new: DonorSession, trials: slice) -> float:
    decided = NAMES[found.logs(new.matrices[trials]).argmax(axis=1)]
    return float((decided == new.labels[trials]).mean())


def test_recentring_undoes_what_another_amplifier_or_cap_does() -> None:
    one = donor(1)
    mixing = np.random.default_rng(8).standard_normal((CHANNELS, CHANNELS)) + 2 * np.eye(CHANNELS)
    other = mixing @ one.matrices @ mixing.T
    lengths = [np.linalg.norm(tangent_vectors(m, whitening(session_mean(m, one.labels))), axis=1) for m in (one.matrices, other)]
    np.testing.assert_allclose(lengths[0], lengths[1], rtol=1e-6)


@pytest.mark.parametrize("metric", ["riemannian", "euclidean"])
def test_the_mean_of_a_session_does_not_depend_on_how_often_each_class_was_seen(metric: str) -> None:
    even = donor(1, n=400, effect=1.0)
    rare = np.flatnonzero(even.labels == "left")[:60]
    kept = np.sort(np.concatenate((rare, np.flatnonzero(even.labels == "right"))))
    fair = session_mean(even.matrices, even.labels, metric)

    def away(mean: np.ndarray) -> float:
        return float(np.linalg.norm(tangent_vectors(mean[None], whitening(fair))))

    weighted = session_mean(even.matrices[kept], even.labels[kept], metric)
    assert away(weighted) < 0.5 * away(session_mean(even.matrices[kept], None, metric))


def test_a_class_seen_once_does_not_decide_where_the_mean_lies() -> None:
    weights = trial_weights(np.array(["left"] + ["right"] * 39))
    assert weights.max() == pytest.approx(4 * weights.min())
    assert weights.sum() == pytest.approx(1)


def test_the_way_between_two_means_begins_and_ends_at_them() -> None:
    a, b = session_mean(donor(1).matrices), session_mean(donor(2).matrices)
    np.testing.assert_allclose(between(a, b, 0.0), a, rtol=1e-9)
    np.testing.assert_allclose(between(a, b, 1.0), b, rtol=1e-9)


@pytest.mark.parametrize("classes", [2, 3])
def test_own_trials_win_without_a_pull_and_the_prior_wins_with_an_endless_one(classes: int) -> None:
    rng = np.random.default_rng(0)
    codes = np.arange(60) % classes
    features = rng.standard_normal((60, 4)) + 2.5 * np.eye(classes, 4)[codes]
    centre = zero_prior(classes, 4)
    believed = Linear(rng.standard_normal(centre.weights.shape), rng.standard_normal(centre.intercept.shape))
    loose, tight = (fit_towards_prior(features, codes, believed, s) for s in (1e-3, 1e9))
    assert (loose.logs(features).argmax(axis=1) == codes).mean() > 0.85
    np.testing.assert_allclose(tight.weights, believed.weights, atol=1e-5)


def test_without_a_prior_it_is_logistic_regression() -> None:
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(1)
    codes = np.arange(80) % 2
    features = rng.standard_normal((80, 6)) + codes[:, None] * 0.6
    ours = fit_towards_prior(features, codes, zero_prior(2, 6), 1.0)
    # The intercept is pulled too, as the weight of a feature that is always one.
    theirs = LogisticRegression(C=1.0, tol=1e-8, fit_intercept=False).fit(np.hstack((features, np.ones((80, 1)))), codes)
    theirs.coef_ = theirs.coef_[:, :-1]
    np.testing.assert_allclose(ours.weights, theirs.coef_, atol=1e-3)


def test_few_own_trials_gain_from_others_and_none_are_better_than_chance() -> None:
    gains, zero = [], []
    for person in (11, 12, 13, 14):
        new = donor(person, n=120)
        few = adapt_prior(prior(), new.matrices[:10], new.labels[:10])
        alone = fit_towards_prior(
            tangent_vectors(new.matrices[:10], w := whitening(session_mean(new.matrices[:10]))),
            np.searchsorted(NAMES, new.labels[:10]),
            zero_prior(2, 15),
            1.0,
        )
        own = NAMES[alone.logs(tangent_vectors(new.matrices[40:], w)).argmax(axis=1)] == new.labels[40:]
        gains.append(correct(few, new, slice(40, None)) - own.mean())
        zero.append(correct(adapt_prior(prior(), new.matrices[:40], new.labels[:40], unlabelled=True), new, slice(40, None)))
    assert np.mean(gains) > 0.03
    assert np.mean(zero) > 0.6


def test_the_pull_is_chosen_from_the_donors_and_is_the_same_every_time() -> None:
    strengths = [strength_for(prior(), n) for n in (2, 20)]
    assert set(strengths) <= set(STRENGTHS)
    assert strengths == [strength_for(prior(), n) for n in (2, 20)]
    assert strength_for(learn_prior([donor(1)]), 5) in STRENGTHS


def opposite(person: int) -> DonorSession:
    """Somebody whose effect is the other way round."""
    new = donor(person, n=160, effect=0.8)
    return DonorSession(new.name, new.matrices, np.where(new.labels == "left", "right", "left"))


def test_the_own_model_takes_over_where_it_is_measurably_better_and_not_before() -> None:
    new = opposite(21)
    early = adapt_prior(prior(), new.matrices[:10], new.labels[:10], 300.0)
    late = adapt_prior(prior(), new.matrices[:80], new.labels[:80], 300.0)
    assert (early.own, late.own) == (False, True)
    own, head = late.evidence
    assert own > head
    assert correct(late, new, slice(80, None)) > 0.75
    friend = donor(22, n=80)
    assert not adapt_prior(prior(), friend.matrices, friend.labels, 10.0).own


def test_donors_of_other_classes_and_own_classes_nobody_knows_are_refused() -> None:
    one, two = donor(1), donor(2)
    with pytest.raises(TrainingError, match="same classes"):
        learn_prior([one, DonorSession("P2", two.matrices, np.where(two.labels == "left", "feet", two.labels))])
    with pytest.raises(TrainingError, match=r"own classes feet.*left, right"):
        adapt_prior(prior(), one.matrices[:4], np.array(["feet", "left", "feet", "left"]))


@pytest.mark.parametrize("n_own", [0, 12])
def test_it_compiles_into_the_ordinary_kernel_and_keeps_its_contract(n_own: int) -> None:
    windows, labels = windows_of(31)
    new = donor(31)
    found = adapt_prior(prior(), new.matrices[:n_own], new.labels[:n_own])
    settings = Preprocessing(100.0, tuple(f"E{i}" for i in range(CHANNELS)), notch_hz=0, window=120, hop=4)
    model = fitted_model(prior(), found, settings, {c: int((labels[:n_own] == c).sum()) for c in NAMES})
    kernel = model.decoder().kernel
    answers = np.array([kernel(scatter(w)).copy() for w in windows])
    np.testing.assert_allclose(answers, model.estimator.predict_proba(windows), rtol=0, atol=1e-9)
    assert not kernel_breaches(kernel, windows[:8])
    assert model.weights.sum() == pytest.approx(1)
    assert ("without trials of this person" in model.notes[0]) == (n_own == 0)


LABELS = ("FC3", "C3", "CP3", "Cz", "FC4", "C4", "CP4", "Pz")


def config(**preprocessing: object) -> SessionConfig:
    return SessionConfig(
        markers=MarkersSection(table={"769": "left_hand", "770": "right_hand"}),
        preprocessing=PreprocessingSection(window_s=2.0, hop_s=0.1, **preprocessing),  # type: ignore[arg-type]
        trial=TrialSection(start_s=0.5, stop_s=2.5),
    )


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three people, 8 trials of each hand; the third wears fewer electrodes, in another order, at another rate."""
    folder = tmp_path_factory.mktemp("people")
    found = []
    for k, (labels, rate_hz) in enumerate([(LABELS, 125.0), (LABELS, 125.0), (LABELS[5:0:-1], 160.0)]):
        clock = VirtualClock()
        person = SimulatedSubject(SimulatedSettings(seed=50 + k, skill=0.9, channels=labels, rate_hz=rate_hz), clock)
        found.append(folder / f"person{k}.xdf")
        record_virtually(person, clock, short(("left_hand", "right_hand"), 8, k), found[-1])
    return found


@pytest.fixture(scope="module")
def library(recordings: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Library:
    found = Library.scan(tmp_path_factory.mktemp("library"))
    for k, path in enumerate(recordings):
        found = found.add([path], f"P{k + 1:03d}", "S001", config())
    return found


def test_a_library_keeps_copies_under_pseudonyms_with_an_index_that_a_scan_reproduces(library: Library) -> None:
    names = sorted(str(p.relative_to(library.path)) for p in library.path.rglob("*.xdf"))
    assert names == [f"P00{k}-S001/run-001.xdf" for k in (1, 2, 3)]
    before = (library.path / "index.json").read_bytes()
    (library.path / "index.json").unlink()
    assert Library.scan(library.path) == library
    assert (library.path / "index.json").read_bytes() == before
    assert library.entries[0].trials == {"left_hand": 8, "right_hand": 8}


def test_a_name_that_is_no_pseudonym_and_a_session_twice_are_refused(library: Library, recordings: list[Path]) -> None:
    with pytest.raises(ConfigError, match="pseudonym"):
        library.add(recordings[:1], "Anna Smith", "S001", config())
    with pytest.raises(ConfigError, match="in the library already"):
        library.add(recordings[:1], "P001", "S001", config())


def test_a_session_of_the_library_finds_its_cues_again_however_they_were_sent(recordings: list[Path], tmp_path: Path) -> None:
    table = {"69": "left_hand", "70": "right_hand"}
    chosen = config().model_copy(update={"markers": MarkersSection(stream="cues", table=table, pattern="^7(69|70)$")})
    (tmp_path / "library").mkdir()
    library = Library.scan(tmp_path / "library").add(recordings[:1], "P009", "S001", chosen)
    assert sum(library.entries[0].trials.values()) == len(open_labelled(recordings[0], chosen).cues) > 0


def test_a_recording_that_needs_the_files_beside_it_is_refused_and_leaves_nothing_behind(
    recordings: list[Path], tmp_path: Path
) -> None:
    table = ["--set", "markers.table.769=left_hand", "--set", "markers.table.770=right_hand"]
    assert main(["export", str(recordings[0]), "--out", str(tmp_path / "set"), "--no-source", *table]) == 0
    (exported,) = (tmp_path / "set").rglob("*_eeg.vhdr")
    named = config().model_copy(update={"markers": MarkersSection(table={"left_hand": "left_hand", "right_hand": "right_hand"})})
    (tmp_path / "library").mkdir()
    empty = Library.scan(tmp_path / "library")
    with pytest.raises(RecordingError, match="a library keeps one file of each recording"):
        empty.add([exported], "P009", "S001", named)
    assert [p.name for p in (tmp_path / "library").iterdir()] == ["index.json"]


def test_a_folder_without_an_index_and_a_damaged_one_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="bci library add"):
        Library.open(tmp_path)
    (tmp_path / "index.json").write_text('{"entries": [{"name": 3}]}')
    with pytest.raises(RecordingError, match="--scan"):
        Library.open(tmp_path)


def test_one_electrode_layout_is_enough_that_all_share(library: Library, recordings: list[Path], tmp_path: Path) -> None:
    run = open_labelled(recordings[0], config())
    found = head_start(library, [run], run.info, config(), exclude="P001")
    assert found.donors == ("P002-S001", "P003-S001")
    assert found.trained.model.preprocessing.labels == ("C3", "CP3", "Cz", "FC4", "C4")
    write_model(tmp_path / "model.safetensors", found.trained, config(), found.correct / 16)
    model = load_model(tmp_path / "model.safetensors")
    assert model.header.kernel == "tangent-linear"
    assert "P002-S001, P003-S001" in model.header.notes[0]


def test_own_sessions_are_no_donors_and_unknown_classes_find_none(library: Library, recordings: list[Path]) -> None:
    assert [e.name for e in library.useful(LABELS, ["left_hand"], exclude="P002")] == ["P001-S001", "P003-S001"]
    run = open_labelled(recordings[0], config())
    with pytest.raises(TrainingError, match=r"no session of somebody else has the classes feet.*P001-S001: left_hand"):
        head_start(library, [], run.info, config(), classes=("feet",))


def test_the_command_line_lists_checks_and_trains_for_somebody_never_recorded(
    library: Library, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(library.path)
    assert main(["library", "list", folder]) == 0
    assert "P001-S001: 8 left_hand, 8 right_hand; 8 channels at 125 Hz, 1 recording" in capsys.readouterr().out
    assert main(["library", "check", folder]) == 0
    model = tmp_path / "nobody.safetensors"
    settings = ["--set", "preprocessing.window_s=2.0", "--set", "preprocessing.hop_s=0.1"]
    assert main(["train", "--library", folder, "-o", str(model), "--json", *settings]) == 0
    told = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert told["trials"] == {"left_hand": 0, "right_hand": 0}
    assert load_model(model).header.accuracy is None


def test_a_changed_a_missing_and_an_unknown_file_are_named(
    library: Library, recordings: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = Library.scan(tmp_path).add(recordings[:1] * 2, "P009", "S001", config())
    assert not own.check()
    folder = tmp_path / "P009-S001"
    with (folder / "run-001.xdf").open("ab") as file:
        file.write(b"x")
    (folder / "run-002.xdf").rename(folder / "run-003.xdf")
    assert main(["library", "check", str(tmp_path)]) == RecordingError.exit_code
    told = capsys.readouterr().out
    assert "run-002.xdf: missing" in told
    assert "run-001.xdf: changed" in told
    assert "run-003.xdf: not in the index" in told


@pytest.mark.slow
def test_leave_one_person_out_gains_on_simulated_people() -> None:
    """The benchmark of docs/results/head-start.md with a third of its people and half of its draws, held to the same bounds."""
    from headstart.compare import compare, gain
    from headstart.people import simulated

    subjects = list(simulated(10))
    found = [compare(subjects, place, 5, 10) for place in range(len(subjects))]
    mean, low, _ = gain([p.few for p in found])
    assert mean >= 3
    assert low > 0
    assert gain([p.full for p in found])[0] >= -1
