"""Decision settings from a calibration: in the model when a number was stated, and said in words in any case."""

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
from calibration_parts import CountingJudge, calibrate, quick, subject

from bci.calibration.finish import Finished, finish
from bci.calibration.interfaces import Calibrated
from bci.engine.decide import DecisionSettings
from bci.errors import ConfigError
from bci.judging.candidates import Candidate
from bci.judging.judgement import Judgement
from bci.judging.verdict import Verdict
from bci.model.file import load_model
from bci.paradigm.protocol import Baseline
from bci.transfer.library import Library

CHANNELS = ("FC3", "FC4", "C3", "Cz", "C4", "CP3", "CP4", "Pz")


@cache
def calibrated(idle_s: float) -> Calibrated:
    """Twenty trials, and so much rest before them."""
    protocol = quick(baselines=(Baseline("idle", idle_s),))
    return calibrate(Path(mkdtemp()) / "a.xdf", protocol, make=subject(skill=1.0, seed=7), judge=CountingJudge(20))


def finished(idle_s: float, **options: float | Path) -> Finished:
    """Model of a calibration, beside its recording."""
    before = calibrated(idle_s)
    for old in before.recordings[-1].parent.glob("*.safetensors"):
        old.unlink()
    best = Candidate("ts-lr", ((8.0, 30.0),), 0.5, 2.5, CHANNELS)
    verdict = Verdict("works", 0.9, 0.7, 0.98, 0.5, 0.001, 0.01, 0, 0.97, best.name)
    judgement = Judgement(verdict, (), None, (), best, {"left_hand": 10, "right_hand": 10}, (), 1, 0, "live")
    return finish(before, judgement, report=False, **options)  # type: ignore[arg-type]


def test_a_stated_number_of_false_activations_sets_the_models_sensitivity() -> None:
    done = finished(150.0, false_per_min=12.0)
    header = load_model(done.model).header
    assert header.decision != DecisionSettings()
    assert header.chosen["thresholds"] == done.thresholds
    assert f"threshold {header.decision.threshold:g}" in done.thresholds
    rate = float(done.thresholds.partition(": ")[2].partition(" false")[0])
    assert rate <= 12.0


def test_without_a_number_the_usual_settings_stay_and_what_they_give_is_said() -> None:
    done = finished(150.0)
    assert load_model(done.model).header.decision == DecisionSettings()
    assert done.thresholds.startswith("threshold 0.6, ")
    assert "false activations per minute of idle (95 % interval" in done.thresholds


def test_too_little_rest_promises_nothing() -> None:
    done = finished(10.0, false_per_min=6.0)
    assert load_model(done.model).header.decision == DecisionSettings()
    assert "2 are needed to estimate a rate" in done.thresholds


@pytest.mark.parametrize("number", [0.0, -1.0])
def test_a_number_that_nothing_can_keep_to_is_refused(number: float) -> None:
    with pytest.raises(ConfigError, match="false_per_min"):
        finished(150.0, false_per_min=number)


def test_with_other_peoples_calibrations_a_second_model_lies_beside_the_first(tmp_path: Path) -> None:
    other = calibrated(10.0)
    Library.scan(tmp_path).add(other.recordings, "P009", "S001", other.config)
    done = finished(150.0, library=tmp_path)
    assert done.head_start is not None
    assert done.head_start.donors == 1
    assert 0.5 < done.head_start.accuracy <= 1.0
    header = load_model(done.head_start.model).header
    assert header.decoder == "head-start"
    assert header.accuracy == done.head_start.accuracy
    assert done.model != done.head_start.model
