"""Headers of GDF files, checked before a reader trusts them.

Layout: A. Schlögl, "GDF – A general dataformat for biosignals", version 2.20 (arXiv:cs/0608052): 256 bytes, then 256 for
each signal, records of equal size, and the table of events behind them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from bci.errors import RecordingError
from bci.stream.files.boundary import refuse_text_transfer
from bci.stream.units import canonical_unit, microvolts_per

_BYTES = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 8, 8: 8, 16: 4, 17: 8, 18: 16, 279: 3, 535: 3}
"""Bytes of a value by GDF's code of its type."""
_VOLTS = {4256: "V", 4274: "mV", 4275: "uV", 4276: "nV"}


@dataclass(frozen=True, slots=True)
class GdfLayout:
    """The layout of the signals, as a GDF header describes it.

    Parameters
    ----------
    labels : tuple of str
    units : tuple of str
        Where they are of voltage; else "".
    per_record : tuple of int
        Samples of each in a record.
    record_s : float
        Duration of a record, seconds.
    """

    labels: tuple[str, ...]
    units: tuple[str, ...]
    per_record: tuple[int, ...]
    record_s: float


def check_gdf(path: Path) -> GdfLayout:
    """Refuse a GDF header that promises more than the file holds.

    The events stand at the end of the file: where it was cut, they are gone.

    The events stand at the end of the file: where it was cut off, they are gone.

    Parameters
    ----------
    path : Path
        Of the file.

    Returns
    -------
    GdfLayout

    Raises
    ------
    RecordingError
        If the header contradicts the file's size or itself.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(256)
        if len(head) < 256 or head[:4] != b"GDF ":
            raise RecordingError(f"{path}: is not a GDF file (it begins with {head[:4]!r}, not 'GDF ')")
        refuse_text_transfer(path)
        second = head[4:8] >= b"1.90"  # "1.25", "2.20"
        n_records = struct.unpack("<q", head[236:244])[0]
        n_signals = struct.unpack("<H", head[252:254])[0] if second else struct.unpack("<I", head[252:256])[0]
        header_size = 256 * struct.unpack("<H", head[184:186])[0] if second else struct.unpack("<q", head[184:192])[0]
        if not 1 <= n_signals <= 4096 or not 256 * (n_signals + 1) <= header_size <= 1 << 24 or not 0 <= n_records <= 10**9:
            raise RecordingError(
                f"{path}: its header declares {n_signals} signals, {n_records} records and {header_size} bytes of header; "
                "that is damaged, or the recorder was interrupted before it wrote them"
            )
        fields = file.read(256 * n_signals)
    if len(fields) != 256 * n_signals:
        raise RecordingError(f"{path}: ends inside its header ({size} of {header_size} bytes); copy it again")
    counts = struct.unpack(f"<{n_signals}I", fields[216 * n_signals : 220 * n_signals])
    types = struct.unpack(f"<{n_signals}I", fields[220 * n_signals : 224 * n_signals])
    record_size = sum(n * _BYTES.get(t, 0) for n, t in zip(counts, types, strict=True))
    if header_size + n_records * record_size > size:
        held = max(0, size - header_size) // max(1, record_size)
        raise RecordingError(
            f"{path}: was cut short: {n_records - held} of {n_records} records are missing, and with them the table of events, "
            "which stands at the end of a GDF file. Copy the file again"
        )
    labels = (fields[16 * i : 16 * i + 16].split(b"\0")[0].decode("latin-1").strip() for i in range(n_signals))
    numerator, denominator = struct.unpack("<II", head[244:252])
    units = _code_units(fields, n_signals) if second else _text_units(fields, n_signals)
    return GdfLayout(tuple(labels), tuple(units), counts, numerator / denominator if denominator else 0.0)


def _text_units(fields: bytes, n: int) -> list[str]:
    """Units of GDF 1, which are text."""
    texts = (fields[96 * n + 8 * i : 96 * n + 8 * i + 8].replace(b"\0", b" ").decode("latin-1") for i in range(n))
    return [unit if microvolts_per(unit) else "" for unit in map(canonical_unit, texts)]


def _code_units(fields: bytes, n: int) -> list[str]:
    """Units of GDF 2, which are codes: 4256 for volts, and in the lowest five bits a decimal factor."""
    codes = struct.unpack(f"<{n}H", fields[102 * n : 104 * n])
    return [_VOLTS.get(code, "") for code in codes]
