"""A computer that slept is noticed by a clock that went on, and a computer that is busy is not taken for one that slept."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import pytest
from guard_parts import TOKEN, HostRig

from bci.actuation.host import arm_message
from bci.engine.guard import Cause, State
from bci.stream.clocks.suspend import Suspends, system_clocks


class Computer:
    """Its two clocks; reading one may take time."""

    def __init__(self) -> None:
        self.awake_s, self.slept_s = 1000.0, 77.0
        self.held_up: Iterator[float] = iter(())

    def awake(self) -> float:
        self.awake_s += next(self.held_up, 0.0)
        return self.awake_s

    def always(self) -> float:
        self.awake_s += next(self.held_up, 0.0)
        return self.awake_s + self.slept_s


def watched() -> tuple[Computer, Suspends]:
    computer = Computer()
    return computer, Suspends(computer.awake, computer.always)


def test_a_suspend_is_told_once_with_its_length():
    computer, slept_s = watched()
    assert slept_s() == 0.0
    computer.awake_s += 5.0
    assert slept_s() == 0.0
    computer.slept_s += 8.0
    assert slept_s() == pytest.approx(8.0)
    assert slept_s() == 0.0
    computer.slept_s += 0.3
    assert slept_s() == pytest.approx(0.3)


@pytest.mark.parametrize("where", [0, 1, 2])
def test_a_process_that_is_held_up_between_two_readings_has_not_slept(where):
    computer, slept_s = watched()
    for _ in range(20):
        computer.held_up = iter([*[0.0] * where, 3.0])
        assert slept_s() == 0.0


def test_a_process_that_is_held_up_all_the_time_still_notices_a_suspend():
    computer, slept_s = watched()
    computer.held_up = iter([0.06] * 15)
    computer.slept_s += 8.0
    assert slept_s() == pytest.approx(8.0, abs=0.1)


def test_clocks_that_differ_by_less_than_a_fifth_of_a_second_are_those_of_a_busy_computer():
    computer, slept_s = watched()
    computer.slept_s += 0.19
    assert slept_s() == 0.0


def test_a_clock_that_is_set_back_is_no_suspend():
    computer, slept_s = watched()
    computer.slept_s -= 5.0
    assert slept_s() == 0.0
    computer.slept_s += 1.0
    assert slept_s() == pytest.approx(1.0)


@pytest.mark.skipif(sys.platform != "linux", reason="these two clocks are Linux's")
def test_on_linux_the_clocks_are_those_that_the_manual_names():
    awake, always = system_clocks()
    assert awake() == pytest.approx(time.clock_gettime(time.CLOCK_MONOTONIC), abs=0.05)
    assert always() == pytest.approx(time.clock_gettime(time.CLOCK_BOOTTIME), abs=0.05)


def test_a_host_whose_computer_slept_is_safe_before_it_reads_anything():
    rig = HostRig().active().rows(0.2, 0)
    for _ in range(5):
        rig.row(1)  # what waits looks fresh: the clock of all stamps stood still
    rig.window.push(rig.signer.line("arm", proof="x"))
    rig.slept_s = 8.0
    rig.host.step()
    assert (rig.guard.state, rig.guard.cause) == (State.SAFE, Cause.HOST)
    assert rig.guard.why == "this computer slept for 8.0 s"
    rig.rows(1.0, 1)
    assert rig.actuator.told == ["left", "neutral"]


def test_a_host_whose_computer_slept_while_it_waited_for_decisions_moves_by_none_of_them():
    rig = HostRig().active().rows(0.2, 0)
    pull = rig.feed.pull

    def slept(timeout_s):
        rig.slept_s = 8.0
        rig.row(1)
        return pull(timeout_s)

    rig.feed.pull = slept
    rig.host.step()
    assert (rig.guard.state, rig.actuator.told) == (State.SAFE, ["left", "neutral"])


def test_an_arm_that_waited_while_the_computer_slept_does_not_arm():
    rig = HostRig().start_engine().rows(2.4)
    rig.window.push(arm_message(TOKEN, rig.nonce, "before"))
    rig.slept_s = 8.0
    rig.rows(0.5, 0)
    assert (rig.guard.state, rig.actuator.told) == (State.DISARMED, [])
