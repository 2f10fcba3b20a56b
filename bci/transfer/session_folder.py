"""One session of a library: its folder, the note that says how its recordings are read, and its line in the index."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bci.errors import BciError, ConfigError, RecordingError
from bci.paradigm.cues import CueEvent
from bci.safe_io.json_values import from_json, parse
from bci.safe_io.regular_file import read_regular
from bci.settings import MarkersSection, SessionConfig, StreamSection
from bci.training.labelled import LabelledRun, open_labelled

SESSION = "session.json"
MOST_NOTE = 1 << 20
"""Bytes; a note takes less than ten thousand."""


@dataclass(frozen=True, slots=True)
class SessionNote:
    """``session.json``: how a session's recordings are to be read.

    Parameters
    ----------
    subject, session : str
        Pseudonyms.
    table : dict of str to str
        Class of each marker text.
    stream, unit : str
        Which EEG stream is meant, as in ``--stream``, and the unit it should have declared.
    montage : bool
        Whether ``montage.toml`` lies beside it.
    trial_s : tuple of (start, stop)
        Part of a trial that was imagery, seconds after the cue.
    cues_on, field, pattern : str
        Which stream has the cues, and where in a marker its text stands, as the section ``markers`` has them.
    """

    subject: str
    session: str
    table: dict[str, str]
    stream: str
    unit: str
    montage: bool
    trial_s: tuple[float, float]
    cues_on: str = ""
    field: str = ""
    pattern: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One session in ``index.json``.

    Parameters
    ----------
    name : str
        Of its folder.
    note : SessionNote
    recordings : dict of str to str
        SHA-256 of each file.
    rate_hz : float
    labels : tuple of str
        EEG channels.
    reference : str
    trials : dict of str to int
    """

    name: str
    note: SessionNote
    recordings: dict[str, str]
    rate_hz: float
    labels: tuple[str, ...]
    reference: str
    trials: dict[str, int]


def recording_sums(folder: Path) -> dict[str, str]:
    """SHA-256 of each recording of a session.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    dict of str to str
    """
    files = sorted(f for f in folder.iterdir() if f.is_file() and f.name.startswith("run-"))
    return {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def read_note(folder: Path) -> SessionNote:
    """Read the note of a session.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    SessionNote

    Raises
    ------
    bci.errors.RecordingError
        If the note is missing or damaged.
    """
    try:
        return from_json(SessionNote, parse(read_regular(folder / SESSION, MOST_NOTE), SESSION), SESSION)
    except (OSError, ConfigError) as error:
        raise RecordingError(f"{folder / SESSION}: unreadable ({error}); remove the folder, and add the session again") from error


def check_copies(folder: Path, note: SessionNote, files: Sequence[Path], cues: Sequence[Sequence[CueEvent]]) -> None:
    """Refuse recordings that consist of more than one file.

    Parameters
    ----------
    folder : Path
    note : SessionNote
    files : sequence of Path
        The recordings that were copied, for messages.
    cues : sequence of sequence of CueEvent
        Cues of each recording where it came from.

    Raises
    ------
    RecordingError
    """
    why = ""
    try:
        same = [run.cues for run in runs_of(folder, note)] == list(cues)
    except BciError as error:
        same, why = False, f" ({error})"
    if not same:
        names = ", ".join(map(str, files))
        raise RecordingError(
            f"{names}: a library keeps one file of each recording, and that alone does not hold its signal and its cues{why}. "
            "Add the XDF that it was made from, or an EDF file with the cues as its annotations"
        )


def runs_of(folder: Path, note: SessionNote) -> list[LabelledRun]:
    """The session's recordings with their cues.

    Parameters
    ----------
    folder : Path
    note : SessionNote

    Returns
    -------
    list of LabelledRun
    """
    montage = str(folder / "montage.toml") if note.montage else ""
    stream = StreamSection(name=note.stream, unit=note.unit, montage=montage)  # type: ignore[arg-type]
    markers = MarkersSection(table=note.table, stream=note.cues_on, field=note.field, pattern=note.pattern)
    config = SessionConfig(stream=stream, markers=markers)
    return [open_labelled(folder / name, config) for name in recording_sums(folder)]


def entry_of(folder: Path, note: SessionNote, sums: dict[str, str]) -> Entry:
    """Read a session's recordings for its line in the index.

    Parameters
    ----------
    folder : Path
    note : SessionNote
    sums : dict of str to str
        SHA-256 of each recording.

    Returns
    -------
    Entry

    Raises
    ------
    bci.errors.RecordingError
        If the folder holds no recording.
    """
    runs = runs_of(folder, note)
    if not runs:
        raise RecordingError(f"{folder}: holds no recording (run-001.xdf, ...); remove the folder, or add the session again")
    info = runs[0].info
    trials = Counter(cue.class_ for run in runs for cue in run.cues)
    labels = tuple(c.label for c in info.channels if c.type == "EEG")
    return Entry(folder.name, note, sums, info.rate_hz, labels, info.reference, dict(sorted(trials.items())))
