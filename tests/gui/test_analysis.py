"""Readouts for people: spectra, alpha, mains hum, what is wrong with a channel, maps, accuracy."""

import numpy as np
import pytest

from bci.engine.stream_info import Channel, StreamInfo
from bci.errors import StreamError
from bci.stream import messages
from gui.analysis import REMEDIES, alpha, hum, judge, spectra
from gui.message_values import EngineEvent
from gui.messages import event as read_event
from gui.sanitise import sanitise
from gui.scalp import ScalpMap, can_spread, flat_places
from gui.store import RowStore
from gui.trials import Tally, confirmed, window_ends

RATE = 250.0
T = np.arange(1000) / RATE


def noise(n: int = 3) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 5, (1000, n))


def test_power_in_a_band_is_that_of_the_oscillation() -> None:
    data = 10 * np.sin(2 * np.pi * 10 * T)[:, None]
    found = spectra(data, RATE)
    assert found is not None
    assert found.power(8, 13)[0] == pytest.approx(50, rel=0.02)
    assert found.power(20, 30)[0] < 0.1


def test_alpha_is_read_at_its_frequency_and_not_where_there_is_none() -> None:
    rng = np.random.default_rng(1)
    pink = np.cumsum(rng.normal(0, 1, 8000))[:, None]
    calm = spectra(pink, RATE)
    strong = spectra(pink + 12 * np.sin(2 * np.pi * 11 * np.arange(8000) / RATE)[:, None], RATE)
    assert calm is not None
    assert strong is not None
    without, found = alpha(calm.hz, calm.density[:, 0]), alpha(strong.hz, strong.density[:, 0])
    assert without is not None
    assert found is not None
    assert found.peak_hz == pytest.approx(11, abs=0.5)
    assert found.above_db > 6 > without.above_db


def test_mains_hum_is_read_in_microvolts() -> None:
    found = spectra(noise() + np.array([0, 8, 40]) * np.sin(2 * np.pi * 50 * T)[:, None], RATE)
    assert found is not None
    np.testing.assert_allclose(hum(found, 50.0), [0, 8, 40], atol=1.5)


@pytest.mark.parametrize(
    ("word", "level", "make"),
    [
        ("", "good", lambda x: x),
        ("flat", "bad", lambda x: x * 0 + 12),
        ("railed", "bad", lambda x: np.minimum(x + 187_500, 187_500)),
        ("amplitude", "bad", lambda x: x * 100),
        ("loud", "warn", lambda x: x * 20),
        ("hum", "warn", lambda x: x + 60 * np.sin(2 * np.pi * 50 * T)[:, None]),
    ],
)
def test_a_channel_is_judged_and_every_fault_has_a_remedy(word: str, level: str, make: object) -> None:
    verdict = judge(make(noise(1)) + 20_000 * (word != "railed"), RATE, 50.0)[0]  # type: ignore[operator]
    assert (verdict.word, verdict.level) == (word, level)
    assert not word or REMEDIES[word]


def test_electrodes_lie_where_they_are_on_the_head() -> None:
    places = {"Cz": (0, 0.015, 0.14), "Fpz": (0, 0.112, 0.03), "T7": (-0.085, 0.015, 0.03), "Oz": (0, -0.083, 0.06)}
    info = StreamInfo(250.0, tuple(Channel(k, position=v) for k, v in places.items()), source_id="x")
    columns, flat = flat_places(info)
    assert columns == [0, 1, 2, 3]
    np.testing.assert_allclose(flat[0], [0, 0], atol=0.02)
    assert flat[1, 1] > 0.8
    assert abs(flat[1, 0]) < 0.01
    assert flat[2, 0] < -0.8
    assert flat[3, 1] < -0.6


def test_a_map_passes_through_its_electrodes_and_shows_nothing_far_from_them() -> None:
    ring = np.array([[x, y] for x in (-0.4, 0.0, 0.4) for y in (-0.4, 0.0, 0.4)])
    values = ring[:, 0] * 5 + 1
    spread = ScalpMap(ring, 65)
    found = spread(values)
    axis = np.linspace(-1.05, 1.05, 65)
    for (x, y), value in zip(ring, values, strict=True):
        row, column = np.abs(-axis - y).argmin(), np.abs(axis - x).argmin()
        assert found[row, column] == pytest.approx(value, abs=0.15)
    assert np.isnan(found[0, 0])
    assert np.isnan(found[2, 32])


def test_electrodes_on_a_line_make_no_map() -> None:
    assert not can_spread(np.array([[-0.5, 0], [0, 0], [0.2, 0], [0.5, 0.0]]))
    assert can_spread(np.array([[-0.5, 0], [0, 0.3], [0.2, 0], [0.5, 0.0]]))


def test_accuracy_is_counted_by_the_first_window_that_ends_after_the_trial_and_comes_with_its_interval() -> None:
    tally = Tally(("left", "right"), stop_s=2.0)
    for k, (asked, p) in enumerate([("left", 0.9), ("right", 0.2), ("right", 0.8), ("other", 0.5), ("left", np.nan)]):
        tally.cue(asked, 10.0 * k)
        tally.window(10.0 * k + 1.9, np.array([1 - p, p]))  # too early: must not count
        tally.window(10.0 * k + 2.0, np.array([p, 1 - p]))
        tally.window(10.0 * k + 2.1, np.array([1 - p, p]))
    assert tally.table.tolist() == [[1, 0], [1, 1]]
    assert tally.undecided == 1
    assert tally.summary() == "2 of 3 correct: 67 % (95 % interval 9–99), chance 50 %"


def test_a_window_waits_for_its_timing_and_is_passed_over_where_that_was_sent_before_anybody_listened() -> None:
    timing = RowStore(messages.TIMING_FIELDS)
    windows = np.array([[10.0, 0, 1], [10.1, 0, 2], [10.2, 1, 1], [10.3, 1, 2]])  # sent, segment, index

    def time_of(sent: float, segment: int, index: int, end: float) -> None:
        timing.append(np.array([[0, segment, index, end, 0, 0, 0.0]]), np.array([sent]))

    assert window_ends(windows, timing) == []
    time_of(10.11, 0, 2, 5.0)
    np.testing.assert_array_equal(window_ends(windows, timing), [np.nan, 5.0])
    time_of(10.31, 1, 2, 7.0)  # an index of another segment is another window
    np.testing.assert_array_equal(window_ends(windows, timing), [np.nan, 5.0, np.nan, 7.0])
    assert window_ends(windows[:0], timing) == []


def test_only_cues_with_a_class_and_a_time_start_trials() -> None:
    def event(kind: str, **fields: object) -> EngineEvent:
        return read_event(messages.line(kind, **fields), "bci-events", 0.0)

    assert confirmed(event("cue", **{"class": "left", "stamp": 3.0})) == ("left", 3.0)
    assert confirmed(event("set")) is None
    assert confirmed(event("cue", **{"class": "", "stamp": 1.0})) is None
    with pytest.raises(StreamError, match="stamp = x"):
        event("cue", **{"class": "left", "stamp": "x"})


def test_text_of_strangers_becomes_one_short_line() -> None:
    assert sanitise("a\r\nb\x00\x1b[31mc\u202e") == "a b [31mc"
    assert len(sanitise("x" * 1_000_000)) == 200
