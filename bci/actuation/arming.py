"""The session's end of its actuator host: what the guard says, and the keys with which a person arms and stops it."""

from __future__ import annotations

import hashlib
import hmac
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bci.errors import StreamError
from bci.safe_io.printable import printable
from bci.stream import messages
from bci.stream.bus import MarkerInlet
from bci.stream.signing import Checker

AT_REST = ("disarmed", "safe")
MOVING = ("armed", "active")
NOT_CONFIRMED = "NOT CONFIRMED"
PROOF_TEST = "proof test before arming"
PATIENCE_S = 4.0
"""A stop that was sent must be heard, and its neutral confirmed, within so long."""
STRANGERS_EVERY_S = 10.0
ANSWER_S = 1.0
"""Whoever is armed by itself is not tested again while what was asked for may be on its way: the test would stop it."""
LONGEST = 500


def proof(token: str, nonce: str) -> str:
    """Show that somebody knows the session's token without sending it: HMAC-SHA-256 of the nonce (RFC 2104).

    Parameters
    ----------
    token : str
        The session's.
    nonce : str
        The number that the guard's stream offers.

    Returns
    -------
    str
        Hexadecimal.
    """
    return hmac.new(token.encode(), nonce.encode(), hashlib.sha256).hexdigest()


def arm_message(token: str, nonce: str, by: str, actuator: str = "") -> str:
    """Build the control message that arms.

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

    Returns
    -------
    str
        A line for the stream ``NAME-control``.
    """
    return messages.line("arm", proof=proof(token, nonce), by=by, actuator=actuator)


@dataclass(frozen=True, slots=True)
class Report:
    """One report of a guard, whatever was sent: what has another type is as if it were not there.

    Parameters
    ----------
    state, why, nonce : str
    good_s : float
        How long the signal has been good.
    settle_s : float
        How long it must have been.
    neutral : str
        What became of the last neutral: ``"confirmed"``, ``"waiting"`` or ``"NOT CONFIRMED"``.
    heard : str
        Sender and number of the last stop that was heard.
    stops : int
        How many were heard.
    strangers : int
        Messages and rows that the host has ignored.
    """

    state: str
    why: str
    nonce: str
    good_s: float
    settle_s: float
    neutral: str
    heard: str
    stops: int
    strangers: int


def report_of(message: Mapping[str, Any]) -> Report:
    """Read a message of the kind ``guard`` as a report.

    Parameters
    ----------
    message : mapping
        Whatever was sent.

    Returns
    -------
    Report
    """
    settings, heard = _fields(message.get("settings")), _fields(message.get("heard"))
    return Report(
        _text(message.get("state")),
        _text(message.get("why")),
        _text(message.get("nonce")),
        _number(message.get("good_s")),
        _number(settings.get("settle_s")),
        _text(message.get("neutral")),
        _text(heard.get("id")),
        int(_number(heard.get("count"))),
        int(_number(message.get("strangers"))),
    )


