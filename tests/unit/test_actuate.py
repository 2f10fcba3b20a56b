"""The actuator host on a virtual clock: who may arm, what is sent, and what is said of it."""

from __future__ import annotations

import itertools
import threading
import time
from dataclasses import replace

import pytest
from guard_parts import TOKEN, HostRig, Recorded, broken

from bci.actuation.action_results import DEADLINE_S
from bci.actuation.host import ThreadWorker, arm_message, command_names, row_event
from bci.engine import guard as g
from bci.engine.command import Command
from bci.engine.guard import Cause, GuardSettings, State
from bci.engine.outcome import Reason
from bci.engine.pace import PaceSettings
from bci.errors import ActuatorError, ConfigError
from bci.stream.clock import LslClock


def test_a_decision_reaches_the_actuator_and_is_on_record_with_its_delay():
    rig = HostRig().active()
    assert rig.actuator.told == ["left"]
    (sent,) = rig.heard("commands", "command")
    assert (sent["name"], sent["value"], sent["sequence"], sent["error"]) == ("left", 1.0, 0, "")
    assert 0 <= sent["delay_s"] <= 0.005
    assert sent["ended"] - sent["decided"] == pytest.approx(sent["delay_s"])


def test_classes_are_translated_by_the_table_and_an_empty_name_moves_nothing():
    rig = HostRig(table={"left": "open", "right": ""}).active().rows(0.2, 1)
    assert rig.actuator.told == ["open", "neutral"]


def test_who_does_not_know_the_token_cannot_arm():
    rig = HostRig().start_engine().rows(2.3).arm("guessed")
    assert rig.guard.state is State.DISARMED
    assert "token" in rig.heard("guard", "refused")[-1]["why"]


def test_an_overheard_arming_message_cannot_be_sent_again():
    rig = HostRig().start_engine().rows(2.3)
    message = arm_message(TOKEN, rig.heard("guard", "guard")[-1]["nonce"], "window")
    assert TOKEN not in message
    rig.window.push(message)
    rig.wait(0.01)
    assert rig.guard.state is State.ARMED
    rig.tell("disarm").rows(2.3)
    rig.window.push(message)
    rig.rows(0.2, 0)
    assert (rig.guard.state, rig.actuator.told.count("left")) == (State.DISARMED, 0)


def test_arming_another_host_of_the_session_leaves_this_one_alone():
    rig = HostRig().start_engine().rows(2.3)
    rig.window.push(arm_message(TOKEN, rig.heard("guard", "guard")[-1]["nonce"], "window", "hand"))
    rig.wait(0.01)
    assert (rig.guard.state, rig.heard("guard", "refused")) == (State.DISARMED, [])


def test_arming_is_refused_with_the_reason_a_person_can_read():
    rig = HostRig().start_engine().rows(2.3, reason=Reason.QUALITY).arm()
    assert rig.heard("guard", "refused")[-1]["why"] == "not armed: the signal is bad"


def test_the_emergency_stop_is_neutral_within_50_ms_and_needs_no_token():
    rig = HostRig().active()
    pressed = rig.clock.now()
    rig.tell("stop_now", why="operator")
    last = rig.heard("commands")[-1]
    assert (last["kind"], last["why"]) == ("neutral", "operator")
    assert last["ended"] - pressed <= 0.05
    rig.rows(5, 0)
    assert (rig.guard.state, rig.actuator.told) == (State.SAFE, ["left", "neutral"])
    rig.arm().rows(0.1, 0)
    assert rig.guard.state is State.ACTIVE


def test_the_person_at_the_keyboard_stops_too():
    rig = HostRig().active()
    rig.host._terminal = lambda: [g.EmergencyStop("keyboard")]
    rig.host.step()
    assert (rig.guard.state, rig.actuator.told[-1]) == (State.SAFE, "neutral")


def test_expired_decisions_are_dropped_and_a_backlog_moves_nothing():
    rig = HostRig().active().rows(0.2, -1)
    for _ in range(100):
        rig.row(1, expiry_s=-0.5)
    rig.wait(0.02)
    assert "right" not in rig.actuator.told
    assert rig.guard.state is State.HOLD


def test_a_host_that_slept_twelve_seconds_wakes_up_safe_and_takes_no_history_for_news():
    rig = HostRig().active()
    for _ in range(300):
        rig.clock.wait_until(rig.clock.now() + 0.04)
        rig.row(1)
    woke = rig.clock.now()
    rig.host.step()
    assert rig.guard.state is State.SAFE
    assert rig.actuator.told == ["left", "neutral"]
    assert rig.heard("commands")[-1]["ended"] - woke <= 0.25


