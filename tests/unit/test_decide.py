"""Evidence becomes decisions only as the settings say."""

import numpy as np
import pytest

from bci.engine.decide import DecisionRule, DecisionSettings
from bci.errors import ConfigError

CLASSES = ("left", "right", "rest")


def run(settings: DecisionSettings, right: list[float]) -> list[int]:
    decide = DecisionRule(settings, CLASSES, 0.04)
    return [decide(np.array([1 - p, p, 0.0])) for p in right]


def test_without_smoothing_the_class_above_threshold_is_decided() -> None:
    settings = DecisionSettings(smoothing_s=0, threshold=0.6, release=0.5)
    assert run(settings, [0.55, 0.7, 0.3]) == [-1, 1, 0]


def test_a_running_decision_holds_until_its_evidence_falls_below_release() -> None:
    settings = DecisionSettings(smoothing_s=0, threshold=0.8, release=0.4)
    assert run(settings, [0.9, 0.7, 0.5, 0.39, 0.7]) == [1, 1, 1, -1, -1]


def test_dwell_asks_for_evidence_that_lasts() -> None:
    settings = DecisionSettings(smoothing_s=0, threshold=0.6, release=0.6, dwell_s=0.08)
    assert run(settings, [0.7, 0.7, 0.5, 0.7, 0.7, 0.7]) == [-1, -1, -1, -1, -1, 1]


def test_evidence_that_oscillates_at_the_threshold_switches_at_most_once_per_refractory_time() -> None:
    settings = DecisionSettings(smoothing_s=0, threshold=0.6, release=0.6, refractory_s=0.4)
    decided = run(settings, [0.9, 0.1] * 50)
    starts = [i for i in range(1, 100) if decided[i] >= 0 and decided[i] != decided[i - 1]]
    assert len(starts) >= 5
    assert min(np.diff(starts)) >= 10


def test_the_idle_class_never_becomes_a_decision() -> None:
    decide = DecisionRule(DecisionSettings(smoothing_s=0, idle="rest"), CLASSES, 0.04)
    assert decide(np.array([0.1, 0.0, 0.9])) == -1


def test_smoothing_is_an_exponential_mean_with_the_stated_time_constant() -> None:
    decide = DecisionRule(DecisionSettings(smoothing_s=0.4, threshold=0.99, release=0.5), CLASSES, 0.04)
    decide(np.array([1.0, 0.0, 0.0]))
    for _ in range(10):
        decide(np.array([0.0, 1.0, 0.0]))
    assert decide.evidence[0] == pytest.approx(np.exp(-1.0))


def test_all_wrong_settings_are_named_at_once() -> None:
    with pytest.raises(ConfigError) as error:
        DecisionSettings(smoothing_s=float("nan"), threshold=2, dwell_s=-1)
    assert {"smoothing_s", "threshold", "dwell_s"} <= {p.split(" ")[0] for p in error.value.problems}
