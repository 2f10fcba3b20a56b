"""Faults 9 to 14, 16 and 17 of the stream, as far as stamps tell of them."""

from __future__ import annotations

import numpy as np
import pytest

from bci.engine.chunk import Chunk
from bci.engine.continuity import Continuity

RATE_HZ = 250.0
JITTERS = {"exact": 0.0, "0.1 ms": 1e-4, "1 ms": 1e-3, "5 ms": 5e-3}


def run(stamps, rate_hz=RATE_HZ, sample_clock=False, size=500):
    """Continuity after these stamps, and its pieces."""
    continuity = Continuity(rate_hz, sample_clock)
    pieces = []
    for at in range(0, len(stamps), size):
        part = stamps[at : at + size]
        pieces += continuity.push(Chunk(np.zeros((len(part), 1)), part))
    return continuity, pieces


def bursty(n, rate_hz=RATE_HZ, period_s=0.25):
    """Stamps of a chunk-wise sender: back-dated groups of five, handed over in bursts."""
    n = np.arange(n)
    return np.ceil((n / rate_hz + 0.1) / period_s) * period_s + (n % 5 - 4) / rate_hz


def senders(n):
    """Stamps of n samples from senders of all kinds, by name."""
    rng = np.random.default_rng(0)
    made = {name: np.arange(n) / RATE_HZ + rng.normal(0, s, n) for name, s in JITTERS.items()}
    return {**made, "bursts": bursty(n)}


SENDERS = tuple(senders(1))


