"""Recover what is readable of a damaged XDF, EDF or BDF file into a new, closed one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bci.errors import RecordingError
from bci.stream.files.boundary import in_words
from bci.stream.files.clocks import on_sender
from bci.stream.files.edf import check_edf, good_header, with_count
from bci.stream.xdf.reader import open_buffer, scan_file
from bci.stream.xdf.sidecar import read_sidecar
from bci.stream.xdf.streams import XdfStream, streams_of
from bci.stream.xdf.writer import CollectionTimes, XdfWriter

BOUNDARY_EVERY_BYTES = 1 << 20
PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Salvaged:
    """The result of a salvage.

    Parameters
    ----------
    path : Path
        The new file.
    recovered : dict
        Samples by stream name (and identifier in the old file).
    missing : dict
        Samples that the old file's sidecar or footers promise beyond that, by the same names; without
        either, what is missing cannot be counted and the stream is not listed.
    left_out : int
        Bytes of the old file that could not be used.
    problems : tuple of str
        What was wrong, and where.
    """

    path: Path
    recovered: dict[str, int]
    missing: dict[str, int]
    left_out: int
    problems: tuple[str, ...]


def salvage(path: Path | str, out: Path | str | None = None) -> Salvaged:
    """Write every complete, undamaged sample of ``path`` into a new file; ``path`` itself is only read.

    Chunks keep their order and their cut. Stamps that were left out in the old file are written out.

    Parameters
    ----------
    path : Path or str
    out : Path or str or None
        The new file, which must not exist; ``NAME_salvaged.xdf`` (or ``.edf``, ``.bdf``) for None.

    Raises
    ------
    RecordingError
        If there is nothing to recover, or the new file cannot be written.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind in (".edf", ".bdf"):
        return _salvage_edf(path, path.with_name(f"{path.stem}_salvaged{kind}") if out is None else Path(out))
    if kind not in (".xdf", ".xdfz", ".gz"):
        raise RecordingError(
            f"{path}: only XDF, EDF and BDF files can be salvaged; other damaged files are read up to the damage"
        )
    stem = path.stem.removesuffix(".xdf")
    target = path.with_name(f"{stem}_salvaged.xdf") if out is None else Path(out)
    with open_buffer(path) as data:
        found, _, _ = scan_file(path, data, tolerant=True)
        streams = streams_of(data, found)
    if not streams:
        raise RecordingError(f"{path}: no stream header is readable, so nothing can be recovered")
    clock: CollectionTimes = "sender" if on_sender(found.header, streams) else "recorder"
    with XdfWriter(target, collection_times=clock) as writer, _gone_on_failure(target):
        _copy(writer, {s.id: s for s in streams}, list(found.order))
    return Salvaged(
        path=target,
        recovered={_title(s): len(s) for s in streams},
        missing=_missing(path, streams),
        left_out=found.left_out,
        problems=tuple(found.problems),
    )


def _salvage_edf(path: Path, target: Path) -> Salvaged:
    """The whole records of an EDF or BDF file, under a header that counts them."""
    with in_words(path):
        layout = check_edf(path)
        size = path.stat().st_size
    kept = layout.header_size + layout.held * layout.record_size
    try:
        with path.open("rb") as old, target.open("xb") as new, _gone_on_failure(target):
            new.write(with_count(good_header(old.read(layout.header_size), layout), layout.held))
            left = kept - layout.header_size
            while piece := old.read(min(left, PIECE_BYTES)):
                new.write(piece)
                left -= len(piece)
    except FileExistsError as error:
        raise RecordingError(f"{target}: exists already and is never overwritten; choose another name with -o") from error
    except OSError as error:
        raise RecordingError(f"{target}: cannot be written ({error.strerror})") from error
    groups = Counter(layout.per_record)
    names = {n: f"each of {many} signals" if many > 1 else f"the signal of {n} samples a record" for n, many in groups.items()}
    return Salvaged(
        path=target,
        recovered={name: n * layout.held for n, name in names.items()},
        missing={name: n * layout.missing for n, name in names.items() if layout.missing},
        left_out=size - kept,
        problems=layout.notes(),
    )


@contextmanager
def _gone_on_failure(target: Path) -> Iterator[None]:
    """Leave no half of a file behind."""
    try:
        yield
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _copy(writer: XdfWriter, streams: dict[int, XdfStream], order: list[int]) -> None:
    """Write all chunks in their old order."""
    ids = {i: writer.add_stream(s.header_xml) for i, s in streams.items()}
    chunks = {i: zip(np.append(0, s.chunk_ends[:-1]).tolist(), s.chunk_ends.tolist(), strict=False) for i, s in streams.items()}
    offsets = {i: zip(s.offset_times.tolist(), s.offsets.tolist(), strict=True) for i, s in streams.items()}
    marked = writer.size
    for entry in order:
        stream_id = abs(entry)
        if entry < 0:
            writer.write_offset(ids[stream_id], *next(offsets[stream_id]))
        else:
            start, end = next(chunks[stream_id])
            stream = streams[stream_id]
            writer.write(ids[stream_id], stream.values[start:end], stream.stamps[start:end])
        if writer.size - marked > BOUNDARY_EVERY_BYTES:
            writer.boundary()
            marked = writer.size
    for stream_id in ids.values():
        writer.note(stream_id, "salvaged from a damaged recording")


def _missing(path: Path, streams: tuple[XdfStream, ...]) -> dict[str, int]:
    """How many samples were promised and not found."""
    promised = {
        s.id: int(s.footer["sample_count"][:18]) for s in streams if s.footer and s.footer.get("sample_count", "").isdecimal()
    }
    try:
        sidecar = read_sidecar(path)
    except RecordingError:
        sidecar = None
    if sidecar is not None:
        promised |= {s.id: s.sample_count for s in sidecar.streams}
    short = {_title(s): promised[s.id] - len(s) for s in streams if s.id in promised}
    return {name: count for name, count in short.items() if count > 0}


def _title(stream: XdfStream) -> str:
    """Name and identifier, since names may repeat."""
    return f"{stream.name} ({stream.id})"
