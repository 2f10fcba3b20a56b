"""MATLAB files of version 5 to 7, in plain Python: every length is checked before it is trusted, and nothing is executed.

Layout: The MathWorks, "MAT-File Format" (matfile_format.pdf), Level 5. SciPy's compiled reader ends the whole process on
damaged files, which is why it is not used here. Objects, functions and sparse matrices are passed over.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bci.errors import RecordingError
from bci.safe_io.regular_file import read_regular
from bci.stream.files.unpack import ALWAYS_BYTES, MOST_RATIO

MOST_BYTES, LONGEST_S = 4 << 30, 600.0

_HEADER = 128
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_MATRIX, _COMPRESSED = 14, 15
_TEXTS = {1: "utf-8", 2: "utf-8", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_CELL, _STRUCT, _CHAR, _NUMERIC = 1, 2, 4, range(6, 16)
_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class _Element:
    """A piece of a file: its type, and where its content lies."""

    type: int
    start: int
    stop: int
    after: int


class _Damaged(Exception):
    """The file does not make sense."""


def read_matlab(path: Path, name: str, wanted: Collection[str]) -> dict[str, Any]:
    """Fields of a struct, or variables of the file where it has no such struct.

    Parameters
    ----------
    path : Path
    name : str
        Of the struct.
    wanted : collection of str
        The only fields that are read; what they hold is read whole.

    Returns
    -------
    dict
        Texts as str, matrices as arrays, cells as lists, structs as dicts, arrays of structs as lists of dicts.

    Raises
    ------
    RecordingError
        If it is no such file, or damaged.
    """
    data = read_regular(path, MOST_BYTES, LONGEST_S)
    if len(data) < _HEADER or data[126:128] not in (b"IM", b"MI"):
        raise RecordingError(f"{path}: is not a MATLAB file of version 5 or later (it does not say so at its beginning)")
    reader = _Reader(data, "<" if data[126:128] == b"IM" else ">")
    found: dict[str, Any] = {}
    try:
        for variable, holder, element in reader.variables():
            if variable == name:
                return dict(holder.fields(element, wanted))
            if variable in wanted:
                found[variable] = holder.value(element, 0)
    except (_Damaged, struct.error, zlib.error, UnicodeDecodeError, ValueError) as error:
        raise RecordingError(f"{path}: is damaged ({error}); copy it again from where it was saved") from error
    return found


class _Reader:
    """Elements of a MATLAB file, or of the unpacked content of one."""

    def __init__(self, data: bytes, order: str) -> None:
        self._data = data
        self._order = order

    def variables(self) -> Iterator[tuple[str, _Reader, _Element]]:
        """Name, reader and element of each variable of the file."""
        at = _HEADER
        while at < len(self._data):
            element = self._element(at, len(self._data), padded=False)
            holder = self
            if element.type == _COMPRESSED:
                holder = _Reader(self._unpacked(element), self._order)
                inner = holder._element(0, len(holder._data))
            else:
                inner = element
            if inner.type == _MATRIX and inner.start < inner.stop:
                _, _, name, _ = holder._matrix(inner)
                yield name, holder, inner
            at = element.after

    def fields(self, element: _Element, wanted: Collection[str]) -> Iterator[tuple[str, Any]]:
        """Name and value of each wanted field of a single struct."""
        kind, size, _, at = self._matrix(element)
        if kind != _STRUCT or size != (1, 1):
            raise _Damaged(f"a variable is no single struct, but of class {kind} and size {size}")
        names, at = self._names(at, element.stop)
        for name in names:
            field = self._element(at, element.stop)
            if name in wanted:
                yield name, self.value(field, 1)
            at = field.after

    def value(self, element: _Element, depth: int) -> Any:
        """What a matrix holds."""
        if depth > _DEEPEST:
            raise _Damaged("cells and structs are nested too deeply")
        if element.type != _MATRIX:
            raise _Damaged(f"element of type {element.type} where a matrix should be")
        if element.start == element.stop:
            return np.empty((0, 0))
        kind, size, _, at = self._matrix(element)
        count = math.prod(size)
        if kind in _NUMERIC:
            return self._numbers(self._element(at, element.stop), size)
        if kind == _CHAR:
            return self._text(self._element(at, element.stop), size)
        if kind == _CELL:
            return self._row(at, element.stop, count, depth)[0]
        if kind == _STRUCT:
            return self._structs(at, element.stop, count, depth)
        return None

    def _structs(self, at: int, stop: int, count: int, depth: int) -> Any:
        names, at = self._names(at, stop)
        rows = []
        for _ in range(count if names else 0):
            values, at = self._row(at, stop, len(names), depth)
            rows.append(dict(zip(names, values, strict=True)))
        return rows[0] if len(rows) == 1 else rows

    def _row(self, at: int, stop: int, count: int, depth: int) -> tuple[list[Any], int]:
        """As many values, one behind the other, and where they end."""
        values = []
        for _ in range(count):
            element = self._element(at, stop)
            values.append(self.value(element, depth + 1))
            at = element.after
        return values, at

    def _matrix(self, element: _Element) -> tuple[int, tuple[int, ...], str, int]:
        """Class, size and name of a matrix, and where its content begins."""
        flags = self._element(element.start, element.stop)
        size = self._element(flags.after, element.stop)
        name = self._element(size.after, element.stop)
        kind = int(struct.unpack_from(f"{self._order}I", self._data, flags.start)[0]) & 0xFF
        dimensions = tuple(self._numbers(size, None).astype(int).tolist())
        # Each thing takes a byte at least.
        if len(dimensions) < 2 or min(dimensions) < 0 or math.prod(dimensions) > len(self._data):
            raise _Damaged(f"a matrix of size {dimensions[:8]}")
        return kind, dimensions, self._data[name.start : name.stop].decode("latin-1"), name.after

    def _names(self, at: int, stop: int) -> tuple[list[str], int]:
        """Names of a struct's fields, and where they end."""
        length = self._element(at, stop)
        names = self._element(length.after, stop)
        width = int(self._numbers(length, None)[0])
        if width < 1:
            raise _Damaged(f"field names of {width} characters")
        raw = self._data[names.start : names.stop]
        return [raw[i : i + width].split(b"\0")[0].decode("latin-1") for i in range(0, len(raw), width)], names.after

    def _numbers(self, element: _Element, size: tuple[int, ...] | None) -> Any:
        """Numbers in the shape that MATLAB has them, or in a row."""
        if element.type not in _NUMBERS:
            raise _Damaged(f"numbers of type {element.type}")
        dtype = np.dtype(f"{self._order}{_NUMBERS[element.type]}")
        n = (element.stop - element.start) // dtype.itemsize
        values = np.frombuffer(self._data, dtype, n, element.start)
        if size is None:
            if not n:
                raise _Damaged("an empty row of numbers")
            return values
        if math.prod(size) != n:
            raise _Damaged(f"{n} numbers in a matrix of size {size}")
        return values.reshape(size, order="F")

    def _text(self, element: _Element, size: tuple[int, ...]) -> str:
        """A text; of several lines the first."""
        encoding = _TEXTS.get(element.type)
        if encoding is None:
            raise _Damaged(f"a text of type {element.type}")
        suffix = {"<": "-le", ">": "-be"}[self._order] if encoding != "utf-8" else ""
        text = self._data[element.start : element.stop].decode(encoding + suffix, "replace")
        rows = size[0]
        return text[::rows] if rows > 1 else text

    def _element(self, at: int, stop: int, padded: bool = True) -> _Element:
        """The element that begins at a byte; it must end within what holds it."""
        if at + 8 > stop:
            raise _Damaged(f"it ends at byte {stop} in the middle of an element")
        first, size = struct.unpack_from(f"{self._order}II", self._data, at)
        if first >> 16:  # up to four bytes stand in the tag itself
            kind, size = first & 0xFFFF, first >> 16
            if size > 4:
                raise _Damaged(f"a small element of {size} bytes at byte {at}")
            return _Element(kind, at + 4, at + 4 + size, at + 8)
        start = at + 8
        if start + size > stop:
            raise _Damaged(f"after byte {at}, {size} bytes should follow, but only {stop - start} do")
        after = start + size + (-size % 8 if padded and first != _COMPRESSED else 0)
        return _Element(first, start, start + size, min(after, stop))

    def _unpacked(self, element: _Element) -> bytes:
        """Content of a compressed element, which must not fill the memory."""
        packed = self._data[element.start : element.stop]
        most = max(ALWAYS_BYTES, MOST_RATIO * len(packed))
        unpacker = zlib.decompressobj()
        content = unpacker.decompress(packed, most)
        if unpacker.unconsumed_tail:
            raise _Damaged(f"a variable grows to more than {most >> 20} MB when it is unpacked")
        return content
