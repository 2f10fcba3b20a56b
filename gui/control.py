"""Requests of the windows to the session, on a stream of their own, signed with the session's key.

The messages are those of docs/reference/streams.md.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence

from bci.actuation.arming import proof
from bci.stream import messages
from bci.stream.lsl import LslTextOutlet, local_clock, this_host
from bci.stream.signing import FREE, Signer

SELDOM_S = 5.0
"""A window that may not ask says so at most once in this time."""
NO_KEY = (
    "This window does not have the key of session {session}. Only the emergency stop, Disarm and Break work here. "
    "Open it on the computer of the session as the user who started it, or give it the key in BCI_KEY."
)


class ControlOutlet:
    """Sends control messages. The engine answers each accepted one with an event.

    Parameters
    ----------
    name : str
        Prefix of the session's streams.
    tell : callable, optional
        Takes a sentence that says what was not sent, and why.

    Attributes
    ----------
    problem : str
        Why some requests cannot be sent; empty if all can.
    """

    def __init__(self, name: str = "bci", tell: Callable[[str], None] = lambda text: None) -> None:
        self._outlet = LslTextOutlet(f"{name}-control", "BCI-Control", f"{name}-control-window-{uuid.uuid4().hex[:12]}")
        self._tell, self._told_s = tell, float("-inf")
        self._key: bytes | None = None
        self._signer = self._made(None)
        self._others: dict[bytes, Signer] = {}
        self.problem = ""

    def use(self, key: bytes | None, keyed: bool, session: str) -> None:
        """Send to this session from now on.

        Parameters
        ----------
        key : bytes or None
            Its key, where this window has it.
        keyed : bool
            Whether it obeys only what is signed with its key.
        session : str
            Its identifier, for people.
        """
        if key != self._key:
            self._key, self._signer = key, self._made(key)
        self.problem = NO_KEY.format(session=session or "by hand") if keyed and key is None else ""

    @property
    def heard(self) -> bool:
        """Whether any program receives what this window sends."""
        return self._outlet.has_consumers

    def may(self, kind: str) -> bool:
        """Return whether the session would accept such a message from this window.

        Parameters
        ----------
        kind : str
            Kind of the message.
        """
        return not self.problem or kind in FREE

    def say(self, kind: str, signed_with: bytes | None = None, **fields: object) -> str:
        """Send any message; return its sender and number (``"FROM:N"``) if it is signed, else "".

        Parameters
        ----------
        kind : str
        signed_with : bytes, optional
            Key of another session than the one that is shown, as a calibration's.
        **fields : object
        """
        if signed_with is None and not self.may(kind):
            self._refuse(kind)
            return ""
        signer = self._signer if signed_with is None else self._others.setdefault(signed_with, self._made(signed_with))
        text = signer.line(kind, **fields)
        self._outlet.push(text)
        sent = messages.parse(text, "control")
        return f"{sent['from']}:{sent['n']}" if "from" in sent else ""

    def stop_now(self, why: str) -> str:
        """Emergency stop: every actuator goes to neutral and stays there. Its sender and number, as :meth:`say` gives them.

        Parameters
        ----------
        why : str
            Reason, for the record.
        """
        return self.say("stop_now", why=why)

    def arm(self, token: str, nonce: str, actuator: str, by: str = "operator window") -> None:
        """Ask one actuator host to arm; it wants a stop through this stream first (``gui.arming.Arming``).

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
        self.say("arm", proof=proof(token, nonce), by=by, actuator=actuator)

    def disarm(self, why: str = "operator") -> None:
        """Ask all actuator hosts to disarm.

        Parameters
        ----------
        why : str, optional
            Reason, for the record.
        """
        self.say("disarm", why=why)

    def mark(self, labels: Sequence[str], bad: bool) -> None:
        """Declare channels bad, or good again.

        Parameters
        ----------
        labels : sequence of str
            Names of channels.
        bad : bool
            Whether they are bad, or good again.
        """
        self.say("mark", labels=list(labels), bad=bad)

    def note(self, text: str) -> None:
        """Record a note.

        Parameters
        ----------
        text : str
            The note.
        """
        self.say("note", text=text)

    def freeze(self, why: str) -> None:
        """Pause decoding.

        Parameters
        ----------
        why : str
            Reason, for the record.
        """
        self.say("freeze", why=why)

    def resume(self, why: str) -> None:
        """Continue decoding.

        Parameters
        ----------
        why : str
            Reason, for the record.
        """
        self.say("resume", why=why)

    def set(self, key: str, value: float | str) -> None:
        """Change one decision setting.

        Parameters
        ----------
        key : str
            Name of the setting.
        value : float or str
        """
        self.say("set", key=key, value=value)

    def stop(self, why: str) -> None:
        """End the session.

        Parameters
        ----------
        why : str
            Reason, for the record.
        """
        self.say("stop", why=why)

    def watching(self) -> None:
        """Tell the guard that a window is alive."""
        if self.may("watching"):
            self.say("watching")

    def close(self) -> None:
        """End the stream. May be called twice."""
        self._outlet.close()

    def _refuse(self, kind: str) -> None:
        if local_clock() - self._told_s > SELDOM_S:
            self._told_s = local_clock()
            self._tell(f"{kind} was not sent. {self.problem}")

    @staticmethod
    def _made(key: bytes | None) -> Signer:
        return Signer(key, local_clock, this_host())
