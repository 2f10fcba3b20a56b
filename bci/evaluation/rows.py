"""Rows of the table of an evaluation: what was tested, and how it is scored."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bci.engine.chunk import FloatArray
from bci.evaluation.metrics import balanced_accuracy, confusion, nykopp_bits, wolpaw_bits
from bci.evaluation.plan import Cell
from bci.evaluation.table import ResultRow
from bci.training.chance import interval

NONE = ""


@dataclass(frozen=True, slots=True, eq=False)
class Tested:
    """A fitted decoder's answers for test trials.

    Parameters
    ----------
    truth, answers : list of str
        An empty answer is none.
    auc : float
        NaN for other than two classes.
    trials : list of str
        Their names.
    """

    truth: list[str]
    answers: list[str]
    auc: float
    trials: list[str]


def blank_row(cell: Cell) -> ResultRow:
    """A row without results yet.

    Parameters
    ----------
    cell : Cell

    Returns
    -------
    ResultRow
    """
    row = ResultRow(cell.protocol, cell.data_set, cell.subject, cell.session, cell.trained_on, cell.decoder, cell.head_start)
    return replace(row, seed=cell.seed)


def scored(
    row: ResultRow, tested: Sequence[Tested], cell: Cell, *, n_train: int, notes: Sequence[str], timing: FloatArray
) -> ResultRow:
    """The row with its numbers.

    Parameters
    ----------
    row : ResultRow
    tested : sequence of Tested
    cell : Cell
    n_train : int
        Trials that were trained on.
    notes : sequence of str
        What a person should know of this row.
    timing : ndarray, shape (2,)
        Seconds that fitting and decoding took.

    Returns
    -------
    ResultRow
    """
    truth = [t for one in tested for t in one.truth]
    answers = [a for one in tested for a in one.answers]
    if not truth:
        return replace(row, n_train=n_train, note="no trial to test on")
    classes = sorted(set(truth) | {a for a in answers if a})
    counts = confusion(truth, answers, classes, [*classes, NONE])
    correct = int(np.diagonal(counts).sum())
    low, high = interval(correct, len(truth))
    per_min = 60 / cell.config.trial.stop_s
    areas = [one.auc for one in tested if not math.isnan(one.auc)]
    return replace(
        row,
        n_train=n_train,
        n_test=len(truth),
        correct=correct,
        accuracy=correct / len(truth),
        low=low,
        high=high,
        chance=max(Counter(truth).values()) / len(truth),
        balanced_accuracy=balanced_accuracy(counts),
        auc=float(np.mean(areas)) if areas else None,
        itr_wolpaw=wolpaw_bits(correct / len(truth), len(classes)) * per_min,
        itr_nykopp=nykopp_bits(counts) * per_min,
        note="; ".join(dict.fromkeys(n for n in notes if n)),
        trials=" ".join(
            f"{name}{'+' if t == a else '-'}"
            for one in tested
            for name, t, a in zip(one.trials, one.truth, one.answers, strict=True)
        ),
        fit_s=float(timing[0]),
        decode_s=float(timing[1]),
    )
