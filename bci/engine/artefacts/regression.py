"""The share of the eyes in every channel, found by regression on EOG channels, and subtracted.

Gratton, Coles, Donchin 1983 (Electroencephalography and Clinical Neurophysiology 55, 468): the propagation factors are learnt
where the eyes move. Schlögl et al. 2007 (Clinical Neurophysiology 118, 98): all EOG channels in one multiple regression,
``b = <N'N>^-1 <N'S>``, which holds for every later sample: ``S - N b``. As a matrix on channels it commutes with every filter,
so the engine puts it into the reference matrix (:func:`bci.engine.spatial.reference_matrix`), where it costs nothing.
"""

from __future__ import annotations

import numpy as np

from bci.engine.artefacts.robust import middle_and_deviation
from bci.engine.chunk import BoolArray, FloatArray
from bci.errors import ConfigError, TrainingError

LEAST_SAMPLES = 100
MOVING_SD = 3.0
"""Robust standard deviations beyond which an EOG channel is taken to see a movement, and not only the brain."""
MOVING_SHARE = 0.01
RIDGE = 1e-6


def eog_weights(eeg: FloatArray, eog: FloatArray) -> FloatArray:
    """Propagation factors from the eyes to every channel.

    Samples in which the eyes move are used, if they make up one in a hundred: between movements frontal channels see
    brain too, and what they share with others would be subtracted with the eyes.

    Parameters
    ----------
    eeg : ndarray, shape (n_samples, n_channels)
        µV, without offset and drift.
    eog : ndarray, shape (n_samples, n_eog)
        The same samples.

    Returns
    -------
    ndarray, shape (n_eog, n_channels)

    Raises
    ------
    TrainingError
        If there are too few samples, or an EOG channel never changes.
    """
    if len(eog) < LEAST_SAMPLES:
        raise TrainingError(f"only {len(eog)} samples to learn the eyes' share from; at least {LEAST_SAMPLES} are needed")
    middle, deviation = middle_and_deviation(eog)
    if not (deviation > 0).all():
        raise TrainingError(f"EOG channel {int(np.argmin(deviation)) + 1} never changes; check its electrode, or leave it out")
    moving = (np.abs(eog - middle) > MOVING_SD * deviation).any(axis=1)
    used = moving if moving.mean() >= MOVING_SHARE else np.ones(len(eog), dtype=np.bool_)
    noise, signal = eog[used] - middle, eeg[used] - np.median(eeg, axis=0)
    inner = noise.T @ noise
    weights: FloatArray = np.linalg.solve(inner + RIDGE * np.trace(inner) * np.eye(len(inner)), noise.T @ signal)
    return weights


def correction_matrix(weights: FloatArray, n_inputs: int, good: BoolArray) -> FloatArray:
    """Matrix that subtracts the eyes' share from the other channels.

    Parameters
    ----------
    weights : ndarray, shape (n_eog, n_inputs - n_eog)
    n_inputs : int
        The EOG channels are the last ones.
    good : ndarray of bool, shape (n_inputs,)
        An EOG channel that is bad itself subtracts nothing.

    Returns
    -------
    ndarray, shape (n_inputs, n_inputs)
    """
    n_eog, n_others = weights.shape
    if n_eog + n_others != n_inputs:
        raise ConfigError(f"eog_weights: {n_others} values in each row, must be {n_inputs - n_eog}: one for each other channel")
    matrix = np.eye(n_inputs)
    matrix[:n_others, n_others:] = -(weights * good[n_others:, np.newaxis]).T
    return matrix


class Regression:
    """The subtraction as a step on samples, for programs that need the corrected signal itself.

    Parameters
    ----------
    weights : ndarray, shape (n_eog, n_channels)
        Of :func:`eog_weights`. The EOG channels are the last inputs, and are not in the output.
    """

    delay = 0

    def __init__(self, weights: FloatArray) -> None:
        n = weights.shape[1]
        self._matrix = np.vstack((np.eye(n), -weights))

    def __call__(self, data: FloatArray) -> FloatArray:
        """Inputs, shape (n_blocks, hop, n_channels + n_eog), to (n_blocks, hop, n_channels), µV."""
        return np.stack([block @ self._matrix for block in data]) if len(data) else data[:, :, : self._matrix.shape[1]]

    def restart(self) -> None:
        """Do nothing: this step keeps no past."""
