"""Signals as BrainVision and EDF+ files, written block by block, so that a recording need not fit into memory.

BrainVision: BrainVision Core Data Format 1.0 (Brain Products). EDF+: Kemp and Olivan, Clinical Neurophysiology 114 (2003) 1755.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bci.engine.stream_info import StreamInfo
from bci.errors import ConfigError
from bci.stream.files.even_grid import Even

VOLTAGES = ("EEG", "EOG", "EMG")
FILLED_UP = "BAD_ACQ_SKIP"
"""MNE's name for what fills up an EDF file's last record."""
LONGEST_RECORD_S = 10
DIGITAL = (-32768, 32767)
ANNOTATIONS = "EDF Annotations"
LABEL = 16


@dataclass(frozen=True, slots=True)
class ExportedEvent:
    """One event of a file.

    Parameters
    ----------
    sample, n_samples : int
    name : str
    code : int
    """

    sample: int
    n_samples: int
    name: str
    code: int


def check_edf(info: StreamInfo, where: str) -> None:
    """Refuse what EDF cannot hold, before anything is written.

    Parameters
    ----------
    info : StreamInfo
        What would be written.
    where : str
        The recording, for the message.

    Raises
    ------
    ConfigError
        Names what, and the format that holds it.
    """
    problems = []
    if not record_s(info.rate_hz):
        problems.append(
            f"{where}: an EDF record has whole seconds and a whole number of samples, which is impossible at "
            f"{info.rate_hz:g} Hz in up to "
            f"{LONGEST_RECORD_S} s; --format brainvision can store any rate"
        )
    wrong = [c.label for c in info.channels if len(c.label) > LABEL or not c.label.isascii()]
    if wrong:
        problems.append(
            f"{where}: EDF can store channel names of up to {LABEL} plain letters, but {', '.join(map(repr, wrong))} "
            "are longer or "
            "contain others; use --format brainvision, or rename them in a montage file"
        )
    if problems:
        raise ConfigError(problems)


def record_s(rate_hz: float) -> int:
    """The shortest record that holds whole samples, seconds; 0 where none does.

    Parameters
    ----------
    rate_hz : float
        Of the samples.

    Examples
    --------
    >>> record_s(250.0), record_s(256.5), record_s(255.987)
    (1, 2, 0)
    """
    fits = (s for s in range(1, LONGEST_RECORD_S + 1) if abs(rate_hz * s - round(rate_hz * s)) < 1e-9 * rate_hz)
    return next(fits, 0)


def write_brainvision(path: Path, info: StreamInfo, placed: Even, events: Sequence[ExportedEvent]) -> None:
    """Write a header, its markers and float32 samples.

    Parameters
    ----------
    path : Path
        Of the header, ``NAME.vhdr``.
    info : StreamInfo
    placed : Even
    events : sequence of ExportedEvent
    """
    with path.with_suffix(".eeg").open("wb") as file:
        for block in placed.blocks():
            file.write(block.astype("<f4").tobytes())
    channels = [
        f"Ch{i}={_escaped(c.label)},,1,{'µV' if c.type in VOLTAGES else 'n/a'}" for i, c in enumerate(info.channels, start=1)
    ]
    head = [
        "Brain Vision Data Exchange Header File Version 1.0",
        "",
        "[Common Infos]",
        "Codepage=UTF-8",
        f"DataFile={path.with_suffix('.eeg').name}",
        f"MarkerFile={path.with_suffix('.vmrk').name}",
        "DataFormat=BINARY",
        "; Data orientation: MULTIPLEXED=ch1,pt1, ch2,pt1 ...",
        "DataOrientation=MULTIPLEXED",
        f"NumberOfChannels={len(info.channels)}",
        "; Sampling interval in microseconds",
        f"SamplingInterval={1e6 / info.rate_hz:.15g}",
        "",
        "[Binary Infos]",
        "BinaryFormat=IEEE_FLOAT_32",
        "",
        "[Channel Infos]",
        *channels,
        "",
    ]
    path.write_text("\n".join(head), encoding="utf-8")
    marks = ["Mk1=New Segment,,1,1,0"]
    marks += [f"Mk{i}=Stimulus,S{e.code:>3},{e.sample + 1},{max(1, e.n_samples)},0" for i, e in enumerate(events, start=2)]
    lines = [
        "Brain Vision Data Exchange Marker File, Version 1.0",
        "",
        "[Common Infos]",
        "Codepage=UTF-8",
        f"DataFile={path.with_suffix('.eeg').name}",
        "",
        "[Marker Infos]",
        *marks,
        "",
    ]
    path.with_suffix(".vmrk").write_text("\n".join(lines), encoding="utf-8")


def _escaped(label: str) -> str:
    return label.replace(",", "\\1")


def write_edf(path: Path, info: StreamInfo, placed: Even, events: Sequence[ExportedEvent]) -> int:
    """Write an EDF+ file: 16 bits for the range of each channel, events as annotations.

    Parameters
    ----------
    path : Path
    info : StreamInfo
    placed : Even
    events : sequence of ExportedEvent

    Returns
    -------
    int
        Samples that fill up the last record, with the last value.
    """
    seconds = record_s(info.rate_hz)
    per_record = round(info.rate_hz * seconds)
    n_records = math.ceil(len(placed) / per_record)
    lost = n_records * per_record - len(placed)
    notes = _annotations(info, placed, events, (n_records, seconds, lost))
    width = max((len(note) for note in notes), default=0) + 1 & ~1
    ranges = [_range(low, high) for low, high in zip(placed.low.tolist(), placed.high.tolist(), strict=True)]
    with path.open("wb") as file:
        file.write(_edf_header(info, ranges, (n_records, seconds, per_record, width // 2)))
        floor = np.array([float(low) for low, _ in ranges])
        scale = (DIGITAL[1] - DIGITAL[0]) / np.array([float(high) - float(low) for low, high in ranges])
        for number, note in enumerate(notes):
            block = placed.block(number * per_record, min((number + 1) * per_record, len(placed)))
            values = np.clip(np.rint((block - floor) * scale) + DIGITAL[0], *DIGITAL).astype("<i2")
            if len(values) < per_record:
                values = np.concatenate([values, np.repeat(values[-1:], per_record - len(values), axis=0)])
            file.write(values.T.tobytes() + note.ljust(width, b"\0"))
    return lost


def _annotations(info: StreamInfo, placed: Even, events: Sequence[ExportedEvent], shape: tuple[int, int, int]) -> list[bytes]:
    """Time-stamped annotation lists, one for each record."""
    n_records, seconds, lost = shape
    notes = [f"+{number * seconds}\x14\x14\0".encode() for number in range(n_records)]
    more = [ExportedEvent(len(placed), lost, FILLED_UP, 0)] if lost else []
    for event in (*events, *more):
        onset_s = event.sample / info.rate_hz
        lasts = f"\x15{event.n_samples / info.rate_hz:.9g}" if event.n_samples else ""
        number = min(n_records - 1, int(onset_s // seconds))
        notes[number] += f"+{onset_s:.9f}{lasts}\x14{event.name}\x14\0".encode()
    return notes


def _edf_header(info: StreamInfo, ranges: Sequence[tuple[str, str]], shape: tuple[int, int, int, int]) -> bytes:
    """The header, without person and date."""
    n_records, seconds, per_record, width = shape
    n = len(info.channels) + 1
    fixed = [("0", 8), ("X X X X", 80), ("Startdate X X X X", 80), ("01.01.85", 8), ("00.00.00", 8), (f"{256 * (n + 1)}", 8)]
    fixed += [("EDF+C", 44), (f"{n_records}", 8), (f"{seconds}", 8), (f"{n}", 4)]
    units = ["uV" if c.type in VOLTAGES else "" for c in info.channels]
    digital = [str(DIGITAL[0]), str(DIGITAL[1])]
    columns: list[tuple[list[str], int]] = [
        ([*(c.label for c in info.channels), ANNOTATIONS], LABEL),
        ([""] * n, 80),
        ([*units, ""], 8),
        ([*(low for low, _ in ranges), "-1"], 8),
        ([*(high for _, high in ranges), "1"], 8),
        ([digital[0]] * n, 8),
        ([digital[1]] * n, 8),
        ([""] * n, 80),
        ([*([f"{per_record}"] * (n - 1)), f"{width}"], 8),
        ([""] * n, 32),
    ]
    fields = [*fixed, *((text, size) for texts, size in columns for text in texts)]
    return "".join(text.ljust(size) for text, size in fields).encode("ascii")


def _range(low: float, high: float) -> tuple[str, str]:
    """Physical range in eight letters each, never inside of the true one.

    >>> _range(-1234.56789, 0.123456789), _range(5.0, 5.0)
    (('-1234.57', '0.123457'), ('4', '6'))
    """
    if high - low < 1e-6 * max(1.0, abs(high)):
        low, high = math.floor(low) - (low == math.floor(low)), math.ceil(high) + (high == math.ceil(high))
    return _eight(low, up=False), _eight(high, up=True)


def _eight(value: float, up: bool) -> str:
    """The nearest number of eight letters that is not inside."""
    for digits in range(6, -1, -1):
        rounded = (math.ceil if up else math.floor)(value * 10**digits)
        text = f"{rounded / 10**digits:.{digits}f}"
        if len(text) <= 8:
            return text.rstrip("0").rstrip(".") if "." in text else text
    raise ConfigError(f"{value:g} µV: EDF can store values of up to eight digits; --format brainvision can store any value")
