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
from typing import Literal

import numpy as np
import numpy.typing as npt

from bci.errors import RecordingError
from bci.safe_io.regular_file import open_regular
from bci.stream.files.boundary import LOOKED_AT, refuse_changed
from bci.stream.files.unpack import is_compressed, unpacked
from bci.stream.xdf.check_log import log_path, read_log
from bci.stream.xdf.samples import Buffer
from bci.stream.xdf.scan import Scan, Scanner
from bci.stream.xdf.sidecar import Sidecar, damaged_blocks, read_sidecar, sha256_of
from bci.stream.xdf.streams import XdfStream, streams_of

Verified = Literal["verified", "unverified", "damaged"]


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
    checked : str
        Of a file that was not closed: how far it was compared with the checksums that were kept while it was recorded, in
        words; empty where there are none.
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
    checked: str = ""

    def stream(self, name: str) -> XdfStream:
        """Return the one stream with a name or a type.

        Parameters
        ----------
        name : str
            The name or the type.

        Returns
        -------
        XdfStream

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
    checked = _checked(found, streams)
    return XdfFile(path, streams, closed, verdict, sha256, tuple(found.problems), found.left_out, found.header, order, checked)


@contextmanager
def open_buffer(path: Path) -> Iterator[Buffer]:
    """Give access to the bytes of a file: mapped rather than read; those of a compressed file are unpacked in memory.

    Parameters
    ----------
    path : Path
        Of the file.

    Yields
    ------
    Buffer

    Raises
    ------
    RecordingError
        If it cannot be opened or unpacked.
    """
    try:
        with open_regular(path) as file:
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

    Parameters
    ----------
    path : Path
        Of the file.
    data : Buffer
        Its bytes.
    verify : bool
        Whether they are compared with the checksums beside the file.
    tolerant : bool
        Whether an unusable stream header is a problem that is noted, and no error.

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
        found = scanner.scan(_by_log(path, data, scanner.found) if verify else ())
        _compare_footers(found)
        return found, "damaged" if found.damaged else "unverified", ""
    with memoryview(data) as view:
        sha256 = sha256_of(view)
        bad = [] if sha256 == sidecar.sha256 else damaged_blocks(view, sidecar.blocks)
    if sha256 != sidecar.sha256:
        _report_blocks(scanner.found, sidecar, bad, len(data))
    skip = bad if len(data) <= sidecar.size else [*bad, (sidecar.size, len(data))]
    found = scanner.scan([(start, min(end, len(data))) for start, end in skip if start < len(data)])
    _compare_counts(found, sidecar)
    return found, "damaged" if found.damaged else "verified", sha256


def _sidecar(path: Path, found: Scan) -> Sidecar | None:
    """The sidecar of a recording; a damaged one is a problem, not an error."""
    try:
        return read_sidecar(path)
    except RecordingError as error:
        found.problem(str(error), damage=False)
        return None


def _by_log(path: Path, data: Buffer, found: Scan) -> list[tuple[int, int]]:
    """Spans that contradict the checksums that were kept while a file was recorded that was never closed.

    A log of which most blocks do not fit is that of another file, and says nothing about this one.
    """
    blocks = read_log(path)
    there = [block for block in blocks if block[0] <= len(data)]
    with memoryview(data) as view:
        bad = damaged_blocks(view, there)
    if len(bad) > len(there) // 2:
        found.problem(f"{log_path(path)}: is not the log of this file, so the file was not compared with it", damage=False)
        return []
    if len(there) < len(blocks):
        found.problem(f"the file has {len(data)} bytes; it had at least {blocks[-1][0]} when it was recorded")
    found.checked = there[-1][0] if there else 0
    _report_bad(found, bad, len(data))
    return bad


def _checked(found: Scan, streams: tuple[XdfStream, ...]) -> str:
    """How far a file that was not closed agrees with its log, said of the stream with the most samples."""
    if not found.checked or not streams:
        return ""
    longest = max(streams, key=lambda s: (s.rate_hz > 0, len(s)))
    runs = np.frombuffer(found.streams[longest.id].runs, np.int64).reshape(-1, 3)
    n = int(runs[runs[:, 2] <= found.checked, 1].sum())
    if n == len(longest):
        return f"verified up to its last sample ({n} of {longest.name!r}), from checksums that were kept while it was recorded"
    reached, whole = (_clock(longest.stamps[k - 1] - longest.stamps[0]) if k else "0:00" for k in (n, len(longest)))
    return f"verified up to sample {n} of {longest.name!r} ({reached} of {whole}), the rest is unverified"


def _clock(seconds: float) -> str:
    """Minutes and seconds.

    >>> _clock(754.2)
    '12:34'
    """
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}" if np.isfinite(seconds) else "?"


def _report_blocks(found: Scan, sidecar: Sidecar, bad: list[tuple[int, int]], size: int) -> None:
    """Say how the file differs from what its sidecar says."""
    if size != sidecar.size:
        found.problem(f"the file has {size} bytes; it had {sidecar.size} when it was closed")
    if not bad and size == sidecar.size:
        found.problem("the file's SHA-256 is not that of its sidecar, yet every block fits; the sidecar does not belong to it")
    _report_bad(found, bad, size)


def _report_bad(found: Scan, bad: list[tuple[int, int]], size: int) -> None:
    """Name the spans that are left out."""
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
