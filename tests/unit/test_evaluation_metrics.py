"""The measures of an evaluation have the values that their papers give."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, matthews_corrcoef, mutual_info_score, roc_auc_score

from bci.evaluation.metrics import (
    auc,
    balanced_accuracy,
    confusion,
    matthews,
    normalised_matthews,
    nykopp_bits,
    rate_interval,
    wolpaw_bits,
)


@pytest.fixture
def answers() -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(0)
    truth = rng.choice(["left", "right", "idle"], 300, p=[0.2, 0.2, 0.6])
    given = np.where(rng.random(300) < 0.6, truth, rng.choice(["left", "right", "idle"], 300))
    return truth.tolist(), given.tolist()


def test_correlation_and_balanced_accuracy_are_those_of_scikit_learn(answers: tuple[list[str], list[str]]) -> None:
    truth, given = answers
    counts = confusion(truth, given, ["idle", "left", "right"], ["idle", "left", "right"])
    assert counts.sum() == 300
    assert matthews(counts) == pytest.approx(matthews_corrcoef(truth, given), abs=1e-12)
    assert balanced_accuracy(counts) == pytest.approx(balanced_accuracy_score(truth, given), abs=1e-12)


def test_doing_nothing_at_all_has_a_normalised_correlation_of_one_half_however_frequent_idle_is() -> None:
    counts = confusion(["left"] * 5 + ["idle"] * 95, ["idle"] * 100, ["left", "idle"], ["left", "idle"])
    assert normalised_matthews(counts) == 0.5
    assert balanced_accuracy(counts) == 0.5


def test_the_area_under_the_curve_is_that_of_scikit_learn_with_ties() -> None:
    rng = np.random.default_rng(1)
    positive = rng.random(80) < 0.4
    scores = np.round(positive + rng.normal(0, 1, 80), 1)
    assert auc(scores, positive) == pytest.approx(roc_auc_score(positive, scores), abs=1e-12)
    assert math.isnan(auc(scores[positive], positive[positive]))


@pytest.mark.parametrize(
    ("accuracy", "classes", "seconds", "bits_per_min"),
    [
        (0.80, 2, 4, 4.2),
        (0.85, 2, 4, 5.9),
        (0.90, 2, 4, 8.0),
        (0.80, 2, 2, 8.3),
        (0.70, 4, 4, 9.6),
        (0.85, 4, 4, 17.3),
        (0.73, 3, 3, 9.5),
    ],
)
def test_wolpaw_has_its_published_values(accuracy: float, classes: int, seconds: float, bits_per_min: float) -> None:
    assert wolpaw_bits(accuracy, classes) * 60 / seconds == pytest.approx(bits_per_min, abs=0.1)


def test_wolpaw_is_nothing_at_chance_and_below_and_everything_without_error() -> None:
    assert wolpaw_bits(0.5, 2) == wolpaw_bits(0.2, 2) == 0
    assert wolpaw_bits(1.0, 4) == 2


def test_nykopp_is_the_mutual_information_and_equals_wolpaw_where_errors_are_even() -> None:
    counts = np.array([[40, 5, 5], [10, 30, 10]])
    truth = np.repeat([0, 0, 0, 1, 1, 1], counts.ravel())
    given = np.repeat([0, 1, 2, 0, 1, 2], counts.ravel())
    assert nykopp_bits(counts) == pytest.approx(mutual_info_score(truth, given) / math.log(2), abs=1e-12)
    assert nykopp_bits(np.array([[80, 20], [20, 80]])) == pytest.approx(wolpaw_bits(0.8, 2), abs=1e-12)


def test_a_rejected_selection_costs_less_by_nykopp_than_a_wrong_one() -> None:
    rejecting = nykopp_bits(np.array([[80, 0, 20], [0, 80, 20]]))
    erring = nykopp_bits(np.array([[80, 20, 0], [20, 80, 0]]))
    assert rejecting == pytest.approx(0.8)
    assert erring < rejecting


def test_no_event_in_three_minutes_is_compatible_with_a_rate_of_one_a_minute() -> None:
    assert rate_interval(0, 3.0) == (0.0, pytest.approx(1.2296, abs=1e-4))
    low, high = rate_interval(10, 5.0)
    assert (low, high) == (pytest.approx(4.795 / 5, abs=1e-3), pytest.approx(18.390 / 5, abs=1e-3))
