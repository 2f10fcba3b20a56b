"""Probabilities over a whole recording, window by window, by models that did not see what they decode."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import FloatArray
from bci.engine.decoder import LiveDecoder
from bci.engine.engine import Engine, EngineSettings
from bci.session.epochs import Trial, join, pieces
from bci.session.fit import FittedModel, fit_decoder, load_family
from bci.session.judging.blocks import blocks_of, folds_of
from bci.session.judging.settings import JudgeSettings
from bci.session.judging.thresholds import Stretch
from bci.session.judging.trials import kept_times
from bci.session.progress import Progress, silent
from bci.session.training import LabelledRun, preprocessing_for, trials
from bci.settings import SessionConfig

SHORTEST_S = 1.0
"""Stretches of idle shorter than this say little about what an hour would bring."""


def decoded(run: LabelledRun, decoder: LiveDecoder, settings: EngineSettings | None = None) -> tuple[FloatArray, FloatArray]:
    """What the engine says about a whole recording.

    Parameters
    ----------
    run : LabelledRun
    decoder : LiveDecoder
    settings : EngineSettings, optional

    Returns
    -------
    times_s : ndarray, shape (n_windows,)
        Of the newest sample of each window.
    probabilities : ndarray, shape (n_windows, n_classes)
        NaN where nothing was decoded.
    """
    engine = Engine(run.info, decoder, settings)
    times, rows = [], []
    for piece in pieces(run.raw, engine.preprocessing.hop):
        for outcome in engine.outcomes(piece):
            times.append(engine.time_of(outcome.index))
            rows.append(np.array(outcome.probabilities))
    return np.array(times), np.array(rows).reshape(len(rows), -1)


def trial_stretches(run: LabelledRun, config: SessionConfig, progress: Progress = silent) -> list[Stretch]:
    """The windows of every trial from its cue to its end, by a model without the trial's fold.

    Parameters
    ----------
    run : LabelledRun
    config : SessionConfig
        As :meth:`bci.session.judging.candidates.Candidate.configured` gives it for what was chosen.
    progress : callable
    """
    settings = JudgeSettings()
    epochs = join([trials(run, config)])
    times = kept_times(run.cues, epochs)
    folds = folds_of(blocks_of(epochs.runs, times, settings.block), epochs.labels, settings.folds)
    found = []
    for fold in np.unique(folds):
        progress("deciding without a fold", float(fold) / (folds.max() + 1))
        model = _fitted(run, config, epochs.windows[folds != fold], epochs.labels[folds != fold])
        said = decoded(run, model.decoder(), config.engine_settings())
        cues = [Trial(t, str(c)) for t, c in zip(times[folds == fold].tolist(), epochs.labels[folds == fold], strict=True)]
        for cue in cues:
            found += _between(*said, cue.time_s, cue.time_s + config.trial.stop_s, cue.class_)
    return found


def idle_stretches(
    run: LabelledRun, decoder: LiveDecoder, spans_s: Sequence[tuple[float, float]], settings: EngineSettings | None = None
) -> list[Stretch]:
    """The windows of stretches in which nothing may be activated, by a model that was not trained on them.

    Parameters
    ----------
    run : LabelledRun
        Recording that holds them; cues are not needed.
    decoder : LiveDecoder
    spans_s : sequence of (start, stop)
        On the clock of the recording's signal.
    settings : EngineSettings, optional
    """
    said = decoded(run, decoder, settings)
    found = [s for start_s, stop_s in spans_s for s in _between(*said, start_s, stop_s, "")]
    least = SHORTEST_S * run.info.rate_hz / decoder.preprocessing.hop
    return [s for s in found if len(s.probabilities) >= least]


def _fitted(run: LabelledRun, config: SessionConfig, windows: FloatArray, labels: npt.NDArray[np.str_]) -> FittedModel:
    family = load_family(config.decoder.name, config.decoder.settings)
    return fit_decoder(family, windows, labels, preprocessing_for(run.info, config))


def _between(times_s: FloatArray, rows: FloatArray, start_s: float, stop_s: float, class_: str) -> list[Stretch]:
    """Unbroken runs of decoded windows that end within a span: live, evidence is forgotten where they break."""
    inside = np.flatnonzero((times_s > start_s) & (times_s <= stop_s))
    whole = inside[np.isfinite(rows[inside]).all(axis=1)] if len(inside) else inside
    if not len(whole):
        return []
    return [Stretch(rows[part], class_) for part in np.split(whole, np.flatnonzero(np.diff(whole) > 1) + 1)]
