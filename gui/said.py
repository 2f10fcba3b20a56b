"""What streams and windows say, as windows keep it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from gui.tidy import tidy

SILENT_S = 1.0


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the log.

    Parameters
    ----------
    time_s : float
        Our LSL clock.
    level : str
        ``"info"``, ``"warn"`` or ``"bad"``.
    source : str
        Who says it: a stream's name, or ``"window"``.
    text : str
        Cleaned.
    """

    time_s: float
    level: str
    source: str
    text: str


@dataclass(frozen=True, slots=True)
class Marker:
    """One marker.

    Parameters
    ----------
    time_s : float
        Our LSL clock.
    text : str
        As it came, cleaned.
    stream : str
    """

    time_s: float
    text: str
    stream: str


@dataclass(slots=True)
class Session:
    """What the engine says of the session that is watched.

    Parameters
    ----------
    id : str
        Identifier that its streams carry; empty while none is there.
    classes, channels : tuple of str
        Of the decoder.
    state : dict
        Newest line of the state stream.
    state_at_s : float
        When it came, our LSL clock.
    settings : dict
        Decision settings in force.
    bad : dict
        Channels that the engine does not trust, and why.
    scheduling : str
        ``"first"`` or ``"equal"``: whether the engine goes before other programs; empty where it does not say.
    """

    id: str = ""
    classes: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    state: dict[str, Any] = field(default_factory=dict)
    state_at_s: float = -math.inf
    settings: dict[str, Any] = field(default_factory=dict)
    bad: dict[str, str] = field(default_factory=dict)
    scheduling: str = ""

    def phase(self, now: float) -> str:
        """What the engine does: a phase of docs/streams.md, ``"none"`` or ``"silent"``."""
        if not self.state:
            return "none"
        phase = tidy(self.state.get("phase", "none"), 20)
        return "silent" if phase != "stopped" and now - self.state_at_s > 3 * SILENT_S else phase
