"""Times of an engine on another computer: its decisions expire, and are as old, as they are on our clock."""

from __future__ import annotations

import itertools
import json
import math

import pytest
from guard_parts import CLASSES

from bci.actuation.feed import OFFSET_EVERY_S, REJOIN_S, DecisionFeed
from bci.engine import guard as g
from bci.engine.stream_info import Channel, StreamInfo
from bci.stream import messages
from bci.stream.bus import RawInlet
from bci.stream.clock import VirtualClock
from bci.stream.inprocess import InProcessBus
from bci.stream.inprocess_outlets import Sender


class Elsewhere:
    """An engine on a computer whose clock shows another time, and a feed that reads it here.

    Parameters
    ----------
    ahead_s : float
        How far its clock is ahead of ours.
    """

    def __init__(self, ahead_s: float) -> None:
        self.clock, self.ahead_s, self.n = VirtualClock(1000.0), ahead_s, 0
        self.bus = InProcessBus(self.clock)
        self.measured: list[float] = []
        self.reachable = True
        self.feed = DecisionFeed(self.find, self.clock, {}, self.offset_of)
        self.begin()

    def begin(self) -> None:
        """An engine begins, and the feed listens to it."""
        columns = tuple(Channel(c) for c in messages.DECISION_FIELDS)
        info = StreamInfo(0.0, columns, source_id="bci-decisions", name="bci-decisions", type="BCI-Decision")
        sender = Sender("elsewhere", lambda now: now + self.ahead_s)
        self.engine = self.bus.outlet(info, bci={"classes": json.dumps(CLASSES)}, sender=sender)
        self.inlets = [self.bus.raw("bci-decisions")]
        assert [e.present for e in self.feed.pull(0.0) if isinstance(e, g.EnginePresence)] == [True]

    def find(self) -> RawInlet | None:
        return self.inlets.pop() if self.inlets else None

    def offset_of(self, inlet) -> float | None:
        self.measured.append(self.clock.now())
        return inlet.time_correction(0.0)[1] if self.reachable else None

    def row(self, valid_s: float = 0.25) -> g.DecisionRow:
        """What the guard hears of a row that the engine sends now."""
        self.n += 1
        there = self.engine.now()
        self.engine.push((self.n, 0, 0.9, there, there + valid_s, 0, 0))
        (event,) = self.feed.pull(0.0)
        assert isinstance(event, g.DecisionRow)
        return event

    def wait(self, seconds: float) -> None:
        """Time passes here and there."""
        self.clock.wait_until(self.clock.now() + seconds)


@pytest.mark.parametrize("ahead_s", [0.0, 5000.0, -990.0, 0.3, -0.3])
def test_expiry_and_sending_of_a_row_are_brought_to_our_clock_whatever_the_other_one_shows(ahead_s):
    there = Elsewhere(ahead_s)
    for _ in range(3):
        there.wait(0.04)
        row = there.row()
        assert row.expiry_s == pytest.approx(there.clock.now() + 0.25, abs=1e-9)
        assert row.sent_s == pytest.approx(there.clock.now(), abs=1e-9)


def test_the_clocks_are_compared_again_every_ten_seconds_and_not_at_every_row():
    there = Elsewhere(100.0)
    assert OFFSET_EVERY_S == 10.0
    for _ in range(305):
        there.wait(0.1)
        there.row()
    times = there.measured
    assert len(times) == 4
    assert [b - a for a, b in itertools.pairwise(times)] == pytest.approx([10.0] * 3, abs=0.11)


def test_a_clock_that_drifts_or_is_set_is_followed_within_ten_seconds():
    there = Elsewhere(100.0)
    there.wait(5.0)
    there.ahead_s = 103.0
    assert there.row().sent_s == pytest.approx(there.clock.now() + 3.0), "not measured again yet"
    there.wait(5.1)
    there.row()
    assert there.row().sent_s == pytest.approx(there.clock.now())


def test_while_the_clocks_cannot_be_compared_the_last_comparison_counts():
    there = Elsewhere(100.0)
    there.reachable = False
    there.wait(11.0)
    row = there.row()
    assert (row.sent_s, row.expiry_s) == pytest.approx((there.clock.now(), there.clock.now() + 0.25))


def test_an_engine_is_never_read_by_the_clock_of_the_one_before_it():
    there = Elsewhere(100.0)
    there.engine.close()
    assert [e.present for e in there.feed.pull(0.0)] == [False]
    there.wait(REJOIN_S)
    there.ahead_s, there.reachable = 0.5, False
    there.begin()
    row = there.row()
    assert (row.sent_s, row.expiry_s) == pytest.approx((there.engine.now(), there.engine.now() + 0.25))


@pytest.mark.parametrize("ahead_s", [5000.0, -990.0])
def test_a_decision_of_an_engine_elsewhere_moves_until_it_expires_on_our_clock_and_no_longer(ahead_s):
    there = Elsewhere(ahead_s)
    guard = g.Guard(CLASSES)
    guard.step(there.clock.now(), g.EnginePresence(True))
    for _ in range(60):
        there.wait(0.04)
        for neutral in [a for a in guard.step(there.clock.now(), there.row()) if isinstance(a, g.Neutral)]:
            guard.step(there.clock.now(), g.Confirmed(True, number=neutral.number))
    guard.step(there.clock.now(), g.Arm())
    there.wait(0.04)
    assert any(isinstance(a, g.SendCommand) for a in guard.step(there.clock.now(), there.row(valid_s=0.1)))
    there.wait(0.09)
    assert guard.step(there.clock.now()) == ()
    there.wait(0.02)
    assert isinstance(guard.step(there.clock.now())[0], g.Neutral)
    assert math.isfinite(guard.good_s())
