"""The thread that calls an actuator: what it takes, what it pushes aside, and what it says became of it."""

from __future__ import annotations

import threading
import time

import pytest
from guard_parts import Recorded, broken

from bci.actuation.arming import report_of
from bci.actuation.worker import CLOSE_S, ThreadWorker, carry_out
from bci.engine import guard as g
from bci.engine.command import Command
from bci.engine.outcome import Reason
from bci.errors import ActuatorError
from bci.stream.clock import LslClock

ROW = g.DecisionRow(1, 0, 0.9, 1e9, Reason.DECIDED)


def order(name: str) -> g.SendCommand:
    return g.SendCommand(Command(name), ROW)


def finished(worker: ThreadWorker, n: int) -> list:
    """The next ``n`` things that it has done."""
    done, end = [], time.monotonic() + 10
    while len(done) < n:
        done += worker.finished()
        assert time.monotonic() < end, done
        time.sleep(0.001)
    return done


def test_a_worker_is_busy_only_while_the_actuator_is_called():
    gate, begun = threading.Event(), threading.Event()

    class Slow(Recorded):
        def send(self, command):
            begun.set()
            gate.wait(10)
            super().send(command)

    worker = ThreadWorker(Slow(), LslClock())
    assert worker.busy_s() == 0.0
    worker.give(order("a"))
    assert begun.wait(10)
    time.sleep(0.02)
    assert 0.01 <= worker.busy_s() < 10
    gate.set()
    (done,) = finished(worker, 1)
    assert worker.busy_s() == 0.0
    assert done.ended_s - done.began_s >= 0.02
    assert worker.finished() == []
    worker.close()


def test_a_worker_that_rests_takes_no_command_until_it_may_go_on():
    actuator = Recorded()
    worker = ThreadWorker(actuator, LslClock())
    worker.give(order("a"))
    finished(worker, 1)
    worker.rest("the terminal was closed")
    assert finished(worker, 1)[0].action == g.Neutral("the terminal was closed")
    worker.give(order("b"))
    worker.give(g.Neutral("again"))
    assert [d.action for d in finished(worker, 1)] == [g.Neutral("again")]
    worker.go_on()
    worker.give(order("c"))
    finished(worker, 1)
    worker.close()
    worker.close()
    assert actuator.told == ["a", "neutral", "c", "closed"]


def test_a_command_that_comes_while_a_worker_rests_is_not_even_carried_out_at_the_end():
    """Neither at once nor with what is finished before the actuator is closed, which is what is waited for here."""
    closed = threading.Event()

    class Last(Recorded):
        def close(self):
            super().close()
            closed.set()

    actuator = Last()
    worker = ThreadWorker(actuator, LslClock())
    worker.rest("the terminal was closed")
    worker.give(order("a"))
    worker.close()
    assert closed.wait(10)
    assert actuator.told == ["closed"]
    assert actuator.neutrals == 1


@pytest.mark.parametrize(
    ("given", "done"),
    [
        ("b c", "c"),
        ("b neutral", "neutral"),
        ("neutral c", "neutral c"),
        ("neutral c d", "neutral d"),
        ("b neutral neutral", "neutral"),
    ],
)
def test_of_what_waits_neutral_pushes_all_aside_and_a_command_only_older_commands(given, done):
    gate, begun = threading.Event(), threading.Event()

    class Slow(Recorded):
        def send(self, command):
            begun.set()
            gate.wait(10)
            super().send(command)

    worker = ThreadWorker(Slow(), LslClock())
    worker.give(order("a"))
    assert begun.wait(10)
    for name in given.split():
        worker.give(g.Neutral("x") if name == "neutral" else order(name))
    gate.set()
    actions = [d.action for d in finished(worker, 1 + len(done.split()))]
    assert [a.command.name if isinstance(a, g.SendCommand) else "neutral" for a in actions] == ["a", *done.split()]
    worker.close()
    assert worker.finished() == []


