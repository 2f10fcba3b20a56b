"""Headers of EDF and BDF files, checked before a reader trusts them, and complete files made of those that were cut short.

Layout: B. Kemp et al., "A simple format for exchange of digitized polygraphic recordings", 1992, and "European data
format 'plus'", 2003: 256 bytes, then 256 for each signal, then records of equal size.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from bci.errors import RecordingError
from bci.stream.files.boundary import refuse_text_transfer
from bci.stream.units import canonical_unit, microvolts_per

RECORDS_AT, RECORDS_END = 236, 244
"""Bytes of the header that hold the number of records."""
_BIOSEMI = b"\xffBIOSEMI"


@dataclass(frozen=True, slots=True)
class EdfLayout:
    """The layout of an EDF or BDF file.

    Parameters
    ----------
    n_signals : int
    header_size, record_size : int
        Bytes.
    record_s : float
        Duration of a record, seconds.
    declared : int
        Records that the header promises; -1 where the recorder did not come to write it.
    labels : tuple of str
    per_record : tuple of int
        Samples of each signal in a record.
    held : int
        Whole records that are there.
    rest : int
        Bytes behind them.
    """

    n_signals: int
    header_size: int
    record_size: int
    record_s: float
    declared: int
    labels: tuple[str, ...]
    per_record: tuple[int, ...]
    held: int
    rest: int

    @property
    def missing(self) -> int:
        """Records that were promised and are not there."""
        return max(0, self.declared - self.held)

    @property
    def whole(self) -> bool:
        """Whether header and content agree."""
        return self.declared == self.held and not self.rest

    def notes(self) -> tuple[str, ...]:
        """Notes for the person on a file that does not agree with its header."""
        if self.whole:
            return ()
        held = f"{self.held} whole records ({self.held * self.record_s:g} s) are read"
        if self.missing:
            lost = f"{self.missing} of {self.declared} records ({self.missing * self.record_s:g} s) are missing at its end"
            return (f"was cut short: {lost}; {held}",)
        if self.declared < 0:
            return (f"was not closed by its recorder, so its header does not say how long it is; {held}",)
        if self.held > self.declared:
            return (f"is longer than its header says ({self.declared} records); {held}",)
        return (f"has {self.rest} bytes after its last record, which are not read",)


def check_edf(path: Path) -> EdfLayout:
    """Refuse an EDF or BDF header that would make a reader ask for more than the file can hold.

    Fields may be padded with NUL instead of blanks.

    Parameters
    ----------
    path : Path
        Of the file.

    Returns
    -------
    EdfLayout

    Raises
    ------
    RecordingError
        If the header contradicts the file's size or itself.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(256)
        _check_kind(path, head)
        n_signals = int(_number(path, head[252:256], "number of signals", 1, 4096))
        # A recorder that was interrupted has written -1, or nothing yet.
        records = head[RECORDS_AT:RECORDS_END]
        n_records = int(_number(path, records, "number of records", -1, 10**8)) if records.strip(b"\0 ") else -1
        record_s = _number(path, head[244:252], "duration of a record", 0, 10**6, whole=False)
        header_size = 256 * (n_signals + 1)
        fields = file.read(header_size - 256)
    if len(fields) != header_size - 256:
        raise RecordingError(f"{path}: ends inside its header ({size} of {header_size} bytes); copy it again")
    labels = tuple(fields[16 * i : 16 * i + 16].replace(b"\0", b" ").decode("latin-1").strip() for i in range(n_signals))
    counts = fields[216 * n_signals : 224 * n_signals]
    per_record = [int(_number(path, counts[8 * i : 8 * i + 8], f"samples of signal {i + 1}", 1, 10**7)) for i in range(n_signals)]
    record_size = sum(per_record) * (3 if path.suffix.lower() == ".bdf" else 2)
    if size < header_size + record_size:
        raise RecordingError(f"{path}: contains no complete record ({size} bytes; one needs {header_size + record_size})")
    refuse_text_transfer(path, header_size)
    held, rest = divmod(size - header_size, record_size)
    return EdfLayout(n_signals, header_size, record_size, record_s, n_records, labels, tuple(per_record), held, rest)


def mended(path: Path, layout: EdfLayout, folder: Path) -> Path:
    """The file itself, or where its header is not as other readers take it, a copy of which it is.

    Readers take "C3" padded with NUL for another name, and do not know each spelling of a microvolt.

    Parameters
    ----------
    path : Path
    layout : EdfLayout
    folder : Path
        Where to put the copy.
    """
    with path.open("rb") as file:
        header = file.read(layout.header_size)
        good = good_header(header, layout)
        if good == header:
            return path
        copy = folder / path.name
        with copy.open("wb") as other:
            other.write(good)
            shutil.copyfileobj(file, other)
    return copy


def good_header(header: bytes, layout: EdfLayout) -> bytes:
    """Rewrite a header so that every reader accepts it.

    It is padded with blanks, its units have their common spelling, and the number of records is written.

    Parameters
    ----------
    header : bytes
        As it is in the file.
    layout : EdfLayout

    Returns
    -------
    bytes
    """
    units = slice(256 + 96 * layout.n_signals, 256 + 104 * layout.n_signals)
    fields = header[units]
    spelled = b"".join(_unit(fields[i : i + 8]) for i in range(0, len(fields), 8))
    good = (header[: units.start] + spelled + header[units.stop :]).replace(b"\0", b" ")
    return good if good[RECORDS_AT:RECORDS_END].strip() else with_count(good, layout.held)


def with_count(header: bytes, n_records: int) -> bytes:
    """Rewrite a header so that it declares a number of records.

    Parameters
    ----------
    header : bytes
        As it is in the file.
    n_records : int

    Returns
    -------
    bytes
    """
    return header[:RECORDS_AT] + str(n_records).encode("ascii").ljust(RECORDS_END - RECORDS_AT) + header[RECORDS_END:]


def _unit(field: bytes) -> bytes:
    """A unit of voltage as every reader knows it; anything else as it is."""
    text = field.replace(b"\0", b" ")
    try:
        unit = canonical_unit(text.decode("utf-8"))
    except UnicodeDecodeError:
        unit = canonical_unit(text.decode("latin-1"))
    return unit.encode("ascii").ljust(8) if microvolts_per(unit) else field


def _check_kind(path: Path, head: bytes) -> None:
    """Refuse one format under the name of the other: its values would be noise."""
    is_bdf = head[:8] == _BIOSEMI
    if path.suffix.lower() == ".edf" and is_bdf:
        raise RecordingError(f"{path}: contains BDF data (24 bits); rename it to {path.stem}.bdf")
    if path.suffix.lower() == ".bdf" and head[:8].strip(b"\0 ") == b"0":
        raise RecordingError(f"{path}: contains EDF data (16 bits); rename it to {path.stem}.edf")


def _number(path: Path, text: bytes, what: str, low: int, high: int, whole: bool = True) -> float:
    try:
        value = float(text.replace(b"\0", b" ").replace(b",", b".").decode("ascii"))
    except ValueError:
        value = float("nan")
    if not low <= value <= high or (whole and value != int(value)):
        raise RecordingError(f"{path}: {what} is {text!r} in its header; must be a number from {low} to {high}")
    return value