def decodable(pieces, rate_hz, window_s):
    """Share of 2 s windows of one unbroken stretch with at most 5 % bridged samples."""
    window = round(window_s * rate_hz)
    good = total = 0
    end, start = (0, 0), 0
    flags = []
    for piece in pieces:
        if (piece.segment, piece.start) != end:
            start, flags = piece.start, []
        end = (piece.segment, piece.start + len(piece))
        flags.extend(np.zeros(len(piece), bool) if piece.bridged is None else piece.bridged)
        counts = np.r_[0, np.cumsum(flags)]
        for last in range(piece.start + 1, end[1] + 1):
            if last % 10 == 0:
                total += 1
                begin = last - start
                good += begin >= window and counts[begin] - counts[begin - window] <= 0.05 * window
    return good / max(1, total - window // 10)


@pytest.mark.parametrize("share", [0.001, 0.01, 0.05, 0.2])
def test_fault_11_random_loss_is_counted_exactly_where_stamps_count(share):
    rng = np.random.default_rng(int(share * 1000))
    n = np.arange(30000)
    n = n[(rng.random(len(n)) >= share) | (n == 0) | (n == 29999)]
    continuity, _ = run(n / RATE_HZ, sample_clock=True)
    assert continuity.lost == 30000 - len(n)
    assert continuity.index == 30000
    assert continuity.segment == 0


def test_fault_11_at_one_per_cent_loss_95_per_cent_of_windows_stay_decodable():
    rng = np.random.default_rng(11)
    n = np.arange(30000)
    n = n[rng.random(len(n)) >= 0.01]
    continuity, pieces = run(n / RATE_HZ, sample_clock=True)
    assert decodable(pieces, RATE_HZ, 2.0) >= 0.95
    assert continuity.take_discontinuities() == []


def test_fault_11_what_the_fit_cannot_see_is_said_to_be_undetectable_and_not_guessed():
    stamps = np.delete(bursty(30000), np.arange(5000, 30000, 5000))
    continuity, _ = run(stamps)
    assert continuity.lost == 0
    assert continuity.resolution_s > 5 / RATE_HZ


@pytest.mark.parametrize("sender", SENDERS)
def test_fault_12_backward_stamps_within_chunks_are_no_event(sender):
    continuity, pieces = run(senders(60000)[sender])
    assert continuity.lost == 0
    assert continuity.take_discontinuities() == []
    assert sum(map(len, pieces)) == 60000


@pytest.mark.parametrize("sender", SENDERS)
def test_fault_12_a_lasting_step_of_3700_ms_is_that_much_loss(sender):
    stamps = senders(20000)[sender]
    stamps[10000:] += 3.7
    continuity, _ = run(stamps)
    (gap,) = continuity.take_discontinuities()
    assert abs(gap.lost - 925) <= 925 * 0.01
    assert 10000 <= gap.consumed <= 10000 + 1.5 * RATE_HZ
    assert continuity.segment == 0


@pytest.mark.parametrize("step_s", [20.0, -20.0, 2e5, -2e5])
@pytest.mark.parametrize("sender", SENDERS)
def test_fault_12_a_larger_or_backward_lasting_step_is_a_new_segment(sender, step_s):
    stamps = senders(20000)[sender]
    stamps[10000:] += step_s
    continuity, _ = run(stamps)
    (new,) = continuity.take_discontinuities()
    assert (new.segment, new.index, new.lost) == (1, 0, None)
    assert 10000 <= new.consumed <= 10000 + 1.5 * RATE_HZ
    assert continuity.lost == 0


@pytest.mark.parametrize("step_s", [20.0, -20.0, 2e5, -2e5, -0.5])
def test_fault_12_a_sample_clock_that_steps_begins_a_segment_within_eight_samples(step_s):
    stamps = np.arange(2000) / RATE_HZ
    stamps[1000:] += step_s
    continuity, _ = run(stamps, sample_clock=True)
    (new,) = continuity.take_discontinuities()
    assert (new.segment, new.index) == (1, 0)
    assert 1000 <= new.consumed < 1008


@pytest.mark.parametrize("outlier_s", [2e5, -2e5, 30.0, -30.0, 0.5, -0.5])
@pytest.mark.parametrize("sender", SENDERS)
def test_fault_12_a_single_wrong_stamp_changes_nothing(sender, outlier_s):
    stamps = senders(20000)[sender]
    stamps[10000] += outlier_s
    continuity, _ = run(stamps)
    assert (continuity.lost, continuity.segment, continuity.index) == (0, 0, 20000)


@pytest.mark.parametrize("sample_clock", [False, True])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("run_of", [1, 40])
def test_fault_12_stamps_that_are_no_times_begin_one_segment(bad, run_of, sample_clock):
    stamps = np.arange(5000) / RATE_HZ
    stamps[2000 : 2000 + run_of] = bad
    continuity, _ = run(stamps, sample_clock=sample_clock)
    (new,) = continuity.take_discontinuities()
    assert (new.consumed, new.segment, new.index, new.lost) == (2000, 1, 0, None)
    assert continuity.index == 3000
    assert continuity.time_of(1000) == pytest.approx(12.0, abs=1e-3)


@pytest.mark.parametrize("sample_clock", [False, True])
def test_fault_12_a_stream_without_any_valid_stamp_is_one_segment(sample_clock):
    continuity, pieces = run(np.full(3000, np.nan), sample_clock=sample_clock)
    assert continuity.take_discontinuities() == []
    assert sum(map(len, pieces)) == 3000


@pytest.mark.parametrize("times", [2, 10])
def test_fault_12_repeated_stamps_are_no_event(times):
    stamps = np.repeat(np.arange(3000) * times / RATE_HZ, times)
    continuity, _ = run(stamps)
    assert (continuity.lost, continuity.segment) == (0, 0)


def test_fault_12_one_stamp_for_ever_is_survived():
    continuity, _ = run(np.zeros(10000))
    assert continuity.lost == 0
    assert continuity.index + continuity.segment > 0


@pytest.mark.parametrize("ppm", [-5000, -200, 200, 2200, 5000])
@pytest.mark.parametrize("sender", ["1 ms", "bursts"])
def test_fault_13_an_hour_of_drift_neither_inserts_nor_removes_a_sample(ppm, sender):
    rate_hz = 125.0
    n = 3600 * 125
    if sender == "bursts":
        stamps = bursty(n, rate_hz / (1 + ppm * 1e-6))
    else:
        stamps = np.arange(n) / rate_hz * (1 + ppm * 1e-6) + np.random.default_rng(13).normal(0, 1e-3, n)
    continuity, _ = run(stamps, rate_hz, size=5000)
    assert (continuity.lost, continuity.segment, continuity.index) == (0, 0, n)
    assert continuity.rate_error == pytest.approx(-ppm * 1e-6, abs=2e-4 if sender == "1 ms" else 2e-3)


@pytest.mark.parametrize("ppm", [-5000, -200, 200, 5000])
def test_fault_13_the_time_of_the_newest_sample_stays_within_5_ms(ppm):
    n = 250 * 600
    true = np.arange(n) / RATE_HZ * (1 + ppm * 1e-6)
    stamps = true + np.random.default_rng(13).normal(0, 1e-3, n)
    continuity = Continuity(RATE_HZ)
    worst = 0.0
    for at in range(0, n, 250):
        continuity.push(Chunk(np.zeros((250, 1)), stamps[at : at + 250]))
        if at > 1000:
            worst = max(worst, abs(continuity.time_of(continuity.index - 1) - true[at + 249]))
    assert worst < 5e-3


@pytest.mark.parametrize("sample_clock", [False, True])
@pytest.mark.parametrize(("declared", "real"), [(250, 250.55), (250, 247), (250, 125), (125, 50), (250, 400)])
def test_fault_14_a_wrong_rate_is_told_and_does_not_become_endless_loss(declared, real, sample_clock):
    jitter = 0.0 if sample_clock else 5e-4
    n = round(30 * real)
    stamps = np.arange(n) / real + np.random.default_rng(14).normal(0, jitter, n)
    continuity, _ = run(stamps, declared, sample_clock)
    assert continuity.rate_error == pytest.approx(real / declared - 1, abs=1e-3)
    assert continuity.segment == 0 or (sample_clock and real > declared)
    if not sample_clock:
        assert continuity.lost == 0


@pytest.mark.parametrize("sender", ["0.1 ms", "1 ms"])
def test_fault_16_a_backlog_after_a_stalled_sender_is_no_loss(sender):
    stamps = senders(50000)[sender]
    rng = np.random.default_rng(16)
    for at in range(2000, 49000, 3000):
        stalled = int(rng.integers(10, 1500))
        stamps[at : at + stalled] = stamps[at + stalled]
    continuity, _ = run(stamps)
    assert (continuity.lost, continuity.segment) == (0, 0)


def test_fault_17_a_garbage_last_stamp_leaves_index_and_segment_alone():
    stamps = np.arange(5000) / RATE_HZ
    stamps[-1] = 1e-300
    continuity, _ = run(stamps)
    assert (continuity.index, continuity.segment) == (5000, 0)
