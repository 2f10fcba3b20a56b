"""The streams of one live session, whatever carries them (docs/streams.md)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from bci.engine.chunk import FloatArray
from bci.engine.outcome import fields, velocity_fields
from bci.engine.stream_info import StreamInfo
from bci.session import wire
from bci.session.model import ModelHeader
from bci.stream.bus import CueInlet, MarkerInlet
from bci.stream.metadata import row_info, text_info

LINGER_S = 0.3


class RowOutlet(Protocol):
    """Something that sends one float64 row."""

    def push(self, row: FloatArray, stamp: float = 0.0) -> None:
        """Send now; a stamp of 0 means the time of sending."""
        ...

    def wait_for_consumers(self, timeout_s: float) -> bool:
        """True as soon as somebody listens."""
        ...

    def close(self) -> None:
        """End the stream."""
        ...


class TextOutlet(Protocol):
    """Something that sends one text."""

    def push(self, text: str, stamp: float = 0.0) -> None:
        """Send now; a stamp of 0 means the time of sending."""
        ...

    def wait_for_consumers(self, timeout_s: float) -> bool:
        """True as soon as somebody listens."""
        ...

    def close(self) -> None:
        """End the stream."""
        ...


@dataclass(frozen=True, slots=True)
class Wires:
    """The streams of one live session (docs/streams.md)."""

    decisions: RowOutlet
    outcomes: RowOutlet
    timing: RowOutlet
    events: TextOutlet
    state: TextOutlet
    control: MarkerInlet
    cues: CueInlet | None = None
    velocity: RowOutlet | None = None

    def close(self, linger_s: float = LINGER_S) -> None:
        """End all streams of ours and unsubscribe from the others.

        Parameters
        ----------
        linger_s : float
            What was sent last is still on its way, and liblsl drops it with the outlet.
        """
        time.sleep(linger_s)
        for end in (self.decisions, self.outcomes, self.timing, self.events, self.state, self.control, self.cues, self.velocity):
            if end is not None:
                end.close()


OpenRows = Callable[[StreamInfo, Mapping[str, str]], RowOutlet]
OpenTexts = Callable[[StreamInfo, Mapping[str, str]], TextOutlet]


def open_wires(
    name: str,
    session: str,
    header: ModelHeader,
    open_rows: OpenRows,
    open_texts: OpenTexts,
    control: MarkerInlet,
    cues: CueInlet | None = None,
    n_dims: int = 0,
    without: str = "",
) -> Wires:
    """All streams of an engine.

    Parameters
    ----------
    name : str
        Prefix of the streams.
    session : str
        Identifier that they carry.
    header : ModelHeader
        Of the model that decodes.
    open_rows, open_texts : callable
        Make an outlet from a stream's identity and the children of its ``desc/bci``.
    control, cues : MarkerInlet
    n_dims : int
        Of the velocity that the model decodes; 0 for none, and no stream of it.
    without : str
        Markers that were asked for and may be missing, for the record.
    """
    labels, classes = header.preprocessing.labels, tuple(header.classes)
    bci = {"session": session, "classes": json.dumps(classes), "channels": json.dumps(labels)}

    def rows(what: str, type_: str, columns: tuple[str, ...]) -> RowOutlet:
        return open_rows(row_info(f"{name}-{what}", type_, f"{name}-{what}-{session}", columns), bci)

    def texts(what: str, type_: str) -> TextOutlet:
        fields = {"session": session, **({"without": without} if without and what == "events" else {})}
        return open_texts(text_info(f"{name}-{what}", type_, f"{name}-{what}-{session}"), fields)

    return Wires(
        decisions=rows("decisions", "BCI-Decision", wire.DECISION_FIELDS),
        outcomes=rows("outcomes", "BCI-Outcome", fields(len(labels), classes, header.preprocessing.partly)),
        timing=rows("timing", "BCI-Timing", wire.TIMING_FIELDS),
        events=texts("events", "BCI-Event"),
        state=texts("state", "BCI-State"),
        control=control,
        cues=cues,
        velocity=rows("velocity", "BCI-Velocity", velocity_fields(n_dims)) if n_dims else None,
    )
