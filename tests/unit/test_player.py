"""A played recording is the recording: same samples, same gaps, streams in step."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bci.engine.stream_info import Channel, StreamInfo
from bci.errors import ConfigError, RecordingError
from bci.stream import messages
from bci.stream.clock import VirtualClock
from bci.stream.clocks.clock_map import ClockMap
from bci.stream.inprocess import InProcessBus
from bci.stream.played_outlets import bus_outlets, left_out
from bci.stream.player import Player, PlayerSettings, PlayerSource
from bci.stream.push_times import push_ends, timeline
from bci.stream.recorded_signal import RecordedMarkers, RecordedSignal
from bci.stream.recording import RecordedStreams

RATE = 100.0
INFO = StreamInfo(RATE, (Channel("C3"), Channel("C4")), name="amp", source_id="x")


def recording(stamps: np.ndarray, markers: tuple[tuple[str, float], ...] = (), offset_s: float = 0.0) -> RecordedStreams:
    data = np.arange(2 * len(stamps), dtype=float).reshape(-1, 2)
    texts, times = tuple(t for t, _ in markers), np.array([s for _, s in markers])
    marked = (RecordedMarkers("cues", texts, times, ClockMap.constant(offset_s)),) if markers else ()
    return RecordedStreams(Path("a.xdf"), (RecordedSignal(INFO, data, stamps),), marked, "ab" * 32)


def played(rec: RecordedStreams, settings: PlayerSettings | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray, list]:
    """Data, stamps and arrival time of each sample, and (text, stamp, arrival) of each marker."""
    clock = VirtualClock(5000.0)
    bus = InProcessBus(clock)
    outlets = bus_outlets(rec, bus)
    inlet = bus.raw("EEG")
    cues = bus.markers("Markers") if rec.markers else None
    data, stamps, arrivals, texts = [], [], [], []
    clock.add(Player(rec, outlets, settings).steps(clock))
    while not clock.idle:
        pulled = inlet.pull(0.005)
        if pulled is not None:
            data.append(pulled[0])
            stamps.append(pulled[1])
            arrivals.append(np.full(len(pulled[1]), clock.now()))
        texts += [(t, s, clock.now()) for t, s in cues.pull(0)] if cues else []
    pulled = inlet.pull(0)
    if pulled is not None:
        data.append(pulled[0])
        stamps.append(pulled[1])
        arrivals.append(np.full(len(pulled[1]), clock.now()))
    return np.concatenate(data), np.concatenate(stamps), np.concatenate(arrivals), texts


def board(n_pushes: int, per_push: int = 5, seed: int = 0) -> np.ndarray:
    """Stamps of a board that pushes late and back-dates from the newest sample."""
    rng = np.random.default_rng(seed)
    due = np.arange(1, n_pushes + 1) * per_push / RATE
    late = np.maximum.accumulate(due + rng.exponential(0.03, n_pushes))
    return (1000 + late[:, None] - np.arange(per_push)[::-1] / RATE).ravel()


@pytest.mark.parametrize("chunk", [None, 1, 7, 10_000])
def test_every_sample_arrives_once_in_order_with_stamps_shifted_by_one_constant(chunk: int | None) -> None:
    rec = recording(board(60))
    data, stamps, _, _ = played(rec, PlayerSettings(chunk_samples=chunk))
    np.testing.assert_array_equal(data, rec.signals[0].data)
    assert np.ptp(stamps - rec.signals[0].stamps) < 1e-9


def test_stamps_can_be_kept_bit_for_bit() -> None:
    rec = recording(board(60))
    np.testing.assert_array_equal(played(rec, PlayerSettings(keep_stamps=True))[1], rec.signals[0].stamps)


def test_samples_arrive_when_the_sender_pushed_them() -> None:
    stamps = board(200)
    _, _, arrivals, _ = played(recording(stamps))
    pushed = stamps.reshape(-1, 5)[:, -1]
    took = arrivals.reshape(-1, 5)
    np.testing.assert_allclose(took[:, -1] - took[0, -1], pushed - pushed[0], atol=0.0051)


def test_markers_stay_in_step_with_the_samples_around_them() -> None:
    stamps = 1000 + np.arange(500) / RATE
    markers = (("1", 1001.234), ("2", 1003.5), ("3", 1004.0))
    _, sent, _, texts = played(recording(stamps, markers))
    assert [t for t, _, _ in texts] == ["1", "2", "3"]
    shift = sent[0] - stamps[0]
    np.testing.assert_allclose([s for _, s, _ in texts], [s + shift for _, s in markers], atol=1e-9)
    np.testing.assert_allclose([a - s for _, s, a in texts], [0, 0, 0], atol=0.006)


def test_markers_from_another_computer_are_moved_by_its_clock_offset() -> None:
    stamps = 1000 + np.arange(300) / RATE
    _, sent, _, texts = played(recording(stamps, (("1", 51.0),), offset_s=950.0))
    assert texts[0][1] - sent[0] == pytest.approx(1.0)


def test_a_gap_is_played_as_a_gap() -> None:
    stamps = 1000 + np.concatenate([np.arange(100), 470 + np.arange(100)]) / RATE
    _, _, arrivals, _ = played(recording(stamps))
    assert arrivals[-1] - arrivals[0] == pytest.approx(5.69 - 0.03, abs=0.05)


@pytest.mark.parametrize("jump", [-6.5e5, 2e5, np.nan])
def test_nobody_waits_for_a_clock_that_was_reset_and_markers_stay_in_step(jump: float) -> None:
    stamps = 1e6 + np.arange(400) / RATE
    stamps[200:] += jump if np.isfinite(jump) else 0.0
    if not np.isfinite(jump):
        stamps[200] = np.nan
    cue = float(stamps[300])
    data, _, arrivals, texts = played(recording(stamps, (("1", cue),)))
    assert len(data) == 400
    assert arrivals[-1] - arrivals[0] == pytest.approx(4.0, abs=0.1)
    assert texts[0][2] - arrivals[0] == pytest.approx(3.0, abs=0.1)


def test_a_recording_plays_twice_as_fast_at_speed_two_with_its_own_stamps() -> None:
    stamps = 1000 + np.arange(400) / RATE
    _, sent, arrivals, _ = played(recording(stamps), PlayerSettings(speed=2))
    assert arrivals[-1] - arrivals[0] == pytest.approx(2.0, abs=0.05)
    assert sent[-1] - sent[0] == pytest.approx(3.99)


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=60), st.sampled_from([None, 1, 3]))
def test_whatever_the_stamps_every_sample_is_pushed_once_and_in_finite_time(values: list[float], chunk: int | None) -> None:
    stamps = np.array(values)
    ends = push_ends(stamps, RATE, chunk)
    assert ends[-1] == len(stamps)
    assert (np.diff(ends) > 0).all()
    assert ends[0] > 0
    placed = timeline(stamps, 1 / RATE)
    assert np.isfinite(placed).all()
    assert (np.abs(np.diff(placed)) <= 3601).all()


def test_a_recording_without_samples_is_refused() -> None:
    rec = recording(np.empty(0))
    with pytest.raises(RecordingError, match="nothing to play"):
        Player(rec, bus_outlets(rec, InProcessBus(VirtualClock())))


def test_impossible_settings_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as error:
        PlayerSettings(speed=float("nan"), chunk_samples=0)
    assert len(error.value.problems) == 2


STEERING = messages.line("stop", why="from a recording")


@pytest.mark.parametrize(
    ("name", "kind", "rows"),
    [
        ("bci-events", "BCI-Event", (("{}",),)),
        ("x", "bci-control", (("go",),)),
        ("bci-control", "Markers", ((STEERING,),)),
        ("bci-control", "Markers", (("go",),)),
        (" BCI-Control ", "Notes", (("go",),)),
        ("cues", "Markers", (("go",), (f"  {STEERING}",))),
        ("cues", "Markers", (("go", STEERING), ("go", "1"))),
        ("cues", "", (('{"v": 1, "kind": "arm"}',),)),
    ],
)
def test_what_would_steer_a_session_that_runs_now_is_never_played(name: str, kind: str, rows: tuple) -> None:
    rec = recording(board(2))
    marked = RecordedMarkers(name, tuple(r[0] for r in rows), 1000.0 + np.arange(len(rows)), type=kind, rows=rows)
    rec = RecordedStreams(rec.path, rec.signals, (marked,), rec.sha256)
    signal, markers = bus_outlets(rec, InProcessBus(VirtualClock()))
    assert signal is not None
    assert markers is None
    assert repr(name) in left_out(rec)[1]


def test_a_signal_of_our_names_is_left_out_or_played_under_another_name() -> None:
    names = ("bci-control", "bci-decisions", "", "amp")
    signals = tuple(RecordedSignal(replace(INFO, name=name), np.zeros((2, 2)), np.arange(2.0)) for name in names)
    rec = RecordedStreams(Path("bci-control.xdf"), signals, (), "ab" * 32)
    outlets = bus_outlets(rec, InProcessBus(VirtualClock()))
    assert [o and o.info.name for o in outlets] == [None, "played bci-decisions", None, "amp"]  # type: ignore[union-attr]


def test_cues_that_are_json_or_look_like_it_are_played() -> None:
    texts = ('{"trial": 3}', "{", "{not json}", '["kind"]', "left")
    rec = recording(board(2), tuple((text, 1000.0) for text in texts))
    assert left_out(rec) == {}


def test_a_played_stream_has_the_same_source_id_each_time_and_declares_microvolts() -> None:
    rec = recording(board(2))
    first, second = (bus_outlets(rec, InProcessBus(VirtualClock()))[0] for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.info == second.info  # type: ignore[union-attr]
    assert first.info.source_id == "player-abababababab-0"  # type: ignore[union-attr]


def test_a_recorded_signal_is_a_source() -> None:
    rec, clock = recording(board(40)), VirtualClock()
    source = PlayerSource(rec.signals[0], clock)
    pieces = []
    while not source.finished:
        chunk = source.read(0.02)
        pieces += [chunk] if chunk is not None else []
    np.testing.assert_array_equal(np.concatenate([c.data for c in pieces]), rec.signals[0].data)
    assert source.read(0.02) is None
    source.close()
    source.close()
