"""From recordings to a model file."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from bci.engine.chunk import Chunk
from bci.engine.preprocessing import Preprocessing
from bci.engine.stream_info import StreamInfo
from bci.errors import ModelError, TrainingError
from bci.session.artefacts import measured, with_potato
from bci.session.cues import Trial, find_cues, no_cue
from bci.session.epochs import Epochs, cut, earlier_ends, filled, join
from bci.session.fit import (
    MIN_TRIALS,
    MIN_TRIALS_OF_A_CLASS,
    DecoderFamily,
    FittedModel,
    InformedFamily,
    TooFewTrials,
    fit_decoder,
    load_family,
)
from bci.session.left_out import leave_out
from bci.session.marked import UNMARKED, Marked, marked_in
from bci.session.model import save_model
from bci.session.progress import Progress, silent
from bci.session.rejected import why_rejected
from bci.settings import SessionConfig
from bci.stream.files.bids_events import bids_root
from bci.stream.foreign_clock import refuse_elsewhere
from bci.stream.montage import load_montage
from bci.stream.readers import open_recording
from bci.stream.recording import Recording, require_samples


@dataclass(frozen=True, slots=True, eq=False)
class LabelledRun:
    """One recording with its cues.

    Parameters
    ----------
    name : str
    info : StreamInfo
    raw : Chunk
        Without numbers where a stretch is marked bad.
    cues : tuple of Trial
        On the signal's clock.
    sha256 : str
    marked : Marked
        What people marked bad in it.
    notes : tuple of str
        What a person should know of how it was read and its cues were found.
    """

    name: str
    info: StreamInfo
    raw: Chunk
    cues: tuple[Trial, ...]
    sha256: str
    marked: Marked = UNMARKED
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What was found out about a model before it was fitted to all trials; kept in its header.

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
    config : SessionConfig or None
        What was trained with, where the decoder was chosen and not configured.
    judged : Judged or None
        What a judgement found out.
    """

    model: FittedModel
    epochs: Epochs
    info: StreamInfo
    recordings: tuple[str, ...]
    config: SessionConfig | None = None
    judged: Judged | None = None


def open_with(path: Path, config: SessionConfig, stored: bool = False) -> Recording:
    """Read a recording with the montage and the unit of the section ``stream``; ``stored`` leaves samples in the file."""
    montage = load_montage(config.stream.montage) if config.stream.montage else None
    return open_recording(path, montage, config.stream.unit, stored)


def open_labelled(path: Path, config: SessionConfig, recording: Recording | None = None) -> LabelledRun:
    """Read a recording and label its trials, as the sections ``stream`` and ``markers`` say.

    One that lies in a BIDS folder is read with what stands beside it: its events, and which channels are bad.

    Parameters
    ----------
    path : Path
    config : SessionConfig
    recording : Recording, optional
        The same, where it was read before (:func:`open_with`).
    """
    root = bids_root(path)
    if root is not None and find_spec("mne_bids") is not None:
        from bci.session.evaluation.public import bids_origin

        (opened,) = bids_origin(path, root).open(config)
        return opened.labelled
    return labelled(recording or open_with(path, config), config)


def labelled(recording: Recording, config: SessionConfig, table: Mapping[str, str] | None = None) -> LabelledRun:
    """The EEG of a recording with its cues, as the sections ``stream`` and ``markers`` say.

    Parameters
    ----------
    recording : Recording
    config : SessionConfig
    table : mapping of str to str, optional
        Class of each marker, instead of ``markers.table``.

    Raises
    ------
    TrainingError
        If no marker is a cue; lists the markers that were found.
    RecordingError
        If it has not the stream that ``markers.stream`` names, or if the cues were stamped by another clock than the signal.
    """
    signal = require_samples(recording.eeg(config.stream.query()), recording)
    markers = config.markers.marker_table(table)
    found = find_cues(recording, signal, markers, config.markers.stream)
    if not found.trials:
        raise TrainingError(no_cue(recording, markers, config.markers.stream, found))
    refuse_elsewhere(recording, signal, np.array([cue.time_s for cue in found.trials]))
    return LabelledRun(
        recording.path.name,
        signal.info,
        signal.chunk(),
        found.trials,
        recording.sha256,
        marked_in(signal),
        (*recording.notes, *signal.notes, *found.notes),
    )


