"""Read XDF files that may be damaged, cut short or hostile: complete samples or a clear error, never a made-up value.

Format: https://github.com/sccn/xdf/wiki/Specifications. Stamps are as recorded: no clock is synchronised,
no jitter removed. Where a sample carries no stamp, it is the previous one plus one sample period, as the
specification says.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import BoolArray, FloatArray
from bci.errors import RecordingError
from bci.stream.files.boundary import LOOKED_AT, refuse_changed
from bci.stream.sidecar import Sidecar, damaged_blocks, read_sidecar, sha256_of
from bci.stream.unpack import is_compressed, unpacked
from bci.stream.xdf_format import DTYPES, StreamHeader
from bci.stream.xdf_scan import Buffer, FoundStream, Scan, Scanner, decode

Verified = Literal["verified", "unverified", "damaged"]


@dataclass(frozen=True, slots=True, eq=False)
class XdfStream:
    """One stream of a recording.

    Parameters
    ----------
    id : int
        Identifier inside the file.
    header : StreamHeader
        Name, type, format, nominal rate and the sender's full XML.
    values : ndarray, shape (n_samples, n_channels), or list of n_samples lists of n_channels str
        In the stream's own format.
    stamps : ndarray, shape (n_samples,)
        Raw stamps, seconds on the sender's clock. They may run backwards.
    chunk_ends : ndarray of int, shape (n_chunks,)
        Number of samples up to the end of each chunk, as they were recorded.
    offset_times, offsets : ndarray, shape (n_offsets,)
        When the clock offset was measured, as the file has it (on the sender's clock, in old recordings of ours on the
        recorder's: :func:`bci.stream.files.clocks.on_sender`), and what to add to stamps then, seconds. Empty: unknown.
    footer : dict or None
        The footer's fields as text (``sample_count``, ``note``, …); None where the stream was not closed.
    """

    id: int
    header: StreamHeader
    values: npt.NDArray[Any] | list[list[str]]
    stamps: FloatArray
    chunk_ends: npt.NDArray[np.int64]
    offset_times: FloatArray
    offsets: FloatArray
    footer: dict[str, str] | None

    def __len__(self) -> int:
        return len(self.stamps)

    @property
    def header_xml(self) -> str:
        """The sender's full description."""
        return self.header.xml

    @property
    def name(self) -> str:
        """LSL stream name."""
        return self.header.name

    @property
    def type(self) -> str:
        """LSL content type."""
        return self.header.type

    @property
    def channel_format(self) -> str:
        """``"int8"`` … ``"int64"``, ``"float32"``, ``"double64"`` or ``"string"``."""
        return self.header.channel_format

    @property
    def rate_hz(self) -> float:
        """Nominal rate; 0 for irregular streams."""
        return self.header.rate_hz


@dataclass(frozen=True, slots=True, eq=False)
class XdfFile:
    """A recording.

    Parameters
    ----------
    path : Path
    streams : tuple of XdfStream
        In the order of their headers.
    closed : bool
        Every stream has its footer: the recorder ended in good order.
    verified : {"verified", "unverified", "damaged"}
        ``"verified"``: the file is, byte for byte, what the recorder's sidecar says. ``"unverified"``: no
        contradiction was found, but there is no sidecar to compare with, so altered values would go
        unnoticed. ``"damaged"``: parts contradict the sidecar or each other; they are left out.
    sha256 : str
        Of the file; empty where it was not computed.
    problems : tuple of str
        What is wrong, and where.
    left_out : int
        Bytes that could not be used.
    header : dict
        The file header's fields as text (``version``, ``datetime``, …).
    order : ndarray of int
        Identifiers of the streams of all chunks of samples in the order in which they were written; those of clock offsets
        negative.
    """

    path: Path
    streams: tuple[XdfStream, ...]
    closed: bool
    verified: Verified
    sha256: str
    problems: tuple[str, ...]
    left_out: int
    header: dict[str, str] = field(default_factory=dict)
    order: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    def stream(self, name: str) -> XdfStream:
        """The one stream of that name or type.

        Raises
        ------
        RecordingError
            If there is none, or more than one.
        """
        found = [s for s in self.streams if s.name == name] or [s for s in self.streams if s.type == name]
        if len(found) == 1:
            return found[0]
        have = ", ".join(f"{s.name} ({s.type}, {len(s)} samples)" for s in self.streams)
        raise RecordingError(f"{self.path}: {len(found)} streams are named {name!r} or of that type; it holds {have or 'none'}")


def read_xdf(path: Path | str, verify: bool = True, stored: bool = False) -> XdfFile:
    """Read all streams of an XDF file.

    Parameters
    ----------
    path : Path or str
    verify : bool
        Compare with the sidecar of counts and checksums, where there is one.
    stored : bool
        Leave samples of streams with a rate in the file until they are asked for
        (:class:`~bci.stream.files.stored.StoredSamples`); a compressed file is read all the same.

    Raises
    ------
    RecordingError
        If the file cannot be read, is not XDF, or a stream header is unusable.
    """
    path = Path(path)
    with open_buffer(path) as data:
        try:
            found, verdict, sha256 = scan_file(path, data, verify)
            streams = streams_of(data, found, path if stored and isinstance(data, mmap.mmap) else None)
        except RecordingError:
            refuse_changed(path, data[:LOOKED_AT])
            raise
        if found.damaged:
            refuse_changed(path, data[:LOOKED_AT])
    if found.damaged:
        verdict = "damaged"
    closed = bool(streams) and not found.cut and all(s.footer is not None for s in streams)
    order = np.array(found.order, np.int64)
    return XdfFile(path, streams, closed, verdict, sha256, tuple(found.problems), found.left_out, found.header, order)


@contextmanager
def open_buffer(path: Path) -> Iterator[Buffer]:
    """The bytes of a file, mapped rather than read; those of a compressed one are unpacked in memory."""
    try:
        with open(path, "rb") as file:
            data: Buffer = unpacked(path, file) if is_compressed(file) else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except ValueError:  # an empty file cannot be mapped
        data = b""
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read ({error.strerror})") from error
    try:
        yield data
    finally:
        if isinstance(data, mmap.mmap):
            # Refused while an error is on its way up, whose traceback holds a view; the map then goes with it.
            with suppress(BufferError):
                data.close()


def scan_file(path: Path, data: Buffer, verify: bool = True, tolerant: bool = False) -> tuple[Scan, Verified, str]:
    """Find what is in a file, leaving out what its sidecar says is damaged.

    Returns
    -------
    found : Scan
    verified : {"verified", "unverified", "damaged"}
    sha256 : str
        Empty where there is no sidecar to compare with.
    """
    scanner = Scanner(data, str(path), tolerant)
    sidecar = _sidecar(path, scanner.found) if verify else None
    if sidecar is None:
        found = scanner.scan()
        _compare_footers(found)
        return found, "unverified", ""
    with memoryview(data) as view:
        sha256 = sha256_of(view)
        bad = [] if sha256 == sidecar.sha256 else damaged_blocks(view, sidecar)
    if sha256 != sidecar.sha256:
        _report_blocks(scanner.found, sidecar, bad, len(data))
    skip = bad if len(data) <= sidecar.size else [*bad, (sidecar.size, len(data))]
    found = scanner.scan([(start, min(end, len(data))) for start, end in skip if start < len(data)])
    _compare_counts(found, sidecar)
    return found, "damaged" if found.damaged else "verified", sha256


def streams_of(data: Buffer, found: Scan, stored: Path | None = None) -> tuple[XdfStream, ...]:
    """Decode all samples of all streams that were found; where a file is named, samples with a rate stay there."""
    return tuple(_stream(data, i, s, found, stored) for i, s in found.streams.items())


def _sidecar(path: Path, found: Scan) -> Sidecar | None:
    """The sidecar of a recording; a damaged one is a problem, not an error."""
    try:
        return read_sidecar(path)
    except RecordingError as error:
        found.problem(str(error), damage=False)
        return None


def _report_blocks(found: Scan, sidecar: Sidecar, bad: list[tuple[int, int]], size: int) -> None:
    """Say how the file differs from what its sidecar says."""
    if size != sidecar.size:
        found.problem(f"the file has {size} bytes; it had {sidecar.size} when it was closed")
    if not bad and size == sidecar.size:
        found.problem("the file's SHA-256 is not that of its sidecar, yet every block fits; the sidecar does not belong to it")
    for start, end in bad:
        lost = max(0, min(end, size) - start)
        found.left_out += lost
        found.problem(f"bytes {start} to {end} are not those that were recorded; {lost} bytes are left out")


def _compare_counts(found: Scan, sidecar: Sidecar) -> None:
    """Report streams with fewer samples than were written."""
    for sums in sidecar.streams:
        count = found.streams[sums.id].count if sums.id in found.streams else 0
        if count != sums.sample_count:
            found.problem(f"stream {sums.name!r}: {count} of {sums.sample_count} recorded samples are readable")


def _compare_footers(found: Scan) -> None:
    """Report streams whose footer counts other than what is there; LabRecorder's leaves out the last sample."""
    for stream in found.streams.values():
        claimed = (stream.footer or {}).get("sample_count", "")
        if claimed.isascii() and claimed.isdigit() and stream.count - int(claimed[:18]) not in (0, 1):
            found.problem(
                f"stream {stream.header.name!r}: its footer counts {claimed} samples, {stream.count} are there", damage=False
            )


def _stream(data: Buffer, stream_id: int, found: FoundStream, scan: Scan, stored: Path | None = None) -> XdfStream:
    """Decode all samples of one stream."""
    header = found.header
    count = found.count
    strings: list[list[str]] = []
    numeric = header.channel_format != "string"
    stays = stored is not None and numeric and header.rate_hz > 0
    numbers = np.empty((count if numeric and not stays else 0, header.n_channels), _native(header))
    stamps = np.empty(count)
    stamped = np.ones(count, bool)
    at = 0
    runs = np.frombuffer(found.runs, np.int64).reshape(-1, 3)
    for start, size, end in runs.tolist():
        values, stamps[at : at + size], stamped[at : at + size] = decode(data, header, (start, size, end))
        if header.channel_format == "string":
            strings += values
        elif not stays:
            numbers[at : at + size] = values
        at += size
    if not stamped.all():
        _deduce(stamps, stamped, header.rate_hz)
        if not stamped[0]:
            scan.problem(
                f"stream {header.name!r}: its first sample carries no stamp; stamps are NaN until one does", damage=False
            )
    offsets = np.array(found.offsets).reshape(-1, 2)
    return XdfStream(
        id=stream_id,
        header=header,
        values=_stored(stored, header, runs) if stored is not None and stays else numbers if numeric else strings,
        stamps=stamps,
        chunk_ends=np.cumsum(runs[:, 1]),
        offset_times=offsets[:, 0].copy(),
        offsets=offsets[:, 1].copy(),
        footer=found.footer,
    )


def _stored(path: Path, header: StreamHeader, runs: npt.NDArray[np.int64]) -> Any:
    """Samples that stay in the file; to whoever asks, an array."""
    from bci.stream.files.stored import xdf_samples

    return xdf_samples(path, header, runs.copy())


def _native(header: StreamHeader) -> np.dtype[Any]:
    """The array type of a stream's values, in this machine's byte order."""
    return np.dtype(np.uint8) if header.channel_format == "string" else DTYPES[header.channel_format].newbyteorder("=")


def _deduce(stamps: FloatArray, stamped: BoolArray, rate_hz: float) -> None:
    """Fill in stamps that were left out: the previous one plus one period, one after another."""
    period_s = 1.0 / rate_hz if rate_hz else 0.0
    filled = stamps.tolist()
    stamp = np.nan
    for i, given in enumerate(stamped.tolist()):
        stamp = filled[i] if given else stamp + period_s
        filled[i] = stamp
    stamps[:] = filled
