"""Power spectra of trials: Welch's averaged periodograms, and Burg's autoregressive estimate for short stretches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import signal

from bci.engine.chunk import FloatArray, samples
from bci.errors import ConfigError

Labels = Sequence[str] | npt.NDArray[np.str_]


@dataclass(frozen=True, slots=True, eq=False)
class PowerSpectra:
    """Power of each trial.

    Parameters
    ----------
    freqs_hz : ndarray, shape (n_freqs,)
    power : ndarray, shape (n_trials, n_freqs, n_channels)
        µV²/Hz, one-sided.
    """

    freqs_hz: FloatArray
    power: FloatArray

    @property
    def decibel(self) -> FloatArray:
        """Return ``10 log10`` of the power. Classes are compared on it, because its spread does not grow with its size."""
        floor = np.finfo(np.float64).tiny
        db: FloatArray = 10 * np.log10(np.maximum(self.power, floor))
        return db

    def between(self, low_hz: float, high_hz: float) -> PowerSpectra:
        """The part from ``low_hz`` to ``high_hz``, both included.

        Parameters
        ----------
        low_hz, high_hz : float
            Both included.

        Raises
        ------
        ConfigError
            If no frequency lies there.
        """
        inside = (self.freqs_hz >= low_hz) & (self.freqs_hz <= high_hz)
        if not inside.any():
            raise ConfigError(
                f"no frequency between {low_hz:g} and {high_hz:g} Hz; there are {len(self.freqs_hz)} from "
                f"{self.freqs_hz[0]:g} to {self.freqs_hz[-1]:g} Hz"
            )
        return PowerSpectra(self.freqs_hz[inside], self.power[:, inside])


@dataclass(frozen=True, slots=True, eq=False)
class ClassSpectrum:
    """Mean spectrum of one class, in decibel.

    Parameters
    ----------
    class_ : str
    n_trials : int
    mean, low, high : ndarray, shape (n_freqs, n_channels)
        dB re 1 µV²/Hz; low and high are one standard error away.
    """

    class_: str
    n_trials: int
    mean: FloatArray
    low: FloatArray
    high: FloatArray


def welch(epochs: FloatArray, rate_hz: float, segment_s: float = 1.0, overlap: float = 0.5) -> PowerSpectra:
    """Averaged periodograms with a Hann window (Welch 1967, IEEE Transactions on Audio and Electroacoustics 15, 70).

    Parameters
    ----------
    epochs : ndarray, shape (n_trials, n_samples, n_channels)
        µV.
    rate_hz : float
    segment_s : float
        Its inverse is the resolution in Hz; at most the length of an epoch.
    overlap : float
        Share of a segment.
    """
    _check(epochs)
    length = min(samples(segment_s, rate_hz), epochs.shape[1])
    freqs, power = signal.welch(
        epochs, rate_hz, nperseg=length, noverlap=int(overlap * length), detrend="constant", axis=1
    )  # fmt: skip
    return PowerSpectra(np.asarray(freqs, np.float64), np.asarray(power, np.float64))


def burg(epochs: FloatArray, rate_hz: float, order: int = 0, freqs_hz: FloatArray | None = None) -> PowerSpectra:
    """Spectrum of the autoregressive process that predicts forwards and backwards best.

    Burg, Maximum entropy spectral analysis (PhD thesis, Stanford 1975); the recursion as in Kay, Modern Spectral
    Estimation (1988), section 7.5. Smooth at any frequency and sharp for short stretches, but the order decides
    which peaks there are.

    Parameters
    ----------
    epochs : ndarray, shape (n_trials, n_samples, n_channels)
        µV.
    rate_hz : float
    order : int
        Of the process; 0 for 0.04 s, at least 12.
    freqs_hz : ndarray, optional
        Default every half hertz from 1 Hz to 45 Hz or the Nyquist frequency.
    """
    _check(epochs)
    order = order or max(12, round(0.04 * rate_hz))
    if not 1 <= order < epochs.shape[1] // 2:
        raise ConfigError(f"order = {order}: must be 1 to {epochs.shape[1] // 2 - 1} for epochs of {epochs.shape[1]} samples")
    freqs = np.arange(1.0, min(45.0, rate_hz / 2) + 1e-9, 0.5) if freqs_hz is None else np.asarray(freqs_hz, np.float64)
    coefficients, noise = _burg(epochs - epochs.mean(axis=1, keepdims=True), order)
    turns = np.exp(-2j * np.pi * np.outer(freqs / rate_hz, np.arange(order + 1)))
    response = np.einsum("fk,tkc->tfc", turns, coefficients)
    return PowerSpectra(freqs, 2 * noise[:, None, :] / rate_hz / np.abs(response) ** 2)


def _burg(x: FloatArray, order: int) -> tuple[FloatArray, FloatArray]:
    """Coefficients (n_trials, order + 1, n_channels), the first of them one, and noise (n_trials, n_channels), µV²."""
    coefficients = np.zeros((x.shape[0], order + 1, x.shape[2]))
    coefficients[:, 0] = 1.0
    noise = (x**2).mean(axis=1)
    forward, backward = x[:, 1:], x[:, :-1]
    for m in range(1, order + 1):
        below = (forward**2 + backward**2).sum(axis=1)
        reflection = np.divide(-2 * (forward * backward).sum(axis=1), below, out=np.zeros_like(below), where=below > 0)
        k = reflection[:, None]
        coefficients[:, 1 : m + 1] += k * coefficients[:, m - 1 :: -1]
        noise = noise * (1 - reflection**2)
        forward, backward = (forward + k * backward)[:, 1:], (backward + k * forward)[:, :-1]
    return coefficients, noise


def by_class(spectra: PowerSpectra, labels: Labels) -> list[ClassSpectrum]:
    """Mean spectrum of each class and its standard error, over trials and in decibel.

    Parameters
    ----------
    spectra : PowerSpectra
    labels : sequence of str
        Class of each trial.
    """
    names = np.asarray(labels, dtype=np.str_)
    check_labels(spectra.power, names)
    found = []
    for class_ in sorted(set(names.tolist())):
        own = spectra.decibel[names == class_]
        mean = own.mean(axis=0)
        error = own.std(axis=0, ddof=1) / np.sqrt(len(own)) if len(own) > 1 else np.full_like(mean, np.nan)
        found.append(ClassSpectrum(class_, len(own), mean, mean - error, mean + error))
    return found


def _check(epochs: FloatArray) -> None:
    if epochs.ndim != 3 or 0 in epochs.shape or epochs.shape[1] < 4:
        raise ConfigError(f"epochs have shape {epochs.shape}; the shape must be (n_trials, n_samples >= 4, n_channels)")
    if not np.isfinite(epochs).all():
        raise ConfigError("epochs contain values that are not finite numbers; leave out trials with lost samples")


def check_labels(features: FloatArray, labels: npt.NDArray[np.str_]) -> None:
    """Refuse labels that do not fit the trials.

    Parameters
    ----------
    features : ndarray, shape (n_trials, ...)
    labels : ndarray of str, shape (n_labels,)

    Raises
    ------
    ConfigError
    """
    if len(labels) != len(features):
        raise ConfigError(f"{len(labels)} labels for {len(features)} trials; give one for each")
