"""BrainVision Recorder's Remote Data Access (RDA): bytes in, messages out.

Documented in Brain Products' *BrainVision Recorder User Manual*, chapter "Remote Data Access", with the structures of
its ``RDA.h``. All numbers are little endian, structures are packed:

- each message: GUID {4358458E-C996-4C86-AF4A-98BBF6C91450} (16 bytes), ``nSize`` uint32 with this header, ``nType`` uint32;
- 1, start: ``nChannels`` uint32, ``dSamplingInterval`` float64 (µs), ``dResolutions`` float64 each (µV per step),
  ``sChannelNames``, each ended by a zero;
- 2 and 4, data: ``nBlock`` uint32 (blocks acquired since acquisition started), ``nPoints``, ``nMarkers`` uint32, values with the
  channels of a point together (type 2 int16, from port 51234; type 4 float32, from port 51244), then the markers;
- a marker: ``nSize`` uint32 with itself, ``nPosition`` uint32 (in the block), ``nPoints`` uint32, ``nChannel`` int32 (−1 for
  all), type and description, each ended by a zero;
- 3, stop: acquisition was stopped. Others (5 new state, 6–8 impedance, 9 info, 10000 keep alive) carry no samples.

Real value = resolution × value, for both kinds of data.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

import numpy as np

from bci.engine.chunk import FloatArray
from bci.errors import StreamError
from devices.network import MAX_CHANNELS, MAX_RATE_HZ, text

GUID = bytes.fromhex("8E45584396C9864CAF4A98BBF6C91450")
HEADER = struct.Struct("<16sII")
MAX_MESSAGE = 1 << 24
"""160 channels at 100 kHz in blocks of 20 ms are 1.3 MB."""

_START = struct.Struct("<Id")
_DATA = struct.Struct("<III")
_MARKER = struct.Struct("<IIIi")
_DTYPES: dict[int, np.dtype[np.int16] | np.dtype[np.float32]] = {2: np.dtype("<i2"), 4: np.dtype("<f4")}


@dataclass(frozen=True, slots=True)
class RdaStart:
    """Acquisition starts, or was already running when bci connected.

    Parameters
    ----------
    rate_hz : float
    labels : tuple of str
    resolutions_uv : tuple of float
        Microvolts per step, for each channel.
    """

    rate_hz: float
    labels: tuple[str, ...]
    resolutions_uv: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class RdaMarker:
    """One marker of a recording.

    Parameters
    ----------
    position : int
        Point of the block.
    type, description : str
        For instance ``"Stimulus"`` and ``"S  1"``.
    points : int
        How many points it lasts.
    channel : int
        −1 for all.
    """

    position: int
    type: str
    description: str
    points: int = 1
    channel: int = -1


@dataclass(frozen=True, slots=True)
class RdaBlock:
    """Consecutive samples.

    Parameters
    ----------
    number : int
        Blocks since acquisition started, modulo 2**32.
    data : ndarray, shape (n_points, n_channels)
        Microvolts.
    markers : tuple of RdaMarker
    """

    number: int
    data: FloatArray
    markers: tuple[RdaMarker, ...]


@dataclass(frozen=True, slots=True)
class RdaStop:
    """Acquisition was stopped."""


RdaMessage = RdaStart | RdaBlock | RdaStop


class RdaDecoder:
    """Decode the messages of one connection, however its bytes were cut. Keeps at most one message of ``MAX_MESSAGE`` bytes."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._start: RdaStart | None = None

    def feed(self, data: bytes) -> list[RdaMessage]:
        """Decode bytes.

        Parameters
        ----------
        data : bytes
            They follow those of the call before.

        Returns
        -------
        list of RdaMessage
            The messages that they complete.

        Raises
        ------
        StreamError
            If they are not RDA. The connection is of no use then.
        """
        self._bytes += data
        found: list[RdaMessage] = []
        at = 0
        while (size := _whole(self._bytes, at)) > 0:
            message = self._read(self._bytes, at, size)
            if message is not None:
                found.append(message)
            at += size
        del self._bytes[:at]
        return found

    def _read(self, data: bytearray, at: int, size: int) -> RdaMessage | None:
        """One whole message; None for those that carry no samples."""
        kind = HEADER.unpack_from(data, at)[2]
        body = bytes(data[at + HEADER.size : at + size])
        if kind == 1:
            self._start = _start(body)
            return self._start
        if kind in _DTYPES:
            if self._start is None:
                raise StreamError("RDA: data came before the start message that names the channels")
            return _block(body, self._start, _DTYPES[kind])
        return RdaStop() if kind == 3 else None


