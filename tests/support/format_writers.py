"""Small writers of other programs' files, made from the formats' descriptions, so that readers and writers share no code."""

from __future__ import annotations

import struct
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


def write_gdf(
    path: Path,
    data: np.ndarray,
    rate: int,
    labels: Sequence[str],
    cues: Cues,
    *,
    version: str = "2.20",
    unit: str = "uV",
    unit_code: int = 4275,
) -> Path:
    """GDF in float32 with records of one second; the texts of cues are codes."""
    n, n_signals, second = len(data) // rate, len(labels), version >= "1.9"
    head = f"GDF {version}".encode().ljust(8) + b"X X X X".ljust(168 if not second else 76)
    if second:
        head += bytes(4) + b"X".ljust(64) + bytes(32) + struct.pack("<H", n_signals + 1) + bytes(50)
    else:
        head = head[:168] + b"2026020110111200" + struct.pack("<q", 256 * (n_signals + 1)) + bytes(24 + 20)
    head += struct.pack("<qII", n, 1, 1) + (struct.pack("<HH", n_signals, 0) if second else struct.pack("<I", n_signals))
    assert len(head) == 256
    texts = [b"".join(label.encode().ljust(16) for label in labels), b" " * (80 * n_signals)]
    texts.append(
        bytes(6 * n_signals) + struct.pack("<H", unit_code) * n_signals if second else unit.ljust(8).encode() * n_signals
    )
    whole = "d" if second else "q"
    texts += [struct.pack(f"<{kind}", value) * n_signals for kind, value in (("d", -1), ("d", 1), (whole, -1), (whole, 1))]
    texts.append((bytes(80) if second else b" " * 80) * n_signals)
    texts += [struct.pack("<I", rate) * n_signals, struct.pack("<I", 16) * n_signals, bytes(32) * n_signals]
    body = b"".join(
        column.astype("<f4").tobytes() for record in range(n) for column in data[record * rate : (record + 1) * rate].T
    )
    places = np.array([round(at * rate) + 1 for at, _ in cues], "<u4").tobytes()
    codes = np.array([int(text) for _, text in cues], "<u2").tobytes()
    count = struct.pack("<I", len(cues))
    table = b"\x01" + (count[:3] + struct.pack("<f", rate) if second else bytes(3) + count) + places + codes
    path.write_bytes(head + b"".join(texts) + body + table)
    return path


def write_cnt(path: Path, data_uv: np.ndarray, rate: int, labels: Sequence[str], cues: Cues) -> Path:
    """Neuroscan CNT in 32 bits, 0.01 µV a step; offsets of events as EEGLAB and MNE read them, counted from 1."""
    n_samples, n = data_uv.shape
    head = bytearray(900)
    head[205:225] = b"x".ljust(20, b"\0")
    head[225:247] = b"02/01/26  10:11:12".ljust(22, b"\0")
    struct.pack_into("<H", head, 370, n)
    struct.pack_into("<H", head, 376, rate)
    struct.pack_into("<i", head, 864, n_samples)
    places = b""
    for i, label in enumerate(labels):
        place = bytearray(75)
        place[:10] = label.encode().ljust(10, b"\0")
        struct.pack_into("<ff", place, 19, float(i), float(i % 2))
        struct.pack_into("<f", place, 59, 0.01)
        struct.pack_into("<f", place, 71, 204.8)
        places += place
    body = np.rint(data_uv * 100).astype("<i4").tobytes()
    start = 900 + 75 * n
    struct.pack_into("<I", head, 886, start + len(body))
    rows = b"".join(
        struct.pack("<HBci", int(text), 0, b"\0", start + (round(at * rate) + 1) * n * 4)
        + struct.pack("<hhfccc", 0, 0, 0.0, *[b"\0"] * 3)
        for at, text in cues
    )
    path.write_bytes(bytes(head) + places + body + struct.pack("<Bii", 2, len(rows), 0) + rows)
    return path


