"""Recordings with their cues, from any file format or a BIDS folder."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from bci.engine.chunk import Chunk
from bci.engine.stream_info import StreamInfo
from bci.errors import TrainingError
from bci.paradigm.cues import CueEvent, find_cues
from bci.paradigm.no_cue import no_cue
from bci.plugins import optional
from bci.settings import SessionConfig
from bci.stream.clocks.foreign_clock import refuse_elsewhere
from bci.stream.files.bids_events import bids_root, markers_of, read_events
from bci.stream.files.boundary import in_words
from bci.stream.files.even_grid import GAP
from bci.stream.files.mne_raw import recording_from_mne
from bci.stream.files.readers import open_recording
from bci.stream.markers.marked import inside
from bci.stream.montage import Montage, load_montage
from bci.stream.recording import RecordedStreams, require_samples
from bci.training.marked import UNMARKED, BadMarks, bad_marks_in
from bci.training.recorded_cues import recorded_markers


@dataclass(frozen=True, slots=True, eq=False)
class LabelledRun:
    """One recording with its cues.

    Parameters
    ----------
    name : str
    info : StreamInfo
    raw : Chunk
        NaN where people marked a part bad.
    cues : tuple of CueEvent
        On the signal's clock.
    sha256 : str
    marked : BadMarks
        What people marked bad in it.
    notes : tuple of str
        Notes on how it was read and how its cues were found.
    """

    name: str
    info: StreamInfo
    raw: Chunk
    cues: tuple[CueEvent, ...]
    sha256: str
    marked: BadMarks = UNMARKED
    notes: tuple[str, ...] = ()


def open_with(path: Path, config: SessionConfig, stored: bool = False) -> RecordedStreams:
    """Read a recording with the montage and the unit of the section ``stream``.

    Parameters
    ----------
    path : Path
    config : SessionConfig
    stored : bool
        Leave the samples in the file until they are asked for.

    Returns
    -------
    RecordedStreams
    """
    montage = load_montage(config.stream.montage) if config.stream.montage else None
    return open_recording(path, montage, config.stream.unit, stored)


def open_labelled(path: Path, config: SessionConfig, recording: RecordedStreams | None = None) -> LabelledRun:
    """Read a recording and label its trials, as the sections ``stream`` and ``markers`` say.

    One that lies in a BIDS folder is read with what stands beside it: its events, and which channels are bad.

    Parameters
    ----------
    path : Path
    config : SessionConfig
    recording : RecordedStreams, optional
        The same, where it was read before (:func:`open_with`).

    Returns
    -------
    LabelledRun
    """
    root = bids_root(path)
    if root is not None and find_spec("mne_bids") is not None:
        return open_bids(path, config)
    return labelled(recording or open_with(path, config), config)


def labelled(recording: RecordedStreams, config: SessionConfig, table: Mapping[str, str] | None = None) -> LabelledRun:
    """The EEG of a recording with its cues, as the sections ``stream`` and ``markers`` say.

    Where ``markers.table`` is empty, the cues of a calibration by ``bci calibrate`` mean what its recording says.

    Parameters
    ----------
    recording : RecordedStreams
    config : SessionConfig
    table : mapping of str to str, optional
        Class of each marker, instead of ``markers.table``.

    Returns
    -------
    LabelledRun

    Raises
    ------
    TrainingError
        If no marker is a cue; lists the markers that were found.
    RecordingError
        If it has not the stream that ``markers.stream`` names, or if the cues were stamped by another clock than the signal.
    """
    signal = require_samples(recording.eeg(config.stream.query()), recording)
    section = config.markers
    if table is None and not section.table:
        section = recorded_markers(recording) or section
    markers = section.marker_table(table)
    found = find_cues(recording, signal, markers, section.stream)
    if not found.trials:
        raise TrainingError(no_cue(recording, markers, section.stream, found))
    refuse_elsewhere(recording, signal, np.array([cue.time_s for cue in found.trials]))
    return LabelledRun(
        recording.path.name,
        signal.info,
        signal.chunk(),
        found.trials,
        recording.sha256,
        bad_marks_in(signal),
        (*recording.notes, *signal.notes, *found.notes),
    )


def notes_of(runs: Sequence[LabelledRun]) -> tuple[str, ...]:
    """Notes on how the recordings were read, each with the name of its recording.

    Parameters
    ----------
    runs : sequence of LabelledRun

    Returns
    -------
    tuple of str
    """
    return tuple(f"{run.name}: {note}" for run in runs for note in run.notes)


def open_bids(path: Path, config: SessionConfig) -> LabelledRun:
    """Read one recording of a BIDS folder with mne-bids; its cues are the events of ``events.tsv``.

    Parameters
    ----------
    path : Path
    config : SessionConfig

    Returns
    -------
    LabelledRun

    Raises
    ------
    ConfigError
        If mne-bids is not installed.
    """
    mne_bids = optional("mne_bids", "mne-bids", "A BIDS folder")
    where = mne_bids.get_bids_path_from_fname(path, verbose="ERROR")
    with warnings.catch_warnings(record=True), in_words(path):
        warnings.simplefilter("always")
        recording = recording_from_mne(mne_bids.read_raw_bids(where, verbose="ERROR"), path)
        with path.open("rb") as file:
            recording = replace(recording, sha256=hashlib.file_digest(file, "sha256").hexdigest())
    recording = _without_lost(recording)
    plain = of_tables(config)
    events = read_events(path)
    # What a trigger channel or the file itself says stands in events.tsv too; it must not count twice.
    told = (markers_of(events, plain.markers.marker_table()),) if events else recording.markers[:1]
    return labelled(with_settings(replace(recording, markers=told), config), plain)


def _without_lost(recording: RecordedStreams) -> RecordedStreams:
    """Remove the constant samples that our exports write where samples were lost, so that the gap is a gap again."""
    (signal,) = recording.signals
    gaps = [span for span in signal.bad_spans if span.why == GAP]
    if not gaps:
        return recording
    keep = np.ones(len(signal.stamps), dtype=np.bool_)
    for span in gaps:
        keep &= ~inside(span, signal.stamps, 1.0 / signal.info.rate_hz)
    others = tuple(span for span in signal.bad_spans if span.why != GAP)
    whole = replace(signal, data=signal.data[keep], stamps=signal.stamps[keep], bad_spans=others)
    return replace(recording, signals=(whole,))


def of_tables(config: SessionConfig) -> SessionConfig:
    """The configuration for data sets whose events are texts in a table, without a marker stream to choose.

    Parameters
    ----------
    config : SessionConfig

    Returns
    -------
    SessionConfig
    """
    plain = {"stream": "", "field": "", "pattern": ""}
    return config.model_copy(update={"markers": config.markers.model_copy(update=plain)})


def with_settings(recording: RecordedStreams, config: SessionConfig) -> RecordedStreams:
    """Apply the montage and the unit of the section ``stream`` to a recording that was read without them.

    Parameters
    ----------
    recording : RecordedStreams
        As it was read without settings.
    config : SessionConfig

    Returns
    -------
    RecordedStreams
    """
    montage = load_montage(config.stream.montage) if config.stream.montage else None
    if config.stream.unit:
        montage = replace(montage or Montage(), unit=config.stream.unit)
    return replace(recording, montage=montage)
