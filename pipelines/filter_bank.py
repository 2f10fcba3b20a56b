"""The frequency bands that a decoder is given: one, or adjoining ones among which it chooses."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from bci.errors import ConfigError

BAND_HZ = 4.0


def one_band(low_hz: float, high_hz: float, rate_hz: float) -> tuple[tuple[float, float], ...]:
    """The whole range as one band.

    Parameters
    ----------
    low_hz : float
        Lower edge of the frequency range.
    high_hz : float
        Upper edge of the frequency range.
    rate_hz : float
        Sampling rate.

    Returns
    -------
    tuple of (float, float)
    """
    return ((low_hz, high_hz),)


def adjoining_bands(low_hz: float, high_hz: float, rate_hz: float) -> tuple[tuple[float, float], ...]:
    """Bands of about 4 Hz that together cover a range (Ang, Chin, Zhang, Guan 2008, IJCNN, 2390).

    Parameters
    ----------
    low_hz : float
        Lower edge of the frequency range.
    high_hz : float
        Upper edge of the frequency range.
    rate_hz : float
        Sampling rate.

    Returns
    -------
    tuple of (float, float)

    Raises
    ------
    ConfigError
        If the range does not fit below the Nyquist frequency.

    Examples
    --------
    >>> adjoining_bands(4, 16, 250)
    ((4.0, 8.0), (8.0, 12.0), (12.0, 16.0))
    """
    if not 0 < low_hz < high_hz < rate_hz / 2:
        raise ConfigError(f"band [{low_hz:g}, {high_hz:g}] Hz: must satisfy 0 < low < high < {rate_hz / 2:g} Hz (Nyquist)")
    edges = np.linspace(low_hz, high_hz, max(1, round((high_hz - low_hz) / BAND_HZ)) + 1).tolist()
    return tuple(pairwise(edges))
