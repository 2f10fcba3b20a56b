"""The real engine over continuous recordings, with an idle class: what a person would have got.

The idea and the measure are those of Carrara and Papadopoulo, Journal of Neural Engineering 21 (2024) 016003: overlapping
windows, everything between the tasks is a class of its own, and the normalised Matthews correlation, which does not mind
that idle is by far the most frequent. Beside windows, activations are counted, since those are what moves something.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from bci.engine.chunk import BoolArray, FloatArray
from bci.engine.engine import Engine, EngineSettings
from bci.engine.outcome import Reason
from bci.errors import TrainingError
from bci.session.chance import interval
from bci.session.epochs import Epochs, Trial, cut, filled, join, pieces
from bci.session.evaluation.cutting import select
from bci.session.evaluation.metrics import (
    IntArray,
    balanced_accuracy,
    confusion,
    normalised_matthews,
    nykopp_bits,
    rate_interval,
    wolpaw_bits,
)
from bci.session.evaluation.plan import Cell
from bci.session.evaluation.table import Row
from bci.session.fit import FittedModel, fit_decoder, load_family
from bci.session.training import LabelledRun

IDLE = "idle"
MIN_IDLE = 4


@dataclass(frozen=True, slots=True)
class Task:
    """When a person was asked to do something, on the EEG's clock.

    Parameters
    ----------
    start_s, stop_s : float
        From the cue to the end of the task.
    class_ : str
    """

    start_s: float
    stop_s: float
    class_: str


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """What the engine said over a stretch of recording, one entry for each point of the window grid.

    Parameters
    ----------
    ends_s : ndarray, shape (n_windows,)
        Time of each window's last sample.
    decisions : list of str
        Class that steered after it; the idle class for none.
    decoded : ndarray of bool, shape (n_windows,)
        False where the window was not decoded, which leaves whoever acts on it at rest.
    """

    ends_s: FloatArray
    decisions: list[str]
    decoded: BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class Watched:
    """Counts over one or more stretches; they add up.

    Parameters
    ----------
    windows : ndarray of int, shape (n_classes, n_classes)
        True class and decision of each window, idle last.
    trials : ndarray of int, shape (n_classes, n_classes)
        Cued class and first activation; in the idle column, none.
    detection_s : tuple of float
        From cue to first activation, where that was right.
    selection_s : float
        Sum over trials of the time to the first activation, or of the whole task where there was none.
    false : int
        Activations outside of tasks.
    idle_s : float
        Time outside of tasks in which they could happen.
    n_windows, n_decoded : int
    """

    windows: IntArray
    trials: IntArray
    detection_s: tuple[float, ...]
    selection_s: float
    false: int
    idle_s: float
    n_windows: int
    n_decoded: int

    def __add__(self, other: Watched) -> Watched:
        return Watched(
            self.windows + other.windows,
            self.trials + other.trials,
            self.detection_s + other.detection_s,
            self.selection_s + other.selection_s,
            self.false + other.false,
            self.idle_s + other.idle_s,
            self.n_windows + other.n_windows,
            self.n_decoded + other.n_decoded,
        )


class Part(NamedTuple):
    """Some of a run's cues, and the time from which the run counts."""

    run: LabelledRun
    cues: tuple[Trial, ...]
    from_s: float


def pseudo_online(cell: Cell) -> list[Row]:
    """Train on the earlier half of a session, let the engine run over the later one.

    Whole runs make the halves; of a single run, its cues do.
    """
    row = Row(cell.protocol, cell.data_set, cell.subject, cell.session, cell.trained_on, cell.decoder)
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
    """The runs of a cell, each origin read once."""
    read = {origin: origin.open(cell.config) for origin in dict.fromkeys(one.origin for one in cell.own)}
    return [read[one.origin][one.number].labelled for one in cell.own]


def halves(runs: Sequence[LabelledRun]) -> tuple[list[Part], list[Part]]:
    """The earlier runs to train on and the later ones to test on; of one run, its earlier and later cues."""
    if len(runs) > 1:
        middle = (len(runs) + 1) // 2
        parts = [Part(run, run.cues, -math.inf) for run in runs]
        return parts[:middle], parts[middle:]
    run = runs[0]
    middle = len(run.cues) // 2
    if not middle:
        return [Part(run, run.cues, -math.inf)], []
    between_s = (run.cues[middle - 1].time_s + run.cues[middle].time_s) / 2
    return [Part(run, run.cues[:middle], -math.inf)], [Part(run, run.cues[middle:], between_s)]


def train_with_idle(parts: Sequence[Part], cell: Cell) -> tuple[FittedModel, str, str]:
    """A model that knows idle, the name of that class, and what to know about it.

    Where ``decision.idle`` names a cued class, that is it. Else the windows that end at a cue are: the person waits
    for it, and nothing is imagined yet.
    """
    config, idle, note = cell.config, cell.config.decision.idle, ""
    epochs = [_cut(part, part.cues, cell) for part in parts]
    if not idle:
        waiting = [_cut(part, waits(part.cues, task_s(cell), _window_s(cell), config.trial.stop_s), cell) for part in parts]
        found = sum(len(w.labels) for w in waiting)
        if found >= MIN_IDLE:
            epochs += waiting
        else:
            note = f"no idle class: {found} windows fit between tasks; the threshold alone holds back"
    whole = _balanced(filled(join(epochs), cell.preprocessing.labels))
    model = fit_decoder(
        load_family(config.decoder.name, config.decoder.settings), whole.windows, whole.labels, cell.preprocessing
    )
    return model, idle or IDLE, "; ".join([*([note] if note else []), *model.notes])


