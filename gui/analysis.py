"""Statistics of the shown signal, for people: spectra, line noise, alpha, and what to do about a channel.

They are for the screen only. Channels that the engine leaves out (``mask`` events) are shown beside them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bci.engine.chunk import FloatArray
from bci.engine.quality import QualitySettings, clipped
from gui.store import SignalStore

SPECTRUM_S = 4.0
LOOK_S = 2.0
EVERY_S = 0.5
LINE_UV = 20.0
LOUD_UV = 150.0
ALPHA_HZ = (8.0, 13.0)
BANDS_HZ = {"delta 1–4": (1.0, 4.0), "theta 4–8": (4.0, 8.0), "alpha 8–13": (8.0, 13.0), "beta 13–30": (13.0, 30.0)}
LEVELS = ("good", "warn", "bad", "none")

REMEDIES = {
    "flat": "no signal: is the electrode plugged in, and wet?",
    "railed": "amplifier saturated: press the electrode on, check reference and ground",
    "amplitude": "far too large: loose electrode or movement; press it on and let the person relax",
    "line": "mains hum: add gel, move cables away from power supplies, check ground",
    "bridged": "same signal as a neighbour: gel bridge; dry the skin between them",
    "marked": "marked bad by a person",
    "loud": "slow drift or muscle activity: let the person relax jaw and forehead",
    "hum": "mains hum, filtered out for decoding: check ground and cables",
    "gone": "no data",
}
"""What to do, by what is wrong."""


@dataclass(frozen=True, slots=True)
class ChannelVerdict:
    """The quality of one channel.

    Parameters
    ----------
    level : str
        ``"good"``, ``"warn"``, ``"bad"`` or ``"none"``.
    word : str
        What is wrong, a key of ``REMEDIES``; empty: nothing.
    size_uv : float
        Standard deviation without offset and drift.
    line_uv : float
        Amplitude of mains hum.
    """

    level: str
    word: str
    size_uv: float
    line_uv: float

    @property
    def remedy(self) -> str:
        """What the person should do about it."""
        return REMEDIES.get(self.word, self.word)


@dataclass(frozen=True, slots=True)
class SignalSpectra:
    """Power spectral densities of the last seconds.

    Parameters
    ----------
    hz : ndarray, shape (n_frequencies,)
    density : ndarray, shape (n_frequencies, n_channels)
        µV²/Hz.
    """

    hz: FloatArray
    density: FloatArray

    def power(self, low_hz: float, high_hz: float) -> FloatArray:
        """Power in a band, µV², shape (n_channels,).

        Parameters
        ----------
        low_hz : float
            Lower end of the band.
        high_hz : float
            Upper end of the band.
        """
        inside = (self.hz >= low_hz) & (self.hz < high_hz)
        return np.asarray(self.density[inside].sum(axis=0) * (self.hz[1] - self.hz[0]))


@dataclass(frozen=True, slots=True)
class Alpha:
    """The alpha rhythm in one spectrum: frequency of its peak, and how far it stands out, in decibels."""

    peak_hz: float
    above_db: float


def spectra(rows: FloatArray, rate_hz: float) -> SignalSpectra | None:
    """Welch's estimate: Hann windows of 1 s that overlap by half (IEEE Trans. Audio Electroacoust. 15, 1967, 70-73).

    Parameters
    ----------
    rows : ndarray, shape (n_rows, n_channels)
        Rows that hold NaN are left out with the windows that they lie in.
    rate_hz : float
    """
    n = round(rate_hz)
    if len(rows) < n or n < 4:
        return None
    taper = np.hanning(n + 1)[:-1]
    total: FloatArray = np.zeros(())
    count = 0
    for start in range(len(rows) - n, -1, -max(1, n // 2)):
        part = rows[start : start + n]
        if not np.isfinite(part).all():
            continue
        transformed = np.fft.rfft((part - part.mean(axis=0)) * taper[:, None], axis=0)
        total, count = total + np.abs(transformed) ** 2, count + 1
    if not count:
        return None
    density = total * (2.0 / (count * rate_hz * float(taper @ taper)))
    return SignalSpectra(np.arange(len(density)) * rate_hz / n, density)


def alpha(hz: FloatArray, density: FloatArray) -> Alpha | None:
    """Peak between 8 and 13 Hz against a 1/f line through what lies beside it (4–7 and 14–20 Hz).

    Parameters
    ----------
    hz, density : ndarray, shape (n_frequencies,)
    """
    beside = ((hz >= 4) & (hz <= 7)) | ((hz >= 14) & (hz <= 20))
    inside = (hz >= ALPHA_HZ[0]) & (hz <= ALPHA_HZ[1])
    if beside.sum() < 3 or not inside.any() or not (density[beside | inside] > 0).all():
        return None
    slope, level = np.polyfit(np.log(hz[beside]), np.log(density[beside]), 1)
    above = np.log(density[inside]) - (slope * np.log(hz[inside]) + level)
    best = int(above.argmax())
    return Alpha(float(hz[inside][best]), float(10 / math.log(10) * above[best]))


def hum(spectrum: SignalSpectra, line_hz: float) -> FloatArray:
    """Amplitude at the line frequency beyond what lies beside it, µV, shape (n_channels,).

    Parameters
    ----------
    spectrum : SignalSpectra
    line_hz : float
        Frequency of the mains.
    """
    step = spectrum.hz[1] - spectrum.hz[0]
    at = np.abs(spectrum.hz - line_hz) <= 1.5 * step
    beside = (np.abs(spectrum.hz - line_hz) > 2.5 * step) & (np.abs(spectrum.hz - line_hz) <= 6.5 * step)
    if not at.any() or not beside.any():
        return np.zeros(spectrum.density.shape[1])
    excess = spectrum.density[at].sum(axis=0) - at.sum() * np.median(spectrum.density[beside], axis=0)
    return np.asarray(np.sqrt(2 * np.maximum(excess, 0) * step))


def judge(rows: FloatArray, rate_hz: float, line_hz: float, limits: QualitySettings | None = None) -> list[ChannelVerdict]:
    """Return what is wrong with each channel over the last two seconds.

    Parameters
    ----------
    rows : ndarray, shape (n_rows, n_channels)
        Raw, µV.
    rate_hz, line_hz : float
    limits : QualitySettings
        Those of the engine.
    """
    limits = limits or QualitySettings()
    rows = rows[np.isfinite(rows).all(axis=1)]
    if len(rows) < rate_hz / 2:
        return [ChannelVerdict("none", "gone", math.nan, math.nan)] * rows.shape[1]
    at = np.arange(len(rows)) - (len(rows) - 1) / 2
    centred = rows - rows.mean(axis=0)
    level = centred - np.outer(at, at @ centred / (at @ at))
    size = level.std(axis=0)
    spectrum = spectra(rows, rate_hz)
    line = hum(spectrum, line_hz) if spectrum is not None else np.zeros(rows.shape[1])
    rest = np.sqrt(np.maximum(size**2 - line**2 / 2, 0))
    flat = np.ptp(rows, axis=0) < limits.flat_uv
    high, low = rows.max(axis=0), rows.min(axis=0)
    railed = np.maximum(high, -low) >= limits.rail_uv if limits.rail_uv else clipped(rows, high, low)
    found = []
    for i in range(rows.shape[1]):
        if flat[i]:
            word = ("bad", "flat")
        elif railed[i]:
            word = ("bad", "railed")
        elif rest[i] > limits.amplitude_uv / 2:
            word = ("bad", "amplitude")
        elif rest[i] > LOUD_UV / 2:
            word = ("warn", "loud")
        elif line[i] > LINE_UV:
            word = ("warn", "hum")
        else:
            word = ("good", "")
        found.append(ChannelVerdict(*word, float(size[i]), float(line[i])))
    return found


class Analysis:
    """Spectra and quality of one signal, computed at most twice a second for all panels together.

    Parameters
    ----------
    line_hz : float
    clock : callable
        Our LSL clock; signals that have fallen silent are good no more.
    """

    def __init__(self, line_hz: float = 50.0, clock: Callable[[], float] = lambda: -math.inf) -> None:
        self.line_hz, self._clock = line_hz, clock
        self._signal: SignalStore | None = None
        self._at = -math.inf
        self._spectra: SignalSpectra | None = None
        self._verdicts: list[ChannelVerdict] = []

    def spectra(self, signal: SignalStore) -> SignalSpectra | None:
        """Spectra of the last four seconds; None while there is not enough.

        Parameters
        ----------
        signal : SignalStore
            The signal that is shown.
        """
        self._renew(signal)
        return self._spectra

    def verdicts(self, signal: SignalStore, bad: dict[str, str]) -> list[ChannelVerdict]:
        """Return the quality of each channel; what the engine says, by label in ``bad``, goes first.

        Parameters
        ----------
        signal : SignalStore
            The signal that is shown.
        bad : mapping of str to str
            Channels that the engine leaves out, and why.
        """
        self._renew(signal)
        labels = signal.info.labels
        if self._clock() - signal.arrival_s > LOOK_S:
            return [ChannelVerdict("none", "gone", math.nan, math.nan)] * len(labels)
        return [
            ChannelVerdict("bad", bad[label], v.size_uv, v.line_uv) if label in bad else v
            for label, v in zip(labels, self._verdicts, strict=True)
        ]

    def _renew(self, signal: SignalStore) -> None:
        now = signal.arrival_s
        if signal is self._signal and now - self._at < EVERY_S:
            return
        self._signal, self._at = signal, now
        rate_hz = signal.info.rate_hz
        recent = signal.rows.newest(round(SPECTRUM_S * rate_hz)).astype(np.float64)
        self._spectra = spectra(recent, rate_hz)
        self._verdicts = judge(recent[-round(LOOK_S * rate_hz) :], rate_hz, self.line_hz)
