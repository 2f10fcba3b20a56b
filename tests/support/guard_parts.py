"""An actuator host in one process on a virtual clock, with an engine and persons that do what a test says."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from bci.actuation.host import ActuatorHost, DecisionFeed, Done, HostStreams, carry_out, proof
from bci.engine import guard as g
from bci.engine.command import Command
from bci.engine.outcome import Reason
from bci.engine.stream_info import Channel, StreamInfo
from bci.errors import ActuatorError, StreamLost
from bci.stream import messages
from bci.stream.bus import ControlInlet, Marker
from bci.stream.clock import VirtualClock
from bci.stream.inprocess import InProcessBus
from bci.stream.inprocess_inlets import InProcessMarkerInlet, InProcessRawInlet
from bci.stream.inprocess_outlets import InProcessTextOutlet, Sender
from bci.stream.signing import MAC_FIELDS, Signer, row_mac

TOKEN = "the session's secret"
CLASSES = ("left", "right")
HOP_S = 0.04
HERE = "this computer"


class Recorded:
    """An actuator that writes down what it is told, repetitions of neutral left out, and fails when asked to."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.neutrals = 0
        self._moves = False
        self.fails: Callable[[], BaseException | None] = lambda: None

    def send(self, command: Command) -> None:
        """Keep the name, or fail."""
        error = self.fails()
        if error is not None:
            raise error
        self.told.append(command.name)
        self._moves = True

    def neutral(self) -> None:
        """Keep that too; at rest it is only counted."""
        self.neutrals += 1
        if self._moves:
            self.told.append("neutral")
        self._moves = False

    def close(self) -> None:
        """Say so."""
        self.told.append("closed")


class InlineWorker:
    """Calls the actuator at once, in virtual time that stands still; or, where ``hangs`` is set, never comes back."""

    def __init__(self, actuator: Any, clock: VirtualClock) -> None:
        self._actuator, self._clock = actuator, clock
        self._done: list[Done] = []
        self.hangs = self.resting = False
        self._since = 0.0

    def give(self, action: g.SendCommand | g.Neutral) -> None:
        """Carry this out."""
        now = self._clock.now()
        if self.hangs:
            self._since = self._since or now
            return
        if self.resting and isinstance(action, g.SendCommand):
            return
        self._done.append(Done(action, now, now, *carry_out(self._actuator, action)))

    def finished(self) -> list[Done]:
        """What is done since the last call."""
        done, self._done = self._done, []
        return done

    def busy_s(self) -> float:
        """Since it hangs."""
        return self._clock.now() - self._since if self._since else 0.0

    def rest(self, why: str) -> None:
        """Neutral, and no command any more."""
        self.resting = True
        self.give(g.Neutral(why))

    def go_on(self) -> None:
        """Take commands again."""
        self.resting = False

    def close(self) -> None:
        """Release the actuator."""
        self._actuator.close()


class Cable:
    """A decisions stream whose connection can break while its sender lives on."""

    def __init__(self, outlet: Any, clock: VirtualClock) -> None:
        self._raw = InProcessRawInlet(outlet, clock)
        self.header_xml = self._raw.header_xml
        self.cut = self.closed = False

    def pull(self, timeout_s: float) -> Any:
        """As any inlet."""
        if self.cut:
            raise StreamLost("the connection broke")
        return self._raw.pull(timeout_s)

    def time_correction(self, timeout_s: float) -> tuple[float, float] | None:
        """As any inlet."""
        return self._raw.time_correction(timeout_s)

    def close(self) -> None:
        """Unsubscribe."""
        self.closed = True
        self._raw.close()


class Lines(ControlInlet):
    """Control streams of any number of windows, whose connections can break and be made again."""

    def __init__(self, bus: InProcessBus, clock: VirtualClock) -> None:
        self._bus, self._clock = bus, clock
        self._ends: dict[str, tuple[Any, Any]] = {}
        self._numbers: dict[str, int] = {}
        self._connections = 0

    def window(self, sender: Sender | None = None) -> InProcessTextOutlet:
        """A further one."""
        outlet = self._bus.text_outlet("bci-control", "BCI-Control", f"window-{len(self._ends)}", sender=sender)
        self._ends[outlet.outlet.uid] = outlet, InProcessMarkerInlet(outlet.outlet, self._clock)
        self.restore(outlet)
        return outlet

    def cut(self, outlet: InProcessTextOutlet) -> None:
        """Break the connection to a window: what it says is not heard."""
        self._numbers.pop(outlet.outlet.uid)

    def restore(self, outlet: InProcessTextOutlet) -> None:
        """Make it again; what was said meanwhile is lost."""
        uid = outlet.outlet.uid
        self._ends[uid][1].pull_markers(0.0)
        self._connections += 1
        self._numbers[uid] = self._connections

    def connection(self, uid: str) -> int:
        """As any inlet of control streams."""
        return self._numbers.get(uid, 0)

    def pull_markers(self, timeout_s: float) -> list[Marker]:
        """As any inlet of control streams."""
        return [marker for uid in self._numbers for marker in self._ends[uid][1].pull_markers(0.0)]

    def close(self) -> None:
        """Unsubscribe."""


