"""Simulated calibrations, judged block by block: the simulator, the live cutting and the rules, without LSL and files."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bci.engine.chunk import Chunk
from bci.judging.candidates import SearchGrid, load_grid
from bci.judging.comparison import candidate_covariances
from bci.judging.judge import bands_of, enough, judge_trials, tested
from bci.judging.nulls import pre_cue
from bci.judging.settings import JudgeSettings
from bci.judging.trials import Trials, cut_trials
from bci.judging.verdict import UNLIKELY, WORKS
from bci.model.family import load_family
from bci.paradigm.cues import CueEvent
from bci.paradigm.timeline import short
from bci.settings import PreprocessingSection, SessionConfig, TrialSection
from bci.stream.clock import VirtualClock
from bci.training.labelled import LabelledRun
from devices.simulated import SimulatedSettings, SimulatedSubject

CLASSES = ("left_hand", "right_hand")
CONFIG = SessionConfig(trial=TrialSection(start_s=0.5, stop_s=3.5), preprocessing=PreprocessingSection(hop_s=0.2))
"""Everything goes through the live steps; five decisions a second and not 25, so that hundreds of sessions take minutes."""
FRESH = 100
"""Trials of each class that the true accuracy is measured on."""
END_S = 3.0
RATE_HZ = 125.0
"""As a consumer board has."""


@dataclass(frozen=True, slots=True)
class Told:
    """What one simulated person was told.

    Parameters
    ----------
    seed : int
    true : float or None
        Accuracy of the default decoder, trained on all planned trials, on many fresh ones.
    word : str
        ``works`` if it was ever said, else the last one.
    trials : int
        When it was said.
    accuracy, low, high : float
        As told.
    forecast : tuple of (low, high) or None
        From the first look with a quarter of the trials.
    p_values : tuple of float
        Of the looks.
    """

    seed: int
    true: float | None
    word: str
    trials: int
    accuracy: float
    low: float
    high: float
    forecast: tuple[float, float] | None
    p_values: tuple[float, ...]


def run_of(seed: int, skill: float, per_class: int, **subject: object) -> LabelledRun:
    """A calibration of a simulated person as it would be recorded."""
    clock = VirtualClock()
    person = SimulatedSubject(SimulatedSettings(seed=seed, skill=skill, chunk=25, rate_hz=RATE_HZ, **subject), clock)  # type: ignore[arg-type]
    timeline = short(CLASSES, per_class, seed)
    begin, waiting, chunks = clock.now(), list(timeline.cues), []
    while clock.now() < begin + timeline.duration_s + END_S:
        while waiting and begin + waiting[0].time_s <= clock.now():
            cue = waiting.pop(0)
            person.cue(cue.marker, begin + cue.time_s)
        chunk = person.read(1.0)
        chunks += [chunk] if chunk is not None else []
    raw = Chunk(np.concatenate([c.data for c in chunks]), np.concatenate([c.stamps for c in chunks]))
    cues = tuple(CueEvent(begin + cue.time_s, cue.class_) for cue in timeline.trials)
    return LabelledRun(f"simulated {seed}", person.info, raw, cues, "")


def told(seed: int, skill: float, settings: JudgeSettings, truth: bool, forecast: bool = False) -> Told:
    """Judge after every block until it works or the trials are used up.

    A look whose permutation test fails cannot say "works" (docs/explanations/verdict.md), so that the rest of it is left out.
    """
    planned = settings.trials_per_class
    run = run_of(seed, skill, planned + (FRESH if truth else 0))
    grid = load_grid("live", run.info, CONFIG)
    everything = cut_trials([run], CONFIG, bands_of(grid), settings)
    n = int(np.searchsorted(everything.times_s, run.cues[2 * planned - 1].time_s, side="right"))
    true = _true(everything, n, grid) if truth else None
    trials = everything.first(n, settings)
    covariances = candidate_covariances(trials, grid)
    p_values: list[float] = []
    ahead = None
    for look in range(1, settings.looks + 1):
        now = trials.first(round(look * n / settings.looks), settings)
        if not enough(now):
            continue
        p = tested(now, [c[: len(now)] for c in covariances], settings, look, seed).p_value
        p_values.append(p)
        if forecast and ahead is None and look * 4 >= settings.looks:
            f = judge_trials(now, grid, settings, look, seed).forecast
            ahead = (f.low, f.high) if f else None
        if p <= settings.spent(look):
            so_far = replace(run, cues=run.cues[: len(now)])
            before = pre_cue([so_far], CONFIG, settings, ((8.0, 30.0), (8.0, 14.0), (6.0, 36.0)), seed)
            v = judge_trials(now, grid, settings, look, seed, [before] if before else []).verdict
            if v.word == WORKS:
                return Told(seed, true, WORKS, len(now), v.accuracy, v.low, v.high, ahead, tuple(p_values))
    return Told(seed, true, UNLIKELY, n, np.nan, np.nan, np.nan, ahead, tuple(p_values))


def _true(everything: Trials, n: int, grid: SearchGrid) -> float:
    """Accuracy on fresh trials of the default trained on the first ``n``."""
    default = grid.candidates[0]
    windows = everything.windows(default)
    fitted = load_family(default.family).fit(windows[:n], everything.labels[:n])
    return float((fitted.estimator.predict(windows[n:]) == everything.labels[n:]).mean())
