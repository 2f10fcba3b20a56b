"""The virtual clock runs actors in the order of their times."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from bci.stream.clock import LslClock, VirtualClock


def ticker(clock: VirtualClock, seen: list[tuple[str, float]], name: str, step_s: float, count: int) -> Iterator[float]:
    for k in range(count):
        yield k * step_s
        seen.append((name, clock.now()))


def test_actors_run_in_the_order_of_their_times_and_equal_times_in_the_order_they_were_added() -> None:
    clock, seen = VirtualClock(), list[tuple[str, float]]()
    clock.add(ticker(clock, seen, "a", 2.0, 3))
    clock.add(ticker(clock, seen, "b", 1.0, 5))
    clock.wait_until(4.0)
    assert seen == [("a", 0), ("b", 0), ("b", 1), ("a", 2), ("b", 2), ("b", 3), ("a", 4), ("b", 4)]


def test_waiting_stops_as_soon_as_what_was_waited_for_is_there() -> None:
    clock, seen = VirtualClock(10.0), list[tuple[str, float]]()
    clock.add(t + 10.0 for t in ticker(clock, seen, "a", 1.0, 100))
    assert clock.wait_for(lambda: len(seen) == 3, 60.0)
    assert clock.now() == 12.0
    assert not clock.wait_for(lambda: False, 12.5)
    assert clock.now() == 12.5


def test_time_never_runs_backwards_even_for_an_actor_that_is_late() -> None:
    clock = VirtualClock(100.0)
    clock.add(iter([1.0, 2.0]))
    clock.wait_until(99.0)
    assert clock.now() == 100.0
    assert clock.idle


def test_an_hour_of_nothing_takes_no_time() -> None:
    clock, started = VirtualClock(), time.perf_counter()
    clock.wait_until(3600.0)
    assert clock.now() == 3600.0
    assert time.perf_counter() - started < 1.0


@pytest.mark.live
def test_the_lsl_clock_waits_until_the_time_and_not_less() -> None:
    clock = LslClock()
    until = clock.now() + 0.02
    clock.wait_until(until)
    assert clock.now() >= until
