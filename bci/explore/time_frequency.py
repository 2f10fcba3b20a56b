"""Event-related (de)synchronisation: how power changes after the cue, by time and frequency.

Pfurtscheller and Lopes da Silva, Clinical Neurophysiology 110 (1999) 1842: ERD% = (A − R) / R × 100, A the power
averaged over trials, R its mean over the reference interval. Power by complex Morlet wavelets (Tallon-Baudry et al.,
Journal of Neuroscience 16 (1996) 4240).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.signal import fftconvolve

from bci.engine.chunk import BoolArray, FloatArray, samples
from bci.errors import ConfigError
from bci.explore.separability import corrected

AT_ONCE = 32
"""Permutations in one product: enough to be fast, few enough to be small."""


@dataclass(frozen=True, slots=True, eq=False)
class Erds:
    """Change of power against the reference interval.

    Parameters
    ----------
    times_s : ndarray, shape (n_times,)
        Relative to the cue.
    freqs_hz : ndarray, shape (n_freqs,)
    percent : ndarray, shape (n_freqs, n_times, n_channels)
        Negative: desynchronisation. NaN where the wavelet reaches beyond the epoch.
    p : ndarray, same shape
        Of no change, corrected for the whole map.
    """

    times_s: FloatArray
    freqs_hz: FloatArray
    percent: FloatArray
    p: FloatArray

    @property
    def significant(self) -> BoolArray:
        """Which values have a ``p`` of at most 0.05."""
        found: BoolArray = self.p <= 0.05
        return found


def erds(
    epochs: FloatArray,
    rate_hz: float,
    start_s: float,
    reference_s: tuple[float, float],
    freqs_hz: Sequence[float] | FloatArray,
    *,
    cycles: float = 7.0,
    step_s: float = 0.05,
    n_permutations: int = 499,
    seed: int = 0,
) -> Erds:
    """Compute the ERD/ERS map of one class.

    The test flips the sign of a trial's log change at random and keeps each map's largest t-value, so a p-value holds
    for all times, frequencies and channels together.

    Parameters
    ----------
    epochs : ndarray, shape (n_trials, n_samples, n_channels)
        Of one class, µV.
    rate_hz : float
    start_s : float
        Time of the first sample relative to the cue, for instance -2.
    reference_s : tuple of (start, stop)
        Before the cue.
    freqs_hz : sequence of float
    cycles : float
        Of a wavelet: more for sharper frequency, fewer for sharper time.
    step_s : float
        Between the times of the map.
    n_permutations : int
        0 for no test: ``p`` is then NaN.
    seed : int

    Raises
    ------
    ConfigError
        If the reference interval holds nothing at some frequency, or there are too few trials.
    """
    freqs = np.asarray(freqs_hz, np.float64)
    if epochs.ndim != 3 or len(epochs) < 2:
        raise ConfigError(f"epochs have shape {epochs.shape}; the shape must be (n_trials >= 2, n_samples, n_channels)")
    if not len(freqs) or freqs.min() <= 0 or freqs.max() >= rate_hz / 2:
        raise ConfigError(f"freqs_hz: must lie above 0 and below the Nyquist frequency {rate_hz / 2:g} Hz")
    at = np.arange(0, epochs.shape[1], samples(step_s, rate_hz), dtype=np.int64)
    times = start_s + at / rate_hz
    maps = [_frequency(epochs, rate_hz, f, cycles, at, times, reference_s) for f in freqs]
    percent = np.array([m for m, _ in maps])
    p = np.full(percent.shape, np.nan)
    if n_permutations:
        p = _p_values(np.array([c for _, c in maps]), n_permutations, seed)
    return Erds(times, freqs, percent, p)


def _frequency(
    epochs: FloatArray,
    rate_hz: float,
    freq_hz: float,
    cycles: float,
    at: npt.NDArray[np.int64],
    times: FloatArray,
    reference: Sequence[float],
) -> tuple[FloatArray, FloatArray]:
    """Percent change (n_times, n_channels), and log change of each trial (n_trials, n_times, n_channels)."""
    wavelet = morlet(freq_hz, rate_hz, cycles)
    half = len(wavelet) // 2
    power = np.abs(fftconvolve(epochs, wavelet[None, :, None], mode="same", axes=1))[:, at] ** 2
    whole = (at >= half) & (at < epochs.shape[1] - half)
    before = whole & (times >= reference[0]) & (times <= reference[1])
    if not before.any():
        raise ConfigError(
            f"reference {reference[0]:g} to {reference[1]:g} s is shorter than a wavelet at {freq_hz:g} Hz "
            f"({2 * half / rate_hz:.2f} s long; epochs go from {times[0]:g} to {times[-1]:g} s). "
            "Begin the epochs earlier, or use fewer cycles."
        )
    mean = power.mean(axis=0)
    percent = 100 * (mean / mean[before].mean(axis=0) - 1)
    percent[~whole] = np.nan
    # Of logarithms on both sides: the logarithm of a mean is larger than the mean of logarithms, and would look like ERD.
    logs = np.log(np.maximum(power, np.finfo(np.float64).tiny))
    change = logs - logs[:, before].mean(axis=1, keepdims=True)
    change[:, ~whole] = np.nan
    return percent, change


def morlet(freq_hz: float, rate_hz: float, cycles: float) -> FloatArray:
    """Complex wavelet of unit energy, cut at four standard deviations, without offset.

    Parameters
    ----------
    freq_hz : float
        Centre.
    rate_hz : float
        Of the samples.
    cycles : float
        Of the wave within ``2 π`` standard deviations of its envelope.

    Returns
    -------
    ndarray of complex, shape (n_samples,)
    """
    sigma_s = cycles / (2 * np.pi * freq_hz)
    half = int(np.ceil(4 * sigma_s * rate_hz))
    t = np.arange(-half, half + 1) / rate_hz
    envelope = np.exp(-(t**2) / (2 * sigma_s**2))
    wave = envelope * np.exp(2j * np.pi * freq_hz * t)
    wave -= envelope * wave.sum() / envelope.sum()
    found: FloatArray = wave / np.sqrt((np.abs(wave) ** 2).sum())
    return found


def _p_values(change: FloatArray, n: int, seed: int) -> FloatArray:
    """Corrected p-values of a mean change of zero, from changes (n_freqs, n_trials, n_times, n_channels)."""
    rng = np.random.default_rng(seed)
    trials = np.moveaxis(change, 1, 0)
    flat = trials.reshape(len(trials), -1)
    valid = np.isfinite(flat).all(axis=0)
    x = flat[:, valid]
    square = (x**2).mean(axis=0)
    found = np.abs(_t_values(x, square, np.ones((1, len(x)))))[0]
    largest: list[float] = []
    while len(largest) < n:
        signs = rng.choice((-1.0, 1.0), (min(AT_ONCE, n - len(largest)), len(x)))
        largest += np.abs(_t_values(x, square, signs)).max(axis=1).tolist()
    p = np.full(flat.shape[1], np.nan)
    p[valid] = corrected(found, np.array(largest))
    return p.reshape(trials.shape[1:])


def _t_values(x: FloatArray, square: FloatArray, signs: FloatArray) -> FloatArray:
    """One-sample t of the columns for each row of signs; the mean square does not change with them."""
    mean = signs @ x / len(x)
    spread = np.sqrt(np.maximum(square - mean**2, np.finfo(np.float64).tiny) / (len(x) - 1))
    t: FloatArray = mean / spread
    return t
