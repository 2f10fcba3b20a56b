"""The streams of one actuator host: what it hears, and where it tells what it did."""

from __future__ import annotations

import time
from dataclasses import dataclass

from bci.actuation.feed import DecisionFeed
from bci.stream.bus import ControlInlet
from bci.stream.outlets import LINGER_S, TextOutlet


@dataclass(frozen=True, slots=True)
class HostStreams:
    """The streams of one host.

    Parameters
    ----------
    decisions : DecisionFeed
    control : ControlInlet
        Arming, emergency stop.
    commands, guard : TextOutlet
        What was sent, and the state.
    steer : TextOutlet, optional
        Control messages to the engine, for blanking intervals.
    """

    decisions: DecisionFeed
    control: ControlInlet
    commands: TextOutlet
    guard: TextOutlet
    steer: TextOutlet | None = None

    @property
    def uids(self) -> dict[str, str]:
        """What tells each stream of ours from a forged one, by its short name."""
        ours = {"commands": self.commands, "guard": self.guard, "steer": self.steer}
        return {name: end.uid for name, end in ours.items() if end is not None}

    def close(self) -> None:
        """End all streams of ours and unsubscribe from the others, once what was sent last is on its way."""
        time.sleep(LINGER_S)
        for end in (self.decisions, self.control, self.commands, self.guard, self.steer):
            if end is not None:
                end.close()
