"""The process of an actuator host over real LSL, run in a thread of this one: its streams, its key, its limits, its end."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from guard_parts import CLASSES, Recorded

from bci.actuation import streams
from bci.actuation.arming import proof
from bci.actuation.process import TOKEN, ActuatorJob, key_for, run_host
from bci.actuation.streams import offset_of
from bci.engine.guard import GuardSettings
from bci.engine.pace import PaceSettings
from bci.errors import ActuatorError, StreamError
from bci.stream import keys, messages
from bci.stream.clock import VirtualClock
from bci.stream.inprocess import InProcessBus
from bci.stream.inprocess_outlets import Sender
from bci.stream.lsl import LslMarkerInlet, LslOutlet, LslRawInlet, LslTextOutlet, StreamQuery, find, local_clock, this_host
from bci.stream.metadata import bci_fields, row_info
from bci.stream.signing import Checker, Signer, row_mac

pytestmark = pytest.mark.live
KEY = b"k" * keys.LENGTH
JOB = ActuatorJob("recorded", {}, {}, GuardSettings(settle_s=0.2), PaceSettings(), name="inproc", session="s1")


class Ending:
    """Asks the host to end when a test says so."""

    def __init__(self) -> None:
        self.why = ""

    def __call__(self) -> str:
        return self.why

    @contextmanager
    def at_once(self, end, pause):
        self.end, self.pause = end, pause
        yield


class Running:
    """A host in a thread, and what it says on its guard stream."""

    def __init__(self, job: ActuatorJob) -> None:
        self.job, self.actuator, self.ending = job, Recorded(), Ending()
        self.result: list[object] = []
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        (self.found,) = find(StreamQuery(name=f"{job.name}-guard"), 20.0)
        self.ears = LslMarkerInlet(self.found)
        self.heard: list[str] = []

    def _run(self) -> None:
        try:
            self.result.append(run_host(self.job, self.ending, actuator=self.actuator))
        except Exception as error:
            self.result.append(error)

    def hear(self) -> dict:
        """The newest report."""
        self.heard += [text for text, _ in self.ears.pull(0.0)]
        return next((m for t in reversed(self.heard) if (m := json.loads(t))["kind"] == "guard"), {})

    def until(self, done, timeout_s: float = 20.0):
        end = time.monotonic() + timeout_s
        while not (found := done(self.hear())):
            assert time.monotonic() < end, self.hear()
            time.sleep(0.02)
        return found

    def end(self, why: str = "enough") -> object:
        """End it; what it returned or raised."""
        self.ending.why = why
        self.thread.join(10.0)
        assert not self.thread.is_alive()
        self.ears.close()
        return self.result[0]


@contextmanager
def running(job: ActuatorJob):
    host = Running(job)
    try:
        yield host
    finally:
        host.end()


@pytest.fixture(autouse=True)
def _no_key(monkeypatch, tmp_path):
    monkeypatch.delenv(keys.KEY, raising=False)
    monkeypatch.delenv(TOKEN, raising=False)
    monkeypatch.setenv(keys.FOLDER, str(tmp_path / "keys"))


def ids(name: str) -> dict[str, str]:
    """source_id of the streams of that prefix by their names."""
    return {f.name: f.source_id for f in find(StreamQuery(), 1.0) if f.name.startswith(name)}


def test_the_streams_of_a_host_are_named_after_session_and_label_and_there_is_none_for_blanking_without_it():
    with running(replace(JOB, name="named", label="hand")) as host:
        assert {n: s for n, s in ids("named").items() if n != "named-control"} == {
            "named-commands": "named-commands-s1-hand",
            "named-guard": "named-guard-s1-hand",
        }
        assert "named-control" not in ids("named")
        inlet = LslRawInlet(host.found)
        assert bci_fields(inlet.header_xml)["session"] == "s1"
        inlet.close()
        assert host.until(lambda m: m.get("actuator")) == "hand"
    with running(replace(JOB, name="blanked", pace=PaceSettings(blanking_s=0.5))):
        assert ids("blanked")["blanked-control"] == "blanked-blanking-s1"
        assert ids("blanked")["blanked-guard"] == "blanked-guard-s1"


@pytest.mark.parametrize(
    ("supervised", "given", "expected"), [(True, 0.0, 1.0), (True, 3.0, 3.0), (False, 0.0, 0.0), (False, 3.0, 3.0)]
)
def test_a_supervised_host_misses_its_supervisor_after_a_second(supervised, given, expected):
    job = replace(JOB, name=f"sup{supervised}{given:g}", supervised=supervised, guard=GuardSettings(session_s=given))
    with running(job) as host:
        assert host.until(lambda m: m.get("settings"))["session_s"] == expected


def test_which_key_a_host_takes(monkeypatch):
    by_hand = key_for(JOB)
    assert by_hand is not None
    assert key_for(JOB) == by_hand, "engine and host by hand share one"
    monkeypatch.setenv(TOKEN, "t")
    assert key_for(JOB) is None, "whoever hands over a token and no key has none"
    monkeypatch.setenv(keys.KEY, KEY.hex())
    assert key_for(JOB) == KEY
    assert key_for(replace(JOB, unsigned=True)) is None
    monkeypatch.delenv(TOKEN)
    assert key_for(JOB) == KEY


def test_a_keyed_host_in_one_process_is_tested_armed_moved_and_ended(monkeypatch, capfd):
    monkeypatch.setenv(keys.KEY, KEY.hex())
    monkeypatch.setenv(TOKEN, "the token")
    job = replace(JOB, name="keyed")
    with running(job) as host:
        signer = Signer(KEY, local_clock, this_host())
        control = LslTextOutlet("keyed-control", "BCI-Control", "window")
        engine = _Engine("keyed-decisions-s1", "keyed", signed=True)
        host.until(lambda m: engine.row() and m.get("good_s", 0) > 0.3)
        control.wait_for_consumers(10.0)
        control.push(signer.line("stop_now", why="proof test"))
        host.until(lambda m: engine.row() and m["heard"]["id"] and m["neutral"] == "confirmed" and m["good_s"] > 0.3)
        control.push(signer.line("arm", proof=proof("the token", host.hear()["nonce"]), by="test", actuator=""))
        host.until(lambda m: engine.row(0) and m["state"] == "active")
        assert host.actuator.told == ["left"]
        assert host.hear()["keyed"] is True
        assert Checker(KEY, local_clock, this_host())(host.heard[-1], "guard").ours
        assert host.end("over") == "over"
        assert host.actuator.told == ["left", "neutral", "closed"]
    ready = next(m for m in map(json.loads, capfd.readouterr().out.splitlines()) if m.get("ready"))
    assert ready == {"ready": True, "actuator": "recorded", "name": "keyed", "token": "the token", "keyed": True}


class _Engine:
    """A decisions stream of this process."""

    def __init__(self, source_id: str, name: str, signed: bool) -> None:
        columns = (*messages.DECISION_FIELDS, *(("mac0", "mac1") if signed else ()))
        self.out = LslOutlet(
            row_info(f"{name}-decisions", "BCI-Decision", source_id, columns), bci={"classes": json.dumps(CLASSES)}
        )
        self.source_id, self.signed, self.n = source_id, signed, 0

    def row(self, decision: int = -1) -> bool:
        """Send one."""
        self.n += 1
        now = local_clock()
        row = np.array([self.n, decision, 0.9 if decision >= 0 else 0.0, now, now + 0.25, 0 if decision >= 0 else 1, 0], float)
        self.out.push(np.array([*row, *row_mac(KEY, self.source_id, row)]) if self.signed else row)
        return True


def test_a_host_whose_last_neutral_is_not_confirmed_says_so_at_its_end():
    host = Running(replace(JOB, name="unconfirmed"))
    host.until(lambda m: m)

    def fails() -> None:
        raise ActuatorError("the cable is out")

    host.actuator.neutral = fails
    error = host.end()
    assert isinstance(error, ActuatorError)
    assert "'recorded': neutral is NOT CONFIRMED at the end: the cable is out" in str(error)


def test_a_signal_rests_the_hand_and_ends_the_host_even_while_it_does_not_turn():
    host = Running(replace(JOB, name="signalled"))
    host.until(lambda m: m)
    neutrals = host.actuator.neutrals
    host.ending.end()
    host.thread.join(10.0)
    assert host.result == ["a signal"]
    assert host.actuator.neutrals > neutrals
    host.ears.close()


def test_the_clock_of_an_engine_elsewhere_is_measured_and_that_of_one_here_is_ours():
    clock = VirtualClock(1000.0)
    bus = InProcessBus(clock)
    bus.text_outlet("a", "t", sender=Sender("elsewhere", lambda now: now + 50.0))
    assert offset_of(bus.raw("a")) == -50.0
    outlet = LslTextOutlet("here", "t", "here")
    inlet = LslRawInlet(find(StreamQuery(name="here"), 10.0)[0])
    assert offset_of(inlet) == 0.0
    inlet.time_correction = lambda timeout_s: (0.0, 7.0)  # type: ignore[method-assign]
    inlet.found = replace(inlet.found, host="elsewhere")
    assert offset_of(inlet) == 7.0
    inlet.time_correction = lambda timeout_s: None  # type: ignore[method-assign]
    assert offset_of(inlet) is None
    inlet.close()
    outlet.close()


def test_an_engine_elsewhere_whose_clock_cannot_be_compared_is_not_listened_to(monkeypatch):
    outlet = LslTextOutlet("there", "t", "there")
    (found,) = find(StreamQuery(name="there"), 10.0)
    streams._connect_decisions(found).close()
    monkeypatch.setattr(LslRawInlet, "time_correction", lambda self, timeout_s: None)
    streams._connect_decisions(found).close()
    with pytest.raises(StreamError, match="cannot be compared"):
        streams._connect_decisions(replace(found, host="elsewhere"))
    monkeypatch.undo()
    streams._connect_decisions(replace(found, host="elsewhere")).close()
    outlet.close()
