"""Samples inside the Samples chunks of an XDF file: how many lie there whole, and their values and stamps.

Layout: https://github.com/sccn/xdf/wiki/Specifications (XDF 1.0, section "Samples chunk").
"""

from __future__ import annotations

import math
import mmap
import struct
from typing import Any

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import BoolArray, FloatArray
from bci.stream.xdf.format import DTYPES, StreamHeader

Buffer = bytes | mmap.mmap
LENGTHS = {1: struct.Struct("<B"), 4: struct.Struct("<I"), 8: struct.Struct("<Q")}
"""How a length field of so many bytes is read."""
GATHER_BYTES = 1 << 20


def complete_samples(data: Buffer, header: StreamHeader, start: int, end: int, limit: int) -> tuple[int, int]:
    """Count the samples that lie complete and well formed from a byte on.

    Parameters
    ----------
    data : Buffer
        Bytes of the file.
    header : StreamHeader
        Of the stream.
    start : int
        First byte of the first sample.
    end : int
        The byte after the last that may be read.
    limit : int
        The most samples that are counted.

    Returns
    -------
    tuple of (int, int)
        Their number, and the byte after the last of them.
    """
    if header.channel_format == "string":
        return _complete_strings(data, header.n_channels, start, end, limit)
    size = header.smallest_sample
    if limit and end - start == limit * size + 8 and data[start] == 8 and _all_marked(data, start + size + 8, limit - 1, size, 0):
        return limit, end
    stamped = min(limit, (end - start) // (size + 8))
    if _all_marked(data, start, stamped, size + 8, 8) and (stamped == limit or end - start - stamped * (size + 8) < size):
        return stamped, start + stamped * (size + 8)
    if limit * size == end - start and _all_marked(data, start, limit, size, 0):
        return limit, end
    return _complete_mixed(data, size, start, end, limit)


def _all_marked(data: Buffer, start: int, count: int, stride: int, mark: int) -> bool:
    """Whether every sample of equal size begins with ``mark``."""
    return data[start : start + count * stride : stride].count(mark) == count


def _complete_mixed(data: Buffer, size: int, start: int, end: int, limit: int) -> tuple[int, int]:
    """As :func:`complete_samples`, for samples of which only some carry a stamp."""
    count, position = 0, start
    while count < limit and position < end and data[position] in (0, 8):
        after = position + size + data[position]
        if after > end:
            break
        count, position = count + 1, after
    return count, position


def _complete_strings(data: Buffer, n_channels: int, start: int, end: int, limit: int) -> tuple[int, int]:
    """As :func:`complete_samples`, for strings."""
    count, position = 0, start
    for _ in range(limit):
        if position >= end or data[position] not in (0, 8):
            break
        after = position + 1 + data[position]
        for _ in range(n_channels):
            width = data[after] if after < end else 0
            if width not in LENGTHS or after + 1 + width > end:
                return count, position
            after += 1 + width + int.from_bytes(data[after + 1 : after + 1 + width], "little")
            if after > end:
                return count, position
        count, position = count + 1, after
    return count, position


def decode(data: Buffer, header: StreamHeader, run: tuple[int, int, int]) -> tuple[Any, FloatArray, BoolArray]:
    """Decode the samples of one chunk.

    Parameters
    ----------
    data : Buffer
        Bytes of the file.
    header : StreamHeader
        Of the stream.
    run : tuple of (int, int, int)
        First byte of the samples, their number, and the byte after the last of them.

    Returns
    -------
    values : ndarray, shape (n_samples, n_channels), or list of list of str
    stamps : ndarray, shape (n_samples,)
        Seconds; undefined where the sample carries none.
    stamped : ndarray of bool, shape (n_samples,)
    """
    start, count, end = run
    if header.channel_format == "string":
        return _decode_strings(data, header.n_channels, start, count)
    size = header.smallest_sample
    if end - start == count * (size + 8):
        records = np.frombuffer(data, header.layout(stamped=True), count, start)
        return records["values"], records["stamp"], np.ones(count, bool)
    # Most writers that leave out stamps do so for all samples of a chunk but the first.
    lead = (end - start - count * size) // 8
    if lead == 0 or (lead == 1 and data[start] == 8):
        stamps = np.full(count, np.nan)
        stamps[:lead] = np.frombuffer(data, "<f8", lead, start + 1)
        records = np.frombuffer(data, header.layout(stamped=False), count, start + 8 * lead)
        return records["values"], stamps, np.arange(count) < lead
    return _decode_mixed(data, header, start, count)


def decode_single(
    data: Buffer, header: StreamHeader, starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[Any], FloatArray, BoolArray]:
    """Decode numeric chunks of one sample each, all at once.

    Parameters
    ----------
    data : Buffer
        Bytes of the file.
    header : StreamHeader
        Of the stream.
    starts : ndarray, shape (n_chunks,)
        First byte of each sample.
    ends : ndarray, shape (n_chunks,)
        The byte after each sample.
    """
    raw = np.frombuffer(data, np.uint8)
    stamped = ends - starts > header.smallest_sample
    stamps = np.full(len(starts), np.nan)
    stamps[stamped] = _gather(raw, starts[stamped] + 1, np.dtype("<f8"), 1)[:, 0]
    values = _gather(raw, ends - header.smallest_sample + 1, DTYPES[header.channel_format], header.n_channels)
    return values, stamps, stamped


def _decode_mixed(data: Buffer, header: StreamHeader, start: int, count: int) -> tuple[npt.NDArray[Any], FloatArray, BoolArray]:
    """As :func:`decode`, for samples of which only some carry a stamp."""
    size = header.smallest_sample
    marks = np.empty(count, np.int64)
    position = start
    for i in range(count):
        marks[i] = mark = data[position]
        position += size + mark
    raw = np.frombuffer(data, np.uint8, position - start, start)
    begins = np.cumsum(size + marks) - size - marks
    stamped = marks == 8
    stamps = np.full(count, np.nan)
    stamps[stamped] = _gather(raw, begins[stamped] + 1, np.dtype("<f8"), 1)[:, 0]
    return _gather(raw, begins + 1 + marks, DTYPES[header.channel_format], header.n_channels), stamps, stamped


def _gather(raw: npt.NDArray[np.uint8], begins: npt.NDArray[np.int64], dtype: np.dtype[Any], width: int) -> npt.NDArray[Any]:
    """``width`` values from each of several places, shape (n_places, width)."""
    found = np.empty((len(begins), width), dtype)
    steps = np.arange(width * dtype.itemsize)
    block = max(1, GATHER_BYTES // len(steps))  # the index takes eight times the memory of what it picks
    for first in range(0, len(begins), block):
        found[first : first + block] = raw[begins[first : first + block, None] + steps].view(dtype)
    return found


def _decode_strings(data: Buffer, n_channels: int, start: int, count: int) -> tuple[list[list[str]], FloatArray, BoolArray]:
    """As :func:`decode`, for strings."""
    values: list[list[str]] = []
    stamps = np.full(count, np.nan)
    stamped = np.zeros(count, bool)
    position = start
    for i in range(count):
        stamps[i], stamped[i], position = _stamp(data, position)
        row = []
        for _ in range(n_channels):
            begin = position + 1 + data[position]
            position = begin + int.from_bytes(data[position + 1 : begin], "little")
            row.append(data[begin:position].decode("utf-8", "replace"))
        values.append(row)
    return values, stamps, stamped


def _stamp(data: Buffer, position: int) -> tuple[float, bool, int]:
    """Stamp of the sample at ``position``, whether it carries one, and the byte behind it."""
    if data[position]:
        return struct.unpack_from("<d", data, position + 1)[0], True, position + 9
    return math.nan, False, position + 1
