"""Requests of persons and programs to an actuator host, read in one place, so that no message can end it.

Who may ask for what: whoever knows the session's key (:mod:`bci.stream.signing`) for everything, anybody for a stop. What is
not the session's own is counted and ignored.
"""

from __future__ import annotations

import hmac
import math
import secrets
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bci.actuation.arming import proof
from bci.engine import guard as g
from bci.errors import StreamError
from bci.stream.bus import ControlInlet, Marker
from bci.stream.messages import readable
from bci.stream.signing import Checker

KINDS = frozenset({"stop_now", "disarm", "stop", "arm", "watching", "alive"})
"""Control messages that are for actuator hosts."""
ASKED = frozenset({"arm", "stop"})
"""Those that a person asks for, and whose refusal is always told."""
MOST = 2**63
NONCE_S = 1.0
NONCE_AGE_S = 2.0
PROOF_S = 10.0
"""A stop that was heard proves for so long that its stream is heard."""
TELL_S = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """One control message for the host.

    Parameters
    ----------
    kind : str
    ours : bool
        Signed with the session's key, or there is none.
    source : str
        Stream from which it came.
    at_s : float or None
        When it was sent, on the host's clock; None where the sender's clock is not known, NaN where it stamps with no time.
    fields : mapping
        Whatever was sent.
    """

    kind: str
    ours: bool
    source: str
    at_s: float | None
    fields: Mapping[str, Any]

    def text(self, name: str) -> str:
        """A field as it can be shown.

        Parameters
        ----------
        name : str

        Returns
        -------
        str
            Empty where the field is missing or is no text.
        """
        return readable(self.fields.get(name))

    @property
    def id(self) -> str:
        """Sender and number, where it is signed."""
        sender, n = self.text("from"), self.fields.get("n")
        return f"{sender}:{n}" if self.ours and sender and type(n) is int and 0 <= n < MOST else ""

    @property
    def order_s(self) -> float:
        """For putting stops in the order of their times; what has none comes first."""
        return self.at_s if self.at_s is not None and math.isfinite(self.at_s) else -math.inf


class Requests:
    """Control messages for one host.

    Parameters
    ----------
    control : ControlInlet
    check : Checker
        Tells the session's own from others.
    refused : callable
        Given a sentence about each message that was ignored and was meant for a host.

    Attributes
    ----------
    strangers : int
        Messages that were not the session's own, or none at all.
    """

    def __init__(self, control: ControlInlet, check: Checker, refused: Callable[[str], None]) -> None:
        self.strangers, self._told = 0, False
        self._control, self._check, self._refused = control, check, refused

    def pull(self) -> list[Request]:
        """Read what is asked for. Never waits.

        Returns
        -------
        list of Request
            In the order in which they were read.
        """
        return [request for marker in self._control.pull_markers(0.0) if (request := self._read(marker)) is not None]

    def _read(self, marker: Marker) -> Request | None:
        """One message. This is the boundary: a stranger may have sent anything, and nothing that it is may end the host."""
        try:
            message = self._check(marker.row[0], "control message")
            kind = message.kind if message.kind in KINDS else ""
        except StreamError:
            self.strangers += 1
            return None
        except Exception as error:
            self.strangers += 1
            self._refused(f"a control message was ignored: {type(error).__name__}")
            return None
        self.strangers += not message.ours
        if not message.ours and message.fields.get("proof_test") is True:
            return None  # of another session of this name, which is about to arm: its stop is meant for its own host
        if kind and message.counts:
            at_s = None if math.isnan(marker.offset_s) else marker.time_s
            return Request(kind, message.ours, marker.source, at_s, message.fields)
        self._ignore(kind, message.why)
        return None

    def _ignore(self, kind: str, why: str) -> None:
        """What was not obeyed; told where a person may wait for it, else once: another session may speak here all the time."""
        if kind in ASKED:
            self._refused(f"{kind!r} was ignored: {why}")
        elif why and not self._told:
            self._told = True
            self._refused(
                f"control messages that do not belong to this session are ignored; the first one was ignored because {why}"
            )


