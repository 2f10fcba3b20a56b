"""Checksums of a recording while it is written, appended to a file beside it.

The sidecar (:mod:`bci.stream.xdf.sidecar`) is written when a recording is closed. Where that never happens, because the power
failed or the program was killed, this log has the checksums of all blocks that were on the disk by then. A block is only
entered after the disk has it, so the log is never ahead of the recording. One line for each block: the byte at which it
ends, its CRC-32, and a CRC-32 over the lines so far, so that a reader takes the log up to the first line that is not whole.
"""

from __future__ import annotations

import io
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from bci.safe_io import private
from bci.safe_io.regular_file import read_regular
from bci.stream.xdf.unbuffered import write_whole
from bci.stream.xdf.whereabouts import whereabouts

HEAD = b"checksums of a recording, 1\n"
MAX_BYTES, LEAST_BYTES = 64 << 20, 2 << 20


def log_path(path: Path) -> Path:
    """Path of the log of checksums beside a recording.

    Parameters
    ----------
    path : Path
        Of the recording.

    Returns
    -------
    Path

    Examples
    --------
    >>> log_path(Path("run-001_eeg.xdf")).name
    'run-001_eeg.xdf.checks.log'
    """
    return path.with_name(path.name + ".checks.log")


class CheckLog:
    """The log of one recording that is being written.

    Parameters
    ----------
    recording : Path

    Raises
    ------
    OSError
        If it exists or cannot be made.
    """

    def __init__(self, recording: Path) -> None:
        self.path = log_path(recording)
        self._file = io.FileIO(self.path, "x+b", opener=private.opener)
        self._chain = zlib.crc32(HEAD)
        write_whole(self._file, HEAD)

    def append(self, blocks: Iterable[tuple[int, int]]) -> None:
        """Enter blocks, and put them on the disk.

        Parameters
        ----------
        blocks : iterable of tuple of (int, int)
            For each block the byte at which it ends, and its CRC-32.

        Raises
        ------
        OSError
            If they cannot be written.
        """
        lines = []
        for end, crc in blocks:
            entry = f"{end} {crc:08x}"
            self._chain = zlib.crc32(entry.encode(), self._chain)
            lines.append(f"{entry} {self._chain:08x}\n")
        write_whole(self._file, "".join(lines).encode())
        getattr(os, "fdatasync", os.fsync)(self._file.fileno())

    def entries(self) -> list[tuple[int, int]]:
        """All blocks that were entered.

        Raises
        ------
        OSError
        """
        self._file.seek(0)
        return list(_entries(self._file.read()))

    def close(self, done: bool) -> None:
        """Close the log. May be called twice.

        Parameters
        ----------
        done : bool
            Whether the sidecar contains all of it, so that the log is removed.
        """
        if self._file.closed:
            return
        place = whereabouts(self._file.fileno(), self.path)
        with suppress(OSError):  # all that was entered is on the disk
            self._file.close()
        if done and place is not None:
            place.unlink(missing_ok=True)


def read_log(path: Path) -> list[tuple[int, int]]:
    """Read which blocks of a recording were on the disk.

    Parameters
    ----------
    path : Path
        Of the recording.

    Returns
    -------
    list of tuple of (int, int)
        For each block the byte at which it ends, and its CRC-32; empty without a log.
    """
    with suppress(OSError):
        return list(_entries(read_regular(log_path(path), most_beside(path))))
    return []


def most_beside(path: Path) -> int:
    """Number of bytes that the checksums of a recording can take: eight times what its blocks need.

    Parameters
    ----------
    path : Path
        Of the recording.

    Returns
    -------
    int

    Raises
    ------
    OSError
        If there is no recording.
    """
    return min(MAX_BYTES, LEAST_BYTES + path.stat().st_size // 160)


def _entries(raw: bytes) -> Iterator[tuple[int, int]]:
    """Whole lines from the beginning; what comes after the first that does not fit is not believed."""
    if not raw.startswith(HEAD):
        return
    chain, last = zlib.crc32(HEAD), 0
    for line in io.BytesIO(raw[len(HEAD) :]):
        entry, _, own = line.removesuffix(b"\n").rpartition(b" ")
        if not line.endswith(b"\n"):
            return
        chain = zlib.crc32(entry, chain)
        try:
            end, crc = int(entry.split(b" ")[0][:20]), int(entry.split(b" ")[1][:8], 16)
            fits = int(own[:8], 16) == chain and end > last
        except (ValueError, IndexError):
            return
        if not fits:
            return
        last = end
        yield end, crc
