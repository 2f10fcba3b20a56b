"""Which cues of a recorded live session its own decisions answered correctly."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bci.engine.chunk import FloatArray
from bci.engine.outcome import FIXED_FIELDS, MASK_BITS
from bci.errors import RecordingError
from bci.model.header import ModelHeader
from bci.paradigm.cues import CueEvent
from bci.stream import messages
from bci.stream.xdf.reader import XdfFile, read_xdf
from bci.training.extraction import TrialEndMatcher


@dataclass(frozen=True, slots=True)
class Scored:
    """One trial of a live session.

    Parameters
    ----------
    class_ : str
        What the cue asked for.
    decided : str
        Most probable class of the window that counts; empty where it was not decoded.
    """

    class_: str
    decided: str


@dataclass(frozen=True, slots=True)
class LatencySummary:
    """Telemetry of a live session, seconds: median, 99th percentile and largest.

    Parameters
    ----------
    age : tuple of float
        Of the newest sample when its decision was sent, beyond that of the freshest sample seen.
    step : tuple of float
        Inside the engine.
    """

    age: tuple[float, float, float]
    step: tuple[float, float, float]


def score(path: Path, trials: list[CueEvent], header: ModelHeader) -> list[Scored]:
    """The decision of the first window that ended at or after cue + stop, for each trial.

    Parameters
    ----------
    path : Path
        Recording of the live session.
    trials : list of CueEvent
        Their times on the EEG's clock.
    header : ModelHeader
        Of the model that ran.
    """
    file = read_xdf(path)
    outcomes, timing = _rows(file, "BCI-Outcome", path), _rows(file, "BCI-Timing", path)
    place = {(row[1], row[2]): row[3] for row in timing.tolist()}
    n_masks = -(-len(header.preprocessing.labels) // MASK_BITS)
    first = len(FIXED_FIELDS) + n_masks
    grid = TrialEndMatcher(trials, header.trial_s[1], 0.5 / header.preprocessing.rate_hz)
    found = []
    for row in outcomes.tolist():
        time_s = place.get((row[0], row[1]))
        if time_s is None:
            continue
        probabilities = np.array(row[first : first + len(header.classes)])
        decided = header.classes[int(probabilities.argmax())] if np.isfinite(probabilities).all() else ""
        found += [Scored(trial.class_, decided) for trial in grid.take(time_s)]
    return found + [Scored(trial.class_, "") for trial in grid.left]


def latency(path: Path) -> LatencySummary:
    """How late the decisions of a recorded session were."""
    timing = _rows(read_xdf(path), "BCI-Timing", path)
    columns = [messages.TIMING_FIELDS.index(name) for name in ("age_s", "step_s")]
    age, step = (_spread(timing[:, column]) for column in columns)
    return LatencySummary(age, step)


def _spread(values: FloatArray) -> tuple[float, float, float]:
    return float(np.median(values)), float(np.percentile(values, 99)), float(values.max())


def _rows(file: XdfFile, type_: str, path: Path) -> FloatArray:
    """The one stream of numbers of a type."""
    found = [s for s in file.streams if s.header.type == type_]
    if len(found) != 1 or isinstance(found[0].values, list) or not len(found[0].values):
        raise RecordingError(f"{path}: holds no rows of type {type_!r}; a recorded live session has them")
    return np.asarray(found[0].values, dtype=np.float64)
