"""The stream of events: what changed the engine's outcomes, and at which sample."""

from __future__ import annotations

from typing import Any

from bci.engine.control_inputs import ControlInput
from bci.engine.engine import Engine
from bci.engine.outcome import Outcome
from bci.session.live_control import LONGEST_WHY
from bci.stream import messages
from bci.stream.outlets import TextOutlet


class EventLog:
    """Writes events, each with the place that the engine has reached.

    Parameters
    ----------
    outlet : TextOutlet
    engine : Engine

    Attributes
    ----------
    segment, index : int
        Of the newest outcome.
    failure : str
        How the decoder failed most recently, where it did in a new way; empty while it has not.
    """

    def __init__(self, outlet: TextOutlet, engine: Engine) -> None:
        self._outlet, self._engine = outlet, engine
        self.segment = self.index = 0
        self.failure = ""

    def reached(self, outcome: Outcome) -> None:
        """The engine has come to the end of another window."""
        self.segment, self.index = outcome.segment, outcome.index

    def write(self, kind: str, **fields: Any) -> None:
        """Send an event; fields of the same name take the place of the engine's."""
        place = {"consumed": self._engine.consumed, "segment": self.segment, "index": self.index}
        self._outlet.push(messages.line(kind, **{**place, **fields}))

    def apply(self, given: ControlInput, kind: str, **fields: Any) -> None:
        """Apply an input to the engine, and write it down with the sample count at which it was applied."""
        self._engine.apply(given)
        self.write(kind, **fields)

    def refuse(self, why: str) -> None:
        """Record that a request was not carried out, and why."""
        self.write("refused", why=why[:LONGEST_WHY])

    def engine_news(self) -> bool:
        """Write down the gaps, new segments and failures of the decoder since the last call; return whether there was a gap."""
        gaps = self._engine.continuity.take_discontinuities()
        for d in gaps:
            kind = d.why.partition(":")[0]
            self.write(kind, consumed=d.consumed, segment=d.segment, index=d.index, lost=d.lost, why=d.why)
        for failure in self._engine.take_failures():
            self.failure = str(failure)
            self.write("decoder_failed", type=failure.type, message=failure.message, place=failure.place)
        return bool(gaps)
