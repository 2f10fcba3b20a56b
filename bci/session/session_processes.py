"""The processes of one live session: started with what each has to know, introduced to each other, and ended."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bci.processes.child import Child
from bci.processes.spare import Spare
from bci.session.plan import Words
from bci.stream import keys

READY_S = 60.0
UNBORN_S = 0.5
END_S = 5.0
"""A process that was asked to end is given so long; on a busy computer it takes some seconds."""
TOKEN = "BCI_TOKEN"


class SessionProcesses:
    """Device, recorder, actuator host and engine, as far as they run, by name.

    Parameters
    ----------
    words : Words
        With which each is started.
    key : bytes
        Of the session; a device does not get it.
    token : str
        What arms the actuator.
    control_uid : str
        Of the session's stream of control messages, which the recorder is told.
    stopped : callable
        Why to wait for a process no longer, or "".
    spare : Spare, optional
        A process that has begun to load what one of them needs.
    """

    def __init__(
        self, words: Words, key: bytes, token: str, control_uid: str, stopped: Callable[[], str], spare: Spare | None = None
    ) -> None:
        self._words, self._key, self._token, self._control_uid = words, key, token, control_uid
        self._stopped, self._spare = stopped, spare
        self._logs = Path(tempfile.mkdtemp(prefix="bci-"))
        self._running: dict[str, Child] = {}
        self._began: dict[str, float] = {}
        self._hung: list[Child] = []

    def all(self) -> dict[str, Child]:
        """Those that were started and not taken out; from any thread."""
        return dict(self._running)

    def get(self, name: str) -> Child | None:
        """One of them, or None where it was not started."""
        return self._running.get(name)

    def take(self, name: str) -> Child | None:
        """Take one out: it no longer belongs to the session."""
        return self._running.pop(name, None)

    def uids(self) -> dict[str, str]:
        """What tells the session's own streams from others of their names, by short name, as far as it is known."""
        return {what: uid for child in self.all().values() for what, uid in child.streams.items()}

    def age_s(self, name: str) -> float:
        """For how long a process has been there."""
        return time.monotonic() - self._began[name]

    def begin(self, name: str) -> Child:
        """Start one process, see :meth:`bci.session.plan.Words.of`."""
        self._began[name] = time.monotonic()
        log = self._logs / f"{name}-{len(list(self._logs.iterdir()))}.log"
        environment = {} if name == "device" else {keys.KEY: self._key.hex()}
        if name == "actuator":
            environment[TOKEN] = self._token
        words = self._words.of(name)
        spare = self._spare if self._spare is not None and self._spare.command == words[0] else None
        started = spare.take(words[1:], environment, log) if spare is not None else None
        child = Child(name, words, log, environment, introduced=self._introduce, started=started)
        self._running[name] = child
        self._introduce()
        return child

    def wait(self, name: str) -> dict[str, Any]:
        """Wait until a process is ready, and return its answer.

        Raises
        ------
        ChildError
            If it ends before, or takes too long.
        """
        return self._running[name].wait_ready(READY_S, self._stopped)

    def bury(self, child: Child) -> None:
        """Finish with a process that ended; one that was killed because it hung keeps its number until the session ends."""
        if child.fate:
            child.hang_up()
            self._hung.append(child)
        else:
            child.stop()

    def end_unborn_engine(self) -> None:
        """End an engine that has no streams yet: it has sent nothing, and may be loading for seconds."""
        engine = self.get("engine")
        if engine is not None and engine.alive and not engine.streams:
            engine.stop(UNBORN_S)
            self.take("engine")

    def end(self, *names: str) -> list[str]:
        """Wait until these, which were asked to end, have ended; return what went wrong with them."""
        obituaries = []
        for child in (child for name in names if (child := self.take(name))):
            child.stop(END_S)
            if child.exit_code:
                obituaries.append(child.obituary())
        return obituaries

    def close(self) -> None:
        """End what hung, and remove the logs. May be called twice."""
        self._running = {}
        for child in self._hung:
            child.stop()
        shutil.rmtree(self._logs, ignore_errors=True)

    def _introduce(self) -> None:
        """Tell the recorder which streams are the session's own, and engine and actuator host which of theirs it records."""
        recorder = self.get("recorder")
        if recorder is None:
            return
        recorder.tell(ours=[self._control_uid, *self.uids().values()])
        for child in (self.get("engine"), self.get("actuator")):
            if child is not None and (recorded := sorted(recorder.recorded & set(child.streams.values()))):
                child.tell(recorded=recorded)