def test_a_computer_that_slept_wakes_up_safe_although_its_clock_stood_still():
    rig = HostRig().active()
    rig.slept_s = 8.0
    rig.row(0)
    rig.host.step()
    assert (rig.guard.state, rig.guard.cause, rig.actuator.told) == (State.SAFE, Cause.HOST, ["left", "neutral"])
    assert "slept for 8.0 s" in rig.guard.why


def test_an_engine_that_dies_is_neutral_at_once_and_safe_a_second_later():
    rig = HostRig().active()
    died = rig.clock.now()
    rig.engine.close()
    rig.wait(1.5)
    states = {m["state"]: m["at"] - died for m in reversed(rig.heard("guard", "guard"))}
    assert states["hold"] <= 0.01
    assert states["safe"] == pytest.approx(1.0, abs=0.02)
    assert "the engine is gone" in rig.guard.why


def test_an_engine_that_hangs_is_neutral_within_250_ms():
    rig = HostRig().active()
    rig.row(0)
    last = rig.clock.now()
    rig.wait(1.5)
    assert rig.heard("commands", "neutral")[0]["ended"] - last <= 0.25
    assert rig.guard.state is State.SAFE


def test_an_engine_that_comes_back_is_heard_again_and_never_armed_by_itself():
    rig = HostRig().active()
    rig.engine.close()
    rig.wait(3.0)
    rig.start_engine().rows(5, 0)
    assert (rig.guard.state, set(rig.actuator.told[1:])) == (State.SAFE, {"neutral"})
    rig.arm().rows(0.1, 1)
    assert rig.actuator.told[-1] == "right"


def test_an_engine_whose_connection_broke_and_is_back_within_a_second_is_held_and_goes_on():
    rig = HostRig().active()
    rig.cable.cut = True
    rig.wait(0.5)
    rig.connect()
    rig.rows(0.8, 1)
    assert (rig.guard.state, rig.actuator.told) == (State.ACTIVE, ["left", "neutral", "right"])


def test_an_engine_with_other_classes_than_those_armed_for_is_a_mismatch_and_is_not_listened_to():
    rig = HostRig().active()
    rig.engine.close()
    rig.wait(0.1)
    rig.start_engine(("up", "down")).rows(5, 0)
    assert rig.guard.state is State.SAFE
    rig.arm()
    assert "up, down, not left, right" in rig.heard("guard", "refused")[-1]["why"]
    assert (rig.guard.state, rig.actuator.told) == (State.SAFE, ["left", "neutral"])


def test_what_is_armed_at_the_terminal_is_bound_to_the_engine_that_decides_now():
    rig = HostRig().start_engine().rows(2.3)
    rig.host._terminal = lambda: [g.Arm("keyboard")]
    rig.host.step()
    rig.host._terminal = list
    rig.rows(0.08, 0).engine.close()
    rig.wait(0.1)
    rig.start_engine(("up", "down")).rows(5, 0).arm()
    assert "up, down, not left, right" in rig.heard("guard", "refused")[-1]["why"]
    assert (rig.guard.state, rig.actuator.told) == (State.SAFE, ["left", "neutral"])


@pytest.mark.parametrize(
    ("classes", "table", "why"),
    [(("left", "right"), {"lft": "x"}, "no such class"), (None, {}, "classes"), (("left\r\nRESET",), {}, "printable")],
)
def test_a_decisions_stream_that_cannot_be_understood_moves_nothing_and_says_why(classes, table, why):
    rig = HostRig(table=table).start_engine(classes).rows(3, 0).arm()
    assert rig.guard.state is State.DISARMED
    assert why in rig.heard("guard", "refused")[-1]["why"]


@pytest.mark.parametrize(
    "row",
    [
        (5, 7, 0.9, 0, 9e9, 0, 0),
        (5, -2, 0.9, 0, 9e9, 0, 0),
        (5, 0, float("nan"), 0, 9e9, 0, 0),
        (5, 0, 0.9, 0, float("inf"), 0, 0),
        (5, 0, 0.9, 0, 9e9, 99, 0),
        (float("inf"), 0, 0.9, 0, 9e9, 0, 0),
        (float("nan"), 0, 0.9, 0, 9e9, 0, 0),
        (5, 0),
    ],
)
def test_a_row_that_makes_no_sense_is_a_fault(row):
    found = row_event(list(row), 1000.0, 0.0, 2)
    assert isinstance(found, g.LastingFault)
    assert "is not valid" in found.why


def test_times_of_an_engine_on_another_computer_are_brought_to_our_clock():
    row = row_event([1, 0, 0.9, 0, 50.25, 0, 0], 50.0, 950.0, 2)
    assert isinstance(row, g.DecisionRow)
    assert (row.expiry_s, row.sent_s) == (1000.25, 1000.0)


