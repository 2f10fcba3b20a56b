"""Stamps of network streams: counted, free of jitter and drift."""

import numpy as np
import numpy.typing as npt
import pytest

from devices.arrival_clock import SLEW, ArrivalClock

Floats = npt.NDArray[np.float64]


def play(seconds: float, rate_hz: float = 250.0, block: int = 5, ppm: float = 0.0, late_s: float = 0.02) -> tuple[Floats, Floats]:
    """Stamps, and the true times of the samples, of blocks that arrive late by an exponential time; bursts included."""
    rng = np.random.default_rng(1)
    clock = ArrivalClock(rate_hz)
    n = round(seconds * rate_hz / block)
    true = 100.0 + np.arange(n * block) / (rate_hz * (1 + ppm * 1e-6))
    arrival = np.maximum.accumulate(true[block - 1 :: block] + rng.exponential(late_s, n))
    found = [clock.stamps(k * block, block, float(arrival[k])) for k in range(n)]
    return np.concatenate(found), true


@pytest.mark.parametrize("ppm", [0.0, 50.0, -50.0, 500.0, -500.0])
def test_no_drift_over_an_hour_and_jitter_of_a_few_milliseconds_at_most(ppm: float) -> None:
    found, true = play(3600.0, block=50, ppm=ppm)
    late = (found - true)[60 * 250 :]
    # A rate that is off is followed some 15 s behind; arrivals here vary by 20 ms on average, 200 ms at most.
    assert late.max() - late.min() < (0.004 if abs(ppm) < 100 else 0.008)
    assert np.abs(late).max() < 0.004 + 18 * abs(ppm) * 1e-6
    assert np.abs(np.diff(found) * 250 - 1).max() < 1e-3


def test_steps_are_one_period_to_a_thousandth_from_the_first_sample_on() -> None:
    found, _ = play(60.0, late_s=0.1)
    assert np.abs(np.diff(found) * 250 - 1).max() <= SLEW * 1.01


def test_a_loss_is_a_step_of_whole_samples() -> None:
    clock = ArrivalClock(250.0)
    before = clock.stamps(0, 10, 10.0)
    after = clock.stamps(35, 10, 10.0 + 35 / 250)
    assert (after[0] - before[-1]) * 250 == pytest.approx(26, abs=1e-3)


def test_a_burst_after_a_stall_moves_nothing() -> None:
    clock = ArrivalClock(250.0)
    for k in range(2500):
        clock.stamps(k * 5, 5, 10.0 + k / 50)
    due = clock.time(12504)
    for k in range(2500, 2600):  # 2 s late, all at once
        clock.stamps(k * 5, 5, 62.0)
    for k in range(2600, 2700):
        clock.stamps(k * 5, 5, 10.0 + k / 50)
    assert clock.time(12504) == pytest.approx(due, abs=2.5e-3)


@pytest.mark.parametrize("told", [True, False])
def test_a_sender_that_paused_is_followed_by_whole_samples(told: bool) -> None:
    clock = ArrivalClock(250.0)
    stamps = [clock.stamps(k * 5, 5, 10.0 + k / 50) for k in range(1000)]
    if told:
        clock.pause()
    stamps += [clock.stamps(k * 5, 5, 15.0 + k / 50) for k in range(1000, 2000)]
    steps = np.diff(np.concatenate(stamps)) * 250
    assert np.abs(steps - np.round(steps)).max() < 1e-3
    assert np.sum(np.round(steps) - 1) == 1250
    assert clock.time(9999) == pytest.approx(15.0 + 1999 / 50, abs=5e-3)
