"""Trials that were cut out of recordings, ready to train on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import BoolArray, FloatArray
from bci.engine.spatial import expectation
from bci.errors import TrainingError
from bci.paradigm.cues import CueEvent
from bci.training.rejected import BadChannel

MIN_WHOLE = 10
"""Trials with all channels good, from which it is learned what a bad channel would have shown."""


@dataclass(frozen=True, slots=True, eq=False)
class EarlierWindows:
    """Further windows of trials, which end before the one that counts; none has a bad channel.

    Parameters
    ----------
    windows : ndarray, shape (n_windows, n_bands, n_samples, n_channels)
        µV.
    trials : ndarray of int, shape (n_windows,)
        Place of each window's trial in the :class:`Epochs`.
    """

    windows: FloatArray
    trials: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Epochs:
    """Trials of one or more recordings, ready to train on.

    Parameters
    ----------
    windows : ndarray, shape (n_trials, n_bands, n_samples, n_channels)
        Filtered and referenced, µV.
    labels : ndarray of str, shape (n_trials,)
    runs : ndarray of int, shape (n_trials,)
        Which recording a trial comes from; cross-validation never splits inside one.
    bad : ndarray of bool, shape (n_trials, n_channels)
        Channels that live decoding would have done without; :func:`impute_bad_channels` replaces them.
    rejected : tuple of (CueEvent, str)
        Trials left out, and why.
    earlier : EarlierWindows or None
        Further windows of these trials, for decoders that train on windows as they slide.
    faults : tuple of BadChannel
        What was wrong with the bad channels of the trials left out.
    """

    windows: FloatArray
    labels: npt.NDArray[np.str_]
    runs: npt.NDArray[np.int64]
    bad: BoolArray
    rejected: tuple[tuple[CueEvent, str], ...] = ()
    earlier: EarlierWindows | None = None
    faults: tuple[BadChannel, ...] = ()

    def sliding(self, trials: Sequence[int] | None = None) -> tuple[FloatArray, npt.NDArray[np.str_], npt.NDArray[np.int64]]:
        """All windows of the trials, with the class and the trial of each window, trial by trial.

        Parameters
        ----------
        trials : sequence of int, optional
            Places of the trials.

        Returns
        -------
        (ndarray, ndarray of str, ndarray of int)
        """
        places = np.arange(len(self.labels)) if trials is None else np.asarray(trials, dtype=np.int64)
        if self.earlier is None:
            return self.windows[places], self.labels[places], places
        kept = np.isin(self.earlier.trials, places)
        numbers = np.concatenate([self.earlier.trials[kept], places])
        order = np.argsort(numbers, kind="stable")
        windows = np.concatenate([self.earlier.windows[kept], self.windows[places]])
        return windows[order], self.labels[numbers[order]], numbers[order]


def impute_bad_channels(epochs: Epochs, labels: Sequence[str]) -> Epochs:
    """Replace bad channels by what the good channels predict, as the engine does live.

    What the good channels do not explain is taken from the nearest whole trial (hot-deck imputation: Little and
    Rubin, Statistical Analysis with Missing Data, section 4.3), so that a covariance keeps its full rank.

    Parameters
    ----------
    epochs : Epochs
    labels : sequence of str
        Of the channels, for messages.

    Returns
    -------
    Epochs
        All trials; the same object where nothing is bad.

    Raises
    ------
    TrainingError
        If there are too few whole trials to learn from what a channel usually is; names the bad channels.
    """
    whole = np.flatnonzero(~epochs.bad.any(axis=1))
    if len(whole) == len(epochs.labels):
        return epochs
    if len(whole) < MIN_WHOLE:
        counts = zip(labels, epochs.bad.sum(axis=0).tolist(), strict=True)
        listing = ", ".join(f"{label} in {n}" for label, n in counts if n)
        raise TrainingError(
            f"only {len(whole)} of {len(epochs.labels)} trials are without a bad channel, at least {MIN_WHOLE} are needed "
            f"(bad: {listing}). Leave such channels out of `preprocessing.channels`, or record again with better contact."
        )
    windows = epochs.windows.copy()
    donors = epochs.windows[whole]
    covariances = np.einsum("tbsi,tbsj->bij", donors, donors, optimize=True) / (len(whole) * donors.shape[2])
    for i in np.flatnonzero(epochs.bad.any(axis=1)):
        donor = windows[whole[np.abs(whole - i).argmin()]]
        for band, covariance in enumerate(covariances):
            fill, _ = expectation(covariance, ~epochs.bad[i])
            windows[i, band] = donor[band] + (windows[i, band] - donor[band]) @ fill.T
    return replace(epochs, windows=windows)


def reasons(rejected: Iterable[tuple[CueEvent, str]]) -> dict[str, int]:
    """Count the trials that were left out for each reason, the most frequent reason first.

    Parameters
    ----------
    rejected : sequence of (CueEvent, str)
        Trials left out, each with the reason.

    Returns
    -------
    dict of str to int
    """
    return dict(Counter(why for _, why in rejected).most_common())


def join(parts: Iterable[Epochs]) -> Epochs:
    """Join the trials of several recordings into one set.

    Parameters
    ----------
    parts : sequence of Epochs
        Of each recording, of the same bands, window and channels.

    Returns
    -------
    Epochs
    """
    parts = list(parts)
    return Epochs(
        np.concatenate([p.windows for p in parts]),
        np.concatenate([p.labels for p in parts]),
        np.concatenate([p.runs for p in parts]),
        np.concatenate([p.bad for p in parts]),
        tuple(r for p in parts for r in p.rejected),
        _joined([p.earlier for p in parts], [len(p.labels) for p in parts]),
        tuple(fault for p in parts for fault in p.faults),
    )


def _joined(parts: Sequence[EarlierWindows | None], counts: Sequence[int]) -> EarlierWindows | None:
    """Further windows of several recordings, their trials counted on."""
    before = np.concatenate([[0], np.cumsum(counts)])
    found = [(p.windows, p.trials + n) for p, n in zip(parts, before.tolist(), strict=False) if p is not None]
    return EarlierWindows(np.concatenate([w for w, _ in found]), np.concatenate([t for _, t in found])) if found else None
