"""Read OpenViBE ``.ov`` files: signals and stimulations.

An ``.ov`` file is EBML: nested elements of identifier, size and content. Layout and identifiers: OpenViBE's
documentation, "Stream structures" (openvibe.inria.fr/stream-structures) and the generic stream writer box.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bci.engine.chunk import FloatArray
from bci.engine.stream_info import Channel, StreamInfo
from bci.errors import RecordingError
from bci.safe_io.regular_file import open_regular, read_regular
from bci.stream.files.boundary import LOOKED_AT, refuse_changed
from bci.stream.metadata import MAX_CHANNELS, channel_type
from bci.stream.recorded_signal import RecordedMarkers, RecordedSignal
from bci.stream.recording import RecordedStreams

MOST_BYTES, LONGEST_S = 4 << 30, 600.0

_FILE = 0xF59505AB3684C8D8
_COMPRESSION = 0x40358769166380D1
_CHUNK, _CHUNK_CONTENT = 0x2E60AD1887A29BDF, 0x8D4B0BE87051265C
_CHUNK_STREAM, _CHUNK_START = 0x30A56D8AB9C12238, 0x093E6A0AC5A9467B
_HEADER, _BUFFER = 0x002B395F108ADFAE, 0x00CF210102375310
_SIGNAL, _RATE = 0x007855DE3748D375, 0x00141C430C37006B
_MATRIX, _DIMENSION = 0x0072F5607ED2CBED, 0x0000E3C03A7D5141
_SIZE, _LABEL = 0x001302F736D8438A, 0x00153E40190227E0
_MATRIX_BUFFER, _VALUES = 0x0012066308FBC165, 0x00B18C10427D098C
_STIMULATIONS, _STIMULATION = 0x006DEABE7FC05A20, 0x0016EAC629FBCAA1
_CODE, _DATE = 0x006FA5DB4BAC31E9, 0x00B866D814DA5374

_NESTED = {
    _FILE, _CHUNK, _CHUNK_CONTENT, _HEADER, _BUFFER, _SIGNAL, _MATRIX, _DIMENSION, _MATRIX_BUFFER, _STIMULATIONS, _STIMULATION,
}  # fmt: skip


@dataclass(slots=True)
class _Stream:
    """What was found of one stream so far; dates in seconds."""

    rate_hz: float = 0.0
    sizes: list[int] = field(default_factory=list)
    labels: list[list[str]] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)
    blocks: list[FloatArray] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)
    dates: list[float] = field(default_factory=list)


def read_openvibe(path: Path) -> RecordedStreams:
    """Read the signals and stimulations of an ``.ov`` file; a stimulation is given by its code, in decimal.

    Parameters
    ----------
    path : Path
        Of the file.

    Returns
    -------
    RecordedStreams
        What stands before a cut is read.

    Raises
    ------
    RecordingError
        If it is no such file, is compressed, or contradicts itself.
    """
    with open_regular(path) as file:
        head = file.read(LOOKED_AT)
    refuse_changed(path, head)
    if head[:4] != b"\x1a\x45\xdf\xa3" and head[:10] != _identifier_bytes(_FILE):
        raise RecordingError(f"{path}: is not an OpenViBE stream file (begins with {head[:4].hex()}, not 1a45dfa3)")
    data = read_regular(path, MOST_BYTES, LONGEST_S)
    streams: dict[int, _Stream] = {}
    notes: list[str] = []
    index, start = 0, 0.0
    for identifier, content in _elements(data, notes):
        match identifier:
            case x if x == _COMPRESSION and _integer(content):
                raise RecordingError(
                    f"{path}: is compressed, and compressed files cannot be read; save it in OpenViBE without compression"
                )
            case x if x == _CHUNK_STREAM:
                index = _integer(content)
            case x if x == _CHUNK_START:
                start = _integer(content) / 2**32
            case _:
                _take(streams.setdefault(index, _Stream()), identifier, content, start)
    signals = [_signal(path, i, s) for i, s in streams.items() if s.blocks]
    markers = [
        RecordedMarkers(f"stimulations {i}", tuple(map(str, s.codes)), np.array(s.dates)) for i, s in streams.items() if s.codes
    ]
    if not signals and not markers:
        raise RecordingError(f"{path}: contains neither a signal nor stimulations")
    return RecordedStreams(path, tuple(signals), tuple(markers), "", tuple(notes))


def _take(stream: _Stream, identifier: int, content: bytes, start: float) -> None:
    """Keep what matters of one element."""
    match identifier:
        case x if x == _RATE:
            stream.rate_hz = float(_integer(content))
        case x if x == _SIZE:
            stream.sizes.append(_integer(content))
            stream.labels.append([])
        case x if x == _LABEL and stream.labels:
            stream.labels[-1].append(content.decode("utf-8", "replace"))
        case x if x == _VALUES and len(content) % 8 == 0:
            stream.blocks.append(np.frombuffer(content, "<f8"))
            stream.starts.append(start)
        case x if x == _CODE:
            stream.codes.append(_integer(content))
        case x if x == _DATE:
            stream.dates.append(_integer(content) / 2**32)


def _signal(path: Path, index: int, stream: _Stream) -> RecordedSignal:
    """All blocks of one stream, put together; each is (n_channels, n_samples) in the file."""
    if len(stream.sizes) != 2 or not 0 < stream.sizes[0] <= MAX_CHANNELS or stream.rate_hz <= 0:
        raise RecordingError(
            f"{path}: stream {index} has dimensions {stream.sizes} at {stream.rate_hz:g} Hz; expected two, above 0 Hz"
        )
    n = stream.sizes[0]
    if any(b.size % n for b in stream.blocks):
        raise RecordingError(f"{path}: stream {index}: a block does not hold whole samples of {n} channels")
    blocks = [b.reshape(n, -1).T for b in stream.blocks]
    stamps = [s + np.arange(len(b)) / stream.rate_hz for s, b in zip(stream.starts, blocks, strict=True)]
    labels = [label.strip(" .") or f"ch{i}" for i, label in enumerate(stream.labels[0], start=1)]
    labels += [f"ch{i}" for i in range(len(labels) + 1, n + 1)]
    channels = tuple(Channel(label, channel_type(label, "EEG"), "") for label in labels[:n])
    info = StreamInfo(stream.rate_hz, channels, name=f"{path.stem} {index}", type="EEG")
    return RecordedSignal(info, np.concatenate(blocks), np.concatenate(stamps), assumed_unit="uV")


def _elements(data: bytes, notes: list[str]) -> Iterator[tuple[int, bytes]]:
    """Every element that holds a value, in the order of the file; stops where the file was cut."""
    at, end = 0, len(data)
    while at < end:
        head = _head(data, at)
        if head is None:
            notes.append(f"cut short or damaged at byte {at} of {end}; everything before that byte was read")
            return
        identifier, content, size = head
        if identifier in _NESTED:
            at = content
            continue
        if content + size > end:
            notes.append(f"cut short or damaged at byte {at} of {end}; everything before that byte was read")
            return
        yield identifier, data[content : content + size]
        at = content + size


def _head(data: bytes, at: int) -> tuple[int, int, int] | None:
    """Identifier, place and size of an element's content."""
    first = _number(data, at)
    second = _number(data, first[1]) if first else None
    return (first[0], second[1], second[0]) if first and second else None


def _number(data: bytes, at: int) -> tuple[int, int] | None:
    """EBML's variable-size integer (RFC 8794, section 4); OpenViBE uses up to ten bytes."""
    zeros = 0
    while at + zeros // 8 < len(data) and data[at + zeros // 8] == 0 and zeros < 16:
        zeros += 8
    place = at + zeros // 8
    if place >= len(data) or zeros >= 16:
        return None
    n = zeros + 9 - data[place].bit_length()
    if at + n > len(data):
        return None
    return int.from_bytes(data[at : at + n], "big") & ((1 << 7 * n) - 1), at + n


def _integer(content: bytes) -> int:
    return int.from_bytes(content[:8], "big")


def _identifier_bytes(identifier: int) -> bytes:
    """A 64-bit identifier as OpenViBE writes it: ten bytes."""
    return (identifier | 1 << 70).to_bytes(10, "big")
