"""Who watches a session's processes: on a clock of the test, and with processes that really stand still."""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bci.processes.child import Child
from bci.processes.supervision import EVERY_S, KILLED_S, TOLD_S, Silences, Supervision

pytestmark = pytest.mark.live

STEP_S = 0.2


@dataclass
class Watched:
    """A process that says what a test has it say."""

    sign_of_life: dict[str, Any] = field(default_factory=dict)
    sign_of_life_s: float = 0.0
    fate: str = ""
    ended: bool = False

    @property
    def alive(self) -> bool:
        return not self.ended

    def kill(self, fate: str) -> None:
        self.fate, self.ended = fate, True


class SupervisionRig:
    """A supervision of such processes, looked at every 0.2 s of a clock that the test moves."""

    def __init__(self, required: bool = True) -> None:
        self.now = time.monotonic()
        self.children = {name: Watched({"alive": 1}, self.now) for name in ("device", "recorder", "actuator", "engine")}
        self.sent: list[dict[str, Any]] = []
        self.told: list[str] = []
        self.supervision = Supervision(
            lambda: self.children, lambda kind, **fields: self.sent.append({"kind": kind, **fields}), required
        )

    def run(self, seconds: float, silent: str = "", turns: bool = True, step_s: float = STEP_S) -> None:
        """Let time pass; all but one process speak."""
        end = self.now + seconds
        while self.now < end:
            self.now += step_s
            for name, child in self.children.items():
                if name != silent:
                    child.sign_of_life_s = self.now
            if turns:
                self.supervision._turned = self.now
            self.supervision.look(self.now)
            self.told += self.supervision.news()

    @property
    def doubt(self) -> str:
        """What the host was told last."""
        return str(self.sent[-1]["doubt"])


@pytest.mark.parametrize("name", ["engine", "actuator", "device"])
def test_a_process_that_says_nothing_is_told_after_2_s_and_ended_after_5(name: str) -> None:
    rig = SupervisionRig()
    rig.run(3.0)
    assert rig.told == []
    rig.run(TOLD_S + 2 * STEP_S, silent=name)
    assert rig.told == [f"{name} hangs: it has given no sign of life for 2 s. After 5 s it is ended."]
    assert not rig.children[name].ended
    rig.run(KILLED_S[name] - TOLD_S, silent=name)
    assert rig.children[name].fate == "gave no sign of life for 5 s, and was ended"


def test_a_required_recorder_that_says_nothing_is_a_doubt_within_2_s_and_what_it_holds_is_waited_for() -> None:
    rig = SupervisionRig()
    rig.run(1.0)
    assert rig.doubt == ""
    rig.run(TOLD_S + 2 * STEP_S, silent="recorder")
    assert "recorder has given no sign of life" in rig.doubt
    rig.run(40.0, silent="recorder")
    assert not rig.children["recorder"].ended
    rig.run(0.4)
    assert (rig.doubt, rig.told[-1]) == ("", "recording: continues")
    rig.run(46.0, silent="recorder")
    assert rig.children["recorder"].ended
    rig.run(0.4)
    assert rig.doubt == "there is no recorder"


def test_a_recording_that_is_not_required_is_told_and_is_no_doubt() -> None:
    rig = SupervisionRig(required=False)
    rig.run(10.0, silent="recorder")
    assert {message["doubt"] for message in rig.sent} == {""}
    assert len(rig.told) == 1


def test_a_disk_that_does_not_answer_is_a_doubt_though_the_recorder_lives() -> None:
    rig = SupervisionRig()
    rig.children["recorder"].sign_of_life["write_s"] = 3.9
    rig.run(1.0)
    assert rig.doubt == ""
    rig.children["recorder"].sign_of_life["write_s"] = 4.1
    rig.run(0.2)
    assert "disk" in rig.doubt
    assert any("disk" in text for text in rig.told)


