"""What a window asks of the session: messages of docs/streams.md, on a stream of its own."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from bci.session import wire
from bci.session.actuate import arm_message
from bci.stream.lsl import LslTextOutlet


class Control:
    """Sends control messages; whatever the engine accepts comes back as an event.

    Parameters
    ----------
    name : str
        Prefix of the session's streams.
    """

    def __init__(self, name: str = "bci") -> None:
        self._outlet = LslTextOutlet(f"{name}-control", "BCI-Control", f"{name}-control-window-{uuid.uuid4().hex[:12]}")

    def say(self, kind: str, **fields: object) -> None:
        """Send any message."""
        self._outlet.push(wire.line(kind, **fields))

    def stop_now(self, why: str) -> None:
        """Emergency stop: every actuator goes to neutral and stays there."""
        self.say("stop_now", why=why)

    def arm(self, token: str, nonce: str, actuator: str, by: str = "operator window") -> None:
        """Ask one actuator host to arm.

        Parameters
        ----------
        token : str
            The session's; it is not sent.
        nonce : str
            Newest one of the host's guard stream.
        actuator : str
        by : str
            For the record.
        """
        self._outlet.push(arm_message(token, nonce, by, actuator))

    def disarm(self, why: str = "operator") -> None:
        """Ask all actuator hosts to disarm."""
        self.say("disarm", why=why)

    def mark(self, labels: Sequence[str], bad: bool) -> None:
        """Declare channels bad, or good again."""
        self.say("mark", labels=list(labels), bad=bad)

    def note(self, text: str) -> None:
        """Put a sentence on record."""
        self.say("note", text=text)

    def freeze(self, why: str) -> None:
        """Stop deciding for now."""
        self.say("freeze", why=why)

    def resume(self, why: str) -> None:
        """Decide again."""
        self.say("resume", why=why)

    def set(self, key: str, value: float | str) -> None:
        """Change one decision setting."""
        self.say("set", key=key, value=value)

    def stop(self, why: str) -> None:
        """End the session."""
        self.say("stop", why=why)

    def watching(self) -> None:
        """Say that a person's window is alive."""
        self.say("watching")

    def close(self) -> None:
        """End the stream. May be called twice."""
        self._outlet.close()
