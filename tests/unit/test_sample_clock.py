"""Stamps from a sample counter: regular, without drift, whatever the dongle does to arrival."""

import numpy as np
import pytest

from devices.sample_clock import CounterClock

START_S = 5000.0
TRANSPORT_S = 0.004


def bursts(rng: np.random.Generator, seconds: float, kind: str) -> np.ndarray:
    """Times at which data arrive: every 16 ms and at times much later, or as from a board on a busy machine."""
    if kind == "dongle":
        gaps = 0.016 + rng.exponential(5e-4, round(seconds / 0.016)) + (rng.random(round(seconds / 0.016)) < 0.01) * 0.1
    else:
        gaps = np.minimum(rng.lognormal(np.log(0.06), np.log(5) / 2.326, round(seconds / 0.08)), 2.0)
    times = START_S + np.cumsum(gaps)
    return times[times < START_S + seconds]


def stamped(true_hz: float, seconds: float, kind: str = "dongle", seed: int = 1) -> tuple[np.ndarray, np.ndarray, CounterClock]:
    """Stamps of a declared 250 Hz board, and when the samples were taken."""
    rng = np.random.default_rng(seed)
    taken = START_S + np.arange(int(seconds * true_hz)) / true_hz
    clock, stamps, truth, done = CounterClock(250.0), [], [], 0
    for now in bursts(rng, seconds, kind):
        newest = int(np.searchsorted(taken, now - TRANSPORT_S))
        if newest > done:
            if clock.ready:
                stamps.append(clock.stamps(np.arange(done, newest)))
                truth.append(taken[done:newest])
            clock.arrived(newest - 1, now)
            done = newest
    return np.concatenate(stamps), np.concatenate(truth), clock


@pytest.mark.parametrize("kind", ["dongle", "busy"])
@pytest.mark.parametrize("ppm", [-50, 0, 50])
def test_an_hour_of_bursts_has_jitter_far_below_a_millisecond_and_no_drift(kind: str, ppm: float) -> None:
    stamps, taken, _ = stamped(250.0 * (1 + ppm * 1e-6), 3600.0, kind)
    error_ms = (stamps - taken) * 1e3
    assert error_ms.std() < 0.2
    assert np.ptp(error_ms) < 1.0
    minutes = error_ms[: len(error_ms) // 15000 * 15000].reshape(-1, 15000).mean(axis=1)
    assert abs(minutes[-5:].mean() - minutes[:5].mean()) < 0.3
    np.testing.assert_allclose(np.diff(stamps) * 250, 1.0, atol=1e-3)


@pytest.mark.parametrize("true_hz", [249.45, 250.55])
def test_a_board_that_is_far_off_its_rate_is_followed(true_hz: float) -> None:
    stamps, taken, clock = stamped(true_hz, 1200.0)
    error_ms = (stamps - taken) * 1e3
    assert abs(error_ms).max() < 20.0
    assert error_ms[300 * 250 :].std() < 0.1
    assert clock.rate_hz == pytest.approx(true_hz, rel=2e-6)
    assert abs(np.diff(stamps) * 250 - 1.0).max() < 0.01  # never like a loss


def test_lost_samples_are_a_gap_of_their_number() -> None:
    clock = CounterClock(250.0)
    for n in range(0, 2500, 4):
        clock.arrived(n, START_S + n * 0.004)
    stamps = clock.stamps(np.array([2500, 2501, 2502 + 37]))
    assert np.round(np.diff(stamps) * 250).tolist() == [1, 38]


def test_a_minute_of_late_arrivals_hardly_bends_the_stamps() -> None:
    clock, error = CounterClock(250.0), []
    for n in range(0, 250 * 300, 4):
        late = 0.25 if 100 <= n / 250 < 103 else 0.004
        if clock.ready:
            error.append(clock.stamps(np.array([n]))[0] - (START_S + n * 0.004))
        clock.arrived(n, START_S + n * 0.004 + late)
    assert np.ptp(error) < 1e-3


def test_there_are_no_stamps_before_the_clock_is_set() -> None:
    clock = CounterClock(250.0)
    for n in range(0, 250, 4):
        clock.arrived(n, START_S + n * 0.004)
    assert not clock.ready
    clock.arrived(252, START_S + 1.008)
    assert clock.ready
    assert clock.lateness(300, START_S + 1.2 + 0.5) == pytest.approx(0.5)