def _cut(part: Part, cues: Sequence[Trial], cell: Cell) -> Epochs:
    c = cell.config
    return cut(part.run.info, part.run.raw, cues, cell.preprocessing, c.trial.stop_s, quality=c.quality)


def task_s(cell: Cell) -> float:
    """How long a task lasts after its cue."""
    return cell.choices.task_s or cell.config.trial.stop_s


def _window_s(cell: Cell) -> float:
    return cell.preprocessing.window / cell.preprocessing.rate_hz


def waits(cues: Sequence[Trial], task_s: float, window_s: float, stop_s: float) -> list[Trial]:
    """A trial of the class idle before each cue whose window holds nothing of the task before.

    Its time is such that the window that is cut, the one that ends at time + ``stop_s``, ends at the cue.
    """
    found = []
    before_s = -math.inf
    for cue in sorted(cues, key=lambda c: c.time_s):
        if before_s <= cue.time_s - window_s:
            found.append(Trial(cue.time_s - stop_s, IDLE))
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


def watch(part: Part, model: FittedModel, idle: str, classes: Sequence[str], cell: Cell) -> Watched:
    """Run the engine over one recording and count."""
    known = idle if idle in model.classes else ""
    config = cell.config
    settings = EngineSettings(replace(config.decision, idle=known), config.quality, config.continuity)
    said = listen(Engine(part.run.info, model.decoder(), settings), part, model.classes, idle)
    last_s = task_s(cell)
    tasks = [Task(cue.time_s, cue.time_s + last_s, cue.class_) for cue in part.cues]
    return judge(said, tasks, [*classes, idle], _window_s(cell), cell.preprocessing.hop / cell.preprocessing.rate_hz)


def listen(engine: Engine, part: Part, names: Sequence[str], idle: str) -> Said:
    """All that the engine says of a recording, from the time on that counts."""
    ends: list[float] = []
    decisions: list[str] = []
    decoded: list[bool] = []
    for piece in pieces(part.run.raw, engine.preprocessing.hop):
        for outcome in engine.outcomes(piece):
            end_s = engine.time_of(outcome.index)
            if end_s < part.from_s:
                continue
            ends.append(end_s)
            decisions.append(names[outcome.decision] if outcome.decision >= 0 else idle)
            decoded.append(outcome.reason in (Reason.DECIDED, Reason.IDLE))
    return Said(np.array(ends), decisions, np.array(decoded, dtype=np.bool_))


def judge(said: Said, tasks: Sequence[Task], classes: Sequence[str], window_s: float, hop_s: float) -> Watched:
    """Compare what was said with what was asked for.

    A window is of a task when at least half of it (or half of the task, where that is shorter) lies in the task, else
    idle. An activation is the start of a decision. It answers a task from the cue on until the last window that is of
    the task, or until the next cue; at any other time it is false. Tasks of the idle class ask for no activation.

    Parameters
    ----------
    said : Said
    tasks : sequence of Task
    classes : sequence of str
        The idle class last.
    window_s, hop_s : float
    """
    idle = classes[-1]
    active = sorted((t for t in tasks if t.class_ != idle), key=lambda t: t.start_s)
    ordered = sorted(tasks, key=lambda t: t.start_s)
    truth = [idle] * len(said.ends_s)
    busy = np.zeros(len(said.ends_s), dtype=np.bool_)
    for task in active:
        half_s = min(window_s, task.stop_s - task.start_s) / 2
        inside = (said.ends_s >= task.start_s + half_s) & (said.ends_s <= task.stop_s + window_s - half_s)
        for i in np.flatnonzero(inside):
            truth[i] = task.class_
        busy |= (said.ends_s > task.start_s) & (said.ends_s <= task.stop_s + window_s - half_s)
    onsets = [i for i, d in enumerate(said.decisions) if d != idle and (i == 0 or said.decisions[i - 1] != d)]
    first = [_first(said, onsets, task, _until(task, ordered, window_s)) for task in ordered]
    answers = [said.decisions[i] if i is not None else idle for i in first]
    right = [
        float(said.ends_s[i] - t.start_s)
        for i, t in zip(first, ordered, strict=True)
        if i is not None and said.decisions[i] == t.class_
    ]
    lasted = [
        t.stop_s - t.start_s if i is None else float(said.ends_s[i] - t.start_s) for i, t in zip(first, ordered, strict=True)
    ]
    return Watched(
        confusion(truth, said.decisions, classes, classes),
        confusion([t.class_ for t in ordered], answers, classes, classes),
        tuple(right),
        sum(lasted),
        sum(not busy[i] for i in onsets),
        float((~busy & said.decoded).sum() * hop_s),
        len(said.ends_s),
        int(said.decoded.sum()),
    )


def _until(task: Task, ordered: Sequence[Task], window_s: float) -> float:
    """When a task can no longer be answered."""
    half_s = min(window_s, task.stop_s - task.start_s) / 2
    following = [t.start_s for t in ordered if t.start_s > task.start_s]
    return min([task.stop_s + window_s - half_s, *following[:1]])


def _first(said: Said, onsets: Sequence[int], task: Task, until_s: float) -> int | None:
    """The first activation that answers a task."""
    return next((i for i in onsets if task.start_s < said.ends_s[i] <= until_s), None)


def _cued(parts: Sequence[Part]) -> set[str]:
    return {cue.class_ for part in parts for cue in part.cues}


def _scored(row: Row, seen: Watched, idle_is_cued: bool, timing: tuple[float, float]) -> Row:
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