def _whole(data: bytearray, at: int) -> int:
    """Size of the message at a place, 0 while it is not whole."""
    begin = bytes(data[at : at + len(GUID)])
    if not GUID.startswith(begin):
        raise StreamError(
            f"RDA: a message begins with {begin.hex()} and not with Recorder's identifier {GUID.hex()}; "
            "check that the port is that of Remote Data Access (51244 for float data, 51234 for integers)"
        )
    if len(data) - at < HEADER.size:
        return 0
    size = HEADER.unpack_from(data, at)[1]
    if not HEADER.size <= size <= MAX_MESSAGE:
        raise StreamError(f"RDA: a message claims {size} bytes; from {HEADER.size} to {MAX_MESSAGE} are possible")
    return int(size) if len(data) - at >= size else 0


def _start(body: bytes) -> RdaStart:
    """Message 1."""
    _needs(body, _START.size, "start message")
    n, interval_us = _START.unpack_from(body)
    if not 1 <= n <= MAX_CHANNELS:
        raise StreamError(f"RDA: the start message claims {n} channels; from 1 to {MAX_CHANNELS} are possible")
    if not 1e6 / MAX_RATE_HZ <= interval_us <= 1e9:
        raise StreamError(f"RDA: sampling interval {interval_us} µs; from {1e6 / MAX_RATE_HZ:g} to 1e9 µs are possible")
    _needs(body, _START.size + 8 * n, f"start message of {n} channels")
    resolutions = struct.unpack_from(f"<{n}d", body, _START.size)
    if not all(math.isfinite(r) and r for r in resolutions):
        raise StreamError(f"RDA: resolutions {resolutions[:8]} µV; each must be a finite number other than 0")
    names = body[_START.size + 8 * n :].split(b"\0")
    if len(names) <= n:
        raise StreamError(f"RDA: {len(names) - 1} channel names for {n} channels")
    return RdaStart(1e6 / interval_us, tuple(map(text, names[:n])), resolutions)


def _block(body: bytes, start: RdaStart, dtype: np.dtype[np.int16] | np.dtype[np.float32]) -> RdaBlock:
    """Messages 2 and 4."""
    _needs(body, _DATA.size, "data message")
    number, n_points, n_markers = _DATA.unpack_from(body)
    n_channels = len(start.labels)
    end = _DATA.size + n_points * n_channels * dtype.itemsize
    _needs(body, end, f"block of {n_points} points of {n_channels} channels")
    raw = np.frombuffer(body, dtype, n_points * n_channels, _DATA.size).reshape(n_points, n_channels)
    return RdaBlock(number, raw * np.array(start.resolutions_uv), _markers(body, end, n_markers, n_points))


def _markers(body: bytes, at: int, count: int, n_points: int) -> tuple[RdaMarker, ...]:
    """Markers that stand behind the values."""
    found = []
    for _ in range(count):
        _needs(body, at + _MARKER.size, "marker")
        size, position, points, channel = _MARKER.unpack_from(body, at)
        if size < _MARKER.size or position >= max(n_points, 1):
            raise StreamError(f"RDA: a marker of {size} bytes at point {position} of a block of {n_points} points")
        _needs(body, at + size, f"marker of {size} bytes")
        words = body[at + _MARKER.size : at + size].split(b"\0")
        kind, description = (text(w) for w in (*words, b"")[:2])
        found.append(RdaMarker(position, kind, description, points, channel))
        at += size
    return tuple(found)


def _needs(body: bytes, size: int, what: str) -> None:
    """Refuse a message whose parts do not fit into it."""
    if len(body) < size:
        raise StreamError(f"RDA: a {what} needs {size} bytes and has {len(body)}")
