"""The guard lets nothing through after a doubt, and does not latch without a cause: on a virtual clock."""

from __future__ import annotations

import itertools
import math

import pytest
from guard_bench import CLASSES, Bench
from guard_machine import GuardMachine
from hypothesis import settings

from bci.engine import guard as g
from bci.engine.guard import Cause, DecisionRow, Guard, GuardSettings, State
from bci.engine.outcome import Reason
from bci.engine.pace import PaceSettings
from bci.errors import ConfigError

BAD = tuple(r for r in Reason if r not in (Reason.DECIDED, Reason.IDLE))


def test_it_starts_disarmed_and_decisions_alone_move_nothing():
    b = Bench().rows(10, 0)
    assert b.state is State.DISARMED
    assert not b.of(g.SendCommand)


def test_arming_needs_two_seconds_of_good_signal_before_it():
    b = Bench().rows(1.9)
    (refused,) = b.tell(g.Arm())
    assert "2 s are needed" in refused.why
    assert b.rows(0.2).state is State.DISARMED, "an earlier wish to arm does not come true later"
    b.tell(g.Arm("Kim"))
    assert (b.state, b.guard.why) == (State.ARMED, "armed by Kim")


@pytest.mark.parametrize("reason", [r for r in BAD if r is not Reason.DECODER])
def test_a_bad_signal_is_never_armed_and_the_refusal_says_why(reason):
    b = Bench().rows(5, reason=reason)
    (refused,) = b.tell(g.Arm())
    assert refused.why == f"not armed: {g.WHY[g.DOUBTS[reason]]}"
    assert b.state is State.DISARMED


def test_without_an_engine_nothing_is_armed():
    guard = Guard(CLASSES)
    assert isinstance(guard.step(5.0, g.Arm())[-1], g.ArmingRefused)
    guard.step(6.0, g.Confirmed(True, number=1))
    guard.step(6.0, g.EnginePresence(True))
    assert [a.why for a in guard.step(6.5, g.Arm()) if isinstance(a, g.ArmingRefused)] == ["not armed: the engine sends nothing"]


def test_the_first_decision_after_arming_moves_and_one_from_before_does_not():
    b = Bench().rows(2.2, 0)
    b.tell(g.Arm())
    b.wait(0.03)
    assert (b.state, b.of(g.SendCommand)) == (State.ARMED, [])
    b.rows(0.04, 0)
    ((_, order),) = b.of(g.SendCommand)
    assert (order.command.name, b.state) == ("left", State.ACTIVE)


@pytest.mark.parametrize("reason", [r for r in BAD if r is not Reason.DECODER])
def test_every_doubt_of_the_engine_is_neutral_at_once(reason):
    b = Bench().active()
    b.now += 0.04
    first, *_ = b.row(-1, reason)
    assert isinstance(first, g.Neutral)
    assert (b.state, b.guard.cause) == (State.HOLD, g.DOUBTS[reason])


def test_a_hold_resumes_by_itself_after_half_a_second_without_doubt():
    b = Bench().active().rows(0.2, reason=Reason.QUALITY)
    b.rows(0.44, 0)
    assert b.state is State.HOLD
    orders = len(b.of(g.SendCommand))
    b.rows(0.2, 0)
    assert b.state is State.ACTIVE
    assert len(b.of(g.SendCommand)) == orders + 1


def test_doubt_that_adds_up_to_a_second_is_latched_and_only_a_person_arms_again():
    b = Bench().active().rows(0.96, reason=Reason.QUALITY)
    assert b.state is State.HOLD
    b.rows(0.12, reason=Reason.QUALITY)
    assert (b.state, b.guard.cause) == (State.SAFE, Cause.QUALITY)
    b.rows(20, 0)
    assert b.state is State.SAFE
    b.tell(g.Arm())
    assert b.state is State.ARMED


def test_a_doubt_that_has_lasted_latches_before_the_row_that_would_end_it_is_heard():
    b = Bench().active().rows(0.96, reason=Reason.QUALITY)
    assert b.state is State.HOLD
    b.now += 0.09
    b.row(0)
    assert (b.state, b.guard.cause) == (State.SAFE, Cause.QUALITY)


