"""Counts and checksums of a closed recording, in a JSON file beside it.

XDF has no checksums, so damage inside a sample cannot be seen in the file itself. The sidecar holds
one for the whole file, one for each stream, and one for each block of about 32 KiB, so that a reader
can tell which part is damaged and leave out only that.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bci.errors import RecordingError

MAX_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class StreamSums:
    """What was written of one stream.

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
    """Where the sidecar of a recording lies.

    >>> sidecar_path(Path("run-001_eeg.xdf")).name
    'run-001_eeg.xdf.checks.json'
    """
    return path.with_name(path.name + ".checks.json")


def write_sidecar(path: Path, sidecar: Sidecar) -> None:
    """Write the sidecar of the recording at ``path``; it appears complete or not at all.

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
        with open(partial, "w", encoding="utf-8") as file:
            json.dump(fields, file, indent=1, allow_nan=True)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, target)
    except OSError as error:
        raise RecordingError(
            f"{target}: counts and checksums cannot be written ({error.strerror}); "
            "the recording itself is complete, but cannot be verified later"
        ) from error


def read_sidecar(path: Path) -> Sidecar | None:
    """Read the sidecar of the recording at ``path``; None where there is none.

    Raises
    ------
    RecordingError
        If it is there but damaged.
    """
    target = sidecar_path(path)
    try:
        if target.stat().st_size > MAX_BYTES:
            raise RecordingError(f"{target}: larger than {MAX_BYTES} bytes, so it is not one of ours")
        fields = json.loads(target.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise RecordingError(f"{target}: unreadable ({error})") from error
    if not isinstance(fields, dict) or fields.pop("sidecar_crc32", None) != _own_crc(fields):
        raise RecordingError(f"{target}: damaged (its own checksum does not fit)")
    try:
        return Sidecar(
            file=fields["file"],
            size=fields["size"],
            sha256=fields["sha256"],
            streams=tuple(StreamSums(**{**s, "notes": tuple(s["notes"])}) for s in fields["streams"]),
            blocks=tuple((int(end), int(crc)) for end, crc in fields["blocks"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RecordingError(f"{target}: a field is missing or of the wrong kind ({error})") from error


def sha256_of(data: memoryview) -> str:
    """SHA-256 of a buffer, as hexadecimal text."""
    return hashlib.sha256(data).hexdigest()


def damaged_blocks(data: memoryview, sidecar: Sidecar) -> list[tuple[int, int]]:
    """First byte and end of every block whose checksum does not fit, or that is not all there."""
    found = []
    start = 0
    for end, crc in sidecar.blocks:
        if end > len(data) or zlib.crc32(data[start:end]) != crc:
            found.append((start, end))
        start = end
    return found


def _own_crc(fields: dict[str, Any]) -> int:
    """Checksum of the sidecar's own content."""
    return zlib.crc32(json.dumps(fields, sort_keys=True).encode())
