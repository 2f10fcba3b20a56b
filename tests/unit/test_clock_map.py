"""Times of another computer are placed within a millisecond, whatever its clock does meanwhile."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bci.stream.clocks.clock_map import SAME_CLOCK, ClockMap
from bci.stream.clocks.clock_offsets import fit_clock

HOUR = 3600.0


def offsets_of(sender, span_s=HOUR, every_s=5.0, noise_s=0.0, start_s=0.0, seed=0):
    """Collection times on the sender's clock and offsets, as a recorder measures them; ``sender`` gives its clock's time."""
    true = np.arange(start_s, span_s, every_s)
    measured = true - sender(true) + np.random.default_rng(seed).normal(0, noise_s, len(true)) if noise_s else true - sender(true)
    return true - measured, measured


def error_s(clock: ClockMap, sender, span_s=HOUR, every_s=0.5) -> float:
    """How far stamps of the whole time are placed from when they were made, at most."""
    true = np.arange(0.0, span_s, every_s)
    return float(np.abs(clock.to_recorder(sender(true)) - true).max())


@pytest.mark.parametrize("ppm", [-60.0, 60.0])
@pytest.mark.parametrize("began_s", [0.0, -432_000.0, 1.7e9])
def test_an_hour_at_60_ppm_is_placed_within_a_tenth_of_a_millisecond(ppm, began_s):
    sender = lambda t: began_s + t * (1 + ppm * 1e-6)  # noqa: E731
    assert error_s(fit_clock(*offsets_of(sender, noise_s=0.1e-3)), sender) < 1e-4


def test_a_drift_that_changes_with_temperature_is_followed_within_half_a_millisecond():
    # 20 ppm more within a quarter of an hour: a straight line would be 7 ms off.
    sender = lambda t: 500.0 + t * (1 + 40e-6) + 20e-6 * 900.0 * np.sin(t / 900.0)  # noqa: E731
    times, offsets = offsets_of(sender, noise_s=0.1e-3)
    line = np.polynomial.Polynomial.fit(times, offsets, 1)
    assert np.abs(line(times) - offsets).max() > 5e-3
    assert error_s(fit_clock(times, offsets), sender) < 0.5e-3


@pytest.mark.parametrize("again_s", [0.0, 250.0, 1000.0, 1790.0, 1e6, -5e5])
def test_a_computer_that_restarts_is_placed_by_each_of_its_clocks(again_s):
    def sender(t):
        return np.where(t < 1800.0, 1000.0 + t * (1 + 60e-6), again_s + (t - 1800.0) * (1 + 60e-6))

    times, offsets = offsets_of(sender, noise_s=0.1e-3)
    clock = fit_clock(times, offsets)
    assert clock.resets == 1
    assert error_s(clock, sender) < 0.3e-3
    seen = np.r_[np.arange(0.0, 1795.0), np.arange(1805.0, HOUR)]
    assert np.abs(clock.to_sender(seen) - sender(seen)).max() < 0.3e-3


def test_a_clock_that_is_reset_twice_has_three_pieces():
    def sender(t):
        return t + np.select([t < 600, t < 1300], [0.0, -590.0], 77.0)

    clock = fit_clock(*offsets_of(sender, 2000.0, noise_s=0.1e-3))
    assert clock.resets == 2
    assert error_s(clock, sender, 2000.0) < 0.3e-3


def test_wrong_offsets_move_nothing():
    sender = lambda t: 100.0 + t * (1 - 30e-6)  # noqa: E731
    times, offsets = offsets_of(sender, noise_s=0.1e-3)
    now = times + offsets
    rng = np.random.default_rng(1)
    wrong = rng.choice(len(offsets), 60, replace=False)
    offsets[wrong] += rng.choice([0.05, 3.0, -800.0, 1.797e308, 6.9e-310, np.inf, np.nan], 60)
    offsets[[0, -1]] = 6.9e-310
    clock = fit_clock(now - offsets, offsets)
    assert clock.resets == 0
    assert error_s(clock, sender) < 0.3e-3


@pytest.mark.parametrize("seed", range(5))
def test_a_network_that_is_slow_one_way_at_times_moves_nothing(seed):
    sender = lambda t: 100.0 + t * (1 + 60e-6)  # noqa: E731
    times, offsets = offsets_of(sender, noise_s=0.2e-3, seed=seed)
    rng = np.random.default_rng(seed)
    offsets += (rng.random(len(offsets)) < 0.3) * rng.exponential(10e-3, len(offsets))
    assert error_s(fit_clock(times, offsets), sender) < 0.1e-3


@pytest.mark.parametrize("noise_s", [1e-3, 5e-3])
def test_noise_does_not_bend_a_straight_line(noise_s):
    sender = lambda t: 100.0 + t * (1 - 60e-6)  # noqa: E731
    errors = [error_s(fit_clock(*offsets_of(sender, noise_s=noise_s, seed=seed)), sender) for seed in range(5)]
    assert max(errors) < 0.25 * noise_s


def test_one_offset_is_a_constant_and_none_is_no_change():
    stamps = np.array([3.0, 5.0, np.nan])
    np.testing.assert_array_equal(fit_clock([4.0], [100.0]).to_recorder(stamps), stamps + 100.0)
    assert fit_clock([], []) == SAME_CLOCK
    assert not SAME_CLOCK.known
    assert SAME_CLOCK.to_recorder(stamps) is stamps
    assert SAME_CLOCK.to_sender(stamps) is stamps


def test_two_offsets_an_hour_apart_are_a_line():
    sender = lambda t: 7.0 + t * (1 + 60e-6)  # noqa: E731
    assert error_s(fit_clock(*offsets_of(sender, HOUR + 1, HOUR)), sender) < 1e-3


def test_two_offsets_five_seconds_apart_say_nothing_of_an_hour():
    # Measured 0.2 ms apart: a line would be 144 ms off.
    clock = fit_clock([10.0, 15.0], [50.0, 50.0002])
    assert abs(clock.to_recorder([HOUR])[0] - (HOUR + 50.0)) < 0.12


def test_offsets_of_a_constant_clock_stay_what_they_are_bit_for_bit():
    clock = fit_clock(np.arange(0.0, 100.0, 5.0), np.full(20, 0.0))
    stamps = np.linspace(0.0, 100.0, 999)
    np.testing.assert_array_equal(clock.to_recorder(stamps), stamps)


@settings(max_examples=50, deadline=None)
@given(
    ppm=st.floats(-100, 100),
    jump=st.one_of(st.floats(0.1, 1e6), st.floats(-1e6, -0.1)),
    at=st.floats(100.0, 500.0),
    seed=st.integers(0, 99),
)
def test_there_and_back_is_where_it_was_with_any_drift_and_reset(ppm, jump, at, seed):
    def sender(t):
        return 1000.0 + t * (1 + ppm * 1e-6) + np.where(t < at, 0.0, jump)

    clock = fit_clock(*offsets_of(sender, 600.0, noise_s=0.1e-3, seed=seed))
    true = np.arange(0.0, 600.0, 0.01)
    away = np.abs(clock.to_recorder(sender(true)) - true)
    assert away.max() < 0.5e-3
    seen = true[np.abs(true - at) > 6.0]
    np.testing.assert_allclose(clock.to_sender(seen), sender(seen), rtol=0, atol=0.5e-3)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_drifts_resets_delays_and_wrong_offsets_in_any_mixture_leave_every_stamp_within_3_ms(seed):
    rng = np.random.default_rng(seed)
    span_s, every_s, noise = rng.uniform(300, 1800), rng.uniform(2, 8), np.random.default_rng(seed + 1)
    resets = np.sort(rng.choice(np.arange(60.0, span_s - 60.0, 90.0), rng.integers(0, 3), replace=False))
    starts = np.concatenate([[0.0], resets])
    drifts, jumps = (
        rng.uniform(-80e-6, 80e-6, len(starts)),
        rng.choice([-1, 1], len(starts)) * 10 ** rng.uniform(0.5, 6, len(starts)),
    )

    def sender(t):
        piece = np.searchsorted(starts, t, side="right") - 1
        return t * (1 + drifts[piece]) + np.cumsum(jumps)[piece]

    true = np.arange(0.0, span_s, every_s)
    offsets = true - sender(true) + noise.normal(0, 0.2e-3, len(true))
    offsets += (noise.random(len(true)) < 0.15) * noise.exponential(5e-3, len(true))
    wrong = np.flatnonzero(noise.random(len(true)) < 0.02)
    offsets[wrong[np.diff(wrong, prepend=-9) > 2]] += noise.choice([0.1, 3.0, -800.0, 1.797e308])
    stamps = sender(np.arange(0.0, span_s, 0.05))
    placed = fit_clock(true - offsets, offsets, stamps).to_recorder(stamps)
    assert np.abs(placed - np.arange(0.0, span_s, 0.05)).max() < 3e-3


@pytest.mark.parametrize("n", [5, 6, 8])
def test_a_reset_in_a_recording_of_half_a_minute_is_found(n: int) -> None:
    times = np.arange(n) * 5.0
    shown = times + np.where(times > 11.0, 0.2, 0.0)
    clock = fit_clock(shown, 400_000.0 + times - shown)
    assert clock.resets == 1
    assert clock.to_recorder(np.array([2.0, times[-1] + 0.2])) == pytest.approx([400_002.0, 400_000.0 + times[-1]], abs=1e-3)
