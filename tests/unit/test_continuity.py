"""What a user may rely on when raw stamps become segments, indices, bridged and lost samples."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bci.engine.chunk import Chunk
from bci.engine.continuity import Continuity, ContinuitySettings
from bci.errors import ConfigError

RATE_HZ = 125.0


def stream(stamps, channels=2):
    """Rows that can be told apart, with these stamps."""
    n = len(stamps)
    return Chunk(np.arange(n * channels, dtype=float).reshape(n, channels), np.asarray(stamps, dtype=float))


def push_all(continuity, chunk, sizes=()):
    """Pieces of ``chunk``, cut into ``sizes`` and the rest at once."""
    pieces, at = [], 0
    for size in (*sizes, len(chunk)):
        pieces += continuity.push(Chunk(chunk.data[at : at + size], chunk.stamps[at : at + size]))
        at += size
    return pieces


def rows(pieces):
    """Data, stamp, segment, index and bridged flag of every row."""
    return (
        np.concatenate([p.data for p in pieces]),
        np.concatenate([p.stamps for p in pieces]),
        np.concatenate([np.full(len(p), p.segment) for p in pieces]),
        np.concatenate([p.start + np.arange(len(p)) for p in pieces]),
        np.concatenate([np.zeros(len(p), bool) if p.bridged is None else p.bridged for p in pieces]),
    )


def after(continuity):
    """All that can be read off afterwards, in a form that compares NaN equal to itself."""
    c = continuity
    counts = (c.consumed, c.segment, c.index, c.lost, c.bridged)
    numbers = (c.rate_hz, c.rate_error, c.resolution_s, c.time_of(c.index), c.time_of(c.index - 1000))
    return counts, np.array(numbers).tobytes(), c.take_discontinuities()


def bursty(n, rate_hz=RATE_HZ, period_s=0.25):
    """Stamps of a chunk-wise sender: back-dated groups of five, handed over in bursts."""
    n = np.arange(n)
    return np.ceil((n / rate_hz + 0.1) / period_s) * period_s + (n % 5 - 4) / rate_hz


@st.composite
def wild_streams(draw):
    """A stream as found in the world: jitter or bursts, losses, steps, and stamps that are no times."""
    n = draw(st.integers(0, 1500))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    exact = np.arange(n) / (RATE_HZ * draw(st.sampled_from([1.0, 0.995, 1.005, 0.4])))
    kind = draw(st.sampled_from(["exact", "jitter", "bursts"]))
    stamps = bursty(n) if kind == "bursts" else exact + (rng.normal(0, 1e-3, n) if kind == "jitter" else 0)
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, n))
        stamps[at:] += draw(st.sampled_from([1 / RATE_HZ, 5 / RATE_HZ, 0.3, 3.7, 20.0, 2e5, -1.0, -20.0]))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, n))
        stamps[at : at + draw(st.sampled_from([1, 2, 30]))] = draw(st.sampled_from([np.nan, np.inf, -np.inf, 1e300, 3.0, -7.0]))
    chunk = stream(stamps[rng.random(n) >= draw(st.sampled_from([0.0, 0.02]))])
    if n > 10:
        chunk.data[5] = np.nan
    return chunk


@settings(deadline=None, max_examples=150)
@given(wild_streams(), st.booleans(), st.lists(st.sampled_from([0, 1, 2, 3, 7, 16, 17, 100, 400]), max_size=60))
def test_any_cutting_of_the_stream_gives_the_same_bits(chunk, sample_clock, sizes):
    whole, cut = Continuity(RATE_HZ, sample_clock), Continuity(RATE_HZ, sample_clock)
    a, b = push_all(whole, chunk), push_all(cut, chunk, sizes)
    assert bool(a) == bool(b)
    if a:
        for x, y in zip(rows(a), rows(b), strict=True):
            assert x.tobytes() == y.tobytes()
    assert after(whole) == after(cut)


@settings(deadline=None, max_examples=100)
@given(wild_streams(), st.booleans())
def test_every_raw_row_comes_out_once_unaltered_and_in_order(chunk, sample_clock):
    continuity = Continuity(RATE_HZ, sample_clock)
    pieces = push_all(continuity, chunk, [1] * 200)
    if not pieces:
        assert len(chunk) == 0
        return
    data, stamps, segment, index, bridged = rows(pieces)
    assert data[~bridged].tobytes() == chunk.data.tobytes()
    assert stamps[~bridged].tobytes() == chunk.stamps.tobytes()
    assert bridged.sum() == continuity.bridged
    assert (np.diff(segment) >= 0).all()
    same = np.diff(segment) == 0
    assert (np.diff(index)[same] >= 1).all()
    assert (index[1:][~same] == 0).all()
    gaps = (np.diff(index)[same] - 1).sum()
    assert gaps + continuity.bridged == continuity.lost


@settings(deadline=None, max_examples=60)
@given(wild_streams(), st.booleans())
def test_every_break_between_pieces_is_reported_with_its_place(chunk, sample_clock):
    continuity = Continuity(RATE_HZ, sample_clock)
    pieces = push_all(continuity, chunk, [50] * 20)
    found = continuity.take_discontinuities()
    raw, breaks, end = 0, [], (0, 0)
    for piece in pieces:
        if (piece.segment, piece.start) != end:
            breaks.append((raw, piece.segment, piece.start))
        raw += len(piece) if piece.bridged is None else int((~piece.bridged).sum())
        end = (piece.segment, piece.start + len(piece))
    assert breaks == [(d.consumed, d.segment, d.index) for d in found if not sticks(d, found)]
    assert continuity.take_discontinuities() == []


def sticks(d, found):
    """Whether another break at the same raw sample follows this one."""
    return any(other.consumed == d.consumed and other is not d for other in found[found.index(d) + 1 :])


def test_an_empty_chunk_changes_nothing():
    continuity = Continuity(RATE_HZ)
    assert continuity.push(stream([])) == []
    assert continuity.consumed == 0


def test_an_unbroken_chunk_is_passed_on_without_a_copy():
    chunk = stream(np.arange(100) / RATE_HZ)
    (piece,) = Continuity(RATE_HZ).push(chunk)
    assert piece.data is chunk.data
    assert piece.stamps is chunk.stamps
    assert piece.bridged is None


def test_input_is_not_changed():
    stamps = np.delete(np.arange(500) / RATE_HZ, [50, 51, 300])
    chunk = stream(stamps)
    before = chunk.data.copy()
    push_all(Continuity(RATE_HZ, sample_clock=True), chunk)
    assert chunk.data.tobytes() == before.tobytes()
    assert chunk.stamps.tobytes() == stamps.tobytes()


@pytest.mark.parametrize("at_once", [True, False])
def test_bridged_rows_lie_on_the_line_between_their_neighbours(at_once):
    n = np.delete(np.arange(40), [20, 21, 22])
    chunk = Chunk(np.column_stack((n * 2.0, -5.0 * n)), n / RATE_HZ)
    pieces = push_all(Continuity(RATE_HZ, sample_clock=True), chunk, [] if at_once else [1] * 40)
    data, stamps, _, index, bridged = rows(pieces)
    assert np.flatnonzero(bridged).tolist() == [20, 21, 22]
    assert index.tolist() == list(range(40))
    np.testing.assert_allclose(data, np.column_stack((np.arange(40) * 2.0, np.arange(40) * -5.0)), atol=1e-12)
    np.testing.assert_allclose(stamps, np.arange(40) / RATE_HZ, atol=1e-12)


def test_a_neighbour_that_is_no_number_makes_bridged_rows_no_numbers():
    n = np.delete(np.arange(40), [20])
    chunk = stream(n / RATE_HZ)
    chunk.data[19, 0] = np.nan
    chunk.data[19, 1] = np.inf
    data, _, _, _, bridged = rows(push_all(Continuity(RATE_HZ, sample_clock=True), chunk))
    assert np.isnan(data[bridged][0, 0])
    assert not np.isfinite(data[bridged][0, 1])


def test_forty_milliseconds_are_bridged_and_more_is_a_gap():
    n = np.delete(np.arange(200), [*range(50, 55), *range(100, 106)])
    continuity = Continuity(RATE_HZ, sample_clock=True)
    pieces = push_all(continuity, stream(n / RATE_HZ))
    assert continuity.bridged == 5
    assert continuity.lost == 11
    assert [(p.start, len(p)) for p in pieces] == [(0, 100), (106, 94)]
    (gap,) = continuity.take_discontinuities()
    assert (gap.consumed, gap.segment, gap.index, gap.lost) == (95, 0, 106, 6)
    assert gap.why.startswith("gap")


@pytest.mark.parametrize("lost", [1, 2, 5, 6, 127, 462, 1249])
def test_a_sample_clock_counts_a_loss_exactly_and_at_once(lost):
    continuity = Continuity(RATE_HZ, sample_clock=True)
    n = np.r_[np.arange(10), 10 + lost]
    push_all(continuity, stream(n / RATE_HZ))
    assert continuity.lost == lost
    assert continuity.index == 11 + lost
    assert continuity.resolution_s == 1 / RATE_HZ


def test_a_sample_clock_follows_a_rate_that_drifts():
    n = np.arange(20000)
    n = n[n % 997 != 0]
    stamps = n / RATE_HZ * 1.005 + 1e-4 * np.sin(n)
    continuity = Continuity(RATE_HZ, sample_clock=True)
    push_all(continuity, stream(stamps))
    assert continuity.lost == 19999 - n[0] - (len(n) - 1)
    assert continuity.rate_hz == pytest.approx(RATE_HZ / 1.005, rel=1e-5)


def test_a_single_early_or_repeated_stamp_of_a_sample_clock_is_passed_over():
    stamps = np.arange(500) / RATE_HZ
    stamps[100] = stamps[99]
    stamps[200] -= 0.5
    continuity = Continuity(RATE_HZ, sample_clock=True)
    push_all(continuity, stream(stamps))
    assert (continuity.lost, continuity.segment, continuity.index) == (0, 0, 500)


def test_the_smallest_visible_loss_grows_with_the_jitter_and_is_stated():
    rng = np.random.default_rng(1)
    n = np.arange(20000)
    resolution = {}
    for jitter_s in (1e-4, 1e-2):
        continuity = Continuity(RATE_HZ)
        assert continuity.resolution_s == math.inf
        push_all(continuity, stream(n / RATE_HZ + rng.normal(0, jitter_s, len(n))))
        resolution[jitter_s] = continuity.resolution_s
    assert resolution[1e-4] == pytest.approx(1 / RATE_HZ, rel=1e-3)
    assert 2 / RATE_HZ < resolution[1e-2] < 0.1


@pytest.mark.parametrize("jitter_s", [5e-4, 1e-3, 2e-3, 5e-3])
def test_a_loss_of_the_stated_smallest_size_is_mostly_seen_and_nothing_is_seen_where_nothing_was_lost(jitter_s):
    rng = np.random.default_rng(4)
    n = np.arange(100000)
    whole = Continuity(250.0)
    push_all(whole, stream(n / 250 + rng.normal(0, jitter_s, len(n)), channels=1))
    assert whole.lost == 0
    each = round(whole.resolution_s * 250)
    at = np.arange(1500, len(n), 1000)
    kept = np.delete(n, (at[:, None] + np.arange(each)).ravel())
    lossy = Continuity(250.0)
    push_all(lossy, stream(kept / 250 + rng.normal(0, jitter_s, len(kept)), channels=1))
    assert 0.75 <= lossy.lost / (len(at) * each) <= 1.02


@pytest.mark.parametrize("jitter_s", [1e-4, 5e-4])
def test_a_sender_that_stamps_each_sample_shows_every_single_loss_within_a_quarter_second(jitter_s):
    rng = np.random.default_rng(2)
    lost_at = np.arange(1000, 50000, 1000)
    n = np.delete(np.arange(50000), lost_at)
    continuity = Continuity(250.0)
    pieces = push_all(continuity, stream(n / 250 + rng.normal(0, jitter_s, len(n)), channels=1), [100] * 500)
    index, bridged = rows(pieces)[3:]
    assert continuity.lost == len(lost_at)
    delay = index[bridged] - lost_at
    assert delay.min() >= 0
    assert delay.max() <= 250 // 4


def test_the_fitted_clock_gives_the_time_of_recent_samples():
    rng = np.random.default_rng(3)
    n = np.arange(10000)
    true = 1000.0 + n / 250 * 1.0002
    continuity = Continuity(250.0)
    push_all(continuity, stream(true + rng.exponential(5e-4, len(n))))
    for index in (0, 100, 5000, 9000, 9999, 10100):
        assert continuity.time_of(index) == pytest.approx(1000.0 + index / 250 * 1.0002, abs=1e-3)


def test_time_is_right_on_both_sides_of_a_gap():
    n = np.delete(np.arange(5000), range(2000, 2500))
    for sample_clock in (True, False):
        continuity = Continuity(250.0, sample_clock)
        push_all(continuity, stream(n / 250))
        assert continuity.time_of(1000) == pytest.approx(4.0, abs=1e-3)
        assert continuity.time_of(4500) == pytest.approx(18.0, abs=1e-3)


def test_a_new_segment_starts_its_own_time():
    stamps = np.r_[np.arange(3000) / 250, 5000 + np.arange(3000) / 250]
    continuity = Continuity(250.0, sample_clock=True)
    push_all(continuity, stream(stamps))
    assert continuity.segment == 1
    assert continuity.time_of(250) == pytest.approx(5001.0)


def test_settings_out_of_range_are_refused_all_at_once():
    with pytest.raises(ConfigError) as error:
        ContinuitySettings(bridge_s=-1.0, new_segment_s=math.nan)
    assert len(error.value.problems) == 2


@pytest.mark.parametrize("rate_hz", [0.0, -1.0, math.nan, math.inf])
def test_a_stream_without_a_rate_is_refused(rate_hz):
    with pytest.raises(ConfigError, match="rate_hz"):
        Continuity(rate_hz)


def long_blocks(seed, block_s, latest_s, gap_s=0.0, length_s=90.0):
    """Stamps of a sender whose blocks are each late by another delay; some whole blocks may be missing from 45 s on."""
    block, rng = round(block_s * 250), np.random.default_rng(seed)
    n = round(length_s * 250) // block * block
    handed_s = np.arange(n)[block - 1 :: block] / 250 + rng.uniform(0, latest_s, n // block)
    stamps = np.repeat(handed_s, block) - np.tile(np.arange(block - 1, -1, -1) / 250, n // block)
    first, missing = (round(seconds * 250) // block * block for seconds in (45.0, gap_s))
    return np.delete(stamps, slice(first, first + missing)), missing


@pytest.mark.parametrize("latest_s", [0.1, 0.3])
@pytest.mark.parametrize("block_s", [0.2, 0.25, 0.3, 0.5])
def test_blocks_that_are_each_late_by_another_delay_are_no_losses_once_the_sender_is_known(block_s, latest_s):
    for seed in range(4):
        continuity = Continuity(250.0)
        push_all(continuity, stream(long_blocks(seed, block_s, latest_s)[0], channels=1))
        assert all(found.consumed < 15 * 250 for found in continuity.take_discontinuities())
        assert continuity.lost < 0.5 * 250


@pytest.mark.parametrize("block_s", [0.2, 0.5])
def test_a_loss_of_two_seconds_between_such_blocks_is_found_within_two_seconds(block_s):
    for seed in range(3):
        stamps, missing = long_blocks(seed, block_s, 0.3, gap_s=2.0)
        continuity = Continuity(250.0)
        push_all(continuity, stream(stamps, channels=1))
        (found,) = [found for found in continuity.take_discontinuities() if found.consumed > 15 * 250]
        assert found.consumed < 47 * 250
        assert abs(found.lost - missing) < 0.2 * 250
