"""The last minutes of a recording that still grows, which a window that is opened late shows as the past.

Only the end is decoded, however long the file is; a chunk that is just being written is left for the live stream.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bci.engine.chunk import FloatArray
from bci.engine.stream_info import StreamInfo
from bci.errors import BciError
from bci.stream.metadata import stream_info
from bci.stream.units import scale_to_microvolts
from bci.stream.xdf.reader import open_buffer, scan_file
from bci.stream.xdf.samples import Buffer, decode
from bci.stream.xdf.scan import ScannedStream

FRESH_S = 30.0
LONGEST_S = 600.0


@dataclass(frozen=True, slots=True)
class Past:
    """The end of one recorded stream.

    Parameters
    ----------
    info : StreamInfo
    values : ndarray, shape (n_samples, n_channels), or list of str
        Signals in microvolts; numbers; or the first text of each sample.
    stamps : ndarray, shape (n_samples,)
        Raw stamps.
    """

    info: StreamInfo
    values: FloatArray | list[str]
    stamps: FloatArray


def tail(path: Path, seconds: float = LONGEST_S) -> list[Past]:
    """Return the last seconds of every stream in a recording.

    Parameters
    ----------
    path : Path
        May still be written to.
    seconds : float

    Raises
    ------
    RecordingError
        If the file cannot be read or is no recording.
    """
    with open_buffer(path) as data:
        found, _, _ = scan_file(path, data, verify=False, tolerant=True)
        return [past for stream in found.streams.values() if (past := _tail(data, stream, seconds)) is not None]


def growing(folder: Path, source_id: str) -> Path | None:
    """Return the recording in a folder that is being written and holds the stream ``source_id``; None if there is none.

    Parameters
    ----------
    folder : Path
        Searched with all that is below it.
    source_id : str
        Of any stream of the session.
    """
    now = time.time()
    recent = [(at, path) for path in folder.rglob("*.xdf") if path.is_file() and now - (at := _changed(path)) < FRESH_S]
    for _, path in sorted(recent, reverse=True):
        try:
            with open_buffer(path) as data:
                found, _, _ = scan_file(path, data, verify=False, tolerant=True)
        except BciError:
            continue
        if any(stream_info(s.header.xml).source_id == source_id for s in found.streams.values()):
            return path
    return None


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _tail(data: Buffer, stream: ScannedStream, seconds: float) -> Past | None:
    """Return the last seconds of one stream; None if it is empty."""
    try:
        info = stream_info(stream.header.xml)
    except BciError:
        return None
    pieces: list[tuple[Any, FloatArray]] = []
    for values, stamps in _backwards(data, stream):
        pieces.insert(0, (values, stamps))
        if pieces[-1][1][-1] - stamps[0] > seconds:
            break
    if not pieces:
        return None
    stamps = np.concatenate([s for _, s in pieces])
    if stream.header.channel_format == "string":
        return Past(info, [row[0] for values, _ in pieces for row in values], stamps)
    numbers = np.concatenate([np.asarray(v, np.float64).reshape(len(s), -1) for v, s in pieces])
    return Past(info, numbers * (scale_to_microvolts(info) if info.rate_hz > 0 else 1.0), stamps)


def _backwards(data: Buffer, stream: ScannedStream) -> Iterator[tuple[Any, FloatArray]]:
    """Yield the chunks from the newest on, as far as their samples carry stamps."""
    runs = np.frombuffer(stream.runs, np.int64).reshape(-1, 3)
    for start, size, end in runs[::-1].tolist():
        values, stamps, stamped = decode(data, stream.header, (start, size, end))
        if not size or not stamped.all():
            return
        yield values, stamps.copy()
