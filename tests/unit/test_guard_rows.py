"""What rows of the engine may do to the guard: doubled, old, forged, counted anew, late, of no sense, and heartbeats."""

from __future__ import annotations

import math

import pytest
from guard_bench import Bench

from bci.engine import guard as g
from bci.engine.guard import Cause, DecisionRow, State
from bci.engine.outcome import Reason

BAD = tuple(r for r in Reason if r not in (Reason.DECIDED, Reason.IDLE))


@pytest.mark.parametrize("reason", BAD)
def test_a_heartbeat_that_says_a_doubt_counts_like_any_row(reason):
    b = Bench().active()
    b.now += 0.01
    first, *_ = b.row(-1, reason, heartbeat=True)
    assert isinstance(first, g.Neutral)
    assert (b.state, b.guard.cause) == (State.SAFE if reason is Reason.DECODER else State.HOLD, g.DOUBTS[reason])


@pytest.mark.parametrize("reason", BAD)
def test_nothing_is_armed_beside_a_heartbeat_that_says_a_doubt(reason):
    b = Bench().rows(2.4)
    b.tell(g.EmergencyStop("s"))
    b.now += 0.01
    b.row(-1, reason, heartbeat=True)
    b.tell(g.Arm())
    assert b.state is State.SAFE
    for _ in range(60):
        b.now += 0.04
        b.row(-1, heartbeat=True)
        b.tell(g.Arm())
    assert b.state is State.SAFE, "a heartbeat without a doubt does not end one: only a new decision does"


def test_a_heartbeat_begins_no_movement_and_one_that_says_another_decision_ends_it():
    b = Bench().armed()
    b.now += 0.01
    b.row(0, heartbeat=True)
    assert (b.state, b.of(g.SendCommand)) == (State.ARMED, [])
    b.rows(0.04, 0)
    b.now += 0.01
    (neutral,) = b.row(1, heartbeat=True)
    assert neutral == g.Neutral("the decision has ended")
    b.now += 0.01
    assert b.row(0, heartbeat=True) == ()


def test_a_heartbeat_that_repeats_the_decision_changes_nothing():
    b = Bench().active()
    b.now += 0.01
    assert b.row(0, heartbeat=True) == ()
    assert b.state is State.ACTIVE


@pytest.mark.parametrize("back", [0, 1, 30])
def test_a_row_that_was_heard_before_or_was_overtaken_changes_nothing(back):
    b = Bench().active()
    b.rows(0.2, -1)
    actions = b.tell(DecisionRow(b.sequence - back, 0, 0.9, b.now + 1, Reason.DECIDED, False, b.now - 0.04 * back))
    assert (actions, b.state) == ((), State.ACTIVE)


def test_rows_that_were_heard_before_do_not_keep_the_engine_alive():
    b = Bench().active()
    old = DecisionRow(b.sequence, 0, 0.9, b.now + 1, Reason.DECIDED, False, b.now)
    for _ in range(10):
        b.now += 0.03
        b.tell(old)
    assert (b.state, b.guard.cause) == (State.HOLD, Cause.ENGINE)


def test_an_old_row_of_no_known_time_is_not_taken_for_an_engine_that_counts_anew():
    b = Bench().active()
    b.tell(DecisionRow(1, 1, 0.9, b.now + 1, Reason.DECIDED))
    assert b.state is State.ACTIVE


@pytest.mark.parametrize("late_s", [0.0, 1e12, -1.0])
def test_a_forged_row_of_a_huge_number_does_not_make_the_guard_deaf_to_the_engine(late_s):
    b = Bench()
    b.tell(DecisionRow(2**53, 0, 0.9, b.now + 0.25, Reason.DECIDED, False, b.now + late_s))
    assert b.active().state is State.ACTIVE
    b.now += 0.01
    b.tell(DecisionRow(2**53, 1, 0.9, b.now + 0.25, Reason.DECIDED, False, b.now + late_s))
    assert b.rows(0.04, 1).state is State.HOLD, "the engine counts anew: what was said before it counts no more"
    assert b.rows(0.6, 1).state is State.ACTIVE


