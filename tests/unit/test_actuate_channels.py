"""Who must be there while an actuator moves, on a virtual clock: the stream of whoever armed, and whoever supervises."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from types import SimpleNamespace

import pytest
from guard_parts import HostRig

from bci.actuation.host_streams import HostStreams
from bci.actuation.streams import HostInlets
from bci.engine import guard as g
from bci.engine.guard import Cause, State
from bci.stream import messages
from bci.stream.lsl import FoundStream, this_host
from bci.stream.stream_query import StreamQuery

KEY = bytes(range(32))


def ready(**more) -> HostRig:
    """A host that may be armed."""
    return HostRig(**more).start_engine().rows(2.4)


# The stream of whoever armed


def test_a_host_that_nobody_supervises_holds_when_the_stream_of_whoever_armed_breaks_and_is_safe_a_second_later():
    rig = ready(alone=True).arm().rows(0.2, 0)
    rig.lines.cut(rig.window)
    rig.rows(0.08, 0)
    assert (rig.guard.state, rig.guard.cause, rig.actuator.told[-1]) == (State.HOLD, Cause.CHANNEL, "neutral")
    rig.rows(1.1, 0)
    assert rig.guard.state is State.SAFE
    rig.lines.restore(rig.window)
    rig.rows(2.3).arm().rows(0.2, 1)
    assert rig.guard.state is State.ACTIVE


def test_a_stream_that_is_back_within_a_second_is_held_and_goes_on_and_its_stop_is_heard():
    rig = ready(alone=True).arm().rows(0.2, 0)
    rig.lines.cut(rig.window)
    rig.rows(0.3, 0)
    rig.lines.restore(rig.window)
    rig.rows(0.8, 0)
    assert (rig.guard.state, rig.actuator.told) == (State.ACTIVE, ["left", "neutral", "left"])
    rig.tell("stop_now").rows(0.2, 0)
    assert rig.guard.state is State.SAFE


def test_a_break_between_two_turns_is_noticed_although_the_stream_is_there_again():
    rig = ready(alone=True).arm().rows(0.2, 0)
    rig.lines.cut(rig.window)
    rig.lines.restore(rig.window)
    rig.rows(0.08, 0)
    assert rig.guard.state is State.HOLD


def test_a_stream_that_somebody_armed_through_before_is_not_relied_on_by_who_arms_at_the_keyboard_afterwards():
    rig = ready(alone=True).arm().rows(0.2, 0)
    rig.tell("disarm").rows(2.4)
    rig.host._terminal = lambda: [g.Arm("keyboard")]
    rig.host.step()
    rig.host._terminal = list
    rig.lines.cut(rig.window)
    rig.rows(0.5, 0)
    assert rig.guard.state is State.ACTIVE


def test_the_break_of_another_stream_or_of_a_host_that_is_supervised_is_no_doubt():
    rig = ready(alone=True)
    other = rig.lines.window()
    rig.arm().rows(0.2, 0)
    rig.lines.cut(other)
    rig.rows(0.5, 0)
    assert rig.guard.state is State.ACTIVE
    rig = ready().arm().rows(0.2, 0)
    rig.lines.cut(rig.window)
    rig.rows(0.5, 0)
    assert rig.guard.state is State.ACTIVE


# Whoever supervises


def supervised() -> HostRig:
    rig = HostRig(g.GuardSettings(session_s=1.0), key=KEY).start_engine()
    return alive(rig, 2.4)


def alive(rig: HostRig, seconds: float, decision: int = -1, **fields) -> HostRig:
    for _ in range(round(seconds / 0.2)):
        rig.tell("alive", **fields).rows(0.2, decision)
    return rig


def test_a_session_that_falls_silent_is_a_doubt_after_a_second_and_safe_a_second_later():
    rig = supervised().arm()
    alive(rig, 0.6, 0)
    assert rig.guard.state is State.ACTIVE
    rig.rows(1.2, 0)
    assert (rig.guard.state, rig.guard.cause) == (State.HOLD, Cause.SESSION)
    rig.rows(1.0, 0)
    assert rig.guard.state is State.SAFE


def test_a_doubt_of_the_session_is_one_of_the_guard_with_its_words():
    rig = supervised().arm()
    alive(rig, 0.6, 0, doubt="", cause="recording")
    alive(rig, 0.4, 0, doubt="the recorder has not written for 4 s", cause="recording")
    assert (rig.guard.state, rig.guard.cause) == (State.HOLD, Cause.RECORDING)
    assert "has not written" in rig.guard.why


def test_signs_of_life_that_are_not_the_sessions_own_do_not_count():
    rig = supervised().arm()
    for _ in range(12):
        rig.window.push(messages.line("alive"))
        rig.rows(0.2, 0)
    assert rig.guard.state is State.SAFE


# Closing


@pytest.mark.parametrize("steer", [True, False], ids=["with blanking", "without blanking"])
def test_closing_the_streams_of_a_host_closes_each_of_them_once_what_was_sent_last_is_on_its_way(steer, monkeypatch):
    done: list[object] = []
    names = ["decisions", "control", "commands", "guard", *["steer"] * steer]
    ends = {name: SimpleNamespace(close=lambda name=name: done.append(name)) for name in names}
    monkeypatch.setattr("bci.actuation.host_streams.time", SimpleNamespace(sleep=done.append))
    HostStreams(**ends).close()
    assert done == [0.3, *names]


def test_closing_what_a_host_hears_closes_decisions_that_nobody_took_and_leaves_no_thread_behind(monkeypatch):
    found = [FoundStream("x-decisions", "BCI-Decision", uid, this_host(), uid, 0.0, 7, "double64", None) for uid in "ab"]
    closed: list[str] = []
    attempts: SimpleQueue[threading.Thread] = SimpleQueue()

    def connect(stream: FoundStream) -> SimpleNamespace:
        attempts.put(threading.current_thread())
        return SimpleNamespace(uid=stream.uid, ended=False, close=lambda: closed.append(stream.uid))

    monkeypatch.setattr("bci.actuation.streams.Watcher", lambda *_: SimpleNamespace(found=lambda: found, close=lambda: None))
    monkeypatch.setattr("bci.actuation.streams._connect_decisions", connect)
    before = set(threading.enumerate())
    inlets = HostInlets(StreamQuery(name="x-decisions"), StreamQuery(name="x-control"))
    for _ in found:
        attempts.get(timeout=5.0).join()
    taken = inlets.decisions()
    inlets.close()
    inlets.close()
    assert closed == [uid for uid in "ab" if uid != taken.uid]
    assert set(threading.enumerate()) <= before
    assert inlets.decisions() is None
