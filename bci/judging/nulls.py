"""Null tests: situations in which a decoder without any knowledge may look good.

A model that passes beats permuted labels, fails on the signal before the cue, on the eyes and muscles alone, and on a
recording whose rhythms are the same but whose timing is destroyed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bci.engine.chunk import Chunk, FloatArray, window_grid
from bci.engine.frontend import FrontSettings
from bci.engine.preprocessing import Preprocessing
from bci.engine.quality import QualitySettings
from bci.errors import StreamMismatch
from bci.judging.blocks import blocks_of, folds_of
from bci.judging.permutation import held_out_scores, hits, permutation_test, shrunk, tangent_kernel
from bci.judging.settings import JudgeSettings
from bci.judging.trials import BandPair, kept_times, whole_trial
from bci.settings import SessionConfig
from bci.training.epochs import Epochs, join
from bci.training.extraction import extract_epochs
from bci.training.labelled import LabelledRun

FAILED = 0.001
"""A null fails when chance alone would look as good only this rarely."""
PRE_CUE_S = 1.0
PERMUTATIONS = 5000
LEAST_TRIALS = 20
ANYTHING = QualitySettings(
    flat_uv=0.0, rail_uv=1e7, amplitude_uv=1e6, band_uv=1e6, line_uv=1e6, bridged_uv=0.0, bad_share=1.0, heavy_share=1e6
)
"""For eyes and muscles, whose signals are what a brain's must not be."""


@dataclass(frozen=True, slots=True)
class Null:
    """Result of one null test.

    Parameters
    ----------
    name : str
        ``permuted``, ``pre-cue``, ``eyes and muscles`` or ``surrogate``.
    accuracy : float
        Of a ridge regression on tangent vectors, block-wise cross-validated.
    p_value : float
        Against labels permuted within blocks.
    passed : bool
    words : str
        What it means.
    """

    name: str
    accuracy: float
    p_value: float
    passed: bool
    words: str


def permuted_labels(accuracy: float, p_value: float, alpha: float) -> Null:
    """Whether the model itself beats permuted labels.

    Parameters
    ----------
    accuracy, p_value, alpha : float
        Of the verdict.

    Returns
    -------
    Null
    """
    passed = p_value <= alpha
    beats = "beats" if passed else "does not beat"
    return Null("permuted", accuracy, p_value, passed, f"the real order of the classes {beats} permuted ones")


def pre_cue(
    runs: Sequence[LabelledRun], config: SessionConfig, settings: JudgeSettings, bands: Sequence[BandPair], seed: int
) -> Null | None:
    """Decode the second before the cue, when the class cannot be known yet. None with too few trials.

    Parameters
    ----------
    runs : sequence of LabelledRun
    config : SessionConfig
    settings : JudgeSettings
    bands : sequence of (low_hz, high_hz)
    seed : int
        Of the permutations.

    Returns
    -------
    Null or None
    """
    p = whole_trial(runs[0].info, config, bands)
    window, _ = window_grid(PRE_CUE_S, p.hop / p.rate_hz, p.rate_hz)
    found = _tested(runs, replace(p, window=window), 0.0, config.front(), settings, (seed, 1))
    if found is None:
        return None
    passed = found[1] > FAILED
    words = "the signal before the cue holds no information on the class, as it should"
    if not passed:
        words = (
            "the signal BEFORE the cue tells the classes apart: the order of the cues can be foreseen, or the cue leaks "
            "into the recording (its marker is late, or its cable couples in)"
        )
    return Null("pre-cue", *found, passed, words)


def eyes_and_muscles(
    runs: Sequence[LabelledRun], config: SessionConfig, settings: JudgeSettings, accuracy: float, seed: int
) -> Null | None:
    """Decode EOG and EMG channels alone. The test fails if they do as well as the EEG; None without such channels.

    Parameters
    ----------
    runs : sequence of LabelledRun
    config : SessionConfig
    settings : JudgeSettings
    accuracy : float
        Of the EEG.
    seed : int

    Returns
    -------
    Null or None
    """
    info = runs[0].info
    labels = tuple(c.label for c in info.channels if c.type in ("EOG", "EMG"))
    if not labels:
        return None
    p = whole_trial(info, config, [(1.0, min(45.0, 0.45 * info.rate_hz))])
    p = replace(p, labels=labels, reference="none")
    found = _tested(runs, p, config.trial.stop_s, FrontSettings(ANYTHING, config.continuity), settings, (seed, 2))
    if found is None:
        return None
    passed = found[1] > FAILED or found[0] < accuracy
    words = f"{', '.join(labels)} alone: {100 * found[0]:.0f} % correct"
    return Null(
        "eyes and muscles",
        *found,
        passed,
        words if passed else words + ", no worse than the EEG, so eyes or muscles may control the decoder",
    )


