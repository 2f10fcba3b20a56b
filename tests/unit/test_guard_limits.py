"""Limits of the guard and of an actuator: what may be set, and how often and how strongly an actuator is moved."""

from __future__ import annotations

import itertools
import math

import pytest
from guard_bench import Bench

from bci.engine import guard as g
from bci.engine.guard import GuardSettings
from bci.engine.outcome import Reason
from bci.engine.pace import CommandPace, PaceSettings
from bci.errors import ConfigError


@pytest.mark.parametrize(
    "name",
    [n for n in GuardSettings.__slots__ if n not in ("view_s", "session_s")],
)
def test_every_limit_must_be_a_number_of_seconds(name):
    for wrong in (0, -1.0, 60.1, math.nan, math.inf, -math.inf, True, "1", None, 10**70):
        with pytest.raises(ConfigError) as error:
            GuardSettings(**{name: wrong})
        assert error.value.problems == (f"guard.{name} = {wrong!r}: must be a number of seconds above 0, at most 60",)
    with pytest.raises(ConfigError, match="an integer of 33220 bits"):
        GuardSettings(**{name: 10**10000})
    assert getattr(GuardSettings(**{name: 60}), name) == 60
    assert getattr(GuardSettings(**{name: 1e-9}), name) == 1e-9


@pytest.mark.parametrize("name", ["view_s", "session_s"])
def test_what_is_not_required_may_be_nothing_and_else_is_a_number_of_seconds(name):
    for wrong in (-1.0, 60.1, math.nan, math.inf, False, "1", None):
        with pytest.raises(ConfigError) as error:
            GuardSettings(**{name: wrong})
        assert "must be 0 (not required)" in error.value.problems[0]
    assert GuardSettings(**{name: 0}) == GuardSettings(**{name: 0.0})
    assert getattr(GuardSettings(**{name: 60}), name) == 60


@pytest.mark.parametrize("name", ["min_interval_s", "repeat_s", "blanking_s"])
def test_every_time_of_an_actuator_is_a_number_of_seconds(name):
    for wrong in (-1e-9, 3600.1, math.nan, math.inf, True, "1", None, 10**400):
        with pytest.raises(ConfigError) as error:
            PaceSettings(**{name: wrong})
        assert len(error.value.problems) == 1
        assert f"pace.{name} = " in error.value.problems[0]
    for right in (0, 3600):
        assert getattr(PaceSettings(**{name: right}), name) == right


def test_mode_and_slew_of_an_actuator_are_checked():
    for wrong in (0, -1.0, math.nan, math.inf, True, "1", None, 10**400):
        with pytest.raises(ConfigError, match="slew_per_s"):
            PaceSettings(slew_per_s=wrong)
    for wrong in ("fast", "", None, 1, ["discrete"]):
        with pytest.raises(ConfigError, match="mode"):
            PaceSettings(mode=wrong)
    assert PaceSettings(mode="continuous", slew_per_s=1e-9).slew_per_s == 1e-9


def test_the_usual_limits_are_those_that_are_promised():
    assert GuardSettings() == GuardSettings(0.24, 0.25, 1.0, 5.0, 0.5, 2.0, 0.0, 2.0, 0.0, 1.0, 0.2)
    assert PaceSettings() == PaceSettings("discrete", 0.1, 2.0, 0.0, 0.0)


def test_a_discrete_command_of_full_strength_goes_out_when_a_decision_begins():
    pace = CommandPace(PaceSettings(min_interval_s=0.1))
    assert pace(0.0, 0, 0.3) == 1.0
    assert pace(0.05, 1, 0.3) is None, "too soon"
    assert pace(0.1, 1, 0.3) == 1.0
    assert pace(5.0, 1, 0.3) is None, "it stands already"
    pace.rest()
    assert pace(5.1, 1, 0.3) == 1.0, "after neutral the same decision begins anew"


def test_a_repeated_command_comes_when_its_time_has_passed_and_not_before():
    pace = CommandPace(PaceSettings(min_interval_s=0.0, repeat_s=0.5))
    times = [t for k in range(201) if pace(t := k / 100, 0, 1.0) is not None]
    assert times == [0.0, 0.5, 1.0, 1.5, 2.0]


def test_a_continuous_value_rises_from_nothing_by_the_slew_and_follows_the_confidence_down():
    pace = CommandPace(PaceSettings(mode="continuous", min_interval_s=0.1, slew_per_s=2.0))
    assert pace(10.0, 0, 1.0) == pytest.approx(0.2), "one interval's worth at first"
    assert pace(10.05, 0, 1.0) is None
    assert pace(10.25, 0, 1.0) == pytest.approx(0.7)
    assert pace(10.5, 0, 1.0) == 1.0, "never above 1"
    assert pace(10.61, 0, 0.3) == 0.3
    assert pace(10.72, 0, 0.9) == pytest.approx(0.52)
    assert pace(10.83, 1, 0.9) == pytest.approx(0.2), "another decision begins from nothing"
    pace.rest()
    assert pace(20.0, 1, 0.9) == pytest.approx(0.2), "so does the same one after neutral"


