"""The FieldTrip buffer's network protocol, version 1: requests to bytes, bytes to answers.

Documented at https://www.fieldtriptoolbox.org/development/realtime/buffer_protocol (structures of ``message.h`` there):

- every message: ``version`` uint16 = 1, ``command`` uint16, ``bufsize`` uint32 of what follows. A server answers in the byte
  order in which it was asked, which it sees by the version; ours is little endian;
- GET_HDR 0x201: answered by ``nchans``, ``nsamples``, ``nevents`` uint32, ``fsamp`` float32, ``data_type``, ``bufsize`` uint32,
  and chunks (``type``, ``size`` uint32, data): 1 names, each ended by a zero; 3 resolutions, a float64 for each channel;
- GET_DAT 0x202 with first and last sample (from 0, both included): ``nchans``, ``nsamples``, ``data_type``, ``bufsize`` uint32,
  and the values, channels of a sample together;
- GET_EVT 0x203 with first and last event: for each ``type_type``, ``type_numel``, ``value_type``, ``value_numel`` uint32,
  ``sample``, ``offset``, ``duration`` int32, ``bufsize`` uint32, type and value;
- WAIT_DAT 0x402 with numbers of samples and events and a time in ms: answered by the present numbers as soon as one of them
  is higher, or the time has passed. (The page's table gives ``bufsize`` 0 for the request; the 12 bytes that it lists after it
  are what FieldTrip's own clients count.)
- 0x204 and 0x404 mean done, 0x205 and 0x405 refused.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

import numpy as np

from bci.engine.chunk import FloatArray
from bci.errors import StreamError
from devices.network import MAX_CHANNELS, MAX_RATE_HZ, text

VERSION = 1
GET_HDR, GET_DAT, GET_EVT, WAIT_DAT = 0x201, 0x202, 0x203, 0x402
GET_OK, GET_ERR, WAIT_OK, WAIT_ERR = 0x204, 0x205, 0x404, 0x405
MAX_ANSWER = 1 << 25
"""A header may hold a whole file of the manufacturer (CTF: 3 MB)."""

_CHAR = 0
_DTYPES = tuple(np.dtype(name) for name in ("S1", "u1", "<u2", "<u4", "<u8", "i1", "<i2", "<i4", "<i8", "<f4", "<f8"))
_MESSAGE = struct.Struct("<HHI")
_HEADER = struct.Struct("<IIIfII")
_DATA = struct.Struct("<IIII")
_EVENT = struct.Struct("<IIIIiiiI")
_PAIR = struct.Struct("<II")
_NAMES, _RESOLUTIONS = 1, 3


@dataclass(frozen=True, slots=True)
class BufferHeader:
    """The header of a buffer.

    Parameters
    ----------
    rate_hz : float
    data_type : int
        1 to 10: an unsigned or signed integer or a float.
    labels : tuple of str
        Empty strings where the buffer has no names.
    resolutions : tuple of float
        Physical value of a step, for each channel; 1 where the buffer does not say.
    n_samples, n_events : int
        Written so far.
    """

    rate_hz: float
    data_type: int
    labels: tuple[str, ...]
    resolutions: tuple[float, ...]
    n_samples: int
    n_events: int


@dataclass(frozen=True, slots=True)
class BufferEvent:
    """Something that happened at a sample.

    Parameters
    ----------
    sample : int
        Number of the sample at which it happened.
    type, value : str
        As text, also where the buffer has numbers.
    """

    sample: int
    type: str
    value: str


def ask_header() -> bytes:
    """GET_HDR."""
    return _MESSAGE.pack(VERSION, GET_HDR, 0)


def ask_wait(n_samples: int, n_events: int, timeout_ms: int) -> bytes:
    """Write a request WAIT_DAT: answer when there are more samples or events than these, or after a time.

    Parameters
    ----------
    n_samples : int
    n_events : int
    timeout_ms : int
        Milliseconds.

    Returns
    -------
    bytes
    """
    return _MESSAGE.pack(VERSION, WAIT_DAT, 12) + struct.pack("<III", n_samples, n_events, timeout_ms)


def ask_data(first: int, last: int) -> bytes:
    """Write a request GET_DAT.

    Parameters
    ----------
    first : int
        Number of the first sample.
    last : int
        Number of the last sample, included.

    Returns
    -------
    bytes
    """
    return _MESSAGE.pack(VERSION, GET_DAT, 8) + _PAIR.pack(first, last)


def ask_events(first: int, last: int) -> bytes:
    """Write a request GET_EVT.

    Parameters
    ----------
    first : int
        Number of the first event.
    last : int
        Number of the last event, included.

    Returns
    -------
    bytes
    """
    return _MESSAGE.pack(VERSION, GET_EVT, 8) + _PAIR.pack(first, last)


class AnswerDecoder:
    """Decode the answers of one connection, however their bytes were cut. Keeps at most ``MAX_ANSWER`` bytes."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> tuple[int, bytes] | None:
        """Decode bytes.

        Parameters
        ----------
        data : bytes
            They follow those of the call before.

        Returns
        -------
        tuple of (int, bytes) or None
            Command and payload of the answer once it is complete, else None.

        Raises
        ------
        StreamError
            If they are no answer of a FieldTrip buffer. The connection is of no use then.
        """
        self._bytes += data
        if self._bytes[:2] != VERSION.to_bytes(2, "little")[: len(self._bytes)]:
            raise StreamError(
                f"FieldTrip buffer: an answer begins with {bytes(self._bytes[:8])!r} and not with version {VERSION}; "
                "check that the port is that of the buffer (1972 by default)"
            )
        if len(self._bytes) < _MESSAGE.size:
            return None
        _, command, size = _MESSAGE.unpack_from(self._bytes)
        if command not in (GET_OK, GET_ERR, WAIT_OK, WAIT_ERR) or size > MAX_ANSWER:
            raise StreamError(f"FieldTrip buffer: an answer 0x{command:x} of {size} bytes; at most {MAX_ANSWER} are possible")
        if len(self._bytes) < _MESSAGE.size + size:
            return None
        if len(self._bytes) > _MESSAGE.size + size:
            raise StreamError("FieldTrip buffer: it sent more than the answer to the request")
        payload = bytes(self._bytes[_MESSAGE.size :])
        self._bytes.clear()
        return command, payload


