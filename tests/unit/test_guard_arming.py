"""Who arms the guard, when, and for what: only a person, by a fresh wish, for the engine that is heard."""

from __future__ import annotations

import math

import pytest
from guard_bench import Bench

from bci.engine import guard as g
from bci.engine.guard import Cause, State
from bci.engine.outcome import Reason


def refusals(bench):
    """Why arming was refused so far."""
    return [a.why for _, a in bench.of(g.ArmingRefused)]


@pytest.mark.parametrize("ago_s", [2.01, 20.0, 1e9, -2.01, -1e9, math.nan, math.inf, -math.inf])
def test_a_wish_to_arm_that_is_older_than_two_seconds_or_of_no_time_is_refused(ago_s):
    b = Bench().rows(30)
    b.tell(g.Arm("a window that hung", b.now - ago_s))
    assert b.state is State.DISARMED
    assert "at most 2 s" in refusals(b)[0]


@pytest.mark.parametrize("ago_s", [0.0, 1.99, -0.19])
def test_a_wish_to_arm_may_be_on_its_way_for_two_seconds(ago_s):
    b = Bench().rows(30)
    b.tell(g.Arm("a slow network", b.now - ago_s))
    assert b.state is State.ARMED


@pytest.mark.parametrize("ahead_s", [0.21, 1.9, 10.0, 1e300, math.inf, math.nan])
def test_a_wish_to_arm_from_the_future_is_refused_for_it_would_seem_later_than_a_stop(ahead_s):
    b = Bench().rows(30)
    b.tell(g.EmergencyStop("read first, sent last"))
    b.now += 0.01
    b.tell(g.Arm("a clock that is wrong", b.now + ahead_s))
    assert b.state is State.SAFE
    assert len(refusals(b)[-1]) < 150


def test_how_old_a_wish_to_arm_may_be_can_be_set():
    b = Bench(arm_age_s=0.1).rows(5)
    b.tell(g.Arm("", b.now - 0.11))
    assert b.state is State.DISARMED


@pytest.mark.parametrize("end", [g.EmergencyStop("s"), g.Disarm("d"), g.EmergencyStop("s", 1e9), g.EmergencyStop("s", -1e9)])
def test_a_wish_to_arm_that_was_sent_before_a_stop_or_with_it_is_refused(end):
    b = Bench().rows(5)
    b.tell(end)
    for sent in (None, b.now, b.now - 0.5):
        b.tell(g.Arm("", sent))
    b.now += 0.01
    b.tell(g.Arm("", b.now - 0.01))
    assert b.state is (State.DISARMED if isinstance(end, g.Disarm) else State.SAFE)
    assert all("the request is older than the change to" in why for why in refusals(b))
    b.tell(g.Arm("", b.now))
    assert b.state is State.ARMED


@pytest.mark.parametrize("end", [g.EmergencyStop("s"), g.Disarm("d")])
def test_a_stop_that_is_read_after_an_arm_of_the_same_turn_wins_too(end):
    b = Bench().rows(5)
    b.tell(g.Arm())
    first, *_ = b.tell(end)
    assert isinstance(first, g.Neutral)
    assert b.state in (State.SAFE, State.DISARMED)


def test_a_wish_to_arm_from_before_a_latch_does_not_lift_it():
    b = Bench(settle_s=0.01).rows(1).armed()
    sent = b.now
    b.wait(1.4)
    assert b.state is State.SAFE
    b.rows(0.2)
    b.tell(g.Arm("", sent))
    assert b.state is State.SAFE
    b.tell(g.Arm("", b.now))
    assert b.state is State.ARMED


def test_a_second_stop_counts_as_the_first():
    b = Bench().active()
    b.tell(g.EmergencyStop("one"))
    b.rows(3)
    b.tell(g.EmergencyStop("two"))
    assert b.guard.why == "two"
    b.tell(g.Arm())
    assert b.state is State.SAFE


def test_whoever_is_armed_already_is_told_so():
    b = Bench().active()
    b.tell(g.Arm())
    assert refusals(b) == ["not armed: the guard is already in the state active"]
    b.rows(0.04, reason=Reason.QUALITY)
    b.tell(g.Arm())
    assert refusals(b)[-1] == "not armed: the guard is already in the state hold"