@pytest.mark.parametrize(("confidence", "value"), [(-1.0, 0.0), (math.nan, 0.0), (2.0, 1.0)])
def test_a_continuous_value_is_from_0_to_1_whatever_the_confidence(confidence, value):
    assert CommandPace(PaceSettings(mode="continuous", min_interval_s=1.0, slew_per_s=9.0))(0.0, 0, confidence) == value


def test_commands_that_alternate_keep_their_distance():
    b = Bench(min_interval_s=0.1).armed()
    for k in range(50):
        b.rows(0.04, k % 2)
    times = [t for t, _ in b.of(g.SendCommand)]
    assert min(y - x for x, y in itertools.pairwise(times)) >= 0.1 - 1e-9
    assert len(times) >= 16


def test_a_blanking_interval_is_told_at_its_beginning_and_its_end_and_lasts_as_long_as_is_set():
    b = Bench(blanking_s=0.5).active()
    b.wait(1.0)
    (begin, first), (end, last) = b.of(g.Blank)
    assert (first.begin, last.begin) == (True, False)
    assert "left disturbs the signal for 0.5 s" in first.why
    assert end - begin == pytest.approx(0.5, abs=0.006)


@pytest.mark.parametrize("back_s", [0.06, 100.0])
def test_a_blanking_interval_ends_when_the_clock_is_set_back(back_s):
    b = Bench(blanking_s=3.0).active()
    b.wait(0.1)
    b.now -= back_s
    b.tell()
    (_, first), (end, last) = b.of(g.Blank)
    assert (first.begin, last.begin, end) == (True, False, b.now)


def test_a_person_who_froze_decoding_inside_a_blanking_interval_is_a_doubt_soon_after_it():
    b = Bench(blanking_s=0.3).active()
    b.rows(0.76, reason=Reason.FROZEN)
    assert b.state is g.State.ACTIVE
    b.rows(0.08, reason=Reason.FROZEN)
    assert (b.state, b.guard.cause) == (g.State.HOLD, g.Cause.FROZEN)


def test_a_failing_decoder_inside_a_blanking_interval_is_safe_at_once():
    b = Bench(blanking_s=1.0).active()
    b.now += 0.04
    b.row(-1, Reason.DECODER)
    assert (b.state, b.guard.cause) == (g.State.SAFE, g.Cause.DECODER)


def test_a_bad_signal_inside_a_blanking_interval_is_no_doubt_and_after_it_is_one():
    b = Bench(blanking_s=0.5).active().rows(0.4, reason=Reason.QUALITY)
    assert b.state is g.State.ACTIVE
    assert b.rows(0.16, reason=Reason.QUALITY).state is g.State.HOLD


def test_after_a_blanking_interval_the_old_decision_moves_nothing_until_a_new_one_comes():
    b = Bench(blanking_s=0.3, silence_s=9.0, stale_s=9.0).armed()
    b.now += 0.04
    b.row(0, expiry_s=9.0)
    b.wait(1.0)
    assert len(b.of(g.SendCommand)) == 1
    assert b.of(g.Neutral)[-1][1].why == "the decision has ended"
    b.row(0)
    assert len(b.of(g.SendCommand)) == 2


class Exact:
    """A guard by a clock of 64 ticks a second, so that every limit has an exact end."""

    TICK = 1 / 64

    def __init__(self, **limits):
        usual = {"silence_s": 8.0, "stale_s": 8.0, "latch_s": 1.0, "refill_s": 2.0, "settle_s": 2.0, "resume_s": 0.5}
        self.guard, self.now, self.n = g.Guard(("left",), GuardSettings(**{**usual, **limits})), 64.0, 0
        self.tell(g.EnginePresence(True))

    def tell(self, event=None, after_s=0.0):
        self.now += after_s
        actions = self.guard.step(self.now, event)
        for neutral in [a for a in actions if isinstance(a, g.Neutral)]:
            self.guard.step(self.now, g.Confirmed(True, number=neutral.number))
        return actions

    def row(self, after_s=0.0, reason=Reason.IDLE, valid_s=9.0, ago_s=0.0):
        self.n += 1
        sent = self.now + after_s - ago_s
        self.tell(g.DecisionRow(self.n, -1, 0.0, sent + valid_s, reason, False, sent), after_s)
        return self

    def armed(self):
        for _ in range(9):
            self.row(0.25)
        self.tell(g.Arm())
        assert self.guard.state is g.State.ARMED
        return self

    def becomes(self, state, after_s):
        """Whether it becomes this exactly then, and not a tick before."""
        self.tell(None, after_s - self.TICK)
        before = self.guard.state
        self.tell(None, self.TICK)
        assert (before is state, self.guard.state) == (False, state)
        return self


def test_silence_begins_exactly_at_its_limit():
    Exact(silence_s=0.5).armed().row().becomes(g.State.HOLD, 0.5)


