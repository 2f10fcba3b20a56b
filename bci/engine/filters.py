"""Causal filters: notch and Butterworth band-passes that start at their steady state."""

from __future__ import annotations

import math

import numpy as np
from scipy.signal import butter, iirnotch, sosfilt, sosfilt_zi, tf2sos

from bci.engine.chunk import FloatArray

NOTCH_Q = 30.0
SETTLED = 0.01


def notch(line_hz: float, rate_hz: float) -> FloatArray:
    """Second-order sections of a notch at the line frequency, shape (1, 6)."""
    b, a = iirnotch(line_hz, NOTCH_Q, fs=rate_hz)
    return np.asarray(tf2sos(b, a), dtype=np.float64)


def band_pass(low_hz: float, high_hz: float, order: int, rate_hz: float) -> FloatArray:
    """Second-order sections of a Butterworth band-pass, shape (order, 6)."""
    return np.asarray(butter(order, (low_hz, high_hz), "bandpass", fs=rate_hz, output="sos"), dtype=np.float64)


def settling(sos: FloatArray) -> int:
    """Samples after which the slowest pole has decayed to 1 %."""
    poles = np.concatenate([np.roots(section[3:]) for section in sos])
    radius = float(np.abs(poles).max())
    return math.ceil(math.log(SETTLED) / math.log(radius))


class CausalFilter:
    """One cascade of second-order sections over all channels, started at steady state.

    Starting from ``sosfilt_zi * first sample`` spares the step that a constant electrode offset,
    often tens of millivolts, would otherwise send through the filter.

    Parameters
    ----------
    sos : ndarray, shape (n_sections, 6)
    """

    def __init__(self, sos: FloatArray) -> None:
        self._sos = np.ascontiguousarray(sos)
        self._steady = np.asarray(sosfilt_zi(self._sos), dtype=np.float64)[:, :, np.newaxis]
        self._state: FloatArray | None = None

    def restart(self) -> None:
        """Forget the past: the next sample is taken for the steady state."""
        self._state = None

    def __call__(self, data: FloatArray) -> FloatArray:
        """Filter the next samples.

        Parameters
        ----------
        data : ndarray, shape (n_samples, n_channels)
            At least one sample.

        Returns
        -------
        ndarray, shape (n_samples, n_channels)
        """
        if self._state is None:
            self._state = self._steady * data[0]
        filtered: FloatArray
        filtered, self._state = sosfilt(self._sos, data, axis=0, zi=self._state)
        return filtered
