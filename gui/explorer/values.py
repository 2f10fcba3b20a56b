"""Values that the explorer's window and its background processes exchange."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import FloatArray
from bci.engine.stream_info import StreamInfo
from bci.explore.exploration import Exploration
from bci.explore.spectra import PowerSpectra
from bci.settings import SessionConfig
from gui.explorer.selection import Selection
from gui.scalp import flat_places


@dataclass(frozen=True, slots=True, eq=False)
class ExplorerRecordings:
    """Recordings that can be explored.

    Parameters
    ----------
    recordings : tuple of Path
    info : StreamInfo
        With a position for every electrode that has a standard name.
    counts : dict of str to int
        Trials of each class.
    config : SessionConfig
    decoders : tuple of str
        That can be chosen.
    size : int
        Of the files, bytes: by it a growing recording is seen to grow.
    notes : tuple of str
        What a person should know of them.
    """

    recordings: tuple[Path, ...]
    info: StreamInfo
    counts: dict[str, int]
    config: SessionConfig
    decoders: tuple[str, ...]
    size: int
    notes: tuple[str, ...] = ()

    @property
    def channels(self) -> tuple[str, ...]:
        """The EEG channels."""
        return tuple(c.label for c in self.info.channels if c.type == "EEG")


@dataclass(frozen=True, slots=True, eq=False)
class ClassDifferences:
    """The differences between classes in one time window.

    Parameters
    ----------
    found : Exploration
        Without ERD/ERS, which take longer.
    spectra : PowerSpectra
        Of each trial, for the topography of any band.
    labels : ndarray of str, shape (n_trials,)
    blocks : ndarray of int, shape (n_trials,)
    left_out : int
    """

    found: Exploration
    spectra: PowerSpectra
    labels: npt.NDArray[np.str_]
    blocks: npt.NDArray[np.int64]
    left_out: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """Cross-validated accuracy.

    Parameters
    ----------
    accuracy, low, high : float
        With the exact 95 % interval.
    chance : float
    n : int
        Trials.
    name : str
        Of what was judged, in one line.
    """

    accuracy: float
    low: float
    high: float
    chance: float
    n: int
    name: str


@dataclass(frozen=True, slots=True, eq=False)
class JudgedSelection:
    """The accuracy of a selection, and that of choosing the best of all judged selections.

    Parameters
    ----------
    selection : Selection
    own : Estimate
        As if the selection had been made before these trials were seen.
    among : Estimate or None
        With the choice among the selections so far made again inside each fold; None before there are two.
    """

    selection: Selection
    own: Estimate
    among: Estimate | None


def places_of(opened: ExplorerRecordings) -> tuple[list[int], FloatArray]:
    """Return which of :attr:`ExplorerRecordings.channels` have a position, and where they lie on the head.

    Parameters
    ----------
    opened : ExplorerRecordings
        The open recordings.
    """
    columns, places = flat_places(opened.info)
    labels = [opened.info.labels[i] for i in columns]
    return [opened.channels.index(label) for label in labels], places
