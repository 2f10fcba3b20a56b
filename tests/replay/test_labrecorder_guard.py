"""A guard that cries wolf is switched off: the arrival pattern of a real consumer board hardly ever latches it.

A push of this board ends with the stamp of its newest sample, so the pushes of ../shared/data/labrecorder-mi are known to
the millisecond. An engine that decides at each push, says "lost" where none came for 250 ms and
repeats itself every 50 ms (as the live loop does) makes rows of them, on a virtual clock; the guard is stepped every 5 ms.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import pyxdf
from live_rig import Imagery, Rig
from parts import stream

from bci.engine.guard import Arm, Confirmed, DecisionRow, EnginePresence, Guard, GuardSettings, Neutral, State, StateChange
from bci.engine.outcome import Reason
from bci.stream import messages

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "labrecorder-mi"
LOSSY = "2022-04-07_run01"
CLEAN = [f"2022-04-07_run{i:02}" for i in range(2, 7)] + [f"2022-04-08_run{i:02}" for i in range(1, 6)]
RATE_HZ = 125.0
HEARTBEAT_S = 0.05
TICK_S = 0.005

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.is_dir(), reason="the real recordings (../shared/data beside the project) are not here"),
]


@cache
def stamped(name):
    """Raw stamps, and the index of the last sample of each push."""
    logging.getLogger("pyxdf").setLevel(logging.ERROR)
    streams, _ = pyxdf.load_xdf(str(DATA / f"subjT_{name}.xdf"), synchronize_clocks=False, dejitter_timestamps=False)
    (stamps,) = [s["time_stamps"] for s in streams if s["info"]["type"][0] == "EEG"]
    ends = np.append(np.flatnonzero(np.abs(np.diff(stamps) - 1 / RATE_HZ) > 1e-4), len(stamps) - 1)
    return stamps, ends


def pushes(name):
    """Times at which samples arrived, five at a time, seconds."""
    stamps, ends = stamped(name)
    return (stamps[ends] - stamps[0]).tolist()


def engine_rows(name, stale_s) -> Iterator[DecisionRow]:
    """What the engine says, and when."""
    times = pushes(name)
    sequence, last = 0, None
    for before, now in zip([times[0], *times], times, strict=False):
        at = before + HEARTBEAT_S
        while last is not None and at < now:
            sequence += 1
            if at >= before + stale_s and last.reason is not Reason.LOST:
                last = DecisionRow(sequence, -1, 0.0, before + stale_s, Reason.LOST, False, before + stale_s)
                yield last
            else:
                yield DecisionRow(sequence, last.decision, 0.9, last.expiry_s, last.reason, True, at)
            at += HEARTBEAT_S
        sequence += 1
        last = DecisionRow(sequence, 0, 0.9, now + stale_s, Reason.DECIDED, False, now)
        yield last


class ArrivalRig(Rig):
    """A live loop whose device pushes what, when and with which stamps the real one did."""

    def __init__(self, name):
        self._stamps, self._ends = stamped(name)
        super().__init__(Imagery(len(self._stamps) / RATE_HZ, replace(stream(rate_hz=RATE_HZ), sample_clock=False)))

    def _send(self, source, outlet, began) -> Iterator[float]:
        start, data = 0, source._source._data
        for end in (self._ends + 1).tolist():
            yield began + self._stamps[end - 1] - self._stamps[0]
            outlet.push_chunk(data[start:end], self._stamps[start:end])
            start = end


def loop_rows(name) -> Iterator[DecisionRow]:
    """What the live loop itself says, which also judges the age of the data."""
    rig = ArrivalRig(name)
    begin = rig.clock.now()
    rig.run(pushes(name)[-1])
    for values, sent in rig.heard("decisions"):
        d = dict(zip(messages.DECISION_FIELDS, values.tolist(), strict=True))
        reason, heartbeat = Reason(int(d["reason"])), bool(d["heartbeat"])
        yield DecisionRow(
            int(d["sequence"]), int(d["decision"]), d["confidence"], d["expiry"] - begin, reason, heartbeat, sent - begin
        )


def guarded(name, settings, whole_loop):
    """Seconds spent in each state, reasons of latches, and the number of HOLDs; re-armed as soon as that is possible."""
    guard, now = Guard(("left", "right"), settings), 0.0
    guard.step(now, EnginePresence(True))
    spent, latches, holds = dict.fromkeys(State, 0.0), [], 0
    for row in loop_rows(name) if whole_loop else engine_rows(name, settings.stale_s):
        changes = []
        while now < row.sent_s:
            spent[guard.state] += min(row.sent_s, now + TICK_S) - now
            now = min(row.sent_s, now + TICK_S)
            changes += guard.step(now)
        changes += guard.step(now, row)
        changes += [a for n in changes if isinstance(n, Neutral) for a in guard.step(now, Confirmed(True, number=n.number))]
        entered = [a for a in changes if isinstance(a, StateChange)]
        latches += [a.why for a in entered if a.state is State.SAFE]
        holds += sum(a.state is State.HOLD for a in entered)
        if guard.state in (State.DISARMED, State.SAFE):
            guard.step(now, Arm())
    return spent, latches, holds


def report(names, settings, whole_loop=False):
    """All of the recordings: minutes, reasons of latches, share of the time in which commands may pass."""
    found = [guarded(name, settings, whole_loop) for name in names]
    minutes = sum(pushes(name)[-1] for name in names) / 60
    latches = [why for _, latched, _ in found for why in latched]
    holds = sum(h for _, _, h in found) / minutes
    works = sum(s[State.ACTIVE] + s[State.ARMED] for s, *_ in found) / 60 / minutes
    print(f"\n{minutes:.1f} min at {settings.stale_s:g} s: {holds:.1f} HOLDs a minute, works {works:.0%}, latched {latches}")
    return minutes, latches, works


@pytest.mark.parametrize("stale_s", [0.25, 0.5])
def test_half_an_hour_of_bursts_latches_at_most_once(stale_s):
    # Armed at once, so that a latch cannot hide behind the good signal that arming would have waited for.
    minutes, latches, _ = report(CLEAN, GuardSettings(stale_s=stale_s, settle_s=0.01))
    assert minutes > 40
    assert len(latches) <= minutes / 30


@pytest.mark.parametrize(("stale_s", "share"), [(0.25, 0.5), (0.5, 0.9)])
def test_such_a_board_can_be_armed_and_works_most_of_the_time(stale_s, share):
    minutes, latches, works = report(CLEAN, GuardSettings(stale_s=stale_s))
    assert len(latches) <= minutes / 30
    assert works > share


def test_with_the_live_loop_in_front_it_latches_at_most_once_in_half_an_hour_too():
    minutes, latches, _ = report(CLEAN, GuardSettings(settle_s=0.01), whole_loop=True)
    assert len(latches) <= minutes / 30


def test_a_recording_that_really_lost_a_minute_of_data_does_latch():
    _, latches, _ = report([LOSSY], GuardSettings(settle_s=0.01))
    assert len(latches) >= 2
