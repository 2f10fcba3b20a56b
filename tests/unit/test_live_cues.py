"""Cues of a live session: each announced once, and the same as in the recording of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bci.calibration.external_cues import ExternalCues
from bci.config import load_config
from bci.engine.chunk import Chunk
from bci.engine.stream_info import Channel, StreamInfo
from bci.model.file import load_model
from bci.paradigm.cue_matching import KEPT, CueMatcher, Sighting
from bci.paradigm.cues import find_cues
from bci.paradigm.live_cues import LiveCues, on_record
from bci.paradigm.timeline import short
from bci.replay.recorded_session import read_session
from bci.replay.replay import verify
from bci.simulation.simulate import record_virtually
from bci.simulation.virtual import run_virtually
from bci.stream.bus import Marker
from bci.stream.clock import VirtualClock
from bci.stream.files.readers import open_recording
from bci.stream.inprocess import InProcessBus
from bci.stream.markers.shapes import MOST_FIELDS, parsed, paths
from bci.stream.markers.trigger_edges import TriggerEdges
from bci.stream.markers.triggers import MarkerTable, trigger_stream
from bci.stream.messages import line
from bci.stream.metadata import row_info
from bci.stream.played_outlets import bus_outlets
from bci.stream.player import Player
from bci.stream.recorded_signal import RecordedMarkers, RecordedSignal
from bci.stream.recording import RecordedStreams
from bci.stream.xdf.reader import read_xdf
from bci.training.labelled import open_labelled
from bci.training.train import train, write_model
from devices.simulated import SimulatedSettings, SimulatedSubject

TABLE = {"1": "left", "2": "right", "left": "left", "right": "right"}
INFO = StreamInfo(250.0, (Channel("C3"), Channel("TRIGGER", "TRIG", "")), name="Amp")


def marker(text: str, stamp: float, source: str = "a", **more: object) -> Marker:
    return Marker((text,), stamp, source, f"Cues {source}", **more)  # type: ignore[arg-type]


def test_a_cue_is_announced_once_and_its_copy_is_put_on_record_as_one() -> None:
    live = LiveCues(MarkerTable(TABLE), INFO)
    heard = live.markers([marker("left", 5.03)]) + live.markers([marker("left", 5.03, "b")])
    levels = np.zeros((250, 2))
    levels[0:20, 1] = 1
    heard += live.samples(Chunk(np.zeros((2, 2)), np.array([4.992, 4.996]))) + live.samples(
        Chunk(levels, 5 + np.arange(250) / 250)
    )
    assert [h.kind for h in heard] == ["cue", "copy", "copy"]
    events = [{"kind": h.kind, **h.fields} for h in heard]
    assert [(t.time_s, t.class_) for t in on_record(events)] == [(5.0, "left")]
    assert live.counts == {"cue": 1, "copy": 2, "contradicted": 0}


def test_sources_that_contradict_each_other_are_said_soon_after() -> None:
    live = LiveCues(MarkerTable(TABLE), INFO)
    heard = live.markers([marker("left", 5.0), marker("right", 5.05, "b")])
    assert live.settled() == []
    live.samples(Chunk(np.zeros((1, 2)), np.array([5.7])))
    told = live.settled()
    assert [h.kind for h in told] == ["contradicted", "contradicted"]
    assert on_record([{"kind": h.kind, **h.fields} for h in heard + told]) == []


@pytest.mark.parametrize(("query", "triggers"), [("", True), ("Amp triggers", True), ("type=Markers", True), ("Cues", False)])
def test_the_amplifier_gives_cues_unless_another_stream_is_named(query: str, triggers: bool) -> None:
    live = LiveCues(MarkerTable(TABLE), INFO, query)
    levels = np.zeros((20, 2))
    levels[5:, 1] = 2
    assert bool(live.samples(Chunk(levels, np.arange(20) / 250))) == triggers


def test_markers_of_an_unknown_shape_are_shown_live_with_the_setting_that_maps_them() -> None:
    live = LiveCues(MarkerTable(TABLE), INFO)
    rows = [marker(json.dumps({"event": "left", "trial": i}), float(i)) for i in range(5)]
    told = [h for h in live.markers(rows) if h.kind == "unmapped"]
    assert len(told) == 1
    assert "--set markers.field=event" in told[0].fields["why"]
    mapped = LiveCues(MarkerTable(TABLE, "event"), INFO)
    assert [h.class_ for h in mapped.markers(rows)] == ["left"] * 5


def test_columns_and_numbers_of_a_marker_stream_reach_the_table_live() -> None:
    bus = InProcessBus(VirtualClock(10.0))
    outlet = bus.outlet(replace(row_info("Cues", "Markers", "c", ["trial", "class"]), rate_hz=250.0), "int32")
    inlet = bus.markers("Cues")
    for trial, class_ in enumerate((1, 1, 2)):
        outlet.push([trial, class_], 20.0 + trial)
    live = LiveCues(MarkerTable(TABLE, "class"), INFO)
    assert [h.class_ for h in live.markers(inlet.pull_markers(0.0) + inlet.pull_markers(0.0))] == ["left", "left", "right"]


def test_another_programs_cues_that_come_twice_are_one_trial_of_a_calibration() -> None:
    clock = VirtualClock(10.0)
    bus = InProcessBus(clock)
    outlet = bus.text_outlet("Cues", "Markers")
    outside = ExternalCues(bus.markers("Cues"), {"go": "left"}, field="event")
    for at in (11.0, 11.004, 15.0):
        outlet.push('{"event": "go"}', at)
    assert [outside.cue(), outside.cue(), outside.cue()] == [("left", 11.0), ("left", 15.0), None]


@st.composite
def sessions(draw: st.DrawFn) -> list[tuple[float, float, str, str]]:
    """(time, delay until it comes, text, source) of sightings; source "t" is the trigger channel."""
    times = np.round(np.cumsum(draw(st.lists(st.floats(0.6, 3.0), min_size=1, max_size=8))), 2).tolist()
    found = []
    for time_s in times:
        class_ = draw(st.sampled_from(["left", "right"]))
        sources = draw(st.lists(st.sampled_from("tab"), min_size=1, max_size=3, unique=True))
        for source in sources:
            text = {"left": "1", "right": "2"}[class_] if source == "t" else class_
            late = 0.0 if source == "t" else draw(st.floats(0.0, 0.1))
            times_sent = 1 if source == "t" else draw(st.integers(1, 2))
            found += [(time_s + late, draw(st.floats(0.0, 2.0)), text, source) for _ in range(times_sent)]
    return found


@settings(max_examples=100, deadline=None)
@given(sessions())
def test_the_cues_of_a_session_are_those_of_its_recording(seen: list[tuple[float, float, str, str]]) -> None:
    stamps = np.arange(0, 30, 1 / 250)
    data = np.zeros((len(stamps), 2))
    for time_s, _, text, source in seen:
        if source == "t":
            first = round(time_s * 250)
            data[first : first + 25, 1] = float(text)
    live = LiveCues(MarkerTable(TABLE), INFO)
    waiting = sorted(
        [(t + delay, marker(text, t, source)) for t, delay, text, source in seen if source != "t"], key=lambda w: w[0]
    )
    heard = []
    for start in range(0, len(stamps), 50):
        now = stamps[start]
        heard += live.markers([m for at, m in waiting if at <= now])
        waiting = [w for w in waiting if w[0] > now]
        heard += live.samples(Chunk(data[start : start + 50], stamps[start : start + 50])) + live.settled()
    edges = TriggerEdges(INFO)(Chunk(data, stamps))
    streams = [
        RecordedMarkers(trigger_stream(INFO), tuple(t for t, _ in edges), np.array([s for _, s in edges]), on_samples=True)
    ]
    for name in "ab":
        theirs = [(t, text) for t, _, text, source in seen if source == name]
        streams.append(RecordedMarkers(name, tuple(text for _, text in theirs), np.array([t for t, _ in theirs])))
    signal = RecordedSignal(INFO, data, stamps)
    recorded = find_cues(RecordedStreams(Path("a"), (signal,), tuple(streams), ""), signal, MarkerTable(TABLE)).trials
    assert on_record([{"kind": h.kind, **h.fields} for h in heard]) == list(recorded)
    assert sum(h.kind == "cue" for h in heard) == len(recorded)


class Triggered:
    """A simulated subject whose amplifier has a trigger channel: 1 and 2 for a tenth of a second."""

    def __init__(self, subject: SimulatedSubject) -> None:
        self._subject, self._cues = subject, []  # type: ignore[var-annotated]
        self.info = replace(subject.info, channels=(*subject.info.channels, Channel("TRIGGER", "TRIG", "")))

    @property
    def due_s(self) -> float:
        return self._subject.due_s

    def cue(self, cue: str | int, time_s: float | None = None) -> bool:
        if (code := str(cue).split()[0]) in ("769", "770"):
            self._cues.append((time_s, int(code) - 768))
        return self._subject.cue(cue, time_s)

    def read(self, timeout_s: float) -> Chunk | None:
        chunk = self._subject.read(timeout_s)
        if chunk is None:
            return None
        level = np.zeros(len(chunk))
        for time_s, code in self._cues:
            level[(chunk.stamps >= time_s) & (chunk.stamps < time_s + 0.1)] = code
        return Chunk(np.column_stack([chunk.data, level]), chunk.stamps)

    def close(self) -> None:
        self._subject.close()


@pytest.mark.slow
def test_a_session_with_trigger_channel_and_marker_stream_replays_and_holds_each_cue_once(tmp_path: Path) -> None:
    classes = ("left_hand", "right_hand")
    codes = {"769": classes[0], "770": classes[1], "1": classes[0], "2": classes[1]}
    config = load_config(None, {"rebias.on": "true", **{f"markers.table.{code}": class_ for code, class_ in codes.items()}})
    chosen = SimulatedSettings(seed=3, channels=8)
    clock = VirtualClock(1000.0)
    record_virtually(SimulatedSubject(chosen, clock), clock, short(classes, 8, 3), tmp_path / "calibration.xdf")
    write_model(tmp_path / "model.safetensors", train([open_labelled(tmp_path / "calibration.xdf", config)], config), config)
    clock, timeline, recorded = VirtualClock(5000.0), short(classes, 3, 4), tmp_path / "run.xdf"
    model = load_model(tmp_path / "model.safetensors")
    run_virtually(Triggered(SimulatedSubject(chosen, clock)), clock, timeline, model, config, recorded)
    given_ = [(5000.0 + cue.time_s, cue.class_) for cue in timeline.cues if cue.class_]
    events = [json.loads(row[0]) for s in read_xdf(recorded).streams if s.type == "BCI-Event" for row in s.values]
    live = [(t.time_s, t.class_) for t in on_record(events)]
    again = [(t.time_s, t.class_) for t in open_labelled(recorded, config).cues]
    assert live == again
    assert [class_ for _, class_ in live] == [class_ for _, class_ in given_]
    assert np.allclose([t for t, _ in live], [t for t, _ in given_], atol=1.001 / 250)
    assert sum(e["kind"] == "copy" for e in events) == len(given_)
    assert sum(e["kind"] == "known" for e in events) == len(given_)
    assert "came twice" in " ".join(open_labelled(recorded, config).notes)
    assert open_recording(recorded).eeg().info.channels[-1].type == "TRIG"
    assert verify(read_session(recorded), lambda _: model).ok


def test_a_recording_that_is_played_gives_the_cues_of_all_its_columns() -> None:
    stamps = np.arange(0, 10, 1 / 250)
    signal = RecordedSignal(INFO, np.zeros((len(stamps), 2)), stamps)
    rows = (("1", "left"), ("2", "right"))
    markers = RecordedMarkers("Cues", ("1", "2"), np.array([3.0, 6.0]), rows=rows, columns=("trial", "class"))
    recording = RecordedStreams(Path("a"), (signal,), (markers,), "")
    clock = VirtualClock(100.0)
    bus = InProcessBus(clock)
    player = Player(recording, bus_outlets(recording, bus))
    inlet = bus.markers("Cues")
    clock.add(player.steps(clock))
    clock.wait_until(120.0)
    found = LiveCues(MarkerTable(TABLE, "class"), INFO).markers(inlet.pull_markers(0.0))
    assert [heard.class_ for heard in found] == ["left", "right"]


def test_triggers_and_markers_of_other_computers_are_matched_and_placed_on_our_clock() -> None:
    live, data = LiveCues(MarkerTable(TABLE), INFO), np.zeros((250, 2))
    data[100:125, 1] = 1
    heard = live.markers([Marker(("left",), 9000.43, "a", "Cues", (), -8899.99)])
    heard += live.samples(Chunk(data, 50 + np.arange(250) / 250), None)
    assert [h.kind for h in heard] == ["cue"]
    heard += live.samples(Chunk(np.zeros((1, 2)), np.array([51.0])), 50.0)
    assert [h.kind for h in heard] == ["cue", "copy"]
    assert [(pytest.approx(t.time_s), t.class_) for t in on_record([{"kind": h.kind, **h.fields} for h in heard])] == [
        (100.4, "left")
    ]


def test_a_marker_from_the_future_does_not_keep_later_cues_from_being_matched() -> None:
    live = LiveCues(MarkerTable(TABLE), INFO)
    live.markers([marker("left", 1.7e9, "a")])
    heard = live.markers([marker("left", 5.0, "a"), marker("left", 5.1, "b")])
    assert [h.kind for h in heard] == ["cue", "copy"]


def test_a_sender_whose_clock_was_set_is_told_of() -> None:
    live = LiveCues(MarkerTable(TABLE), INFO)
    live.markers([Marker(("left",), 5.0, "a", "Cues", (), 0.0)])
    (told,) = [h for h in live.markers([Marker(("left",), 3612.0, "a", "Cues", (), -3600.0)]) if h.kind == "clock"]
    assert "the clock of 'Cues' was set by +3600.000 s" in told.fields["why"]


def test_a_trial_that_was_rejected_afterwards_does_not_count_on_record() -> None:
    live = LiveCues(MarkerTable(TABLE), INFO)
    heard = live.markers([marker("left", 5.0, "a"), marker("1023", 6.0, "a"), marker("right", 9.0, "a")])
    assert [t.class_ for t in on_record([{"kind": h.kind, **h.fields} for h in heard])] == ["right"]


HUGE = "9" * 400
LONG = f'{{"event": {"9" * 5000}}}'
KEYS = f'{{"{"9" * 5000}": "x"}}'
FOREIGN = [
    KEYS,
    '["x"]',
    "",
    " ",
    "nan",
    "1e999",
    HUGE,
    f'{{"event": {HUGE}}}',
    LONG,
    '{"event": 1e999}',
    "[" * 9000,
    "x" * 10**6,
]


@pytest.mark.parametrize("text", FOREIGN, ids=range(len(FOREIGN)))
def test_no_text_that_another_program_sends_ends_a_session(text: str) -> None:
    live = LiveCues(MarkerTable(TABLE, "event"), INFO)
    heard = live.markers([marker(text, float(i)) for i in range(15)] + [marker('{"event": "left"}', 20.0)])
    mixed = [Marker((other, text), float(i), "c", "Mixed") for i, other in enumerate(FOREIGN)]
    heard += LiveCues(MarkerTable({"1": "left"}), INFO).markers(mixed)
    assert [h.class_ for h in heard if h.class_] == ["left"]
    assert all(line(h.kind, **h.fields) for h in heard)


@pytest.mark.parametrize("stamp", [np.nan, np.inf, -np.inf])
def test_a_marker_without_a_time_is_no_cue_live_as_in_a_recording_and_is_said_once(stamp: float) -> None:
    live = LiveCues(MarkerTable(TABLE), INFO)
    levels = np.zeros((20, 2))
    levels[5:, 1] = 2
    heard = live.samples(Chunk(levels, np.where(np.arange(20) == 5, stamp, np.arange(20) / 250)))
    heard += live.markers([marker("left", stamp), marker("left", stamp), marker("right", 3.0)])
    assert [(h.kind, h.class_) for h in heard] == [("clock", ""), ("cue", "right")]
    assert "stamps markers with" in heard[0].fields["why"]
    assert all(line(h.kind, **h.fields) for h in heard)
    signal = RecordedSignal(INFO, levels, np.arange(20) / 250)
    cues = RecordedMarkers("Cues a", ("left", "left", "right"), np.array([stamp, stamp, 3.0]))
    found = find_cues(RecordedStreams(Path("a.xdf"), (signal,), (cues,), ""), signal, MarkerTable(TABLE))
    assert [(t.time_s, t.class_) for t in found.trials] == [(3.0, "right")]


def test_what_is_sent_again_and_again_takes_no_more_memory_and_time() -> None:
    matcher = CueMatcher()
    for i in range(5000):
        cue, new = matcher.add(Sighting(0.01 * i, "1", "left", "a"))
        assert new == (i == 0)
    assert len(cue.sightings) == 2 * KEPT
    assert cue.time_s == 0.0


def test_in_a_large_marker_only_so_many_places_are_looked_at_for_a_suggestion() -> None:
    large = json.dumps({f"k{i}": {f"j{j}": j for j in range(30)} for i in range(50)})
    assert len(paths(parsed(large))) == MOST_FIELDS


def test_whatever_an_amplifier_sends_on_its_trigger_channel_the_session_goes_on() -> None:
    rng = np.random.default_rng(0)
    levels, stamps = [0, 1, 2, 3, 1023, -5, np.nan, np.inf, -np.inf, 1e308], [np.nan, np.inf, -np.inf, 1e300, -1e300, 1e15, 0.0]
    for _ in range(20):
        live, time_s = LiveCues(MarkerTable(TABLE), INFO), 1000.0
        for _ in range(100):
            n = int(rng.integers(0, 60))
            given, data = time_s + np.arange(n) / 250, np.zeros((n, 2))
            data[:, 1] = rng.choice(levels, n) if rng.random() < 0.5 else rng.choice(levels)
            given[rng.random(n) < rng.choice([0.0, 0.1, 1.0])] = rng.choice(stamps)
            time_s += n / 250 + rng.choice([0.0, 0.0, 100.0, -100.0, 1e6])
            heard = live.samples(Chunk(data, given), rng.choice([None, 0.0, 5.0])) + live.settled()
            assert all(line(h.kind, **h.fields) for h in heard)