def test_an_engine_that_counts_anew_in_the_same_stream_is_held_and_heard():
    b = Bench().active()
    b.sequence = 0
    b.now += 0.04
    first, *_ = b.row(1)
    assert isinstance(first, g.Neutral)
    assert b.state is State.HOLD
    assert b.rows(0.6, 1).state is State.ACTIVE
    assert b.of(g.SendCommand)[-1][1].command.name == "right"


def test_the_first_row_of_an_engine_may_have_any_number_from_zero():
    b = Bench()
    b.sequence = -1
    assert b.active().state is State.ACTIVE


@pytest.mark.parametrize("ago_s", [0.26, 5.0])
def test_a_decision_that_was_on_its_way_for_too_long_moves_nothing_whatever_its_expiry_says(ago_s):
    b = Bench().armed()
    for _ in range(10):
        b.now += 0.04
        b.sequence += 1
        b.tell(DecisionRow(b.sequence, 0, 0.9, b.now + 1e6, Reason.DECIDED, False, b.now - ago_s))
    assert (b.state, b.guard.cause, b.of(g.SendCommand)) == (State.HOLD, Cause.STALE, [])


def test_a_decision_counts_from_when_it_was_sent():
    b = Bench(silence_s=5.0).armed()
    b.now += 0.04
    b.sequence += 1
    b.tell(DecisionRow(b.sequence, 0, 0.9, b.now + 1e6, Reason.DECIDED, False, b.now - 0.2))
    assert b.state is State.ACTIVE
    b.wait(0.045)
    assert b.state is State.ACTIVE
    b.wait(0.01)
    assert (b.state, b.guard.cause) == (State.HOLD, Cause.STALE)


@pytest.mark.parametrize("sent_s", [math.nan, math.inf, 1e12])
def test_a_row_of_no_known_time_counts_from_when_it_was_heard(sent_s):
    b = Bench(silence_s=5.0).armed()
    b.now += 0.04
    b.sequence += 1
    b.tell(DecisionRow(b.sequence, 0, 0.9, b.now + 1e6, Reason.DECIDED, False, sent_s))
    b.wait(0.24)
    assert b.state is State.ACTIVE
    b.wait(0.02)
    assert (b.state, b.guard.cause) == (State.HOLD, Cause.STALE)


@pytest.mark.parametrize(
    ("sequence", "decision", "confidence", "expiry_s"),
    [
        (-1, 0, 0.9, 200.0),
        (500, -2, 0.9, 200.0),
        (500, 0, math.nan, 200.0),
        (500, 0, -0.1, 200.0),
        (500, 0, 1.1, 200.0),
        (500, 0, math.inf, 200.0),
        (500, 0, 0.9, math.nan),
        (500, 0, 0.9, math.inf),
        (500, 0, 0.9, -math.inf),
    ],
)
def test_a_row_that_makes_no_sense_is_safe_at_once(sequence, decision, confidence, expiry_s):
    b = Bench().active()
    first, *_ = b.tell(DecisionRow(sequence, decision, confidence, expiry_s, Reason.DECIDED, False, b.now))
    assert isinstance(first, g.Neutral)
    assert (b.state, b.guard.cause) == (State.SAFE, Cause.MISMATCH)
    assert "is not valid" in b.guard.why


def test_a_confidence_of_one_makes_sense_and_rounding_is_forgiven():
    assert Bench().armed().rows(0.08, 0, confidence=1 + 1e-12).state is State.ACTIVE
    assert Bench().armed().rows(0.08, 0, confidence=0.0).state is State.ACTIVE


