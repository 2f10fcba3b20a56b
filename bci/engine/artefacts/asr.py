"""Artifact subspace reconstruction: directions that are far stronger than in clean signal are replaced by what the others imply.

Kothe and Jung, US patent application 20160113587 (2014); Mullen et al., "Real-time neuroimaging and cognitive monitoring using
wearable dry EEG", IEEE Trans. Biomedical Engineering 62 (2015) 2553, section II.C; the limit of 20 standard deviations is that of
Chang et al., IEEE Trans. Biomedical Engineering 67 (2020) 1114. Three things are other than in the published code: covariances
are of windows that end with the newest sample, not of windows around it, so there is no look-ahead and no delay; clean
amplitudes are summarised by median and median absolute deviation, not by a fitted distribution; the mixing matrix comes
from a mean of covariances, so the baseline must be clean.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bci.engine.chunk import FloatArray
from bci.errors import ConfigError, TrainingError

LEAST_WINDOWS = 20


@dataclass(frozen=True, slots=True)
class AsrSettings:
    """How artifact subspace reconstruction judges.

    Parameters
    ----------
    cutoff : float
        Standard deviations of clean amplitude beyond which a direction is replaced.
    window_s : float
        Over which covariances are taken.
    most : float
        Largest share of directions that may be replaced at once; beyond it, the weakest of them stay.
    """

    cutoff: float = 20.0
    window_s: float = 0.5
    most: float = 0.66

    def __post_init__(self) -> None:
        problems = []
        if not 1 <= self.cutoff <= 1000:
            problems.append(f"cutoff = {self.cutoff}: must be 1 to 1000 standard deviations")
        if not 0 < self.window_s <= 10:
            problems.append(f"window_s = {self.window_s}: must be more than 0 and at most 10 s")
        if not 0 < self.most < 1:
            problems.append(f"most = {self.most}: must be more than 0 and less than 1")
        if problems:
            raise ConfigError(problems)


@dataclass(frozen=True, slots=True, eq=False)
class AsrBaseline:
    """What clean signal is like.

    Parameters
    ----------
    mixing : ndarray, shape (n_channels, n_channels)
        Square root of the clean covariance, µV.
    limits : ndarray, shape (n_channels, n_channels)
        Each row a direction, as long as the amplitude that it may have, µV.
    """

    mixing: FloatArray
    limits: FloatArray


def baseline(clean: FloatArray, rate_hz: float, settings: AsrSettings | None = None) -> AsrBaseline:
    """Learn from clean signal what amplitudes are usual along its principal directions.

    Parameters
    ----------
    clean : ndarray, shape (n_samples, n_channels)
        µV, filtered as the signal will be (a high-pass is needed: offset and drift are amplitude too), a minute or so.
    rate_hz : float
    settings : AsrSettings

    Raises
    ------
    TrainingError
        If it is too short, or channels are flat or copies of each other.
    """
    s = settings or AsrSettings()
    window = max(1, round(s.window_s * rate_hz))
    step = max(1, window // 3)
    n_windows = (len(clean) - window) // step + 1
    if n_windows < LEAST_WINDOWS:
        needed_s = (window + (LEAST_WINDOWS - 1) * step) / rate_hz
        raise TrainingError(f"{len(clean) / rate_hz:.1f} s of clean signal are too few; at least {needed_s:.1f} s are needed")
    values, vectors = np.linalg.eigh(clean.T @ clean / len(clean))
    if not values[0] > 1e-9 * values[-1]:
        raise TrainingError("the clean signal has channels that are flat or copies of others; leave them out")
    squares = np.cumsum(np.vstack((np.zeros(clean.shape[1]), (clean @ vectors) ** 2)), axis=0)
    starts = np.arange(n_windows) * step
    amplitudes = np.sqrt((squares[starts + window] - squares[starts]) / window)
    middle = np.median(amplitudes, axis=0)
    deviation = 1.4826 * np.median(np.abs(amplitudes - middle), axis=0)
    mixing = (vectors * np.sqrt(values)) @ vectors.T
    return AsrBaseline(mixing, (middle + s.cutoff * deviation)[:, np.newaxis] * vectors.T)


class Asr:
    """Replace strong directions, block after block. A :class:`~bci.engine.artefacts.step.Step`.

    Each block is multiplied by a matrix that goes linearly from that of the block before to its own, so that nothing jumps.
    The window ends with the block, so the matrix depends on nothing that comes later, and nothing is delayed.

    Parameters
    ----------
    known : AsrBaseline
    rate_hz : float
    hop : int
        Samples of a block.
    settings : AsrSettings
    """

    delay = 0

    def __init__(self, known: AsrBaseline, rate_hz: float, hop: int, settings: AsrSettings | None = None) -> None:
        s = settings or AsrSettings()
        self._known = known
        self._n = n = len(known.mixing)
        self._n_blocks = max(1, math.ceil(s.window_s * rate_hz / hop))
        self._kept_always = n - int(s.most * n)
        self._hop = hop
        self._ramp = (np.arange(1, hop + 1) / hop)[:, np.newaxis]
        self.restart()

    def restart(self) -> None:
        """Forget the past."""
        self._scatters = np.zeros((self._n_blocks, self._n, self._n))
        self._seen = 0
        self._matrix: FloatArray | None = None

    @property
    def replacing(self) -> bool:
        """Whether the newest block is not let through as it is."""
        return self._matrix is not None

    def __call__(self, data: FloatArray) -> FloatArray:
        """Filtered samples, shape (n_blocks, hop, n_channels), µV, to the same without artefacts."""
        found = np.empty_like(data)
        for block, out in zip(data, found, strict=True):
            np.dot(block.T, block, out=self._scatters[self._seen % self._n_blocks])
            self._seen += 1
            before, self._matrix = self._matrix, self._reconstruction()
            if before is None and self._matrix is None:
                out[:] = block
                continue
            old = block if before is None else block @ before.T
            new = block if self._matrix is None else block @ self._matrix.T
            out[:] = old + self._ramp * (new - old)
        return found

    def _reconstruction(self) -> FloatArray | None:
        """The matrix for the newest window; None where nothing is to be replaced."""
        n_samples = min(self._seen, self._n_blocks) * self._hop
        values, vectors = np.linalg.eigh(np.add.reduce(self._scatters, axis=0) / n_samples)
        limits = np.square(self._known.limits @ vectors).sum(axis=0)
        keep = values < limits
        keep[: self._kept_always] = True
        if keep.all():
            return None
        of_clean = vectors.T @ self._known.mixing
        matrix: FloatArray = self._known.mixing @ np.linalg.pinv(keep[:, np.newaxis] * of_clean) @ vectors.T
        return matrix
