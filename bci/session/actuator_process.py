"""The process of one actuator: its streams over LSL, its plug-in, and the person at its keyboard."""

from __future__ import annotations

import os
import queue
import secrets
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bci import plugins
from bci.engine import guard as g
from bci.engine.pace import PaceSettings
from bci.errors import PluginError, StreamError
from bci.session.actuate import ActuatorHost, DecisionFeed, HostWires, ThreadHand
from bci.session.processes import say_ready
from bci.stream.bus import Actuator, MarkerInlet, RawInlet
from bci.stream.clock import LslClock
from bci.stream.lsl import FoundStream, LslMarkerInlet, LslRawInlet, LslTextOutlet, StreamQuery, Watcher, this_host

TOKEN = "BCI_TOKEN"
LOOK_S = 0.1
CONSUMERS_S = 5.0
CONNECT_S = 1.0


@dataclass(frozen=True, slots=True)
class ActuatorJob:
    """What one host is to do.

    Parameters
    ----------
    actuator : str
        Name of a plug-in registered under ``bci.actuators``.
    options : mapping of str to str
        For its ``from_settings``.
    table : mapping of str to str
        Command for each class; a class that is not named has a command of its own name.
    guard : GuardSettings
    pace : PaceSettings
    name : str
        Prefix of the session's streams.
    session : str
        Identifier of the session; empty: any decisions stream of that name.
    label : str
        Tells the hosts of one session apart, where there are several; part of their ``source_id``.
    wait_recorder : bool
        Begin only when somebody listens to what is sent.
    """

    actuator: str
    options: Mapping[str, str]
    table: Mapping[str, str]
    guard: g.GuardSettings
    pace: PaceSettings
    name: str = "bci"
    session: str = ""
    label: str = ""
    wait_recorder: bool = False


class Joiner:
    """Finds and connects the streams that a host reads, in a thread of its own, so that the host never waits for a network.

    Parameters
    ----------
    decisions, control : StreamQuery
    """

    def __init__(self, decisions: StreamQuery, control: StreamQuery) -> None:
        self._watcher = Watcher(decisions, control)
        self._control_name = control.name
        self._decisions: queue.SimpleQueue[RawInlet] = queue.SimpleQueue()
        self._control: queue.SimpleQueue[MarkerInlet] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._look, name="joins streams", daemon=True)
        self._thread.start()

    def decisions(self) -> RawInlet | None:
        """A newly opened decisions stream, or None."""
        return None if self._decisions.empty() else self._decisions.get()

    def control(self) -> MarkerInlet | None:
        """A newly opened control stream, or None."""
        return None if self._control.empty() else self._control.get()

    def close(self) -> None:
        """Stop looking. May be called twice."""
        self._closing.set()
        self._thread.join()
        for take in (self.decisions, self.control):
            while (inlet := take()) is not None:
                inlet.close()

    def _look(self) -> None:
        """Until closed: open every stream that appears, once."""
        known: set[str] = set()
        while not self._closing.wait(LOOK_S):
            for found in self._watcher.found():
                if found.uid in known:
                    continue
                try:
                    self._open(found)
                except StreamError:
                    continue  # it does not answer; tried again at the next look
                known.add(found.uid)
        self._watcher.close()

    def _open(self, found: FoundStream) -> None:
        if found.name == self._control_name:
            self._control.put(LslMarkerInlet(found, CONNECT_S))
        else:
            self._decisions.put(_connect_decisions(found))


class Ears:
    """Texts of several streams, without waiting on one while another speaks (protocol ``MarkerInlet``).

    Parameters
    ----------
    joiner : Joiner
        Finds them; closed with this.
    """

    def __init__(self, joiner: Joiner) -> None:
        self._joiner = joiner
        self._inlets: list[MarkerInlet] = []

    def pull(self, timeout_s: float) -> list[tuple[str, float]]:
        """Texts at hand with their raw stamps; never waits."""
        while (inlet := self._joiner.control()) is not None:
            self._inlets.append(inlet)
        texts: list[tuple[str, float]] = []
        for inlet in tuple(self._inlets):
            try:
                texts += inlet.pull(0.0)
            except StreamError:
                inlet.close()
                self._inlets.remove(inlet)
        return texts

    def close(self) -> None:
        """Unsubscribe. May be called twice."""
        self._joiner.close()
        for inlet in self._inlets:
            inlet.close()
        self._inlets.clear()


def _connect_decisions(found: FoundStream) -> LslRawInlet:
    """Connect; measure the clock offset of an engine on another computer before it is needed."""
    inlet = LslRawInlet(found, timeout_s=CONNECT_S)
    if found.host != this_host() and inlet.time_correction(CONNECT_S) is None:
        inlet.close()
        raise StreamError(f"{found}: its clock cannot be compared with ours, so nobody knows when its decisions expire")
    return inlet


