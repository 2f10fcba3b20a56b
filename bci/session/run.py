"""A live session: recorder, engine and, if wanted, a device and an actuator host, each in a process of its own."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bci.errors import ModelError
from bci.session import wire
from bci.session.arming import GuardLink
from bci.session.engine_process import markers_there, montage_of
from bci.session.model import load_model
from bci.session.processes import Child, ChildError
from bci.settings import SessionConfig
from bci.stream.discovery import find_each, the_one
from bci.stream.late_markers import LateMarkers
from bci.stream.lsl import LslTextOutlet, StreamQuery
from bci.stream.lsl_config import require_ports
from bci.stream.lsl_inlet import rate_of
from bci.stream.triggers import trigger_owner

READY_S = 60.0
FLUSH_S = 0.5
AGAIN_S = 2.0
SAME_S = 10.0
DEATHS = 3
WITHIN_S = 60.0
ENGINE_STREAMS = ("outcomes", "decisions", "timing", "events", "state", "velocity")
HOST_STREAMS = ("guard", "commands")
TOKEN = "BCI_TOKEN"


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """What a live session is made of.

    Parameters
    ----------
    model : Path
    config : SessionConfig
    options : tuple of str
        The command-line options that ``config`` came from; the engine's process reads them again.
    source : str
        Query for the EEG stream.
    device : tuple of str
        Words after ``bci stream`` for a source to start first; empty where the stream is there already.
    actuator : tuple of str
        Words after ``bci actuate``; empty where nothing is to be moved.
    without : str
        The markers, where they may be missing at the start.
    arm_once : str
        Arm the actuator once, without a person, on behalf of whoever this names; empty for waiting for a person.
    begin_again : bool
        Whether what dies is begun again; else the session ends with its engine or its recorder, which is what a
        measurement wants.
    """

    model: Path
    config: SessionConfig
    options: tuple[str, ...]
    source: str
    device: tuple[str, ...] = ()
    actuator: tuple[str, ...] = ()
    arm_once: str = ""
    begin_again: bool = False
    without: str = ""


class LiveSession:
    """Starts the processes in the order that loses nothing, watches them, and stops them.

    The device first, then the recorder, which subscribes to everything it sees; then the actuator host, disarmed, and
    the engine, which both wait until the recorder listens to them. A context manager: leaving it stops what runs.

    Where the plan says so, what dies is begun again (:meth:`check`): device and actuator host alone, engine and recorder
    together, as a further run with a file of its own, because a recording that can be verified holds one run of the
    engine whole. Nothing is armed by that.

    Parameters
    ----------
    plan : SessionPlan
    stopped : callable
        Why to end, or ""; asked while it starts.
    tell : callable
        Told what is being waited for while it starts.

    Attributes
    ----------
    recording : Path
        The newest; known once started.
    recordings : list of Path
        All.
    session_id : str
        In every stream of the session.
    warnings : list of str
        What a person should know from the start.
    guard : GuardLink or None
        To the actuator host, where there is one.
    ended : str
        Why the session is over, where its engine was asked to stop by a message; else empty.
    """

    def __init__(
        self, plan: SessionPlan, stopped: Callable[[], str] = lambda: "", tell: Callable[[str], object] = lambda _: None
    ) -> None:
        self.plan = plan
        self.warnings: list[str] = []
        self._notes: list[str] = []
        self.recordings: list[Path] = []
        self.session_id = uuid.uuid4().hex[:12]
        self.guard: GuardLink | None = None
        self.ended = ""
        self._stopped, self._tell = stopped, tell
        self._token = secrets.token_hex(16)
        self._name = plan.config.engine.name
        self._logs = Path(tempfile.mkdtemp(prefix="bci-"))
        self._children: dict[str, Child] = {}
        self._deaths: deque[float] = deque(maxlen=DEATHS)
        self._began: dict[str, float] = {}
        self._told: dict[str, str] = {}
        self._control = LslTextOutlet(f"{self._name}-control", "BCI-Control", f"{self._name}-control-{self.session_id}")

    @property
    def recording(self) -> Path:
        """The newest recording."""
        return self.recordings[-1] if self.recordings else Path()

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def stream_query(self, what: str) -> str:
        """Query for one of this very session's streams, for instance ``"decisions"``."""
        return StreamQuery(source_id=f"{self._name}-{what}-{self.session_id}").words()

    def control(self, kind: str, **fields: object) -> None:
        """Send engine and actuator host a control message (docs/streams.md)."""
        self._control.push(wire.line(kind, **fields))

    def check(self) -> list[str]:
        """Begin again what has died, and hear the guard; return what a person should know of it.

        A recorder may be missing where the section ``record`` says so. The engine and the actuator host notice by
        themselves what has gone, and are neutral before this is called.

        Raises
        ------
        ChildError
            If engine or recorder have died, and do not start again, die too often, or are not to be begun again.
        """
        news = self.guard.update() if self.guard else []
        dead = {name: child for name, child in self._children.items() if not child.alive}
        if "engine" in dead and dead["engine"].exit_code == 0:
            self.ended = "the engine was asked to stop"
            return news
        for name in ("device", "actuator"):
            if name in dead and self.plan.begin_again:
                news += self._revive(name)
        if "recorder" in dead and not self.plan.config.record.required:
            news.append(f"{self._children.pop('recorder').obituary()}\nThe session goes on without a recording.")
            dead.pop("recorder")
        if {"engine", "recorder"} & set(dead):
            news += self._run_again([dead[name] for name in ("engine", "recorder") if name in dead])
        return news

    def stop(self) -> None:
        """Stop actuator host and engine first, so that their last word is recorded; then recorder and device.

        The actuator goes to neutral before anything is waited for. May be called twice.
        """
        children, self._children = self._children, {}
        first = [children.pop(name) for name in ("actuator", "engine") if name in children]
        for child in first:
            child.hang_up()
        for child in first:
            child.stop()
        if first:
            time.sleep(FLUSH_S)
        for child in children.values():
            child.hang_up()
        for child in children.values():
            child.stop()
        if self.guard is not None:
            self.guard.close()
        self._control.close()
        shutil.rmtree(self._logs, ignore_errors=True)

    def _start(self) -> None:
        """Device, recorder, actuator host, engine."""
        load_model(self.plan.model)
        self._notes += require_ports(self._ports(), "this session")
        if self.plan.device:
            self._tell(f"Starting the source {self.plan.device[0]} …")
            self._begin("device")
            self._wait("device")
        self._tell(f"Looking for the stream {self.plan.source} …")
        self._notes += self._look()
        if self.plan.actuator:
            ears = LateMarkers(StreamQuery.parse(self.stream_query("guard")))
            self.guard = GuardLink(ears, self._control.push, self._token, self.plan.arm_once)
        self._run()

    def _run(self) -> None:
        """Recorder and engine, and the actuator host in between where it does not run already."""
        self._begin("recorder")
        self.recordings.append(Path(self._wait("recorder")["path"]))
        self._tell(f"Recording {self.recording}\nStarting the engine …")
        model = self.recording.with_name(self.recording.stem + "_model.safetensors")
        shutil.copyfile(self.plan.model, model)
        new_host = bool(self.plan.actuator) and "actuator" not in self._children
        if new_host:
            self._begin("actuator")
        self._begin("engine", model)
        if new_host:
            self._wait("actuator")
        self.warnings = [*self._notes, *self._wait("engine")["warnings"]]
        self._notes = []

    def _look(self) -> list[str]:
        """Are the streams there that were asked for, before anything is written; what a person should know of them.

        Raises
        ------
        StreamNotFound, StreamAmbiguous, StreamMismatch
        StreamError
            If what is to be decoded is no signal.
        """
        stream, markers = StreamQuery.parse(self.plan.source), self.plan.config.markers.stream
        queries = [stream, *([StreamQuery.parse(markers)] if markers else [])]
        timeout_s = self.plan.config.stream.timeout_s
        owner = trigger_owner(markers) if markers else ""
        found = find_each(queries[:1] if self.plan.without or owner else queries, timeout_s, stopped=self._stopped)
        eeg = the_one(stream, found[0], timeout_s, eeg=True)
        rate_of(eeg, montage_of(self.plan.config))
        if not markers or owner == eeg.name:
            return []  # its trigger channels are looked for by the engine, which knows its channels
        if len(found) == 1:
            found += find_each(queries[1:], 0.0 if self.plan.without else timeout_s, stopped=self._stopped)
        there = found[1]
        return markers_there(queries[1], there, timeout_s, bool(self.plan.without))

    def _run_again(self, dead: list[Child]) -> list[str]:
        """A further run of recorder and engine, after one of them has died."""
        why = "\n".join(child.obituary() for child in dead)
        if not self.plan.begin_again:
            raise ChildError(why)
        self._deaths.append(time.monotonic())
        if len(self._deaths) == DEATHS and self._deaths[-1] - self._deaths[0] < WITHIN_S:
            raise ChildError(f"{why}\nEngine or recorder died {DEATHS} times within {WITHIN_S:g} s; the session ends.")
        for name in ("engine", "recorder"):
            child = self._children.pop(name, None)
            if child is not None:
                child.stop()
        try:
            self._run()
        except KeyboardInterrupt:
            if not self._stopped():
                raise
            return [why]
        return [why, f"Begun again: recording {self.recording}. Channels marked by hand must be marked again.", *self.warnings]

    def _revive(self, name: str) -> list[str]:
        """Begin a device or an actuator host again, without waiting for it; whoever uses it finds it when it is there."""
        lived_s = time.monotonic() - self._began[name]
        if lived_s < AGAIN_S:
            return []
        child = self._children[name]
        why = f"{child.obituary()}\nIt is begun again every {AGAIN_S:g} s until it lives."
        known, self._told[name] = self._told.get(name), why
        child.stop()
        self._begin(name)
        return [] if known == why and lived_s < SAME_S else [why]

    def _begin(self, name: str, *extra: object) -> None:
        """Start one process; which one it is says what it is to do."""
        words = {
            "device": lambda: ["stream", *self.plan.device],
            "recorder": lambda: ["record", *self._recorder_words()],
            "actuator": lambda: ["actuate", *self._actuator_words()],
            "engine": lambda: ["engine", "--model", *map(str, extra), *self._engine_words()],
        }[name]()
        self._began[name] = time.monotonic()
        log = self._logs / f"{name}-{len(list(self._logs.iterdir()))}.log"
        environment = {TOKEN: self._token} if name == "actuator" else None
        self._children[name] = Child(name, [*words, "--parent-pipe", "--json"], log, environment)

    def _wait(self, name: str) -> dict[str, Any]:
        """What a process says when it is ready."""
        return self._children[name].wait_ready(READY_S, self._stopped)

    def _recorder_words(self) -> Sequence[str]:
        """Options that make the recorder take this session's streams, and no other's."""
        config = self.plan.config
        ours = (*ENGINE_STREAMS, "control", *(HOST_STREAMS if self.plan.actuator else ()))
        later = [*(self.stream_query(what) for what in ours), StreamQuery(name=f"{self._name}-screen").words()]
        if config.markers.stream:
            later.append(config.markers.stream)
        record = config.record
        words = ["--stream", self.plan.source, *(word for query in later for word in ("--later", query))]
        place = ["--out", record.out, "--subject", record.subject, "--session", record.session, "--task", record.task]
        return [*words, *place, "--timeout", f"{config.stream.timeout_s:g}"]

    def _ports(self) -> int:
        """Service ports that the session takes: one for each outlet, two for each process that looks for streams."""
        outlets = len(ENGINE_STREAMS) + (len(HOST_STREAMS) if self.plan.actuator else 0) + bool(self.plan.device)
        return outlets + 2 * (3 + (2 if self.plan.actuator else 0))

    def _engine_words(self) -> Sequence[str]:
        return [*self.plan.options, "--stream", self.plan.source, "--session-id", self.session_id, "--wait-recorder"]

    def _actuator_words(self) -> Sequence[str]:
        return [*self.plan.actuator, "--name", self._name, "--session-id", self.session_id, "--wait-recorder"]


def check_model(path: Path) -> Path:
    """The model file, if it is one.

    Raises
    ------
    ModelError
    """
    if not path.exists():
        raise ModelError(f"{path}: no such file; bci train writes a model")
    return path
