"""The clock of a sender on another computer is followed without ever waiting for it."""

from __future__ import annotations

import pytest

from bci.stream.clocks.sender_clock import SenderClock


class Network:
    """A sender whose clock is behind by a number that drifts, and that answers only now and then."""

    def __init__(self) -> None:
        self.now_s, self.asked, self.silent = 1000.0, [], 0

    def now(self) -> float:
        return self.now_s

    def measure(self, timeout_s: float) -> tuple[float, float] | None:
        self.asked.append(timeout_s)
        if self.silent:
            self.silent -= 1
            return None
        offset = 400.0 + 60e-6 * (self.now_s - 1000.0)
        return self.now_s - offset, offset


def test_a_sender_on_this_computer_has_our_clock_and_is_never_asked() -> None:
    network = Network()
    assert SenderClock(True, network.measure, network.now).offset_s == 0.0
    assert not network.asked


def test_another_computers_clock_is_followed_as_it_drifts_and_nobody_waits_for_it() -> None:
    network = Network()
    network.silent = 3
    clock = SenderClock(False, network.measure, network.now)
    assert [clock.offset_s for _ in range(3)] == [None] * 3
    for _ in range(3600):
        network.now_s += 1.0
        assert clock.offset_s == pytest.approx(network.measure(0.0)[1], abs=0.5e-3)
    assert set(network.asked) == {0.0}


def test_a_delayed_measurement_moves_nothing_and_silence_keeps_what_was_known() -> None:
    network = Network()
    late = iter([0.0, 0.0, 0.3, 0.0, 0.0])
    clock = SenderClock(False, lambda _: (0.0, 400.0 + next(late)) if not network.silent else None, network.now)
    for _ in range(5):
        assert clock.offset_s == 400.0
        network.now_s += 2.5
    network.silent = 1
    assert clock.offset_s == 400.0


def test_a_clock_that_was_set_is_followed_as_soon_as_two_measurements_say_so() -> None:
    network, step = Network(), 0.0
    clock = SenderClock(False, lambda _: (0.0, 400.0 - step), network.now)
    for _ in range(10):
        network.now_s += 1.0
        assert clock.offset_s == 400.0
    step = 3600.0
    for _ in range(4):
        network.now_s += 1.0
        last = clock.offset_s
    assert last == 400.0 - 3600.0
