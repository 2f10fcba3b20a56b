"""The process of one actuator: its streams over LSL, its plug-in, and the person at its keyboard."""

from __future__ import annotations

import os
import queue
import secrets
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from bci import plugins
from bci.actuation.host import ActuatorHost, DecisionFeed, HostStreams, ThreadWorker
from bci.actuation.streams import HostInlets, offset_of
from bci.engine import guard as g
from bci.engine.pace import PaceSettings
from bci.errors import ActuatorError, PluginError
from bci.processes import terminal_input
from bci.processes.child import say_alive, say_ready, say_streams
from bci.processes.recorder_word import RecorderWord, unrecorded
from bci.processes.stop import StopRequest
from bci.stream import keys
from bci.stream.bus import Actuator, RawInlet
from bci.stream.clock import LslClock
from bci.stream.clocks.suspend import Suspends
from bci.stream.lsl import LslTextOutlet, StreamQuery, this_host
from bci.stream.messages import readable

TOKEN = "BCI_TOKEN"
RECORDER_S = 10.0
SESSION_S = 1.0
"""Longest silence of whoever supervises."""


@dataclass(frozen=True, slots=True)
class ActuatorJob:
    """The task of one actuator host.

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
        Begin only when what is sent is recorded.
    supervised : bool
        Whoever started this host (``bci run``) says several times a second that it lives; its silence is a doubt.
    unsigned : bool
        Believe everybody: for an engine that is not ours, or programs that arm and have no key.
    engine_host : str
        The computer on which the engine runs, as LSL names it; empty for this one.
    word : RecorderWord, optional
        What the recorder says that it records; without it whoever listens is taken for a recorder.
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
    supervised: bool = False
    unsigned: bool = False
    engine_host: str = ""
    word: RecorderWord | None = None


class Keyboard:
    """The person at the terminal of this process: Enter is the emergency stop.

    ``arm`` and ``disarm``, each followed by Enter, do what they say. Whoever sits here needs no token.
    """

    HELP = "Press Enter for the EMERGENCY STOP. Or type arm or disarm, and press Enter."
    WAITING = 100

    def __init__(self) -> None:
        self._events: queue.SimpleQueue[g.Event] = queue.SimpleQueue()
        self._told: queue.Queue[str] = queue.Queue(self.WAITING)
        terminal_input.listen(lambda line: self._events.put(event_of(line.lower())))
        threading.Thread(target=self._write, args=(sys.stderr.fileno(),), name="terminal", daemon=True).start()

    def __call__(self) -> list[g.Event]:
        """Take what was typed since the last call.

        Returns
        -------
        list of Event
        """
        return [self._events.get_nowait() for _ in range(self._events.qsize())]

    def tell(self, text: str) -> None:
        """Show a sentence. Never waits: a terminal that stands still (Ctrl-S) must not stop the host.

        Parameters
        ----------
        text : str
        """
        with suppress(queue.Full):
            self._told.put_nowait(readable(text, 500))

    def _write(self, handle: int) -> None:
        with suppress(OSError):  # the terminal is gone, which the host hears of in another way
            while True:  # unbuffered, as the keyboard is read
                os.write(handle, f"{self._told.get()}\n".encode())


def event_of(word: str) -> g.Event:
    """Return what a line at the keyboard requests; a line that is not understood stops.

    Parameters
    ----------
    word : str
        The line, in lower case.

    Returns
    -------
    Event

    >>> event_of("arm")
    Arm(by='keyboard', sent_s=None)
    >>> event_of("amr")
    EmergencyStop(why="keyboard: 'amr'", sent_s=nan)
    """
    if word == "arm":
        return g.Arm("keyboard")
    if word == "disarm":
        return g.Disarm("keyboard")
    return g.EmergencyStop(f"keyboard: {word!r}" if word else "keyboard")


def open_actuator(name: str, options: Mapping[str, str]) -> Actuator:
    """Open the actuator that a plug-in registered.

    Parameters
    ----------
    name : str
        Under ``bci.actuators``.
    options : mapping of str to str
        For its ``from_settings``.

    Returns
    -------
    Actuator

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


