"""The Python interface: from a recording to a verdict, a model and what it would have decided."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import mne
import numpy as np
import pytest
from pyriemann.classification import MDM
from pyriemann.estimation import Covariances
from sklearn.pipeline import make_pipeline

import bci
from bci.engine.chunk import Chunk
from bci.errors import ModelError, TrainingError


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> bci.Recording:
    return bci.simulate(tmp_path_factory.mktemp("api") / "calibration.xdf", trials_per_class=12, seed=3, skill=1.0, channels=8)


@pytest.fixture(scope="module")
def epochs(recording: bci.Recording) -> bci.TrialEpochs:
    return bci.cut_epochs(recording)


def test_importing_bci_loads_nothing_heavy():
    code = "import sys, bci, json; print(json.dumps(sorted(m for m in sys.modules if '.' not in m)))"
    loaded = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout)
    assert not {"numpy", "scipy", "pydantic", "pylsl", "mne", "sklearn", "torch", "PySide6"} & set(loaded)


@pytest.mark.parametrize("name", bci.__all__)
def test_every_name_is_there_and_is_described(name: str):
    assert getattr(bci, name).__doc__


def test_a_name_that_is_not_there_is_answered_with_those_that_are():
    with pytest.raises(AttributeError, match=r"no attribute 'nothing'; it has .*read_recording"):
        bci.nothing  # noqa: B018


@pytest.mark.parametrize("name", ["errors.ConfigError", "explore.epochs.around_cues", "explore.exploration.explore"])
def test_packages_of_bci_need_no_import_of_their_own(name: str):
    code = f"import sys, bci; assert 'bci.{name.split('.')[0]}' not in sys.modules; print(bci.{name}.__name__)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout
    assert said.strip() == name.rpartition(".")[2]


def test_a_module_of_explore_that_is_not_there_is_answered_with_those_that_are():
    with pytest.raises(AttributeError, match=r"no attribute 'spectrum'; it has connectivity, epochs"):
        bci.explore.spectrum  # noqa: B018
    assert {"errors", "explore"} <= set(dir(bci))
    assert all(getattr(bci.explore, name).__doc__ for name in dir(bci.explore))


def test_a_recording_says_what_is_in_it(recording: bci.Recording):
    assert recording.marker_counts()["769"] == 12
    assert len(recording.cues()) == 24
    assert {cue.class_ for cue in recording.cues({"769": "left"})} == {"left"}
    assert "8 channels, 250 Hz" in repr(recording)
    assert "<td>" in recording._repr_html_()
    with pytest.raises(TrainingError, match="769"):
        recording.cues({"1": "nothing"})


def test_a_recording_is_mnes_with_its_markers_at_the_same_samples(recording: bci.Recording):
    raw = recording.to_mne()
    signal = recording.eeg
    assert raw.ch_names == list(signal.info.labels)
    np.testing.assert_allclose(raw.get_data().T * 1e6, signal.data, rtol=1e-9, atol=1e-9)
    cue = recording.cues()[0]
    sample = round(raw.annotations.onset[list(raw.annotations.description).index("769")] * raw.info["sfreq"])
    left = next(c for c in recording.cues() if c.class_ == "left_hand")
    assert abs(signal.stamps[sample] - left.time_s) <= 0.5 / raw.info["sfreq"] + 1e-9
    assert cue.time_s <= left.time_s


def test_epochs_have_the_orders_that_others_expect(epochs: bci.TrialEpochs):
    n, bands, samples, channels = epochs.windows.shape
    assert epochs.X.shape == (n, bands * channels, samples)
    np.testing.assert_array_equal(epochs.X[0, 2], epochs.windows[0, 0, :, 2])
    assert len(epochs) == len(epochs.y) == len(epochs.groups) == n
    assert len(epochs.rejected) + n == 24
    assert epochs.times[-1] == pytest.approx(2.5)
    there = epochs.to_mne()
    assert isinstance(there, mne.EpochsArray)
    np.testing.assert_allclose(there.get_data() * 1e6, epochs.X[:, :channels], atol=1e-9)
    assert there.times[-1] == pytest.approx(2.5)


def test_a_decoder_by_name_is_saved_loaded_and_says_the_same(epochs: bci.TrialEpochs, tmp_path: Path):
    decoder = bci.fit(epochs, "csp-lda")
    assert decoder.classes == ("left_hand", "right_hand")
    assert (decoder.predict(epochs) == epochs.y).mean() > 0.8
    sha256 = decoder.save(tmp_path / "model.safetensors")
    again = bci.load_model(tmp_path / "model.safetensors")
    assert again.model.sha256 == sha256
    np.testing.assert_array_equal(again.predict_proba(epochs), decoder.predict_proba(epochs))
    with pytest.raises(ModelError, match="copy that file"):
        again.save(tmp_path / "twice.safetensors")
    assert "csp-lda" in repr(again)


def test_any_estimator_decodes_and_is_validated_and_never_saved_as_code(
    recording: bci.Recording, epochs: bci.TrialEpochs, tmp_path: Path
):
    mine = make_pipeline(Covariances("oas"), MDM())
    decoder = bci.fit(epochs, mine)
    direct = mine.fit(epochs.X, epochs.y).predict_proba(epochs.X)
    np.testing.assert_allclose(decoder.predict_proba(epochs), direct)
    assert len(bci.decode(recording, decoder)) > 1000
    found = bci.cross_validate(epochs, mine)
    assert found.accuracy > 0.7
    assert found.decoder == "Pipeline"
    with pytest.raises(ModelError, match="numbers and never code"):
        decoder.save(tmp_path / "no.safetensors")
    with pytest.raises(TypeError, match="predict_proba"):
        bci.fit(epochs, object())


def test_cross_validation_agrees_with_the_command(recording: bci.Recording, epochs: bci.TrialEpochs, tmp_path: Path):
    found = bci.cross_validate(epochs, "ts-lr")
    table = [word for code, name in recording.config.markers.table.items() for word in ("--set", f"markers.table.{code}={name}")]
    cut = ["--set", "trial.start_s=0.5", "--set", "trial.stop_s=2.5", "--set", "preprocessing.window_s=2.0"]
    words = [sys.executable, "-m", "bci", "train", str(recording.path), *table, *cut, "-o", str(tmp_path / "m.safetensors")]
    said = json.loads(subprocess.run([*words, "--json"], capture_output=True, check=True, text=True).stdout)
    assert said["accuracy"] == pytest.approx(found.accuracy)
    assert said["interval"] == pytest.approx(list(found.interval))
    assert sum(sum(row.values()) for row in found.confusion().values()) == len(epochs)
    assert "ts-lr" in repr(found)
    assert found.chance == pytest.approx(max(said["trials"].values()) / sum(said["trials"].values()))


def test_outcomes_are_a_table_in_words(recording: bci.Recording, epochs: bci.TrialEpochs):
    outcomes = bci.decode(recording, bci.fit(epochs, "ts-lr"))
    frame = outcomes.to_frame()
    assert list(frame.columns) == list(outcomes.columns)
    assert set(frame["decision"]) <= {"", "left_hand", "right_hand"}
    assert "refill" in set(frame["reason"])
    assert (frame["decision"] != "").sum() == frame["reason"].eq("decided").sum() > 0
    decided = frame["reason"] == "decided"
    np.testing.assert_allclose(outcomes.probabilities[decided].sum(axis=1), 1.0)


def test_a_verdict_is_readable(recording: bci.Recording):
    found = bci.judge(recording, seed=1)
    assert found.verdict.word in ("works", "more", "unlikely")
    assert repr(found).endswith(found.verdict.line())
    assert "<table>" in found._repr_html_()


def test_settings_are_those_of_the_command_line():
    config = bci.configure(decoder={"name": "mdm"}, markers={"table": {"1": "left"}}, preprocessing={"hop_s": 0.1})
    assert (config.decoder.name, config.markers.table, config.preprocessing.hop_s) == ("mdm", {"1": "left"}, 0.1)
    with pytest.raises(bci.errors.ConfigError, match=r"decoder\.nam"):
        bci.configure(decoder={"nam": "mdm"})


def test_an_argument_that_is_no_section_of_settings_is_refused_with_its_value_and_the_way_to_wait(tmp_path: Path):
    with pytest.raises(bci.errors.ConfigError) as raised:
        bci.run(tmp_path / "model.safetensors", simulate=True, seconds=20, record="recordings")
    seconds, record = raised.value.problems
    assert seconds.startswith("seconds = 20: must be a mapping with the settings of a section, for instance record={'out': ")
    assert seconds.endswith("; to let a session run for some time, call session.wait(20)")
    assert record.startswith("record = 'recordings': must be a mapping")
    assert "wait" not in record
    with pytest.raises(bci.errors.ConfigError, match="decoder = 'mdm': must be a mapping"):
        bci.configure(decoder="mdm")


def test_a_simulated_session_is_on_another_day_and_is_verified_like_any_other(epochs: bci.TrialEpochs, tmp_path: Path):
    decoder = bci.fit(epochs, "ts-lr")
    decoder.save(tmp_path / "model.safetensors")
    session = bci.simulate_session(tmp_path / "s.xdf", tmp_path / "model.safetensors", trials_per_class=4, skill=1.0)
    assert len(session.cues()) == 8
    assert bci.verify(tmp_path / "s.xdf").ok
    found = bci.score(session, decoder)
    assert found.decoded == len(found.truth) == 8
    assert found.accuracy == (found.truth == found.predicted).mean() > 0.7
    assert found.interval[0] < found.accuracy <= found.interval[1]
    assert "8 decoded trials" in repr(found)
    assert "<td>left_hand</td><td>4</td>" in found._repr_html_()
    assert '"kind"' not in repr(session), "messages of the session itself are no markers for people"


def test_a_decoder_is_not_scored_on_its_own_training_unless_that_is_asked_for(recording: bci.Recording, epochs: bci.TrialEpochs):
    decoder = bci.fit(epochs, "ts-lr")
    with pytest.raises(TrainingError, match="with_training=True"):
        bci.score(recording, decoder)
    assert bci.score(recording, decoder, with_training=True).accuracy > 0.8


def test_an_engine_that_is_given_chunks_says_what_decode_says(recording: bci.Recording, epochs: bci.TrialEpochs):
    decoder = bci.fit(epochs, "ts-lr")
    raw = recording.eeg.chunk()
    engine = decoder.engine(recording.eeg.info, recording.config)
    n_channels = len(recording.eeg.info.labels)
    rows = [
        o.row(n_channels)
        for i in range(0, len(raw), 100)
        for o in engine.push(Chunk(raw.data[i : i + 100], raw.stamps[i : i + 100]))
    ]
    np.testing.assert_array_equal(np.array(rows), bci.decode(recording, decoder).rows)


def test_settings_that_are_given_are_those_of_a_decoding(recording: bci.Recording, epochs: bci.TrialEpochs):
    decoder = bci.fit(epochs, "ts-lr")
    never = bci.configure(decision={"threshold": 1.0, "release": 1.0})
    assert any(bci.decode(recording, decoder).decisions)
    assert not any(bci.decode(recording, decoder, never).decisions)


def test_a_copy_with_other_samples_is_decoded_and_the_recording_stays_as_it_is(recording: bci.Recording, epochs: bci.TrialEpochs):
    before = recording.eeg.data.copy()
    louder = recording.with_data(2.0 * before)
    np.testing.assert_array_equal(louder.eeg.data, 2.0 * before)
    np.testing.assert_array_equal(recording.eeg.data, before)
    assert louder.cues() == recording.cues()
    assert louder.streams.sha256 == ""
    decoder = bci.fit(epochs, "ts-lr")
    assert not np.allclose(
        bci.decode(louder, decoder).probabilities, bci.decode(recording, decoder).probabilities, equal_nan=True
    )
    with pytest.raises(ValueError, match="must be that of the recording"):
        recording.with_data(before[1:])


def test_a_newcomer_has_a_decoder_from_a_library_with_trials_and_without(recording: bci.Recording, tmp_path: Path):
    for number in (1, 2):
        other = bci.simulate(tmp_path / f"{number}.xdf", trials_per_class=8, seed=20 + number, skill=1.0)
        library = bci.add_to_library(tmp_path / "library", other, f"P{number}")
    assert [entry.note.subject for entry in library.entries] == ["P1", "P2"]
    nobody = bci.fit_from_library(tmp_path / "library", config=recording.config)
    own = bci.fit_from_library(tmp_path / "library", recording)
    assert nobody.classes == own.classes == ("left_hand", "right_hand")
    assert bci.score(recording, nobody).accuracy > 0.6
    assert own.model.header.trials == {"left_hand": 12, "right_hand": 12}
    own.save(tmp_path / "own.safetensors")
    assert bci.load_model(tmp_path / "own.safetensors").classes == own.classes


def test_an_evaluation_is_a_table_and_is_not_computed_twice(tmp_path: Path):
    folder = tmp_path / "recordings"
    for number in (1, 2):
        bci.simulate(folder / f"P{number}_run1.xdf", trials_per_class=6, seed=number, skill=1.0)
    config = bci.configure(trial={"start_s": 0.5, "stop_s": 2.5}, preprocessing={"window_s": 2.0})
    classes = {"769": "left_hand", "770": "right_hand"}

    def evaluated():
        return bci.evaluate(
            folder, tmp_path / "out", config, classes=classes, pattern="{subject}_run{run}", decoders=("mdm", "csp-lda"), folds=3
        )

    first = evaluated()
    assert (first.computed, first.kept) == (4, 0)
    frame = first.to_frame()
    assert sorted(zip(frame["subject"], frame["decoder"], strict=True)) == [
        ("P1", "csp-lda"), ("P1", "mdm"), ("P2", "csp-lda"), ("P2", "mdm"),
    ]  # fmt: skip
    assert "accuracy" in first._repr_html_()
    assert (evaluated().computed, evaluated().kept) == (0, 4)
    with pytest.raises(bci.errors.ConfigError, match="folds = 1"):
        bci.evaluate(folder, tmp_path / "out", config, classes=classes, pattern="{subject}_run{run}", folds=1)


def test_a_source_is_opened_by_its_name():
    source = bci.open_source("simulated", channels=3, rate_hz=500.0)
    try:
        chunk = source.read(1.0)
        assert (source.info.rate_hz, chunk.data.shape[1]) == (500.0, 3)
    finally:
        source.close()
    with pytest.raises(bci.errors.PluginError, match="nothing is registered"):
        bci.open_source("no-such-device")
