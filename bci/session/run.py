"""A live session: recorder, engine and, if wanted, a device and an actuator host, each in a process of its own."""

from __future__ import annotations

import hashlib
import secrets
import time
import uuid
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from bci.actuation.arming import GuardLink
from bci.errors import ConfigError
from bci.model.beside import keep
from bci.model.file import load_model, read_bytes
from bci.processes.child import Child, ChildError
from bci.processes.spare import Spare
from bci.processes.stop import patient
from bci.processes.supervision import Supervision
from bci.processes.writing import heard, written
from bci.recording.lsl_recording import LslWatch
from bci.session.at_start import other_sessions, streams_there
from bci.session.control import ControlSender
from bci.session.plan import SessionPlan, Words
from bci.session.session_processes import SessionProcesses
from bci.stream import keys
from bci.stream.clock import LslClock
from bci.stream.lsl import StreamQuery, this_host
from bci.stream.lsl.late_markers import LateMarkers
from bci.stream.lsl_config import require_ports
from bci.stream.signing import Checker

LAST_WORD_S = 2.0
"""The recorder goes on for so long until actuator host and engine have ended, and a little longer."""
FLUSH_S = 0.2
"""The recorder itself goes on until the streams of both have ended (:func:`bci.recording.process.record_last_words`)."""
LOOK_S = 0.01
AGAIN_S = 2.0
SAME_S = 10.0
DEATHS = 3
WITHIN_S = 60.0
REST_S = (0.1, 0.2)
"""A stop is given so long to reach the actuator before this process stands still: at least, at most."""
GONE = "is not there any more; it was moved or removed while it was written"


