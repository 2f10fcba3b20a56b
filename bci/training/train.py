"""From recordings to a model file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bci.engine.stream_info import StreamInfo
from bci.errors import ModelError
from bci.model.file import save_model
from bci.model.header import ModelHeader
from bci.progress import Progress, silent
from bci.settings import SessionConfig
from bci.training.artefacts import measured, with_potato
from bci.training.epochs import Epochs, impute_bad_channels, join
from bci.training.extraction import earlier_ends, extract_epochs
from bci.training.fit import MIN_TRIALS, MIN_TRIALS_OF_A_CLASS, FittedModel, TooFewTrials, fit_decoder
from bci.training.labelled import LabelledRun
from bci.training.left_out import leave_out
from bci.training.rejected import why_rejected
from bci.training.resolved import ResolvedDecoder, resolve_decoder


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """The result of a judgement, which is kept in the model's header.

    Parameters
    ----------
    accuracy : float
        0 to 1.
    verdict : str
        In words.
    chosen : dict of str to str
        How the decoder was chosen.
    nulls : dict of str to dict of str to float
        Accuracy and p-value of each null test.
    """

    accuracy: float
    verdict: str
    chosen: dict[str, str]
    nulls: dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A fitted model with the trials it was fitted to.

    Parameters
    ----------
    model : FittedModel
    epochs : Epochs
    info : StreamInfo
    recordings : tuple of str
        SHA-256 of each.
    decoder : ResolvedDecoder
        How it was fitted, for fitting it again to a part of the trials.
    config : SessionConfig or None
        What was trained with, where the decoder was chosen and not configured.
    judged : Judged or None
        What a judgement found out.
    """

    model: FittedModel
    epochs: Epochs
    info: StreamInfo
    recordings: tuple[str, ...]
    decoder: ResolvedDecoder
    config: SessionConfig | None = None
    judged: Judged | None = None


def train(runs: Sequence[LabelledRun], config: SessionConfig, progress: Progress = silent) -> Trained:
    """Cut the trials of all runs through the live steps and fit the configured decoder.

    Parameters
    ----------
    runs : sequence of LabelledRun
        All of the same rate and with the decoder's channels.
    config : SessionConfig
        Sections ``preprocessing``, ``trial``, ``decoder`` and ``quality``.
    progress : callable
        Told what is being done and the share done, 0 to 1.

    Returns
    -------
    Trained

    Raises
    ------
    TrainingError
    """
    left = leave_out(runs, config, progress)
    config = measured(runs, left.config)
    decoder = resolve_decoder(runs[0].info, config)
    parts = [run_epochs(run, decoder, config, progress) for run in runs]
    return fit(parts, runs, decoder, config, progress, tuple(left.why.values()))


def run_epochs(run: LabelledRun, decoder: ResolvedDecoder, config: SessionConfig, progress: Progress = silent) -> Epochs:
    """Cut the trials of one run through the live steps; several windows of each for a decoder that asks for them.

    Only whole windows are kept: those that losses shortened are decoded live, but nothing is learned from them
    (docs/decisions/0014-what-is-decoded-of-a-bad-day.md).

    Parameters
    ----------
    run : LabelledRun
    decoder : ResolvedDecoder
    config : SessionConfig
        Sections ``trial``, ``quality`` and ``continuity``.
    progress : callable
        Told what is being done and the share done, 0 to 1.

    Returns
    -------
    Epochs
        Windows of shape (n_trials, n_bands, n_samples, n_channels), µV.

    Raises
    ------
    bci.errors.StreamMismatch
        If the run has another rate than the decoder, or lacks one of its channels.
    """
    preprocessing = decoder.whole_windows
    return extract_epochs(
        run.info,
        run.raw,
        run.cues,
        preprocessing,
        config.trial.stop_s,
        front=config.front(),
        progress=partial(progress, f"cutting {run.name}"),
        earlier_s=earlier_ends(preprocessing, config.trial.start_s, config.trial.stop_s) if decoder.sliding else (),
        marked=run.marked,
    )


def fit(
    parts: Sequence[Epochs],
    runs: Sequence[LabelledRun],
    decoder: ResolvedDecoder,
    config: SessionConfig,
    progress: Progress = silent,
    notes: Sequence[str] = (),
) -> Trained:
    """Fit the configured decoder to trials that were cut before.

    Parameters
    ----------
    parts : sequence of Epochs
        Of each run, as :func:`run_epochs` cuts them.
    runs : sequence of LabelledRun
    decoder : ResolvedDecoder
    config : SessionConfig
    progress : callable
    notes : sequence of str
        What a user should know besides, for the model's header.

    Returns
    -------
    Trained

    Raises
    ------
    TrainingError
    """
    numbered = [replace(part, runs=np.full(len(part.labels), i)) for i, part in enumerate(parts)]
    epochs = impute_bad_channels(join(numbered), decoder.preprocessing.labels)
    progress("fitting", 0.0)
    rejected = Counter(cue.class_ for cue, _ in epochs.rejected)
    why = why_rejected(epochs.rejected, epochs.faults, config.front())
    windows, labels, numbers = epochs.sliding()
    model = fit_decoder(
        decoder.family,
        windows,
        labels,
        decoder.preprocessing,
        trials=numbers,
        rejected=rejected,
        reasons=why,
        progress=progress,
    )
    model = with_potato(replace(model, notes=(*model.notes, *notes)), epochs.windows)
    progress("fitting", 1.0)
    return Trained(model, epochs, runs[0].info, tuple(run.sha256 for run in runs), decoder)