def _fields(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return printable(value, LONGEST) if isinstance(value, str) else ""


def _number(value: object) -> float:
    """A number that a clock or a counter may show; 0 for everything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e15:
        return 0.0
    return float(value)


@dataclass(frozen=True, slots=True)
class ArmingAttempt:
    """Arming that waits until the stop that was sent before it has been heard.

    Parameters
    ----------
    by : str
        Who arms.
    stop : str
        Sender and number of the stop.
    before : Report
        The newest before it.
    began_s : float
    """

    by: str
    stop: str
    before: Report
    began_s: float


class GuardLink:
    """Hears the guard of one session, and asks it for what a person wants.

    Where the session has a key, arming begins with a proof test: a stop is sent through the same stream, and only when
    the guard says that it has heard this very stop, and that the neutral after it is confirmed, it is asked to arm.

    Parameters
    ----------
    inlet : MarkerInlet
        The session's ``NAME-guard``; closed with this.
    send : callable
        Sends a control message, given its kind and fields; returns its sender and number (``"FROM:N"``) where it is signed.
    token : str
        The session's.
    arm_once : str
        Arm for whoever this names as soon as the signal has been good for long enough, and never again; empty: wait
        for a person.
    check : Checker, optional
        Tells lines of the session's own guard from others; none: every line counts, and there is no proof test.
    now : callable
        Any steady clock, seconds.

    Attributes
    ----------
    state, why : str
        The guard's newest; empty until it was heard.
    """

    def __init__(
        self,
        inlet: MarkerInlet,
        send: Callable[..., object],
        token: str,
        arm_once: str = "",
        check: Checker | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.state, self.why = "", ""
        self._inlet, self._send, self._token, self._arm_once = inlet, send, token, arm_once
        self._check, self._now = check or Checker(None, now, ""), now
        self._newest, self._failed = report_of({}), ""
        self._attempt: ArmingAttempt | None = None
        # Whoever stops does so from another thread: between the look at the attempt and the arming there must be no stop.
        self._lock = threading.RLock()
        self._strangers, self._strangers_s = 0, -math.inf
        self._asked_s = -math.inf

    def update(self) -> list[str]:
        """Hear what the guard sent since the last call.

        At this boundary alone a line is believed that claims to come from the guard: it may hold anything.

        Returns
        -------
        list of str
            Changes and refusals, each a sentence for a person.
        """
        news: list[str] = []
        for text, _ in self._inlet.pull(0.0):
            try:
                message = self._check(text, "guard")
            except StreamError:
                continue
            if not message.ours:
                continue
            if message.kind == "refused":
                news.append(_text(message.fields.get("why")))
            elif message.kind == "guard":
                news += self._heed(report_of(message.fields))
        return [*news, *self._given_up()]

    def arm(self, by: str) -> None:
        """Ask for commands to be let through, proving that the token is known; :meth:`update` tells what becomes of it.

        Parameters
        ----------
        by : str
            Who asks, for the record.
        """
        if self.state in MOVING:  # the stop that tests the channel would end what goes on
            return
        if not self._check.keyed:
            self._ask(by)
        else:
            with self._lock:
                if self._attempt is None:
                    stop = str(self._send("stop_now", why=PROOF_TEST, proof_test=True))
                    self._attempt = ArmingAttempt(by, stop, self._newest, self._now())

    def disarm(self, why: str) -> None:
        """Ask that no more commands be let through.

        Parameters
        ----------
        why : str
            The reason, for the record.
        """
        with self._lock:
            self._give_up()
            self._send("disarm", why=why)

    def stop_now(self, why: str) -> None:
        """Send an emergency stop.

        Parameters
        ----------
        why : str
            The reason, for the record.
        """
        with self._lock:
            self._give_up()
            self._send("stop_now", why=why)

    def close(self) -> None:
        """Unsubscribe. May be called twice."""
        self._inlet.close()

    def _ask(self, by: str) -> None:
        self._asked_s = self._now()
        self._send("arm", proof=proof(self._token, self._newest.nonce), by=by, actuator="")

    def _give_up(self) -> None:
        """Whoever stops or disarms does not want what was to be armed."""
        self._attempt, self._arm_once = None, ""

    def _heed(self, report: Report) -> list[str]:
        """One report of the state."""
        news = [f"{report.state}: {report.why}"] if (report.state, report.why) != (self.state, self.why) else []
        self.state, self.why, before, self._newest = report.state, report.why, self._newest, report
        news += _neutral_news(before.neutral, report.neutral) + self._strangers_of(report)
        if report.state in MOVING:
            self._give_up()  # it is armed, and what stops it now stays
        news += self._go_on(report)
        with self._lock:
            waits = self._attempt is not None or self._now() - self._asked_s < ANSWER_S
            if self._arm_once and not waits and report.state in AT_REST and report.good_s >= report.settle_s:
                self.arm(self._arm_once)
        return news

    def _go_on(self, report: Report) -> list[str]:
        """Arm once the proof test has succeeded; not if somebody else stopped meanwhile."""
        attempt = self._attempt
        if attempt is None:
            return []
        ours = report.heard == attempt.stop
        if report.stops > attempt.before.stops + ours or report.heard not in (attempt.stop, attempt.before.heard):
            self._give_up()
            return ["not armed: somebody stopped while the stop channel was tested"]
        if ours and report.state in AT_REST and report.neutral == "confirmed":
            with self._lock:
                if self._attempt is attempt:
                    self._attempt = None
                    self._ask(attempt.by)
        return []

    def _given_up(self) -> list[str]:
        """Why arming was given up, where the proof test took too long; told once, however often it is tried again."""
        attempt = self._attempt
        if attempt is None or self._now() - attempt.began_s <= PATIENCE_S:
            return []
        self._attempt = None
        found = "neutral was not confirmed" if self._newest.heard == attempt.stop else "it was not received"
        why = f"not armed: a stop tested the stop channel, but within {PATIENCE_S:g} s {found}. Stop at the device itself."
        told, self._failed = self._failed, why
        return [] if why == told and self._arm_once else [why]

    def _strangers_of(self, report: Report) -> list[str]:
        """Say now and then that others speak to the actuator host too."""
        now, n = self._now(), report.strangers - self._strangers
        if n <= 0 or now - self._strangers_s < STRANGERS_EVERY_S:
            return []
        self._strangers, self._strangers_s = report.strangers, now
        return [f"actuator: {n} messages or rows that do not belong to this session were ignored"]


def _neutral_news(before: str, now: str) -> list[str]:
    """Say when the device stops, or begins again, to confirm that it is at rest."""
    if now == NOT_CONFIRMED and before != NOT_CONFIRMED:
        return [
            "neutral NOT CONFIRMED: the device did not confirm that it stopped, and may still move. Stop it at the device itself."
        ]
    if before == NOT_CONFIRMED and now == "confirmed":
        return ["neutral: confirmed now"]
    return []
