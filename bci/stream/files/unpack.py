"""Compressed recordings, unpacked in memory with a limit: a file of a few kilobytes must not fill the memory."""

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
    """Tell whether a file begins as gzip does, and leave it at its beginning.

    Parameters
    ----------
    file : BinaryIO
        Open, at its beginning.

    Returns
    -------
    bool
    """
    start = file.read(len(MAGIC))
    file.seek(0)
    return start == MAGIC


def unpacked(path: Path, file: BinaryIO) -> bytes:
    """Unpack a gzip file; of one that was cut short or damaged, the part before the damage.

    Parameters
    ----------
    path : Path
        For messages.
    file : BinaryIO
        Open, at its beginning.

    Returns
    -------
    bytes

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
                        f"{path}: grows to more than {most >> 20} MB when it is unpacked, more than any compressed "
                        "recording of its size. If it is a recording, unpack it yourself (gzip -d) and read the result"
                    )
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            problem = str(error)
            file.seek(0)
            refuse_changed(path, file.read(LOOKED_AT))
    if not found:
        raise RecordingError(f"{path}: cannot be unpacked ({problem or 'it is empty'}); copy it again")
    return bytes(found)