def test_a_required_recorder_that_ends_is_a_doubt_from_when_it_says_so() -> None:
    rig = SupervisionRig()
    rig.run(1.0)
    rig.children["recorder"].sign_of_life["doubt"] = "the recorder was asked to end"
    rig.run(0.2)
    assert rig.doubt == "the recorder was asked to end"
    assert rig.told[-1] == "recording: the recorder was asked to end"


def test_after_a_suspend_nobody_is_ended_for_a_silence_that_was_ours_too() -> None:
    rig = SupervisionRig()
    rig.run(1.0)
    rig.run(3600.0, silent="engine", step_s=1800.0)
    assert (rig.told, rig.children["engine"].ended) == ([], False)
    rig.run(6.0, silent="engine")
    assert rig.children["engine"].ended, "but what hangs when we are awake is"


def test_who_has_not_begun_to_speak_is_waited_for() -> None:
    rig = SupervisionRig()
    rig.children["engine"].sign_of_life = {}
    rig.run(60.0, silent="engine")
    assert (rig.told, rig.children["engine"].ended) == ([], False)
    rig.run(31.0, silent="engine")
    assert rig.children["engine"].fate == "gave no sign of life for 90 s, and was ended", "though not for ever"


def test_a_session_whose_own_loop_hangs_says_nothing_to_the_host_unless_it_has_said_that_it_waits() -> None:
    rig = SupervisionRig()
    rig.run(1.0)
    rig.run(3.0, turns=False)
    before = len(rig.sent)
    rig.run(3.0, turns=False)
    assert len(rig.sent) == before
    with rig.supervision.waiting():
        rig.run(3.0, turns=False)
    assert len(rig.sent) >= before + int(3.0 / EVERY_S) - 1


def test_silences_are_counted_anew_when_somebody_speaks() -> None:
    silences = Silences()
    silences.look(0.0, {1: 0.0})
    assert silences.look(0.5, {1: 0.0}) == {1: pytest.approx(0.5)}
    assert silences.look(0.9, {1: 0.8}) == {1: 0.0}
    assert silences.look(1.3, {1: 0.8, 2: 1.2}) == {1: pytest.approx(0.4), 2: 0.0}


SPEAKS = """
import time
from bci.processes.child import say_alive
while True:
    say_alive(consumed=1)
    time.sleep(0.02)
"""


@pytest.mark.skipif(os.name != "posix", reason="a process is made to stand still by a signal")
def test_a_real_process_that_stands_still_is_ended_and_keeps_its_number_until_it_is_buried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bci.processes.supervision.TOLD_S", 0.5)
    monkeypatch.setattr("bci.processes.supervision.KILLED_S", {"engine": 1.0})
    child = Child("engine", ["-c", SPEAKS], tmp_path / "log", program=[sys.executable])
    sent: list[str] = []
    supervision = Supervision(lambda: {"engine": child}, lambda kind, **_: sent.append(kind), required=False)
    supervision.start()
    try:
        while not child.sign_of_life:
            time.sleep(0.01)
        os.kill(child.pid, signal.SIGSTOP)
        end = time.monotonic() + 10.0
        while child.alive:
            assert time.monotonic() < end
            time.sleep(0.01)
        assert "engine gave no sign of life for 1 s, and was ended" in child.obituary()
        os.kill(child.pid, signal.SIGCONT)  # whoever stopped it does not wake a stranger
    finally:
        supervision.close()
        child.stop()
    assert "alive" in sent
    with pytest.raises(ProcessLookupError):
        os.kill(child.pid, 0)


def test_a_supervision_that_fails_is_told_once_and_goes_on_looking() -> None:
    looks: list[int] = []
    sent: list[str] = []

    def children() -> dict[str, Watched]:
        looks.append(1)
        if len(looks) < 4:
            raise OSError("no such process")
        return {}

    supervision = Supervision(children, lambda kind, **_: sent.append(kind), True)
    supervision.start()
    until = time.monotonic() + 10.0
    while not sent and time.monotonic() < until:
        supervision.turned()
        time.sleep(0.02)
    supervision.close()
    assert sent
    told = supervision.news()
    assert len(told) == 1
    assert "supervision failed (OSError: no such process)" in told[0]
