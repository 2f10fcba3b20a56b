"""Crash-proof XDF files: one write per chunk, never a half chunk left behind, never an old file overwritten.

Layout: https://github.com/sccn/xdf/wiki/Specifications (XDF 1.0). Every chunk goes to the operating
system in one unbuffered write, so a killed process loses at most the chunk being written.
"""

from __future__ import annotations

import hashlib
import io
import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self
from xml.sax.saxutils import escape

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import FloatArray
from bci.errors import RecordingError
from bci.stream.sidecar import Sidecar, StreamSums, sidecar_path, write_sidecar
from bci.stream.xdf_format import (
    MAGIC,
    SIGNATURE,
    StreamHeader,
    Tag,
    chunk,
    clean_xml,
    encode_numeric,
    encode_strings,
    parse_header,
    varlen,
)

BLOCK_BYTES = 32 << 10
CollectionTimes = Literal["sender", "recorder"]


class _Written:
    """What has been written of one stream so far."""

    def __init__(self, header: StreamHeader) -> None:
        self.header = header
        self.count = 0
        self.first: float | None = None
        self.last: float | None = None
        self.offsets: list[tuple[float, float]] = []
        self.notes: list[str] = []
        self.digest = hashlib.sha256()

    def footer(self) -> str:
        """The stream footer, with the fields that LabRecorder writes and our notes."""
        fields = []
        if self.first is not None and self.last is not None:
            fields.append(f"<first_timestamp>{self.first!r}</first_timestamp><last_timestamp>{self.last!r}</last_timestamp>")
            if self.last > self.first:
                fields.append(f"<measured_srate>{(self.count - 1) / (self.last - self.first)!r}</measured_srate>")
        offsets = "".join(f"<offset><time>{t!r}</time><value>{v!r}</value></offset>" for t, v in self.offsets)
        notes = "".join(f"<note>{escape(clean_xml(note))}</note>" for note in self.all_notes())
        return (
            f'<?xml version="1.0"?><info><writer>bci</writer>{"".join(fields)}<sample_count>{self.count}</sample_count>'
            f"<clock_offsets>{offsets}</clock_offsets>{notes}</info>"
        )

    def all_notes(self) -> tuple[str, ...]:
        """Notes given, and whether the clock offset stayed unknown."""
        return (*self.notes, *(() if self.offsets else ("clock offset unknown",)))

    def sums(self, stream_id: int) -> StreamSums:
        """Counts and checksum for the sidecar."""
        return StreamSums(
            id=stream_id,
            name=self.header.name,
            sample_count=self.count,
            first_timestamp=self.first,
            last_timestamp=self.last,
            clock_offsets=len(self.offsets),
            notes=self.all_notes(),
            sha256=self.digest.hexdigest(),
        )