def read_header(payload: bytes) -> BufferHeader:
    """Parse the answer to GET_HDR.

    Parameters
    ----------
    payload : bytes

    Returns
    -------
    BufferHeader

    Raises
    ------
    StreamError
        If it is none, or impossible.
    """
    _needs(payload, _HEADER.size, "header")
    n_channels, n_samples, n_events, rate, data_type, _ = _HEADER.unpack_from(payload)
    # The shortest decimal of the single-precision number: 160.15 and not 160.14999389648438.
    rate_hz = float(str(np.float32(rate)))
    if not 1 <= n_channels <= MAX_CHANNELS:
        raise StreamError(f"FieldTrip buffer: {n_channels} channels; from 1 to {MAX_CHANNELS} are possible")
    if not 0 < rate_hz <= MAX_RATE_HZ:
        raise StreamError(f"FieldTrip buffer: sampling rate {rate_hz} Hz; above 0 and at most {MAX_RATE_HZ:g} Hz are possible")
    if not 0 < data_type < len(_DTYPES):
        raise StreamError(f"FieldTrip buffer: data type {data_type}; from 1 to {len(_DTYPES) - 1} are numbers")
    chunks = _chunks(payload)
    return BufferHeader(
        rate_hz,
        data_type,
        _names(chunks.get(_NAMES, b""), n_channels),
        _resolutions(chunks.get(_RESOLUTIONS, b""), n_channels),
        n_samples,
        n_events,
    )


def read_wait(payload: bytes) -> tuple[int, int]:
    """Parse the answer to WAIT_DAT.

    Parameters
    ----------
    payload : bytes

    Returns
    -------
    tuple of (int, int)
        Number of samples and of events that have been written so far.

    Raises
    ------
    StreamError
        If it is none.
    """
    _needs(payload, _PAIR.size, "answer to WAIT_DAT")
    n_samples, n_events = _PAIR.unpack_from(payload)
    return n_samples, n_events


