"""Pseudo-online evaluation: the engine runs over continuous recordings, with an idle class."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from bci.engine.engine import Engine, EngineSettings
from bci.engine.outcome import Reason
from bci.errors import TrainingError
from bci.evaluation.activations import ActivationCounts, DecisionTrace, Task, count_activations
from bci.evaluation.cutting import select
from bci.evaluation.metrics import (
    balanced_accuracy,
    normalised_matthews,
    nykopp_bits,
    rate_interval,
    wolpaw_bits,
)
from bci.evaluation.plan import Cell
from bci.evaluation.table import ResultRow
from bci.paradigm.cues import CueEvent
from bci.training.chance import interval
from bci.training.decoding import decode_recording
from bci.training.epochs import Epochs, impute_bad_channels, join
from bci.training.extraction import extract_epochs
from bci.training.fit import FittedModel, fit_decoder
from bci.training.labelled import LabelledRun

IDLE = "idle"
MIN_IDLE = 4


class RunPart(NamedTuple):
    """Some of a run's cues, and the time from which the run counts."""

    run: LabelledRun
    cues: tuple[CueEvent, ...]
    from_s: float


def pseudo_online(cell: Cell) -> list[ResultRow]:
    """Train on the earlier half of a session, let the engine run over the later one.

    Whole runs make the halves; of a single run, its cues do.

    Parameters
    ----------
    cell : Cell

    Returns
    -------
    list of ResultRow
    """
    row = ResultRow(cell.protocol, cell.data_set, cell.subject, cell.session, cell.trained_on, cell.decoder)
    train, test = halves(opened(cell))
    try:
        began = time.perf_counter()
        model, idle, note = train_with_idle(train, cell)
        between = time.perf_counter()
        classes = [c for c in sorted({t.class_ for p in (*train, *test) for t in p.cues}) if c != idle]
        seen = [watch(part, model, idle, classes, cell) for part in test]
    except (TrainingError, ValueError) as error:
        return [replace(row, note=" ".join(str(error).split()))]
    if not seen:
        return [replace(row, note="no trial to test on")]
    total = seen[0]
    for one in seen[1:]:
        total = total + one
    timing = (between - began, time.perf_counter() - between)
    return [_scored(replace(row, n_train=sum(model.trials.values()), note=note), total, idle in _cued(test), timing)]


def opened(cell: Cell) -> list[LabelledRun]:
    """The runs of a cell, each source read once.

    Parameters
    ----------
    cell : Cell

    Returns
    -------
    list of LabelledRun
    """
    read = {source: source.open(cell.config) for source in dict.fromkeys(one.source for one in cell.own)}
    return [read[one.source][one.number].labelled for one in cell.own]


def halves(runs: Sequence[LabelledRun]) -> tuple[list[RunPart], list[RunPart]]:
    """The earlier runs to train on and the later ones to test on; of one run, its earlier and later cues.

    Parameters
    ----------
    runs : sequence of LabelledRun

    Returns
    -------
    (list of RunPart, list of RunPart)
    """
    if len(runs) > 1:
        middle = (len(runs) + 1) // 2
        parts = [RunPart(run, run.cues, -math.inf) for run in runs]
        return parts[:middle], parts[middle:]
    run = runs[0]
    middle = len(run.cues) // 2
    if not middle:
        return [RunPart(run, run.cues, -math.inf)], []
    between_s = (run.cues[middle - 1].time_s + run.cues[middle].time_s) / 2
    return [RunPart(run, run.cues[:middle], -math.inf)], [RunPart(run, run.cues[middle:], between_s)]


def train_with_idle(parts: Sequence[RunPart], cell: Cell) -> tuple[FittedModel, str, str]:
    """Train a model with an idle class; returns the model, the name of that class, and a note.

    Where ``decision.idle`` names a cued class, that is it. Else the windows that end at a cue are: the person waits
    for it, and nothing is imagined yet.

    Parameters
    ----------
    parts : sequence of RunPart
    cell : Cell

    Returns
    -------
    (FittedModel, str, str)
    """
    config, idle, note = cell.config, cell.config.decision.idle, ""
    epochs = [_cut(part, part.cues, cell) for part in parts]
    if not idle:
        waiting = [_cut(part, waits(part.cues, task_s(cell), _window_s(cell), config.trial.stop_s), cell) for part in parts]
        found = sum(len(w.labels) for w in waiting)
        if found >= MIN_IDLE:
            epochs += waiting
        else:
            note = f"no idle class: {found} windows fit between tasks, so only the threshold prevents activations"
    whole = _balanced(impute_bad_channels(join(epochs), cell.preprocessing.labels))
    model = fit_decoder(cell.resolved().family, whole.windows, whole.labels, cell.preprocessing)
    return model, idle or IDLE, "; ".join([*([note] if note else []), *model.notes])


def _cut(part: RunPart, cues: Sequence[CueEvent], cell: Cell) -> Epochs:
    c, run = cell.config, part.run
    return extract_epochs(run.info, run.raw, cues, cell.preprocessing, c.trial.stop_s, front=c.front(), marked=run.marked)


def task_s(cell: Cell) -> float:
    """How long a task lasts after its cue.

    Parameters
    ----------
    cell : Cell

    Returns
    -------
    float
    """
    return cell.choices.task_s or cell.config.trial.stop_s


