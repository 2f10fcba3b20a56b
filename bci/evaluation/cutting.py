"""Trials are cut once with the live steps, and kept in a folder that all workers see."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bci.engine.preprocessing import Preprocessing
from bci.errors import RecordingError
from bci.evaluation.data_source import DataSource
from bci.paradigm.cues import CueEvent
from bci.settings import SessionConfig
from bci.training.epochs import Epochs, impute_bad_channels, join
from bci.training.extraction import extract_epochs

FORMAT = 3
"""Of kept trials; raise it when what is in the file changes."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The file that holds the trials of one run once they are cut.

    Parameters
    ----------
    path : Path
        File in the folder of cuts; its name is a hash of all that the trials depend on.
    source : DataSource
    number : int
        Which run of the source.
    subject, session, run : str
    preprocessing : Preprocessing
    """

    path: Path
    source: DataSource
    number: int
    subject: str
    session: str
    run: str
    preprocessing: Preprocessing


def cut_key(identity: str, preprocessing: Preprocessing, config: SessionConfig) -> str:
    """Hash of the recording and of every setting that its trials depend on.

    Parameters
    ----------
    identity : str
        SHA-256 of the recording, or what stands for it.
    preprocessing : Preprocessing
    config : SessionConfig

    Returns
    -------
    str
    """
    settings = (FORMAT, repr(preprocessing), config.trial.stop_s, repr(config.front()))
    return hashlib.sha256(repr((identity, settings)).encode()).hexdigest()[:32]


def cut_all(cuts: Sequence[Cut], config: SessionConfig) -> None:
    """Cut the trials of runs of one source, and keep them.

    Parameters
    ----------
    cuts : sequence of Cut
    config : SessionConfig
    """
    opened = cuts[0].source.open(config)
    for one in cuts:
        run = opened[one.number].labelled
        p, stop_s = one.preprocessing, config.trial.stop_s
        epochs = extract_epochs(run.info, run.raw, run.cues, p, stop_s, front=config.front(), marked=run.marked)
        left_out = {cue for cue, _ in epochs.rejected}
        keep(one.path, epochs, [i for i, cue in enumerate(run.cues) if cue not in left_out])


def keep(path: Path, epochs: Epochs, numbers: Sequence[int] | None = None) -> None:
    """Write trials to a file that appears complete or not at all.

    Parameters
    ----------
    path : Path
    epochs : Epochs
    numbers : sequence of int, length n_trials
        Place of each trial among the cues of its recording; without them, among those that are kept.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
    rejected = json.dumps([[t.time_s, t.class_, why] for t, why in epochs.rejected])
    with partial.open("wb") as file:
        np.savez(
            file,
            windows=epochs.windows,
            labels=epochs.labels,
            runs=epochs.runs,
            bad=epochs.bad,
            rejected=np.array(rejected),
            numbers=np.arange(len(epochs.labels)) if numbers is None else np.array(numbers, dtype=np.int64),
        )
    os.replace(partial, path)


def kept(path: Path) -> Epochs:
    """Read the trials of one file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Epochs

    Raises
    ------
    RecordingError
        If the file is damaged; says to delete it.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            rejected = tuple((CueEvent(float(t), c), why) for t, c, why in json.loads(str(file["rejected"])))
            return Epochs(file["windows"], file["labels"], file["runs"], file["bad"], rejected)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise RecordingError(f"{path}: kept trials cannot be read ({error}). Delete the file; they are cut again.") from error


def load(cuts: Sequence[Cut]) -> Epochs:
    """Read the trials of several runs as one set; ``runs`` numbers the runs.

    Parameters
    ----------
    cuts : sequence of Cut

    Returns
    -------
    Epochs
    """
    parts = [kept(c.path) for c in cuts]
    return join([replace(part, runs=np.full(len(part.labels), i)) for i, part in enumerate(parts)])


def trial_names(cuts: Sequence[Cut]) -> list[str]:
    """Names of the trials that :func:`load` gives, in its order: recording and place among its cues, whatever was left out.

    Parameters
    ----------
    cuts : sequence of Cut

    Returns
    -------
    list of str
    """
    found: list[str] = []
    for i, one in enumerate(cuts):
        with np.load(one.path, allow_pickle=False) as file:
            found += [f"{i}.{number}" for number in file["numbers"].tolist()]
    return found


def select(epochs: Epochs, which: Sequence[int] | npt.NDArray[np.int64]) -> Epochs:
    """Some of the trials.

    Parameters
    ----------
    epochs : Epochs
    which : sequence of int
        Places of the trials.

    Returns
    -------
    Epochs
    """
    chosen = np.asarray(which, dtype=np.int64)
    return Epochs(epochs.windows[chosen], epochs.labels[chosen], epochs.runs[chosen], epochs.bad[chosen])


def filled_by(train: Epochs, test: Epochs, labels: Sequence[str]) -> Epochs:
    """Fill in bad channels of test trials from the training trials alone.

    Parameters
    ----------
    train : Epochs
    test : Epochs
    labels : sequence of str
        Of the channels, for messages.

    Returns
    -------
    Epochs

    Raises
    ------
    TrainingError
        If too few training trials are whole.
    """
    broken = np.flatnonzero(test.bad.any(axis=1))
    if not len(broken):
        return test
    whole = select(train, np.flatnonzero(~train.bad.any(axis=1)))
    together = impute_bad_channels(join([whole, select(test, broken)]), labels)
    windows = test.windows.copy()
    windows[broken] = together.windows[len(whole.labels) :]
    return replace(test, windows=windows)
