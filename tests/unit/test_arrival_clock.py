"""Stamps of network streams: counted, free of jitter and drift."""

import numpy as np
import numpy.typing as npt
import pytest

from devices.arrival_clock import ArrivalClock

Floats = npt.NDArray[np.float64]


def play(
    seconds: float, rate_hz: float = 250.0, block: int = 5, ppm: float = 0.0, late_s: float = 0.02, first_s: float = 0.0
) -> tuple[Floats, Floats]:
    """Stamps, and the true times of the samples, of blocks that arrive late by an exponential time; bursts included."""
    rng = np.random.default_rng(1)
    clock = ArrivalClock(rate_hz)
    n = round(seconds * rate_hz / block)
    true = 100.0 + np.arange(n * block) / (rate_hz * (1 + ppm * 1e-6))
    arrival = np.maximum.accumulate(true[block - 1 :: block] + rng.exponential(late_s, n))
    arrival[0] += first_s
    found = [clock.stamps(k * block, block, float(arrival[k])) for k in range(n)]
    return np.concatenate(found), true


@pytest.mark.parametrize("ppm", [0.0, 50.0, -50.0, 2200.0, -2200.0, 5000.0, -5000.0])
def test_no_drift_over_an_hour_and_jitter_of_milliseconds_at_most(ppm: float) -> None:
    # Blocks of 200 ms that come 20 ms late on average and 200 ms at most.
    found, true = play(3600.0, block=50, ppm=ppm)
    late = (found - true)[600 * 250 :]
    assert np.abs(late).max() < 0.005
    assert late.std() < 0.0005
    assert np.abs(found - true).max() < 0.3, "while the rate is learned"
    if abs(ppm) <= 50:
        assert np.abs(np.diff(found) * 250 - 1).max() < 1e-3


def test_blocks_of_20_ms_as_recorder_sends_them_leave_a_tenth_of_a_millisecond() -> None:
    found, true = play(1200.0, ppm=50.0, late_s=0.005)
    late = (found - true)[60 * 250 :]
    assert np.abs(late).max() < 0.2e-3
    assert late.std() < 0.05e-3


def test_a_first_block_that_was_a_tenth_of_a_second_late_is_made_up_for_without_a_step() -> None:
    found, true = play(300.0, late_s=0.005, first_s=0.1)
    assert found[0] - true[0] > 0.1
    assert np.abs((found - true)[150 * 250 :]).max() < 0.001
    assert np.abs(np.diff(found) * 250 - 1).max() < 1e-3


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


def test_a_sender_that_is_silent_for_spans_and_hurries_after_it_stays_finite() -> None:
    clock = ArrivalClock(250.0)
    for k, now in enumerate((10.0, 30.0, 30.1, 60.0, 61.0, 90.0, 90.0, 120.0)):
        assert np.isfinite(clock.stamps(k * 5, 5, now)).all()


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
