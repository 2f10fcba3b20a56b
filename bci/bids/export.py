"""Recordings as a BIDS-EEG data set: EDF or BrainVision, events with their codes, the XDF itself in ``sourcedata/``.

Brain Imaging Data Structure, EEG: Pernet et al., Scientific Data 6 (2019) 103, and https://bids-specification.readthedocs.io.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from bci.bids.entities import names_in
from bci.bids.event_names import OWN_CODES, EventNames, one_line
from bci.bids.signal_files import FILLED_UP, ExportedEvent, check_edf, write_brainvision, write_edf
from bci.bids.staging import Staging
from bci.engine.chunk import Chunk
from bci.engine.stream_info import StreamInfo, canonical
from bci.errors import ConfigError, RecordingError
from bci.paradigm.cues import FoundCues, find_cues
from bci.paradigm.timeline import OF_TRIALS, REJECTED, cue_code
from bci.plugins import optional
from bci.settings import SessionConfig
from bci.stream.files.bids_events import CHANNELS, MARKER
from bci.stream.files.even_grid import BOUNDARY, GAP, Even, even
from bci.stream.files.mne_raw import ANNOTATIONS
from bci.stream.markers.marked import span_of
from bci.stream.paths import label
from bci.stream.recorded_signal import RecordedSignal
from bci.stream.recording import require_samples
from bci.stream.xdf.sidecar import sidecar_path
from bci.training.labelled import open_with

FORMATS = {"brainvision": ("BrainVision", ".vhdr"), "edf": ("EDF", ".edf")}
TYPES = {"EEG": "eeg", "EOG": "eog", "EMG": "emg", "TRIG": "stim", "AUX": "misc"}
EDF_STEPS = 2**16 - 1


@dataclass(frozen=True, slots=True)
class Exported:
    """One recording that was written.

    Parameters
    ----------
    source, path : Path
    events, gaps, left_out : int
        Events written, gaps of the recording, and markers outside of the signal.
    resolution_uv : float
        Largest step between two values that the format can tell apart.
    notes : tuple of str
        What a person should know of the recording and its cues.
    """

    source: Path
    path: Path
    events: int
    gaps: int
    left_out: int
    resolution_uv: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExportChoices:
    """Choices for the data set.

    Parameters
    ----------
    format : {"brainvision", "edf"}
        BrainVision holds float32, seven digits of each value. EDF has 16 bits for all of a channel's range, offset and
        drift included, and whole seconds: the last one is filled up.
    pattern : str
        How file names say who and when (:func:`bci.bids.entities.names_in`).
    name : str
        Of the data set.
    licence : str
        For instance CC0.
    authors : tuple of str
        Who is to be named; nobody is, unless asked for.
    source : bool
        Copy the XDF files into ``sourcedata/``. Their headers name the computer that they were recorded on.
    """

    format: str = "brainvision"
    pattern: str = ""
    name: str = "EEG recordings"
    licence: str = ""
    authors: tuple[str, ...] = ()
    source: bool = True

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise ConfigError(f"format = {self.format!r}: must be one of {', '.join(FORMATS)}")


def export(path: Path, out: Path, config: SessionConfig, choices: ExportChoices) -> Exported:
    """Write one recording into a BIDS folder, which is made if it is not there yet.

    Parameters
    ----------
    path : Path
    out : Path
        Root of the BIDS folder.
    config : SessionConfig
        ``stream`` (which stream, montage, unit), ``markers.table`` (names of events), ``record`` (subject, session and
        task where the file's name does not say), ``preprocessing.notch_hz`` (line frequency).
    choices : ExportChoices

    Raises
    ------
    RecordingError
        If it is there already, or cannot be read or written.
    """
    recording = open_with(path, config, stored=True)
    signal = require_samples(recording.eeg(config.stream.query()), recording)
    if choices.format == "edf":
        check_edf(signal.info, str(path))
    raw = Chunk(signal.data, signal.stamps)
    found = find_cues(recording, signal, config.markers.marker_table(), config.markers.stream)
    markers = _markers(found, config)
    shown = [(time_s, text) for time_s, text, _ in markers]
    placed = even(signal.info, raw, shown, config.continuity, signal.bad_spans, [lasts_s for _, _, lasts_s in markers])
    # Imported only now: what reading needs for a moment and what these need for good need not be there together.
    mne_bids = optional("mne_bids", "mne-bids", "Export")
    target = _target(mne_bids, path, out, config, choices)
    with Staging(out) as staging:
        _write(mne_bids, path, signal, placed, staging, target.copy().update(root=staging.root), config, choices)
        if choices.source and path.suffix.lower() == ".xdf":
            _copy_source(path, out, target, staging.root)
        staging.publish()
    resolution = _resolution(placed, choices.format)
    gaps = sum(mark.text in (GAP, BOUNDARY) for mark in placed.marks)
    notes = (*recording.notes, *signal.notes, *found.notes)
    return Exported(path, Path(target.fpath), len(placed.marks) - gaps, gaps, placed.left_out, resolution, notes)


def _write(
    mne_bids: Any,
    path: Path,
    signal: RecordedSignal,
    placed: Even,
    staging: Staging,
    target: Any,
    config: SessionConfig,
    choices: ExportChoices,
) -> None:
    """Write signal, events and descriptions into a folder that is not the data set yet."""
    info = signal.info
    names = EventNames(config.markers.marker_table())
    events = [ExportedEvent(m.sample, m.n_samples, name, names.codes[name]) for m in placed.marks for name in [names.of(m.text)]]
    extras = [{MARKER: one_line(mark.text), CHANNELS: ", ".join(mark.channels) or "n/a"} for mark in placed.marks]
    _describe(mne_bids, staging.root, choices)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            written = staging.scratch / f"signal{FORMATS[choices.format][1]}"
            if choices.format == "edf":
                lost = write_edf(written, info, placed, events)
                if lost:
                    events.append(ExportedEvent(len(placed), lost, FILLED_UP, OWN_CODES[FILLED_UP]))
                    extras.append({MARKER: FILLED_UP, CHANNELS: "n/a"})
            else:
                write_brainvision(written, info, placed, events)
            raw = _raw(written, signal, events, extras, config)
            mne_bids.write_raw_bids(
                raw,
                target,
                event_id={event.name: event.code for event in events} or None,
                extra_columns_descriptions={
                    MARKER: "The text of the marker, as it was sent.",
                    CHANNELS: "The channels to which the event applies; n/a: all of them.",
                },
                verbose="ERROR",
            )
        except (ValueError, OSError, RuntimeError) as error:
            raise RecordingError(f"{path}: cannot be written as {choices.format} ({error})") from error
    _complete(Path(target.fpath).with_suffix(".json"), info)
    _drop_placeholder(staging.root / "dataset_description.json")


def _resolution(placed: Even, format: str) -> float:
    """Step between values, µV, of the channel where it is largest."""
    if not len(placed):
        return 0.0
    if format == "edf":
        return float((placed.high - placed.low).max() / EDF_STEPS)
    return float(max(np.abs(placed.low).max(), np.abs(placed.high).max()) * np.finfo(np.float32).eps)


def _markers(cues: FoundCues, config: SessionConfig) -> list[tuple[float, str, float]]:
    """Markers on the signal's clock, cues each once, and how long they last: a rejection may cover its trial.

    What our own processes say to each other is in the XDF, and is no event.

    Each has the text by which the table knows it for what it is: what was sent, or what it says inside of that of a cue, or of
    the beginning, end or rejection of a trial (768, 800, 1023); what is no cue although the table knows its text (on another
    stream than the chosen one) has its stream's name in front.
    """
    table = config.markers.marker_table()
    found = []
    for mark in cues.marks:
        text = mark.text
        if mark.stream == ANNOTATIONS and span_of(0.0, 0.0, text) is not None:
            continue  # it is among the bad stretches, with its duration
        if (table.class_of(text) != mark.class_) if mark.class_ else cue_code(mark.code) in OF_TRIALS:
            text = mark.code
        elif not mark.class_ and table.knows(text):
            text = f"{mark.stream}: {text}"
        found.append((mark.time_s, text, mark.duration_s if cue_code(mark.code) == REJECTED else 0.0))
    return found


def _known(signal: RecordedSignal) -> list[str]:
    """The channels that are marked bad, as the signal spells them."""
    bad = {canonical(x) for x in signal.bad_channels}
    return [label for label in signal.info.labels if canonical(label) in bad]


def _target(mne_bids: Any, path: Path, out: Path, config: SessionConfig, choices: ExportChoices) -> Any:
    """The BIDS path of the recording; an existing one is never overwritten."""
    names = {"subject": config.record.subject, "session": config.record.session, "task": config.record.task}
    try:
        names |= names_in(path, choices.pattern)
    except ConfigError:
        if choices.pattern:
            raise
    plain = {kind: label(kind, re.sub("[^A-Za-z0-9]", "", value)) for kind, value in names.items() if kind != "run"}
    run = names.get("run", "")
    number = int(run) if run.isdecimal() else 1
    _, suffix = FORMATS[choices.format]
    where = mne_bids.BIDSPath(root=out, datatype="eeg", suffix="eeg", extension=suffix, run=f"{number:02d}", **plain)
    while not run.isdecimal() and Path(where.fpath).exists():
        number += 1
        where = where.update(run=f"{number:02d}")
    if Path(where.fpath).exists():
        raise RecordingError(
            f"{where.fpath}: already exists and is not overwritten. Export into another folder, or remove this one first."
        )
    return where


def _raw(
    written: Path,
    signal: RecordedSignal,
    events: Sequence[ExportedEvent],
    extras: Sequence[dict[str, str]],
    config: SessionConfig,
) -> Any:
    """A written file as MNE has it, with what the file does not say; its samples stay where they are."""
    import mne

    info = signal.info
    read = mne.io.read_raw_edf if written.suffix == ".edf" else mne.io.read_raw_brainvision
    raw = read(written, preload=False, verbose="ERROR")
    types = dict(zip(raw.ch_names, (TYPES.get(c.type, "misc") for c in info.channels), strict=True))
    raw.set_channel_types(types, on_unit_change="ignore", verbose="ERROR")
    raw.set_meas_date(None)
    raw.info["bads"] = _known(signal)
    with raw.info._unlock():
        raw.info["line_freq"] = config.preprocessing.notch_hz or None
    raw.set_annotations(
        mne.Annotations(
            [event.sample / info.rate_hz for event in events],
            [event.n_samples / info.rate_hz for event in events],
            [event.name for event in events],
            extras=extras,
        ),
        verbose="ERROR",
    )
    return raw


def _describe(mne_bids: Any, out: Path, choices: ExportChoices) -> None:
    """``dataset_description.json``, unless there is one."""
    if (out / "dataset_description.json").exists():
        return
    out.mkdir(parents=True, exist_ok=True)
    mne_bids.make_dataset_description(
        path=out,
        name=choices.name,
        dataset_type="raw",
        data_license=choices.licence or None,
        authors=list(choices.authors) or None,
        generated_by=[{"Name": "bci", "Version": version("bci")}],
        verbose="ERROR",
    )


def _complete(sidecar: Path, info: StreamInfo) -> None:
    """What MNE's structures have no place for, and the maker that mne-bids concludes from the file's format."""
    _change(sidecar, EEGReference=info.reference or "n/a", Manufacturer="n/a")


def _drop_placeholder(description: Path) -> None:
    """Remove placeholder authors."""
    authors = json.loads(description.read_text(encoding="utf-8")).get("Authors", [])
    if any(author.startswith("[Unspecified") for author in authors):
        _change(description, Authors=None)


def _change(path: Path, **fields: str | None) -> None:
    """Set fields of a JSON file, or take them out."""
    found = json.loads(path.read_text(encoding="utf-8")) | fields
    kept = {key: value for key, value in found.items() if value is not None}
    path.write_text(json.dumps(kept, indent=4, ensure_ascii=False) + "\n", encoding="utf-8")


def _copy_source(path: Path, out: Path, target: Any, root: Path) -> None:
    """The recording itself, and its checksums, under its BIDS name."""
    copied = root / "sourcedata" / Path(target.fpath).relative_to(out).with_suffix(".xdf")
    copied.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, copied)
    if sidecar_path(path).exists():
        shutil.copyfile(sidecar_path(path), sidecar_path(copied))


def validate(root: Path) -> list[str]:
    """What the BIDS validator calls an error; empty where the data set is valid.

    The validator of the BIDS standard itself (package ``bids-validator-deno``), which works without network.

    Parameters
    ----------
    root : Path
        Folder of the data set.

    Raises
    ------
    ConfigError
        If it is not installed.
    """
    beside = Path(sys.executable).with_name("bids-validator-deno")
    program = str(beside) if beside.exists() else shutil.which("bids-validator-deno")
    if program is None:
        raise ConfigError("--validate needs the BIDS validator: pip install bids-validator-deno")
    done = subprocess.run([program, "--json", str(root)], capture_output=True, text=True, timeout=600, check=False)
    try:
        issues = json.loads(done.stdout)["issues"]["issues"]
    except (ValueError, KeyError, TypeError) as error:
        raise RecordingError(f"{root}: the BIDS validator did not answer ({done.stderr.strip()[-500:]})") from error
    return [
        f"{i.get('location', '')}: {i.get('code', '')} {i.get('subCode', '')} {i.get('issueMessage', '')}".rstrip()
        for i in issues
        if i.get("severity") == "error"
    ]
