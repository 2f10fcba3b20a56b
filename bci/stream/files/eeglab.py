"""EEGLAB data sets (.set): MATLAB files with the samples inside, or beside them as .fdt.

Layout: EEGLAB's documentation, "EEG structure" (eeglab.org/tutorials/ConceptsGuide/Data_Structures.html). Latencies count
samples from 1; samples are microvolts. Reading executes nothing: MATLAB objects in the file are passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bci.engine.chunk import FloatArray
from bci.errors import RecordingError
from bci.stream.files.boundary import refuse_text_transfer
from bci.stream.files.hdf5 import is_hdf5, read_hdf5_struct
from bci.stream.files.matlab import read_matlab
from bci.stream.files.mne_raw import recording_from_mne
from bci.stream.recording import RecordedStreams

WANTED = ("data", "srate", "trials", "nbchan", "pnts", "chanlocs", "event")
_KINDS = {
    **dict.fromkeys(("EEG", "", "REF"), "eeg"),
    **dict.fromkeys(("EOG", "HEOG", "VEOG"), "eog"),
    "EMG": "emg",
    **dict.fromkeys(("ECG", "EKG"), "ecg"),
    **dict.fromkeys(("TRIG", "TRIGGER", "STIM", "STATUS", "MARKER", "EVENT"), "stim"),
}


def read_eeglab(path: Path) -> RecordedStreams:
    """Read a continuous data set, with its events as markers.

    Parameters
    ----------
    path : Path
        Of the ``.set`` file.

    Returns
    -------
    RecordedStreams

    Raises
    ------
    RecordingError
        If it contains epochs, if its samples are not beside it, or if it is no data set.
    """
    import mne

    refuse_text_transfer(path)
    found = _struct(path)
    trials, rate_hz = _number(path, found, "trials", 1), _number(path, found, "srate")
    if trials > 1:
        raise RecordingError(
            f"{path}: contains {trials:g} epochs that were cut out of a recording. bci cuts its trials out of the continuous "
            "signal, as it does live: save the data set as it was before EEGLAB extracted epochs"
        )
    if not rate_hz > 0:
        raise RecordingError(f"{path}: declares a sampling rate (srate) of {rate_hz:g} Hz; it must be above 0")
    notes: list[str] = []
    data = _samples(path, found, notes)
    places = _rows(found.get("chanlocs"))
    labels = [_text(p.get("labels")) or f"ch{i}" for i, p in enumerate(places[: len(data)], 1)]
    labels += [f"ch{i}" for i in range(len(labels) + 1, len(data) + 1)]
    declared = [_text(p.get("type")).upper() for p in places] + [""] * len(data)
    kinds = [_KINDS.get(kind, "misc") for kind in declared[: len(data)]]
    info = mne.create_info(_unique(labels), rate_hz, kinds, verbose="ERROR")
    voltages = np.isin(kinds, ("eeg", "eog", "emg", "ecg"))
    raw = mne.io.RawArray(data * np.where(voltages, 1e-6, 1.0)[:, None], info, verbose="ERROR")
    raw._orig_units = {name: "uV" for name, is_one in zip(raw.ch_names, voltages, strict=True) if is_one}
    onsets, durations, texts = _events(found, rate_hz, data.shape[1], notes)
    raw.set_annotations(mne.Annotations(onsets, durations, texts), verbose="ERROR")
    return recording_from_mne(raw, path, tuple(notes))


def _struct(path: Path) -> dict[str, Any]:
    """The fields of the variable EEG, or of the file where it was saved without that."""
    inner = read_hdf5_struct(path, "EEG", WANTED) if is_hdf5(path) else read_matlab(path, "EEG", WANTED)
    if "srate" not in inner or "data" not in inner:
        raise RecordingError(f"{path}: is a MATLAB file, but no EEGLAB data set (it has no EEG.srate and EEG.data)")
    return inner


def _number(path: Path, found: Mapping[str, Any], name: str, default: float = float("nan")) -> float:
    value = np.ravel(np.asarray(found.get(name, default)))
    try:
        return float(value[0]) if len(value) else default
    except (TypeError, ValueError) as error:
        raise RecordingError(f"{path}: EEG.{name} is {found[name]!r}; must be a number") from error


def _samples(path: Path, found: Mapping[str, Any], notes: list[str]) -> FloatArray:
    """The samples, µV, shape (n_channels, n_samples)."""
    data = found["data"]
    n_channels = int(_number(path, found, "nbchan", 0))
    if not isinstance(data, str):
        inside = np.atleast_2d(np.asarray(data, np.float64))
        if inside.ndim != 2 or not inside.size or (n_channels and len(inside) != n_channels):
            raise RecordingError(f"{path}: EEG.data has the shape {np.shape(data)}; must be {n_channels} channels by samples")
        return inside
    return _from_file(path, data, n_channels, int(_number(path, found, "pnts", 0)), notes)


def _from_file(path: Path, name: str, n_channels: int, n_samples: int, notes: list[str]) -> FloatArray:
    """Samples that stand in a file of their own: float32, in .fdt sample by sample, in the older .dat channel by channel."""
    beside = path.with_name(name.replace("\\", "/").rsplit("/", 1)[-1])
    if not beside.is_file():
        own = path.with_suffix(beside.suffix or ".fdt")
        if not own.is_file():
            raise RecordingError(
                f"{path}: its samples are in {beside.name} (EEG.data), but neither that file nor {own.name} is in the same "
                "folder. Copy it there, or save the data set and its samples in one file"
            )
        notes.append(f"names {beside.name}, which does not exist; {own.name} in the same folder is read instead")
        beside = own
    refuse_text_transfer(beside)
    values = np.fromfile(beside, "<f4")
    if n_channels < 1 or len(values) < n_channels:
        raise RecordingError(f"{path}: {beside.name} contains only {len(values)} values for {n_channels} channels; copy it again")
    held = len(values) // n_channels
    if beside.suffix.lower() == ".dat":
        if len(values) != n_channels * n_samples:
            raise RecordingError(
                f"{path}: {beside.name} holds {held} samples of each channel, but {n_samples} are declared; copy it again"
            )
        return values.reshape(n_channels, n_samples).astype(np.float64)
    if held < n_samples:
        notes.append(f"was cut short: {n_samples - held} of {n_samples} samples are missing at the end of {beside.name}")
    elif held > n_samples > 0:
        notes.append(f"{beside.name} holds {held - n_samples} samples more than the {n_samples} that are declared")
    return values[: held * n_channels].reshape(held, n_channels).T.astype(np.float64)


def _events(
    found: Mapping[str, Any], rate_hz: float, n_samples: int, notes: list[str]
) -> tuple[list[float], list[float], list[str]]:
    """Onsets and durations, seconds, and texts."""
    onsets, durations, texts, outside = [], [], [], 0
    for event in _rows(found.get("event")):
        latency, duration = (_plain_number(event.get(name)) for name in ("latency", "duration"))
        if not 0.5 <= latency <= n_samples + 1.5:
            outside += 1
            continue
        onsets.append(max(0.0, latency - 1) / rate_hz)
        durations.append(duration / rate_hz if duration > 0 else 0.0)
        texts.append(_text(event.get("type")))
    if outside:
        notes.append(f"{outside} events lie outside the signal or have no latency; they are left out")
    return onsets, durations, texts


def _rows(value: Any) -> list[Mapping[str, Any]]:
    """A struct array as a list; one struct stands alone, and an empty one is an empty array."""
    if isinstance(value, Mapping):
        return [value]
    return [row for row in np.ravel(np.asarray(value, object)) if isinstance(row, Mapping)] if value is not None else []


def _text(value: Any) -> str:
    """A text or a number as text; "" where MATLAB has an empty array."""
    if isinstance(value, str):
        return value.strip()
    flat = np.ravel(np.asarray(value, object)) if value is not None else np.empty(0)
    return " ".join(f"{v:.15g}" if isinstance(v, (int, float, np.number)) else str(v) for v in flat).strip()


def _plain_number(value: Any) -> float:
    flat = np.ravel(np.asarray(value))
    return float(flat[0]) if len(flat) == 1 and flat.dtype.kind in "iufb" else float("nan")


def _unique(labels: list[str]) -> list[str]:
    """Labels, a repeated one with its number."""
    seen: dict[str, int] = {}
    for label in labels:
        seen[label] = seen.get(label, 0) + 1
    counts: dict[str, int] = {}
    out = []
    for label in labels:
        counts[label] = counts.get(label, 0) + 1
        out.append(label if seen[label] == 1 else f"{label}-{counts[label] - 1}")
    return out
