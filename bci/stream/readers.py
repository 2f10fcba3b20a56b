"""Read recordings of any format into one shape: XDF by our own reader, the others through MNE or on our own."""

from __future__ import annotations

import configparser
import hashlib
import struct
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bci.engine.chunk import FloatArray
from bci.engine.stream_info import Channel, StreamInfo
from bci.errors import RecordingError
from bci.stream.metadata import channel_type, scale_to_microvolts, stream_info
from bci.stream.montage import Montage
from bci.stream.recording import RecordedMarkers, RecordedSignal, Recording, check_unit_option
from bci.stream.triggers import TriggerEdges

# What MNE's many readers were seen to raise on damaged files.
DAMAGED = (
    ValueError,
    RuntimeError,
    OSError,
    LookupError,
    TypeError,
    AssertionError,
    ArithmeticError,
    configparser.Error,
    struct.error,
)
_MNE_TYPES = {"eeg": "EEG", "eog": "EOG", "emg": "EMG", "stim": "TRIG"}
_MNE_UNITS = {"V": "V", "mV": "mV", "µV": "uV", "uV": "uV", "nV": "nV"}


def open_recording(path: Path | str, montage: Montage | None = None, unit: str = "") -> Recording:
    """Read a recording: XDF, EDF, BDF, GDF, BrainVision, FIF, OpenViBE.

    Parameters
    ----------
    path : Path or str
    montage : Montage, optional
        What the file leaves out.
    unit : str
        True unit of the EEG's numbers (``"uV"``, ``"mV"``, ``"V"``), where the file declares none or a wrong one.

    Returns
    -------
    Recording

    Raises
    ------
    RecordingError
        If the file cannot be read or its format is not known.
    """
    path = Path(path)
    check_unit_option(unit)
    reader = READERS.get("".join(path.suffixes[-2:]).lower()) or READERS.get(path.suffix.lower())
    if reader is None:
        raise RecordingError(f"{path}: files of type {path.suffix!r} are not read; there are {', '.join(sorted(READERS))}")
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read ({error.strerror})") from error
    recording = replace(reader(path), sha256=sha256)
    if unit:
        montage = replace(montage or Montage(), unit=unit)
    return replace(recording, montage=montage)


def _read_xdf(path: Path) -> Recording:
    """Streams as recorded: numeric ones become signals, strings and single numbers without a rate become markers."""
    from bci.stream.xdf_reader import read_xdf

    file = read_xdf(path)
    signals: list[RecordedSignal] = []
    markers: list[RecordedMarkers] = []
    for stream in file.streams:
        offset_s = _offset(stream.offsets)
        numeric_markers = stream.rate_hz == 0 and np.shape(stream.values)[1:] == (1,)
        if stream.channel_format == "string" or numeric_markers:
            texts = tuple(v[0] if isinstance(v[0], str) else f"{v[0]:.15g}" for v in stream.values)
            markers.append(RecordedMarkers(stream.name, texts, stream.stamps, offset_s, stream.type))
            continue
        info = stream_info(stream.header_xml)
        data = np.asarray(stream.values, np.float64).reshape(-1, len(info.channels)) * scale_to_microvolts(info)
        signals.append(RecordedSignal(info, data, stream.stamps, offset_s, stream.header_xml))
        markers += _trigger_markers(info, data, stream.stamps, offset_s)
    return Recording(path, tuple(signals), tuple(markers), file.sha256, file.problems)


def _read_mne(path: Path) -> Recording:
    """Any format MNE knows; its annotations and the changes of its trigger channels become markers."""
    import mne

    if path.suffix.lower() in (".edf", ".bdf"):
        check_edf(path)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            raw = mne.io.read_raw(path, preload=True, verbose="ERROR")
        except DAMAGED as error:
            raise RecordingError(f"{path}: MNE cannot read it ({type(error).__name__}: {error})") from error
    return recording_from_mne(raw, path, tuple(dict.fromkeys(str(w.message) for w in caught)))


def recording_from_mne(raw: Any, path: Path, notes: tuple[str, ...] = ()) -> Recording:
    """A recording that MNE has read already: from a BIDS folder, or from a program's own data set.

    Parameters
    ----------
    raw : mne.io.BaseRaw
    path : Path
        For messages; its stem names the stream.
    notes : tuple of str
        What the reader said.
    """
    data, channels, unknown = _mne_channels(raw)
    info = StreamInfo(float(raw.info["sfreq"]), channels, name=path.stem, source_id="")
    stamps = np.arange(len(data)) / info.rate_hz
    signal = RecordedSignal(info, data, stamps, assumed_unit="V" if unknown else "")
    onsets = raw.annotations.onset - raw.first_time
    annotations = RecordedMarkers("annotations", tuple(map(str, raw.annotations.description)), np.asarray(onsets, np.float64))
    return Recording(path, (signal,), (annotations, *_trigger_markers(info, data, stamps, 0.0)), "", notes)


