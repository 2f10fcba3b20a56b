"""Faults of a calibration, and of a session that drifts away from it or is calibrated again while it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from calibration_parts import HANDS, CountingJudge, Operator, calibrate, config_for, quick, subject

from bci.calibration.finish import check_counts
from bci.engine.chunk import Chunk
from bci.engine.drift import SignalDrift
from bci.engine.engine import Engine
from bci.engine.frontend import Frontend
from bci.engine.outcome import Reason
from bci.errors import ConfigError, StreamError, TrainingError
from bci.stream.clock import VirtualClock
from bci.training.labelled import open_labelled, open_with
from bci.training.train import train
from devices.faulty import Bridged, FaultySource, Gain, SourceFault
from devices.simulated import SimulatedSubject
from devices.simulated_settings import Artefact


class FaultySubject(FaultySource):
    """A simulated person at a faulty amplifier."""

    def __init__(self, person: SimulatedSubject, faults: Sequence[SourceFault]) -> None:
        super().__init__(person, faults)
        self.cue = person.cue
        self._person = person

    @property
    def due_s(self) -> float:
        return self._person.due_s


def faulty(*faults: SourceFault, **settings: object) -> Callable[[VirtualClock], SimulatedSubject]:
    make = subject(**settings)  # type: ignore[arg-type]
    return lambda clock: FaultySubject(make(clock), faults)  # type: ignore[return-value]


def test_fault_20_bridged_channels_are_refused_before_the_first_trial_by_name_and_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StreamError) as caught:
        calibrate(tmp_path / "a.xdf", make=faulty(Bridged("C3", "C4")))
    assert "C3: bridged" in str(caught.value)
    assert "C4: bridged" in str(caught.value)
    assert "clean the gel" in str(caught.value)


def test_fault_20_with_few_bridged_channels_it_goes_on_without_them(tmp_path: Path) -> None:
    operator = Operator()
    done = calibrate(tmp_path / "a.xdf", make=faulty(Bridged("C3", "C4"), channels=16), operator=operator)
    model = train([open_labelled(tmp_path / "a.xdf", done.config)], done.config).model
    assert len(model.preprocessing.labels) == 14
    assert not {"C3", "C4"} & set(model.preprocessing.labels)
    assert "going on without C3, C4" in operator.said


def test_fault_20_average_referenced_data_are_calibrated_and_noted(tmp_path: Path) -> None:
    class AverageReferenced(FaultySubject):
        def read(self, timeout_s: float) -> Chunk | None:
            chunk = super().read(timeout_s)
            return None if chunk is None else replace(chunk, data=chunk.data - chunk.data.mean(axis=1, keepdims=True))

    make = subject()
    done = calibrate(tmp_path / "a.xdf", make=lambda clock: AverageReferenced(make(clock), ()))  # type: ignore[return-value,arg-type]
    model = train([open_labelled(tmp_path / "a.xdf", done.config)], done.config).model
    assert any("rank 7 of 8" in note for note in model.notes)


def test_fault_26_one_class_is_refused_before_anything_starts() -> None:
    with pytest.raises(ConfigError, match="two or more"):
        quick(classes=("left_hand",))


def test_fault_26_fewer_than_ten_trials_give_no_model_and_the_counts_of_each_class(tmp_path: Path) -> None:
    done = calibrate(tmp_path / "a.xdf", quick(per_class=2), operator=Operator({"more": "s"}))
    with pytest.raises(TrainingError, match=r"left_hand: 2, right_hand: 2; 0 rejected.*at least 10"):
        check_counts(done)


def test_fault_26_when_every_trial_is_rejected_it_ends_after_the_block_and_says_so(tmp_path: Path) -> None:
    railed = Artefact("railed", 26.0, 10_000.0)
    judge = CountingJudge(10)
    with pytest.raises(TrainingError, match=r"every trial was rejected \(.*left_hand: \d+.*electrodes.*--resume"):
        calibrate(tmp_path / "a.xdf", make=subject([railed]), judge=judge)
    assert judge.looks == []


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("calibrated") / "a.xdf"
    calibrate(path)
    return path


def drifted(data: np.ndarray, kind: str) -> np.ndarray:
    """The second half of a recording after something has happened to it."""
    later = np.arange(len(data)) > len(data) // 2
    data = data - data.mean(axis=0)
    if kind == "three times as large":
        return data * np.where(later, 3.0, 1.0)[:, None]
    # The person turns the cap slowly: each electrode becomes its neighbour.
    share = np.clip((np.arange(len(data)) / len(data) - 0.5) * 2, 0, 1)[:, None]
    return (1 - share) * data + share * np.roll(data, 3, axis=1) * np.linspace(0.2, 4.0, data.shape[1])


@pytest.mark.parametrize("kind", ["three times as large", "the classes drift away"])
def test_fault_25_decisions_stay_bounded_and_the_drift_is_told(calibrated: Path, kind: str) -> None:
    config = config_for(quick())
    trained = train([open_labelled(calibrated, config)], config)
    signal = open_with(calibrated, config).eeg(config.stream.query())
    raw = Chunk(drifted(signal.data, kind), signal.stamps)
    outcomes = Engine(signal.info, trained.model.decoder(), config.engine_settings()).push(raw)
    decided = [o for o in outcomes if o.reason is Reason.DECIDED]
    later = [o for o in decided if o.index > 0.6 * len(raw)]
    assert len(later) > 100
    for outcome in decided:
        assert np.isfinite(outcome.probabilities).all()
        assert abs(sum(outcome.probabilities) - 1) < 1e-9
        assert outcome.decision in (-1, 0, 1)

    frontend = Frontend(signal.info, trained.model.preprocessing, "samples", config.quality)
    drift = SignalDrift(trained.model.covariance)
    told: list[str] = []
    for at in range(0, len(raw), 10):
        for window in frontend.push(Chunk(raw.data[at : at + 10], raw.stamps[at : at + 10])):
            if window.reason is Reason.DECIDED:
                drift.push(np.einsum("bsi,bsj->bij", window.features, window.features) / window.features.shape[1], 0.04)
        told.append(drift.line())
    assert not any(told[: len(told) // 2])
    assert "calibrat" in told[-1]
    if kind == "three times as large":
        assert 2.4 < drift.gain < 3.3
        assert drift.shape < 0.8


def test_fault_25_a_gain_of_three_in_the_middle_of_a_calibration_leaves_trials_whole_or_rejected(tmp_path: Path) -> None:
    done = calibrate(tmp_path / "a.xdf", make=faulty(Gain(3.0, 40.0)))
    assert done.kept == dict.fromkeys(HANDS, 5)
    assert train([open_labelled(tmp_path / "a.xdf", done.config)], done.config).epochs.rejected == ()
