"""Control messages from a session to its engine and its actuator host, signed, from any thread."""

from __future__ import annotations

import json
import threading
from typing import Any

from bci.stream.clock import LslClock
from bci.stream.lsl import LslTextOutlet, this_host
from bci.stream.signing import Signer


class ControlSender:
    """The stream ``NAME-control`` of one session (docs/reference/streams.md).

    Parameters
    ----------
    name : str
        Prefix of the session's streams.
    session : str
        Its identifier.
    key : bytes
        Its key.
    """

    def __init__(self, name: str, session: str, key: bytes) -> None:
        self._outlet = LslTextOutlet(f"{name}-control", "BCI-Control", f"{name}-control-{session}", {"session": session})
        self._signer = Signer(key, LslClock().now, this_host())
        # Messages are numbered, and one that comes after a later one does not count.
        self._lock = threading.Lock()

    @property
    def uid(self) -> str:
        """Identifier of this stream, different from that of any other."""
        return self._outlet.uid

    def send(self, kind: str, **fields: Any) -> str:
        """Send a message.

        Returns
        -------
        str
            Its sender and number, ``"FROM:N"``, by which who has heard it says so.
        """
        with self._lock:
            text = self._signer.line(kind, **fields)
            self._outlet.push(text)
        signed = json.loads(text)
        return f"{signed['from']}:{signed['n']}"

    def close(self) -> None:
        """End the stream."""
        self._outlet.close()
