"""The session's state, markers and lines of the log, as windows keep them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from gui.message_values import EngineState

SILENT_S = 1.0


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of the log.

    Parameters
    ----------
    time_s : float
        Our LSL clock.
    level : str
        ``"info"``, ``"warn"`` or ``"bad"``.
    source : str
        Name of a stream, or ``"window"``.
    text : str
        Cleaned.
    """

    time_s: float
    level: str
    source: str
    text: str


@dataclass(frozen=True, slots=True)
class ShownMarker:
    """One marker.

    Parameters
    ----------
    time_s : float
        Our LSL clock.
    text : str
        Sanitised.
    stream : str
    """

    time_s: float
    text: str
    stream: str


@dataclass(slots=True)
class SessionState:
    """The state of the session that is shown, as the engine sends it.

    Parameters
    ----------
    id : str
        Identifier that its streams carry; empty without a session.
    classes, channels : tuple of str
        Of the decoder.
    state : EngineState or None
        Newest line of the state stream.
    state_at_s : float
        When it came, our LSL clock.
    settings : dict
        Decision settings in force that are numbers.
    bad : dict
        Channels that the engine does not trust, and why.
    scheduling : str
        ``"first"`` or ``"equal"``: whether the engine goes before other programs; empty if it is unknown.
    """

    id: str = ""
    classes: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    state: EngineState | None = None
    state_at_s: float = -math.inf
    settings: dict[str, float] = field(default_factory=dict)
    bad: dict[str, str] = field(default_factory=dict)
    scheduling: str = ""

    def phase(self, now: float) -> str:
        """Return the phase of the engine as in docs/reference/streams.md, ``"none"`` or ``"silent"``.

        Parameters
        ----------
        now : float
            Our LSL clock, seconds.
        """
        if self.state is None:
            return "none"
        phase = self.state.phase
        return "silent" if phase != "stopped" and now - self.state_at_s > 3 * SILENT_S else phase
