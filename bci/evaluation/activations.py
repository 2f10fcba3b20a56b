"""Decided windows and activations, compared with the tasks.

The idea and the measure are those of Carrara and Papadopoulo, Journal of Neural Engineering 21 (2024) 016003: overlapping
windows, everything between the tasks is a class of its own, and the normalised Matthews correlation, which does not mind
that idle is by far the most frequent. Beside windows, activations are counted, since those are what moves something.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bci.engine.chunk import BoolArray, FloatArray
from bci.evaluation.metrics import IntArray, confusion


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
class DecisionTrace:
    """The engine's decisions over a part of a recording, one entry for each point of the window grid.

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
class ActivationCounts:
    """Counts over one or more parts of recordings; they can be added.

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

    def __add__(self, other: ActivationCounts) -> ActivationCounts:
        return ActivationCounts(
            self.windows + other.windows,
            self.trials + other.trials,
            self.detection_s + other.detection_s,
            self.selection_s + other.selection_s,
            self.false + other.false,
            self.idle_s + other.idle_s,
            self.n_windows + other.n_windows,
            self.n_decoded + other.n_decoded,
        )


def count_activations(
    trace: DecisionTrace, tasks: Sequence[Task], classes: Sequence[str], window_s: float, hop_s: float
) -> ActivationCounts:
    """Compare decisions with tasks.

    A window is of a task when at least half of it (or half of the task, where that is shorter) lies in the task, else
    idle. An activation is the start of a decision. It answers a task from the cue on until the last window that is of
    the task, or until the next cue; at any other time it is false. Tasks of the idle class ask for no activation.

    Parameters
    ----------
    trace : DecisionTrace
    tasks : sequence of Task
    classes : sequence of str
        The idle class last.
    window_s, hop_s : float

    Returns
    -------
    ActivationCounts
    """
    idle = classes[-1]
    active = sorted((t for t in tasks if t.class_ != idle), key=lambda t: t.start_s)
    ordered = sorted(tasks, key=lambda t: t.start_s)
    truth = [idle] * len(trace.ends_s)
    busy = np.zeros(len(trace.ends_s), dtype=np.bool_)
    for task in active:
        half_s = min(window_s, task.stop_s - task.start_s) / 2
        inside = (trace.ends_s >= task.start_s + half_s) & (trace.ends_s <= task.stop_s + window_s - half_s)
        for i in np.flatnonzero(inside):
            truth[i] = task.class_
        busy |= (trace.ends_s > task.start_s) & (trace.ends_s <= task.stop_s + window_s - half_s)
    onsets = [i for i, d in enumerate(trace.decisions) if d != idle and (i == 0 or trace.decisions[i - 1] != d)]
    first = [_first(trace, onsets, task, _until(task, ordered, window_s)) for task in ordered]
    answers = [trace.decisions[i] if i is not None else idle for i in first]
    right = [
        float(trace.ends_s[i] - t.start_s)
        for i, t in zip(first, ordered, strict=True)
        if i is not None and trace.decisions[i] == t.class_
    ]
    lasted = [
        t.stop_s - t.start_s if i is None else float(trace.ends_s[i] - t.start_s) for i, t in zip(first, ordered, strict=True)
    ]
    return ActivationCounts(
        confusion(truth, trace.decisions, classes, classes),
        confusion([t.class_ for t in ordered], answers, classes, classes),
        tuple(right),
        sum(lasted),
        sum(not busy[i] for i in onsets),
        float((~busy & trace.decoded).sum() * hop_s),
        len(trace.ends_s),
        int(trace.decoded.sum()),
    )


def _until(task: Task, ordered: Sequence[Task], window_s: float) -> float:
    """When a task can no longer be answered."""
    half_s = min(window_s, task.stop_s - task.start_s) / 2
    following = [t.start_s for t in ordered if t.start_s > task.start_s]
    return min([task.stop_s + window_s - half_s, *following[:1]])


def _first(trace: DecisionTrace, onsets: Sequence[int], task: Task, until_s: float) -> int | None:
    """The first activation that answers a task."""
    return next((i for i in onsets if task.start_s < trace.ends_s[i] <= until_s), None)