@pytest.mark.parametrize(("armed", "other"), [("a", "b"), ("a", ""), ("", "b")])
def test_an_engine_that_nobody_armed_for_is_not_followed(armed, other):
    b = Bench()
    b.tell(g.EnginePresence(True, source=armed))
    b.active()
    orders = len(b.of(g.SendCommand))
    b.tell(g.EnginePresence(False))
    b.tell(g.EnginePresence(True, source=other))
    assert (b.state, b.guard.cause) == (State.SAFE, Cause.MISMATCH)
    b.sequence = 0
    b.rows(10, 0)
    assert (b.state, len(b.of(g.SendCommand))) == (State.SAFE, orders)
    b.tell(g.Arm())
    b.rows(0.08, 1)
    assert b.of(g.SendCommand)[-1][1].command.name == "right", "a person may arm for it"


def test_the_engine_that_was_armed_for_may_come_back_within_a_second():
    b = Bench()
    b.tell(g.EnginePresence(True, source="a"))
    b.active()
    b.tell(g.EnginePresence(False))
    b.wait(0.5)
    b.tell(g.EnginePresence(True, source="a"))
    assert b.rows(0.7, 1).state is State.ACTIVE


def test_at_rest_any_engine_may_come_and_arming_is_for_the_one_that_is_there():
    b = Bench()
    b.tell(g.EnginePresence(True, source="a"))
    b.rows(1)
    b.tell(g.EnginePresence(True, source="b"))
    assert b.state is State.DISARMED
    assert b.active().state is State.ACTIVE
    b.tell(g.EnginePresence(True, source="a"))
    assert b.state is State.SAFE


def test_a_broken_connection_of_whoever_armed_is_a_doubt_until_there_is_one_again():
    b = Bench().active()
    first, *_ = b.tell(g.StopConnection(False, "the window is gone"))
    assert isinstance(first, g.Neutral)
    assert (b.state, b.guard.cause, b.guard.why) == (State.HOLD, Cause.CHANNEL, "the window is gone")
    b.rows(0.6, 0)
    b.tell(g.StopConnection(True))
    assert b.rows(0.56, 0).state is State.ACTIVE
    b.tell(g.StopConnection(False))
    b.rows(0.5)
    b.tell(g.StopConnection(False))
    assert b.rows(0.56).state is State.SAFE, "said again it is still one doubt"
    assert "the program that armed is broken" in b.guard.why
    b.rows(3)
    b.tell(g.Arm())
    assert "the program that armed is broken" in refusals(b)[-1]
    b.tell(g.StopConnection(True))
    b.rows(2.1)
    b.tell(g.Arm())
    assert b.state is State.ARMED


def test_a_session_that_is_silent_for_a_second_is_a_doubt_where_it_watches():
    b = Bench(session_s=1.0)
    for _ in range(12):
        b.tell(g.Alive())
        b.rows(0.2)
    b.tell(g.Alive())
    b.tell(g.Arm())
    b.rows(0.96, 0)
    assert b.state is State.ACTIVE
    b.rows(0.04, 0)
    assert (b.state, b.guard.cause) == (State.HOLD, Cause.SESSION)
    assert b.rows(1.1, 0).state is State.SAFE
    assert "watches over the session" in b.guard.why
    assert Bench().active().rows(5, 0).state is State.ACTIVE, "where nobody watches, nobody is missed"


def test_what_the_session_doubts_holds_and_latches_and_is_told_in_its_words():
    b = Bench(session_s=1.0)
    for _ in range(12):
        b.tell(g.Alive())
        b.rows(0.2)
    b.tell(g.Arm())
    b.rows(0.04, 0)
    b.tell(g.Alive("the recorder has written nothing for 2 s", Cause.RECORDING))
    assert (b.state, b.guard.cause, b.guard.why) == (State.HOLD, Cause.RECORDING, "the recorder has written nothing for 2 s")
    b.tell(g.Alive())
    assert b.rows(0.56, 0).state is State.ACTIVE
    for _ in range(6):
        b.tell(g.Alive("the recorder has written nothing for 2 s", Cause.RECORDING))
        b.rows(0.2)
    assert (b.state, b.guard.cause) == (State.SAFE, Cause.RECORDING)


def test_what_an_unwatched_host_hears_of_a_session_is_no_doubt():
    b = Bench().active()
    b.tell(g.Alive("something"))
    assert b.rows(1.5, 0).state is State.ACTIVE


def test_a_fault_needs_two_more_seconds_of_good_signal():
    b = Bench().active()
    b.tell(g.LastingFault(Cause.HOST, "the computer was suspended"))
    b.rows(1.9)
    b.tell(g.Arm())
    assert "2 s are needed" in refusals(b)[-1]
    b.rows(0.2)
    b.tell(g.Arm())
    assert b.state is State.ARMED