def key_for(job: ActuatorJob) -> bytes | None:
    """Find the key with which messages and decisions must be signed.

    Parameters
    ----------
    job : ActuatorJob

    Returns
    -------
    bytes or None
        None where everybody is believed.

    Raises
    ------
    ConfigError
        If there is a key that cannot be read.
    """
    if job.unsigned or (TOKEN in os.environ and keys.KEY not in os.environ):
        return None
    return keys.own_key(job.session)


def run_host(job: ActuatorJob, stop: StopRequest, keyboard: bool = False, actuator: Actuator | None = None) -> str:
    """Guard and move one actuator until asked to stop.

    Parameters
    ----------
    job : ActuatorJob
    stop : StopRequest
    keyboard : bool
        Whether a person sits at this process.
    actuator : Actuator, optional
        Instead of the plug-in that ``job`` names.

    Returns
    -------
    str
        Why it ended.

    Raises
    ------
    PluginError, ConfigError, ActuatorError
        If the actuator cannot be opened; ActuatorError also if it did not confirm its last neutral.
    """
    clock, key = LslClock(), key_for(job)
    token = os.environ.get(TOKEN) or secrets.token_hex(16)
    worker = ThreadWorker(actuator or open_actuator(job.actuator, job.options), clock)
    streams = _open_streams(job, clock, key)
    person = Keyboard() if keyboard else None
    host = ActuatorHost(
        worker,
        g.Guard((), _limits(job), job.pace),
        streams,
        clock,
        token,
        job.label or job.actuator,
        person or list,
        key,
        this_host(),
        Suspends(),
        alone=not (keyboard or job.supervised),
        tell=person.tell if person else lambda _: None,
    )
    try:
        say_streams(**streams.uids)
        if job.wait_recorder:
            _wait_for_recorder(streams, job.word, stop)
        say_ready(actuator=job.actuator, name=job.name, token=token, keyed=key is not None)
        with stop.at_once(lambda: host.end("a signal"), lambda: host.pause("stopped at the terminal")):
            why = host.run(stop)
    finally:
        worker.close()
        streams.close()
    if host.unconfirmed:
        raise ActuatorError(f"actuator {job.actuator!r}: neutral is NOT CONFIRMED at the end: {host.unconfirmed}")
    return why


def _limits(job: ActuatorJob) -> g.GuardSettings:
    """Those of the guard, with the one on whoever supervises where there is somebody."""
    return replace(job.guard, session_s=job.guard.session_s or SESSION_S) if job.supervised else job.guard


def _wait_for_recorder(streams: HostStreams, word: RecorderWord | None, stop: StopRequest) -> None:
    """Until what is sent is recorded, at most ten seconds; the parent process is told that this one lives."""
    sent = {"commands": streams.commands, "guard": streams.guard}
    unrecorded(sent, word, RECORDER_S, stop, lambda: say_alive(state="waits for the recorder"))


def _open_streams(job: ActuatorJob, clock: LslClock, key: bytes | None) -> HostStreams:
    """All streams of a host, named as docs/reference/streams.md says."""
    end = f"{job.session}-{job.label}" if job.label else job.session

    def texts(what: str, type_: str) -> LslTextOutlet:
        return LslTextOutlet(f"{job.name}-{what}", type_, f"{job.name}-{what}-{end}", {"session": job.session})

    source_id = f"{job.name}-decisions-{job.session}" if job.session else ""
    decisions = StreamQuery(name=f"{job.name}-decisions", source_id=source_id, host=job.engine_host)
    inlets = HostInlets(decisions, StreamQuery(name=f"{job.name}-control"))
    return HostStreams(
        decisions=DecisionFeed(inlets.decisions, clock, job.table, offset_for(job), key),
        control=inlets,
        commands=texts("commands", "BCI-Command"),
        guard=texts("guard", "BCI-Guard"),
        steer=LslTextOutlet(f"{job.name}-control", "BCI-Control", f"{job.name}-blanking-{end}") if job.pace.blanking_s else None,
    )


def offset_for(job: ActuatorJob) -> Callable[[RawInlet], float | None]:
    """Tell how the times of decisions become times on our clock.

    What a stream says of its clock is not signed, and old decisions could look new by it. So on this computer, which has one
    clock, the stream is not asked.

    Parameters
    ----------
    job : ActuatorJob

    Returns
    -------
    callable
        Returns the offset of an inlet in seconds, or None where it is not known now.
    """
    return offset_of if job.engine_host else lambda _: 0.0
