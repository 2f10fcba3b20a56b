"""The actuator host: decisions in, at most one actuator out, and a guard in between that trusts nobody.

It holds the state by itself, listens to the emergency stop by itself, and survives the engine. What it sends, and
what became of it, goes out on a stream of its own (docs/streams.md, docs/safety.md).
"""

from __future__ import annotations

import hmac
import math
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from bci.engine import guard as g
from bci.engine.command import Command
from bci.errors import StreamError
from bci.session import wire
from bci.session.actuate_feed import DecisionFeed, command_names, row_event
from bci.session.actuate_hand import Done, Hand, ThreadHand, carry_out
from bci.session.arming import arm_message, proof
from bci.session.wires import LINGER_S, TextOutlet
from bci.stream.bus import Clock, MarkerInlet

__all__ = [
    "ActuatorHost",
    "DecisionFeed",
    "Done",
    "Hand",
    "HostWires",
    "ThreadHand",
    "arm_message",
    "carry_out",
    "command_names",
    "proof",
    "row_event",
]

POLL_S = 0.005
TELL_S = 1.0
DEADLINE_S = 0.02
SLACK_S = 0.03  # actuators keep the deadline themselves; ours is the second net, and a busy machine is no fault of theirs


@dataclass(frozen=True, slots=True)
class HostWires:
    """The streams of one host.

    Parameters
    ----------
    decisions : DecisionFeed
    control : MarkerInlet
        Arming, emergency stop.
    commands, guard : TextOutlet
        What was sent, and the state.
    steer : TextOutlet, optional
        Control messages to the engine, for blanking intervals.
    """

    decisions: DecisionFeed
    control: MarkerInlet
    commands: TextOutlet
    guard: TextOutlet
    steer: TextOutlet | None = None

    def close(self) -> None:
        """End all streams of ours and unsubscribe from the others, once what was sent last is on its way."""
        time.sleep(LINGER_S)
        for end in (self.decisions, self.control, self.commands, self.guard, self.steer):
            if end is not None:
                end.close()


