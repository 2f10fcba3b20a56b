"""A file that only grows: one write for each piece, checksums of all blocks, and never half a piece left behind.

Every piece goes to the operating system in one unbuffered write, so a killed process loses at most the piece that is being
written. Checksums of the blocks that are on the disk are kept in a log beside the file (:mod:`bci.stream.xdf.check_log`).
"""

from __future__ import annotations

import hashlib
import io
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from bci.errors import RecordingError
from bci.safe_io import private
from bci.stream.xdf.check_log import CheckLog, log_path
from bci.stream.xdf.sidecar import sidecar_path
from bci.stream.xdf.unbuffered import write_whole
from bci.stream.xdf.whereabouts import whereabouts

BLOCK_BYTES = 32 << 10


class CheckedFile:
    """A new file, to be written piece by piece.

    Parameters
    ----------
    path : Path
        Must not exist; its folder is made where missing.
    tell : callable
        Receives one line for whatever a person should know and does not end the writing.

    Attributes
    ----------
    path : Path
        Where the file is: another place than at the start where it was moved since.
    lost : bool
        Whether it was moved, and where to cannot be known.
    size : int
        Bytes written so far.
    failed : bool
        Whether a write failed; nothing more can be written then.

    Raises
    ------
    RecordingError
        If the file exists or cannot be made.
    """

    def __init__(self, path: Path, tell: Callable[[str], object]) -> None:
        self.path, self.lost, self.failed, self.size = path, False, False, 0
        self._tell = tell
        # Blocks that are in the log already are not kept: a recording of hours has hundreds of thousands.
        self._ended: list[tuple[int, int]] = []
        self._logging = True
        self._block_start = self._block_crc = 0
        self._digest = hashlib.sha256()
        self._file, self._log = _create(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    @property
    def closed(self) -> bool:
        """Whether the file is closed."""
        return self._file.closed

    @property
    def sha256(self) -> str:
        """SHA-256 of everything written so far, as a hexadecimal number."""
        return self._digest.hexdigest()

    def append(self, raw: bytes) -> None:
        """Write a complete piece, or leave the file as it was and raise.

        Parameters
        ----------
        raw : bytes

        Raises
        ------
        RecordingError
            If it cannot be written (the disk is full, the file was closed, a write failed before).
        """
        self._check_open()
        try:
            write_whole(self._file, raw)
        except OSError as error:
            self.failed = True
            with suppress(OSError):  # then a reader leaves out the last piece, of which a part is missing
                self._file.truncate(self.size)
            raise RecordingError(
                f"{self.path}: cannot be written after {self.size} bytes ({error.strerror}); what has been written stays valid. "
                "Free space or record to another disk"
            ) from error
        self.size += len(raw)
        self._digest.update(raw)
        self._block_crc = zlib.crc32(raw, self._block_crc)
        if self.size - self._block_start >= BLOCK_BYTES:
            self.end_block()

    def end_block(self) -> None:
        """Let the next piece begin a new checksum block."""
        if self.size > self._block_start:
            self._ended.append((self.size, self._block_crc))
            self._block_start, self._block_crc = self.size, 0

    def sync(self) -> None:
        """Have the operating system put everything on the disk, look where the file is, and log the checksums.

        Raises
        ------
        RecordingError
            If that fails, or the file was removed meanwhile.
        """
        self._check_open()
        try:
            _sync(self._file)
            links = os.fstat(self._file.fileno()).st_nlink
            place = whereabouts(self._file.fileno(), self.path)
        except OSError as error:
            self.failed = True
            raise RecordingError(f"{self.path}: cannot be written to the disk ({error.strerror})") from error
        if links == 0:
            self.failed = True
            raise RecordingError(
                f"{self.path}: was removed while it was being recorded, so nothing of it can be kept. Record to another folder"
            )
        self._look(place)
        self.end_block()
        self._enter()

    def log_rest(self) -> None:
        """After a failure: log what was written before it, where the disk still takes that."""
        try:
            _sync(self._file)
        except OSError:
            return
        self.end_block()
        self._enter()

    def blocks(self) -> Iterator[tuple[int, int]]:
        """Yield for each block the byte at which it ends, and its CRC-32.

        Raises
        ------
        OSError
            If the log cannot be read.
        """
        end = 0
        for end, crc in self._log.entries():
            yield end, crc
        yield from (block for block in self._ended if block[0] > end)

    def close_log(self, done: bool) -> None:
        """Close the log of checksums.

        Parameters
        ----------
        done : bool
            Whether everything in it stands in the sidecar, so that the log is removed.
        """
        with suppress(OSError):
            self._log.close(done)

    def _look(self, place: Path | None) -> None:
        """Tell once that the file is no longer where it was."""
        if place == self.path:
            self.lost = False
        elif place is not None:
            self._tell(f"{self.path}: is no longer there: it, or its folder, was moved. The recording continues at {place}")
            self.path, self.lost = place, False
        elif not self.lost:
            self.lost = True
            self._tell(
                f"{self.path}: is no longer there: it, or its folder, was moved or replaced. The recording continues, but where "
                "it is now cannot be known from here"
            )

    def _enter(self) -> None:
        """Enter the blocks that are on the disk into the log; without it, the recording goes on."""
        if not self._logging:
            return
        try:
            self._log.append(self._ended)
        except OSError as error:
            self._logging = False
            self._tell(
                f"{self._log.path}: checksums cannot be added ({error.strerror}); the recording goes on, and can be verified "
                "once it is closed"
            )
            return
        self._ended.clear()

    def _check_open(self) -> None:
        """Refuse to write after a failure: what follows a missing piece would look complete."""
        if self.failed or self._file.closed:
            raise RecordingError(f"{self.path}: is {'no longer writable' if self.failed else 'closed'}; start a new file")


def _sync(file: io.FileIO) -> None:
    getattr(os, "fdatasync", os.fsync)(file.fileno())


def _create(path: Path) -> tuple[io.FileIO, CheckLog]:
    """Make the file, its log and its folder, which only their owner can read; refuse to overwrite."""
    try:
        private.make_folder(path.parent)
    except OSError as error:
        raise RecordingError(
            f"{path.parent}: cannot be created ({error.strerror}); choose a folder that can be written"
        ) from error
    try:
        for other in (sidecar_path(path), log_path(path)):
            if other.exists():
                raise RecordingError(f"{other}: exists already and is never overwritten; choose another name")
        file = io.FileIO(path, "xb", opener=private.opener)
    except FileExistsError as error:
        raise RecordingError(f"{path}: exists already and is never overwritten; choose another name") from error
    except OSError as error:
        raise _not_made(path, error) from error
    try:
        log = CheckLog(path)
        _sync_folder(path.parent)
    except OSError as error:
        file.close()
        for made in (path, log_path(path)):
            made.unlink(missing_ok=True)
        raise _not_made(log_path(path), error) from error
    return file, log


def _not_made(path: Path, error: OSError) -> RecordingError:
    return RecordingError(f"{path}: cannot be created ({error.strerror}); choose a folder that can be written")


def _sync_folder(folder: Path) -> None:
    """Make the new file's name survive a power cut, where folders can be synced (not on Windows)."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
