"""The streams of an XDF file with all their samples, decoded from the chunks that a scan has found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import BoolArray, FloatArray
from bci.stream.xdf.format import DTYPES, StreamHeader
from bci.stream.xdf.samples import Buffer, decode, decode_single
from bci.stream.xdf.scan import Scan, ScannedStream

BLOCK = 1 << 16


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


def streams_of(data: Buffer, found: Scan, stored: Path | None = None) -> tuple[XdfStream, ...]:
    """Decode all samples of all streams that were found.

    Parameters
    ----------
    data : Buffer
        Bytes of the file.
    found : Scan
    stored : Path, optional
        The file, where the samples of streams with a rate are to stay in it.

    Returns
    -------
    tuple of XdfStream
    """
    return tuple(_stream(data, i, s, found, stored) for i, s in found.streams.items())


def _stream(data: Buffer, stream_id: int, found: ScannedStream, scan: Scan, stored: Path | None = None) -> XdfStream:
    """Decode all samples of one stream."""
    header = found.header
    count = found.count
    strings: list[list[str]] = []
    numeric = header.channel_format != "string"
    stays = stored is not None and numeric and header.rate_hz > 0
    numbers = np.empty((count if numeric and not stays else 0, header.n_channels), _native(header))
    stamps = np.empty(count)
    stamped = np.ones(count, bool)
    runs = np.frombuffer(found.runs, np.int64).reshape(-1, 3)
    first = np.cumsum(runs[:, 1]) - runs[:, 1]
    alone = (runs[:, 1] == 1) & numeric
    if alone.any():
        values, stamps[first[alone]], stamped[first[alone]] = decode_single(data, header, runs[alone, 0], runs[alone, 2])
        if not stays:
            numbers[first[alone]] = values
    for at, (start, size, end) in zip(first[~alone].tolist(), runs[~alone].tolist(), strict=True):
        values, stamps[at : at + size], stamped[at : at + size] = decode(data, header, (start, size, end))
        if not numeric:
            strings += values
        elif not stays:
            numbers[at : at + size] = values
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
    """Samples that stay in the file; numpy sees an array."""
    from bci.stream.files.stored import xdf_samples

    return xdf_samples(path, header, runs.copy())


def _native(header: StreamHeader) -> np.dtype[Any]:
    """The array type of a stream's values, in this machine's byte order."""
    return np.dtype(np.uint8) if header.channel_format == "string" else DTYPES[header.channel_format].newbyteorder("=")


def _deduce(stamps: FloatArray, stamped: BoolArray, rate_hz: float) -> None:
    """Fill in stamps that were left out: the previous one plus one period, one after another."""
    period_s = 1.0 / rate_hz if rate_hz else 0.0
    stamp = np.nan
    for start in range(0, len(stamps), BLOCK):  # as plain numbers, samples take several times their memory
        filled = stamps[start : start + BLOCK].tolist()
        for i, given in enumerate(stamped[start : start + BLOCK].tolist()):
            stamp = filled[i] if given else stamp + period_s
            filled[i] = stamp
        stamps[start : start + BLOCK] = filled