class LiveSession:
    """Starts the processes in the order that loses nothing, watches them, and stops them.

    The device first, then the recorder, which subscribes to everything it sees; then the actuator host, disarmed, and
    the engine, which both wait until the recorder listens to them. A context manager: leaving it stops what runs.

    Where the plan says so, what dies is begun again (:meth:`check`): device and actuator host alone, engine and recorder
    together, as a further run with a file of its own, because a recording that can be verified holds one run of the
    engine whole. What hangs is ended and handled as dead (:mod:`bci.processes.supervision`). Nothing is armed by that.

    Parameters
    ----------
    plan : SessionPlan
    stopped : callable
        Why to end, or ""; asked while it starts.
    tell : callable
        Told what is being waited for while it starts and ends.
    session_id : str
        Letters and digits that no other session has; empty: made here.
    spare : Spare, optional
        A process that has begun to load what one of the session's processes needs.

    Attributes
    ----------
    recording : Path
        The newest; known once started.
    recordings : list of Path
        All.
    session_id : str
        In every stream of the session.
    key : bytes
        With which its own messages are signed (:mod:`bci.stream.keys`).
    warnings : list of str
        What a person should know from the start.
    failures : list of str
        What is lost, or went wrong in the end; known once stopped.
    guard : GuardLink or None
        To the actuator host, where there is one.
    ended : str
        Why the session is over, where its engine was asked to stop by a message; else empty.
    """

    def __init__(
        self,
        plan: SessionPlan,
        stopped: Callable[[], str] = lambda: "",
        tell: Callable[[str], object] = lambda _: None,
        session_id: str = "",
        spare: Spare | None = None,
    ) -> None:
        self.plan = plan
        self.warnings: list[str] = []
        self.failures: list[str] = []
        self._notes: list[str] = []
        self.recordings: list[Path] = []
        self.session_id = session_id or uuid.uuid4().hex[:12]
        self.key = keys.new_key()
        self.guard: GuardLink | None = None
        self.ended = ""
        self._over = False
        self._stopped, self._tell = stopped, tell
        self._token = secrets.token_hex(16)
        self._words = Words(plan, self.session_id)
        self._deaths: deque[float] = deque(maxlen=DEATHS)
        self._told: dict[str, str] = {}
        self._kept = ExitStack()
        self._control = ControlSender(plan.config.engine.name, self.session_id, self.key)
        self._processes = SessionProcesses(self._words, self.key, self._token, self._control.uid, stopped, spare)
        self._supervision = Supervision(self._processes.all, self._control.send, plan.config.record.required)

    @property
    def recording(self) -> Path:
        """The newest recording."""
        return self.recordings[-1] if self.recordings else Path()

    def __enter__(self) -> Self:
        try:
            self._supervision.start()
            with self._supervision.waiting():
                self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def stream_query(self, what: str) -> str:
        """Query for one of this very session's streams, for instance ``"decisions"``."""
        return self._words.query(what)

    def uids(self) -> dict[str, str]:
        """What tells the session's own streams from others of their names, by short name, as far as it is known."""
        return self._processes.uids()

    def control(self, kind: str, **fields: object) -> None:
        """Send engine and actuator host a control message (docs/reference/streams.md), from any thread."""
        self._control.send(kind, **fields)

    def neutral_first(self) -> None:
        """Have the actuator host end, before anything else; from any thread, whatever the session is busy with."""
        host = self._processes.get("actuator")
        if host is not None:
            host.hang_up()

    def rest(self) -> None:
        """Have the actuator neutral and disarmed, because this process is about to stand still; from any thread."""
        if self.guard is None:
            return
        self.guard.stop_now("bci run was stopped by Ctrl-Z")
        self.guard.disarm("bci run was stopped by Ctrl-Z")
        began = time.monotonic()
        least_s, most_s = REST_S
        while (passed_s := time.monotonic() - began) < most_s and (passed_s < least_s or self.guard.state != "disarmed"):
            time.sleep(0.01)

    def check(self) -> list[str]:
        """Begin again what has died, and hear the guard; return what a person should know of it.

        A recorder may be missing where the section ``record`` says so. The engine and the actuator host notice by
        themselves what has gone, and are neutral before this is called.

        Raises
        ------
        ChildError
            If engine or recorder have died, and do not start again, die too often, or are not to be begun again.
        """
        self._supervision.turned()
        news = [*self._supervision.news(), *(self.guard.update() if self.guard else [])]
        if recorder := self._processes.get("recorder"):
            news += heard(recorder, self.recordings)
        dead = {name: child for name, child in self._processes.all().items() if not child.alive}
        if self._stopped():  # whoever ends now was asked to
            return news
        if "engine" in dead and dead["engine"].exit_code == 0:
            self.ended = "the engine was asked to stop"
            return news
        for name in ("device", "actuator"):
            if name in dead and self.plan.begin_again:
                news += self._revive(name)
        if "recorder" in dead and not self.plan.config.record.required:
            self._processes.take("recorder")
            news.append(f"{dead.pop('recorder').obituary()}\nThe session goes on without a recording.")
        if {"engine", "recorder"} & set(dead):
            with self._supervision.waiting():
                news += self._run_again([dead[name] for name in ("engine", "recorder") if name in dead])
        return news

    def stop(self) -> None:
        """Stop actuator host and engine first, so that their last word is recorded; then recorder and device.

        The actuator goes to neutral before anything is waited for, and the recorder is waited for while what it holds goes
        to the disk. May be called twice.
        """
        with patient(), self._supervision.waiting():
            self.neutral_first()
            self._processes.end_unborn_engine()
            self._hear_last_words()
            if (recorder := self._processes.get("recorder")) is not None:
                self._keep_what_is_written(recorder)
            self.failures += self._processes.end("actuator", "engine", "device")
            self._processes.close()
            self._supervision.close()
            if not self._over:
                self.failures += [f"{path}: {GONE}" for path in self.recordings if not path.is_file()]
            self._over = True
            if self.guard is not None:
                self.guard.close()
            self._control.close()
            self._kept.close()

    def _hear_last_words(self) -> None:
        """Ask actuator host and engine to end, and leave the recorder the time to record what they send last."""
        first = [child for name in ("actuator", "engine") if (child := self._processes.get(name))]
        for child in first:
            child.hang_up()
        end = time.monotonic() + LAST_WORD_S
        while any(child.alive for child in first) and time.monotonic() < end:
            time.sleep(LOOK_S)
        if first:
            time.sleep(FLUSH_S)

    def _keep_what_is_written(self, recorder: Child) -> None:
        """Wait for a recorder that was told to end, or has died; what is lost is told."""
        if why := written(recorder, self._tell):
            self.failures.append(why)
        heard(recorder, self.recordings)

    def _start(self) -> None:
        """Device, recorder, actuator host, engine."""
        self._notes += require_ports(self._words.ports(), "this session")
        self._notes += self._keep_key()
        others = LslWatch([StreamQuery(name=f"{self.plan.config.engine.name}-decisions")])
        self._kept.callback(others.close)
        self._processes.begin("engine")  # it takes longest to load
        if self.plan.device:
            self._tell(f"Starting the source {self.plan.device[0]} …")
            self._processes.begin("device")
        load_model(self.plan.model)  # refused here where it cannot be used, while those load
        if self.plan.device:
            self._processes.wait("device")
        self._tell(f"Looking for the stream {self.plan.source} …")
        self._notes += streams_there(self.plan, self._stopped)
        seen = others.found()
        if self.plan.actuator:
            ears = LateMarkers(StreamQuery.parse(self.stream_query("guard")))
            check = Checker(self.key, LslClock().now, this_host())
            self.guard = GuardLink(ears, self._control.send, self._token, self.plan.arm_once, check)
        self._run()
        seen += others.found()
        others.close()
        self.warnings += other_sessions(seen, self.plan.config.engine.name, self.session_id)

    def _keep_key(self) -> list[str]:
        """Keep the key where ``bci mark`` and windows that are opened by hand find it; what a person should know of it."""
        try:
            self._kept.enter_context(keys.kept(self.session_id, self.key))
        except ConfigError as error:
            return [f"{error}. Until then bci mark, and windows that are opened by hand, can only stop this session."]
        return []

    def _run(self) -> None:
        """Recorder and engine, and the actuator host in between where it does not run already."""
        engine = self._processes.get("engine") or self._processes.begin("engine")
        engine.go_ahead(look=True)
        self._processes.begin("recorder")
        self.recordings.append(Path(self._processes.wait("recorder")["path"]))
        self._tell(f"Recording {self.recording}\nStarting the engine …")
        model = self.recording.with_name(self.recording.stem + "_model.safetensors")
        data = read_bytes(self.plan.model)
        keep(model, data)
        engine.go_ahead(recording=str(self.recording))
        if self.plan.actuator and self._processes.get("actuator") is None:
            self._processes.begin("actuator")
            self._processes.wait("actuator")
        ready = self._processes.wait("engine")
        if ready["model"] != hashlib.sha256(data).hexdigest():
            raise ChildError(f"{self.plan.model}: was changed while the session started; start it again")
        self.warnings = [*self._notes, *ready["warnings"]]
        self._notes = []

    def _run_again(self, dead: list[Child]) -> list[str]:
        """A further run of recorder and engine, after one of them has died."""
        why = "\n".join(child.obituary() for child in dead)
        if not self.plan.begin_again:
            raise ChildError(why)
        self._deaths.append(time.monotonic())
        if len(self._deaths) == DEATHS and self._deaths[-1] - self._deaths[0] < WITHIN_S:
            raise ChildError(f"{why}\nEngine or recorder died {DEATHS} times within {WITHIN_S:g} s; the session ends.")
        self._end_run(dead)
        try:
            self._run()
        except KeyboardInterrupt:
            if not self._stopped():
                raise
            return [why]
        return [
            why,
            f"Begun again: the session continues with the recording {self.recording}. Channels that you had marked as bad must "
            "be marked again.",
            *self.warnings,
        ]

    def _end_run(self, dead: list[Child]) -> None:
        """End what is left of a run of recorder and engine; the dead have been told."""
        engine, recorder = self._processes.take("engine"), self._processes.take("recorder")
        if engine is not None:
            self._processes.bury(engine)
        if recorder is not None and recorder in dead:
            self._processes.bury(recorder)
        elif recorder is not None and (why := written(recorder, self._tell)):
            self.failures.append(why)

    def _revive(self, name: str) -> list[str]:
        """Begin a device or an actuator host again, without waiting for it; whoever uses it finds it when it is there."""
        child, lived_s = self._processes.get(name), self._processes.age_s(name)
        if child is None or lived_s < AGAIN_S:
            return []
        why = f"{child.obituary()}\nbci starts it again every {AGAIN_S:g} s until it runs."
        known, self._told[name] = self._told.get(name), why
        self._processes.bury(child)
        self._processes.begin(name)
        return [] if known == why and lived_s < SAME_S else [why]
