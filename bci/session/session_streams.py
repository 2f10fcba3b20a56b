"""The streams of one live session, whatever carries them (docs/reference/streams.md)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from bci.engine.chunk import FloatArray
from bci.engine.outcome import fields, velocity_fields
from bci.engine.stream_info import StreamInfo
from bci.model.header import ModelHeader
from bci.stream import messages
from bci.stream.bus import CueInlet, MarkerInlet
from bci.stream.metadata import row_info, text_info
from bci.stream.outlets import LINGER_S, RowOutlet, TextOutlet
from bci.stream.signing import MAC_FIELDS, row_mac

OURS = ("decisions", "outcomes", "timing", "events", "state", "velocity")


class SignedRows:
    """Signs each row in two columns more (protocol :class:`RowOutlet`; :func:`bci.stream.signing.row_mac`).

    Parameters
    ----------
    outlet : RowOutlet
    key : bytes
    source_id : str
        Of the stream.
    n_columns : int
        Without those two.
    """

    def __init__(self, outlet: RowOutlet, key: bytes, source_id: str, n_columns: int) -> None:
        self._outlet, self._key, self._source_id, self._n = outlet, key, source_id, n_columns
        self._row = np.zeros(n_columns + len(MAC_FIELDS))

    @property
    def uid(self) -> str:
        """See :class:`RowOutlet`."""
        return self._outlet.uid

    def push(self, row: FloatArray, stamp: float = 0.0) -> None:
        """Sign and send, shape (n_columns,)."""
        signed = self._row
        signed[: self._n] = row
        signed[self._n :] = row_mac(self._key, self._source_id, signed[: self._n])
        self._outlet.push(signed, stamp)

    def wait_for_consumers(self, timeout_s: float) -> bool:
        """See :class:`RowOutlet`."""
        return self._outlet.wait_for_consumers(timeout_s)

    def close(self) -> None:
        """See :class:`RowOutlet`."""
        self._outlet.close()


@dataclass(frozen=True, slots=True)
class SessionStreams:
    """The streams of one live session (docs/reference/streams.md)."""

    decisions: RowOutlet
    outcomes: RowOutlet
    timing: RowOutlet
    events: TextOutlet
    state: TextOutlet
    control: MarkerInlet
    cues: CueInlet | None = None
    velocity: RowOutlet | None = None

    @property
    def uids(self) -> dict[str, str]:
        """What tells each stream of ours from a forged one, by its short name."""
        ends = {name: getattr(self, name) for name in OURS}
        return {name: end.uid for name, end in ends.items() if end is not None}

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


def open_session_streams(
    name: str,
    session: str,
    header: ModelHeader,
    open_rows: OpenRows,
    open_texts: OpenTexts,
    control: MarkerInlet,
    cues: CueInlet | None = None,
    n_dims: int = 0,
    without: str = "",
    key: bytes | None = None,
) -> SessionStreams:
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
    key : bytes, optional
        Of the session; rows of decisions are signed with it.
    """
    labels, classes = header.preprocessing.labels, tuple(header.classes)
    bci = {"session": session, "classes": json.dumps(classes), "channels": json.dumps(labels)}

    def rows(what: str, type_: str, columns: tuple[str, ...]) -> RowOutlet:
        return open_rows(row_info(f"{name}-{what}", type_, f"{name}-{what}-{session}", columns), bci)

    def texts(what: str, type_: str) -> TextOutlet:
        fields = {"session": session, **({"without": without} if without and what == "events" else {})}
        return open_texts(text_info(f"{name}-{what}", type_, f"{name}-{what}-{session}"), fields)

    def decisions() -> RowOutlet:
        if key is None:
            return rows("decisions", "BCI-Decision", messages.DECISION_FIELDS)
        outlet = rows("decisions", "BCI-Decision", messages.DECISION_FIELDS + MAC_FIELDS)
        return SignedRows(outlet, key, f"{name}-decisions-{session}", len(messages.DECISION_FIELDS))

    return SessionStreams(
        decisions=decisions(),
        outcomes=rows("outcomes", "BCI-Outcome", fields(len(labels), classes, header.preprocessing.partly)),
        timing=rows("timing", "BCI-Timing", messages.TIMING_FIELDS),
        events=texts("events", "BCI-Event"),
        state=texts("state", "BCI-State"),
        control=control,
        cues=cues,
        velocity=rows("velocity", "BCI-Velocity", velocity_fields(n_dims)) if n_dims else None,
    )
