"""Compressed recordings, unpacked in memory with a limit: a file of a few kilobytes must not fill a computer."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import BinaryIO

from bci.errors import RecordingError
from bci.stream.files.boundary import LOOKED_AT, refuse_changed

MAGIC = b"\x1f\x8b"
MOST_BYTES = 4 << 30
MOST_RATIO = 100
"""How many times its size a file may grow; recordings grow two to twenty times, files made to fill a memory a thousand."""
ALWAYS_BYTES = 32 << 20
"""What a file may grow to in any case."""
_PIECE = 1 << 20


def is_compressed(file: BinaryIO) -> bool:
    """Whether a file begins as gzip does; leaves it at its beginning."""
    start = file.read(len(MAGIC))
    file.seek(0)
    return start == MAGIC


def unpacked(path: Path, file: BinaryIO) -> bytes:
    """Content of a gzip file; of one that was cut short or damaged, what stands before that.

    Raises
    ------
    RecordingError
        If it grows beyond what any recording does, or nothing of it can be unpacked.
    """
    most = max(ALWAYS_BYTES, min(MOST_BYTES, MOST_RATIO * path.stat().st_size))
    found = bytearray()
    problem = ""
    with gzip.GzipFile(fileobj=file) as inside:
        try:
            while piece := inside.read1(_PIECE):
                found += piece
                if len(found) > most:
                    raise RecordingError(
                        f"{path}: grows to more than {most >> 20} MB when it is unpacked, which no compressed recording of its "
                        "size does. If it is one, unpack it yourself (gzip -d) and read the result"
                    )
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            problem = str(error)
            file.seek(0)
            refuse_changed(path, file.read(LOOKED_AT))
    if not found:
        raise RecordingError(f"{path}: cannot be unpacked ({problem or 'it is empty'}); copy it again")
    return bytes(found)
