"""A live session: recorder, engine and, if wanted, a simulated subject, each in a process of its own."""

from __future__ import annotations

import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bci.errors import ModelError
from bci.session import wire
from bci.session.model import load_model
from bci.session.processes import Child, ChildError
from bci.settings import SessionConfig
from bci.stream.lsl import LslTextOutlet

READY_S = 60.0
FLUSH_S = 0.5
ENGINE_STREAMS = ("outcomes", "decisions", "timing", "events", "state")


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
    """

    model: Path
    config: SessionConfig
    options: tuple[str, ...]
    source: str
    device: tuple[str, ...] = ()


class LiveSession:
    """Starts the processes in the order that loses nothing, watches them, and stops them in the reverse order.

    The device first, then the recorder, which subscribes to everything it sees; then the engine, which waits until
    the recorder listens to it. A context manager: leaving it stops what runs.

    Parameters
    ----------
    plan : SessionPlan
    stopped : callable
        Why to end, or ""; asked while it starts.

    Attributes
    ----------
    recording : Path
        Known once started.
    session_id : str
        In every stream of the session.
    warnings : list of str
        What a person should know from the start.
    """

    def __init__(self, plan: SessionPlan, stopped: Callable[[], str] = lambda: "") -> None:
        self.plan = plan
        self.warnings: list[str] = []
        self._stopped = stopped
        self.session_id = uuid.uuid4().hex[:12]
        self.recording = Path()
        self._name = plan.config.engine.name
        self._logs = Path(tempfile.mkdtemp(prefix="bci-"))
        self._children: list[Child] = []
        self._control = LslTextOutlet(f"{self._name}-control", "BCI-Control", f"{self._name}-control-{self.session_id}")

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
        """Query for one of the engine's streams of this very session, for instance ``"decisions"``."""
        return f"source_id={self._name}-{what}-{self.session_id}"

    def control(self, kind: str, **fields: object) -> None:
        """Send the engine a control message (docs/streams.md)."""
        self._control.push(wire.line(kind, **fields))

    def check(self) -> None:
        """Raise if a process that the session cannot do without has ended.

        The engine notices by itself when the device has gone; a recorder may be missing where the section
        ``record`` says so.

        Raises
        ------
        ChildError
        """
        needed = {"engine", "recorder"} if self.plan.config.record.required else {"engine"}
        for child in self._children:
            if child.name in needed and not child.alive:
                raise ChildError(f"{child.name} ended with code {child.exit_code}:\n{child.last_words()}")

    def stop(self) -> None:
        """Stop the engine first, so that its last word is recorded; then recorder and device. May be called twice."""
        children = {child.name: child for child in self._children}
        self._children = []
        if "engine" in children:
            children["engine"].stop()
            time.sleep(FLUSH_S)
        for name in ("recorder", "device"):
            if name in children:
                children[name].stop()
        self._control.close()
        shutil.rmtree(self._logs, ignore_errors=True)

    def _start(self) -> None:
        """Device, recorder, engine."""
        load_model(self.plan.model)
        if self.plan.device:
            self._child("device", ["stream", *self.plan.device])
        recorder = self._child("recorder", ["record", *self._recorder_words()])
        self.recording = Path(recorder["path"])
        model = self.recording.with_name(self.recording.stem + "_model.safetensors")
        shutil.copyfile(self.plan.model, model)
        words = ["engine", "--model", str(model), "--source", self.plan.source, "--session-id", self.session_id]
        engine = self._child("engine", [*words, "--wait-recorder", *self.plan.options])
        self.warnings += engine["warnings"]

    def _recorder_words(self) -> Sequence[str]:
        """Options that make the recorder take this session's streams, and no other's."""
        config = self.plan.config
        wanted = [self.plan.source, *(self.stream_query(what) for what in (*ENGINE_STREAMS, "control"))]
        if config.markers.stream:
            wanted.append(f"name={config.markers.stream}")
        record = config.record
        words = [word for query in wanted for word in ("--stream", query)]
        place = ["--out", record.out, "--subject", record.subject, "--session", record.session, "--task", record.task]
        return [*words, *place, "--timeout", f"{config.stream.timeout_s:g}"]

    def _child(self, name: str, words: Sequence[str]) -> dict[str, Any]:
        """Start one process and wait until it is ready."""
        child = Child(name, [*words, "--parent-pipe", "--json"], self._logs / f"{name}.log")
        self._children.append(child)
        return child.wait_ready(READY_S, self._stopped)


def check_model(path: Path) -> Path:
    """The model file, if it is one.

    Raises
    ------
    ModelError
    """
    if not path.exists():
        raise ModelError(f"{path}: no such file; bci train writes a model")
    return path