def _window_s(cell: Cell) -> float:
    return cell.preprocessing.window / cell.preprocessing.rate_hz


def waits(cues: Sequence[CueEvent], task_s: float, window_s: float, stop_s: float) -> list[CueEvent]:
    """A trial of the class idle before each cue whose window holds nothing of the task before.

    Its time is such that the window that is cut, the one that ends at time + ``stop_s``, ends at the cue.

    Parameters
    ----------
    cues : sequence of CueEvent
        Of one recording.
    task_s : float
        How long a task lasts after its cue, seconds.
    window_s : float
        Length of a window, seconds.
    stop_s : float
        End of the part of a trial that counts, seconds after the cue.

    Returns
    -------
    list of CueEvent
    """
    found = []
    before_s = -math.inf
    for cue in sorted(cues, key=lambda c: c.time_s):
        if before_s <= cue.time_s - window_s:
            found.append(CueEvent(cue.time_s - stop_s, IDLE))
        before_s = cue.time_s + task_s
    return found


def _balanced(epochs: Epochs) -> Epochs:
    """No more idle trials than the largest other class has, evenly over time."""
    idle = np.flatnonzero(epochs.labels == IDLE)
    rest = np.flatnonzero(epochs.labels != IDLE)
    if not len(idle) or not len(rest):
        return epochs
    most = int(np.unique(epochs.labels[rest], return_counts=True)[1].max())
    if len(idle) > most:
        idle = idle[np.linspace(0, len(idle) - 1, most).round().astype(int)]
    return select(epochs, np.sort(np.concatenate([idle, rest])))


def watch(part: RunPart, model: FittedModel, idle: str, classes: Sequence[str], cell: Cell) -> ActivationCounts:
    """Run the engine over one recording and count.

    Parameters
    ----------
    part : RunPart
    model : FittedModel
    idle : str
        Name of the class in which nothing is done.
    classes : sequence of str
        Class names, in the order of the probabilities.
    cell : Cell

    Returns
    -------
    ActivationCounts
    """
    known = idle if idle in model.classes else ""
    config = cell.config
    settings = EngineSettings(replace(config.decision.over(), idle=known), config.quality, config.continuity)
    trace = listen(Engine(part.run.info, model.decoder(), settings), part, model.classes, idle)
    last_s = task_s(cell)
    tasks = [Task(cue.time_s, cue.time_s + last_s, cue.class_) for cue in part.cues]
    return count_activations(trace, tasks, [*classes, idle], _window_s(cell), cell.preprocessing.hop / cell.preprocessing.rate_hz)


def listen(engine: Engine, part: RunPart, names: Sequence[str], idle: str) -> DecisionTrace:
    """Run the engine over a recording; decisions count from a given time on.

    Parameters
    ----------
    engine : Engine
    part : RunPart
    names : sequence of str
        Classes of the model.
    idle : str
        Name of the class in which nothing is done.

    Returns
    -------
    DecisionTrace
    """
    ends: list[float] = []
    decisions: list[str] = []
    known: list[bool] = []
    for outcome in decode_recording(engine, part.run.raw, part.run.marked):
        end_s = engine.end_of(outcome)
        if not end_s >= part.from_s:
            continue
        ends.append(end_s)
        decisions.append(names[outcome.decision] if outcome.decision >= 0 else idle)
        known.append(outcome.reason in (Reason.DECIDED, Reason.IDLE))
    return DecisionTrace(np.array(ends), decisions, np.array(known, dtype=np.bool_))


def _cued(parts: Sequence[RunPart]) -> set[str]:
    return {cue.class_ for part in parts for cue in part.cues}


def _scored(row: ResultRow, seen: ActivationCounts, idle_is_cued: bool, timing: tuple[float, float]) -> ResultRow:
    """The row with its numbers."""
    n = int(seen.trials.sum())
    correct = int(np.diagonal(seen.trials).sum())
    low, high = interval(correct, n) if n else (math.nan, math.nan)
    asked = seen.trials if idle_is_cued else seen.trials[:-1]
    active = seen.trials[:-1]
    false_low, false_high = rate_interval(seen.false, seen.idle_s / 60) if seen.idle_s else (None, None)
    per_min = 60 * n / seen.selection_s if seen.selection_s else 0.0
    return replace(
        row,
        n_test=n,
        correct=correct,
        accuracy=correct / n if n else None,
        low=low if n else None,
        high=high if n else None,
        chance=float(seen.trials.sum(axis=1).max() / n) if n else None,
        balanced_accuracy=balanced_accuracy(seen.windows),
        itr_wolpaw=wolpaw_bits(correct / n, len(asked)) * per_min if n else None,
        itr_nykopp=nykopp_bits(asked) * per_min,
        nmcc=normalised_matthews(seen.windows),
        detected=float(np.trace(active[:, :-1]) / active.sum()) if active.sum() else None,
        false_per_min=60 * seen.false / seen.idle_s if seen.idle_s else None,
        false_low=false_low,
        false_high=false_high,
        idle_min=seen.idle_s / 60,
        detection_s=float(np.median(seen.detection_s)) if seen.detection_s else None,
        decoded=seen.n_decoded / seen.n_windows if seen.n_windows else None,
        fit_s=timing[0],
        decode_s=timing[1],
    )
