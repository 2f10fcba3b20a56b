"""Counts and checksums of a closed recording, in a JSON file beside it.

XDF has no checksums, so damage inside a sample cannot be seen in the file itself. The sidecar holds
one for the whole file, one for each stream, and one for each block of about 32 KiB at most, so that a reader
can tell which part is damaged and leave out only that.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from bci.errors import RecordingError
from bci.safe_io import private
from bci.safe_io.regular_file import read_regular
from bci.stream.xdf.check_log import most_beside

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StreamSums:
    """Counts and checksums of one written stream.

    Parameters
    ----------
    id : int
    name : str
    sample_count : int
    first_timestamp, last_timestamp : float or None
        Seconds; None without samples.
    clock_offsets : int
        Measurements; 0 means that the offset is unknown.
    notes : tuple of str
        What a reader should know: stream lost, offset unknown.
    sha256 : str
        Of all encoded samples; does not depend on how they were cut into chunks.
    """

    id: int
    name: str
    sample_count: int
    first_timestamp: float | None
    last_timestamp: float | None
    clock_offsets: int
    notes: tuple[str, ...]
    sha256: str


@dataclass(frozen=True, slots=True)
class Sidecar:
    """Counts and checksums of one closed file.

    Parameters
    ----------
    file : str
        Name of the recording, without folder.
    size : int
        Bytes.
    sha256 : str
        Of the whole file.
    streams : tuple of StreamSums
    blocks : tuple of (end, crc)
        Byte at which each block ends (always the end of a chunk) and its CRC-32.
    """

    file: str
    size: int
    sha256: str
    streams: tuple[StreamSums, ...]
    blocks: tuple[tuple[int, int], ...]


def sidecar_path(path: Path) -> Path:
    """Path of the sidecar of a recording.

    Parameters
    ----------
    path : Path
        Of the recording.

    Returns
    -------
    Path

    Examples
    --------
    >>> sidecar_path(Path("run-001_eeg.xdf")).name
    'run-001_eeg.xdf.checks.json'
    """
    return path.with_name(path.name + ".checks.json")


def write_sidecar(path: Path, sidecar: Sidecar) -> None:
    """Write the sidecar of a recording; it appears complete or not at all.

    Parameters
    ----------
    path : Path
        Of the recording.
    sidecar : Sidecar

    Raises
    ------
    RecordingError
        If it cannot be written.
    """
    fields: dict[str, Any] = {"version": 1, "closed": True, **asdict(sidecar)}
    fields["sidecar_crc32"] = _own_crc(fields)
    target = sidecar_path(path)
    partial = target.with_name(target.name + ".part")
    try:
        with open(partial, "w", encoding="utf-8", opener=private.opener) as file:
            file.write(json.dumps(fields))
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, target)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise RecordingError(
            f"{target}: counts and checksums cannot be written ({error.strerror}); "
            "the recording itself is complete, and checksums of its blocks are in the log in the same folder"
        ) from error


def read_sidecar(path: Path) -> Sidecar | None:
    """Read the sidecar of a recording.

    Parameters
    ----------
    path : Path
        Of the recording.

    Returns
    -------
    Sidecar or None
        None where there is none.

    Raises
    ------
    RecordingError
        If it is there but damaged.
    """
    target = sidecar_path(path)
    try:
        fields = json.loads(read_regular(target, most_beside(path)))
        whole = isinstance(fields, dict) and fields.pop("sidecar_crc32", None) == _own_crc(fields)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RecordingError(f"{target}: unreadable ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise RecordingError(f"{target}: unreadable ({error})") from error
    if not whole:
        raise RecordingError(f"{target}: damaged (its own checksum does not fit)")
    try:
        return Sidecar(
            file=_of(str, fields["file"]),
            size=_of(int, fields["size"]),
            sha256=_of(str, fields["sha256"]),
            streams=tuple(_sums(one) for one in _of(list, fields["streams"])),
            blocks=_blocks(_of(list, fields["blocks"])),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RecordingError(f"{target}: a field is missing or of the wrong kind ({error})") from error


def _sums(fields: dict[str, Any]) -> StreamSums:
    """What a sidecar says of one stream."""
    for name in ("id", "sample_count", "clock_offsets"):
        _of(int, fields[name])
    for name in ("name", "sha256"):
        _of(str, fields[name])
    for name in ("first_timestamp", "last_timestamp"):
        if not isinstance(fields[name], float | int | None):
            raise TypeError(f"{name} is no number")
    return StreamSums(**{**fields, "notes": tuple(_of(str, note) for note in _of(list, fields["notes"]))})


def _blocks(pairs: list[Any]) -> tuple[tuple[int, int], ...]:
    """Where each block ends, and its checksum; each ends behind the one before, else none would end a look at them all."""
    blocks = tuple((_of(int, end), _of(int, crc)) for end, crc in pairs)
    last = 0
    for end, _ in blocks:
        if end <= last:
            raise ValueError(f"a block ends at byte {end}, the one before at {last}")
        last = end
    return blocks


def _of(kind: type[T], value: object) -> T:
    """A value of exactly this kind.

    Raises
    ------
    TypeError
    """
    if type(value) is not kind:
        raise TypeError(f"{type(value).__name__} instead of {kind.__name__}")
    return value


def sha256_of(data: memoryview) -> str:
    """SHA-256 of a buffer, as a hexadecimal number.

    Parameters
    ----------
    data : memoryview

    Returns
    -------
    str
    """
    return hashlib.sha256(data).hexdigest()


def damaged_blocks(data: memoryview, blocks: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Find every block whose checksum does not fit, or that is not complete.

    Parameters
    ----------
    data : memoryview
        Bytes of the recording.
    blocks : iterable of tuple of (int, int)
        For each block the byte at which it ends, and its CRC-32.

    Returns
    -------
    list of tuple of (int, int)
        First byte of each damaged block, and the byte after it.
    """
    found = []
    start = 0
    for end, crc in blocks:
        if end > len(data) or zlib.crc32(data[start:end]) != crc:
            found.append((start, end))
        start = end
    return found


def _own_crc(fields: dict[str, Any]) -> int:
    """Checksum of the sidecar's own content."""
    return zlib.crc32(json.dumps(fields, sort_keys=True).encode())
