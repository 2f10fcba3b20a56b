"""Neutral is asked for until the actuator has done it, and again and again while nothing moves."""

from __future__ import annotations

import itertools

import pytest
from guard_bench import Bench

from bci.engine import guard as g
from bci.engine.guard import Cause, State
from bci.engine.outcome import Reason


def neutrals(bench, since=0.0):
    """When neutral was asked for."""
    return [t for t, _ in bench.of(g.Neutral) if t >= since]


def stopped(bench):
    """Stopped while the actuator does not answer any more."""
    bench.answers = False
    bench.tell(g.EmergencyStop("operator"))
    return bench


def test_at_rest_neutral_is_repeated_every_second():
    b = Bench().rows(10)
    times = neutrals(b)
    assert len(times) >= 10
    assert max(y - x for x, y in itertools.pairwise(times)) <= 1.05
    assert min(y - x for x, y in itertools.pairwise(times)) >= 0.95
    assert [a.again for _, a in b.of(g.Neutral)] == [False, *[True] * (len(times) - 1)]
    b.active().rows(3, 0)
    assert neutrals(b, b.now - 2.9) == [], "never while something moves"


def test_how_often_neutral_is_repeated_can_be_set():
    b = Bench(neutral_every_s=0.2, neutral_retry_s=0.1).rows(2)
    assert 9 <= len(neutrals(b)) <= 11


def test_a_neutral_that_is_not_confirmed_is_asked_for_again_five_times_a_second_until_it_is():
    b = stopped(Bench().active())
    stop = b.now
    b.wait(2.0)
    times = neutrals(b, stop)
    assert 10 <= len(times) <= 11
    assert {a.why for t, a in b.of(g.Neutral) if t >= stop} == {"operator"}
    b.answers = True
    b.wait(0.3)
    assert b.guard.neutral == "confirmed"
    confirmed = b.now
    assert len(neutrals(b.wait(2.0), confirmed)) == 2


def test_an_actuator_that_does_not_answer_is_told_within_half_a_second_and_once():
    b = stopped(Bench().active())
    stop = b.now
    assert b.guard.neutral == "waiting"
    b.wait(0.3)
    assert b.guard.neutral == "waiting", "one answer may still be unread"
    b.wait(0.2)
    assert b.guard.neutral == "NOT CONFIRMED"
    b.wait(2.0)
    told = [(t, a) for t, a in b.of(g.StateChange) if t > stop]
    assert [(a.state, a.why) for _, a in told] == [(State.SAFE, "operator")]
    b.answers = True
    b.wait(0.3)
    assert [a.state for t, a in b.of(g.StateChange) if t > told[0][0]] == [State.SAFE], "that it is confirmed now is told too"


def test_nothing_is_armed_while_neutral_is_not_confirmed():
    b = stopped(Bench().active()).rows(3)
    b.tell(g.Arm())
    assert b.of(g.ArmingRefused)[-1][1].why == "not armed: the actuator's neutral is NOT CONFIRMED"
    assert b.state is State.SAFE
    b.answers = True
    b.rows(0.24)
    b.tell(g.Arm())
    assert b.state is State.ARMED


def test_nothing_is_armed_before_the_first_neutral_was_confirmed():
    b = Bench()
    b.answers = False
    b.guard = g.Guard(("left", "right"))
    b.tell(g.EnginePresence(True))
    assert b.guard.neutral == "waiting"
    b.rows(0.3)
    b.tell(g.Arm())
    b.rows(2)
    b.tell(g.Arm())
    assert b.state is State.DISARMED
    assert b.guard.neutral == "NOT CONFIRMED"


def test_a_neutral_that_fails_is_a_fault_while_it_works_and_its_reason_is_told():
    b = Bench().active()
    b.tell(g.Confirmed(False, "the cable is out", number=1))
    assert (b.state, b.guard.cause) == (State.SAFE, Cause.ACTUATOR)
    assert b.guard.why == "neutral is NOT CONFIRMED: the cable is out"
    assert b.of(g.StateChange)[-1][1].state is State.SAFE


@pytest.mark.parametrize("prepare", [lambda b: b.rows(3), lambda b: b.active() and b.tell(g.EmergencyStop("s")) and b])
def test_a_neutral_that_fails_at_rest_is_told_and_does_not_change_the_state(prepare):
    b = Bench()
    prepare(b)
    state, why = b.state, b.guard.why
    b.answers = False
    actions = b.tell(g.Confirmed(False, number=1))
    assert b.guard.neutral == "NOT CONFIRMED"
    assert [type(a) for a in actions] == [g.StateChange]
    assert (b.state, b.guard.why) == (state, why)


def test_a_decision_that_ends_and_whose_neutral_nobody_confirms_is_safe():
    b = Bench().active().rows(0.12, 0)
    b.answers = False
    b.rows(0.36)
    assert b.state is State.ACTIVE
    b.rows(0.2)
    assert (b.state, b.guard.cause) == (State.SAFE, Cause.ACTUATOR)
    assert b.guard.why == "neutral is NOT CONFIRMED: the actuator has not answered"


def test_a_repetition_that_nobody_answers_is_noticed_too():
    b = Bench().armed()
    b.answers = False
    b.rows(3)
    assert (b.state, b.guard.neutral) == (State.SAFE, "NOT CONFIRMED")


def test_an_answer_to_an_older_neutral_than_the_last_command_confirms_nothing():
    b = Bench().active()
    first = b.of(g.Neutral)[-1][1].number
    b.answers = False
    b.tell(g.EmergencyStop("s"))
    for number in (first, 0, 10**9):
        b.tell(g.Confirmed(True, number=number))
        assert b.guard.neutral == "waiting"
    b.tell(g.Confirmed(True, number=first + 1))
    assert b.guard.neutral == "confirmed"


def test_an_answer_while_something_moves_confirms_nothing():
    b = Bench().active()
    b.tell(g.Confirmed(True, number=b.of(g.Neutral)[-1][1].number + 1))
    b.answers = False
    b.tell(g.EmergencyStop("s"))
    assert b.guard.neutral == "waiting"


def test_an_answer_to_any_neutral_since_the_last_command_confirms():
    b = stopped(Bench().active())
    number = b.of(g.Neutral)[-1][1].number
    b.wait(0.3)
    b.tell(g.Confirmed(True, number=number))
    assert b.guard.neutral == "confirmed"


def test_a_hold_does_not_end_before_neutral_is_confirmed():
    b = Bench(resume_s=0.1, neutral_retry_s=1.0).active()
    b.answers = False
    b.rows(0.04, reason=Reason.QUALITY)
    b.rows(0.4, 0)
    assert b.state is State.HOLD
    b.answers = True
    b.tell(g.Confirmed(True, number=b.of(g.Neutral)[-1][1].number))
    assert b.rows(0.04, 0).state is State.ACTIVE
