"""The features that tell classes apart best, in words of channels and bands.

They are for looking. A decoder whose features were chosen on all trials is judged too well by any cross-validation
of those trials; choosing belongs inside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bci.engine.chunk import FloatArray
from bci.errors import ConfigError
from bci.explore.separability import Separability

NEIGHBOURS = 0.5
"""A band ends where r² falls below this share of its peak."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One channel and band.

    Parameters
    ----------
    comparison : tuple of (str, str)
    channel : str
    low_hz, high_hz, peak_hz : float
    r2 : float
        Signed, at the peak.
    p : float
        At the peak, corrected for the whole map.
    """

    comparison: tuple[str, str]
    channel: str
    low_hz: float
    high_hz: float
    peak_hz: float
    r2: float
    p: float

    def __str__(self) -> str:
        more = "more" if self.r2 > 0 else "less"
        first, second = self.comparison
        return (
            f"{self.channel} {self.low_hz:.3g}–{self.high_hz:.3g} Hz: {more} for {first} than for {second}, r² {abs(self.r2):.2f}"
        )


def suggest(
    found: Separability, freqs_hz: FloatArray, channels: Sequence[str], n: int = 3, within: Sequence[str] | None = None
) -> list[Suggestion]:
    """The best significant features, each channel and band once.

    Parameters
    ----------
    found : Separability
        Of features of shape (n_trials, n_freqs, n_channels).
    freqs_hz : ndarray, shape (n_freqs,)
    channels : sequence of str, length n_channels
    n : int
        At most so many.
    within : sequence of str, optional
        Only these channels.

    Returns
    -------
    list of Suggestion
        Best first; empty where nothing is significant.
    """
    if found.r2.shape[1:] != (len(freqs_hz), len(channels)):
        raise ConfigError(
            f"the map has shape {found.r2.shape[1:]}, frequencies and channels are {(len(freqs_hz), len(channels))}"
        )
    open_ = found.significant & np.isin(list(channels), list(channels if within is None else within))[None, None, :]
    size = np.where(open_, np.abs(found.r2), 0.0)
    suggestions: list[Suggestion] = []
    while len(suggestions) < n and size.max() > 0:
        which, peak, channel = map(int, np.unravel_index(int(size.argmax()), size.shape))
        column = found.r2[which, :, channel]
        low, high = _band(column, peak)
        suggestions.append(
            Suggestion(
                found.comparisons[which],
                channels[channel],
                float(freqs_hz[low]),
                float(freqs_hz[high]),
                float(freqs_hz[peak]),
                float(column[peak]),
                float(found.p[which, peak, channel]),
            )
        )
        left, right = _stretch(size[which, :, channel], peak)
        size[which, min(left, low) : max(right, high + 1), channel] = 0.0
    return suggestions


def _stretch(sizes: FloatArray, peak: int) -> tuple[int, int]:
    """The unbroken stretch of significant frequencies round a peak: its shoulders are no features of their own."""
    none = np.flatnonzero(sizes == 0)
    place = int(np.searchsorted(none, peak))
    return int(none[place - 1]) + 1 if place else 0, int(none[place]) if place < len(none) else len(sizes)


def _band(column: FloatArray, peak: int) -> tuple[int, int]:
    """First and last frequency around the peak at which r² is half of it or more, with the same sign."""
    good = column * np.sign(column[peak]) >= NEIGHBOURS * abs(column[peak])
    low = high = peak
    while low > 0 and good[low - 1]:
        low -= 1
    while high + 1 < len(good) and good[high + 1]:
        high += 1
    return low, high