def write_model(path: Path, trained: Trained, config: SessionConfig, accuracy: float | None = None) -> str:
    """Write the model file; return its SHA-256.

    What was chosen and judged, where it was, wins over ``config`` and ``accuracy``.

    Parameters
    ----------
    path : Path
        File to write; must not exist.
    trained : Trained
    config : SessionConfig
    accuracy : float, optional
        Estimated, 0 to 1.

    Returns
    -------
    str
    """
    header = header_of(trained, config, accuracy)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ModelError(f"{path.parent}: cannot be made ({error.strerror}); choose another folder with -o") from error
    return save_model(path, header, trained.model.arrays)


def header_of(trained: Trained, config: SessionConfig, accuracy: float | None = None) -> ModelHeader:
    """Build the header of the model file.

    Parameters
    ----------
    trained : Trained
    config : SessionConfig
    accuracy : float, optional
        Estimated, 0 to 1.

    Returns
    -------
    ModelHeader
    """
    used, judged = trained.config or config, trained.judged
    header = trained.model.header(
        trained.info,
        (used.trial.start_s, used.trial.stop_s),
        used.decision.over(),
        trained.recordings,
        judged.accuracy if judged else accuracy,
        judged.verdict if judged else None,
    )
    return replace(header, chosen=judged.chosen, nulls=judged.nulls) if judged else header


def cross_validated(trained: Trained, progress: Progress = silent, folds: int = 5) -> tuple[int, int]:
    """Decode each block of consecutive trials with a model of the other blocks; return correct and all trials.

    Whole runs are left out where there are three or more, else blocks of neighbouring trials: windows
    that are near in time share drifts, and shuffled folds would take those for skill.

    Parameters
    ----------
    trained : Trained
    progress : callable
        Told what is being done and the share done, 0 to 1.
    folds : int
        Blocks of neighbouring trials, where there are fewer than three runs.

    Returns
    -------
    (int, int)

    Raises
    ------
    TooFewTrials
        If what is left without a block is too little to train on; speaks of the recordings.
    """
    found = out_of_fold(trained.epochs, trained.decoder, progress, folds)
    return int((found == trained.epochs.labels).sum()), len(found)


def out_of_fold(epochs: Epochs, decoder: ResolvedDecoder, progress: Progress = silent, folds: int = 5) -> npt.NDArray[np.str_]:
    """Out-of-fold class of each trial: decoded by a model that was trained without the trial's block.

    Parameters
    ----------
    epochs : Epochs
    decoder : ResolvedDecoder
    progress : callable
        Told what is being done and the share done, 0 to 1.
    folds : int
        Blocks of neighbouring trials, where there are fewer than three runs.

    Returns
    -------
    ndarray of str, shape (n_trials,)
    """
    n = len(epochs.labels)
    runs = sorted(set(epochs.runs.tolist()))
    groups = epochs.runs if len(runs) >= 3 else np.array([i * folds // n for i in range(n)])
    predicted = np.empty_like(epochs.labels)
    names = np.unique(groups).tolist()
    for done, group in enumerate(names):
        progress("cross-validating", done / len(names))
        held = np.flatnonzero(groups == group)
        windows, labels, numbers = epochs.sliding(np.flatnonzero(groups != group).tolist())
        try:
            model = fit_decoder(decoder.family, windows, labels, decoder.preprocessing, trials=numbers)
        except TooFewTrials as error:
            raise TooFewTrials(_too_few(epochs, len(held))) from error
        predicted[held] = model.estimator.predict(epochs.windows[held])
    return predicted


def _too_few(epochs: Epochs, held: int) -> str:
    """Why an accuracy cannot be estimated, in terms of what was recorded."""
    counts = Counter(epochs.labels.tolist())
    listing = ", ".join(f"{class_}: {n}" for class_, n in sorted(counts.items()))
    lost = f"; {len(epochs.rejected)} more were left out" if epochs.rejected else ""
    return (
        f"the recordings hold {len(epochs.labels)} trials that count ({listing}{lost}): enough to train on, too few to leave "
        f"{held} of them out and to train on the rest, which takes {MIN_TRIALS}, and {MIN_TRIALS_OF_A_CLASS} of each class"
    )