class HostRig:
    """Host, actuator, engine and window on one virtual clock.

    Parameters
    ----------
    settings, pace, table : optional
        Of the guard, of the actuator's limits, and for classes.
    key : bytes, optional
        The session's.
    alone : bool
        Nobody supervises the host.
    """

    def __init__(
        self,
        settings: g.GuardSettings | None = None,
        pace: g.PaceSettings | None = None,
        table: Mapping[str, str] | None = None,
        key: bytes | None = None,
        alone: bool = False,
        offset_of: Callable[[Any], float | None] = lambda _: 0.0,
    ) -> None:
        self.clock = VirtualClock(1000.0)
        self.bus = InProcessBus(self.clock)
        self.actuator = Recorded()
        self.worker = InlineWorker(self.actuator, self.clock)
        self.key, self.slept_s, self.told = key, 0.0, list[str]()
        self.signer = Signer(key, self.clock.now, HERE)
        self.lines = Lines(self.bus, self.clock)
        self.window = self.lines.window()
        outlets = {name: self.bus.text_outlet(f"bci-{name}", name) for name in ("commands", "guard", "steer")}
        self._ears = {name: self.bus.markers(f"bci-{name}") for name in outlets}
        self._heard: dict[str, list[dict[str, Any]]] = {name: [] for name in outlets}
        self.cables: deque[Cable] = deque()
        self.feed = DecisionFeed(self._find, self.clock, table or {}, offset_of, key)
        wires = HostStreams(self.feed, self.lines, **outlets)
        self.guard = g.Guard((), settings, pace)
        self.host = ActuatorHost(
            self.worker, self.guard, wires, self.clock, TOKEN, "test", key=key, computer=HERE, slept_s=self._slept,
            alone=alone, tell=self.told.append,
        )  # fmt: skip
        self.engine: Any = None
        self.cable: Any = None
        self.sequence = 0

    def _find(self) -> Any:
        return self.cables.popleft() if self.cables else None

    def _slept(self) -> float:
        slept, self.slept_s = self.slept_s, 0.0
        return slept

    def start_engine(
        self, classes: tuple[str, ...] | None = CLASSES, signed: bool | None = None, sender: Sender | None = None
    ) -> HostRig:
        """A new run of the engine, which signs its rows where there is a key, unless it shall not."""
        signed = self.key is not None if signed is None else signed
        info = StreamInfo(
            0.0,
            tuple(Channel(c) for c in messages.DECISION_FIELDS + MAC_FIELDS * signed),
            source_id="bci-decisions",
            name="bci-decisions",
            type="BCI-Decision",
        )
        self.engine = self.bus.outlet(info, bci={"classes": json.dumps(classes)} if classes else {}, sender=sender)
        self.sequence = 0
        self.connect()
        self.host.step()
        return self

    def connect(self) -> None:
        """The newest engine's stream is found."""
        self.cable = Cable(self.engine, self.clock)
        self.cables.append(self.cable)

    def row(self, decision: int = -1, reason: Reason | None = None, expiry_s: float = 0.25, heartbeat: bool = False) -> None:
        """The engine sends one row."""
        self.sequence += 1
        reason = (Reason.DECIDED if decision >= 0 else Reason.IDLE) if reason is None else reason
        now = self.engine.now()
        confidence = 0.9 if decision >= 0 else 0.0
        values = (self.sequence, decision, confidence, now, now + expiry_s, reason, heartbeat)
        self.engine.push(signed_row(self.engine, self.key, *values))

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
        self.window.push(self.signer.line(kind, **fields))
        self.host.step()
        return self

    @property
    def nonce(self) -> str:
        """The newest number of which a proof is made."""
        nonce: str = self.heard("guard", "guard")[-1]["nonce"]
        return nonce

    def arm(self, token: str = TOKEN, window: InProcessTextOutlet | None = None) -> HostRig:
        """A window arms; where there is a key, once its stop has been heard."""
        window = window or self.window
        if self.key is not None:
            window.push(self.signer.line("stop_now", why="proof test"))
            self.host.step()
            self.rows(0.2)
        window.push(self.signer.line("arm", proof=proof(token, self.nonce), by="window", actuator=""))
        self.host.step()
        return self

    def active(self) -> HostRig:
        """Started, armed, and moving left."""
        return self.start_engine().rows(2.3).arm().rows(0.08, 0)

    def heard(self, name: str, *kinds: str) -> list[dict[str, Any]]:
        """Messages on a stream of the host so far, with ``at``: when each was sent."""
        self._heard[name] += [{**messages.parse(text, name), "at": at} for text, at in self._ears[name].pull(0.0)]
        return [m for m in self._heard[name] if not kinds or m["kind"] in kinds]


def signed_row(engine: Any, key: bytes | None, *values: float) -> list[float]:
    """A row as an engine sends it, signed where its stream has the columns for it."""
    row = [float(value) for value in values]
    if len(engine.info.channels) == len(row):
        return row
    return [*row, *row_mac(key or bytes(32), engine.info.source_id, np.array(row))]


def broken(text: str = "the cable is out") -> Callable[[], BaseException]:
    """An actuator's way to fail."""
    return lambda: ActuatorError(text)


__all__ = ["CLASSES", "HERE", "HOP_S", "TOKEN", "Cable", "HostRig", "InlineWorker", "Recorded", "broken", "signed_row"]