def test_short_doubts_that_come_again_and_again_hold_and_do_not_latch():
    b = Bench().active()
    orders = len(b.of(g.SendCommand))
    for _ in range(50):
        b.rows(0.32, reason=Reason.STALE).rows(0.32, 0)
    assert (b.state, len(b.of(g.SendCommand))) == (State.HOLD, orders)
    assert b.rows(0.4, 0).state is State.ACTIVE


def test_doubts_that_follow_each_other_without_a_break_are_one():
    b = Bench().active().rows(0.4, reason=Reason.LOST).rows(0.4, reason=Reason.STALE)
    assert b.rows(0.28, reason=Reason.QUALITY).state is State.SAFE


def test_windows_that_fill_again_after_a_gap_may_take_their_time():
    b = Bench().active().rows(0.8, reason=Reason.LOST).rows(2.5, reason=Reason.REFILL)
    assert b.state is State.HOLD
    assert b.rows(0.6, 0).state is State.ACTIVE
    assert Bench().active().rows(5.1, reason=Reason.REFILL).state is State.SAFE


def test_a_silent_engine_is_neutral_within_250_ms_and_latched_a_second_later():
    b = Bench().active()
    began = b.now
    b.wait(2.0)
    assert b.time_to(State.HOLD) - began <= 0.25
    assert b.time_to(State.SAFE) - b.time_to(State.HOLD) == pytest.approx(1.0, abs=0.011)


def test_heartbeats_do_not_keep_an_old_decision_alive():
    b = Bench(silence_s=0.1).active()
    began = b.now
    for _ in range(10):
        b.now += 0.05
        b.row(0, heartbeat=True)
    assert b.time_to(State.HOLD) - began == pytest.approx(0.25, abs=0.051)
    assert b.guard.cause is Cause.STALE


def test_an_expired_decision_moves_nothing():
    b = Bench().armed()
    b.now += 0.04
    b.row(0, expiry_s=-0.001)
    assert (b.state, b.of(g.SendCommand)) == (State.HOLD, [])


def test_a_host_that_did_not_run_for_five_seconds_latches_at_its_first_step_and_takes_no_backlog():
    b = Bench().active()
    orders, b.now = len(b.of(g.SendCommand)), b.now + 5.0
    b.sequence += 1
    actions = b.tell(DecisionRow(b.sequence, 1, 0.9, b.now - 4.0, Reason.DECIDED))
    assert isinstance(actions[0], g.Neutral)
    assert (b.state, len(b.of(g.SendCommand))) == (State.SAFE, orders)


def test_an_engine_known_to_be_gone_is_neutral_at_once_and_one_that_is_back_does_not_arm():
    b = Bench().active()
    first, *_ = b.tell(g.EnginePresence(False, "the engine is gone"))
    assert isinstance(first, g.Neutral)
    b.wait(1.1)
    assert b.state is State.SAFE
    b.sequence = 0
    b.tell(g.EnginePresence(True))
    assert b.rows(30, 0).state is State.SAFE


def test_an_engine_that_restarts_within_a_second_is_held_only():
    b = Bench().active()
    b.tell(g.EnginePresence(False))
    b.wait(0.6)
    b.sequence = 0
    b.tell(g.EnginePresence(True))
    assert b.rows(0.7, 1).state is State.ACTIVE


@pytest.mark.parametrize("prepare", [lambda b: b, lambda b: b.armed(), lambda b: b.active()])
def test_the_emergency_stop_latches_from_anywhere_and_arming_is_a_separate_act(prepare):
    b = prepare(Bench())
    first, *_ = b.tell(g.EmergencyStop("window"))
    assert isinstance(first, g.Neutral)
    assert (b.state, b.guard.cause) == (State.SAFE, Cause.STOP)
    assert b.rows(10, 0).state is State.SAFE


@pytest.mark.parametrize("cause", [Cause.ACTUATOR, Cause.MISMATCH, Cause.HOST])
def test_a_fault_is_safe_at_once(cause):
    b = Bench().active()
    first, *_ = b.tell(g.LastingFault(cause, "cable"))
    assert first == g.Neutral("cable")
    assert (b.state, b.guard.cause) == (State.SAFE, cause)


def test_a_failing_decoder_is_safe_at_once():
    b = Bench().active()
    b.now += 0.04
    b.row(-1, Reason.DECODER)
    assert (b.state, b.guard.cause) == (State.SAFE, Cause.DECODER)