def _offset_of(inlet: RawInlet) -> float | None:
    """Clock offset of the sender, None where it does not answer; 0 on this computer, where there is one clock."""
    if isinstance(inlet, LslRawInlet) and inlet.found.host == this_host():
        return 0.0
    measured = inlet.time_correction(0.0)
    return None if measured is None else measured[1]


class Keyboard:
    """The person at the terminal of this process: Enter is the emergency stop.

    ``arm`` and ``disarm``, each followed by Enter, do what they say. Whoever sits here needs no token.
    """

    HELP = "Enter: EMERGENCY STOP.  arm, disarm (and Enter): arm, disarm."

    def __init__(self) -> None:
        self._events: queue.SimpleQueue[g.Event] = queue.SimpleQueue()
        threading.Thread(target=self._read, name="keyboard", daemon=True).start()

    def __call__(self) -> list[g.Event]:
        """What was typed since the last call."""
        return [self._events.get_nowait() for _ in range(self._events.qsize())]

    def _read(self) -> None:
        # Unbuffered: the interpreter could not take a buffer's lock back at its end, and would abort.
        handle = sys.stdin.fileno()
        while typed := os.read(handle, 4096):
            for line in typed.decode(errors="replace").splitlines():
                self._events.put(event_of(line.strip().lower()))


def event_of(word: str) -> g.Event:
    """What a line at the keyboard asks for; whatever is not understood stops.

    >>> event_of("arm")
    Arm(by='keyboard')
    >>> event_of("amr")
    Stop(why="keyboard: 'amr'")
    """
    if word == "arm":
        return g.Arm("keyboard")
    if word == "disarm":
        return g.Disarm("keyboard")
    return g.Stop(f"keyboard: {word!r}" if word else "keyboard")


def open_actuator(name: str, options: Mapping[str, str]) -> Actuator:
    """The actuator that a plug-in registered.

    Raises
    ------
    PluginError
        If there is none of that name, or it has no ``from_settings``.
    """
    kind = plugins.load(plugins.ACTUATORS, name)
    build = getattr(kind, "from_settings", None)
    if build is None:
        raise PluginError(f"{plugins.ACTUATORS}: {name!r} has no from_settings(mapping), which an actuator needs")
    actuator: Actuator = build(dict(options))
    return actuator


def run_host(job: ActuatorJob, stopped: Callable[[], str], keyboard: bool = False, actuator: Actuator | None = None) -> str:
    """Guard and move one actuator until asked to stop; return why it ended.

    Parameters
    ----------
    job : ActuatorJob
    stopped : callable
    keyboard : bool
        Whether a person sits at this process.
    actuator : Actuator, optional
        Instead of the plug-in that ``job`` names.

    Raises
    ------
    PluginError, ConfigError, ActuatorError
        If the actuator cannot be opened.
    """
    clock = LslClock()
    token = os.environ.get(TOKEN) or secrets.token_hex(16)
    hand = ThreadHand(actuator or open_actuator(job.actuator, job.options), clock)
    wires = _open_wires(job, clock)
    try:
        if job.wait_recorder:
            wires.commands.wait_for_consumers(CONSUMERS_S)
            wires.guard.wait_for_consumers(CONSUMERS_S)
        desk: Callable[[], list[g.Event]] = Keyboard() if keyboard else list
        host = ActuatorHost(hand, g.Guard((), job.guard, job.pace), wires, clock, token, job.label or job.actuator, desk)
        say_ready(actuator=job.actuator, name=job.name, token=token)
        return host.run(stopped)
    finally:
        hand.close()
        wires.close()


def _open_wires(job: ActuatorJob, clock: LslClock) -> HostWires:
    """All streams of a host, named as docs/streams.md says."""
    end = f"{job.session}-{job.label}" if job.label else job.session

    def texts(what: str, type_: str) -> LslTextOutlet:
        return LslTextOutlet(f"{job.name}-{what}", type_, f"{job.name}-{what}-{end}", {"session": job.session})

    source_id = f"{job.name}-decisions-{job.session}" if job.session else ""
    joiner = Joiner(StreamQuery(name=f"{job.name}-decisions", source_id=source_id), StreamQuery(name=f"{job.name}-control"))
    return HostWires(
        decisions=DecisionFeed(joiner.decisions, clock, job.table, _offset_of),
        control=Ears(joiner),
        commands=texts("commands", "BCI-Command"),
        guard=texts("guard", "BCI-Guard"),
        steer=LslTextOutlet(f"{job.name}-control", "BCI-Control", f"{job.name}-blanking-{end}") if job.pace.blanking_s else None,
    )
