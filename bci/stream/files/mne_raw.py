"""Recordings that MNE reads: EDF, BDF, GDF, BrainVision, FIF, and data sets that are in memory already."""

from __future__ import annotations

import configparser
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from bci.engine.chunk import FloatArray
from bci.engine.stream_info import Channel, StreamInfo
from bci.errors import RecordingError
from bci.stream.files.edf import check_edf
from bci.stream.files.trigger_channels import trigger_markers
from bci.stream.metadata import channel_type
from bci.stream.recording import RecordedMarkers, RecordedSignal, Recording

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


def read_mne(path: Path) -> Recording:
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
    return Recording(path, (signal,), (annotations, *trigger_markers(info, data, stamps)), "", notes)


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
