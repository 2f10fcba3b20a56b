"""Cues that come while a session runs: put on record, and learned from where adaptation asks for it."""

from __future__ import annotations

from collections.abc import Sequence

from bci.engine.chunk import Chunk
from bci.engine.control_inputs import TrialLabel
from bci.engine.engine import Engine
from bci.model.header import ModelHeader
from bci.paradigm.live_cues import Heard, LiveCues
from bci.session.event_log import EventLog
from bci.stream.bus import CueInlet, Marker

MARKERS, MARKERS_WAIT = 100, 10_000
"""Markers that are looked at in one turn, and that may wait."""
LAST_PART = 0.2
"""Of a trial: where its windows hold most of it."""


class CueListener:
    """Finds cues in markers and trigger channels, and tells the engine of trials whose class is known.

    Parameters
    ----------
    cues : LiveCues
    inlet : CueInlet or None
        Where markers come from.
    engine : Engine
    events : EventLog
    """

    def __init__(self, cues: LiveCues, inlet: CueInlet | None, engine: Engine, events: EventLog) -> None:
        self._cues, self._inlet, self._engine, self._events = cues, inlet, engine, events
        self._waiting: list[Marker] = []

    @property
    def counts(self) -> dict[str, int | str]:
        """How many cues came, and what is odd about them, for the engine's state."""
        return {**self._cues.counts, "why": self._cues.why}

    def look_at_samples(self, chunk: Chunk, offset_s: float | None, header: ModelHeader) -> None:
        """Look for cues in the trigger channels of samples.

        Parameters
        ----------
        chunk : Chunk
        offset_s : float or None
            What brings the sender's times to our clock, where that is known.
        header : ModelHeader
            Of the model that decodes.
        """
        self._hear(self._cues.samples(chunk, offset_s), offset_s, header)

    def look_at_markers(self, offset_s: float | None, header: ModelHeader) -> None:
        """Look for cues in the markers that have come; parameters as for :meth:`look_at_samples`."""
        self._hear(self._cues.markers(self._next_markers()), offset_s, header)
        self._hear(self._cues.settled(), offset_s, header)

    def _next_markers(self) -> list[Marker]:
        """As many of the markers that came as there is time for between two windows; too many at once are refused."""
        if self._inlet is not None:
            self._waiting += self._inlet.pull_markers(0.0)
        now, self._waiting = self._waiting[:MARKERS], self._waiting[MARKERS:]
        if len(self._waiting) > MARKERS_WAIT:
            self._events.refuse(f"{len(self._waiting)} markers came faster than they can be processed; they do not count as cues")
            self._waiting = []
        return now

    def _hear(self, news: Sequence[Heard], offset_s: float | None, header: ModelHeader) -> None:
        """Put on record what was found, and learn from the cues that count."""
        for heard in news:
            self._events.write(heard.kind, **heard.fields)
            if heard.class_ not in header.classes or self._engine.adaptation.bias is None:
                continue
            if heard.kind == "cue":
                self._label(self._trial(heard.class_, float(heard.fields["time"]), offset_s, header.trial_s))
            elif heard.kind == "contradicted":
                now = self._engine.consumed
                self._label(TrialLabel("", now, now))

    def _label(self, known: TrialLabel) -> None:
        self._events.apply(known, "known", **{"class": known.class_, "first": known.first, "last": known.last})

    def _trial(self, class_: str, time_s: float, offset_s: float | None, trial_s: tuple[float, float]) -> TrialLabel:
        """A trial whose class is known: its last fifth, where windows hold most of it, is learned from.

        The cue's time is on our clock. It is on its way for a while, as samples are, but no longer than a trial; where the time
        says otherwise, the newest sample is taken for the one at the cue.
        """
        start_s, stop_s = trial_s
        rate_hz = self._engine.info.rate_hz
        ago_s = self._engine.continuity.newest_s + (offset_s or 0.0) - time_s
        at_cue = self._engine.consumed - (round(ago_s * rate_hz) if abs(ago_s) < stop_s else 0)
        last = at_cue + round(stop_s * rate_hz)
        return TrialLabel(class_, last - round(LAST_PART * (stop_s - start_s) * rate_hz), last)
