"""Where a calibration takes place: streams, recorder and clock, live over LSL or virtual."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from bci.stream.bus import Clock, SignalInlet

NOTES = "calibration"


class CalibrationEnvironment(Protocol):
    """The streams, the recorder and the clock that a calibration uses.

    Attributes
    ----------
    clock : Clock
    signal : SignalInlet
        The EEG.
    recording : Path
        Everything is being written there.
    resumed_s : float or None
        Time on the clock at which the part that was recorded before ended, where time was taken back to it.
    """

    clock: Clock
    signal: SignalInlet
    recording: Path
    resumed_s: float | None

    @property
    def offset_s(self) -> float:
        """Seconds to add to the EEG's stamps now, to compare them with ``clock``."""
        ...

    def mark(self, text: str, time_s: float) -> None:
        """Send a marker.

        Parameters
        ----------
        text : str
            The marker.
        time_s : float
            On ``clock``, seconds.
        """
        ...

    def note(self, line: str) -> None:
        """Send a JSON line (docs/guides/calibration.md) on the stream of notes.

        Parameters
        ----------
        line : str
        """
        ...

    def check(self) -> None:
        """Raise if something that the calibration needs is lost, or if somebody asked to stop. To be called often."""
        ...

    def written(self) -> None:
        """Return when what was recorded can be read from the file."""
        ...