class XdfWriter:
    """Write one XDF file.

    Parameters
    ----------
    path : Path or str
        Must not exist; its folder is made where missing.
    created : str
        Date and time for the file header, ISO 8601; left out where empty.
    collection_times : {"sender", "recorder"}
        On which clock the times of clock offsets are; the header says so. ``"sender"`` is what other readers expect.
    without : sequence of str
        Queries of streams that were asked for and were not there when it began, for the file header.

    Raises
    ------
    RecordingError
        If the file exists or cannot be made.
    """

    def __init__(
        self,
        path: Path | str,
        created: str = "",
        collection_times: CollectionTimes = "sender",
        without: Sequence[str] = (),
    ) -> None:
        self.path = Path(path)
        self._streams: dict[int, _Written] = {}
        self._blocks: list[tuple[int, int]] = []
        self._block_start = self._block_crc = self._size = 0
        self._digest = hashlib.sha256()
        self._file = _create(self.path)
        self._failed = False
        when = f"<datetime>{escape(clean_xml(created))}</datetime>" if created else ""
        clock = f"<collection_times>{collection_times}</collection_times>"
        missing = "".join(f"<without>{escape(clean_xml(query))}</without>" for query in without)
        header = f'<?xml version="1.0"?><info><version>1.0</version>{when}{clock}{missing}</info>'
        try:
            self._put(MAGIC + chunk(Tag.FILE_HEADER, header.encode()))
        except RecordingError:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def closed(self) -> bool:
        """Whether nothing more can be written."""
        return self._file.closed

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._size

    def counts(self) -> dict[str, int]:
        """Samples written so far, by stream (name and identifier)."""
        return {f"{s.header.name} ({i})": s.count for i, s in self._streams.items()}

    def add_stream(self, header_xml: str) -> int:
        """Declare a stream; return its identifier for :meth:`write`.

        Parameters
        ----------
        header_xml : str
            The sender's full description, as LSL gives it.

        Raises
        ------
        RecordingError
            If the header lacks a field that readers need, or cannot be written.
        """
        stream_id = len(self._streams) + 1
        raw = clean_xml(header_xml).encode("utf-8", "replace")
        header = parse_header(raw, f"{self.path}: header of stream {stream_id}")
        # A block of its own: damage among the samples must not cost the header.
        self._end_block()
        self._put(chunk(Tag.STREAM_HEADER, struct.pack("<I", stream_id) + raw))
        self._end_block()
        self._streams[stream_id] = _Written(header)
        return stream_id

    def write(self, stream_id: int, values: npt.NDArray[Any] | Sequence[Sequence[str]], stamps: FloatArray) -> None:
        """Write consecutive samples of one stream as one chunk.

        Parameters
        ----------
        stream_id : int
        values : ndarray, shape (n_samples, n_channels), or n_samples sequences of n_channels str
            In the stream's own format.
        stamps : ndarray, shape (n_samples,)
            Raw stamps of the sender, seconds; written as they are.

        Raises
        ------
        RecordingError
            If the samples do not fit the header, or cannot be written (disk full, file removed).
        """
        stream = self._streams[stream_id]
        times = np.asarray(stamps, dtype=np.float64)
        if not len(times):
            return
        if stream.header.channel_format == "string":
            payload = encode_strings(stream.header, values, times)  # type: ignore[arg-type]
        else:
            payload = encode_numeric(stream.header, values, times)
        self._put(chunk(Tag.SAMPLES, struct.pack("<I", stream_id) + varlen(len(times)) + payload))
        stream.digest.update(payload)
        stream.count += len(times)
        stream.first = float(times[0]) if stream.first is None else stream.first
        stream.last = float(times[-1])

    def write_offset(self, stream_id: int, time_s: float, offset_s: float) -> None:
        """Write one measurement of the offset between the sender's clock and ours.

        Parameters
        ----------
        stream_id : int
        time_s : float
            When it was measured, seconds on the clock that the file header names: the sender's.
        offset_s : float
            To be added to the sender's stamps, seconds.

        Raises
        ------
        RecordingError
            If either is not finite, or it cannot be written.
        """
        if not (np.isfinite(time_s) and np.isfinite(offset_s)):
            raise RecordingError(
                f"stream {self._streams[stream_id].header.name!r}: clock offset {offset_s} at {time_s} s is not a number; "
                "an offset that is not known is left out"
            )
        self._put(chunk(Tag.CLOCK_OFFSET, struct.pack("<Idd", stream_id, time_s, offset_s)))
        self._streams[stream_id].offsets.append((float(time_s), float(offset_s)))

    def note(self, stream_id: int, text: str) -> None:
        """Add a remark to the footer and sidecar of a stream, for instance that it was lost."""
        self._streams[stream_id].notes.append(text)

    def boundary(self) -> None:
        """Write a mark by which readers find their way after damage; about every 10 s."""
        self._put(chunk(Tag.BOUNDARY, SIGNATURE))
        self._end_block()

    def sync(self) -> None:
        """Have the operating system put everything on the disk; about once a second.

        Raises
        ------
        RecordingError
            If that fails, or the file was removed meanwhile.
        """
        self._check_open()
        try:
            getattr(os, "fdatasync", os.fsync)(self._file.fileno())
            links = os.fstat(self._file.fileno()).st_nlink
        except OSError as error:
            self._failed = True
            raise RecordingError(f"{self.path}: cannot be put on disk ({error.strerror})") from error
        if links == 0:
            self._failed = True
            raise RecordingError(
                f"{self.path}: was removed while it was recorded; nothing of it can be kept. Record to another folder"
            )

    def close(self) -> None:
        """Write footers and the sidecar, and close the file. May be called twice.

        After a write has failed, the file is closed as it is: valid, without footers.

        Raises
        ------
        RecordingError
            If footers or sidecar cannot be written.
        """
        if self._file.closed:
            return
        with self._file:
            if self._failed:
                return
            for stream_id, stream in self._streams.items():
                self._put(chunk(Tag.STREAM_FOOTER, struct.pack("<I", stream_id) + stream.footer().encode("utf-8", "replace")))
            self._end_block()
            self.sync()
        streams = tuple(s.sums(i) for i, s in self._streams.items())
        write_sidecar(self.path, Sidecar(self.path.name, self._size, self._digest.hexdigest(), streams, tuple(self._blocks)))

    def _put(self, raw: bytes) -> None:
        """Write complete chunks, or leave the file as it was and raise."""
        self._check_open()
        rest = memoryview(raw)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self._failed = True
            self._file.truncate(self._size)
            raise RecordingError(
                f"{self.path}: cannot be written after {self._size} bytes ({error.strerror}); what is written stays valid. "
                "Free space or record to another disk"
            ) from error
        self._size += len(raw)
        self._digest.update(raw)
        self._block_crc = zlib.crc32(raw, self._block_crc)
        if self._size - self._block_start >= BLOCK_BYTES:
            self._end_block()

    def _end_block(self) -> None:
        """Close the current checksum block."""
        if self._size > self._block_start:
            self._blocks.append((self._size, self._block_crc))
            self._block_start, self._block_crc = self._size, 0

    def _check_open(self) -> None:
        """Refuse to write after a failure: chunks after a missing one would look complete."""
        if self._failed or self._file.closed:
            raise RecordingError(f"{self.path}: is {'no longer writable' if self._failed else 'closed'}; start a new file")


def _create(path: Path) -> io.FileIO:
    """Make the file and its folder; refuse to overwrite."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordingError(f"{path.parent}: cannot be made ({error.strerror}); choose a folder that can be written") from error
    try:
        if sidecar_path(path).exists():
            raise RecordingError(f"{sidecar_path(path)}: exists already and is never overwritten; choose another name")
        file = io.FileIO(path, "xb")
    except FileExistsError as error:
        raise RecordingError(f"{path}: exists already and is never overwritten; choose another name") from error
    except OSError as error:
        raise RecordingError(f"{path}: cannot be created ({error.strerror}); choose a folder that can be written") from error
    _sync_folder(path.parent)
    return file


def _sync_folder(folder: Path) -> None:
    """Make the new file's name survive a power cut, where folders can be synced (not on Windows)."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
