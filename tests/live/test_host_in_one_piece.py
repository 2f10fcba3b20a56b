"""An actuator host in this process over real LSL: which streams it opens, whom it waits for, and what it says to its parent."""

from __future__ import annotations

import json
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bci.actuation.arming import proof
from bci.actuation.process import TOKEN, ActuatorJob, run_host
from bci.engine import guard as g
from bci.engine.outcome import Reason
from bci.engine.pace import PaceSettings
from bci.processes.child import WATCHED
from bci.processes.stop import ENDING, StopRequest
from bci.session.session_streams import SignedRows
from bci.stream import keys, messages
from bci.stream.lsl import LslMarkerInlet, LslOutlet, LslTextOutlet, StreamQuery, find, local_clock, row_info, this_host
from bci.stream.signing import MAC_FIELDS, Checker, Signer

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]

KEY, ANOTHER = bytes(range(32)), bytes(32)
SECRET = "the session's token"
PATIENCE_S = 30.0


def until(done: Callable[[], Any], what: str) -> Any:
    """Wait for what must come."""
    end = time.monotonic() + PATIENCE_S
    while not (found := done()):
        assert time.monotonic() < end, what
        time.sleep(0.01)
    return found


class Session(threading.Thread):
    """What the rest of a session does with a host: recorder, engine, supervisor and window in a thread."""

    def __init__(self, name: str, stop: StopRequest) -> None:
        super().__init__()
        self.prefix, self._stop = name, stop
        self.failure: BaseException | None = None
        self.seen: dict[str, Any] = {}
        self._signer, self._check = Signer(KEY, local_clock, this_host()), Checker(KEY, local_clock, this_host())
        self._reports: list[dict[str, Any]] = []
        self._row = 0

    def run(self) -> None:
        """Go through it; whatever happens the host is asked to end."""
        try:
            self._go()
        except BaseException as error:  # the top of a thread; raised again by the test
            self.failure = error
        finally:
            self._stop.ask("done")

    def _go(self) -> None:
        found = {what: self._found(what) for what in ("guard", "commands")}
        steer = until(lambda: find(StreamQuery(name=f"{self.prefix}-control"), 1.0, 0.0), "steer")[0]
        self.seen["uids"] = {**{what: stream.uid for what, stream in found.items()}, "steer": steer.uid}
        self._ears = LslMarkerInlet(found["guard"])
        time.sleep(1.0)
        self.seen["before the recorder"] = self._ears.pull(0.0)
        self._record = LslMarkerInlet(found["commands"])
        self._control = LslTextOutlet(f"{self.prefix}-control", "BCI-Control", f"{self.prefix}-window")
        forged, engine = self._engine(ANOTHER), self._engine(KEY)
        until(lambda: self._turn(engine, forged)["good_s"] > 2.1, "good signal")
        sent = messages.parse(self._tell("stop_now", why="proof test"), "sent")
        mine = f"{sent['from']}:{sent['n']}"
        until(lambda: (r := self._turn(engine, forged))["heard"]["id"] == mine and r["neutral"] == "confirmed", "proof test")
        self._tell("arm", proof=proof(SECRET, self._reports[-1]["nonce"]), by="window", actuator="hand")
        until(lambda: self._turn(engine, forged, 0)["state"] == "active", "active")
        for _ in range(10):  # long enough for two signs of life
            self._turn(engine, forged, 0)
        until(lambda: self._turn(engine, forged)["strangers"], "strangers")
        self.seen["report"] = self._reports[-1]
        self.seen["sent"] = [json.loads(text) for text, _ in self._record.pull(0.5)]
        for end in (self._ears, self._record, self._control, forged, engine):
            end.close()

    def _found(self, what: str) -> Any:
        query = StreamQuery(name=f"{self.prefix}-{what}", source_id=f"{self.prefix}-{what}-s1-hand")
        return until(lambda: find(query, 1.0, 0.0), what)[0]

    def _engine(self, key: bytes) -> SignedRows:
        source_id = f"{self.prefix}-decisions-s1"
        info = row_info(f"{self.prefix}-decisions", "BCI-Decision", source_id, messages.DECISION_FIELDS + MAC_FIELDS)
        return SignedRows(LslOutlet(info, bci={"classes": '["left", "right"]'}), key, source_id, len(messages.DECISION_FIELDS))

    def _turn(self, engine: SignedRows, forged: SignedRows, decision: int = -1) -> dict[str, Any]:
        """40 ms of the session; the guard's newest report."""
        self._row += 1
        now, reason = local_clock(), Reason.DECIDED if decision >= 0 else Reason.IDLE
        engine.push(np.array([self._row, decision, 0.9 * (decision >= 0), now, now + 0.25, reason, 0]))
        forged.push(np.array([self._row, 1, 0.9, now, now + 0.25, Reason.DECIDED, 0]))
        self._tell("alive", doubt="", cause="")
        time.sleep(0.04)
        for text, _ in self._ears.pull(0.0):
            message = self._check(text, "guard")
            assert message.ours, message.why
            self._reports += [message.fields] if message.kind == "guard" else []
        return self._reports[-1] if self._reports else {"good_s": 0.0}

    def _tell(self, kind: str, **fields: Any) -> str:
        text = self._signer.line(kind, **fields)
        self._control.push(text)
        return text


@pytest.fixture
def stop() -> Iterator[StopRequest]:
    """What ends the host; the signals of this process are as they were afterwards."""
    before = {number: signal.getsignal(number) for number in (*ENDING, signal.SIGINT)}
    yield StopRequest()
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_host_waits_for_its_recorder_names_its_streams_moves_by_its_own_engine_and_says_that_it_lives(
    stop: StopRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, value in ((keys.KEY, KEY.hex()), (TOKEN, SECRET), (WATCHED, "1")):
        monkeypatch.setenv(name, value)
    prefix = f"h{uuid.uuid4().hex[:8]}"
    job = ActuatorJob(
        "log", {"path": str(tmp_path / "log.jsonl")}, {"right": "grip"}, g.GuardSettings(), PaceSettings(blanking_s=0.05),
        prefix, "s1", "hand", wait_recorder=True, supervised=True,
    )  # fmt: skip
    session = Session(prefix, stop)
    session.start()
    try:
        assert run_host(job, stop) == "done"
    finally:
        session.join()
    if session.failure is not None:
        raise session.failure
    seen = session.seen
    assert seen["before the recorder"] == [], "it began although nobody recorded it"
    said = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert said[0] == {"streams": seen["uids"]}
    (ready,) = [line for line in said if line.get("ready")]
    assert (ready["actuator"], ready["name"], ready["keyed"]) == ("log", prefix, True)
    lives = [line for line in said if "alive" in line]
    assert lives[0]["state"] == "waits for the recorder"
    assert {"disarmed", "active"} <= {line["state"] for line in lives}
    report = seen["report"]
    assert (report["actuator"], report["settings"]["session_s"]) == ("hand", 1.0)
    assert report["engine"]["source_id"] == f"{prefix}-decisions-s1"
    assert {m["name"] for m in seen["sent"] if m["kind"] == "command"} == {"left"}
    written = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert {line["command"] for line in written} == {None, "left"}
    assert written[-1]["command"] is None
