"""What each protocol computes from trials: the rows of one cell."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import FloatArray
from bci.errors import TrainingError
from bci.evaluation.cutting import filled_by, load, select, trial_names
from bci.evaluation.fitting import Fitted, fit_few, fit_whole, head_start_from, step_us
from bci.evaluation.metrics import auc
from bci.evaluation.plan import Cell
from bci.evaluation.pseudo_online import pseudo_online
from bci.evaluation.recentring import recentring
from bci.evaluation.rows import Tested, blank_row, scored
from bci.evaluation.table import ResultRow
from bci.training.epochs import Epochs, impute_bad_channels
from bci.training.fit import TooFewTrials


def rows_of(cell: Cell) -> list[ResultRow]:
    """Compute one cell.

    Parameters
    ----------
    cell : Cell

    Returns
    -------
    list of ResultRow
    """
    if cell.protocol == "pseudo-online":
        return pseudo_online(cell)
    if cell.protocol == "recentring":
        return recentring(cell)
    return list(_COMPUTE[cell.protocol](cell))


def _within(cell: Cell) -> Iterator[ResultRow]:
    """Whole runs are left out where there are three or more, else blocks of neighbouring trials."""
    epochs, names = load(cell.own), np.array(trial_names(cell.own))
    row = replace(blank_row(cell), rejected=len(epochs.rejected))
    n = len(epochs.labels)
    folds = min(cell.choices.folds, n)
    groups = epochs.runs if len(set(epochs.runs.tolist())) >= 3 else np.arange(n) * folds // max(n, 1)
    tested, timing, notes, sizes = [], np.zeros(2), [], []
    try:
        decoder = cell.resolved()
        for group in sorted(set(groups.tolist())):
            train = select(epochs, np.flatnonzero(groups != group))
            test = filled_by(train, select(epochs, np.flatnonzero(groups == group)), cell.preprocessing.labels)
            began = time.perf_counter()
            fitted = fit_whole(decoder, train)
            between = time.perf_counter()
            tested.append(_test(fitted, test, names[groups == group].tolist()))
            timing += (between - began, time.perf_counter() - between)
            notes.append(fitted.note)
            sizes.append(len(train.labels))
    except TooFewTrials:
        counts = ", ".join(f"{class_}: {k}" for class_, k in sorted(Counter(epochs.labels.tolist()).items()))
        left = f"; {len(epochs.rejected)} left out" if epochs.rejected else ""
        yield replace(row, note=f"too few trials to leave any out: the session has {n} that count ({counts}{left})")
        return
    except (TrainingError, ValueError) as error:
        yield replace(row, note=_one_line(error))
        return
    if not tested:
        yield replace(row, note="no trials")
        return
    row = replace(row, fits=len(sizes), step_us=_step_us(fitted, test))
    yield scored(row, tested, cell, n_train=round(float(np.mean(sizes))), notes=notes, timing=timing)


def _step_us(fitted: Fitted, test: Epochs) -> float | None:
    return step_us(fitted.kernel, test.windows[0]) if fitted.kernel is not None and len(test.windows) else None


def _chronological(cell: Cell) -> Iterator[ResultRow]:
    """A model of the earlier runs decodes the last one."""
    yield _transferred(cell, load(cell.own), [])


def _cross_session(cell: Cell) -> Iterator[ResultRow]:
    """A model of the earlier sessions decodes this one."""
    train = load(cell.own)
    yield _transferred(cell, train, [], _whose(train, [c.session for c in cell.own]))


def _whose(train: Epochs, names: Sequence[str]) -> npt.NDArray[np.int64]:
    """Number of the person or session of each trial, from the name that each run has."""
    numbers = {name: i for i, name in enumerate(dict.fromkeys(names))}
    return np.array([numbers[name] for name in names], dtype=np.int64)[train.runs]


def _cross_subject(cell: Cell) -> Iterator[ResultRow]:
    """A model of the other people decodes this one."""
    if cell.head_start:
        yield _transferred(cell, None, [load(session) for session in cell.others])
        return
    train = load([c for session in cell.others for c in session])
    yield _transferred(cell, train, [], _whose(train, [f"{c.subject} {c.session}" for s in cell.others for c in s]))


def _transferred(
    cell: Cell, train: Epochs | None, others: Sequence[Epochs], people: npt.NDArray[np.int64] | None = None
) -> ResultRow:
    test = load(cell.test)
    row = replace(blank_row(cell), rejected=len(test.rejected))
    labels = cell.preprocessing.labels
    try:
        began = time.perf_counter()
        if train is None:
            whole = [impute_bad_channels(o, labels) for o in others]
            fitted = head_start_from(whole)(None)
            n_train = sum(len(o.labels) for o in others)
            test = impute_bad_channels(test, labels)
        else:
            fitted = fit_whole(cell.resolved(), train, people)
            n_train = len(train.labels)
            test = filled_by(train, test, labels)
        between = time.perf_counter()
        tested = [_test(fitted, test, trial_names(cell.test))]
    except (TrainingError, ValueError) as error:
        return replace(row, note=_one_line(error))
    timing = np.array([between - began, time.perf_counter() - between])
    row = replace(row, step_us=_step_us(fitted, test))
    return scored(row, tested, cell, n_train=n_train, notes=[fitted.note], timing=timing)


def _few_shot(cell: Cell) -> Iterator[ResultRow]:
    """Train on a few trials of the earlier half, test on all of the later one: the same for every number."""
    epochs = load(cell.own)
    half = len(epochs.labels) // 2
    pool, test = select(epochs, np.arange(half)), select(epochs, np.arange(half, len(epochs.labels)))
    names = trial_names(cell.own)[half:]
    row = replace(blank_row(cell), rejected=len(epochs.rejected))
    labels = cell.preprocessing.labels
    try:
        test = filled_by(pool, test, labels)
        pool = impute_bad_channels(pool, labels)
        fit: Callable[[Epochs], Fitted] = partial(fit_few, cell.resolved())
        if cell.head_start:
            fit = head_start_from([impute_bad_channels(load(session), labels) for session in cell.others])
            yield _drawn(replace(row, trials_per_class=0, draw=0), cell, fit, (pool, test), [], names)
    except (TrainingError, ValueError) as error:
        yield replace(row, note=_one_line(error))
        return
    for n in cell.choices.trials_per_class:
        for draw in range(cell.choices.draws):
            chosen = drawn(pool.labels.tolist(), n, draw, cell.choices.seed)
            if chosen is not None:
                yield _drawn(replace(row, trials_per_class=n, draw=draw), cell, fit, (pool, test), chosen, names)


def drawn(labels: Sequence[str], n: int, draw: int, seed: int) -> list[int] | None:
    """Trials of one draw, ``n`` of each class, in order of time; None where a class has fewer.

    Draw 0 takes the first ones, as a calibration would. The others depend on seed, draw and class only, and a
    smaller ``n`` takes a part of what a larger one takes.

    Parameters
    ----------
    labels : sequence of str
        Class of each trial.
    n : int
        Trials of each class.
    draw : int
        Number of the draw; 0 takes the first trials.
    seed : int
        Of the draws.

    Returns
    -------
    list of int or None
    """
    chosen: list[int] = []
    for number, class_ in enumerate(sorted(set(labels))):
        own = [i for i, label in enumerate(labels) if label == class_]
        if len(own) < n:
            return None
        if draw:
            own = [own[i] for i in np.random.default_rng((seed, draw, number)).permutation(len(own))]
        chosen += own[:n]
    return sorted(chosen)


def _drawn(
    row: ResultRow,
    cell: Cell,
    fit: Callable[[Epochs], Fitted],
    halves: tuple[Epochs, Epochs],
    chosen: Sequence[int],
    names: Sequence[str],
) -> ResultRow:
    """One draw: fit, test."""
    pool, test = halves
    try:
        began = time.perf_counter()
        fitted = fit(select(pool, chosen))
        between = time.perf_counter()
        tested = [_test(fitted, test, names)]
    except (TrainingError, ValueError) as error:
        return replace(row, n_train=len(chosen), note=_one_line(error))
    timing = np.array([between - began, time.perf_counter() - between])
    return scored(row, tested, cell, n_train=len(chosen), notes=[fitted.note], timing=timing)


def _test(fitted: Fitted, test: Epochs, names: Sequence[str]) -> Tested:
    """What the decoder says of the test trials."""
    truth = test.labels.tolist()
    if not truth:
        return Tested([], [], math.nan, [])
    probabilities = np.asarray(fitted.predict(test.windows))
    return Tested(truth, fitted.answers(probabilities), _auc(fitted.classes, probabilities, test), list(names))


def _auc(classes: Sequence[str], probabilities: FloatArray, test: Epochs) -> float:
    """Of two classes."""
    if len(classes) != 2 or not np.isfinite(probabilities).all():
        return math.nan
    return auc(probabilities[:, 1], test.labels == classes[1])


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


_COMPUTE = {
    "within": _within,
    "chronological": _chronological,
    "cross-session": _cross_session,
    "cross-subject": _cross_subject,
    "few-shot": _few_shot,
}
