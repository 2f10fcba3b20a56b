"""The actuator host: decisions in, at most one actuator out, and a guard in between that trusts nobody.

It holds the state by itself, listens to the emergency stop by itself, and survives the engine. What it sends, and
what became of it, goes out on a stream of its own (docs/streams.md, docs/safety.md).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from bci.engine import guard as g
from bci.engine.chunk import FloatArray
from bci.engine.command import Command
from bci.engine.outcome import Reason
from bci.errors import ActuatorError, BciError, ConfigError, StreamError, StreamLost
from bci.session import wire
from bci.session.wires import LINGER_S, TextOutlet
from bci.stream.bus import Actuator, Clock, MarkerInlet, RawInlet
from bci.stream.metadata import bci_fields

POLL_S = 0.005
TELL_S = 1.0
CLOSE_S = 0.5
DEADLINE_S = 0.02
SLACK_S = 0.03  # actuators keep the deadline themselves; ours is the second net, and a busy machine is no fault of theirs
OFFSET_EVERY_S = 10.0
NAME_LENGTH = 64


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


def command_names(classes: tuple[str, ...], table: Mapping[str, str]) -> tuple[str, ...]:
    """Name of the command for each class: that of the table, else the class's own.

    Raises
    ------
    ConfigError
        If the table names a class that is none, or a name holds what no command's name may hold.
    """
    problems = [
        f"commands.{key}: the decoder has no such class; there are {', '.join(classes)}" for key in table if key not in classes
    ]
    names = tuple(table.get(c, c) for c in classes)
    problems += [
        f"command {name!r}: must be at most {NAME_LENGTH} printable characters; give it a name with --set commands.CLASS=NAME"
        for name in names
        if not name.isprintable() or len(name) > NAME_LENGTH
    ]
    if problems:
        raise ConfigError(problems)
    return names


@dataclass(frozen=True, slots=True)
class Done:
    """What became of an action: times on the host's clock, and the error where there was one."""

    action: g.Order | g.Neutral
    began_s: float
    ended_s: float
    error: str = ""


class Hand(Protocol):
    """Whatever carries actions to the actuator, so that the host never waits for it."""

    def give(self, action: g.Order | g.Neutral) -> None:
        """Carry this out next; neutral pushes aside what has not begun."""
        ...

    def finished(self) -> list[Done]:
        """What is done since the last call."""
        ...

    def busy_s(self) -> float:
        """For how long the actuator has not come back; 0 where it has."""
        ...

    def close(self) -> None:
        """Finish and release the actuator. May be called twice."""
        ...


