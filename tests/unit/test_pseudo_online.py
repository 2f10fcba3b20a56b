"""Pseudo-online: windows and activations are counted as a person would have felt them."""

from __future__ import annotations

import numpy as np
import pytest

from bci.evaluation.activations import DecisionTrace, Task, count_activations
from bci.evaluation.pseudo_online import waits
from bci.paradigm.cues import CueEvent

CLASSES = ["left", "right", "idle"]
HOP_S = 0.1
TASKS = [Task(10.0, 14.0, "left"), Task(20.0, 24.0, "right")]


def said(*decisions: tuple[float, float, str]) -> DecisionTrace:
    """Idle from 0 to 30 s, except for these stretches."""
    ends = np.arange(1, 301) * HOP_S
    names = ["idle"] * len(ends)
    for start, stop, name in decisions:
        for i in np.flatnonzero((ends >= start - 1e-9) & (ends <= stop + 1e-9)):
            names[i] = name
    return DecisionTrace(ends, names, np.ones(len(ends), dtype=bool))


def test_silence_detects_nothing_and_never_alarms() -> None:
    seen = count_activations(said(), TASKS, CLASSES, 2.0, HOP_S)
    assert seen.false == 0
    assert seen.detection_s == ()
    assert seen.trials.tolist() == [[0, 0, 1], [0, 0, 1], [0, 0, 0]]
    # A task answers from its cue to the last window that is half of it: 5 s each.
    assert seen.idle_s == pytest.approx(30 - 2 * 5, abs=0.2)
    assert seen.selection_s == pytest.approx(8.0)


def test_right_wrong_and_false_activations_are_told_apart() -> None:
    seen = count_activations(
        said((5, 6, "right"), (11.5, 14, "left"), (21, 22, "left"), (28, 29, "right")), TASKS, CLASSES, 2.0, HOP_S
    )
    assert seen.false == 2
    assert seen.trials.tolist() == [[1, 0, 0], [1, 0, 0], [0, 0, 0]]
    assert seen.detection_s == pytest.approx((1.5,))
    assert seen.selection_s == pytest.approx(1.5 + 1.0)


def test_only_the_first_activation_of_a_task_counts() -> None:
    seen = count_activations(said((11, 12, "right"), (13, 14, "left")), TASKS[:1], CLASSES, 2.0, HOP_S)
    assert seen.trials[0].tolist() == [0, 1, 0]


def test_a_decision_that_runs_on_from_before_the_cue_is_a_false_activation_and_no_detection() -> None:
    seen = count_activations(said((8, 12, "left")), TASKS[:1], CLASSES, 2.0, HOP_S)
    assert seen.false == 1
    assert seen.trials[0].tolist() == [0, 0, 1]


def test_a_window_is_of_a_task_when_half_of_it_is() -> None:
    seen = count_activations(said(), TASKS[:1], CLASSES, 2.0, HOP_S)
    assert seen.windows[0].sum() == pytest.approx(4.0 / HOP_S, abs=1)
    assert seen.windows[2].sum() == 300 - seen.windows[0].sum()


def test_time_without_decoding_is_no_idle_time_in_which_nothing_went_wrong() -> None:
    quiet = said()
    quiet.decoded[:50] = False
    seen = count_activations(quiet, TASKS, CLASSES, 2.0, HOP_S)
    assert seen.idle_s == pytest.approx(30 - 2 * 5 - 5, abs=0.2)
    assert seen.n_decoded == 250


def test_a_cued_rest_is_right_when_nothing_is_activated() -> None:
    tasks = [Task(10.0, 14.0, "left"), Task(20.0, 24.0, "idle")]
    assert count_activations(said(), tasks, CLASSES, 2.0, HOP_S).trials[2].tolist() == [0, 0, 1]
    assert count_activations(said((21, 22, "left")), tasks, CLASSES, 2.0, HOP_S).trials[2].tolist() == [1, 0, 0]


def test_idle_is_learned_from_windows_that_hold_nothing_of_a_task() -> None:
    cues = [CueEvent(10.0, "left"), CueEvent(16.0, "right"), CueEvent(20.0, "left")]
    found = waits(cues, task_s=3.0, window_s=2.0, stop_s=2.5)
    # The third cue comes 1 s after the second's task: no window fits between.
    assert [t.time_s + 2.5 for t in found] == [10.0, 16.0]
    assert {t.class_ for t in found} == {"idle"}
