"""Simulated sessions: a calibration, then a session that drifts or does not, decoded by the engine in several ways."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from verdict.simulated import CLASSES, CONFIG, run_of

from bci.engine.chunk import Chunk, FloatArray, hop_chunks
from bci.engine.control_inputs import TrialLabel
from bci.engine.engine import Engine, EngineSettings
from bci.engine.rebias import RebiasSettings
from bci.engine.recentre import RecentreSettings
from bci.paradigm.cues import CueEvent
from bci.training.extraction import TrialEndMatcher
from bci.training.labelled import LabelledRun
from bci.training.train import train

CALIBRATION, SESSION = 30, 40
"""Trials of each class."""
WAYS = {
    "none": EngineSettings(),
    "recentring": EngineSettings(recentre=RecentreSettings(on=True)),
    "known cues": EngineSettings(rebias=RebiasSettings(on=True)),
    "both": EngineSettings(recentre=RecentreSettings(on=True), rebias=RebiasSettings(on=True)),
}
DRIFTS = ("none", "gains", "one class only", "artefacts", "wrong cues")
GAIN_SD = 0.35
"""Of the logarithm of each channel's gain, reached over the first third of the session."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """One session, decoded in one way.

    Parameters
    ----------
    accuracy : float
        At the windows that end with the trials; one that was not decoded counts as wrong.
    recentred : float
        How far recentring went; 0 where it is off.
    bias : float
        Largest shift of a class; 0 where it is off.
    finite : bool
        Whether every decoded window gave finite probabilities.
    """

    accuracy: float
    recentred: float
    bias: float
    finite: bool


def session(seed: int, skill: float, drift: str) -> tuple[LabelledRun, LabelledRun]:
    """A person's calibration, and the session after it."""
    run = run_of(seed, skill, CALIBRATION + SESSION)
    first, later = run.cues[: 2 * CALIBRATION], run.cues[2 * CALIBRATION :]
    begin = int(np.searchsorted(run.raw.stamps, later[0].time_s - 8.0))
    data = run.raw.data[begin:].copy()
    if drift == "gains":
        data *= np.exp(_ramp(len(data))[:, None] * np.random.default_rng((seed, 1)).normal(0, GAIN_SD, data.shape[1]))
    elif drift == "artefacts":
        _spoil(data, np.random.default_rng((seed, 2)), run.info.rate_hz)
    before = Chunk(run.raw.data[:begin], run.raw.stamps[:begin])
    after = Chunk(data, run.raw.stamps[begin:])
    return replace(run, raw=before, cues=first), replace(run, raw=after, cues=later)


def _ramp(n: int) -> FloatArray:
    return np.minimum(1.0, np.arange(n) / (n / 3))


def _spoil(data: FloatArray, rng: np.random.Generator, rate_hz: float) -> None:
    """Bursts of muscle on some channels, a second each, in a tenth of the time."""
    second = round(rate_hz)
    for begin in rng.choice(len(data) - second, len(data) // (10 * second), replace=False):
        channels = rng.choice(data.shape[1], 3, replace=False)
        data[begin : begin + second, channels] += rng.normal(0, 60, (second, 3))


def decoded(calibration: LabelledRun, run: LabelledRun, drift: str, ways: Sequence[str]) -> dict[str, Decoded]:
    """The session in every way, with the same decoder."""
    model = train([calibration], CONFIG).model
    return {way: _listen(run, Engine(run.info, model.decoder(), WAYS[way]), drift) for way in ways}


def _listen(run: LabelledRun, engine: Engine, drift: str) -> Decoded:
    rate_hz, trial = run.info.rate_hz, CONFIG.trial
    grid = TrialEndMatcher(run.cues, trial.stop_s, 0.5 / rate_hz)
    waiting = [(round((cue.time_s - run.raw.stamps[0]) * rate_hz), _told(cue, drift)) for cue in run.cues]
    right, finite = 0, True
    for piece in hop_chunks(run.raw, engine.preprocessing.hop):
        while waiting and waiting[0][0] <= engine.consumed:
            place, class_ = waiting.pop(0)
            last = place + round(trial.stop_s * rate_hz)
            engine.apply(TrialLabel(class_, last - round(0.2 * (trial.stop_s - trial.start_s) * rate_hz), last))
        for outcome in engine.outcomes(piece):
            decided = outcome.reason.name in ("DECIDED", "IDLE")
            finite = finite and (not decided or bool(np.isfinite(outcome.probabilities).all()))
            for cue in grid.take(engine.continuity.time_of(outcome.index)):
                right += decided and sorted(CLASSES)[int(outcome.probabilities.argmax())] == cue.class_
        engine.prepare()
    return Decoded(
        right / len(run.cues), engine.adaptation.recentred or 0.0, max(map(abs, engine.adaptation.bias or (0.0,))), finite
    )


def _told(cue: CueEvent, drift: str) -> str:
    """What the session is told that was asked for."""
    if drift == "one class only":
        return CLASSES[0]
    return CLASSES[1 - CLASSES.index(cue.class_)] if drift == "wrong cues" else cue.class_
