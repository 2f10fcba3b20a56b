"""Small writers of other programs' files, made from the formats' descriptions, so that readers and writers share no code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

Cues = Sequence[tuple[float, str]]
"""Seconds and text."""


def _fields(columns: Iterable[tuple[int, Sequence[object]]], pad: bytes) -> bytes:
    return b"".join(str(v).encode("latin-1").ljust(w, pad)[:w] for w, values in columns for v in values)


def write_edf(
    path: Path,
    data: np.ndarray,
    rate: int,
    labels: Sequence[str],
    cues: Cues,
    *,
    bdf: bool = False,
    unit: str = "uV",
    pad: bytes = b" ",
    encoding: str = "utf-8",
    declared: int | None = None,
) -> Path:
    """EDF+ or BDF+ with records of one second; data in the unit that is declared, shape (n_samples, n_channels)."""
    n, room, width = len(data) // rate, 120, 3 if bdf else 2
    top = [float(f"{abs(column).max() * 1.01 + 1e-6:.5g}") for column in data.T]
    full = 1 << (8 * width - 1)
    n_signals = len(labels) + 1
    kind, marks = ("BDF+C", "BDF Annotations") if bdf else ("EDF+C", "EDF Annotations")
    head = b"\xffBIOSEMI" if bdf else b"0".ljust(8, pad)
    head += _fields([(80, ["X X X X"]), (80, ["Startdate X X X X"]), (8, ["01.02.26", "10.11.12", 256 * (n_signals + 1)])], pad)
    head += _fields([(44, [kind]), (8, [n if declared is None else declared, 1]), (4, [n_signals])], pad)
    head += _fields(
        [
            (16, [*labels, marks]),
            (80, [""] * n_signals),
            (8, [unit] * len(labels) + [""]),
            (8, [*(f"{-t:.5g}" for t in top), -1]),
            (8, [*(f"{t:.5g}" for t in top), 1]),
            (8, [-full] * n_signals),
            (8, [full - 1] * n_signals),
            (80, [""] * n_signals),
            (8, [rate] * len(labels) + [room // width]),
            (32, [""] * n_signals),
        ],
        pad,
    )
    waiting, body = sorted(cues), b""
    for record in range(n):
        for column, limit in zip(data[record * rate : (record + 1) * rate].T, top, strict=True):
            counts = np.rint((column + limit) / (2 * limit) * (2 * full - 1) - full).astype("<i4")
            body += counts.view("u1").reshape(-1, 4)[:, :width].tobytes()
        said = f"+{record}".encode() + b"\x14\x14\x00"
        while waiting and waiting[0][0] < record + 1:
            at, text = waiting.pop(0)
            said += f"+{at:.4f}".encode() + b"\x14" + text.encode(encoding) + b"\x14\x00"
        body += said.ljust(room, b"\x00")
    path.write_bytes(head + body)
    return path


def write_brainvision(
    path: Path,
    data_uv: np.ndarray,
    rate: int,
    labels: Sequence[str],
    cues: Cues,
    *,
    named: str = "",
    unit: str = "\u00b5V",
    encoding: str = "utf-8",
    codepage: str = "UTF-8",
    marker_file: bool = True,
    vectorized: bool = False,
) -> Path:
    """A BrainVision triple in float32; ``named`` is the name that its header gives for the other two."""
    name = named or path.stem
    declared = f"Codepage={codepage}\n" if codepage else ""
    channels = "\n".join(f"Ch{i}={label},,1,{unit}" for i, label in enumerate(labels, 1))
    orientation = "VECTORIZED" if vectorized else "MULTIPLEXED"
    path.write_bytes(
        (
            f"Brain Vision Data Exchange Header File Version 1.0\n\n[Common Infos]\n{declared}DataFile={name}.eeg\n"
            f"MarkerFile={name}.vmrk\nDataFormat=BINARY\nDataOrientation={orientation}\nNumberOfChannels={len(labels)}\n"
            f"DataPoints={len(data_uv)}\nSamplingInterval={1e6 / rate:g}\n\n[Binary Infos]\nBinaryFormat=IEEE_FLOAT_32\n\n"
            f"[Channel Infos]\n{channels}\n"
        ).encode(encoding)
    )
    values = data_uv.T if vectorized else data_uv
    path.with_suffix(".eeg").write_bytes(np.ascontiguousarray(values).astype("<f4").tobytes())
    if marker_file:
        rows = "".join(f"Mk{i}=Stimulus,{text},{round(at * rate) + 1},1,0\n" for i, (at, text) in enumerate(cues, 2))
        path.with_suffix(".vmrk").write_bytes(
            (
                f"Brain Vision Data Exchange Marker File, Version 1.0\n\n[Common Infos]\n{declared}DataFile={name}.eeg\n\n"
                f"[Marker Infos]\nMk1=New Segment,,1,1,0\n{rows}"
            ).encode(encoding)
        )
    return path
