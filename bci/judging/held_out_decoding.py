"""The chosen decoder's probabilities, window by window, for signal that it was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bci.engine.chunk import Chunk, FloatArray, hop_chunks
from bci.engine.engine import Engine, EngineSettings
from bci.engine.outcome import Reason
from bci.engine.preprocessing import Preprocessing
from bci.errors import TrainingError
from bci.judging.blocks import blocks_of, folds_of
from bci.judging.candidates import Candidate
from bci.judging.settings import JudgeSettings
from bci.judging.thresholds import DecodedSpan
from bci.judging.trials import kept_times
from bci.paradigm.timeline import REST_START, REST_STOP, SEGMENT_START, SEGMENT_STOP, TRIAL_END, TRIAL_START, cue_code
from bci.progress import Progress, silent
from bci.settings import SessionConfig
from bci.training.epochs import impute_bad_channels, join
from bci.training.fit import fit_decoder
from bci.training.labelled import LabelledRun
from bci.training.left_out import leave_out
from bci.training.resolved import resolve_decoder
from bci.training.train import run_epochs

LEAD_S = 4.0
"""Signal before the first window that counts, besides the window: filters forget how they began."""
LEAST_IDLE_S = 1.0
"""In shorter idle signal a long dwell could not activate anything."""
IDLE_GOES_ON = frozenset({SEGMENT_START, SEGMENT_STOP})
"""These codes ask nothing of the person."""


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """Decoded trials and idle signal, each decoded by a model that was trained without its fold.

    Parameters
    ----------
    trials, idle : tuple of DecodedSpan
    classes : tuple of str
        In the order of the probabilities.
    hop_s : float
        Between windows.
    """

    trials: tuple[DecodedSpan, ...]
    idle: tuple[DecodedSpan, ...]
    classes: tuple[str, ...]
    hop_s: float


def idle_of(markers: Sequence[tuple[str, float]]) -> list[tuple[float, float]]:
    """When the person was at rest: between the codes of rest, and between the end of a trial and the next beginning.

    Parameters
    ----------
    markers : sequence of (str, float)
        In time.

    Returns
    -------
    list of (start_s, stop_s)

    Examples
    --------
    >>> idle_of([("32777", 0.0), ("32778", 5.0), ("768", 9.0), ("800", 12.0), ("768", 13.0)])
    [(0.0, 5.0), (12.0, 13.0)]
    """
    found: list[tuple[float, float]] = []
    since_s: float | None = None
    for text, time_s in markers:
        code = cue_code(text)
        if code in (REST_START, TRIAL_END):
            since_s = time_s
        elif code in (REST_STOP, TRIAL_START):
            if since_s is not None and time_s > since_s:
                found.append((since_s, time_s))
            since_s = None
        elif code is not None and since_s is not None and code not in IDLE_GOES_ON:
            since_s = None
    return found


def decode_held_out(
    runs: Sequence[LabelledRun],
    idle: Sequence[Sequence[tuple[float, float]]],
    config: SessionConfig,
    candidate: Candidate,
    progress: Progress = silent,
) -> HeldOut:
    """Run the engine over all trials and all idle signal, each with a model that was not trained on it or its neighbours.

    Folds are those of the judge (:mod:`bci.judging.blocks`). A fold's model runs from its first trial to that of the
    next fold, so that all of a recording is decoded once.

    Parameters
    ----------
    runs : sequence of LabelledRun
    idle : sequence, one for each run, of (start_s, stop_s)
        On the clock of the run's signal.
    config : SessionConfig
    candidate : Candidate
    progress : callable

    Returns
    -------
    HeldOut

    Raises
    ------
    TrainingError
        If the trials do not allow it.
    """
    chosen = leave_out(runs, candidate.configured(config, runs[0].info.rate_hz)).config
    settings, decoder = JudgeSettings(), resolve_decoder(runs[0].info, chosen)
    p = decoder.preprocessing
    cut = [run_epochs(run, decoder, chosen) for run in runs]
    parts = [replace(part, runs=np.full(len(part.labels), i)) for i, part in enumerate(cut)]
    times_s = np.concatenate([kept_times(run.cues, part) for run, part in zip(runs, parts, strict=True)])
    epochs = impute_bad_channels(join(parts), p.labels)
    folds = folds_of(blocks_of(epochs.runs, times_s, settings.block), epochs.labels, settings.folds)
    if not len(folds) or folds.max() < 1:
        raise TrainingError(f"{len(folds)} trials are too few for models that have not seen all of them")
    found: list[DecodedSpan] = []
    names: tuple[str, ...] = ()
    for fold in range(int(folds.max()) + 1):
        progress("thresholds", fold / (folds.max() + 1))
        model = fit_decoder(decoder.family, epochs.windows[folds != fold], epochs.labels[folds != fold], p)
        names = model.classes
        for number, run in enumerate(runs):
            inside = epochs.runs == number
            cues = [(float(times_s[i]), str(epochs.labels[i])) for i in np.flatnonzero(inside & (folds == fold))]
            if not cues:
                continue
            later = times_s[inside & (folds > fold)]
            span = (cues[0][0] if (inside & (folds < fold)).any() else -np.inf, float(later.min()) if len(later) else np.inf)
            engine = Engine(run.info, model.decoder(), EngineSettings(quality=chosen.quality, continuity=chosen.continuity))
            decoded = _decoded(engine, _between(run.raw, span, LEAD_S + p.window / p.rate_hz), len(names))
            found += _spans(decoded, cues, idle[number], span, chosen, p)
    resting = {"", config.decision.idle}
    asked = tuple(s for s in found if s.class_ not in resting)
    return HeldOut(asked, tuple(DecodedSpan(s.probabilities) for s in found if s.class_ in resting), names, p.hop / p.rate_hz)


def _spans(
    decoded: tuple[FloatArray, FloatArray],
    cues: Sequence[tuple[float, str]],
    idle: Sequence[tuple[float, float]],
    span: tuple[float, float],
    config: SessionConfig,
    p: Preprocessing,
) -> list[DecodedSpan]:
    """Decoded windows after each cue, and those that hold idle signal only."""
    ends, rows = decoded
    found = [DecodedSpan(rows[(ends > cue_s) & (ends <= cue_s + config.trial.stop_s)], class_) for cue_s, class_ in cues]
    for start_s, stop_s in idle:
        first_s, last_s = max(start_s + p.window / p.rate_hz, span[0]), min(stop_s, span[1])
        inside = (ends > first_s) & (ends <= last_s)
        if inside.sum() * p.hop >= LEAST_IDLE_S * p.rate_hz:
            found.append(DecodedSpan(rows[inside]))
    return found


def _between(raw: Chunk, span: tuple[float, float], lead_s: float) -> Chunk:
    """A part of a recording with the signal that filters need before it; stamps may run backwards a little."""
    clock = np.maximum.accumulate(raw.stamps)
    first, last = np.searchsorted(clock, (span[0] - lead_s, span[1]))
    return Chunk(raw.data[first:last], raw.stamps[first:last])


def _decoded(engine: Engine, raw: Chunk, n_classes: int) -> tuple[FloatArray, FloatArray]:
    """Ends of the windows that were decoded, s, and their probabilities."""
    ends: list[float] = []
    decoded: list[FloatArray] = []
    for piece in hop_chunks(raw, engine.preprocessing.hop):
        for outcome in engine.outcomes(piece):
            if outcome.reason in (Reason.DECIDED, Reason.IDLE):
                ends.append(engine.end_of(outcome))
                decoded.append(outcome.probabilities.copy())
    return np.array(ends), np.array(decoded).reshape(-1, n_classes)
