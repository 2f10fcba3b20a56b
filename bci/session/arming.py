"""The session's end of its actuator host: what the guard says, and the keys with which a person arms and stops it."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import Any

from bci.errors import StreamError
from bci.session import wire
from bci.stream.bus import MarkerInlet

AT_REST = ("disarmed", "safe")
MOVING = ("armed", "active")


def proof(token: str, nonce: str) -> str:
    """What shows that somebody knows the session's token, without sending it: HMAC-SHA-256 of the nonce (RFC 2104)."""
    return hmac.new(token.encode(), nonce.encode(), hashlib.sha256).hexdigest()


def arm_message(token: str, nonce: str, by: str, actuator: str = "") -> str:
    """The control message that arms.

    Parameters
    ----------
    token : str
        The session's.
    nonce : str
        The newest one of the ``NAME-guard`` stream; each serves once.
    by : str
        Who asks, for the record.
    actuator : str
        Which host is meant, by the ``actuator`` of its guard stream; empty where there is one only.
    """
    return wire.line("arm", proof=proof(token, nonce), by=by, actuator=actuator)


class GuardLink:
    """Hears the guard of one session, and asks it for what a person wants.

    Parameters
    ----------
    ears : MarkerInlet
        The session's ``NAME-guard``; closed with this.
    send : callable
        Sends a control message.
    token : str
        The session's.
    arm_once : str
        Arm for whoever this names as soon as the signal has been good for long enough, and never again; empty: wait
        for a person.

    Attributes
    ----------
    state, why : str
        The guard's newest; empty until it was heard.
    """

    def __init__(self, ears: MarkerInlet, send: Callable[[str], None], token: str, arm_once: str = "") -> None:
        self.state, self.why = "", ""
        self._ears, self._send, self._token, self._arm_once = ears, send, token, arm_once
        self._nonce = ""

    def update(self) -> list[str]:
        """Hear what it said since the last call; return what a person should know: changes and refusals."""
        news: list[str] = []
        for text, _ in self._ears.pull(0.0):
            try:
                message = wire.parse(text, "guard")
            except StreamError:
                continue
            if message["kind"] == "refused":
                news.append(str(message.get("why", "")))
            elif message["kind"] == "guard":
                news += self._heed(message)
        return news

    def arm(self, by: str) -> None:
        """Ask for commands to be let through, as who knows the token."""
        self._send(arm_message(self._token, self._nonce, by))

    def disarm(self, why: str) -> None:
        """Ask for no more commands."""
        self._send(wire.line("disarm", why=why))

    def stop_now(self, why: str) -> None:
        """Emergency stop."""
        self._send(wire.line("stop_now", why=why))

    def close(self) -> None:
        """Unsubscribe. May be called twice."""
        self._ears.close()

    def _heed(self, message: dict[str, Any]) -> list[str]:
        """One report of the state."""
        state, why = str(message.get("state", "")), str(message.get("why", ""))
        self._nonce = str(message.get("nonce", ""))
        news = [f"{state}: {why}"] if (state, why) != (self.state, self.why) else []
        self.state, self.why = state, why
        if state in MOVING:
            self._arm_once = ""
        settle_s = float((message.get("settings") or {}).get("settle_s", 0.0))
        if self._arm_once and state in AT_REST and float(message.get("good_s", 0.0)) >= settle_s:
            self.arm(self._arm_once)
        return news
