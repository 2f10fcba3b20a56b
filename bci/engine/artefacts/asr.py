"""Artifact subspace reconstruction: directions that are far stronger than in clean signal are replaced by what the others imply.

Kothe and Jung, US patent application 20160113587 (2014); Mullen et al., "Real-time neuroimaging and cognitive monitoring using
wearable dry EEG", IEEE Trans. Biomedical Engineering 62 (2015) 2553, section II.C; the limit of 20 standard deviations is that of
Chang et al., IEEE Trans. Biomedical Engineering 67 (2020) 1114. Three things are other than in the published code: covariances
are of windows that end with the newest sample, not of windows around it, so there is no look-ahead and no delay; clean
amplitudes are summarised by median and median absolute deviation, not by a fitted distribution; the mixing matrix comes
from the covariance of the windows that are like the others, not from a geometric median of all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bci.engine.artefacts.robust import middle_and_deviation
from bci.engine.chunk import FloatArray
from bci.engine.filter_design import butterworth_high_pass
from bci.engine.filters import FilterBank, settling
from bci.errors import ConfigError, TrainingError

LEAST_WINDOWS = 20
HIGH_PASS_HZ = 1.0
"""Offset and drift are amplitude too, and would hide what is to be found; what is decoded lies above."""
HIGH_PASS_ORDER = 2
LEAST_SHARE = 1e-8
"""Of the strongest direction, that the weakest must have: less is a channel that others hold already, but for rounding."""
LIKE_SD = 3.5
"""Robust standard deviations by which a channel's log amplitude may be above the usual in a window that counts as clean."""