def test_an_actuator_whose_cable_is_out_is_safe_at_once_and_the_error_is_shown():
    rig = HostRig().active().rows(0.2)
    rig.actuator.fails = broken()
    rig.rows(0.08, 1)
    assert (rig.guard.state, rig.guard.cause) == (State.SAFE, Cause.ACTUATOR)
    assert rig.heard("commands", "command")[-1]["error"] == "the cable is out"
    assert "the cable is out" in rig.heard("guard", "guard")[-1]["why"]
    assert rig.actuator.told[-1] == "neutral"


def test_an_actuator_that_breaks_its_contract_is_a_fault_too():
    rig = HostRig().active().rows(0.2)
    rig.actuator.fails = lambda: ZeroDivisionError("oops")
    rig.rows(0.08, 1)
    assert (rig.guard.cause, "ZeroDivisionError" in rig.guard.why) == (Cause.ACTUATOR, True)


def test_an_actuator_that_hangs_is_a_fault_once_while_the_host_still_hears_the_stop():
    rig = HostRig().start_engine().rows(2.3).arm()
    rig.worker.hangs = True
    rig.rows(0.2, 0)
    assert (rig.guard.state, rig.guard.cause) == (State.SAFE, Cause.ACTUATOR)
    changes = [m["state"] for m in rig.heard("guard", "guard")]
    rig.wait(0.5)
    assert [m["state"] for m in rig.heard("guard", "guard")][len(changes) :].count("safe") <= 1
    rig.tell("stop_now")
    assert rig.guard.cause is Cause.STOP


def test_an_actuator_that_hangs_is_told_with_the_deadline_of_20_ms_that_it_missed():
    rig = HostRig().start_engine().rows(2.3).arm()
    rig.worker.hangs = True
    rig.rows(0.2, 0)
    assert "actuator 'test' has not answered for 20 ms" in [m["why"] for m in rig.heard("guard", "guard")]


@pytest.mark.parametrize(("took_s", "state"), [(0.045, State.ACTIVE), (0.055, State.SAFE)])
def test_a_command_may_take_its_deadline_and_the_30_ms_that_a_busy_machine_needs_and_no_longer(took_s, state):
    rig = HostRig().start_engine().rows(2.3).arm()
    finished = rig.worker.finished
    rig.worker.finished = lambda: [replace(done, ended_s=done.began_s + took_s) for done in finished()]
    rig.rows(0.08, 0)
    assert rig.guard.state is state
    assert (f"took {took_s:.3f} s" in rig.guard.why) is (state is State.SAFE)


def test_a_real_thread_is_not_held_up_by_an_actuator_that_hangs():
    release = threading.Event()

    class Hanging(Recorded):
        def send(self, command):
            release.wait(10)

    worker = ThreadWorker(Hanging(), LslClock())
    row = g.DecisionRow(1, 0, 0.9, 1e9, Reason.DECIDED)
    began = time.monotonic()
    worker.give(g.SendCommand(Command("left"), row))
    assert time.monotonic() - began < 0.05
    while worker.busy_s() < 2 * DEADLINE_S and time.monotonic() - began < 5:
        time.sleep(0.001)
    assert worker.busy_s() >= 2 * DEADLINE_S
    release.set()
    worker.close()
    assert len(worker.finished()) == 1


def test_neutral_pushes_aside_what_has_not_begun_and_is_never_pushed_aside():
    gate, begun = threading.Event(), threading.Event()

    class Slow(Recorded):
        def send(self, command):
            begun.set()
            gate.wait(10)
            super().send(command)

    actuator = Slow()
    worker = ThreadWorker(actuator, LslClock())
    row = g.DecisionRow(1, 0, 0.9, 1e9, Reason.DECIDED)
    worker.give(g.SendCommand(Command("a"), row))
    assert begun.wait(5)
    for action in (
        g.SendCommand(Command("b"), row),
        g.Neutral("doubt"),
        g.SendCommand(Command("c"), row),
        g.SendCommand(Command("d"), row),
    ):
        worker.give(action)
    gate.set()
    worker.close()
    assert actuator.told == ["a", "neutral", "d", "closed"]


def test_blanking_freezes_the_engine_and_lets_it_go_on():
    rig = HostRig(pace=PaceSettings(blanking_s=0.3)).active()
    rig.rows(0.4, reason=Reason.FROZEN)
    steps = rig.heard("steer")
    assert [m["kind"] for m in steps] == ["freeze", "resume"]
    assert "left" in steps[0]["why"]
    assert steps[1]["at"] - steps[0]["at"] == pytest.approx(0.3, abs=0.006)


