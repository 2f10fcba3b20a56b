"""Functional connectivity: coherence, imaginary coherence, and how strongly each channel takes part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.signal import detrend
from scipy.signal.windows import hann

from bci.engine.chunk import FloatArray, samples
from bci.errors import ConfigError

ComplexArray = npt.NDArray[np.complex128]
MIN_SEGMENTS = 3


@dataclass(frozen=True, slots=True, eq=False)
class CrossSpectra:
    """Cross-spectral density of each trial.

    Parameters
    ----------
    freqs_hz : ndarray, shape (n_freqs,)
    density : ndarray of complex, shape (n_trials, n_freqs, n_channels, n_channels)
        Up to a common factor: coherency does not depend on it.
    """

    freqs_hz: FloatArray
    density: ComplexArray

    def mean(self) -> CrossSpectra:
        """Return the mean over all trials; its coherence has far less bias than that of a single trial."""
        return CrossSpectra(self.freqs_hz, self.density.mean(axis=0, keepdims=True))

    @property
    def coherency(self) -> ComplexArray:
        """Return ``S_xy / sqrt(S_xx S_yy)``, same shape; zero if a channel has no power."""
        power = np.einsum("tfcc->tfc", self.density).real
        below = np.sqrt(power[..., :, None] * power[..., None, :])
        found: ComplexArray = np.divide(self.density, below, out=np.zeros_like(self.density), where=below > 0)
        return found


def cross_spectra(
    epochs: FloatArray, rate_hz: float, segment_s: float = 0.5, overlap: float = 0.5, max_hz: float = 45.0
) -> CrossSpectra:
    """Compute cross-spectra, averaged over Hann-windowed segments of each trial, as in Welch's method.

    Parameters
    ----------
    epochs : ndarray, shape (n_trials, n_samples, n_channels)
        µV.
    rate_hz : float
    segment_s : float
        With one segment everything is coherent; at least three must fit into a trial.
    overlap : float
        Share of a segment.
    max_hz : float

    Returns
    -------
    CrossSpectra

    Raises
    ------
    ConfigError
        If fewer than three segments fit.
    """
    length = samples(segment_s, rate_hz)
    step = max(1, round(length * (1 - overlap)))
    starts = range(0, epochs.shape[1] - length + 1, step)
    if len(starts) < MIN_SEGMENTS:
        raise ConfigError(
            f"segment_s = {segment_s}: {len(starts)} segments fit into trials of {epochs.shape[1] / rate_hz:.2f} s, "
            f"at least {MIN_SEGMENTS} are needed; take shorter segments or longer trials"
        )
    freqs = np.asarray(np.fft.rfftfreq(length, 1 / rate_hz), np.float64)
    inside = (freqs > 0) & (freqs <= max_hz)
    taper = hann(length, sym=False)[None, :, None]
    density = np.zeros((len(epochs), int(inside.sum()), epochs.shape[2], epochs.shape[2]), dtype=np.complex128)
    for start in starts:
        piece = detrend(epochs[:, start : start + length], axis=1, type="constant") * taper
        spectrum = np.fft.rfft(piece, axis=1)[:, inside]
        density += spectrum[..., :, None] * spectrum[..., None, :].conj()
    return CrossSpectra(freqs[inside], density / len(starts))


def coherence(spectra: CrossSpectra) -> FloatArray:
    """Absolute coherency, 0 to 1: how constant amplitude ratio and phase between two channels are.

    Volume conduction alone makes neighbours coherent; see :func:`imaginary_coherence`.

    Parameters
    ----------
    spectra : CrossSpectra

    Returns
    -------
    ndarray, shape (n_trials, n_freqs, n_channels, n_channels)
    """
    found: FloatArray = np.abs(spectra.coherency)
    return found


def imaginary_coherence(spectra: CrossSpectra) -> FloatArray:
    """Compute the absolute imaginary part of coherency, which mixing without delay cannot produce.

    Nolte et al., Clinical Neurophysiology 115 (2004) 2292.

    Parameters
    ----------
    spectra : CrossSpectra

    Returns
    -------
    ndarray, shape (n_trials, n_freqs, n_channels, n_channels)
    """
    found: FloatArray = np.abs(spectra.coherency.imag)
    return found


def node_strength(connectivity: FloatArray) -> FloatArray:
    """Compute the mean connectivity of each channel with all others; it has the shape of a spectrum.

    Parameters
    ----------
    connectivity : ndarray, shape (n_trials, n_freqs, n_channels, n_channels)

    Returns
    -------
    ndarray, shape (n_trials, n_freqs, n_channels)
    """
    n = connectivity.shape[-1]
    if n < 2:
        raise ConfigError("node strength needs two channels or more")
    found: FloatArray = (connectivity.sum(axis=-1) - np.einsum("tfcc->tfc", connectivity)) / (n - 1)
    return found