@dataclass(frozen=True, slots=True)
class AsrSettings:
    """Settings of artifact subspace reconstruction.

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
    """The properties of clean signal.

    Parameters
    ----------
    covariance : ndarray, shape (n_channels, n_channels)
        Of clean signal after the high-pass, µV².
    limits : ndarray, shape (n_channels,)
        Amplitude that each of its principal directions may have, weakest direction first, µV.
    """

    covariance: FloatArray
    limits: FloatArray


def high_pass(rate_hz: float) -> FloatArray:
    """Second-order sections of the high-pass ahead of the step, shape (n_sections, 6)."""
    return butterworth_high_pass(HIGH_PASS_HZ, HIGH_PASS_ORDER, rate_hz)


def baseline(data: FloatArray, rate_hz: float, settings: AsrSettings | None = None) -> AsrBaseline:
    """Learn from a recording what amplitudes are usual along the principal directions of its clean parts.

    Parameters
    ----------
    data : ndarray, shape (n_samples, n_channels)
        µV, after :func:`high_pass`; a minute or more. Parts that are louder than the others are left out first.
    rate_hz : float
    settings : AsrSettings

    Raises
    ------
    TrainingError
        If too little of it is clean, or channels are flat or copies of each other.
    """
    s = settings or AsrSettings()
    window = max(1, round(s.window_s * rate_hz))
    clean = _clean(data, window)
    step = max(1, window // 3)
    n_windows = (len(clean) - window) // step + 1
    if n_windows < LEAST_WINDOWS:
        needed_s = (window + (LEAST_WINDOWS - 1) * step) / rate_hz
        raise TrainingError(
            f"asr: only {len(clean) / rate_hz:.1f} s of the {len(data) / rate_hz:.1f} s of signal are clean; at least "
            f"{needed_s:.1f} s are needed. Record a minute of sitting still, or leave preprocessing.asr at 0."
        )
    covariance = clean.T @ clean / len(clean)
    values, vectors = np.linalg.eigh(covariance)
    if not values[0] > LEAST_SHARE * values[-1]:
        raise TrainingError("asr: the signal has channels that are flat or copies of others; leave them out")
    squares = np.cumsum(np.vstack((np.zeros(clean.shape[1]), (clean @ vectors) ** 2)), axis=0)
    starts = np.arange(n_windows) * step
    amplitudes = np.sqrt((squares[starts + window] - squares[starts]) / window)
    middle, deviation = middle_and_deviation(amplitudes)
    return AsrBaseline(covariance, middle + s.cutoff * deviation)


def _clean(data: FloatArray, window: int) -> FloatArray:
    """The windows in which no channel is much louder than it usually is, one after another."""
    windows = data[: len(data) // window * window].reshape(-1, window, data.shape[1])
    if not len(windows):
        return data[:0]
    sizes = np.log(np.sqrt(np.square(windows).mean(axis=1)) + np.finfo(np.float64).tiny)
    middle, deviation = middle_and_deviation(sizes)
    like = (sizes <= middle + LIKE_SD * deviation).all(axis=1)
    clean: FloatArray = windows[like].reshape(-1, data.shape[1])
    return clean


class Asr:
    """Take offset and drift out, and replace strong directions, block after block. A :class:`~bci.engine.artefacts.step.Step`.

    Each block is multiplied by a matrix that goes linearly from that of the block before to its own, so that nothing jumps.
    The window ends with the block, so the matrix depends on nothing that comes later, and nothing is delayed.

    Parameters
    ----------
    known : AsrBaseline
    rate_hz : float
    hop : int
        Samples of a block.
    settings : AsrSettings

    Attributes
    ----------
    settling : int
        Samples after a restart in which the output is not yet what it will be: the high-pass decays, and nothing is replaced
        before there is a whole window to judge by.
    """

    delay = 0

    def __init__(self, known: AsrBaseline, rate_hz: float, hop: int, settings: AsrSettings | None = None) -> None:
        s = settings or AsrSettings()
        self._n = n = len(known.limits)
        self._n_blocks = max(1, math.ceil(s.window_s * rate_hz / hop))
        self._kept_always = n - int(s.most * n)
        self._hop = hop
        self._ramp = (np.arange(1, hop + 1) / hop)[:, np.newaxis]
        sections = high_pass(rate_hz)
        self._high_pass = FilterBank(None, [sections], hop, n)
        self.settling = max(settling(sections), self._n_blocks * hop)
        self.learn(known)
        self.restart()

    def learn(self, known: AsrBaseline) -> None:
        """Use another baseline of the same channels from the next block on."""
        values, vectors = np.linalg.eigh(known.covariance)
        self._mixing: FloatArray = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
        self._limits: FloatArray = known.limits[:, np.newaxis] * vectors.T
        self._bound: FloatArray = self._limits.T @ self._limits

    def restart(self) -> None:
        """Forget the past."""
        self._high_pass.restart()
        self._scatters = np.zeros((self._n_blocks, self._n, self._n))
        self._seen = 0
        self._matrix: FloatArray | None = None

    @property
    def replacing(self) -> bool:
        """Whether a part of the newest block is replaced."""
        return self._matrix is not None

    def __call__(self, data: FloatArray) -> FloatArray:
        """Raw samples, shape (n_blocks, hop, n_channels), µV, to the same without offset, drift and artefacts."""
        found: FloatArray = self._high_pass(data)[1][:, 0].copy()
        for block in found:
            np.dot(block.T, block, out=self._scatters[self._seen % self._n_blocks])
            self._seen += 1
            before, self._matrix = self._matrix, self._reconstruction()
            if before is None and self._matrix is None:
                continue
            old = block if before is None else block @ before.T
            new = block if self._matrix is None else block @ self._matrix.T
            block[:] = old + self._ramp * (new - old)
        return found

    def _reconstruction(self) -> FloatArray | None:
        """The matrix for the newest window; None where nothing is to be replaced."""
        if self._seen < self._n_blocks:
            return None
        covariance = np.add.reduce(self._scatters, axis=0) / (self._n_blocks * self._hop)
        if _below(covariance, self._bound):
            return None
        values, vectors = np.linalg.eigh(covariance)
        limits = np.square(self._limits @ vectors).sum(axis=0)
        keep = values < limits
        keep[: self._kept_always] = True
        if keep.all():
            return None
        of_clean = vectors.T @ self._mixing
        matrix: FloatArray = self._mixing @ np.linalg.pinv(keep[:, np.newaxis] * of_clean) @ vectors.T
        return matrix


def _below(covariance: FloatArray, bound: FloatArray) -> bool:
    """Whether the covariance is smaller along every direction at all, of which its principal ones are a few.

    Far cheaper than to find those, and so it is nearly always in clean signal.
    """
    try:
        np.linalg.cholesky(bound - covariance)
    except np.linalg.LinAlgError:
        return False
    return True
