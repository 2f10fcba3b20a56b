"""Delays that no computer can shorten: the window, the filters' group delay, smoothing, and the device before its first stamp."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import sosfreqz

from bci.engine.chunk import FloatArray
from bci.engine.decide import DecisionSettings
from bci.engine.filters import band_pass, notch
from bci.engine.preprocessing import Preprocessing

POINTS = 200


@dataclass(frozen=True, slots=True)
class BandDelay:
    """Group delay of the filters in one band, milliseconds.

    Parameters
    ----------
    low_hz, high_hz : float
    centre_ms : float
        At the band's geometric centre.
    least_ms, most_ms : float
        Inside the band, where filters let at least half of the power through.
    """

    low_hz: float
    high_hz: float
    centre_ms: float
    least_ms: float
    most_ms: float


@dataclass(frozen=True, slots=True)
class SignalDelays:
    """Delays that are chosen with the settings, not caused by the computer.

    Parameters
    ----------
    window_s, hop_s : float
    bands : tuple of BandDelay
    smoothing_s, dwell_s : float
        Of the decisions.
    """

    window_s: float
    hop_s: float
    bands: tuple[BandDelay, ...]
    smoothing_s: float
    dwell_s: float


def signal_delays(p: Preprocessing, decision: DecisionSettings) -> SignalDelays:
    """Delays of a model's preprocessing and the decision settings.

    Parameters
    ----------
    p : Preprocessing
        Of the model.
    decision : DecisionSettings
        In force.
    """
    bands = tuple(band_delay(p, low, high) for low, high in p.bands)
    return SignalDelays(p.window / p.rate_hz, p.hop / p.rate_hz, bands, decision.smoothing_s, decision.dwell_s)


def band_delay(p: Preprocessing, low_hz: float, high_hz: float) -> BandDelay:
    """Group delay of notch and band-pass together.

    Parameters
    ----------
    p : Preprocessing
        Of the model.
    low_hz, high_hz : float
        Edges of the band.
    """
    sections = [band_pass(low_hz, high_hz, p.order, p.rate_hz)]
    if p.notch_hz:
        sections.append(notch(p.notch_hz, p.rate_hz))
    sos = np.concatenate(sections)
    grid = np.linspace(low_hz, high_hz, POINTS)
    delay = 1e3 * group_delay(sos, grid, p.rate_hz)
    passed = np.abs(np.asarray(sosfreqz(sos, grid, fs=p.rate_hz)[1])) ** 2 >= 0.5
    centre = group_delay(sos, np.array([np.sqrt(low_hz * high_hz)]), p.rate_hz)[0]
    return BandDelay(low_hz, high_hz, 1e3 * float(centre), float(delay[passed].min()), float(delay[passed].max()))


def group_delay(sos: FloatArray, frequencies_hz: FloatArray, rate_hz: float) -> FloatArray:
    """Negative slope of the phase over the angular frequency, shape (n_frequencies,), seconds.

    Summed over the sections; that of a polynomial in z^-1 is Re(sum(n b_n z^-n) / sum(b_n z^-n)) samples
    (J. O. Smith, Introduction to Digital Filters, "Group delay computation").

    Parameters
    ----------
    sos : ndarray, shape (n_sections, 6)
        Second-order sections of the filter.
    frequencies_hz : ndarray, shape (n_frequencies,)
    rate_hz : float
        Of the samples.
    """
    z = np.exp(-2j * np.pi * frequencies_hz / rate_hz)[:, np.newaxis] ** np.arange(3)
    n = np.arange(3)
    samples = np.zeros(len(frequencies_hz))
    for section in sos:
        b, a = section[:3], section[3:]
        samples += ((z @ (n * b)) / (z @ b) - (z @ (n * a)) / (z @ a)).real
    return np.asarray(samples / rate_hz)