def _mne_channels(raw: Any) -> tuple[FloatArray, tuple[Channel, ...], bool]:
    """Data in microvolts, channels, and whether the file leaves out the unit of its EEG."""
    data = raw.get_data().T
    channels = []
    factors = np.ones(data.shape[1])
    for i, (label, kind) in enumerate(zip(raw.ch_names, raw.get_channel_types(), strict=True)):
        label = label.strip(" .")
        ours = _MNE_TYPES.get(kind, "AUX")
        ours = channel_type(label, ours) if ours == "EEG" else ours
        unit = _MNE_UNITS.get(str(raw._orig_units.get(raw.ch_names[i], "V")), "")
        if ours in ("EEG", "EOG", "EMG"):
            factors[i] = 1e6
        elif unit:
            factors[i] = 1e6 if kind == "eeg" else 1.0
        channels.append(Channel(label, ours, unit if ours != "TRIG" else "", _mne_position(raw, i)))
    unknown = any(c.type == "EEG" and not c.unit for c in channels)
    return np.ascontiguousarray(data * factors), tuple(channels), unknown


def _mne_position(raw: Any, index: int) -> tuple[float, float, float] | None:
    place = np.asarray(raw.info["chs"][index]["loc"][:3], np.float64)
    if not np.isfinite(place).all() or not place.any():
        return None
    return (float(place[0]), float(place[1]), float(place[2]))


def _trigger_markers(info: StreamInfo, data: FloatArray, stamps: FloatArray, offset_s: float) -> list[RecordedMarkers]:
    """What the trigger channels say, if there are any."""
    from bci.engine.chunk import Chunk

    edges = TriggerEdges(info)
    if not edges.columns:
        return []
    found = edges(Chunk(data, stamps))
    texts, times = tuple(t for t, _ in found), np.array([s for _, s in found], np.float64)
    return [RecordedMarkers(f"{info.name} triggers", texts, times, offset_s)]


def _offset(offsets: FloatArray) -> float:
    """Middle of the plausible clock offsets; LabRecorder may write uninitialised ones."""
    good = offsets[np.isfinite(offsets) & (np.abs(offsets) < 1e10)]
    return float(np.median(good)) if len(good) else 0.0


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
        n_signals = _edf_number(path, head[252:256], "number of signals", 1, 4096)
        n_records = _edf_number(path, head[236:244], "number of records", -1, 10**8)
        _edf_number(path, head[244:252], "duration of a record", 0, 10**6, whole=False)
        header_size = 256 * (n_signals + 1)
        fields = file.read(header_size - 256)
    if len(fields) != header_size - 256:
        raise RecordingError(f"{path}: ends inside its header ({size} of {header_size} bytes)")
    counts = fields[216 * n_signals : 224 * n_signals]
    per_record = [_edf_number(path, counts[8 * i : 8 * i + 8], f"samples of signal {i + 1}", 1, 10**7) for i in range(n_signals)]
    record_size = sum(per_record) * (3 if path.suffix.lower() == ".bdf" else 2)
    if size < header_size + record_size:
        raise RecordingError(f"{path}: holds no complete record ({size} bytes; one needs {header_size + record_size})")
    if n_records > (size - header_size) // record_size:
        held = (size - header_size) // record_size
        raise RecordingError(f"{path}: declares {n_records} records but holds {held}; it was cut short")


def _edf_number(path: Path, text: bytes, what: str, low: int, high: int, whole: bool = True) -> int:
    try:
        value = float(text.decode("ascii"))
    except ValueError:
        value = float("nan")
    if not low <= value <= high or (whole and value != int(value)):
        raise RecordingError(f"{path}: {what} is {text!r} in its header; must be a number from {low} to {high}")
    return int(value)


def _read_openvibe(path: Path) -> Recording:
    from bci.stream.openvibe import read_openvibe

    return read_openvibe(path)


READERS: dict[str, Callable[[Path], Recording]] = {
    ".xdf": _read_xdf,
    ".ov": _read_openvibe,
    **dict.fromkeys((".edf", ".bdf", ".gdf", ".vhdr", ".fif", ".fif.gz"), _read_mne),
}