class Nonces:
    """Numbers for proving the token: each can be used once, and for two seconds.

    Parameters
    ----------
    token : str
    now : float
        Seconds of a steady clock; so are all times below.
    """

    def __init__(self, token: str, now: float) -> None:
        self._token = token
        self._issued: deque[tuple[float, str, bytes]] = deque(maxlen=2)
        self._issue(now)

    @property
    def newest(self) -> str:
        """The number that an arming program must prove."""
        return self._issued[-1][1]

    def turn(self, now: float) -> None:
        """Change the number where it is a second old.

        Parameters
        ----------
        now : float
            Seconds of the same steady clock.
        """
        if now - self._issued[-1][0] >= NONCE_S:
            self._issue(now)

    def spend(self, given: object, now: float) -> bool:
        """Whether something proves one of the last two numbers; then neither serves again.

        Parameters
        ----------
        given : object
            What was sent as the proof.
        now : float
            Seconds of the same steady clock.

        Returns
        -------
        bool
        """
        if not isinstance(given, str) or not given.isascii():
            return False
        fresh = [right for at, _, right in self._issued if now - at <= NONCE_AGE_S]
        good = any(hmac.compare_digest(given.encode(), right) for right in fresh)
        if good:
            self.renew(now)
        return good

    def renew(self, now: float) -> None:
        """Let from now on only the proof of a new number serve, which nobody could know before.

        Parameters
        ----------
        now : float
            Seconds of the same steady clock.
        """
        self._issued.clear()
        self._issue(now)

    def _issue(self, now: float) -> None:
        nonce = secrets.token_hex(16)
        self._issued.append((now, nonce, proof(self._token, nonce).encode()))


class StopChannels:
    """Remembers through which streams a stop was received.

    Parameters
    ----------
    control : ControlInlet
    """

    def __init__(self, control: ControlInlet) -> None:
        self._control = control
        self._proven: dict[str, tuple[float, int]] = {}
        self._armed, self._number = "", 0

    def prove(self, source: str, now: float) -> None:
        """Take note that a stop of the session's own was heard through a stream.

        Parameters
        ----------
        source : str
            The stream's ``uid``.
        now : float
            Seconds of a steady clock.
        """
        self._proven = {uid: seen for uid, seen in self._proven.items() if now - seen[0] <= PROOF_S}
        self._proven[source] = now, self._control.connection(source)

    def proven(self, source: str, now: float) -> bool:
        """Whether a stop was heard through this very connection a short time ago.

        Parameters
        ----------
        source : str
            The stream's ``uid``.
        now : float
            Seconds of the same steady clock.

        Returns
        -------
        bool
        """
        at, number = self._proven.get(source, (-math.inf, 0))
        return now - at <= PROOF_S and number == self._control.connection(source) != 0

    def rely_on(self, source: str) -> None:
        """Take note that somebody armed through a stream, and may have no other way to stop.

        Parameters
        ----------
        source : str
            The stream's ``uid``.
        """
        self._armed, self._number = source, self._control.connection(source)

    def changes(self, at_rest: bool) -> list[g.StopConnection]:
        """Look whether the stream that is relied on broke, or is there again; at rest nothing is relied on.

        Parameters
        ----------
        at_rest : bool
            Whether nothing can move.

        Returns
        -------
        list of StopConnection
        """
        if not self._armed:
            return []
        number = self._control.connection(self._armed)
        if at_rest:
            self._armed = ""
            return [g.StopConnection(True)]
        if number == self._number:
            return []
        self._number = number
        broke = g.StopConnection(False, "the connection over which somebody armed, and could stop, is broken")
        return [broke, g.StopConnection(True)] if number else [broke]


class Refusals:
    """Reports refused requests, at most once a second, so that a flood does not fill a recording.

    Parameters
    ----------
    say : callable
        Given a sentence.
    now : callable
        Seconds of a steady clock.
    """

    def __init__(self, say: Callable[[str], None], now: Callable[[], float]) -> None:
        self._say, self._now = say, now
        self._n, self._why, self._said = 0, "", -math.inf

    def __call__(self, why: str) -> None:
        """Add a refusal, and tell it if it is time.

        Parameters
        ----------
        why : str
            A sentence.
        """
        self._n, self._why = self._n + 1, why
        self.flush()

    def flush(self) -> None:
        """Tell the refusals that wait, if it is time."""
        if self._n and self._now() - self._said >= TELL_S:
            more = f" (and {self._n - 1} more that were refused)" if self._n > 1 else ""
            self._said, self._n = self._now(), 0
            self._say(f"{self._why}{more}")
