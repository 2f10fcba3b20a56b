"""Which channels can be trusted, judged after the notch, in fixed blocks.

Two looks at different depth. Every block: does a sample inside the decoder's bands exceed what a brain
can do? That costs two array operations and keeps an artefact out of the very window it falls into.
Every tenth of a second: is a channel flat, railed, too large, full of line noise, or bridged to
another? That may be computed while waiting, because it counts from the next block on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import BoolArray, FloatArray
from bci.errors import ConfigError

IntArray = npt.NDArray[np.int64]
LINE_HZ = (50.0, 60.0)
BESIDE_HZ = 8.0


class Fault(IntEnum):
    """What is wrong with a channel."""

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
        Absolute raw value from which an amplifier counts as saturated (Cyton at gain 24: 187 500).
    amplitude_uv : float
        Peak-to-peak over 0.1 s after the notch that no brain reaches.
    band_uv : float
        Absolute value inside the decoder's bands that no brain reaches.
    line_uv : float
        Amplitude of 50 or 60 Hz left after the notch, over 0.4 s.
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
        Values beyond it are not taken for a measurement at all.
    """

    flat_uv: float = 0.5
    rail_uv: float = 187_000.0
    amplitude_uv: float = 500.0
    band_uv: float = 150.0
    line_uv: float = 100.0
    bridged_uv: float = 0.4
    bad_share: float = 0.2
    heavy_share: float = 2.5
    bridged_share: float = 0.05
    range_uv: float = 1e6

    def __post_init__(self) -> None:
        names = ("flat_uv", "rail_uv", "amplitude_uv", "band_uv", "line_uv", "bridged_uv", "bad_share", "heavy_share")
        problems = [
            f"{name} = {getattr(self, name)}: must be a finite number, 0 or more"
            for name in (*names, "bridged_share", "range_uv")
            if not math.isfinite(getattr(self, name)) or getattr(self, name) < 0
        ]
        if problems:
            raise ConfigError(problems)


class Quality:
    """Per-channel verdicts over blocks of one hop.

    Parameters
    ----------
    settings : QualitySettings
    rate_hz : float
    n_channels : int
        Input channels: the decoder's, then those only the reference needs.
    window, hop : int
        Samples.
    """

    def __init__(self, settings: QualitySettings, rate_hz: float, n_channels: int, window: int, hop: int) -> None:
        self._settings = settings
        self._rate_hz = rate_hz
        self._n_blocks = window // hop
        self._period = max(1, round(0.1 * rate_hz / hop))
        self._memory = max(self._period, math.ceil(0.4 * rate_hz / hop / self._period) * self._period)
        self._raw = np.zeros((self._memory, hop, n_channels))
        self._notched = np.zeros((self._memory, hop, n_channels))
        self._until: IntArray = np.full(n_channels, -1, dtype=np.int64)
        self._first = 0
        self._due = -1
        time_s = np.arange(self._memory * hop) / rate_hz
        taper = np.hanning(len(time_s))
        lines = [line_hz for line_hz in LINE_HZ if line_hz < rate_hz / 2]
        waves = [np.exp(-2j * np.pi * hz * time_s) for hz in (*lines, *(line_hz - BESIDE_HZ for line_hz in lines))]
        self._waves = np.array([2 * taper * wave / taper.sum() for wave in waves])
        self.fault: npt.NDArray[np.int8] = np.zeros(n_channels, dtype=np.int8)
        self.marked: BoolArray = np.zeros(n_channels, dtype=np.bool_)

    def restart(self, block: int) -> None:
        """Forget the past; ``block`` is the first one that will come."""
        self._until.fill(-1)
        self._first = block
        self._due = -1

    def push(self, block: int, raw: FloatArray, notched: FloatArray, bands: FloatArray) -> BoolArray:
        """Take the next block; return which channels cannot be trusted in the window it ends.

        Parameters
        ----------
        block : int
            Absolute index in the segment.
        raw, notched : ndarray, shape (hop, n_channels)
            µV before any filter, and after the notch.
        bands : ndarray, shape (n_bands, hop, n_channels)
            µV inside the decoder's bands.

        Returns
        -------
        ndarray of bool, shape (n_channels,)
        """
        self.prepare()
        place = block % self._memory
        self._raw[place] = raw
        self._notched[place] = notched
        if (block + 1) % self._period == 0:
            self._due = block
        peak = np.abs(bands).max(axis=(0, 1))
        if peak.max() > self._settings.band_uv:
            self._blame(peak > self._settings.band_uv, Fault.AMPLITUDE, block)
        return (self._until >= block) | self.marked

    def mark(self, channel: int, bad: bool) -> None:
        """Distrust a channel until told otherwise, because a person said so."""
        self.marked[channel] = bad

    def why(self, channel: int) -> str:
        """What is wrong with a channel, in one word."""
        return (Fault.MARKED if self.marked[channel] else Fault(int(self.fault[channel]))).name.lower()

    def prepare(self) -> None:
        """Take the deeper look that is due; bits do not depend on when."""
        block, self._due = self._due, -1
        if block < 0 or block - self._first + 1 < self._memory:
            return
        self._look(block)

    def _look(self, block: int) -> None:
        """Flat, railed, amplitude, line noise and bridges, over the last blocks up to ``block``."""
        s = self._settings
        flat = (self._raw.max(axis=(0, 1)) - self._raw.min(axis=(0, 1))) < s.flat_uv
        newest = [(block - i) % self._memory for i in range(self._period)]
        recent = self._notched[newest]
        level = recent.max(axis=(0, 1)) - recent.min(axis=(0, 1))
        railed = np.abs(self._raw[newest]).max(axis=(0, 1)) >= s.rail_uv
        shift = (block + 1) % self._memory
        ordered = np.concatenate((self._notched[shift:], self._notched[:shift])).reshape(-1, self._notched.shape[2])
        varying = ordered - ordered.mean(axis=0)
        self._blame(level > s.amplitude_uv, Fault.AMPLITUDE, block)
        if len(self._waves):
            self._blame(self._line(varying) > s.line_uv, Fault.LINE, block)
        self._blame(_twins(varying, s.bridged_uv) & ~flat, Fault.BRIDGED, block)
        self._blame(flat, Fault.FLAT, block)
        self._blame(railed, Fault.RAILED, block)

    def _line(self, data: FloatArray) -> FloatArray:
        """Amplitude at the line frequencies beyond that beside them, µV, shape (n_channels,).

        A step or a slow drift of millivolts leaks into every frequency; only line noise stands out.
        """
        at, beside = np.abs(self._waves @ data).reshape(2, -1, data.shape[1])
        excess: FloatArray = (at - beside).max(axis=0)
        return excess

    def _blame(self, which: BoolArray, fault: Fault, block: int) -> None:
        """Distrust channels for as long as a window can hold this block."""
        if which.any():
            self._until[which] = block + self._n_blocks
            self.fault[which] = fault


def _twins(data: FloatArray, apart_uv: float) -> BoolArray:
    """Channels that carry the same signal as another one, shape (n_channels,)."""
    gram = data.T @ data
    power = np.diag(gram)
    apart = power[:, np.newaxis] + power - 2 * gram
    same = apart < apart_uv**2 * len(data)
    np.fill_diagonal(same, False)
    found: BoolArray = np.logical_or.reduce(same, axis=0)
    return found