class ActuatorHost:
    """Listens, asks the guard, moves the actuator, and says what it did.

    Parameters
    ----------
    hand : Hand
    guard : Guard
    wires : HostWires
    clock : Clock
    token : str
        Arming needs to know it.
    actuator : str
        Its name, for the record.
    desk : callable, optional
        Events of the person who sits at this very process.
    """

    def __init__(
        self,
        hand: Hand,
        guard: g.Guard,
        wires: HostWires,
        clock: Clock,
        token: str,
        actuator: str = "",
        desk: Callable[[], list[g.Event]] = list,
    ) -> None:
        self.guard = guard
        self._hand, self._wires, self._clock, self._token, self._desk = hand, wires, clock, token, desk
        self._actuator = actuator
        self._nonce = secrets.token_hex(16)
        self._told = -math.inf
        self._hung = False
        self._ending = ""

    def run(self, stopped: Callable[[], str] = lambda: "") -> str:
        """Work until ``stopped`` returns a reason; return it. However this ends, neutral comes first."""
        why = "the actuator host failed"
        try:
            while not (stopped() or self._ending):
                self.step()
            why = stopped() or self._ending
        finally:
            self._hand.give(g.Neutral(why))
            self._hand.close()
            self.guard.step(self._clock.now(), g.Disarm(why))
            self._record()
            self._tell()
        return why

    def step(self) -> None:
        """One turn: at most ``POLL_S`` without hearing the stop."""
        # Time first: what has waited while this process did not run must not be taken for fresh.
        self._ask(None)
        for text, _ in self._wires.control.pull(0.0):
            self._obey(text)
        for event in self._desk():
            self._ask(event)
        for event in self._wires.decisions.pull(POLL_S):
            if isinstance(event, g.Engine) and event.present:
                self.guard.assign(self._wires.decisions.commands)
            self._ask(event)
        self._record()
        self._watch_hand()
        if self._clock.now() - self._told >= TELL_S:
            self._tell()

    def _ask(self, event: g.Event | None) -> None:
        """Let the guard judge, and do what it says, in its order."""
        told = False
        for action in self.guard.step(self._clock.now(), event):
            match action:
                case g.Neutral() | g.Order():
                    self._hand.give(action)
                case g.Changed():
                    told = True
                case g.Refused():
                    self._wires.guard.push(wire.line("refused", why=action.why))
                case g.Blank() if self._wires.steer is not None:
                    self._wires.steer.push(wire.line("freeze" if action.begin else "resume", why=action.why))
        if told:
            self._tell()

    def _obey(self, text: str) -> None:
        """Control messages that are for us; the others are for the engine, or for nobody."""
        try:
            message = wire.parse(text, "control message")
        except StreamError:
            return
        why, by = str(message.get("why", "")), str(message.get("by", ""))
        match message["kind"]:
            case "stop_now":
                self._ask(g.Stop(why))
            case "disarm":
                self._ask(g.Disarm(why))
            case "stop":
                self._ending = why or "asked to"
            case "watching":
                self._ask(g.View())
            case "arm" if message.get("actuator", "") in ("", self._actuator):
                self._arm(str(message.get("proof", "")), by)

    def _arm(self, given: str, by: str) -> None:
        """Arm for who knows the token; each nonce serves once, so that nobody can send an overheard message again."""
        good = hmac.compare_digest(given.encode(), proof(self._token, self._nonce).encode())
        self._nonce = secrets.token_hex(16)
        if good:
            self._ask(g.Arm(by))
        else:
            self._wires.guard.push(wire.line("refused", why="not armed: whoever asked does not know this session's token"))
        self._tell()

    def _watch_hand(self) -> None:
        """An actuator that does not come back is a fault, once."""
        hung = self._hand.busy_s() > DEADLINE_S + SLACK_S
        if hung and not self._hung:
            self._ask(g.Fault(g.Cause.ACTUATOR, f"actuator {self._actuator!r} has not come back for {DEADLINE_S * 1000:g} ms"))
        self._hung = hung

    def _record(self) -> None:
        """Say what was done and how long it took; errors go to the guard."""
        for done in self._hand.finished():
            action = done.action
            times = {"began": done.began_s, "ended": done.ended_s, "error": done.error}
            if isinstance(action, g.Neutral):
                self._wires.commands.push(wire.line("neutral", why=action.why, **times))
            else:
                self._wires.commands.push(wire.line("command", **_ordered(action.command, action.row, done), **times))
            late = done.ended_s - done.began_s > DEADLINE_S + SLACK_S
            if (done.error or late) and not self._hung:
                why = done.error or f"took {done.ended_s - done.began_s:.3f} s"
                self._ask(g.Fault(g.Cause.ACTUATOR, f"actuator {self._actuator!r}: {why}"))

    def _tell(self) -> None:
        """The state, for everybody and for late joiners."""
        self._told = self._clock.now()
        guard = self.guard
        self._wires.guard.push(
            wire.line(
                "guard",
                state=guard.state,
                cause=guard.cause,
                why=guard.why,
                good_s=round(guard.good_s(), 3),
                nonce=self._nonce,
                actuator=self._actuator,
                settings=asdict(guard.settings),
                pace=asdict(guard.pace),
            )
        )


def _ordered(command: Command, row: g.Row, done: Done) -> dict[str, Any]:
    """A command with the decision it follows from, and the time from the one to the end of the other."""
    delay_s = done.ended_s - row.sent_s
    return {
        "sequence": command.sequence,
        "name": command.name,
        "value": command.value,
        "decision": row.sequence,
        "decided": row.sent_s if math.isfinite(row.sent_s) else None,
        "delay_s": delay_s if math.isfinite(delay_s) else None,
    }