def read_data(payload: bytes, header: BufferHeader, n_samples: int) -> FloatArray:
    """Parse the answer to GET_DAT.

    Parameters
    ----------
    payload : bytes
    header : BufferHeader
        Of the buffer.
    n_samples : int
        How many were asked for.

    Returns
    -------
    ndarray, shape (n_samples, n_channels)
        Times the resolutions, where the header has them.

    Raises
    ------
    StreamError
        If it is not what was asked for.
    """
    _needs(payload, _DATA.size, "data")
    n_channels, n, data_type, size = _DATA.unpack_from(payload)
    if (n_channels, n, data_type) != (len(header.labels), n_samples, header.data_type):
        raise StreamError(
            f"FieldTrip buffer: {n} samples of {n_channels} channels of type {data_type} came; "
            f"{n_samples} of {len(header.labels)} of type {header.data_type} were requested"
        )
    dtype = _DTYPES[data_type]
    if not size == len(payload) - _DATA.size == n * n_channels * dtype.itemsize:
        raise StreamError(
            f"FieldTrip buffer: {size} bytes of data, {len(payload) - _DATA.size} came, for {n} × {n_channels} values"
        )
    raw = np.frombuffer(payload, dtype, n * n_channels, _DATA.size).reshape(n, n_channels)
    return np.asarray(raw * np.array(header.resolutions), dtype=np.float64)


def read_events(payload: bytes) -> list[BufferEvent]:
    """Parse the answer to GET_EVT.

    Parameters
    ----------
    payload : bytes

    Returns
    -------
    list of BufferEvent

    Raises
    ------
    StreamError
        If it is none.
    """
    found, at = [], 0
    while at < len(payload):
        _needs(payload, at + _EVENT.size, "event")
        type_type, type_n, value_type, value_n, sample, _, _, size = _EVENT.unpack_from(payload, at)
        at += _EVENT.size
        _needs(payload, at + size, "event's type and value")
        type_, rest = _words(payload[at : at + size], type_type, type_n)
        value, _ = _words(rest, value_type, value_n)
        found.append(BufferEvent(sample, type_, value))
        at += size
    return found


def _words(data: bytes, data_type: int, count: int) -> tuple[str, bytes]:
    """Text, or numbers as text, at the head of some bytes; and what follows."""
    if data_type >= len(_DTYPES):
        raise StreamError(f"FieldTrip buffer: an event of data type {data_type}; from 0 to {len(_DTYPES) - 1} are possible")
    size = count * _DTYPES[data_type].itemsize
    _needs(data, size, f"event of {count} elements of type {data_type}")
    if data_type == _CHAR:
        return text(data[:size]).rstrip("\0"), data[size:]
    return " ".join(f"{x:g}" for x in np.frombuffer(data, _DTYPES[data_type], count)), data[size:]


def _chunks(payload: bytes) -> dict[int, bytes]:
    """Chunks behind the fixed part of a header, by type."""
    found, at = {}, _HEADER.size
    while at < len(payload):
        _needs(payload, at + _PAIR.size, "chunk of the header")
        kind, size = _PAIR.unpack_from(payload, at)
        at += _PAIR.size
        _needs(payload, at + size, f"chunk {kind} of {size} bytes in the header")
        found[kind] = payload[at : at + size]
        at += size
    return found


def _names(chunk: bytes, n_channels: int) -> tuple[str, ...]:
    names = tuple(map(text, chunk.split(b"\0")[:n_channels]))
    return names + ("",) * (n_channels - len(names))


def _resolutions(chunk: bytes, n_channels: int) -> tuple[float, ...]:
    if not chunk:
        return (1.0,) * n_channels
    if len(chunk) != 8 * n_channels:
        raise StreamError(f"FieldTrip buffer: {len(chunk)} bytes of resolutions for {n_channels} channels; 8 for each are needed")
    found = struct.unpack(f"<{n_channels}d", chunk)
    if not all(math.isfinite(r) and r for r in found):
        raise StreamError(f"FieldTrip buffer: resolutions {found[:8]}; each must be a finite number other than 0")
    return found


def _needs(data: bytes, size: int, what: str) -> None:
    """Refuse an answer whose parts do not fit into it."""
    if len(data) < size:
        raise StreamError(f"FieldTrip buffer: {what} needs {size} bytes and has {len(data)}")
