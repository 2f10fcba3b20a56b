"""Values that the replay window and its background process exchange."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import FloatArray
from bci.engine.outcome import FIXED_FIELDS, MASK_BITS
from bci.engine.stream_info import StreamInfo
from gui.stream_state import ShownMarker


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """Decisions along a recording.

    Parameters
    ----------
    classes : tuple of str
    times_s : ndarray, shape (n_windows,)
        Raw stamp of each window's newest sample; it may run backwards.
    decisions : ndarray of int, shape (n_windows,)
        Class, or -1.
    reasons : ndarray of int, shape (n_windows,)
    evidence : ndarray, shape (n_windows, n_classes)
    """

    classes: tuple[str, ...]
    times_s: FloatArray
    decisions: npt.NDArray[np.int64]
    reasons: npt.NDArray[np.int64]
    evidence: FloatArray

    @classmethod
    def of(cls, rows: FloatArray, n_channels: int, classes: tuple[str, ...]) -> Track:
        """Make a track of outcome rows, shape (n_windows, n_fields).

        Parameters
        ----------
        rows : ndarray
        n_channels : int
            Number of channels of the decoder.
        classes : tuple of str
            Names of the classes.
        """
        first = len(FIXED_FIELDS) + (n_channels + MASK_BITS - 1) // MASK_BITS + len(classes)
        if not len(rows):
            rows = np.empty((0, first + len(classes)))
        return cls(
            classes, rows[:, 3], rows[:, 6].astype(np.int64), rows[:, 5].astype(np.int64), rows[:, first : first + len(classes)]
        )

    def at(self, time_s: float) -> int | None:
        """Return the newest window that ended by this time; None before the first.

        Parameters
        ----------
        time_s : float
            Time, sender's clock.
        """
        found = int(np.searchsorted(np.maximum.accumulate(self.times_s), time_s, "right")) - 1
        return found if found >= 0 else None


@dataclass(frozen=True, slots=True, eq=False)
class ReplayRecording:
    """A recording that is ready to be shown.

    Parameters
    ----------
    path : Path
    info : StreamInfo
    signal : Path
        File of float32, shape (n_rows, n_channels), µV, NaN where samples were lost.
    anchors : ndarray, shape (n_anchors, 2)
        Row and time, on the sender's clock.
    markers : tuple of ShownMarker
        On the same clock, in order.
    meanings : dict of str to str
        Class of a marker's text.
    recorded : Track or None
        None: it is not the recording of a live session.
    model : str
        SHA-256 of the model the session ran with.
    models : tuple of Path
        That lie around it; that of the session first.
    notes : tuple of str
    """

    path: Path
    info: StreamInfo
    signal: Path
    anchors: FloatArray
    markers: tuple[ShownMarker, ...]
    meanings: dict[str, str]
    recorded: Track | None
    model: str
    models: tuple[Path, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """Consecutive windows that differ in the same way.

    Parameters
    ----------
    time_s, last_s : float
        Of the first and the last of them, on the sender's clock.
    was, now : str
    windows : int
    """

    time_s: float
    last_s: float
    was: str
    now: str
    windows: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Recomputation:
    """A second run.

    Parameters
    ----------
    model : Path or None
        None: that of the session.
    track : Track
    compared : int
        Recorded windows that were compared.
    identical : int
        Of which so many are the same: every bit, for the session's own model; decisions, for another.
    verified : bool or None
        Whether the session's own model gave every recorded bit again; None for another model.
    summary : str
        What came out, in a sentence.
    differences : tuple of Difference
    """

    model: Path | None
    track: Track
    compared: int
    identical: int
    verified: bool | None
    summary: str
    differences: tuple[Difference, ...] = field(default=())