@pytest.mark.parametrize(("decision", "reason"), [(0, Reason.IDLE), (2, Reason.DECIDED), (10**6, Reason.DECIDED)])
def test_what_was_not_decided_or_has_no_command_moves_nothing(decision, reason):
    b = Bench().armed().rows(0.2, decision, reason)
    assert (b.state, b.of(g.SendCommand)) == (State.ARMED, [])
    b.rows(0.2, 0).rows(0.2, decision, reason)
    assert b.of(g.Neutral)[-1][1].why == "the decision has ended"


def test_a_class_without_a_command_moves_nothing_and_commands_can_be_named_later():
    b = Bench().armed()
    b.guard.assign(("open", ""))
    b.rows(0.2, 1)
    assert (b.state, b.of(g.SendCommand)) == (State.ARMED, [])
    b.rows(0.2, 0)
    assert b.of(g.SendCommand)[-1][1].command.name == "open"


def test_commands_are_counted_one_by_one_from_zero():
    b = Bench().armed()
    for k in range(6):
        b.rows(0.2, k % 2)
    assert [a.command.sequence for _, a in b.of(g.SendCommand)] == list(range(6))


@pytest.mark.parametrize("now", [math.nan, math.inf, -math.inf])
def test_a_clock_that_says_no_number_is_safe_and_a_stop_is_heard_all_the_same(now):
    b = Bench().active()
    first, *_ = b.guard.step(now)
    assert isinstance(first, g.Neutral)
    assert (b.state, b.guard.cause) == (State.SAFE, Cause.HOST)
    assert b.guard.step(now, g.EmergencyStop("s"))[0] == g.Neutral("s")
    fresh = g.Guard()
    fresh.step(now, g.Arm())
    assert fresh.state is State.DISARMED
    assert fresh.step(now, g.EmergencyStop("s"))[0] == g.Neutral("s")
    assert b.armed().rows(0.04, 0).state is State.ACTIVE, "by a clock that is right again a person may arm"


@pytest.mark.parametrize("back_s", [0.06, 1.0, 100.0])
def test_after_a_clock_was_set_back_nothing_from_before_counts(back_s):
    b = Bench(view_s=1.0, session_s=1.0)
    for _ in range(12):
        b.tell(g.View())
        b.tell(g.Alive())
        b.rows(0.2)
    b.tell(g.Arm())
    b.rows(0.2, 0)
    b.now -= back_s
    b.tell()
    assert (b.state, b.guard.cause) == (State.SAFE, Cause.HOST)
    assert "went back by" in b.guard.why
    for _ in range(9):
        b.tell(g.Arm())
        assert b.state is State.SAFE
        b.tell(g.View())
        b.tell(g.Alive())
        b.rows(0.24)
    b.tell(g.Arm())
    assert b.rows(0.04, 0).state is State.ACTIVE


def test_an_engine_that_was_gone_before_a_clock_was_set_back_is_gone_after_it():
    b = Bench()
    b.tell(g.EnginePresence(False, "the engine is gone"))
    b.now -= 50.0
    b.rows(3)
    b.tell(g.Arm())
    assert b.of(g.ArmingRefused)[-1][1].why == "not armed: the engine is gone"


def test_what_was_lost_before_a_clock_was_set_back_stays_lost():
    b = Bench(session_s=1.0)
    b.tell(g.EnginePresence(False, "gone"))
    b.tell(g.StopConnection(False, "cut"))
    b.tell(g.Alive("doubt"))
    b.now -= 100.0
    b.rows(3)
    b.tell(g.Arm())
    assert b.state is State.DISARMED
    b.tell(g.EnginePresence(True))
    b.rows(0.9)
    b.tell(g.Arm())
    assert b.of(g.ArmingRefused)[-1][1].why == "not armed: the program that watches over the session sends nothing"
    b.tell(g.Alive("doubt"))
    b.tell(g.Arm())
    assert b.of(g.ArmingRefused)[-1][1].why == "not armed: cut"
    b.tell(g.StopConnection(True))
    b.tell(g.Arm())
    assert b.of(g.ArmingRefused)[-1][1].why == "not armed: doubt"