def surrogate(
    runs: Sequence[LabelledRun], config: SessionConfig, settings: JudgeSettings, bands: Sequence[BandPair], seed: int
) -> Null | None:
    """Decode recordings with the same spectra and cross-spectra but random phases, so that nothing is tied to the cues.

    Parameters
    ----------
    runs : sequence of LabelledRun
    config : SessionConfig
    settings : JudgeSettings
    bands : sequence of (low_hz, high_hz)
    seed : int
        Of the permutations.

    Returns
    -------
    Null or None
    """
    fakes = [replace(run, raw=Chunk(phase_randomised(run.raw.data, (seed, i)), run.raw.stamps)) for i, run in enumerate(runs)]
    p = whole_trial(runs[0].info, config, bands)
    found = _tested(fakes, p, config.trial.stop_s, FrontSettings(ANYTHING, config.continuity), settings, (seed, 3))
    if found is None:
        return None
    passed = found[1] > FAILED
    words = "the same rhythms without their timing hold no information, as they should"
    return Null(
        "surrogate", *found, passed, words if passed else "rhythms without any timing tell the classes apart, so slow drifts do"
    )


def phase_randomised(data: FloatArray, seed: int | Sequence[int]) -> FloatArray:
    """A recording of the same spectra and cross-spectra: all channels get the same random phases.

    Prichard and Theiler 1994, Physical Review Letters 73, 951.

    Parameters
    ----------
    data : ndarray, shape (n_samples, n_channels)
    seed : int or sequence of int

    Returns
    -------
    ndarray
    """
    spectrum = np.fft.rfft(data, axis=0)
    phases = np.exp(2j * np.pi * np.random.default_rng(seed).random(len(spectrum)))
    phases[0] = 1.0
    if len(data) % 2 == 0:
        phases[-1] = 1.0
    return np.asarray(np.fft.irfft(spectrum * phases[:, None], len(data), axis=0))


def _tested(
    runs: Sequence[LabelledRun],
    preprocessing: Preprocessing,
    stop_s: float,
    front: FrontSettings,
    settings: JudgeSettings,
    seed: tuple[int, int],
) -> tuple[float, float] | None:
    """Accuracy and p-value of the best band of one kind of windows, None where there are too few."""
    try:
        parts = [
            extract_epochs(r.info, r.raw, r.cues, preprocessing, stop_s, i, front, marked=r.marked) for i, r in enumerate(runs)
        ]
    except StreamMismatch:
        return None
    times = np.concatenate([kept_times(run.cues, part) for run, part in zip(runs, parts, strict=True)])
    return tested(join(parts), times, settings, seed)


def tested(epochs: Epochs, times_s: FloatArray, settings: JudgeSettings, seed: int | Sequence[int]) -> tuple[float, float] | None:
    """Accuracy of the best band and p-value over all bands; None where there are too few trials.

    Parameters
    ----------
    epochs : Epochs
    times_s : ndarray, shape (n_trials,)
    settings : JudgeSettings
    seed : int or sequence of int

    Returns
    -------
    (float, float) or None
    """
    blocks = blocks_of(epochs.runs, times_s, settings.block)
    folds = folds_of(blocks, epochs.labels, settings.folds)
    if len(epochs.labels) < LEAST_TRIALS or folds.max() < 1:
        return None
    codes = np.unique(epochs.labels, return_inverse=True)[1].astype(np.int64)
    answers = [
        held_out_scores(tangent_kernel(shrunk(epochs.windows[:, [band]])), folds) for band in range(epochs.windows.shape[1])
    ]
    test = permutation_test(answers, codes, blocks, PERMUTATIONS, seed)
    best = int(test.of_candidate.argmax())
    return float(hits(answers[best], codes).mean()), test.p_value
