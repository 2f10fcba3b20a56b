"""What windows keep: bounded, contiguous, and with gaps where samples were lost."""

import numpy as np
import pytest

from bci.engine.chunk import Chunk
from bci.engine.stream_info import Channel, StreamInfo
from gui.columns import ColumnImage, Columns, joined
from gui.filtering import RunningFilter, ViewFilter
from gui.store import RowStore, SignalStore, SlidingRows

RATE = 250.0


def info(n: int = 4, rate_hz: float = RATE) -> StreamInfo:
    return StreamInfo(rate_hz, tuple(Channel(f"ch{i}") for i in range(n)), source_id="x", name="x", sample_clock=True)


def chunks(store: SignalStore, data: np.ndarray, size: int, first: float = 100.0, at: int = 0) -> None:
    for start in range(0, len(data), size):
        part = data[start : start + size]
        store.push(Chunk(part, first + (at + start + np.arange(len(part))) / store.info.rate_hz), 0.0)


@pytest.mark.parametrize("size", [1, 3, 7, 64, 100, 1000])
def test_the_newest_rows_are_kept_in_order_however_they_come(size: int) -> None:
    rows, data = SlidingRows(50, 2), np.arange(2000.0).reshape(-1, 2)
    for start in range(0, len(data), size):
        rows.append(data[start : start + size])
        np.testing.assert_array_equal(rows.newest(50), data[: start + size][-50:])
    assert rows.total == len(data)
    assert rows.first == len(data) - 50
    np.testing.assert_array_equal(rows.rows(960, 970), data[960:970])


def test_memory_is_taken_once() -> None:
    rows = SlidingRows(1000, 8)
    before = rows.newest(0).base
    for _ in range(500):
        rows.append(np.zeros((77, 8)))
    assert rows.newest(5).base is before


def test_lost_samples_are_a_gap_on_screen_as_long_as_they_were() -> None:
    store, data = SignalStore(info()), np.random.default_rng(0).normal(size=(1000, 4))
    chunks(store, data[:500], 25)
    chunks(store, data[700:], 25, at=700)
    assert store.rows.total == 1000
    assert store.lost == 200
    assert np.isnan(store.rows.rows(500, 700)).all()
    np.testing.assert_allclose(store.rows.rows(700, 1000), data[700:], rtol=1e-6)
    assert store.time_of(800) == pytest.approx(100.0 + 800 / RATE, abs=0.01)
    assert store.row_of(store.time_of(432.0)) == pytest.approx(432.0, abs=0.5)


def test_the_recorded_past_goes_in_front_of_what_came_live() -> None:
    store, data = SignalStore(info()), np.random.default_rng(0).normal(size=(2000, 4))
    chunks(store, data[1000:], 50, at=1000)
    stamps = 100.0 + np.arange(1200) / RATE
    store.prepend(data[:1200], stamps)
    assert store.rows.total == 2000
    np.testing.assert_allclose(store.rows.rows(0, 2000), data, rtol=1e-6)
    assert store.time_of(0) == pytest.approx(100.0, abs=0.01)


def test_rows_sent_before_joining_go_in_front() -> None:
    store = RowStore(("a", "b"))
    store.append(np.array([[5.0, 6.0]]), np.array([10.0]))
    store.prepend(np.array([[1.0, 2.0], [5.0, 6.0]]), np.array([9.0, 10.0]))
    assert store.column("a").tolist() == [1.0, 5.0]
    assert store.last("b") == 6.0


@pytest.mark.parametrize("per", [0.4, 1.0, 3.7, 10.0])
def test_columns_are_the_extremes_of_their_samples_however_they_come(per: float) -> None:
    store, data = SignalStore(info()), np.random.default_rng(1).normal(size=(3000, 4)).cumsum(axis=0)
    off = ViewFilter(0, 0, 0)
    chunks(store, data[:100], 100)
    live = Columns(store, [0, 2], off, per, 200, store.rows.total)
    for start in range(100, 3000, 33):
        chunks(store, data[start : start + 33], 33, at=start)
        live.advance()
    low, high, first = live.spans(live.total - 150, live.total)
    if per < 1:
        place = (first + np.arange(len(low))) * per
        left = np.floor(place).astype(int)
        expected = data[left] + (place - left)[:, None] * (data[left + 1] - data[left])
        np.testing.assert_allclose(low, expected[:, [0, 2]], rtol=1e-4, atol=1e-3)
        return
    for k in (0, 70, len(low) - 1):
        part = data[round((first + k) * per) : round((first + k + 1) * per)][:, [0, 2]]
        np.testing.assert_allclose(low[k], part.min(axis=0), rtol=1e-5)
        np.testing.assert_allclose(high[k], part.max(axis=0), rtol=1e-5)
    again = Columns(store, [0, 2], off, per, 200, store.rows.total)
    np.testing.assert_array_equal(again.spans(again.total - 150, again.total)[0], low)


def test_a_filter_of_the_screen_takes_the_offset_away_and_stops_at_gaps() -> None:
    t = np.arange(2000) / RATE
    data = (40_000 + 20 * np.sin(2 * np.pi * 10 * t) + 30 * np.sin(2 * np.pi * 50 * t))[:, None]
    data[1000:1010] = np.nan
    run = RunningFilter(ViewFilter(1.0, 40.0, 50.0), RATE)
    out = np.concatenate([run(data[i : i + 37]) for i in range(0, 2000, 37)])
    assert np.isnan(out[1000:1010]).all()
    assert np.isfinite(out[1010:]).all()
    assert np.abs(out[500:1000]).max() == pytest.approx(20, rel=0.15)
    assert np.abs(out[1010:]).max() < 60


def test_a_span_covers_its_pixels_and_no_others() -> None:
    picture = ColumnImage(10, 20)
    top, bottom = np.full((3, 2), np.nan), np.full((3, 2), np.nan)
    top[0], bottom[0] = (2, 10), (4, 10)
    top[2, 0], bottom[2, 0] = -5, 30
    picture.draw(8, top, bottom, np.array([1, 2], np.uint32))
    assert np.flatnonzero(picture.pixels[:, 8]).tolist() == [2, 3, 4, 10]
    assert picture.pixels[10, 8] == 2
    assert not picture.pixels[:, 9].any()
    assert (picture.pixels[:, 0] == 1).all()


def test_a_steep_line_has_no_holes() -> None:
    low, high = joined(np.array([[0.0], [10.0], [3.0]]), np.array([[1.0], [12.0], [4.0]]), None)
    assert low[1, 0] <= 1.0
    assert high[2, 0] >= 10.0


def test_a_column_that_a_stream_does_not_have_is_refused_with_those_that_it_has() -> None:
    rows = RowStore(("stamp", "p:left", "p:right"))
    with pytest.raises(KeyError, match="p_left: this stream has no such column; it has stamp, p:left, p:right"):
        rows.last("p_left")
