"""A channel that is bad in most trials is left out of a model and named; the person is trained on the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from parts import LABELS, stream

from bci.engine.chunk import Chunk, FloatArray
from bci.engine.engine import Engine
from bci.engine.outcome import Reason
from bci.errors import TrainingError
from bci.model.file import load_model
from bci.paradigm.cues import CueEvent
from bci.settings import SessionConfig
from bci.training.decoding import decode_at_cues
from bci.training.labelled import LabelledRun
from bci.training.left_out import bad_trials, leave_out, often_bad
from bci.training.marked import BadMarks
from bci.training.train import train, write_model

RATE = 250
STOP_S = 1.5
N = 24
CUES = tuple(CueEvent(4.0 + 2.5 * i, "left" if i % 2 else "right") for i in range(N))
CONFIG = SessionConfig.model_validate(
    {
        "markers": {"table": {"left": "left", "right": "right"}},
        "preprocessing": {"window_s": 1.0, "hop_s": 0.08},
        "trial": {"start_s": 0.5, "stop_s": STOP_S},
    }
)
TIME_S = np.arange(round((CUES[-1].time_s + 4) * RATE)) / RATE
Fault = Callable[[FloatArray], FloatArray]


def flat(x: FloatArray) -> FloatArray:
    return np.zeros_like(x)


def railed(x: FloatArray) -> FloatArray:
    return np.full_like(x, 750_000.0)


def hum(x: FloatArray) -> FloatArray:
    return x + 200 * np.sin(2 * np.pi * 60 * TIME_S)


def run(faults: Mapping[str, Fault], last: int = N, marked: BadMarks | None = None) -> LabelledRun:
    """A recording with a rhythm of its own for each class; the faults last until trial ``last``."""
    x = np.random.default_rng(1).normal(0, 10, (len(TIME_S), len(LABELS))) + 20_000 * np.arange(1, len(LABELS) + 1)
    for cue in CUES:
        a = round(cue.time_s * RATE)
        x[a : a + 2 * RATE, 0 if cue.class_ == "left" else 2] += 15 * np.sin(2 * np.pi * 11 * np.arange(2 * RATE) / RATE)
    until = len(x) if last == N else round(CUES[last].time_s * RATE)
    for label, fault in faults.items():
        column = LABELS.index(label)
        x[:until, column] = fault(x[:, column])[:until]
    raw = Chunk(x, 100.0 + TIME_S)
    cues = tuple(CueEvent(100.0 + c.time_s, c.class_) for c in CUES)
    return LabelledRun("a.xdf", stream(rate_hz=RATE), raw, cues, "0" * 64, marked or BadMarks())


def test_a_channel_for_which_the_amplifier_sends_no_numbers_is_left_out_and_named() -> None:
    nothing, half = run({"Pz": lambda x: np.full_like(x, np.nan)}), run({"Pz": lambda x: np.full_like(x, np.nan)}, last=12)
    for one, share in ((nothing, 100), (half, 52)):
        trained = train([one], CONFIG)
        assert "Pz" not in trained.model.preprocessing.labels
        assert f"Pz holds no number in {share} % of the samples of a.xdf and is left out of the model" in trained.model.notes
        assert len(trained.epochs.labels) == N
    # Where nothing was received from any channel there is a gap, and no channel is to blame.
    lost = run({label: lambda x: np.full_like(x, np.nan) for label in LABELS}, last=12)
    assert leave_out([lost], CONFIG).config is CONFIG


@pytest.mark.parametrize("reference", ["none", "average"])
def test_a_person_with_one_dead_and_two_bad_electrodes_is_trained_without_them_and_told(reference: str, tmp_path: Path) -> None:
    preprocessing = CONFIG.preprocessing.model_copy(update={"reference": reference})
    config = CONFIG.model_copy(update={"preprocessing": preprocessing})
    one = run({"Pz": flat, "CP1": railed, "FC2": hum})
    trained = train([one], config)
    path = tmp_path / "m.safetensors"
    write_model(path, trained, config)
    model = load_model(path)
    assert model.header.preprocessing.labels == ("C3", "Cz", "C4", "CP2", "FC1")
    assert sum(model.header.trials.values()) == N
    told = " ".join(model.header.notes)
    assert f"Pz is flat in {N} of {N} trials and is left out of the model" in told
    assert f"CP1 is railed (at 750,000 µV) in {N} of {N} trials" in told
    assert f"FC2 is full of line noise in {N} of {N} trials" in told
    said = decode_at_cues(Engine(one.info, model.decoder), one.raw, one.cues, STOP_S)
    outcomes = [o for _, o in said if o is not None]
    assert {o.mask for o in outcomes} == {0}
    right = sum(model.header.classes[int(np.argmax(o.probabilities))] == cue.class_ for cue, o in said if o is not None)
    assert right >= N - 1


def test_a_channel_that_is_bad_in_a_few_trials_stays_and_is_filled_in() -> None:
    trained = train([run({"Pz": flat}, last=6)], CONFIG)
    assert trained.model.preprocessing.labels == LABELS
    assert int(trained.epochs.bad.sum()) in (6, 7)
    assert not any("left out" in note for note in trained.model.notes)


def test_of_two_electrodes_that_a_bridge_of_gel_joins_one_is_kept() -> None:
    one = run({})
    one.raw.data[:, LABELS.index("Pz")] = one.raw.data[:, LABELS.index("CP1")] + 20_000
    left = leave_out([one], CONFIG)
    assert len(left.config.preprocessing.channels) == len(LABELS) - 1
    assert len(left.why) == 1
    assert "bridged" in " ".join(left.why.values())


def test_what_people_marked_and_what_is_dead_is_left_out_together() -> None:
    left = leave_out([run({"Pz": flat}, marked=BadMarks(("CP2",)))], CONFIG)
    assert left.config.preprocessing.channels == tuple(x for x in LABELS if x not in ("Pz", "CP2"))
    assert set(left.why) == {"Pz", "CP2"}


def test_nothing_changes_where_all_channels_are_good() -> None:
    left = leave_out([run({})], CONFIG)
    assert left.config is CONFIG
    assert left.why == {}


def test_where_hardly_a_channel_is_left_all_bad_ones_are_named_with_their_fault() -> None:
    with pytest.raises(TrainingError, match="too few good channels") as refused:
        train([run({label: flat if label != "Cz" else railed for label in LABELS[:-1]})], CONFIG)
    assert all(f"{label} is " in str(refused.value) for label in LABELS[:-1])
    assert "railed (at 750,000 µV)" in str(refused.value)


@pytest.mark.slow
def test_a_person_with_a_dead_electrode_is_judged_without_it_and_the_model_says_so() -> None:
    from bci.judging.best_fit import fit_best
    from bci.judging.judge import judge
    from bci.judging.settings import JudgeSettings

    one = run({"Pz": flat, "CP1": flat})
    found = judge([one], CONFIG, settings=JudgeSettings(looks=1, permutations=99), grid="live")
    assert sum(found.trials.values()) == N
    assert len(found.left_out) == 2
    trained = fit_best([one], CONFIG, found.best, found)
    assert not {"Pz", "CP1"} & set(trained.model.preprocessing.labels)
    assert set(found.left_out) <= set(trained.model.notes)


def test_live_decoding_goes_on_with_a_model_that_does_without_a_channel_which_is_still_dead() -> None:
    one = run({"Pz": flat, "CP1": flat})
    engine = Engine(one.info, train([one], CONFIG).model.decoder())
    reasons = {o.reason for o in engine.push(one.raw)}
    assert Reason.QUALITY not in reasons
    assert engine.bad_channels() == {}


def test_an_evaluation_leaves_out_what_is_bad_in_most_trials_of_all_its_recordings_and_fills_in_the_rest() -> None:
    whole, dead, partly = run({}), run({"Pz": flat}), run({"Pz": flat, "CP1": flat}, last=6)
    seen = [bad_trials(one, CONFIG) for one in (whole, dead, partly)]
    assert [one.trials for one in seen] == [N, N, N]
    assert seen[1].told == (f"Pz is flat in {N} of {N} trials",)
    assert seen[2].told == ()
    assert often_bad(seen) == {"Pz"}
    assert often_bad(seen[::2]) == frozenset()
