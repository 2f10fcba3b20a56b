"""Decoders against a baseline: the test holds its level, pairs the same trials, and says where nothing was shown."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

from bci.commands import main
from bci.evaluation.comparison import compare, interval_of_mean, sign_flip
from bci.evaluation.comparison_table import comparison_table, sentences
from bci.evaluation.published import Benchmark, benchmarks, figures, published_table
from bci.evaluation.table import ResultRow


def row(decoder: str, right: np.ndarray, subject: str = "1", **more: object) -> ResultRow:
    """A result whose trials were right or wrong as said."""
    trials = " ".join(f"0.{i}{'+' if r else '-'}" for i, r in enumerate(right))
    plain = ResultRow(
        "chronological", "set", subject, "1", "x", decoder, trials=trials, correct=int(right.sum()), accuracy=float(right.mean())
    )
    return replace(plain, **more)


def drawn(n: int, share: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random(n) < share


def test_flipping_signs_of_one_person_is_the_exact_test_of_mcnemar() -> None:
    wins, losses = np.ones(9), -np.ones(2)
    p, exact = sign_flip([np.concatenate([wins, losses, np.zeros(20)])])
    assert exact
    assert p == pytest.approx(binomtest(9, 11).pvalue, abs=1e-12)
    p, exact = sign_flip([np.concatenate([np.ones(40), -np.ones(20)])])
    assert not exact
    assert p == pytest.approx(binomtest(40, 60).pvalue, abs=0.004)


def test_equal_decoders_are_called_different_no_more_often_than_the_level_says() -> None:
    rng = np.random.default_rng(3)
    found = []
    for _ in range(200):
        people = [(rng.random(n) < 0.7).astype(float) - (rng.random(n) < 0.7) for n in (20, 40, 15)]
        found.append(sign_flip(people)[0])
    assert np.mean(np.array(found) < 0.05) <= 0.09
    assert sign_flip([np.zeros(10)])[0] == 1.0


def test_every_person_counts_the_same_however_many_trials() -> None:
    many, few = np.full(200, 0.0), np.ones(10)
    low, high = interval_of_mean([many, few])
    assert (low, high) == (0.0, 1.0)
    found = compare([row("a", many == 0, "1"), row("b", many == 0, "1"), row("a", few == 1, "2"), row("b", few == 0, "2")], "b")
    assert found[0].difference == pytest.approx(0.5)


def test_seeds_and_draws_make_no_more_trials_than_there_are() -> None:
    base, net = drawn(60, 0.6, 1), drawn(60, 0.8, 2)
    once = compare([row("net", net), row("base", base)], "base")[0]
    thrice = compare([*(row("net", net, seed=s) for s in range(3)), row("base", base)], "base")[0]
    assert (thrice.trials, thrice.p, thrice.difference) == (once.trials, once.p, once.difference)
    assert (thrice.seeds, thrice.by_seed) == (3, (net.mean(),) * 3)


def test_only_trials_that_both_decoded_are_compared() -> None:
    base, net = drawn(40, 0.5, 1), drawn(40, 0.5, 2)
    short = row("net", net[:30])
    found = compare([short, row("net", net, "2"), row("base", base)], "base")[0]
    assert (found.people, found.trials) == (1, 30)
    assert found.of_baseline == pytest.approx(base[:30].mean())
    assert compare([row("net", net)], "base") == []


def test_the_text_says_where_the_baseline_was_not_beaten() -> None:
    base = drawn(80, 0.6, 1)
    rows = [row("base", base), row("same", base), row("better", np.ones(80, bool)), row("worse", np.zeros(80, bool))]
    said = "\n".join(sentences(compare(rows, "base")))
    assert "same does **not** beat base" in said
    assert "worse does **not** beat base; it is worse" in said
    assert "better beats base by" in said
    assert comparison_table([]) == ""


def test_recentring_is_compared_with_the_same_decoder_without() -> None:
    plain, moved = drawn(40, 0.5, 1), drawn(40, 0.9, 2)
    rows = [replace(r, protocol="recentring") for r in (row("mdm", plain), row("mdm, recentred", moved), row("ts-lr", plain))]
    found = compare(rows, "ts-lr")
    assert [(c.decoder, c.baseline) for c in found] == [("mdm, recentred", "mdm")]


def test_one_session_decoded_by_two_models_in_recentring_is_two_sets_of_trials() -> None:
    first, second = drawn(20, 0.5, 1), drawn(20, 0.9, 2)
    rows = [
        replace(row(name, right), protocol="recentring", train=train)
        for train, right in (("day 1", first), ("runs 1+2", second))
        for name in ("mdm", "mdm, recentred")
    ]
    found = compare(rows, "ts-lr")[0]
    assert (found.trials, found.difference, found.p) == (40, 0.0, 1.0)


def test_published_figures_stand_beside_ours_and_know_which_classes_were_told_apart() -> None:
    assert len(figures()) > 200
    hands = Benchmark("BNCI2014-001", "BNCI2014_001", frozenset({"left_hand", "right_hand"}))
    ours = row("ts-lr", drawn(10, 0.9, 1), protocol="within", data_set="BNCI2014-001", auc=0.9)
    lines = published_table([ours], [hands]).splitlines()
    logistic = [line for line in lines if "| TS+LR |" in line]
    assert len(logistic) == 1
    assert "| 87.41±12.58 | 90.00 |" in logistic[0]
    everything = published_table([ours], [replace(hands, classes=frozenset({"left_hand", "right_hand", "feet", "tongue"}))])
    assert "| 71.97±15.46 |" in everything
    assert published_table([ours], [replace(hands, name="FakeDataset")]) == ""


def test_a_public_data_set_that_cannot_be_fetched_is_a_row_and_its_published_figures_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from moabb.datasets import BNCI2014_001

    def unreachable(*_: object, **__: object) -> None:
        raise ConnectionError("no route to host")

    monkeypatch.setattr(BNCI2014_001, "get_data", unreachable)
    words = ["--moabb", "BNCI2014_001", "--jobs", "1", "--plots", "none", "--protocol", "within", "--out", str(tmp_path)]
    assert main(["evaluate", *words]) == 0
    told = capsys.readouterr().out
    assert "not run here: cannot be fetched (ConnectionError: no route to host)" in told
    assert "| 87.41±12.58 | not run here |" in told
    with (tmp_path / "table.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(r["data_set"], r["decoder"], r["accuracy"]) for r in rows] == [("BNCI2014_001", "ts-lr", "")]
    assert [b.name for b in benchmarks([], {"BNCI2014_001": "x"})] == ["BNCI2014_001"]