class ThreadHand:
    """Calls the actuator from a thread of its own: one that hangs cannot keep the host from hearing the stop.

    Parameters
    ----------
    actuator : Actuator
    clock : Clock
    """

    def __init__(self, actuator: Actuator, clock: Clock) -> None:
        self._actuator, self._clock = actuator, clock
        self._todo: deque[g.Order | g.Neutral] = deque()
        self._done: deque[Done] = deque()
        self._changed = threading.Condition()
        self._began = math.inf
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="actuator", daemon=True)
        self._thread.start()

    def give(self, action: g.Order | g.Neutral) -> None:
        """Carry this out next; neutral pushes aside what has not begun, and so does a newer command an older one."""
        with self._changed:
            waiting = [a for a in self._todo if isinstance(a, g.Neutral) and isinstance(action, g.Order)]
            self._todo = deque((*waiting, action))
            self._changed.notify()

    def finished(self) -> list[Done]:
        """What is done since the last call."""
        return [self._done.popleft() for _ in range(len(self._done))]

    def busy_s(self) -> float:
        """For how long the actuator has not come back; 0 where it has."""
        return max(0.0, self._clock.now() - self._began)

    def close(self) -> None:
        """Finish what was given and release the actuator; one that hangs is left behind. May be called twice."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(CLOSE_S)

    def _work(self) -> None:
        """Until closed: one action after the other."""
        while True:
            with self._changed:
                while not self._todo and not self._closing:
                    self._changed.wait()
                if not self._todo:
                    break
                action = self._todo.popleft()
            self._began = began = self._clock.now()
            error = carry_out(self._actuator, action)
            self._began = math.inf
            self._done.append(Done(action, began, self._clock.now(), error))
        self._actuator.close()


def carry_out(actuator: Actuator, action: g.Order | g.Neutral) -> str:
    """Do one action; return what went wrong, or ""."""
    try:
        if isinstance(action, g.Neutral):
            actuator.neutral()
        else:
            actuator.send(action.command)
    except ActuatorError as error:
        return str(error) or type(error).__name__
    except Exception as error:  # top of the actuator's thread: a plug-in may raise anything, and the guard must hear of it
        return f"{type(error).__name__}: {error}"
    return ""


class DecisionFeed:
    """The engine's decisions as events of the guard; the engine may come, go and come back.

    Parameters
    ----------
    find : callable
        Returns a new inlet of the decisions stream, or None while there is none. Must not block.
    clock : Clock
    table : mapping of str to str
        Command for each class (:func:`command_names`).
    offset_of : callable, optional
        Offset in seconds that brings the sender's times to our clock, or None where it cannot be had just now;
        default: 0, the engine runs on this machine.
    """

    def __init__(
        self,
        find: Callable[[], RawInlet | None],
        clock: Clock,
        table: Mapping[str, str],
        offset_of: Callable[[RawInlet], float | None] = lambda _: 0.0,
    ) -> None:
        self.commands: tuple[str, ...] = ()
        self._find, self._clock, self._table, self._offset_of = find, clock, table, offset_of
        self._inlet: RawInlet | None = None
        self._classes: tuple[str, ...] = ()
        self._refused = False
        self._offset, self._offset_at = 0.0, -math.inf

    def pull(self, timeout_s: float) -> list[g.Event]:
        """What has come, waiting at most ``timeout_s`` for it."""
        if self._inlet is None:
            self._inlet = self._find()
            if self._inlet is not None:
                return self._greet(self._inlet)
            self._clock.wait_until(self._clock.now() + timeout_s)
            return []
        try:
            pulled = self._inlet.pull(timeout_s)
        except StreamError as error:
            self._inlet.close()
            self._inlet = None
            why = "the engine is gone" if isinstance(error, StreamLost) else str(error)
            return [g.Engine(False, why)]
        if pulled is None or self._refused:
            return []
        self._compare_clocks(self._inlet)
        rows, stamps = pulled
        return [row_event(values, stamp, self._offset, len(self._classes)) for values, stamp in zip(rows, stamps, strict=True)]

    def close(self) -> None:
        """Unsubscribe. May be called twice."""
        if self._inlet is not None:
            self._inlet.close()
        self._inlet = None

    def _greet(self, inlet: RawInlet) -> list[g.Event]:
        """Whether this engine decides what we were set up for; one that does not is never listened to."""
        self._offset_at = -math.inf
        self._compare_clocks(inlet)
        self._refused = True
        try:
            classes = _classes(inlet.header_xml)
            if self._classes and classes != self._classes:
                raise StreamError(f"the engine now decides between {', '.join(classes)}, not {', '.join(self._classes)}")
            self.commands = command_names(classes, self._table)
        except BciError as error:
            return [g.Fault(g.Cause.MISMATCH, str(error)), g.Engine(False, str(error))]
        self._classes, self._refused = classes, False
        return [g.Engine(True)]

    def _compare_clocks(self, inlet: RawInlet) -> None:
        """Now and then, because clocks of two computers drift apart."""
        now = self._clock.now()
        if now - self._offset_at >= OFFSET_EVERY_S:
            self._offset_at = now
            offset = self._offset_of(inlet)
            self._offset = self._offset if offset is None else offset


def _classes(header_xml: str) -> tuple[str, ...]:
    """Class names in the header of a decisions stream."""
    try:
        found = json.loads(bci_fields(header_xml).get("classes", ""))
    except ValueError:
        found = None
    if not isinstance(found, list) or not found or not all(isinstance(c, str) for c in found):
        raise StreamError("the decisions stream does not say its classes (desc/bci/classes); see docs/streams.md")
    return tuple(found)


def row_event(values: FloatArray | list[str], stamp: float, offset_s: float, n_classes: int) -> g.Row | g.Fault:
    """One row of the decisions stream (``wire.DECISION_FIELDS``), its times on our clock.

    Parameters
    ----------
    values : ndarray, shape (7,)
    stamp : float
        LSL stamp of the row: when it was sent.
    offset_s : float
        Added to the sender's times.
    n_classes : int
    """
    try:
        sequence, decision, confidence, _, expiry, reason, heartbeat = map(float, values)
        row = g.Row(
            int(sequence),
            int(decision),
            confidence,
            expiry + offset_s,
            Reason(int(reason)),
            heartbeat != 0,
            float(stamp) + offset_s,
        )
    except (ValueError, OverflowError) as error:
        return g.Fault(g.Cause.MISMATCH, f"a row of the decisions stream makes no sense: {list(values)} ({error})")
    if not (-1 <= row.decision < n_classes and 0 <= row.confidence <= 1 + 1e-9 and math.isfinite(row.expiry_s)):
        return g.Fault(g.Cause.MISMATCH, f"a row of the decisions stream makes no sense: {list(values)}")
    return row


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
