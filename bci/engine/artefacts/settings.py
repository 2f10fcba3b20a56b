"""Settings for removing artefacts, stored in the header of a model."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bci.engine.artefacts.asr import AsrBaseline
from bci.engine.chunk import FloatArray
from bci.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Artefacts:
    """Settings of a decoder for removing artefacts; by default nothing is removed.

    Parameters
    ----------
    eog : tuple of str
        Channels that see the eyes: EOG, or frontal EEG. What they explain is subtracted (``bci.engine.artefacts.regression``).
    eog_weights : tuple of tuple of float
        Of each of them, how much of it every other input channel holds; measured in training. Empty: nothing is subtracted.
    potato_z : float
        A window whose covariance lies further than so many standard deviations from those of the training is not decoded
        (``bci.engine.artefacts.potato``); 0 for no such limit.
    potato : tuple of float
        Mean and standard deviation of the logarithm of that distance; measured in training.
    asr : float
        Artifact subspace reconstruction (``bci.engine.artefacts.asr``): standard deviations of clean amplitude beyond which a
        direction is replaced; 0 for none.
    asr_covariance : tuple of float
        Of clean signal, µV²: lower triangle over the input channels, row by row; measured in training.
    asr_limits : tuple of float
        Amplitude that each principal direction of it may have, µV; measured in training. Empty: nothing is replaced.
    """

    eog: tuple[str, ...] = ()
    eog_weights: tuple[tuple[float, ...], ...] = ()
    potato_z: float = 0.0
    potato: tuple[float, ...] = ()
    asr: float = 0.0
    asr_covariance: tuple[float, ...] = ()
    asr_limits: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        problems = []
        if len(set(self.eog)) != len(self.eog):
            problems.append(f"eog = {', '.join(self.eog)}: no channel may be named twice")
        if self.eog_weights and len(self.eog_weights) != len(self.eog):
            problems.append(f"eog_weights: {len(self.eog_weights)} rows for {len(self.eog)} EOG channels; one each is needed")
        if not 0 <= self.potato_z <= 100:
            problems.append(f"potato_z = {self.potato_z}: must be 0 (off) or up to 100 standard deviations")
        if self.potato and not (len(self.potato) == 2 and math.isfinite(self.potato[0]) and 0 < self.potato[1] < math.inf):
            problems.append(f"potato = {self.potato}: must be a mean and a standard deviation above 0")
        if not (self.asr == 0 or 1 <= self.asr <= 1000):
            problems.append(f"asr = {self.asr}: must be 0 (off) or 1 to 1000 standard deviations")
        problems += self._asr_problems()
        if problems:
            raise ConfigError(problems)

    @property
    def clean(self) -> AsrBaseline | None:
        """Baseline of clean signal for artifact subspace reconstruction; None if it is off, or nothing was measured."""
        if not self.asr or not self.asr_limits:
            return None
        return AsrBaseline(_symmetric(self.asr_covariance, len(self.asr_limits)), np.array(self.asr_limits))

    def _asr_problems(self) -> list[str]:
        """Why what was measured cannot be clean signal."""
        n = len(self.asr_limits)
        if len(self.asr_covariance) != n * (n + 1) // 2:
            return [f"asr_covariance: {len(self.asr_covariance)} values for {n} limits; a lower triangle has {n * (n + 1) // 2}"]
        if not n:
            return []
        if not all(math.isfinite(limit) and limit > 0 for limit in self.asr_limits):
            return ["asr_limits: must be finite numbers above 0"]
        if not all(map(math.isfinite, self.asr_covariance)):
            return ["asr_covariance: must be finite numbers"]
        if not np.linalg.eigvalsh(_symmetric(self.asr_covariance, n))[0] > 0:
            return ["asr_covariance: must be positive definite"]
        return []


def fields(known: AsrBaseline) -> dict[str, tuple[float, ...]]:
    """A baseline as the fields ``asr_covariance`` and ``asr_limits``, to ten digits: it need not be known better."""
    lower = known.covariance[np.tril_indices(len(known.limits))]
    return {"asr_covariance": _ten_digits(lower), "asr_limits": _ten_digits(known.limits)}


def _ten_digits(values: FloatArray) -> tuple[float, ...]:
    return tuple(float(f"{x:.10g}") for x in values)


def _symmetric(lower: tuple[float, ...], n: int) -> FloatArray:
    """The matrix of a lower triangle."""
    matrix = np.zeros((n, n))
    matrix[np.tril_indices(n)] = lower
    found: FloatArray = matrix + np.tril(matrix, -1).T
    return found