def test_what_was_given_is_finished_before_the_actuator_is_closed_and_one_that_cannot_be_closed_is_left():
    class Stuck(Recorded):
        def close(self):
            super().close()
            raise OSError("stuck")

    actuator = Stuck()
    worker = ThreadWorker(actuator, LslClock())
    worker.give(order("a"))
    worker.give(g.Neutral("the end"))
    worker.close()
    assert actuator.told[-1] == "closed"
    assert actuator.neutrals == 1


def test_one_that_hangs_is_left_behind_after_half_a_second():
    gate = threading.Event()

    class Hanging(Recorded):
        def neutral(self):
            gate.wait(10)

    worker = ThreadWorker(Hanging(), LslClock())
    worker.give(g.Neutral("x"))
    began = time.monotonic()
    worker.close()
    assert 0.4 <= time.monotonic() - began < 5
    assert CLOSE_S == 0.5, "a host must be gone two seconds after it is told to end"
    assert {t.daemon for t in threading.enumerate() if t.name == "actuator"} == {True}, "it would keep the process alive"
    gate.set()


@pytest.mark.parametrize(("said", "acknowledged"), [(True, True), (None, False), (False, False), (1, False)])
def test_only_an_actuator_that_says_so_has_acknowledged_neutral(said, acknowledged):
    actuator = Recorded()
    actuator.neutral = lambda: said
    assert carry_out(actuator, g.Neutral("x")) == ("", acknowledged)


def test_what_went_wrong_is_told_in_the_actuators_words_or_by_its_kind():
    actuator = Recorded()
    assert carry_out(actuator, order("a")) == ("", False)
    actuator.fails = broken("the cable is out")
    assert carry_out(actuator, order("a")) == ("the cable is out", False)
    actuator.fails = broken("")
    assert carry_out(actuator, order("a")) == ("ActuatorError", False)
    actuator.fails = lambda: ZeroDivisionError("oops")
    assert carry_out(actuator, order("a")) == ("ZeroDivisionError: oops", False)


def test_an_error_is_on_the_record_with_its_times_and_the_worker_goes_on():
    actuator = Recorded()
    worker = ThreadWorker(actuator, LslClock())
    actuator.fails = lambda: ActuatorError("out")
    worker.give(order("a"))
    (done,) = finished(worker, 1)
    assert (done.error, done.acknowledged) == ("out", False)
    assert done.ended_s >= done.began_s
    actuator.fails = lambda: None
    worker.give(order("b"))
    assert finished(worker, 1)[0].error == ""
    worker.close()


def test_reports_of_a_guard_hold_500_characters_and_numbers_that_a_clock_can_show():
    report = report_of(
        {"state": "x" * 5000, "why": "y" * 500, "good_s": 1e15, "strangers": 1e15 - 1, "settings": {"settle_s": 2}}
    )
    assert 500 <= len(report.state) <= 501
    assert report.why == "y" * 500
    assert (report.good_s, report.strangers, report.settle_s) == (0.0, 10**15 - 1, 2.0)
    report = report_of({"good_s": -0.1, "strangers": True, "heard": {"id": "a:1"}, "settings": {"settle_s": float("nan")}})
    assert (report.good_s, report.strangers, report.heard, report.settle_s) == (0.0, 0, "a:1", 0.0)


class Wordless(Exception):
    """An error that fails at saying what it is."""

    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), BaseException("x"), Wordless()], ids=repr)
def test_an_actuator_that_raises_whatever_there_is_fails_once_and_is_asked_again(error):
    """As the thread of an interpreter that is told to exit would end without a word, and never be neutral again."""
    raised = []

    class Fails(Recorded):
        def neutral(self):
            if not raised:
                raised.append(error)
                raise error
            return super().neutral()

    worker = ThreadWorker(Fails(), LslClock())
    worker.give(g.Neutral("first"))
    (failed,) = finished(worker, 1)
    worker.give(g.Neutral("again"))
    (done,) = finished(worker, 1)
    worker.close()
    assert type(error).__name__ in failed.error
    assert not done.error
