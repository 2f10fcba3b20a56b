"""Unfiltered trials with the signal before the cue, for exploration. Decoders are fitted to live windows instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import FloatArray, samples
from bci.engine.continuity import ContinuitySettings
from bci.errors import ConfigError, TrainingError
from bci.paradigm.cues import CueEvent
from bci.settings import SessionConfig
from bci.stream.files.even_grid import BOUNDARY, even
from bci.training.extraction import match_cues
from bci.training.labelled import LabelledRun
from bci.training.left_out import channels_marked
from bci.training.resolved import resolve_decoder


@dataclass(frozen=True, slots=True, eq=False)
class Around:
    """Trials cut around their cues.

    Parameters
    ----------
    epochs : ndarray, shape (n_trials, n_samples, n_channels)
        µV, as recorded.
    labels : ndarray of str, shape (n_trials,)
    blocks : ndarray of int, shape (n_trials,)
        Which run a trial is from.
    channels : tuple of str
    rate_hz, start_s : float
        Time of the first sample relative to the cue.
    left_out : int
        Trials that touch a gap, a step of the clock or the recording's ends, or would not be decoded live.
    """

    epochs: FloatArray
    labels: npt.NDArray[np.str_]
    blocks: npt.NDArray[np.int64]
    channels: tuple[str, ...]
    rate_hz: float
    start_s: float
    left_out: int

    def between(self, start_s: float, stop_s: float) -> FloatArray:
        """The part of all trials from ``start_s`` to ``stop_s`` after the cue.

        Parameters
        ----------
        start_s, stop_s : float
            Relative to the cue.

        Returns
        -------
        ndarray, shape (n_trials, n_samples, n_channels)
            Microvolts: a view.

        Raises
        ------
        ConfigError
            If trials do not reach so far.
        """
        first = round((start_s - self.start_s) * self.rate_hz)
        last = first + samples(stop_s - start_s, self.rate_hz)
        if first < 0 or last > self.epochs.shape[1]:
            end_s = self.start_s + self.epochs.shape[1] / self.rate_hz
            raise ConfigError(f"{start_s:g} to {stop_s:g} s: trials go from {self.start_s:g} to {end_s:g} s")
        return self.epochs[:, first:last]


def around_cues(
    runs: Sequence[LabelledRun],
    start_s: float = -2.0,
    stop_s: float = 4.0,
    reference: Literal["none", "average"] = "none",
    cues: Sequence[Sequence[CueEvent]] = (),
    continuity: ContinuitySettings | None = None,
) -> Around:
    """Cut trials out of runs, placed on the sample grid as live decoding places them.

    Parameters
    ----------
    runs : sequence of LabelledRun
        Of one rate and the same EEG channels.
    start_s, stop_s : float
        Relative to the cue.
    reference : {"none", "average"}
        Subtract the mean over channels from each sample; with many electrodes it narrows what is seen to its place.
    cues : sequence of sequence of CueEvent
        Of each run those to look at: :func:`decodable`; all where omitted.
    continuity : ContinuitySettings

    Raises
    ------
    TrainingError
        If no trial is whole.
    """
    marked = channels_marked(runs)
    channels = tuple(label for label in runs[0].info.eeg_labels() if label not in marked) or runs[0].info.eeg_labels()
    rate_hz = runs[0].info.rate_hz
    n = samples(stop_s - start_s, rate_hz)
    kept: list[FloatArray] = []
    labels: list[str] = []
    blocks: list[int] = []
    for number, run in enumerate(runs):
        if run.info.rate_hz != rate_hz:
            raise ConfigError(
                f"{run.name} has {run.info.rate_hz:g} Hz, {runs[0].name} {rate_hz:g} Hz; explore recordings of each "
                "rate separately"
            )
        columns = run.info.columns(channels)
        wanted = cues[number] if cues else run.cues
        placed = even(run.info, run.raw, [(cue.time_s, f"{i}") for i, cue in enumerate(wanted)], continuity)
        cue_texts = {f"{i}": cue.class_ for i, cue in enumerate(wanted)}
        broken = [(m.sample, m.sample + m.n_samples) for m in placed.marks if m.n_samples or m.text == BOUNDARY]
        for mark in placed.marks:
            first = mark.sample + round(start_s * rate_hz)
            whole = first >= 0 and first + n <= len(placed)
            if mark.text not in cue_texts or not whole or any(a < first + n and b >= first for a, b in broken):
                continue
            kept.append(placed.block(first, first + n)[:, columns])
            labels.append(cue_texts[mark.text])
            blocks.append(number)
    asked = sum(len(run.cues) for run in runs)
    if not kept:
        raise TrainingError(f"none of {asked} trials is complete from {start_s:g} to {stop_s:g} s around its cue")
    epochs = np.array(kept)
    if reference == "average":
        epochs = epochs - epochs.mean(axis=2, keepdims=True)
    return Around(epochs, np.array(labels), np.array(blocks), channels, rate_hz, start_s, asked - len(kept))


def decodable(run: LabelledRun, config: SessionConfig) -> tuple[CueEvent, ...]:
    """Return the cues of a run whose window would be decoded live.

    Parameters
    ----------
    run : LabelledRun
    config : SessionConfig
        Sections ``preprocessing``, ``trial`` and ``quality``.
    """
    p = resolve_decoder(run.info, config).preprocessing
    return tuple(
        met.cue
        for met in match_cues(run.info, run.raw, run.cues, p, config.trial.stop_s, config.front(), run.marked)
        if not met.why
    )
