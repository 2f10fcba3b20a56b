"""Which channels can be trusted, judged after the notch, in fixed blocks.

Looks of different depth. Every block: does a sample inside the decoder's bands exceed what a brain can do? That
costs two array operations and keeps an artefact out of the very window it falls into. Every tenth of a second:
is a channel flat, railed or too large? Every 0.4 s: is it full of line noise, or bridged to another? The
latter may be computed while waiting, because they count from the next block on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import BoolArray, FloatArray
from bci.engine.filters import gain
from bci.errors import ConfigError

IntArray = npt.NDArray[np.int64]
LINE_HZ = (50.0, 60.0)
BESIDE_HZ = 8.0
LOOK_S = 0.1
MEMORY_S = 0.4
RAIL_SHARE = 0.25
"""Share of 0.4 s at one and the same value, the highest or lowest ever seen, from which a channel is clipped there."""
RAIL_LEAST_UV = 500.0
"""No amplifier ends so near to zero. Below, coarse steps of a quiet signal come to the same value again and again."""


class ChannelFault(IntEnum):
    """A fault of a channel."""

    NONE = 0
    FLAT = 1
    RAILED = 2
    AMPLITUDE = 3
    LINE = 4
    BRIDGED = 5
    MARKED = 6
    """A person said so."""


@dataclass(frozen=True, slots=True)
class QualitySettings:
    """Limits of a trustworthy channel, microvolts unless said otherwise.

    Parameters
    ----------
    flat_uv : float
        Peak-to-peak over 0.4 s below which a channel is flat (a Cyton's last bit is 0.02 µV).
    rail_uv : float
        Absolute raw value from which an amplifier counts as saturated (Cyton at gain 24: 187 500). With 0 it is found in the
        signal itself, whatever the gain (:func:`clipped`); a large offset with a live signal on top is then no fault.
    amplitude_uv : float
        Peak-to-peak over 0.1 s after the notch that no brain reaches.
    band_uv : float
        Absolute value inside the decoder's bands that no brain reaches.
    line_uv : float
        Amplitude of 50 or 60 Hz that notch and band-pass leave in the decoder's bands, over 0.4 s: a fifth of a
        rhythm. What the band-pass removes anyway does no harm, and boards without a shield have plenty of it.
    bridged_uv : float
        Two channels whose difference is smaller than this (root mean square over 0.4 s after the notch) are
        one gel bridge: amplifier noise alone keeps separate electrodes further apart.
    bad_share : float
        The session goes on without bad channels while fewer than this share are bad.
    heavy_share : float
        ... and none of them carries more than this many times an equal share of the decision.
    bridged_share : float
        Share of interpolated samples in a window from which it is not decoded.
    range_uv : float
        Values beyond it are not taken for a measurement at all. The widest input of an EEG amplifier is 9 V (ADS1299, gain 1).
    """

    flat_uv: float = 0.5
    rail_uv: float = 0.0
    amplitude_uv: float = 500.0
    band_uv: float = 150.0
    line_uv: float = 2.0
    bridged_uv: float = 0.4
    bad_share: float = 0.2
    heavy_share: float = 2.5
    bridged_share: float = 0.05
    range_uv: float = 1e7

    def __post_init__(self) -> None:
        names = ("flat_uv", "rail_uv", "amplitude_uv", "band_uv", "line_uv", "bridged_uv", "bad_share", "heavy_share")
        problems = [
            f"{name} = {getattr(self, name)}: must be a finite number, 0 or more"
            for name in (*names, "bridged_share", "range_uv")
            if not math.isfinite(getattr(self, name)) or getattr(self, name) < 0
        ]
        if problems:
            raise ConfigError(problems)


class SignalQuality:
    """Per-channel verdicts over blocks of one hop.

    Parameters
    ----------
    settings : QualitySettings
    rate_hz : float
    n_channels : int
        Input channels: the decoder's, then those only the reference needs.
    window, hop : int
        Samples.
    bands : list of ndarray, each of shape (n_sections, 6)
        The decoder's band-passes, which say how much of line noise gets through.
    """

    def __init__(
        self, settings: QualitySettings, rate_hz: float, n_channels: int, window: int, hop: int, bands: list[FloatArray]
    ) -> None:
        self._settings = settings
        self._hop = hop
        self._n_blocks = window // hop
        self._period = max(1, round(LOOK_S * rate_hz / hop))
        self._memory = max(self._period, math.ceil(MEMORY_S * rate_hz / hop / self._period) * self._period)
        self._n = n_channels
        # Raw and notched side by side: one pass over the rows finds the extremes of both.
        self._rows = np.zeros((self._memory * hop, 2 * n_channels))
        self._highest = np.zeros((self._memory // self._period, 2 * n_channels))
        self._lowest = np.zeros((self._memory // self._period, 2 * n_channels))
        self._until: IntArray = np.full(n_channels, -1, dtype=np.int64)
        self._none: BoolArray = np.zeros(n_channels, dtype=np.bool_)
        self._latest = -1
        self._first = 0
        self._due = -1
        self._top: FloatArray = np.full(n_channels, -np.inf)
        self._bottom: FloatArray = np.full(n_channels, np.inf)
        self._waves = _waves(self._memory * hop, rate_hz, bands)
        self.fault: npt.NDArray[np.int8] = np.zeros(n_channels, dtype=np.int8)
        self.marked: BoolArray = np.zeros(n_channels, dtype=np.bool_)
        self._any_marked = False

    def restart(self, block: int, forget: bool = True) -> None:
        """Forget the past after a gap; ``block`` is the first block that will come.

        Parameters
        ----------
        block : int
        forget : bool
            Whether no window holds anything from before. The highest and lowest values are kept in any case.
        """
        if forget:
            self._until.fill(-1)
            self._latest = -1
        else:
            self.prepare()
        self._first = block
        self._due = -1

    def push(self, block: int, raw: FloatArray, notched: FloatArray, bands: FloatArray) -> list[BoolArray]:
        """Take the next blocks; return which channels cannot be trusted in the windows they end.

        Parameters
        ----------
        block : int
            Absolute index of the first one in the segment.
        raw, notched : ndarray, shape (n_blocks, hop, n_channels)
            µV before any filter, and after the notch.
        bands : ndarray, shape (n_blocks, n_bands, hop, n_channels)
            µV inside the decoder's bands.

        Returns
        -------
        list of ndarray of bool, each of shape (n_channels,)
        """
        found = []
        for i, (before, after, sizes) in enumerate(zip(raw, notched, np.abs(bands), strict=True), start=block):
            self.prepare()
            place = i % self._memory * self._hop
            self._rows[place : place + self._hop, : self._n] = before
            self._rows[place : place + self._hop, self._n :] = after
            if (i + 1) % self._period == 0:
                self._due = i
            if sizes.max() > self._settings.band_uv:
                self._blame(sizes.max(axis=(0, 1)) > self._settings.band_uv, ChannelFault.AMPLITUDE, i)
            trusted = self._latest < i and not self._any_marked
            found.append(self._none if trusted else (self._until >= i) | self.marked)
        return found

    def mark(self, channel: int, bad: bool) -> None:
        """Treat a channel as bad until it is marked as good again, because a person said so."""
        self.marked[channel] = bad
        self._any_marked = bool(self.marked.any())

    def why(self, channel: int) -> str:
        """What is wrong with a channel, in one word."""
        return (ChannelFault.MARKED if self.marked[channel] else ChannelFault(int(self.fault[channel]))).name.lower()

    def prepare(self) -> None:
        """Take the deeper looks that are due; bits do not depend on when."""
        block, self._due = self._due, -1
        if block < 0:
            return
        self._look_at_size(block)
        if (block + 1) % self._memory == 0 and block - self._first + 1 >= self._memory:
            self._look_at_shape(block)

    def _look_at_size(self, block: int) -> None:
        """Flat, railed or too large over the last blocks up to ``block``."""
        s, n = self._settings, self._n
        end = block % self._memory + 1
        place = end // self._period - 1
        newest = self._rows[(end - self._period) * self._hop : end * self._hop]
        high = np.maximum.reduce(newest, axis=0, out=self._highest[place])
        low = np.minimum.reduce(newest, axis=0, out=self._lowest[place])
        span = high - low
        seen = block - self._first + 1
        if seen < self._period:
            return
        # Plain numbers: over so few channels they are found faster than by another pass of arrays.
        spans = span.tolist()
        if max(spans[n:]) > s.amplitude_uv:
            self._blame(span[n:] > s.amplitude_uv, ChannelFault.AMPLITUDE, block)
        if min(spans[:n]) < s.flat_uv and seen >= self._memory:
            self._blame(self._flat(), ChannelFault.FLAT, block)
        if s.rail_uv:
            if max(high.tolist()[:n]) >= s.rail_uv or min(low.tolist()[:n]) <= -s.rail_uv:
                self._blame(np.maximum(high, -low)[:n] >= s.rail_uv, ChannelFault.RAILED, block)
        else:
            self._look_at_ends(high[:n], low[:n], block, seen >= self._memory)

    def _look_at_ends(self, high: FloatArray, low: FloatArray, block: int, whole: bool) -> None:
        """Clipped at the highest or lowest value ever seen; only channels that are there now are looked at more closely."""
        there = (high >= self._top) | (low <= self._bottom)
        np.maximum(self._top, high, out=self._top)
        np.minimum(self._bottom, low, out=self._bottom)
        if whole and there.any():
            self._blame(there & clipped(self._rows[:, : self._n], self._top, self._bottom), ChannelFault.RAILED, block)

    def _flat(self) -> BoolArray:
        """Channels that have hardly moved over the whole memory, shape (n_channels,)."""
        span = np.maximum.reduce(self._highest) - np.minimum.reduce(self._lowest)
        flat: BoolArray = span[: self._n] < self._settings.flat_uv
        return flat

    def _look_at_shape(self, block: int) -> None:
        """Line noise and bridges, over a whole memory that ends with ``block``."""
        data = self._rows[:, self._n :]
        data = data - np.add.reduce(data, axis=0) / len(data)
        line = self._line(data)
        if line.max() > self._settings.line_uv:
            self._blame(line > self._settings.line_uv, ChannelFault.LINE, block)
        twins = _twins(data, self._settings.bridged_uv)
        if twins.any():
            self._blame(twins & ~self._flat(), ChannelFault.BRIDGED, block)

    def _line(self, data: FloatArray) -> FloatArray:
        """Amplitude at the line frequencies beyond that beside them, as the bands let it through, µV, shape (n_channels,).

        A step or a slow drift of millivolts leaks into every frequency; only line noise stands out.
        """
        if not len(self._waves):
            return np.zeros(data.shape[1])
        products = self._waves @ data
        half = len(products) // 2
        sizes = np.hypot(products[:half], products[half:])
        excess: FloatArray = np.maximum.reduce(sizes[: half // 2] - sizes[half // 2 :], axis=0)
        return excess

    def _blame(self, which: BoolArray, fault: ChannelFault, block: int) -> None:
        """Distrust channels for as long as a window can hold this block."""
        if which.any():
            self._latest = block + self._n_blocks
            self._until[which] = self._latest
            self.fault[which] = fault


def clipped(rows: FloatArray, top: FloatArray, bottom: FloatArray) -> BoolArray:
    """Channels that stay at an end of their range: many samples that are exactly its highest or its lowest value.

    Noise keeps a converter inside its range from ever giving one value so often, however large the offset is.

    Parameters
    ----------
    rows : ndarray, shape (n_samples, n_channels)
        Raw, µV; 0.4 s or more.
    top, bottom : ndarray, shape (n_channels,)
        The highest and the lowest value that each channel has ever shown, µV.

    Returns
    -------
    ndarray of bool, shape (n_channels,)

    Examples
    --------
    >>> clipped(np.array([[900.0], [900.0], [850.0]]), np.array([900.0]), np.array([-20.0])).tolist()
    [True]
    """
    least = RAIL_SHARE * len(rows)
    at_top = (np.count_nonzero(rows == top, axis=0) >= least) & (np.abs(top) >= RAIL_LEAST_UV)
    at_bottom = (np.count_nonzero(rows == bottom, axis=0) >= least) & (np.abs(bottom) >= RAIL_LEAST_UV)
    found: BoolArray = at_top | at_bottom
    return found


def _waves(n_samples: int, rate_hz: float, bands: list[FloatArray]) -> FloatArray:
    """Tapered cosines, then sines, at the line frequencies below Nyquist and then beside them, shape (4 * n_lines, n_samples).

    Their size is what a band lets through at the line frequency.
    """
    lines = [line_hz for line_hz in LINE_HZ if line_hz < rate_hz / 2]
    taper = np.hanning(n_samples)
    phase = 2 * np.pi * np.outer([*lines, *(line_hz - BESIDE_HZ for line_hz in lines)], np.arange(n_samples) / rate_hz)
    through = np.max([gain(sos, lines, rate_hz) for sos in bands], axis=0)
    size = np.tile(through, 4)[:, np.newaxis] * (2 * taper / taper.sum())
    waves: FloatArray = np.concatenate((np.cos(phase), np.sin(phase))) * size
    return waves


def _twins(data: FloatArray, apart_uv: float) -> BoolArray:
    """Channels that carry the same signal as another one, shape (n_channels,)."""
    # Minus half the squared difference of each pair: x'y - x'x / 2 - y'y / 2.
    near = np.dot(data.T, data)
    diagonal = near.reshape(-1)[:: len(near) + 1]
    half = 0.5 * diagonal
    near -= half[:, np.newaxis]
    near -= half
    diagonal.fill(-np.inf)
    same: BoolArray = np.maximum.reduce(near, axis=0) > -0.5 * min(apart_uv, 1e150) ** 2 * len(data)
    return same
