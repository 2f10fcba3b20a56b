"""Where a calibration takes place: streams, recorder and clock, live over LSL or virtual."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Protocol

from bci.session.timeline import CALIBRATION_TYPE, CUE_STREAM
from bci.stream.bus import Clock, SignalInlet

CUES, NOTES_TYPE = CUE_STREAM, CALIBRATION_TYPE
NOTES = "calibration"


class Room(Protocol):
    """What a calibration needs around it.

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
        """To be added to the EEG's stamps, now, to compare them with ``clock``."""
        ...

    def mark(self, text: str, time_s: float) -> None:
        """Send a marker."""
        ...

    def note(self, line: str) -> None:
        """Send a JSON line (docs/calibration.md) on the stream of notes."""
        ...

    def check(self) -> None:
        """Let time be seen to pass: raise if something the calibration needs has gone, or somebody asked to stop."""
        ...

    def written(self) -> None:
        """Return when what was recorded can be read from the file."""
        ...


def cue_fields(names: dict[str, str]) -> dict[str, str]:
    """What the header of the cue stream says beside its name (``desc/bci``): a readable name for each code."""
    return {"names": json.dumps(names, separators=(",", ":"))}
