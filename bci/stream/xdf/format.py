"""XDF 1.0 for writer, reader and salvage: chunks, sample layouts and stream headers.

Everything here follows the specification, https://github.com/sccn/xdf/wiki/Specifications.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any
from xml.etree import ElementTree
from xml.parsers import expat

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import FloatArray
from bci.errors import RecordingError

MAGIC = b"XDF:"
SIGNATURE = bytes.fromhex("43A546DCCBF5410FB30ED5467383CBE4")
"""Content of every boundary chunk, by which a reader finds its way back after damage."""

DTYPES: dict[str, np.dtype[Any]] = {
    "int8": np.dtype("<i1"),
    "int16": np.dtype("<i2"),
    "int32": np.dtype("<i4"),
    "int64": np.dtype("<i8"),
    "float32": np.dtype("<f4"),
    "double64": np.dtype("<f8"),
}
"""Numeric channel formats; ``"string"`` is the other one."""

MAX_CHANNELS = 65_536
MAX_XML_BYTES = 4 << 20
MAX_XML_ELEMENTS = 100_000
MAX_XML_DEPTH = 64
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CHARACTER_REFERENCE = re.compile(r"&#(x[0-9a-fA-F]{1,8}|[0-9]{1,10});")


class Tag(IntEnum):
    """Kinds of chunks."""

    FILE_HEADER = 1
    STREAM_HEADER = 2
    SAMPLES = 3
    CLOCK_OFFSET = 4
    BOUNDARY = 5
    STREAM_FOOTER = 6


@dataclass(frozen=True, slots=True)
class StreamHeader:
    """The layout of a stream's samples, as its header describes it.

    Parameters
    ----------
    xml : str
        The whole header.
    name, type : str
    channel_format : str
        One of ``DTYPES`` or ``"string"``.
    n_channels : int
    rate_hz : float
        Nominal rate, 0 for irregular streams.
    """

    xml: str
    name: str
    type: str
    channel_format: str
    n_channels: int
    rate_hz: float

    @property
    def smallest_sample(self) -> int:
        """The fewest bytes that a sample takes; a claimed count cannot exceed the bytes at hand divided by this."""
        if self.channel_format == "string":
            return 1 + 2 * self.n_channels
        return 1 + self.n_channels * DTYPES[self.channel_format].itemsize

    def layout(self, stamped: bool) -> np.dtype[np.void]:
        """Layout of numeric samples that all carry a stamp, or that all carry none.

        Parameters
        ----------
        stamped : bool
            Whether they carry one.

        Returns
        -------
        np.dtype
            One record for each sample.
        """
        values = ("values", DTYPES[self.channel_format], (self.n_channels,))
        return np.dtype([("mark", "u1"), ("stamp", "<f8"), values] if stamped else [("mark", "u1"), values])


def varlen(value: int) -> bytes:
    r"""Write a length as XDF does: the number of bytes (1, 4 or 8), then that many.

    Parameters
    ----------
    value : int

    Returns
    -------
    bytes

    Examples
    --------
    >>> varlen(18), varlen(300)
    (b'\x01\x12', b'\x04,\x01\x00\x00')
    """
    if value < 1 << 8:
        return bytes((1, value))
    return struct.pack("<BI", 4, value) if value < 1 << 32 else struct.pack("<BQ", 8, value)


def chunk(tag: Tag, content: bytes) -> bytes:
    """Write one complete chunk: length, tag, content.

    Parameters
    ----------
    tag : Tag
    content : bytes

    Returns
    -------
    bytes
    """
    return varlen(len(content) + 2) + struct.pack("<H", tag) + content


def encode_numeric(header: StreamHeader, values: npt.ArrayLike, stamps: FloatArray) -> bytes:
    """Samples of a numeric stream, each with its stamp.

    Parameters
    ----------
    values : array_like, shape (n_samples, n_channels)
    stamps : ndarray, shape (n_samples,)
        Seconds.

    Raises
    ------
    RecordingError
        If the shape does not fit, or the values cannot be stored without loss.
    """
    data = np.asarray(values)
    if data.shape != (len(stamps), header.n_channels):
        raise RecordingError(
            f"stream {header.name!r}: values of shape {data.shape} with {len(stamps)} stamps; "
            f"they must be (n_samples, {header.n_channels})"
        )
    if not np.can_cast(data.dtype, DTYPES[header.channel_format], "safe"):
        raise RecordingError(
            f"stream {header.name!r}: values are {data.dtype}, which {header.channel_format} (its declared "
            "format) cannot hold without loss; convert them or declare another format"
        )
    records = np.empty(len(stamps), header.layout(stamped=True))
    records["mark"] = 8
    records["stamp"] = stamps
    records["values"] = data
    return records.tobytes()


def encode_strings(header: StreamHeader, values: Sequence[Sequence[str]], stamps: FloatArray) -> bytes:
    """Samples of a string stream, each with its stamp.

    Parameters
    ----------
    values : sequence of n_samples sequences of n_channels str
    stamps : ndarray, shape (n_samples,)
        Seconds.

    Raises
    ------
    RecordingError
        If the shape does not fit.
    """
    if len(values) != len(stamps) or any(len(row) != header.n_channels for row in values):
        raise RecordingError(
            f"stream {header.name!r}: {len(values)} rows with {len(stamps)} stamps; "
            f"there must be one stamp for each row of {header.n_channels} strings"
        )
    parts = []
    for row, stamp in zip(values, stamps, strict=True):
        parts.append(struct.pack("<Bd", 8, stamp))
        for text in row:
            raw = text.encode("utf-8", "surrogateescape")
            parts += (varlen(len(raw)), raw)
    return b"".join(parts)


def parse_xml(raw: bytes, where: str) -> ElementTree.Element:
    """Parse an XML chunk; a DTD, entities of its own, and unbounded growth are refused.

    Parameters
    ----------
    raw : bytes
        Content of the chunk.
    where : str
        The file and the chunk, for messages.

    Returns
    -------
    ElementTree.Element
        The root element.

    Raises
    ------
    RecordingError
        If it is not well formed, declares a DOCTYPE, or is larger than any honest header.
    """
    if len(raw) > MAX_XML_BYTES:
        raise RecordingError(f"{where}: XML of {len(raw)} bytes; at most {MAX_XML_BYTES} are read")
    builder = ElementTree.TreeBuilder()
    parser = expat.ParserCreate()
    count = depth = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal count, depth
        count, depth = count + 1 + len(attributes), depth + 1
        if count > MAX_XML_ELEMENTS or depth > MAX_XML_DEPTH:
            raise RecordingError(
                f"{where}: more than {MAX_XML_ELEMENTS} XML elements and attributes, or more than {MAX_XML_DEPTH} nested levels"
            )
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def doctype(*_: Any) -> None:
        raise RecordingError(f"{where}: XML with a DOCTYPE is refused, because entities can grow without bound")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = doctype
    parser.buffer_text = True
    try:
        parser.Parse(raw.decode("utf-8", "replace"), True)
    except expat.ExpatError as error:
        raise RecordingError(f"{where}: XML is damaged: {error}") from error
    return builder.close()


def parse_header(raw: bytes, where: str) -> StreamHeader:
    """Read a stream header.

    Parameters
    ----------
    raw : bytes
        UTF-8 XML.
    where : str
        File and stream, for messages.

    Raises
    ------
    RecordingError
        If a field that the layout of samples depends on is missing or out of range.
    """
    root = parse_xml(raw, where)
    channel_format = (root.findtext("channel_format") or "").strip()
    if channel_format not in DTYPES and channel_format != "string":
        raise RecordingError(f"{where}: channel_format = {channel_format!r}; must be one of {', '.join(DTYPES)}, string")
    n_channels = _number(root, "channel_count", where)
    if not 1 <= n_channels <= MAX_CHANNELS or n_channels != int(n_channels):
        raise RecordingError(f"{where}: channel_count = {n_channels:g}; must be 1 to {MAX_CHANNELS}")
    rate_hz = _number(root, "nominal_srate", where)
    if rate_hz < 0:
        raise RecordingError(f"{where}: nominal_srate = {rate_hz:g}; must be 0 (irregular) or positive")
    return StreamHeader(
        xml=raw.decode("utf-8", "replace"),
        name=root.findtext("name") or "",
        type=root.findtext("type") or "",
        channel_format=channel_format,
        n_channels=int(n_channels),
        rate_hz=rate_hz,
    )


def _number(root: ElementTree.Element, field: str, where: str) -> float:
    """A finite number from a header."""
    text = root.findtext(field)
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise RecordingError(f"{where}: {field} = {text!r}; must be a finite number")
    return value


def clean_xml(text: str) -> str:
    r"""Replace every character that XML 1.0 forbids, so that any reader can open the file.

    Parameters
    ----------
    text : str
        Of a header.

    Returns
    -------
    str

    Examples
    --------
    >>> clean_xml("<name>a\x01b&#2;c&#65;</name>") == "<name>a�b�c&#65;</name>"
    True
    """

    def reference(match: re.Match[str]) -> str:
        digits = match[1]
        code = int(digits[1:], 16) if digits[0] == "x" else int(digits)
        return "\ufffd" if code > 0x10FFFF or _NOT_XML.match(chr(code)) else match[0]

    return _CHARACTER_REFERENCE.sub(reference, _NOT_XML.sub("\ufffd", text))