def write_openvibe(path: Path, data_uv: np.ndarray, rate: int, labels: Sequence[str], cues: Cues) -> Path:
    """An OpenViBE stream file: a stream of signal in blocks of a second, and one of stimulations."""

    def element(identifier: int, content: bytes) -> bytes:
        return (identifier | 1 << 70).to_bytes(10, "big") + (len(content) | 1 << 56).to_bytes(8, "big") + content

    def number(identifier: int, value: int) -> bytes:
        return element(identifier, value.to_bytes(8, "big"))

    def chunk(stream: int, at_s: float, content: bytes) -> bytes:
        times = number(0x30A56D8AB9C12238, stream) + number(0x093E6A0AC5A9467B, round(at_s * 2**32))
        return element(0x2E60AD1887A29BDF, times + element(0x8D4B0BE87051265C, content))

    names = b"".join(element(0x00153E40190227E0, label.encode()) for label in labels)
    dimensions = element(0x0000E3C03A7D5141, number(0x001302F736D8438A, len(labels)) + names)
    dimensions += element(0x0000E3C03A7D5141, number(0x001302F736D8438A, rate))
    header = element(0x007855DE3748D375, number(0x00141C430C37006B, rate)) + element(0x0072F5607ED2CBED, dimensions)
    chunks = chunk(0, 0.0, element(0x002B395F108ADFAE, header))
    for second in range(len(data_uv) // rate):
        block = np.ascontiguousarray(data_uv[second * rate : (second + 1) * rate].T).astype("<f8").tobytes()
        values = element(0x0012066308FBC165, element(0x00B18C10427D098C, block))
        chunks += chunk(0, float(second), element(0x00CF210102375310, values))
        for at, text in cues:
            if second <= at < second + 1:
                when = number(0x006FA5DB4BAC31E9, int(text)) + number(0x00B866D814DA5374, round(at * 2**32))
                stimulation = element(0x006DEABE7FC05A20, element(0x0016EAC629FBCAA1, when))
                chunks += chunk(1, float(second), element(0x00CF210102375310, stimulation))
    path.write_bytes(element(0xF59505AB3684C8D8, chunks))
    return path


def write_set(path: Path, data_uv: np.ndarray, rate: int, labels: Sequence[str], cues: Cues, *, beside: bool = False) -> Path:
    """An EEGLAB data set, with its samples inside or in a .fdt file beside it."""
    from scipy.io import savemat

    events = np.array(
        [(text, at * rate + 1, 0.0) for at, text in cues], dtype=[("type", "O"), ("latency", "f8"), ("duration", "f8")]
    )
    places = np.array([(label, "EEG") for label in labels], dtype=[("labels", "O"), ("type", "O")])
    data: object = data_uv.T.astype("f4")
    if beside:
        data_uv.astype("<f4").tofile(path.with_suffix(".fdt"))
        data = path.with_suffix(".fdt").name
    fields = {"nbchan": len(labels), "trials": 1, "pnts": len(data_uv), "srate": float(rate), "ref": "common"}
    savemat(path, {"EEG": fields | {"data": data, "chanlocs": places, "event": events}})
    return path


def write_fif(path: Path, data_uv: np.ndarray, rate: int, labels: Sequence[str], cues: Cues) -> Path:
    """MNE's own format."""
    import mne

    raw = mne.io.RawArray(data_uv.T * 1e-6, mne.create_info(list(labels), rate, "eeg"), verbose="ERROR")
    raw.set_annotations(mne.Annotations([at for at, _ in cues], [0.0] * len(cues), [text for _, text in cues]))
    raw.save(path, fmt="double", verbose="ERROR")
    return path


def write_xdf(path: Path, data_uv: np.ndarray, rate: int, labels: Sequence[str], cues: Cues, *, packed: bool = False) -> Path:
    """XDF by our own writer, compressed or not."""
    import gzip

    from bci.engine.stream_info import Channel, StreamInfo
    from bci.stream.metadata import header_xml, text_info
    from bci.stream.xdf.writer import XdfWriter

    plain = path.with_name("plain.xdf") if packed else path
    info = StreamInfo(rate, tuple(Channel(label) for label in labels), source_id="s", name="amp")
    with XdfWriter(plain) as writer:
        amp = writer.add_stream(header_xml(info, "float32"))
        marks = writer.add_stream(header_xml(text_info("cues", "Markers", "c"), "string"))
        for start in range(0, len(data_uv), rate):
            part = data_uv[start : start + rate].astype(np.float32)
            writer.write(amp, part, (start + np.arange(len(part))) / rate)
        writer.write(marks, [[text] for _, text in cues], np.array([at for at, _ in cues]))
    if packed:
        path.write_bytes(gzip.compress(plain.read_bytes()))
    return path
