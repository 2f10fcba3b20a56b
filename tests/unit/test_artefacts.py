"""Artefact steps: causal, without delay, the same bits however chunks come; what they take out, and what they leave."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parts import LABELS, cut, decoder, eeg, preprocessing, stream
from scipy.signal import sosfilt, sosfilt_zi

from bci.commands import main
from bci.engine.artefacts.asr import Asr, AsrBaseline, AsrSettings, baseline, high_pass
from bci.engine.artefacts.potato import Potato, usual
from bci.engine.artefacts.regression import Regression, eog_weights
from bci.engine.artefacts.settings import Artefacts, fields
from bci.engine.artefacts.step import Step
from bci.engine.blocks import Blocks
from bci.engine.chunk import Chunk, FloatArray
from bci.engine.control_inputs import ReplaceModel
from bci.engine.decoder import LiveDecoder, scatter
from bci.engine.engine import Engine
from bci.engine.outcome import Outcome, Reason
from bci.errors import ConfigError, ModelError, TrainingError
from bci.model.file import load_model
from bci.paradigm.timeline import short
from bci.simulation.simulate import record_virtually
from bci.stream.clock import VirtualClock
from devices.simulated import SimulatedSettings, SimulatedSubject

RATE, HOP, N = 250.0, 10, 6
RNG = np.random.default_rng(7)
MIX = RNG.normal(size=(N, N)) + 2 * np.eye(N)
CLEAN = np.random.default_rng(1).normal(0, 5, (15_000, N)) @ MIX.T
WEIGHTS = np.array([[0.5, 0.2, 0.4, 0.1, 0.1, 0.6, 0.5, 0.05]])
EYES = Artefacts(eog=("EOG",), eog_weights=tuple(map(tuple, WEIGHTS.tolist())))


def with_burst(seconds: float = 12.0, seed: int = 2) -> tuple[FloatArray, FloatArray]:
    """Clean signal, and the same with a strong source of one direction from 5 to 6 s."""
    n = round(seconds * RATE)
    clean = np.random.default_rng(seed).normal(0, 5, (n, N)) @ MIX.T
    dirty = clean.copy()
    direction = np.random.default_rng(3).normal(size=N)
    begin, end = round(5 * RATE), round(6 * RATE)
    dirty[begin:end] += 400 * np.sin(np.arange(end - begin) / 5)[:, None] * direction
    return clean, dirty


def high_passed(data: FloatArray) -> FloatArray:
    """As the step does it, but by another function."""
    zi = sosfilt_zi(high_pass(RATE))[:, :, None] * data[0]
    found: FloatArray = sosfilt(high_pass(RATE), data, axis=0, zi=zi)[0]
    return found


def known(**settings: float) -> AsrBaseline:
    return baseline(high_passed(CLEAN), RATE, AsrSettings(**settings))


def asr() -> Asr:
    return Asr(known(), RATE, HOP)


STEPS: dict[str, Step] = {"asr": asr(), "regression": Regression(np.full((2, N - 2), 0.3))}


def through(step: Step, chunks: list[Chunk]) -> bytes:
    """All that a step says, the stream cut into blocks as in the engine."""
    step.restart()
    blocks = Blocks(list(range(N)), HOP)
    found, start = [], 0
    for chunk in chunks:
        piece = replace(chunk, start=start)
        start += len(chunk)
        found += [step(run.data.copy()).tobytes() for run in blocks.push(piece)]
    return b"".join(found)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 2999), max_size=40), st.sampled_from(sorted(STEPS)))
def test_any_cutting_into_chunks_gives_the_same_bits_of_every_step(places: list[int], name: str) -> None:
    data = with_burst()[1]
    whole = Chunk(data, np.arange(len(data)) / RATE)
    assert through(STEPS[name], cut(whole, places)) == through(STEPS[name], [whole])


@pytest.mark.parametrize("name", sorted(STEPS))
def test_a_step_knows_nothing_of_the_future_delays_nothing_and_leaves_its_input_alone(name: str) -> None:
    step = STEPS[name]
    data = with_burst()[1].reshape(-1, HOP, N)
    before = data.copy()
    step.restart()
    whole = step(data)
    assert np.array_equal(data, before)
    changed = data.copy()
    changed[150:] = 0.0
    step.restart()
    assert np.array_equal(step(changed)[:150], whole[:150])
    assert step.delay == 0


def test_subspace_reconstruction_takes_a_burst_out_and_leaves_clean_signal_as_the_high_pass_gives_it() -> None:
    clean, dirty = with_burst()
    wanted, burdened = high_passed(clean), high_passed(dirty)
    step = asr()
    found = step((dirty + 20_000).reshape(-1, HOP, N)).reshape(-1, N)
    burst = slice(round(5.1 * RATE), round(6 * RATE))
    assert np.abs(found - wanted)[burst].max() < 0.2 * np.abs(burdened - wanted)[burst].max()
    quiet = slice(0, round(4.9 * RATE))
    assert np.allclose(found[quiet], wanted[quiet], atol=1e-5), "an electrode's offset does no harm"
    after = slice(round(6.6 * RATE) + step.settling, None)  # the high-pass passes the end of the burst on for so long
    assert np.allclose(found[after], burdened[after], atol=1e-5)
    assert not step.replacing


def test_what_needs_no_eigenvectors_to_be_let_through_is_what_they_would_let_through(monkeypatch: pytest.MonkeyPatch) -> None:
    data = with_burst()[1].reshape(-1, HOP, N)
    quick = asr()(data)
    asked: list[bool] = []
    monkeypatch.setattr("bci.engine.artefacts.asr._below", lambda *_: asked.append(True))
    assert np.array_equal(asr()(data), quick)
    assert len(asked) == len(data) - 12, "no look before there is half a second to look at"


def test_subspace_reconstruction_never_replaces_more_directions_than_it_may() -> None:
    step = Asr(known(cutoff=1.0), RATE, HOP, AsrSettings(cutoff=1.0, most=0.34))
    found = step(1000 * with_burst()[0].reshape(-1, HOP, N))
    assert np.linalg.matrix_rank(found[100:140].reshape(-1, N), tol=1.0) >= N - 2
    assert step.replacing


def test_a_baseline_is_that_of_the_clean_parts_of_a_recording() -> None:
    dirty = CLEAN.copy()
    for at in range(500, len(CLEAN), 1500):
        dirty[at : at + 60] += 400 * np.sin(np.arange(60) / 5)[:, None] * np.arange(N)
    found, wanted = baseline(dirty, RATE), baseline(CLEAN, RATE)
    assert np.allclose(found.limits, wanted.limits, rtol=0.15)
    assert np.abs(dirty.T @ dirty / len(dirty)).max() > 3 * np.abs(wanted.covariance).max()
    assert np.abs(found.covariance - wanted.covariance).max() < 0.1 * np.abs(wanted.covariance).max()


def test_a_baseline_that_cannot_be_one_is_refused() -> None:
    with pytest.raises(TrainingError, match="at least"):
        baseline(CLEAN[:500], RATE)
    with pytest.raises(TrainingError, match="at least"):
        baseline(CLEAN[:10], RATE)
    with pytest.raises(TrainingError, match="flat or copies"):
        baseline(CLEAN[:, [0, 0, 1, 2]], RATE)
    with pytest.raises(ConfigError, match="cutoff"):
        AsrSettings(cutoff=0)


def looking(seconds: float = 20.0, seed: int = 4) -> Chunk:
    """EEG with blinks in it, and the eye channel that sees them."""
    chunk = eeg(round(seconds * RATE), seed=seed)
    eyes = np.zeros(len(chunk))
    for at in range(250, len(chunk) - 100, 400):
        eyes[at : at + 75] += 90 * np.hanning(75)
    eog = eyes + np.random.default_rng(seed).normal(0, 3, len(chunk))
    return Chunk(np.hstack((chunk.data + eyes[:, None] * WEIGHTS, eog[:, None])), chunk.stamps)


def test_the_eyes_share_is_found_by_regression() -> None:
    data = looking(120).data
    data = data - np.median(data, axis=0)
    assert np.allclose(eog_weights(data[:, :-1], data[:, -1:]), WEIGHTS, atol=0.06)
    with pytest.raises(TrainingError, match="never changes"):
        eog_weights(data[:, :-1], np.zeros((len(data), 1)))
    with pytest.raises(TrainingError, match="at least"):
        eog_weights(data[:5, :-1], data[:5, -1:])


def looking_decoder(**artefacts: object) -> LiveDecoder:
    p = replace(preprocessing(), artefacts=replace(EYES, **artefacts))
    built = decoder(prep=p)
    return replace(built, centre=built.covariance * 4)


def outcomes(model: LiveDecoder, chunks: list[Chunk]) -> list[Outcome]:
    engine = Engine(stream((*LABELS, "EOG")), model)
    return [outcome for chunk in chunks for outcome in engine.push(chunk)]


def test_in_the_engine_the_regression_is_that_of_the_samples_before_any_filter() -> None:
    chunk = looking()
    plain = Engine(stream(), decoder())
    corrected = Chunk(Regression(WEIGHTS)(chunk.data[None])[0], chunk.stamps)
    expected = [o.probabilities for o in plain.push(corrected)]
    found = [o.probabilities for o in outcomes(looking_decoder(), [chunk])]
    assert np.allclose(found, expected, atol=1e-9, equal_nan=True)
    assert not np.allclose(
        found[100], [o.probabilities for o in Engine(stream(), decoder()).push(Chunk(chunk.data[:, :-1], chunk.stamps))][100]
    )


def reconstructing_decoder(clean: FloatArray, cutoff: float = 20.0) -> LiveDecoder:
    known = fields(baseline(high_passed(clean), RATE, AsrSettings(cutoff)))
    return decoder(prep=replace(preprocessing(), artefacts=Artefacts(asr=cutoff, **known)))


def shaken(seconds: float = 20.0) -> Chunk:
    """EEG in which the head moves, on all channels, a second out of five."""
    chunk = eeg(round(seconds * RATE), seed=4)
    for at in range(1250, len(chunk) - 250, 1250):
        chunk.data[at : at + 250] += 60 * np.sin(np.arange(250) * 2 * np.pi * 12 / RATE)[:, None] * np.linspace(1, 2, len(LABELS))
    return chunk


REST = eeg(30_000, seed=9).data


def test_in_the_engine_reconstruction_is_that_of_the_samples_before_the_filters() -> None:
    chunk, model = shaken(), reconstructing_decoder(REST)
    clean = model.preprocessing.artefacts.clean
    assert clean is not None
    samples = Asr(clean, RATE, model.preprocessing.hop)(chunk.data.reshape(-1, model.preprocessing.hop, len(LABELS)))
    expected = Engine(stream(), decoder()).push(Chunk(samples.reshape(chunk.data.shape), chunk.stamps))
    found = Engine(stream(), model).push(chunk)
    untouched = Engine(stream(), decoder()).push(chunk)
    decided = [i for i, o in enumerate(found) if o.reason in (Reason.DECIDED, Reason.IDLE)]
    assert found[decided[0]].index > next(o.index for o in expected if o.reason is Reason.IDLE), "the high-pass settles first"
    assert len(decided) > 300
    for i in decided:
        assert np.allclose(found[i].probabilities, expected[i].probabilities, atol=1e-9)
    assert max(np.abs(found[i].probabilities - untouched[i].probabilities).max() for i in decided) > 0.1


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 2499), max_size=40))
def test_any_cutting_gives_the_same_outcomes_with_reconstruction_on_and_after_a_gap(places: list[int]) -> None:
    model, whole = reconstructing_decoder(REST), shaken(10)
    whole = Chunk(whole.data, whole.stamps + (np.arange(len(whole)) > 1400))
    rows = [
        b"".join(o.row(len(LABELS)).tobytes() for chunk in chunks for o in engine.push(chunk))
        for engine, chunks in ((Engine(stream(), model), [whole]), (Engine(stream(), model), cut(whole, places)))
    ]
    assert rows[0] == rows[1]


def test_a_decoder_that_takes_over_brings_its_own_clean_signal_and_one_without_is_refused() -> None:
    chunk = shaken()
    halves = Chunk(chunk.data[:2500], chunk.stamps[:2500]), Chunk(chunk.data[2500:], chunk.stamps[2500:])
    engine = Engine(stream(), reconstructing_decoder(REST))
    engine.push(halves[0])
    with pytest.raises(ModelError, match="other channels, filters"):
        engine.apply(ReplaceModel(decoder()))
    engine.apply(ReplaceModel(reconstructing_decoder(REST, cutoff=1000.0)))
    swapped = [o.probabilities for o in engine.push(halves[1])]
    other = Engine(stream(), reconstructing_decoder(REST, cutoff=1000.0))
    other.push(halves[0])
    wide = [o.probabilities for o in other.push(halves[1])]
    kept = [o.probabilities for o in Engine(stream(), reconstructing_decoder(REST)).push(chunk)][-len(wide) :]
    assert np.array_equal(swapped[-1], wide[-1])
    assert max(np.abs(a - b).max() for a, b in zip(swapped, kept, strict=True)) > 0.1


def test_an_eye_channel_that_is_bad_subtracts_nothing_and_decoding_goes_on() -> None:
    chunk = looking()
    chunk.data[:, -1] = 188_000.0
    found = outcomes(looking_decoder(), [chunk])
    plain = Engine(stream(), decoder()).push(Chunk(chunk.data[:, :-1], chunk.stamps))
    assert found[-1].reason in (Reason.DECIDED, Reason.IDLE)
    assert np.allclose(found[-1].probabilities, plain[-1].probabilities, atol=1e-9)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 2499), max_size=40))
def test_any_cutting_gives_the_same_outcomes_with_regression_and_potato_on(places: list[int]) -> None:
    model = looking_decoder(potato_z=3.0, potato=(0.5, 0.4))
    whole = looking(10)
    rows = [b"".join(o.row(len(LABELS)).tobytes() for o in outcomes(model, chunks)) for chunks in ([whole], cut(whole, places))]
    assert rows[0] == rows[1]


def test_the_potato_refuses_a_window_unlike_the_training_and_says_so() -> None:
    centre = np.cov(CLEAN.T)[None]
    windows = CLEAN[:12_500].reshape(50, 250, N)
    plain = Potato(centre, 0.0, 1.0, 3.0)
    mean, deviation = usual(np.array([plain.distance(scatter(w[None])) for w in windows]), 3.0)
    potato = Potato(centre, mean, deviation, 3.0)
    fresh = CLEAN[12_500:15_000].reshape(10, 250, N)
    assert sum(potato.unlike(scatter(w[None])) for w in fresh) <= 1
    assert potato.unlike(scatter(5 * fresh[:1]))
    assert potato.unlike(scatter(0.2 * fresh[:1]))
    assert potato.unlike(scatter(np.zeros((1, 250, N))))


def test_a_vetoed_window_is_an_outcome_with_a_reason_and_without_a_decision() -> None:
    quiet = looking_decoder(potato_z=3.0, potato=(np.log(1.0), 0.01))
    found = [o for o in outcomes(quiet, [looking(10)]) if o.reason is not Reason.REFILL]
    assert {o.reason for o in found} == {Reason.QUALITY}
    assert all(o.decision == -1 and np.isnan(o.probabilities).all() and o.mask == 0 for o in found)


def test_outliers_in_the_training_do_not_set_the_limit() -> None:
    distances = np.concatenate([np.exp(np.random.default_rng(5).normal(0, 0.1, 100)), np.full(5, 50.0)])
    mean, deviation = usual(distances, 2.5)
    assert abs(mean) < 0.05
    assert deviation < 0.13
    with pytest.raises(TrainingError, match="at least 10"):
        usual(distances[:5], 2.5)


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(ConfigError, match="twice"):
        Artefacts(eog=("A", "A"))
    with pytest.raises(ConfigError, match="one each"):
        Artefacts(eog=("A",), eog_weights=((0.1,), (0.2,)))
    with pytest.raises(ConfigError, match="can be an EOG"):
        replace(preprocessing(), artefacts=Artefacts(eog=("C3",)))
    with pytest.raises(ConfigError, match="one for each other channel"):
        outcomes(looking_decoder(eog_weights=((0.1, 0.2),)), [])
    known = fields(AsrBaseline(np.eye(2), np.array([1.0, 2.0])))
    with pytest.raises(ConfigError, match="one for each input channel"):
        Engine(stream(), decoder(prep=replace(preprocessing(), artefacts=Artefacts(asr=20.0, **known))))
    for wrong, why in (
        ({"asr": 0.5}, "1 to 1000"),
        ({"asr_limits": (1.0,)}, "lower triangle"),
        ({"asr_limits": (1.0, np.nan)}, "finite numbers above 0"),
        ({"asr_covariance": (1.0, np.inf, 1.0)}, "finite"),
        ({"asr_covariance": (1.0, 2.0, 1.0)}, "positive definite"),
    ):
        with pytest.raises(ConfigError, match=why):
            Artefacts(**{"asr": 20.0, **known, **wrong})
    with pytest.raises(ModelError, match="train it again"):
        outcomes(looking_decoder(potato_z=3.0), [])


def test_training_measures_what_the_steps_need_and_the_model_file_carries_it(tmp_path: Path) -> None:
    clock = VirtualClock(100.0)
    person = SimulatedSettings(seed=4, channels=("C3", "Cz", "C4", "CP3", "CP4", "Fp1"), rate_hz=125.0, blinks_per_min=20)
    record_virtually(SimulatedSubject(person, clock), clock, short(("left_hand", "right_hand"), 8, 1), tmp_path / "c.xdf")
    words = ["--set", "markers.table.769=left", "--set", "markers.table.770=right", "--set", 'preprocessing.eog=["Fp1"]']
    words += ["--set", "preprocessing.potato_z=3.0", "--set", "preprocessing.asr=20", "-o", str(tmp_path / "m.safetensors")]
    assert main(["train", str(tmp_path / "c.xdf"), *words]) == 0
    model = load_model(tmp_path / "m.safetensors")
    found = model.header.preprocessing.artefacts
    assert model.header.preprocessing.labels == ("C3", "Cz", "C4", "CP3", "CP4")
    assert (found.eog, len(found.eog_weights), len(found.eog_weights[0]), len(found.potato)) == (("Fp1",), 1, 5, 2)
    assert 0 < max(found.eog_weights[0]) < 1
    assert (found.asr, len(found.asr_limits), len(found.asr_covariance)) == (20.0, 6, 21)
    Engine(SimulatedSubject(person, clock).info, model.decoder)
