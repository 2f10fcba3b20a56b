"""A neutral that nobody confirms is told on every surface and asked for again; at rest it is repeated; nobody arms before."""

from __future__ import annotations

import itertools
import threading
import time
from types import SimpleNamespace

import pytest
from guard_parts import HostRig, Recorded

from bci.actuation.host import ThreadWorker, carry_out
from bci.engine import guard as g
from bci.engine.command import Command
from bci.engine.guard import Cause, State
from bci.engine.outcome import Reason
from bci.errors import ActuatorError
from bci.stream.clock import LslClock


class Deaf(Recorded):
    """An actuator whose device hears nothing while it is deaf, and which counts what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.deaf, self.asked = False, 0
        self.answers = True

    def neutral(self) -> bool | None:
        self.asked += 1
        if self.deaf:
            raise ActuatorError("no answer from the device")
        super().neutral()
        return self.answers


def rig_with(actuator: Recorded) -> HostRig:
    rig = HostRig()
    rig.actuator = rig.worker._actuator = actuator
    return rig


def test_an_unconfirmed_neutral_is_told_on_the_guards_stream_the_record_and_the_terminal_and_asked_for_again():
    actuator = Deaf()
    rig = rig_with(actuator).active()
    actuator.deaf, before = True, actuator.asked
    rig.tell("stop_now", why="test").rows(1.1, 0)
    assert 5 <= actuator.asked - before <= 8  # at once, and every 0.2 s
    report = rig.heard("guard", "guard")[-1]
    assert (report["state"], report["neutral"]) == ("safe", "NOT CONFIRMED")
    assert report["error"] == "no answer from the device"
    neutrals = rig.heard("commands", "neutral")[-5:]
    assert {(m["confirmed"], m["error"]) for m in neutrals} == {("no", "no answer from the device")}
    assert any("neutral NOT CONFIRMED: no answer from the device" in text for text in rig.told)
    actuator.deaf = False
    rig.rows(0.4, 0)
    assert rig.heard("guard", "guard")[-1]["neutral"] == "confirmed"
    assert actuator.told == ["left", "neutral"]


@pytest.mark.parametrize("end", ["decision ends", "doubt", "disarm"])
def test_whatever_asked_for_a_neutral_that_is_not_confirmed_nothing_moves_until_a_person_arms_again(end):
    actuator = Deaf()
    rig = rig_with(actuator).active()
    actuator.deaf = True
    if end == "decision ends":
        rig.rows(0.2, -1)
    elif end == "doubt":
        rig.rows(0.2, reason=Reason.QUALITY)
    else:
        rig.tell("disarm").rows(0.2)
    rig.rows(3.0, 1)
    assert rig.guard.state in (State.SAFE, State.DISARMED)
    rig.arm().rows(0.2, 1)
    assert "NOT CONFIRMED" in rig.heard("guard", "refused")[-1]["why"]
    actuator.deaf = False
    rig.rows(2.6).arm().rows(0.2, 1)
    assert (rig.guard.state, actuator.told) == (State.ACTIVE, ["left", "neutral", "right"])


@pytest.mark.parametrize(("answers", "confirmed"), [(True, "device"), (False, "sent"), (None, "sent")])
def test_the_record_says_whether_the_device_itself_confirmed_or_neutral_was_only_sent(answers, confirmed):
    actuator = Deaf()
    actuator.answers = answers
    rig = rig_with(actuator).active().tell("stop_now").wait(0.3)
    assert rig.heard("commands", "neutral")[-1]["confirmed"] == confirmed
    assert rig.heard("guard", "guard")[-1]["neutral"] == "confirmed"


def test_at_rest_neutral_is_repeated_every_second_and_everything_sent_is_numbered_without_a_gap():
    rig = HostRig().start_engine().rows(5.2)
    neutrals = rig.heard("commands", "neutral")
    times = [m["began"] for m in neutrals]
    assert max(b - a for a, b in itertools.pairwise(times)) <= 1.05
    assert [m["again"] for m in neutrals] == [False] + [True] * (len(neutrals) - 1)
    rig.arm().rows(0.2, 0).rows(0.2, 1).tell("stop_now").rows(1.5)
    assert [m["alive"] for m in rig.heard("commands")] == list(range(1, len(rig.heard("commands")) + 1))


def test_a_command_that_hangs_is_told_again_and_again_until_the_neutral_behind_it_is_done():
    rig = HostRig().start_engine().rows(2.4).arm()
    rig.worker.hangs = True
    rig.rows(2.0, 0)
    reports = [m for m in rig.heard("guard", "guard") if m["neutral"] == "NOT CONFIRMED"]
    assert len(reports) >= 2
    assert (rig.guard.state, rig.guard.cause) == (State.SAFE, Cause.ACTUATOR)
    rig.worker.hangs, rig.worker._since = False, 0.0
    rig.rows(0.5)
    assert rig.heard("guard", "guard")[-1]["neutral"] == "confirmed"


def test_a_plug_in_of_before_whose_neutral_returns_nothing_works_as_before():
    class Old:
        def neutral(self):
            pass

    assert carry_out(Old(), g.Neutral("x")) == ("", False)


@pytest.mark.parametrize("error", [ActuatorError(""), ZeroDivisionError("x" * 10_000), UnicodeError("\ud800")])
def test_whatever_a_neutral_raises_is_a_short_printable_error(error):
    class Broken:
        def neutral(self):
            raise error

    text, confirmed = carry_out(Broken(), g.Neutral("x"))
    assert (confirmed, 0 < len(text) <= 200, text.isprintable()) == (False, True, True)


def test_a_host_that_ends_without_a_confirmed_neutral_says_so():
    actuator = Deaf()
    rig = rig_with(actuator).active()
    actuator.deaf = True
    assert rig.host.run(lambda: "SIGTERM") == "SIGTERM"
    assert rig.host.unconfirmed == "no answer from the device"
    assert rig.heard("guard", "guard")[-1]["neutral"] == "NOT CONFIRMED"


def test_a_host_that_ends_while_its_actuator_hangs_says_so():
    rig = HostRig().active()
    rig.worker.hangs = True
    rig.rows(0.2, 1)
    rig.host.run(lambda: "SIGTERM")
    assert rig.host.unconfirmed == "it has not come back"
    report = rig.heard("guard", "guard")[-1]
    assert (report["state"], report["error"]) == ("disarmed", "it has not come back")


# What cannot wait for the host's next turn


def worker_of(actuator: Recorded) -> ThreadWorker:
    return ThreadWorker(actuator, LslClock())


ORDER = g.SendCommand(Command("a"), g.DecisionRow(1, 0, 0.9, 1e9, Reason.DECIDED))


def until(done) -> None:
    end = time.monotonic() + 5
    while not done():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_a_hand_that_is_to_rest_takes_no_command_until_it_may_go_on():
    actuator = Recorded()
    worker = worker_of(actuator)
    worker.give(ORDER)
    until(lambda: actuator.told == ["a"])
    worker.rest("a signal")
    worker.give(ORDER)
    until(lambda: actuator.neutrals == 1)
    worker.give(ORDER)
    worker.go_on()
    worker.give(ORDER)
    until(lambda: len(actuator.told) == 3)
    worker.close()
    assert actuator.told == ["a", "neutral", "a", "closed"]


def test_ending_by_a_signal_is_neutral_although_the_host_does_not_turn():
    rig = HostRig().active()
    rig.host.end("SIGHUP")
    assert rig.actuator.told == ["left", "neutral"]
    rig.row(1)
    assert rig.host.run() == "SIGHUP"
    assert rig.actuator.told == ["left", "neutral", "closed"]


def test_a_host_that_is_to_stand_still_is_neutral_and_disarmed_first_and_works_again_afterwards():
    rig = HostRig().active()
    pausing = threading.Thread(target=rig.host.pause, args=("Ctrl-Z",))
    pausing.start()
    while pausing.is_alive():
        rig.rows(0.04, 0)
    pausing.join()
    assert (rig.guard.state, rig.guard.why) == (State.DISARMED, "stopped at the terminal")
    assert rig.actuator.told == ["left", "neutral"]
    assert rig.heard("guard", "guard")[-1]["state"] == "disarmed"
    rig.rows(2.4).arm().rows(0.2, 1)
    assert rig.actuator.told[-1] == "right"


def test_what_is_told_before_a_host_stands_still_has_50_ms_to_leave_the_process():
    rig = HostRig().active()
    pausing = threading.Thread(target=rig.host.pause, args=("Ctrl-Z",))
    pausing.start()
    while rig.guard.state is not State.DISARMED:
        told_s = time.monotonic()
        rig.rows(0.04, 0)
    pausing.join()
    assert time.monotonic() - told_s >= 0.05


def test_a_host_that_does_not_turn_is_neutral_all_the_same_before_it_stands_still():
    rig = HostRig().active()
    began = time.monotonic()
    rig.host.pause("Ctrl-Z")
    assert time.monotonic() - began < 2.0
    assert rig.actuator.told == ["left", "neutral"]
    rig.rows(1.0, 1)
    assert (rig.guard.state, rig.actuator.told) == (State.DISARMED, ["left", "neutral"])


@pytest.mark.parametrize(("turns", "waited_s"), [(True, [0.05]), (False, [0.3, 0.05])])
def test_a_host_stands_still_50_ms_after_its_last_report_and_a_host_that_does_not_turn_350_ms_after_ctrl_z(
    turns, waited_s, monkeypatch
):
    rig, waited = HostRig().active(), []

    class Reported(threading.Event):
        def wait(self, timeout=None):
            if turns:
                rig.host.step()
            else:
                waited.append(timeout)
            return self.is_set()

    monkeypatch.setattr("bci.actuation.host.threading", SimpleNamespace(Event=Reported))
    monkeypatch.setattr("bci.actuation.host.time", SimpleNamespace(sleep=waited.append))
    rig.host.pause("Ctrl-Z")
    assert waited == waited_s
    assert rig.actuator.told == ["left", "neutral"]
    assert rig.heard("guard", "guard")[-1]["state"] == ("disarmed" if turns else "active")