def test_a_required_window_that_goes_silent_is_a_doubt():
    rig = HostRig(GuardSettings(view_s=1.0)).start_engine()
    for _ in range(4):
        rig.tell("watching").rows(0.6)
    rig.arm().rows(0.2, 0)
    assert rig.guard.state is State.ACTIVE
    rig.rows(1.0, 0)
    assert (rig.guard.state, rig.guard.cause) == (State.HOLD, Cause.VIEW)


@pytest.mark.parametrize(
    "text", ["", "{", '{"v":1}', '{"v":2,"kind":"stop_now"}', '{"v":1,"kind":"set"}', "[" * 5000, '{"v":1,"kind":"arm"}']
)
def test_control_messages_of_any_shape_do_no_harm(text):
    rig = HostRig().active()
    rig.window.push(text)
    rig.rows(0.2, 0)
    assert rig.guard.state is State.ACTIVE


def test_a_change_of_state_is_told_before_the_host_waits_for_the_next_decision():
    rig = HostRig().active()
    asked_s = rig.clock.now()
    rig.tell("stop_now", why="operator")
    report = next(m for m in rig.heard("guard", "guard") if m["state"] == "safe")
    assert (report["why"], report["at"]) == ("operator", asked_s)


def test_a_fault_that_the_host_finds_at_the_beginning_of_a_turn_is_told_before_it_waits_for_the_next_decision():
    rig = HostRig().active()
    found_s, rig.slept_s = rig.clock.now(), 8.0
    rig.host.step()
    report = next(m for m in rig.heard("guard", "guard") if m["state"] == "safe")
    assert (report["why"], report["at"]) == ("this computer slept for 8.0 s", found_s)


def test_each_change_of_state_within_one_turn_is_told_in_its_order():
    rig = HostRig().active()
    before = len(rig.heard("guard", "guard"))
    rig.host._terminal = lambda: [g.EmergencyStop("stop at the keyboard"), g.Disarm("disarm at the keyboard")]
    rig.host.step()
    told = [(m["state"], m["why"]) for m in rig.heard("guard", "guard")[before:]]
    assert told == [("safe", "stop at the keyboard"), ("disarmed", "disarm at the keyboard")]


def test_late_joiners_are_told_the_state_every_second():
    rig = HostRig().start_engine().rows(5)
    times = [m["at"] for m in rig.heard("guard", "guard")]
    assert len(times) >= 5
    assert max(b - a for a, b in itertools.pairwise(times)) <= 1.05


def test_a_state_that_does_not_change_is_told_no_more_than_once_a_second():
    rig = HostRig().active().rows(1.0, 0)
    before = len(rig.heard("guard", "guard"))
    rig.rows(5.0, 0)
    assert len(rig.heard("guard", "guard")) - before <= 6


@pytest.mark.parametrize("stage", ["decisions", "control", "terminal", "guard", "worker", "state"])
def test_a_failure_at_any_stage_of_the_host_is_neutral_exactly_once_before_anything_else(stage):
    rig = HostRig().active()

    def fail(*_args, **_kw):
        rig.actuator.told.append("failure")
        raise RuntimeError(stage)

    streams, rig.host._reports._sent_s = rig.host._streams, 0.0
    place, name = {
        "decisions": (streams.decisions, "pull"),
        "control": (streams.control, "pull_markers"),
        "terminal": (rig.host, "_terminal"),
        "guard": (rig.guard, "step"),
        "worker": (rig.worker, "finished"),
        "state": (streams.guard, "push"),
    }[stage]
    setattr(place, name, fail)
    with pytest.raises(RuntimeError, match=stage):
        rig.host.run()
    assert rig.actuator.told[:4] == ["left", "failure", "neutral", "closed"]
    assert rig.actuator.told.count("neutral") == 1


def test_a_host_that_is_asked_to_end_is_neutral_before_it_closes():
    rig = HostRig().active()
    stops = iter(["", "", "SIGTERM", "SIGTERM", "SIGTERM"])
    assert rig.host.run(lambda: next(stops)) == "SIGTERM"
    assert rig.actuator.told == ["left", "neutral", "closed"]
    assert rig.heard("guard", "guard")[-1]["state"] == "disarmed"


def test_all_wrong_names_are_told_at_once():
    with pytest.raises(ConfigError) as error:
        command_names(("left", "a\nb", "right"), {"lft": "x", "right": "y" * 65})
    assert len(error.value.problems) == 3


def test_an_actuator_error_ends_a_command_with_its_own_exit_code():
    assert ActuatorError("x").exit_code == 10
