"""Events of a BIDS folder: the rows of ``events.tsv``, by whichever of its columns a marker table knows.

https://bids-specification.readthedocs.io/en/stable/modality-specific-files/task-events.html
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bci.errors import RecordingError
from bci.safe_io.regular_file import read_regular
from bci.stream.markers.triggers import MarkerTable
from bci.stream.recorded_signal import RecordedMarkers

MARKER = "marker"
"""Column in which our export keeps what was sent."""
CHANNELS = "channel"
"""Column of BIDS that names the channels that an event concerns; none or n/a for all."""
COLUMNS = ("trial_type", MARKER, "value", "stim_type")
NOTHING = ("", "n/a")
MOST_BYTES, MOST_ROWS, MOST_COLUMNS = 16 << 20, 100_000, 100
"""Of a table; a day of cues is a thousand rows."""
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
        """Return the first of the event's texts that a table knows, else its first text.

        Parameters
        ----------
        table : MarkerTable

        Returns
        -------
        str
        """
        return next((text for text in self.texts if table.class_of(text)), self.texts[0] if self.texts else "")


def events_path(path: Path) -> Path:
    """Path of the events file of a recording in a BIDS folder.

    Parameters
    ----------
    path : Path
        Of the recording.

    Returns
    -------
    Path

    Examples
    --------
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
        rows = list(_rows(where))
    except (OSError, ValueError, csv.Error) as error:
        raise RecordingError(
            f"{where}: which channels are bad cannot be read ({type(error).__name__}: {error}); it must be a table in UTF-8 with "
            "tabs between the columns, among them name and status"
        ) from error
    bad = [row.get("name") or "" for row in rows if (row.get("status") or "").strip().lower() == "bad"]
    return tuple(label.strip() for label in bad if label.strip())


def bids_root(path: Path) -> Path | None:
    """Find the root of the BIDS folder that a recording with events lies in.

    Parameters
    ----------
    path : Path
        Of the recording.

    Returns
    -------
    Path or None
        None for a file outside a BIDS folder.
    """
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
        return tuple(_event(row) for row in _rows(where) if (row["onset"] or "").strip().lower() not in (*NOTHING, "nan"))
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise RecordingError(
            f"{where}: the events cannot be read ({type(error).__name__}: {error}); it must be a table in UTF-8 with tabs "
            "between the columns, among them onset, duration, and trial_type or value"
        ) from error


def _rows(where: Path) -> Iterator[dict[str, str | None]]:
    """Rows of a table, one after the other.

    Raises
    ------
    OSError, ValueError, csv.Error
        If it is no such table, or larger than one may be.
    """
    text = read_regular(where, MOST_BYTES).decode("utf-8-sig")
    table = csv.DictReader(io.StringIO(text, newline=""), delimiter="\t", quoting=csv.QUOTE_NONE)
    if len(table.fieldnames or ()) > MOST_COLUMNS:
        raise ValueError(f"more than {MOST_COLUMNS} columns")
    for number, row in enumerate(table, 1):
        if number > MOST_ROWS:
            raise ValueError(f"more than {MOST_ROWS} rows")
        yield row


def _event(row: dict[str, str | None]) -> BidsEvent:
    cells = {name: (cell or "").strip() for name, cell in row.items() if name}
    duration = cells.get("duration", "")
    texts = tuple(cells[name] for name in COLUMNS if cells.get(name, "") not in NOTHING)
    return BidsEvent(float(cells["onset"]), 0.0 if duration in NOTHING else float(duration), texts)


def markers_of(events: tuple[BidsEvent, ...], table: MarkerTable) -> RecordedMarkers:
    """Turn events into one stream of markers, with the texts that a table knows.

    Parameters
    ----------
    events : tuple of BidsEvent
    table : MarkerTable

    Returns
    -------
    RecordedMarkers
    """
    told = [(event, text) for event in events if (text := event.text(table))]
    onsets = np.array([event.onset_s for event, _ in told], np.float64)
    durations = tuple(event.duration_s for event, _ in told)
    return RecordedMarkers("events", tuple(text for _, text in told), onsets, durations_s=durations)