def test_a_required_window_that_freezes_is_a_doubt():
    b = Bench(view_s=1.0)
    b.tell(g.View())
    b.rows(0.8)
    for _ in range(5):
        b.tell(g.View())
        b.rows(0.4)
    b.tell(g.Arm())
    b.rows(0.5, 0)
    assert b.state is State.ACTIVE
    b.rows(0.6, 0)
    assert (b.state, b.guard.cause) == (State.HOLD, Cause.VIEW)


def test_a_discrete_command_goes_out_once_and_its_end_is_neutral():
    b = Bench().armed().rows(2, 0).rows(0.04, -1)
    assert [a.command.name for _, a in b.of(g.SendCommand)] == ["left"]
    assert b.of(g.Neutral)[-1][1].why == "the decision has ended"


def test_a_receiver_with_a_timer_is_told_again_while_the_decision_stands():
    b = Bench(repeat_s=0.1).armed().rows(1.0, 0)
    assert 8 <= len(b.of(g.SendCommand)) <= 10


def test_commands_keep_their_distance_however_decisions_flicker():
    b = Bench(min_interval_s=0.3).armed()
    for k in range(100):
        b.rows(0.04, k % 2)
    times = [t for t, _ in b.of(g.SendCommand)]
    assert len(times) > 5
    assert min(y - x for x, y in itertools.pairwise(times)) >= 0.3 - 1e-9


def test_a_continuous_command_rises_by_the_slew_and_falls_at_once():
    b = Bench(mode="continuous", slew_per_s=1.0, min_interval_s=0.04).armed().rows(0.6, 0, confidence=0.5)
    values = [a.command.value for _, a in b.of(g.SendCommand)]
    assert values[0] == pytest.approx(0.04)
    assert max(y - x for x, y in itertools.pairwise(values)) <= 0.04 + 1e-9
    assert values[-1] == 0.5
    b.rows(0.04, 0, confidence=0.2)
    assert b.of(g.SendCommand)[-1][1].command.value == 0.2
    b.rows(0.04, 1)
    assert b.of(g.SendCommand)[-1][1].command.value == pytest.approx(0.04), "another class begins from 0"


def test_blanking_freezes_decoding_and_what_was_decided_in_it_moves_nothing():
    b = Bench(blanking_s=1.0).active()
    ((began, begin),) = b.of(g.Blank)
    assert begin.begin
    b.rows(0.96, 1)
    assert len(b.of(g.SendCommand)) == 1
    b.rows(0.2, reason=Reason.FROZEN)
    assert b.state is State.ACTIVE, "the engine's answer to our own blanking is no doubt"
    assert [a.begin for _, a in b.of(g.Blank)] == [True, False]
    b.rows(0.04, 1)
    assert b.of(g.SendCommand)[-1][1].command.name == "right"
    assert began == b.of(g.SendCommand)[0][0]


def test_a_freeze_that_is_not_ours_is_a_doubt():
    assert Bench().active().rows(0.2, reason=Reason.FROZEN).state is State.HOLD


def test_a_clock_that_goes_back_is_safe_and_a_person_can_arm_by_the_new_time():
    b = Bench().active()
    b.now -= 50.0
    first, *_ = b.tell()
    assert isinstance(first, g.Neutral)
    assert (b.state, b.guard.cause) == (State.SAFE, Cause.HOST)
    b.armed().rows(0.04, 1)
    assert b.of(g.SendCommand)[-1][1].command.name == "right"


def test_a_clock_that_trembles_changes_nothing():
    b = Bench().active()
    b.now -= 0.01
    assert b.tell() == ()
    assert b.state is State.ACTIVE


def test_all_wrong_limits_are_told_at_once():
    with pytest.raises(ConfigError) as error:
        GuardSettings(silence_s=0, latch_s=math.nan, view_s=-1)
    assert len(error.value.problems) == 3
    with pytest.raises(ConfigError) as error:
        PaceSettings(mode="fast", slew_per_s=0, blanking_s=-1)  # type: ignore[arg-type]
    assert len(error.value.problems) == 3


TestAnySequenceOfEvents = GuardMachine.TestCase
TestAnySequenceOfEvents.settings = settings(max_examples=300, stateful_step_count=12, deadline=None)
