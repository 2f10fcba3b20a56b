"""Events of a BIDS folder: what ``events.tsv`` says beside a signal, by whichever of its columns a marker table knows.

https://bids-specification.readthedocs.io/en/stable/modality-specific-files/task-events.html
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bci.errors import RecordingError
from bci.stream.recording import RecordedMarkers
from bci.stream.triggers import MarkerTable

MARKER = "marker"
"""Column in which our export keeps what was sent."""
CHANNELS = "channel"
"""Column of BIDS that names the channels that an event speaks of; none or n/a for all."""
COLUMNS = ("trial_type", MARKER, "value", "stim_type")
NOTHING = ("", "n/a")
SIGNALS = (".edf", ".vhdr", ".bdf", ".set")
"""How files of signals end in a BIDS folder."""


@dataclass(frozen=True, slots=True)
class BidsEvent:
    """One row of ``events.tsv``.

    Parameters
    ----------
    onset_s, duration_s : float
        Since the first sample.
    texts : tuple of str
        What the columns ``trial_type``, ``marker``, ``value`` and ``stim_type`` say, as far as they say something.
    """

    onset_s: float
    duration_s: float
    texts: tuple[str, ...]

    def text(self, table: MarkerTable) -> str:
        """The first of the texts that the table knows; else the first that there is."""
        return next((text for text in self.texts if table.class_of(text)), self.texts[0] if self.texts else "")


def events_path(path: Path) -> Path:
    """Where the events of a recording of a BIDS folder stand.

    >>> events_path(Path("sub-1_task-a_eeg.vhdr")).name
    'sub-1_task-a_events.tsv'
    """
    return path.with_name(path.name.rpartition("_")[0] + "_events.tsv")


def bad_channels(path: Path) -> tuple[str, ...]:
    """Channels that the table beside a recording of a BIDS folder calls bad, ``sub-01_task-mi_channels.tsv``; none without it.

    Parameters
    ----------
    path : Path
        Of the signal.

    Raises
    ------
    RecordingError
        If the table cannot be read.
    """
    where = path.with_name(path.name.rpartition("_")[0] + "_channels.tsv")
    if not path.stem.endswith("_eeg") or not where.is_file():
        return ()
    try:
        with where.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RecordingError(
            f"{where}: which channels are bad cannot be read ({type(error).__name__}: {error}); it must be a table in UTF-8 with "
            "tabs between the columns, among them name and status"
        ) from error
    bad = [row.get("name") or "" for row in rows if (row.get("status") or "").strip().lower() == "bad"]
    return tuple(label.strip() for label in bad if label.strip())


def bids_root(path: Path) -> Path | None:
    """Root of the BIDS folder that a recording with events lies in; None for any other file."""
    if not path.stem.endswith("_eeg") or path.suffix not in SIGNALS or not events_path(path).is_file():
        return None
    return next((p for p in path.resolve().parents if (p / "dataset_description.json").is_file()), None)


def read_events(path: Path) -> tuple[BidsEvent, ...]:
    """Events of a recording of a BIDS folder; none where it has no ``events.tsv``.

    Parameters
    ----------
    path : Path
        Of the signal: ``sub-01_task-mi_eeg.vhdr``.

    Raises
    ------
    RecordingError
        If the table cannot be read.
    """
    where = events_path(path)
    if not where.is_file():
        return ()
    try:
        with where.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
        return tuple(_event(row) for row in rows if (row["onset"] or "").strip().lower() not in (*NOTHING, "nan"))
    except (OSError, UnicodeDecodeError, ValueError, KeyError, csv.Error) as error:
        raise RecordingError(
            f"{where}: the events cannot be read ({type(error).__name__}: {error}); it must be a table in UTF-8 with tabs "
            "between the columns, among them onset, duration, and trial_type or value"
        ) from error


def _event(row: dict[str, str | None]) -> BidsEvent:
    cells = {name: (cell or "").strip() for name, cell in row.items() if name}
    duration = cells.get("duration", "")
    texts = tuple(cells[name] for name in COLUMNS if cells.get(name, "") not in NOTHING)
    return BidsEvent(float(cells["onset"]), 0.0 if duration in NOTHING else float(duration), texts)


def markers_of(events: tuple[BidsEvent, ...], table: MarkerTable) -> RecordedMarkers:
    """Events as one stream of markers, in the words that a table knows."""
    told = [(event, text) for event in events if (text := event.text(table))]
    onsets = np.array([event.onset_s for event, _ in told], np.float64)
    durations = tuple(event.duration_s for event, _ in told)
    return RecordedMarkers("events", tuple(text for _, text in told), onsets, durations_s=durations)
