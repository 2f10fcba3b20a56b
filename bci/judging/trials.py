"""Trials, cut once with the live steps, from which every candidate takes its windows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import BoolArray, FloatArray, window_grid
from bci.engine.preprocessing import Preprocessing
from bci.engine.stream_info import StreamInfo
from bci.errors import TrainingError
from bci.judging.blocks import IntArray, blocks_of, folds_of
from bci.judging.candidates import Candidate
from bci.judging.settings import JudgeSettings
from bci.paradigm.cues import CueEvent
from bci.progress import Progress, silent
from bci.settings import SessionConfig
from bci.training.epochs import MIN_WHOLE, Epochs, impute_bad_channels, join
from bci.training.extraction import extract_epochs
from bci.training.labelled import LabelledRun
from bci.training.rejected import why_rejected

BandPair = tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Trials:
    """Whole trials in every band, with their blocks and folds.

    Parameters
    ----------
    data : ndarray, shape (n_trials, n_bands, n_samples, n_channels)
        Filtered and referenced, µV; the last sample is that of the window that ends at ``stop_s``.
    labels : ndarray of str, shape (n_trials,)
    runs : ndarray of int, shape (n_trials,)
        Recording.
    times_s : ndarray, shape (n_trials,)
        Of the cues, on the clock of their recording.
    blocks, folds : ndarray of int, shape (n_trials,)
        Block of neighbours, and fold of the cross-validation.
    bands : tuple of (low_hz, high_hz)
        Of ``data``.
    channels : tuple of str
    rate_hz : float
    stop_s : float
        After the cue.
    bad : ndarray of float, shape (n_channels,)
        Share of the trials in which a channel was bad.
    rejected : tuple of (CueEvent, str)
        Trials left out, and why.
    left_out : tuple of str
        How many for each reason, with channels, values and settings, for people.
    """

    data: FloatArray
    labels: npt.NDArray[np.str_]
    runs: IntArray
    times_s: FloatArray
    blocks: IntArray
    folds: IntArray
    bands: tuple[BandPair, ...]
    channels: tuple[str, ...]
    rate_hz: float
    stop_s: float
    bad: FloatArray
    rejected: tuple[tuple[CueEvent, str], ...] = ()
    left_out: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def classes(self) -> tuple[str, ...]:
        """Sorted."""
        return tuple(map(str, np.unique(self.labels)))

    @property
    def codes(self) -> IntArray:
        """Class of each trial as a number, shape (n_trials,)."""
        return np.unique(self.labels, return_inverse=True)[1].astype(np.int64)

    @property
    def counts(self) -> dict[str, int]:
        """Trials of each class."""
        return {c: int((self.labels == c).sum()) for c in self.classes}

    @property
    def chance(self) -> float:
        """Accuracy of always giving the most frequent class."""
        return max(self.counts.values()) / len(self)

    def windows(self, candidate: Candidate) -> FloatArray:
        """The windows that a candidate is trained on, shape (n_trials, n_bands, n_samples, n_channels), µV.

        Parameters
        ----------
        candidate : Candidate

        Returns
        -------
        ndarray, shape (n_trials, n_bands, n_samples, n_channels)
        """
        end = self.data.shape[2] - round((self.stop_s - candidate.stop_s) * self.rate_hz)
        begin = end - round((candidate.stop_s - candidate.start_s) * self.rate_hz)
        bands = [self.bands.index(band) for band in candidate.bands]
        columns = [self.channels.index(label) for label in candidate.channels]
        return np.ascontiguousarray(self.data[:, bands, begin:end][..., columns])

    def first(self, n: int, settings: JudgeSettings) -> Trials:
        """The first ``n`` trials, with the blocks and folds that they had then.

        Parameters
        ----------
        n : int
            How many.
        settings : JudgeSettings

        Returns
        -------
        Trials
        """
        blocks = blocks_of(self.runs[:n], self.times_s[:n], settings.block)
        return replace(
            self,
            data=self.data[:n],
            labels=self.labels[:n],
            runs=self.runs[:n],
            times_s=self.times_s[:n],
            blocks=blocks,
            folds=folds_of(blocks, self.labels[:n], settings.folds),
        )


def cut_trials(
    runs: Sequence[LabelledRun],
    config: SessionConfig,
    bands: Sequence[BandPair],
    settings: JudgeSettings,
    progress: Progress = silent,
) -> Trials:
    """Cut the trials of all runs through the live steps, in all bands at once.

    Filters are causal, so that a part of a trial is what the live loop would have seen by then. A trial that cannot be
    decoded live in some band is given to no candidate, so that all are judged on the same ones.

    Parameters
    ----------
    runs : sequence of LabelledRun
    config : SessionConfig
    bands : sequence of (low_hz, high_hz)
    settings : JudgeSettings
    progress : callable
        Told what is being done and the share done, 0 to 1.

    Returns
    -------
    Trials

    Raises
    ------
    TrainingError
        If the runs do not fit together.
    """
    info = runs[0].info
    p = whole_trial(info, config, bands)
    parts, times = [], []
    for number, run in enumerate(runs):
        if run.info.rate_hz != info.rate_hz:
            raise TrainingError(
                f"{run.name}: {run.info.rate_hz:g} Hz, but {runs[0].name} has {info.rate_hz:g} Hz; judge them separately"
            )
        told = partial(progress, f"cutting {run.name}")
        part = extract_epochs(
            run.info, run.raw, run.cues, p, config.trial.stop_s, number, config.front(), told, marked=run.marked
        )
        parts.append(part)
        times.append(kept_times(run.cues, part))
    joined, times_s = join(parts), np.concatenate(times)
    epochs, kept = _filled(joined, p.labels)
    times_s = times_s[kept]
    blocks = blocks_of(epochs.runs, times_s, settings.block)
    return Trials(
        data=epochs.windows,
        labels=epochs.labels,
        runs=epochs.runs,
        times_s=times_s,
        blocks=blocks,
        folds=folds_of(blocks, epochs.labels, settings.folds),
        bands=tuple(bands),
        channels=p.labels,
        rate_hz=info.rate_hz,
        stop_s=config.trial.stop_s,
        bad=joined.bad.mean(axis=0) if len(joined.labels) else np.zeros(len(p.labels)),
        rejected=epochs.rejected,
        left_out=tuple(f"{n} left out: {why}" for why, n in why_rejected(epochs.rejected, epochs.faults, config.front()).items()),
    )


def _filled(epochs: Epochs, labels: Sequence[str]) -> tuple[Epochs, BoolArray]:
    """Fill in bad channels, or leave out such trials while there are too few others; also returns which trials stay."""
    whole: BoolArray = np.asarray(~epochs.bad.any(axis=1), dtype=np.bool_)
    if whole.sum() >= MIN_WHOLE or whole.all():
        return impute_bad_channels(epochs, labels), np.ones(len(whole), dtype=np.bool_)
    left = replace(
        epochs, windows=epochs.windows[whole], labels=epochs.labels[whole], runs=epochs.runs[whole], bad=epochs.bad[whole]
    )
    return left, whole


def whole_trial(info: StreamInfo, config: SessionConfig, bands: Sequence[BandPair]) -> Preprocessing:
    """Preprocessing that cuts a whole trial as one window.

    Parameters
    ----------
    info : StreamInfo
    config : SessionConfig
    bands : sequence of (low_hz, high_hz)

    Returns
    -------
    Preprocessing
    """
    labels = info.eeg_labels(config.preprocessing.channels)
    built = config.preprocessing.build(info.rate_hz, labels)
    window, hop = window_grid(config.trial.stop_s - config.trial.start_s, config.preprocessing.hop_s, info.rate_hz)
    return replace(built, bands=tuple(bands), window=window, hop=hop)


def kept_times(cues: Sequence[CueEvent], epochs: Epochs) -> npt.NDArray[np.float64]:
    """Times of the cues that were not rejected, shape (n_trials,), s.

    Parameters
    ----------
    cues : sequence of CueEvent
    epochs : Epochs

    Returns
    -------
    ndarray, shape (n_trials,)
    """
    rejected = Counter(trial for trial, _ in epochs.rejected)
    kept = []
    for cue in sorted(cues, key=lambda c: c.time_s):
        if rejected[cue]:
            rejected[cue] -= 1
        else:
            kept.append(cue.time_s)
    return np.array(kept, dtype=np.float64)
