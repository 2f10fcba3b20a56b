"""Crash-proof XDF files: one write per chunk, never a half chunk left behind, never an old file overwritten.

Layout: https://github.com/sccn/xdf/wiki/Specifications (XDF 1.0). Every chunk goes to the operating
system in one unbuffered write, so a killed process loses at most the chunk being written. Checksums of what is on the
disk are kept in a log beside the file until it is closed (:mod:`bci.stream.xdf.checked_file`).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self
from xml.sax.saxutils import escape

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import FloatArray
from bci.errors import RecordingError
from bci.stream.xdf.checked_file import CheckedFile
from bci.stream.xdf.format import (
    MAGIC,
    SIGNATURE,
    Tag,
    chunk,
    clean_xml,
    encode_numeric,
    encode_strings,
    parse_header,
    varlen,
)
from bci.stream.xdf.sidecar import Sidecar, write_sidecar
from bci.stream.xdf.written_stream import WrittenStream

CollectionTimes = Literal["sender", "recorder"]


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
    tell : callable
        Receives one line for whatever a person should know and does not end the recording.

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
        tell: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._streams: dict[int, WrittenStream] = {}
        self._file = CheckedFile(Path(path), tell)
        when = f"<datetime>{escape(clean_xml(created))}</datetime>" if created else ""
        clock = f"<collection_times>{collection_times}</collection_times>"
        missing = "".join(f"<without>{escape(clean_xml(query))}</without>" for query in without)
        header = f'<?xml version="1.0"?><info><version>1.0</version>{when}{clock}{missing}</info>'
        try:
            self._file.append(MAGIC + chunk(Tag.FILE_HEADER, header.encode()))
        except RecordingError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def path(self) -> Path:
        """Where the file is: another place than at the start where it was moved since."""
        return self._file.path

    @property
    def lost(self) -> bool:
        """Whether the file was moved, and where to cannot be known."""
        return self._file.lost

    @property
    def closed(self) -> bool:
        """Whether nothing more can be written."""
        return self._file.closed

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._file.size

    def counts(self) -> dict[str, int]:
        """Samples written so far, by stream (name and identifier)."""
        return {f"{s.header.name} ({i})": s.count for i, s in self._streams.items()}

    def check(self, header_xml: str) -> None:
        """Refuse a stream's header that cannot be recorded.

        Parameters
        ----------
        header_xml : str
            The sender's full description, as LSL gives it.

        Raises
        ------
        RecordingError
            If it lacks a field that readers need.
        """
        parse_header(clean_xml(header_xml).encode("utf-8", "replace"), f"{self.path}: header of a stream")

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
        self._file.end_block()
        self._file.append(chunk(Tag.STREAM_HEADER, struct.pack("<I", stream_id) + raw))
        self._file.end_block()
        self._streams[stream_id] = WrittenStream(header)
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
        self._file.append(chunk(Tag.SAMPLES, struct.pack("<I", stream_id) + varlen(len(times)) + payload))
        stream.add(payload, times)

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
        self._file.append(chunk(Tag.CLOCK_OFFSET, struct.pack("<Idd", stream_id, time_s, offset_s)))
        self._streams[stream_id].offset_times.append(time_s)
        self._streams[stream_id].offsets.append(offset_s)

    def note(self, stream_id: int, text: str) -> None:
        """Add a remark to the footer and sidecar of a stream, for instance that it was lost.

        Parameters
        ----------
        stream_id : int
            As :meth:`add_stream` returned it.
        text : str
        """
        self._streams[stream_id].notes.append(text)

    def boundary(self) -> None:
        """Write a mark by which readers find their way after damage; about every 10 s."""
        self._file.append(chunk(Tag.BOUNDARY, SIGNATURE))
        self._file.end_block()

    def sync(self) -> None:
        """Have the operating system put everything on the disk, and look where the file is; about once a second.

        Raises
        ------
        RecordingError
            If that fails, or the file was removed meanwhile.
        """
        self._file.sync()

    def close(self) -> None:
        """Write footers and the sidecar, and close the file. May be called twice.

        After a write has failed, the file is closed as it is: valid, without footers.

        Raises
        ------
        RecordingError
            If footers or sidecar cannot be written, or the file is not where it could be found again.
        """
        if self._file.closed:
            return
        done = False
        try:
            with self._file:
                if self._file.failed:
                    self._file.log_rest()
                    return
                self._write_footers()
            self._finish()
            done = True
        except OSError as error:
            raise RecordingError(f"{self.path}: cannot be closed properly ({error.strerror})") from error
        finally:
            self._file.close_log(done)

    def _write_footers(self) -> None:
        """The end of a file that is whole."""
        for stream_id, stream in self._streams.items():
            self._file.append(chunk(Tag.STREAM_FOOTER, struct.pack("<I", stream_id) + stream.footer().encode("utf-8", "replace")))
        self.sync()

    def _finish(self) -> None:
        """The sidecar, which the log is not needed beside."""
        if self.lost:
            raise RecordingError(
                f"{self.path}: was moved away while it was being recorded; it is complete, with all footers, but where it is now "
                "cannot be known from here, so nothing was written beside it"
            )
        streams = tuple(s.sums(i) for i, s in self._streams.items())
        sums = Sidecar(self.path.name, self.size, self._file.sha256, streams, tuple(self._file.blocks()))
        write_sidecar(self.path, sums)
