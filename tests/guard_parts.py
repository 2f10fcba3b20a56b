"""An actuator host in one process on a virtual clock, with an engine and persons that do what a test says."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from bci.engine import guard as g
from bci.engine.command import Command
from bci.engine.outcome import Reason
from bci.engine.stream_info import Channel, StreamInfo
from bci.errors import ActuatorError, StreamError
from bci.session import wire
from bci.session.actuate import ActuatorHost, DecisionFeed, Done, HostWires, arm_message, carry_out
from bci.stream.clock import VirtualClock
from bci.stream.inprocess import InProcessBus

TOKEN = "the session's secret"
CLASSES = ("left", "right")
HOP_S = 0.04


class Recorded:
    """An actuator that writes down what it is told, and fails when asked to."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.fails: Callable[[], BaseException | None] = lambda: None

    def send(self, command: Command) -> None:
        """Keep the name, or fail."""
        error = self.fails()
        if error is not None:
            raise error
        self.told.append(command.name)

    def neutral(self) -> None:
        """Keep that too."""
        self.told.append("neutral")

    def close(self) -> None:
        """Say so."""
        self.told.append("closed")


class InlineHand:
    """Calls the actuator at once, in virtual time that stands still; or, where ``hangs`` is set, never comes back."""

    def __init__(self, actuator: Any, clock: VirtualClock) -> None:
        self._actuator, self._clock = actuator, clock
        self._done: list[Done] = []
        self.hangs = False
        self._since = 0.0

    def give(self, action: g.Order | g.Neutral) -> None:
        """Carry this out."""
        now = self._clock.now()
        if self.hangs:
            self._since = self._since or now
            return
        self._done.append(Done(action, now, now, carry_out(self._actuator, action)))

    def finished(self) -> list[Done]:
        """What is done since the last call."""
        done, self._done = self._done, []
        return done

    def busy_s(self) -> float:
        """Since it hangs."""
        return self._clock.now() - self._since if self._since else 0.0

    def close(self) -> None:
        """Release the actuator."""
        self._actuator.close()


class HostRig:
    """Host, actuator, engine and window on one virtual clock."""

    def __init__(
        self, settings: g.GuardSettings | None = None, pace: g.PaceSettings | None = None, table: Mapping[str, str] | None = None
    ) -> None:
        self.clock = VirtualClock(1000.0)
        self.bus = InProcessBus(self.clock)
        self.actuator = Recorded()
        self.hand = InlineHand(self.actuator, self.clock)
        self.window = self.bus.text_outlet("bci-control", "BCI-Control")
        outlets = {name: self.bus.text_outlet(f"bci-{name}", name) for name in ("commands", "guard", "steer")}
        self._ears = {name: self.bus.markers(f"bci-{name}") for name in outlets}
        self._heard: dict[str, list[dict[str, Any]]] = {name: [] for name in outlets}
        self.feed = DecisionFeed(self._find, self.clock, table or {})
        wires = HostWires(self.feed, self.bus.markers("bci-control"), **outlets)
        self.guard = g.Guard((), settings, pace)
        self.host = ActuatorHost(self.hand, self.guard, wires, self.clock, TOKEN, "test")
        self.engine: Any = None
        self.sequence = 0

    def _find(self) -> Any:
        try:
            return self.bus.raw("bci-decisions")
        except StreamError:
            return None

    def start_engine(self, classes: tuple[str, ...] | None = CLASSES) -> HostRig:
        """A new run of the engine."""
        info = StreamInfo(
            0.0,
            tuple(Channel(c) for c in wire.DECISION_FIELDS),
            source_id="bci-decisions",
            name="bci-decisions",
            type="BCI-Decision",
        )
        self.engine = self.bus.outlet(info, bci={"classes": json.dumps(classes)} if classes else {})
        self.sequence = 0
        self.host.step()
        return self

    def row(self, decision: int = -1, reason: Reason | None = None, expiry_s: float = 0.25, heartbeat: bool = False) -> None:
        """The engine sends one row."""
        self.sequence += 1
        reason = (Reason.DECIDED if decision >= 0 else Reason.IDLE) if reason is None else reason
        now = self.clock.now()
        confidence = 0.9 if decision >= 0 else 0.0
        self.engine.push((self.sequence, decision, confidence, now, now + expiry_s, reason, heartbeat))

    def rows(self, seconds: float, decision: int = -1, reason: Reason | None = None) -> HostRig:
        """The engine decides every 40 ms."""
        for _ in range(round(seconds / HOP_S)):
            self.wait(HOP_S)
            self.row(decision, reason)
        return self.wait(0.005)

    def wait(self, seconds: float) -> HostRig:
        """The host works, and nobody else."""
        end = self.clock.now() + seconds
        while self.clock.now() < end - 1e-9:
            self.host.step()
        return self

    def tell(self, kind: str, **fields: Any) -> HostRig:
        """A control message."""
        self.window.push(wire.line(kind, **fields))
        self.host.step()
        return self

    def arm(self, token: str = TOKEN) -> HostRig:
        """A window arms."""
        self.window.push(arm_message(token, self.heard("guard", "guard")[-1]["nonce"], "window"))
        self.host.step()
        return self

    def active(self) -> HostRig:
        """Started, armed, and moving left."""
        return self.start_engine().rows(2.3).arm().rows(0.08, 0)

    def heard(self, name: str, *kinds: str) -> list[dict[str, Any]]:
        """Messages on a stream of the host so far, with ``at``: when each was sent."""
        self._heard[name] += [{**wire.parse(text, name), "at": at} for text, at in self._ears[name].pull(0.0)]
        return [m for m in self._heard[name] if not kinds or m["kind"] in kinds]


def broken(text: str = "the cable is out") -> Callable[[], BaseException]:
    """An actuator's way to fail."""
    return lambda: ActuatorError(text)


__all__ = ["CLASSES", "HOP_S", "TOKEN", "HostRig", "InlineHand", "Recorded", "broken"]
