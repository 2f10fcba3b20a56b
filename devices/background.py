"""The part of a simulated EEG that does not depend on what the person is asked to do.

All of it is a function of the seed and of the absolute number of a block of samples, never of
what was generated before. Coloured noise is continuous across blocks because every block is the
sum of two independent segments of twice its length, weighted by a sine and a cosine: the squares
of the weights add up to one, so power stays constant (overlap-add).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from bci.engine.chunk import FloatArray

BLOCK_S = 4.0


class Draw(IntEnum):
    """What a random stream is for, so that no two share their numbers."""

    PERSON = 0
    BACKGROUND = 1
    TRIAL = 2
    BLINK = 3
    MUSCLE = 4
    LOSS = 5
    ARRIVAL = 6
    SENSOR = 7
    ARTEFACT = 8
    ELECTRODE = 9
    RHYTHM = 10
    BURST = 11


def draw(seed: int, purpose: Draw, number: int = 0) -> np.random.Generator:
    """Make a generator of random numbers that depend on these three alone.

    Parameters
    ----------
    seed : int
    purpose : Draw
        What the numbers are for.
    number : int
        Of the block or the trial.

    Returns
    -------
    np.random.Generator
    """
    return np.random.default_rng((seed, int(purpose), number))


class ColouredNoise:
    """Several independent rows of stationary Gaussian noise, each with its own spectrum.

    Parameters
    ----------
    seed : int
    purpose : Draw
    n_block : int
        Samples in a block.
    amplitude : ndarray, shape (n_rows, n_block + 1)
        Relative amplitude at each frequency of a segment of ``2 * n_block`` samples, from zero to
        the Nyquist frequency. Scaled here so that each row has an rms of 1.
    """

    def __init__(self, seed: int, purpose: Draw, n_block: int, amplitude: FloatArray) -> None:
        power = np.sum(amplitude[:, 1:-1] ** 2, axis=1, keepdims=True)
        self._amplitude = amplitude * n_block / np.sqrt(power)
        self._used = np.flatnonzero(np.any(amplitude > 0, axis=0))
        self._seed, self._purpose = seed, purpose
        self._n_block = n_block
        ramp = np.sin(np.pi * (np.arange(2 * n_block) + 0.5) / (2 * n_block))
        self._rise, self._fall = ramp[:n_block], ramp[n_block:]
        self._kept: dict[int, FloatArray] = {}

    def block(self, number: int) -> FloatArray:
        """Compute one block of noise.

        Parameters
        ----------
        number : int
            Of the block: 0, 1, …

        Returns
        -------
        ndarray, shape (n_rows, n_block)
            Of root mean square 1.
        """
        before, after = self._segment(number), self._segment(number + 1)
        return np.asarray(before[:, self._n_block :] * self._fall + after[:, : self._n_block] * self._rise)

    def _segment(self, number: int) -> FloatArray:
        """Noise of twice a block's length; the last two are kept because neighbours share them."""
        if number not in self._kept:
            rng = draw(self._seed, self._purpose, number)
            size = (len(self._amplitude), len(self._used))
            spectrum = np.zeros(self._amplitude.shape, dtype=np.complex128)
            random = rng.standard_normal((*size, 2)).view(np.complex128)[..., 0]
            spectrum[:, self._used] = random * self._amplitude[:, self._used]
            if len(self._kept) > 1:
                del self._kept[next(iter(self._kept))]
            self._kept[number] = np.fft.irfft(spectrum, 2 * self._n_block, axis=1)
        return self._kept[number]


def frequencies(n_block: int, rate_hz: float) -> FloatArray:
    """Frequencies of a segment.

    Parameters
    ----------
    n_block : int
        Samples of a block.
    rate_hz : float
        Sampling rate.

    Returns
    -------
    ndarray, shape (n_block + 1,)
        Hz.
    """
    return np.asarray(np.fft.rfftfreq(2 * n_block, 1 / rate_hz), dtype=np.float64)


def one_over_f(freqs_hz: FloatArray, exponent: float, knee_hz: float) -> FloatArray:
    """Amplitude of noise whose power falls as ``1 / f ** exponent``.

    Parameters
    ----------
    freqs_hz : ndarray, shape (n_freqs,)
    exponent : float
    knee_hz : float
        Below it the power is flat.

    Returns
    -------
    ndarray, shape (n_freqs,)
    """
    amplitude = np.maximum(freqs_hz, knee_hz) ** (-exponent / 2)
    amplitude[0] = 0.0
    return np.asarray(amplitude, dtype=np.float64)


def rhythm(freqs_hz: FloatArray, peak_hz: float, width_hz: float) -> FloatArray:
    """Amplitude of a rhythm: a Gaussian peak, cut off at three widths, so that its envelope waxes and wanes.

    Parameters
    ----------
    freqs_hz : ndarray, shape (n_freqs,)
    peak_hz : float
    width_hz : float
        Standard deviation of the peak.

    Returns
    -------
    ndarray, shape (n_freqs,)
    """
    away = (freqs_hz - peak_hz) / width_hz
    return np.where(np.abs(away) < 3, np.exp(-0.5 * away**2), 0.0)


@dataclass(frozen=True, slots=True)
class Happening:
    """A blink or a burst of muscle activity.

    Parameters
    ----------
    start, length : int
        Absolute index of the first sample, and number of samples.
    size : float
        Relative strength.
    side : int
        0 left, 1 right (bursts only).
    number : int
        Unique; seeds the burst's noise.
    """

    start: int
    length: int
    size: float
    side: int
    number: int


def happenings(
    seed: int, purpose: Draw, block: int, n_block: int, rate_hz: float, per_second: float, length_s: tuple[float, float]
) -> tuple[Happening, ...]:
    """Draw the artefacts that begin in one block: a Poisson number, evenly spread.

    Parameters
    ----------
    seed : int
    purpose : Draw
    block : int
        Number of the block.
    n_block : int
        Samples of a block.
    rate_hz : float
        Sampling rate.
    per_second : float
        How many begin in a second on average.
    length_s : tuple of (float, float)
        Shortest and longest, seconds.

    Returns
    -------
    tuple of Happening
    """
    rng = draw(seed, purpose, block)
    count = min(int(rng.poisson(per_second * n_block / rate_hz)), 99)
    found = []
    for i in range(count):
        start = block * n_block + int(rng.integers(n_block))
        length = round(rng.uniform(*length_s) * rate_hz)
        found.append(Happening(start, length, float(rng.uniform(0.6, 1.4)), int(rng.integers(2)), block * 100 + i))
    return tuple(found)


def overlap(start: int, length: int, block: int, n_block: int) -> tuple[slice, slice] | None:
    """Find where an interval meets a block.

    Parameters
    ----------
    start : int
        First sample of the interval.
    length : int
        Samples of the interval.
    block : int
        Number of the block.
    n_block : int
        Samples of a block.

    Returns
    -------
    tuple of (slice, slice) or None
        Slices into the interval and into the block; None where they do not meet.
    """
    first = max(start, block * n_block)
    last = min(start + length, (block + 1) * n_block)
    if first >= last:
        return None
    return slice(first - start, last - start), slice(first - block * n_block, last - block * n_block)


def hump(length: int) -> FloatArray:
    """Compute a raised cosine that begins and ends at zero and reaches 1.

    Parameters
    ----------
    length : int
        Number of samples.

    Returns
    -------
    ndarray, shape (length,)
    """
    return 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(length) + 0.5) / length)
