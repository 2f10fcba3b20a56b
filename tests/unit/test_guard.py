"""The guard lets nothing through after a doubt, and does not latch without a cause: on a virtual clock."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bci.engine import guard as g
from bci.engine.guard import Cause, Guard, GuardSettings, Row, State
from bci.engine.outcome import Reason
from bci.engine.pace import PaceSettings
from bci.errors import ConfigError

CLASSES = ("left", "right")
CLEAN = (Reason.DECIDED, Reason.IDLE)
SLOW = (Reason.REFILL, Reason.BRIDGED)
BAD = tuple(r for r in Reason if r not in CLEAN)


class Bench:
    """A guard, an engine that sends a row every 40 ms, and a clock."""

    def __init__(self, **limits):
        pace = {k: limits.pop(k) for k in tuple(limits) if k in PaceSettings.__dataclass_fields__}
        self.guard = Guard(CLASSES, GuardSettings(**limits), PaceSettings(**pace))
        self.now = 100.0
        self.sequence = 0
        self.log: list[tuple[float, g.Action]] = []
        self.tell(g.Engine(True))

    def tell(self, event=None):
        actions = self.guard.step(self.now, event)
        self.log += [(self.now, a) for a in actions]
        return actions

    def row(self, decision=-1, reason=None, expiry_s=0.25, confidence=0.9, heartbeat=False):
        self.sequence += 1
        reason = (Reason.DECIDED if decision >= 0 else Reason.IDLE) if reason is None else reason
        return self.tell(Row(self.sequence, decision, confidence, self.now + expiry_s, reason, heartbeat, self.now))

    def rows(self, seconds, decision=-1, reason=None, **kw):
        for _ in range(round(seconds / 0.04)):
            self.now += 0.04
            self.row(decision, reason, **kw)
        return self

    def wait(self, seconds, tick=0.005):
        end = self.now + seconds
        while self.now < end - 1e-9:
            self.now = min(end, self.now + tick)
            self.tell()
        return self

    def armed(self):
        self.rows(2.2)
        self.tell(g.Arm("test"))
        assert self.guard.state is State.ARMED
        return self

    def active(self):
        self.armed().rows(0.04, 0)
        assert self.guard.state is State.ACTIVE
        return self

    def of(self, kind):
        return [(t, a) for t, a in self.log if isinstance(a, kind)]

    @property
    def state(self):
        return self.guard.state

    def time_to(self, state):
        return next(t for t, a in self.log if isinstance(a, g.Changed) and a.state is state)


def test_it_starts_disarmed_and_decisions_alone_move_nothing():
    b = Bench().rows(10, 0)
    assert b.state is State.DISARMED
    assert not b.of(g.Order)


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
    assert isinstance(guard.step(5.0, g.Arm())[0], g.Refused)
    guard.step(6.0, g.Engine(True))
    assert isinstance(guard.step(9.0, g.Arm())[0], g.Refused)


def test_the_first_decision_after_arming_moves_and_one_from_before_does_not():
    b = Bench().rows(2.2, 0)
    b.tell(g.Arm())
    b.wait(0.03)
    assert (b.state, b.of(g.Order)) == (State.ARMED, [])
    b.rows(0.04, 0)
    ((_, order),) = b.of(g.Order)
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
    orders = len(b.of(g.Order))
    b.rows(0.2, 0)
    assert b.state is State.ACTIVE
    assert len(b.of(g.Order)) == orders + 1


def test_doubt_that_adds_up_to_a_second_is_latched_and_only_a_person_arms_again():
    b = Bench().active().rows(0.96, reason=Reason.QUALITY)
    assert b.state is State.HOLD
    b.rows(0.12, reason=Reason.QUALITY)
    assert (b.state, b.guard.cause) == (State.SAFE, Cause.QUALITY)
    b.rows(20, 0)
    assert b.state is State.SAFE
    b.tell(g.Arm())
    assert b.state is State.ARMED


def test_short_doubts_that_come_again_and_again_hold_and_do_not_latch():
    b = Bench().active()
    orders = len(b.of(g.Order))
    for _ in range(50):
        b.rows(0.32, reason=Reason.STALE).rows(0.32, 0)
    assert (b.state, len(b.of(g.Order))) == (State.HOLD, orders)
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
    assert (b.state, b.of(g.Order)) == (State.HOLD, [])


def test_a_host_that_did_not_run_for_five_seconds_latches_at_its_first_step_and_takes_no_backlog():
    b = Bench().active()
    orders, b.now = len(b.of(g.Order)), b.now + 5.0
    b.sequence += 1
    actions = b.tell(Row(b.sequence, 1, 0.9, b.now - 4.0, Reason.DECIDED))
    assert isinstance(actions[0], g.Neutral)
    assert (b.state, len(b.of(g.Order))) == (State.SAFE, orders)


def test_an_engine_known_to_be_gone_is_neutral_at_once_and_one_that_is_back_does_not_arm():
    b = Bench().active()
    first, *_ = b.tell(g.Engine(False, "the engine is gone"))
    assert isinstance(first, g.Neutral)
    b.wait(1.1)
    assert b.state is State.SAFE
    b.sequence = 0
    b.tell(g.Engine(True))
    assert b.rows(30, 0).state is State.SAFE


def test_an_engine_that_restarts_within_a_second_is_held_only():
    b = Bench().active()
    b.tell(g.Engine(False))
    b.wait(0.6)
    b.sequence = 0
    b.tell(g.Engine(True))
    assert b.rows(0.7, 1).state is State.ACTIVE


@pytest.mark.parametrize("prepare", [lambda b: b, lambda b: b.armed(), lambda b: b.active()])
def test_the_emergency_stop_latches_from_anywhere_and_arming_is_a_separate_act(prepare):
    b = prepare(Bench())
    first, *_ = b.tell(g.Stop("window"))
    assert isinstance(first, g.Neutral)
    assert (b.state, b.guard.cause) == (State.SAFE, Cause.STOP)
    assert b.rows(10, 0).state is State.SAFE


@pytest.mark.parametrize("cause", [Cause.ACTUATOR, Cause.MISMATCH, Cause.HOST])
def test_a_fault_is_safe_at_once(cause):
    b = Bench().active()
    first, *_ = b.tell(g.Fault(cause, "cable"))
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
    assert [a.command.name for _, a in b.of(g.Order)] == ["left"]
    assert b.of(g.Neutral)[-1][1].why == "the decision has ended"


def test_a_receiver_with_a_timer_is_told_again_while_the_decision_stands():
    b = Bench(repeat_s=0.1).armed().rows(1.0, 0)
    assert 8 <= len(b.of(g.Order)) <= 10


def test_commands_keep_their_distance_however_decisions_flicker():
    b = Bench(min_interval_s=0.3).armed()
    for k in range(100):
        b.rows(0.04, k % 2)
    times = [t for t, _ in b.of(g.Order)]
    assert len(times) > 5
    assert min(y - x for x, y in itertools.pairwise(times)) >= 0.3 - 1e-9


def test_a_continuous_command_rises_by_the_slew_and_falls_at_once():
    b = Bench(mode="continuous", slew_per_s=1.0, min_interval_s=0.04).armed().rows(0.6, 0, confidence=0.5)
    values = [a.command.value for _, a in b.of(g.Order)]
    assert values[0] == pytest.approx(0.04)
    assert max(y - x for x, y in itertools.pairwise(values)) <= 0.04 + 1e-9
    assert values[-1] == 0.5
    b.rows(0.04, 0, confidence=0.2)
    assert b.of(g.Order)[-1][1].command.value == 0.2
    b.rows(0.04, 1)
    assert b.of(g.Order)[-1][1].command.value == pytest.approx(0.04), "another class begins from 0"


def test_blanking_freezes_decoding_and_what_was_decided_in_it_moves_nothing():
    b = Bench(blanking_s=1.0).active()
    ((began, begin),) = b.of(g.Blank)
    assert begin.begin
    b.rows(0.96, 1)
    assert len(b.of(g.Order)) == 1
    b.rows(0.2, reason=Reason.FROZEN)
    assert b.state is State.ACTIVE, "the engine's answer to our own blanking is no doubt"
    assert [a.begin for _, a in b.of(g.Blank)] == [True, False]
    b.rows(0.04, 1)
    assert b.of(g.Order)[-1][1].command.name == "right"
    assert began == b.of(g.Order)[0][0]


def test_a_freeze_that_is_not_ours_is_a_doubt():
    assert Bench().active().rows(0.2, reason=Reason.FROZEN).state is State.HOLD


def test_time_that_runs_backwards_changes_nothing():
    b = Bench().active()
    b.now -= 50.0
    assert b.tell() == ()
    assert b.state is State.ACTIVE


def test_all_wrong_limits_are_told_at_once():
    with pytest.raises(ConfigError) as error:
        GuardSettings(silence_s=0, latch_s=math.nan, view_s=-1)
    assert len(error.value.problems) == 3
    with pytest.raises(ConfigError) as error:
        PaceSettings(mode="fast", slew_per_s=0, blanking_s=-1)  # type: ignore[arg-type]
    assert len(error.value.problems) == 3


class GuardMachine(RuleBasedStateMachine):
    """Any sequence of rows, silence, persons and faults; a model of "doubt" that knows nothing of the guard's own."""

    @initialize(
        mode=st.sampled_from(["discrete", "continuous"]), repeat=st.sampled_from([0.0, 0.1]), blanking=st.sampled_from([0.0, 0.3])
    )
    def begin(self, mode, repeat, blanking):
        self.limits = GuardSettings()
        self.blanking = blanking
        self.guard = Guard(CLASSES, self.limits, PaceSettings(mode=mode, repeat_s=repeat, blanking_s=blanking))
        self.now, self.sequence = 10.0, 0
        self.present = False
        self.heard = self.fresh = -math.inf
        self.last: Row | None = None
        self.clean_since = math.inf  # by the model
        self.doubt_s = self.slow_s = 0.0  # without a break, by the model; an upper bound
        self.cause = ""  # what has happened that may latch
        self.armed_by_person = False
        self.blank_until = -math.inf
        self.moving = False
        self.previous = self.guard.state

    def doubt(self):
        """Since when the model sees a doubt; inf for none."""
        begins = [self.fresh, self.heard + self.limits.silence_s]
        if not self.present:
            begins.append(self.gone)
        if self.last is None or self.last.reason in g.DOUBTS:
            begins.append(self.row_since)
        found = min(begins)
        return found if found <= self.now else math.inf

    gone = -math.inf
    row_since = -math.inf

    def step(self, event=None):
        before = self.guard.state
        actions = self.guard.step(self.now, event)
        self.check_order(actions)
        for a in actions:
            if isinstance(a, g.Order):
                self.moving = True
                self.check_command(a)
                if self.blanking:
                    self.blank_until = self.now + self.blanking
            elif isinstance(a, g.Neutral):
                self.moving = False
            elif isinstance(a, g.Changed):
                self.check_change(before, a.state, event)
                before = a.state
        return actions

    def check_order(self, actions):
        kinds = [type(a) for a in actions]
        if g.Neutral in kinds and g.Order in kinds:
            assert kinds.index(g.Neutral) < kinds.index(g.Order)

    def check_command(self, order):
        assert self.guard.state is State.ACTIVE
        assert self.doubt() == math.inf, "a command in spite of a doubt"
        assert order.row is self.last
        assert order.row.expiry_s > self.now
        assert order.row.reason is Reason.DECIDED
        assert order.command.name == CLASSES[order.row.decision]
        assert self.now >= self.blank_until
        assert 0 <= order.command.value <= 1

    def check_change(self, before, after, event):
        if after is State.ARMED:
            assert (before is State.HOLD) or isinstance(event, g.Arm), "armed by itself"
            needed = self.limits.resume_s if before is State.HOLD else self.limits.settle_s
            assert self.now - self.clean_since >= needed - 1e-6
        if after is State.ACTIVE:
            assert before is State.ARMED
        if after is State.SAFE:
            real = isinstance(event, g.Stop | g.Fault) or (isinstance(event, Row) and event.reason is Reason.DECODER)
            enough = self.doubt_s >= self.limits.latch_s - 1e-6 or self.slow_s >= self.limits.refill_s - 1e-6
            assert real or enough, f"latched without a cause after {self.doubt_s} and {self.slow_s} s of doubt"
        if after is State.HOLD:
            assert self.doubt() < math.inf
            assert before in (State.ARMED, State.ACTIVE)

    def advance(self, seconds):
        """Time passes; the model adds up doubt from its own point of view."""
        end = self.now + seconds
        start = self.now
        self.now = end
        since = self.doubt()
        if since == math.inf:
            self.doubt_s = self.slow_s = 0.0
        else:
            self.clean_since = math.inf
            passed = end - max(start, since)
            self.slow_s += passed
            slow_only = (
                self.present and self.last is not None and self.last.reason in SLOW
                and min(self.fresh, self.heard + self.limits.silence_s) > end
            )  # fmt: skip
            self.doubt_s = 0.0 if slow_only else self.doubt_s + passed
        self.step()

    @rule(seconds=st.sampled_from([0.001, 0.005, 0.04, 0.2, 0.3, 0.6, 1.2, 7.0]))
    def silence(self, seconds):
        self.advance(seconds)

    def receive(self, row):
        self.sequence = row.sequence
        self.heard = self.now
        ours = self.now < self.blank_until or (row.reason is Reason.FROZEN and self.now < self.blank_until + g.BLANKING_GRACE_S)
        if not row.heartbeat:
            self.fresh = min(row.expiry_s, self.now + self.limits.stale_s)
            if not ours:
                if self.last is None or g.DOUBTS.get(self.last.reason) is not g.DOUBTS.get(row.reason):
                    self.row_since = self.now
                self.last = row
        if self.doubt() < math.inf or row.reason is Reason.DECODER:
            self.clean_since = math.inf
        else:
            self.clean_since = min(self.clean_since, self.now)
        self.step(row)

    @precondition(lambda self: self.present)
    @rule(
        decision=st.sampled_from([-1, 0, 1]),
        reason=st.sampled_from([*BAD, *CLEAN * 6]),
        expiry=st.sampled_from([0.25, 0.25, 0.05, -0.1]),
        heartbeat=st.booleans(),
        n=st.sampled_from([1, 1, 5, 60]),
    )
    def rows(self, decision, reason, expiry, heartbeat, n):
        if reason is not Reason.DECIDED:
            decision = -1
        elif decision < 0:
            reason = Reason.IDLE
        for _ in range(n):
            self.advance(0.04)
            self.receive(Row(self.sequence + 1, decision, 0.8, self.now + expiry, reason, heartbeat and n == 1, self.now))

    @rule(seconds=st.sampled_from([2.2, 3.0]), decision=st.sampled_from([-1, 0]))
    def good_signal_and_arm(self, seconds, decision):
        if not self.present:
            self.engine(True)
        for _ in range(round(seconds / 0.04)):
            self.advance(0.04)
            reason = Reason.IDLE if decision < 0 else Reason.DECIDED
            self.receive(Row(self.sequence + 1, decision, 0.8, self.now + 0.25, reason, False, self.now))
        self.arm()

    @rule()
    def arm(self):
        before = self.guard.state
        self.step(g.Arm("hypothesis"))
        if before in (State.DISARMED, State.SAFE) and self.guard.state is State.ARMED and self.last is not None:
            self.forget()

    def forget(self):
        self.last = Row(self.last.sequence, -1, 0.0, self.last.expiry_s, Reason.IDLE)

    @rule(present=st.booleans())
    def engine(self, present):
        self.gone = self.now if self.present else self.gone
        self.present, self.last, self.row_since, self.clean_since = present, None, self.now, math.inf
        self.sequence = 0
        self.step(g.Engine(present))

    @rule(event=st.sampled_from([g.Stop("s"), g.Disarm("d"), g.Fault(Cause.ACTUATOR, "f"), g.View()]))
    def happens(self, event):
        if isinstance(event, g.Fault):
            self.clean_since = math.inf if self.doubt() < math.inf else self.now
        before = self.guard.state
        actions = self.step(event)
        if isinstance(event, g.Stop):
            assert self.guard.state is State.SAFE
            assert isinstance(actions[0], g.Neutral)
        if isinstance(event, g.Fault):
            assert self.guard.state is (State.DISARMED if before is State.DISARMED else State.SAFE)

    @invariant()
    def what_does_not_work_does_not_move(self):
        if not hasattr(self, "guard"):
            return
        if self.guard.state not in (State.ACTIVE, State.ARMED):
            assert not self.moving
        if self.guard.state is not State.HOLD:
            self.doubt_s = self.slow_s = 0.0
        if self.guard.state in (State.ARMED, State.ACTIVE):
            assert self.doubt() == math.inf, "no HOLD in spite of a doubt"


TestAnySequenceOfEvents = GuardMachine.TestCase
TestAnySequenceOfEvents.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
