"""The parts of a judgement, each alone: blocks, permutations, choice, forecast, words, thresholds."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from bci.engine.decide import DecisionSettings
from bci.errors import ConfigError, TrainingError
from bci.judging.blocks import blocks_of, folds_of, permuted, streaks
from bci.judging.forecast import forecast
from bci.judging.nested import OutOfFold, nested
from bci.judging.permutation import held_out_scores, permutation_test, shrunk, tangent_kernel
from bci.judging.settings import JudgeSettings
from bci.judging.thresholds import DecodedSpan, curve, operating, poisson_interval, trade_off, tune
from bci.judging.verdict import Evidence, Verdict, word

GOOD = Evidence(n=80, planned=160, enough=True, last=False, low=0.6, chance=0.5, p_value=1e-4, alpha=1e-3, ceiling=0.9, fair=True)


def _labels(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.permutation(["left", "right"]) for _ in range(n // 2)])


def test_a_block_ends_at_a_break_and_with_the_recording() -> None:
    times = np.concatenate([np.arange(20) * 6.0, 180 + np.arange(10) * 6.0, np.arange(20) * 6.0])
    blocks = blocks_of(np.repeat([0, 0, 1], (20, 10, 20)), times, 10)
    assert blocks.tolist() == np.repeat(range(5), 10).tolist()


def test_few_trials_are_cut_into_smaller_blocks() -> None:
    assert blocks_of(np.zeros(20, int), np.arange(20) * 6.0, 10).tolist() == np.repeat(range(5), 4).tolist()


def test_folds_are_whole_blocks_of_neighbours() -> None:
    blocks = np.repeat(np.arange(12), 8)
    folds = folds_of(blocks, _labels(96), 5)
    assert len(set(folds.tolist())) == 5
    assert (np.diff(folds) >= 0).all()
    assert all(len(set(folds[blocks == b].tolist())) == 1 for b in range(12))


def test_permuted_labels_stay_in_their_block() -> None:
    codes = np.array([0, 0, 0, 0, 1, 1, 1, 0])
    blocks = np.repeat([0, 1], 4)
    orders = permuted(codes, blocks, 50, 1)
    assert (orders[:, :4] == 0).all()
    assert (orders[:, 4:].sum(axis=1) == 3).all()
    assert len({row.tobytes() for row in orders}) == 4


def test_streaks_are_told_from_a_random_order() -> None:
    groups = np.zeros(80, dtype=int)
    changes, expected = streaks(_labels(80), groups)
    assert changes >= 0.8 * expected
    changes, expected = streaks(np.repeat(["left", "right", "left", "right"], 20), groups)
    assert changes == 3
    assert expected > 35


def _noise(n: int, seed: int, drift: float = 0.0) -> np.ndarray:
    """White noise in three channels whose power drifts."""
    size = np.exp(drift * np.linspace(-1, 1, n))[:, None, None]
    return np.random.default_rng(seed).standard_normal((n, 1, 100, 3))[:, 0] * size


def test_p_values_of_noise_are_even() -> None:
    blocks = np.repeat(np.arange(4), 10)
    p = []
    for seed in range(100):
        labels = (_labels(40, seed) == "right").astype(np.int64)
        kernel = tangent_kernel(shrunk(_noise(40, seed)[:, None]))
        p.append(permutation_test([held_out_scores(kernel, blocks)], labels, blocks, 100, seed).p_value)
    assert np.mean(np.array(p) <= 0.1) < 0.2
    assert np.mean(np.array(p) <= 0.5) == pytest.approx(0.5, abs=0.16)


def test_labels_that_go_with_blocks_prove_nothing_however_strong_the_drift() -> None:
    windows = _noise(40, 1, drift=2.0)
    codes, blocks = np.repeat([0, 1], 20), np.repeat(np.arange(4), 10)
    answers = held_out_scores(tangent_kernel(shrunk(windows[:, None])), np.arange(40) % 5)
    assert permutation_test([answers], codes, blocks, 200, 0).p_value == 1.0


def test_a_difference_between_the_classes_is_found() -> None:
    labels = (_labels(40) == "right").astype(np.int64)
    windows = _noise(40, 2)
    windows[labels == 1, :, 0] *= 2
    blocks = np.repeat(np.arange(4), 10)
    test = permutation_test([held_out_scores(tangent_kernel(shrunk(windows[:, None])), blocks)], labels, blocks, 1000, 0)
    assert test.p_value == pytest.approx(1 / 1001)


def test_the_shrinkage_is_that_of_the_decoders() -> None:
    from sklearn.covariance import oas

    window = _noise(1, 3)[0] @ np.array([[1.0, 0.5, 0], [0, 1, 0], [0, 0, 3]])
    np.testing.assert_allclose(shrunk(window[None])[0], oas(window)[0], rtol=1e-10)


def _answers(right: np.ndarray, codes: np.ndarray, folds: np.ndarray) -> OutOfFold:
    """A candidate that is right about these trials, the same inside and outside."""
    said = np.where(right, codes, 1 - codes)
    outer = np.where(np.eye(2)[said] == 1, 0.9, 0.1)
    inner = np.stack([np.where((folds == f)[:, None], np.nan, outer) for f in range(folds.max() + 1)])
    return OutOfFold(outer, inner)


def test_what_is_chosen_for_a_fold_does_not_depend_on_that_fold() -> None:
    codes, folds = np.tile([0, 1], 50), np.repeat(np.arange(5), 20)
    default = _answers(np.arange(100) % 3 > 0, codes, folds)
    lucky = _answers(folds == 4, codes, folds)  # right where it is judged, wrong where it may be chosen
    result = nested([default, lucky], codes, folds)
    assert result.chosen_in_fold[4] == 0
    np.testing.assert_array_equal(result.probabilities[folds == 4], default.outer[folds == 4])


def test_the_best_of_many_useless_candidates_looks_no_better_than_chance() -> None:
    rng = np.random.default_rng(0)
    codes, folds = np.tile([0, 1], 40), np.repeat(np.arange(5), 16)
    best, own = [], []
    for _ in range(40):
        answers = [_answers(rng.random(80) < 0.5, codes, folds) for _ in range(20)]
        best.append(max(float((a.outer.argmax(axis=1) == codes).mean()) for a in answers))
        own.append(nested(answers, codes, folds).accuracy)
    assert np.mean(best) > 0.58
    assert np.mean(own) == pytest.approx(0.5, abs=0.025)


def test_a_clearly_better_candidate_is_chosen() -> None:
    rng = np.random.default_rng(1)
    codes, folds = np.tile([0, 1], 50), np.repeat(np.arange(5), 20)
    answers = [_answers(rng.random(100) < share, codes, folds) for share in (0.55, 0.9)]
    result = nested(answers, codes, folds)
    assert result.chosen == 1
    assert result.accuracy > 0.8


def test_the_error_spent_over_all_looks_is_alpha() -> None:
    settings = JudgeSettings(looks=8)
    assert sum(settings.spent(look) for look in range(1, 40)) == pytest.approx(settings.alpha)
    assert settings.spent(9) == 0
    with pytest.raises(ConfigError, match="looks are counted from 1"):
        settings.spent(0)


def test_wrong_settings_are_all_named() -> None:
    with pytest.raises(ConfigError) as caught:
        JudgeSettings(alpha=0.0, looks=0, spending=-1)
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, "works"),
        ({"p_value": 2e-3}, "more"),
        ({"low": 0.49}, "more"),
        ({"fair": False}, "more"),
        ({"ceiling": 0.69}, "unlikely"),
        ({"ceiling": 0.69, "enough": False}, "more"),
        ({"p_value": 2e-3, "last": True}, "unlikely"),
        ({"p_value": 2e-3, "n": 160}, "unlikely"),
        ({"last": True}, "works"),
        ({"chance": 0.25, "low": 0.3, "ceiling": 0.56}, "works"),
    ],
)
def test_the_word_follows_the_rules(change: dict[str, object], expected: str) -> None:
    assert word(replace(GOOD, **change)) == expected


def test_a_verdict_survives_json_and_says_what_is_wrong_with_another() -> None:
    verdict = Verdict(
        "unlikely", 0.55, 0.45, 0.64, 0.5, 0.2, 0.001, 0, 0.66, "ts-lr", ("check C3: it was bad in 23 % of the trials",)
    )
    assert Verdict.from_json(verdict.to_json()) == verdict
    assert verdict.line().startswith("unlikely to reach 70 %: 55 % correct")
    assert "upper bound 66: check C3" in verdict.line()
    with pytest.raises(ConfigError, match="must be one of works, more, unlikely"):
        Verdict.from_json(verdict.to_json().replace("unlikely", "perhaps"))
    with pytest.raises(ConfigError, match="missing"):
        Verdict.from_json(json.dumps({"word": "works"}))


def test_the_forecast_rises_with_a_rising_curve_and_is_narrower_with_more_trials() -> None:
    rng = np.random.default_rng(0)

    def ahead(n: int) -> tuple[float, float, float]:
        sizes = np.array([n // 5, 2 * n // 5, 3 * n // 5, 4 * n // 5])
        hits = (rng.random((4, n)) < (0.85 - 1 / np.sqrt(sizes))[:, None]).astype(float)
        found = forecast(sizes, hits, hits[-1] > 0, 160, 0)
        assert found.low < found.accuracy < found.high
        return found.accuracy - hits[-1].mean(), found.low, found.high

    short, long = ahead(40), ahead(150)
    assert short[0] > 0.02
    assert long[2] - long[1] < short[2] - short[1]


HOP_S = 0.1


def _walks(n: int, level: float, seed: int) -> list[np.ndarray]:
    """Probabilities of two classes that waver around a level."""
    rng = np.random.default_rng(seed)
    first = np.clip(level + 0.15 * rng.standard_normal((n, 40)), 0.01, 0.99)
    return [np.stack([p, 1 - p], axis=1) for p in first]


def _recorded() -> tuple[list[DecodedSpan], list[DecodedSpan]]:
    trials = [DecodedSpan(p, "left") for p in _walks(20, 0.8, 0)] + [DecodedSpan(p, "right") for p in _walks(20, 0.2, 1)]
    return trials, [DecodedSpan(p) for p in _walks(30, 0.5, 2)]


def test_thresholds_keep_to_the_false_activations_that_are_allowed() -> None:
    trials, idle = _recorded()
    points = trade_off(DecisionSettings(), ("left", "right"), HOP_S, trials, idle)
    quiet, loud = tune(points, 0.5), tune(points, 20.0)
    assert quiet.per_min <= 0.5
    assert quiet.low <= quiet.per_min <= quiet.high
    assert quiet.hit > 0.9
    assert loud.delay_s is not None
    assert quiet.delay_s is not None
    assert loud.delay_s <= quiet.delay_s
    again = operating(quiet.settings, ("left", "right"), HOP_S, trials, idle)
    assert again == quiet


def test_the_trade_off_curve_only_ever_gains() -> None:
    points = curve(trade_off(DecisionSettings(), ("left", "right"), HOP_S, *_recorded()))
    assert all(a.per_min < b.per_min and a.hit - a.wrong < b.hit - b.wrong for a, b in pairwise(points))


def test_thresholds_say_what_is_missing() -> None:
    trials, idle = _recorded()
    with pytest.raises(TrainingError, match="0 windows of idle"):
        trade_off(DecisionSettings(), ("left", "right"), HOP_S, trials, [])
    points = [p for p in trade_off(DecisionSettings(), ("left", "right"), HOP_S, trials, idle) if p.false]
    with pytest.raises(TrainingError, match="no setting gives at most 0 false activations"):
        tune(points, 0.0)


def test_the_poisson_interval_is_garwoods() -> None:
    low, high = poisson_interval(10, 1.0)
    assert (low, high) == (pytest.approx(4.795, abs=1e-3), pytest.approx(18.39, abs=1e-2))
