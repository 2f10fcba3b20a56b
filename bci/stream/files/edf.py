"""Headers of EDF and BDF files, checked before anybody trusts them."""

from __future__ import annotations

from pathlib import Path

from bci.errors import RecordingError


def check_edf(path: Path) -> None:
    """Refuse an EDF or BDF header that would make a reader ask for more than the file can hold.

    Layout: B. Kemp et al., "A simple format for exchange of digitized polygraphic recordings", 1992, and
    "European data format 'plus'", 2003: 256 bytes, then 256 for each signal.

    Raises
    ------
    RecordingError
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(256)
        n_signals = _number(path, head[252:256], "number of signals", 1, 4096)
        n_records = _number(path, head[236:244], "number of records", -1, 10**8)
        _number(path, head[244:252], "duration of a record", 0, 10**6, whole=False)
        header_size = 256 * (n_signals + 1)
        fields = file.read(header_size - 256)
    if len(fields) != header_size - 256:
        raise RecordingError(f"{path}: ends inside its header ({size} of {header_size} bytes)")
    counts = fields[216 * n_signals : 224 * n_signals]
    per_record = [_number(path, counts[8 * i : 8 * i + 8], f"samples of signal {i + 1}", 1, 10**7) for i in range(n_signals)]
    record_size = sum(per_record) * (3 if path.suffix.lower() == ".bdf" else 2)
    if size < header_size + record_size:
        raise RecordingError(f"{path}: holds no complete record ({size} bytes; one needs {header_size + record_size})")
    if n_records > (size - header_size) // record_size:
        held = (size - header_size) // record_size
        raise RecordingError(f"{path}: declares {n_records} records but holds {held}; it was cut short")


def _number(path: Path, text: bytes, what: str, low: int, high: int, whole: bool = True) -> int:
    try:
        value = float(text.decode("ascii"))
    except ValueError:
        value = float("nan")
    if not low <= value <= high or (whole and value != int(value)):
        raise RecordingError(f"{path}: {what} is {text!r} in its header; must be a number from {low} to {high}")
    return int(value)