def notes_of(runs: Sequence[LabelledRun]) -> tuple[str, ...]:
    """What a person should know of recordings, each with the name of its recording."""
    return tuple(f"{run.name}: {note}" for run in runs for note in run.notes)


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

    Raises
    ------
    TrainingError
    """
    left = leave_out(runs, config, progress)
    config = measured(runs, left.config)
    return fit([trials(run, config, progress) for run in runs], runs, config, progress, tuple(left.why.values()))


def trials(run: LabelledRun, config: SessionConfig, progress: Progress = silent) -> Epochs:
    """The trials of one run, cut through the live steps; several windows of each for a decoder that asks for them.

    Whole windows only: those that losses shortened are decoded, but nothing is learned from them
    (docs/decisions/0014-what-is-decoded-of-a-bad-day.md).
    """
    family, preprocessing = _family(config), replace(preprocessing_for(run.info, config), least=0)
    slides = isinstance(family, InformedFamily) and family.slides
    return cut(
        run.info,
        run.raw,
        run.cues,
        preprocessing,
        config.trial.stop_s,
        front=config.front(),
        progress=partial(progress, f"cutting {run.name}"),
        earlier_s=earlier_ends(preprocessing, config.trial.start_s, config.trial.stop_s) if slides else (),
        marked=run.marked,
    )


def fit(
    parts: Sequence[Epochs],
    runs: Sequence[LabelledRun],
    config: SessionConfig,
    progress: Progress = silent,
    notes: Sequence[str] = (),
) -> Trained:
    """Fit the configured decoder to trials that were cut before.

    Parameters
    ----------
    parts : sequence of Epochs
        Of each run, as :func:`trials` cuts them.
    runs : sequence of LabelledRun
    config : SessionConfig
    progress : callable
    notes : sequence of str
        What a user should know besides, for the model's header.

    Raises
    ------
    TrainingError
    """
    preprocessing = preprocessing_for(runs[0].info, config)
    numbered = [replace(part, runs=np.full(len(part.labels), i)) for i, part in enumerate(parts)]
    epochs = filled(join(numbered), preprocessing.labels)
    progress("fitting", 0.0)
    rejected = Counter(cue.class_ for cue, _ in epochs.rejected)
    why = why_rejected(epochs.rejected, epochs.faults, config.front())
    windows, labels, numbers = epochs.sliding()
    model = fit_decoder(
        _family(config), windows, labels, preprocessing, trials=numbers, rejected=rejected, reasons=why, progress=progress
    )
    model = with_potato(replace(model, notes=(*model.notes, *notes)), epochs.windows)
    progress("fitting", 1.0)
    return Trained(model, epochs, runs[0].info, tuple(run.sha256 for run in runs))


def preprocessing_for(info: StreamInfo, config: SessionConfig) -> Preprocessing:
    """The configured preprocessing for this stream, with the bands and the windows that the decoder family wants."""
    labels = info.eeg_labels(config.preprocessing.channels)
    built, family = config.preprocessing.build(info.rate_hz, labels), _family(config)
    if getattr(family, "partly", False):
        hops = math.ceil(config.preprocessing.least_filled * built.window / built.hop - 1e-9)
        built = replace(built, least=hops * built.hop)
    if len(built.bands) > 1:
        return built
    return replace(built, bands=family.bands(*built.bands[0], info.rate_hz))


def _family(config: SessionConfig) -> DecoderFamily:
    """The configured decoder, with its settings."""
    return load_family(config.decoder.name, config.decoder.settings)


def write_model(path: Path, trained: Trained, config: SessionConfig, accuracy: float | None = None) -> str:
    """Write the model file; return its SHA-256.

    What was chosen and judged, where it was, wins over ``config`` and ``accuracy``.
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
    if judged:
        header = replace(header, chosen=judged.chosen, nulls=judged.nulls)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ModelError(f"{path.parent}: cannot be made ({error.strerror}); choose another folder with -o") from error
    return save_model(path, header, trained.model.arrays)


def cross_validated(trained: Trained, config: SessionConfig, progress: Progress = silent, folds: int = 5) -> tuple[int, int]:
    """Correct and all trials when each block of consecutive trials is decoded by a model of the others.

    Whole runs are left out where there are three or more, else blocks of neighbouring trials: windows
    that are near in time share drifts, and shuffled folds would take those for skill.

    Raises
    ------
    TooFewTrials
        If what is left without a block is too little to train on; speaks of the recordings.
    """
    epochs = trained.epochs
    n = len(epochs.labels)
    runs = sorted(set(epochs.runs.tolist()))
    groups = epochs.runs if len(runs) >= 3 else [i * folds // n for i in range(n)]
    correct = 0
    names = sorted(set(map(int, groups)))
    for done, group in enumerate(names):
        progress("cross-validating", done / len(names))
        held = [i for i in range(n) if int(groups[i]) == group]
        rest = sorted(set(range(n)) - set(held))
        windows, labels, numbers = epochs.sliding(rest)
        try:
            model = fit_decoder(_family(config), windows, labels, trained.model.preprocessing, trials=numbers)
        except TooFewTrials as error:
            raise TooFewTrials(_too_few(epochs, len(held))) from error
        found = model.estimator.predict(epochs.windows[held])
        correct += int((found == epochs.labels[held]).sum())
    return correct, n


def _too_few(epochs: Epochs, held: int) -> str:
    """Why an accuracy cannot be estimated, in terms of what was recorded."""
    counts = Counter(epochs.labels.tolist())
    listing = ", ".join(f"{class_}: {n}" for class_, n in sorted(counts.items()))
    lost = f"; {len(epochs.rejected)} more were left out" if epochs.rejected else ""
    return (
        f"the recordings hold {len(epochs.labels)} trials that count ({listing}{lost}): enough to train on, too few to leave "
        f"{held} of them out and to train on the rest, which takes {MIN_TRIALS}, and {MIN_TRIALS_OF_A_CLASS} of each class"
    )