def test_a_decision_is_stale_exactly_at_its_limit():
    Exact(stale_s=0.5).armed().row().becomes(g.State.HOLD, 0.5)


def test_a_decision_is_stale_exactly_so_long_after_it_was_sent():
    Exact(stale_s=0.5).armed().row(ago_s=0.25).becomes(g.State.HOLD, 0.25)


def test_a_decision_expires_exactly_then():
    Exact().armed().row(valid_s=0.5).becomes(g.State.HOLD, 0.5)


def test_a_doubt_latches_exactly_after_its_limit():
    Exact().armed().row(0.25, Reason.QUALITY).becomes(g.State.SAFE, 1.0)


def test_filling_windows_latch_exactly_after_their_limit():
    Exact().armed().row(0.25, Reason.REFILL).becomes(g.State.SAFE, 2.0)


def test_of_two_doubts_the_time_of_both_counts_and_filling_windows_add_nothing_to_others():
    Exact().armed().row(0.25, Reason.QUALITY).row(0.5, Reason.FROZEN).becomes(g.State.SAFE, 0.5)
    Exact().armed().row(0.25, Reason.REFILL).row(0.5, Reason.FROZEN).becomes(g.State.SAFE, 1.0)
    b = Exact().armed().row(0.25, Reason.QUALITY).row(0.5, Reason.REFILL).row(0.25, Reason.QUALITY)
    assert b.guard.cause is g.Cause.QUALITY
    b.becomes(g.State.SAFE, 1.0)
    assert b.guard.why == "the signal is bad, for 1.00 s"


def test_a_hold_ends_exactly_after_its_limit():
    Exact().armed().row(0.25, Reason.QUALITY).row(0.25).becomes(g.State.ARMED, 0.5)


def test_a_doubt_that_nobody_saw_begin_began_when_it_began():
    b = Exact(silence_s=0.5).armed().row()
    b.tell(None, 1.5)
    assert b.guard.state is g.State.SAFE
    b = Exact(silence_s=0.5).armed().row()
    b.tell(None, 1.5 - Exact.TICK)
    assert b.guard.state is g.State.HOLD


def test_the_window_and_the_session_are_missed_exactly_at_their_limits():
    for limits, alive in (({"view_s": 4.0}, g.View()), ({"session_s": 4.0}, g.Alive())):
        b = Exact(**limits)
        b.tell(alive)
        b.armed().row(0.25)
        b.tell(alive)
        b.becomes(g.State.HOLD, 4.0)


def test_good_signal_is_needed_for_exactly_so_long_and_its_length_is_told():
    b = Exact().row()
    b.tell(g.Arm(), 2.0 - Exact.TICK)
    assert b.guard.state is g.State.DISARMED
    b.tell(g.Arm(), Exact.TICK)
    assert (b.guard.state, b.guard.good_s()) == (g.State.ARMED, 2.0)
    b.row(0.25, Reason.QUALITY)
    assert b.guard.good_s() == 0.0


def test_a_wish_may_be_exactly_two_seconds_old():
    b = Exact().row().row(3.0)
    b.tell(g.Arm("", b.now - 2.0))
    assert b.guard.state is g.State.ARMED
    b = Exact().row().row(3.0)
    b.tell(g.Arm("", b.now - 2.0 - Exact.TICK))
    assert b.guard.state is g.State.DISARMED


def test_neutral_is_repeated_exactly_when_it_is_due():
    b = Exact(neutral_every_s=1.0)
    assert b.tell(None, 1.0 - Exact.TICK) == ()
    (again,) = b.tell(None, Exact.TICK)
    assert (again.again, again.number) == (True, 2)
    b.guard.step(b.now, g.Confirmed(True, number=2))
    assert b.tell(None, 0.5) == ()


def test_a_clock_may_go_back_by_exactly_50_ms():
    b = Exact().armed()
    b.guard.step(b.now - 0.05)
    assert b.guard.state is g.State.ARMED
    b.guard.step(b.now - 0.05 - Exact.TICK)
    assert b.guard.state is g.State.SAFE


def test_a_blanking_interval_ends_exactly_when_it_is_over():
    b = Exact()
    b.guard = g.Guard(("left",), b.guard.settings, PaceSettings(blanking_s=0.5))
    b.tell(g.EnginePresence(True))
    b.armed()
    b.tell(g.DecisionRow(99, 0, 0.9, b.now + 9.0, Reason.DECIDED, False, b.now))
    assert [a for a in b.tell(None, 0.5 - Exact.TICK) if isinstance(a, g.Blank)] == []
    assert [a.begin for a in b.tell(None, Exact.TICK) if isinstance(a, g.Blank)] == [False]


def test_a_doubt_that_has_lasted_latches_although_the_row_that_ends_it_is_heard_at_the_same_moment():
    b = Exact().armed().row(0.25, Reason.QUALITY).row(1.0)
    assert (b.guard.state, b.guard.cause) == (g.State.SAFE, g.Cause.QUALITY)
