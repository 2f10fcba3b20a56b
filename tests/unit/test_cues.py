"""How markers become trials: one presented cue is one trial, whatever way and however often it came."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bci.engine.stream_info import Channel, StreamInfo
from bci.errors import ConfigError, RecordingError, TrainingError
from bci.judging.tuning import _idle
from bci.paradigm.cues import FoundCues, find_cues
from bci.settings import MarkersSection, SessionConfig
from bci.stream.markers.shapes import MarkerShape, checked_pattern, suggestion
from bci.stream.markers.streams import Levels, is_markers
from bci.stream.markers.triggers import MarkerTable
from bci.stream.recorded_signal import RecordedMarkers, RecordedSignal
from bci.stream.recording import RecordedStreams
from bci.training.labelled import labelled, notes_of

TABLE = {"1": "left", "left": "left", "769": "left", "2": "right", "right": "right", "770": "right"}
INFO = StreamInfo(250.0, (Channel("C3"), Channel("C4")), name="Amp")
SIGNAL = RecordedSignal(INFO, np.random.default_rng(0).normal(0, 10, (2500, 2)), 100 + np.arange(2500) / 250)


def stream(name: str, marks: list[tuple[float, str]], **more: object) -> RecordedMarkers:
    stamps = np.array([time_s for time_s, _ in marks], np.float64)
    return RecordedMarkers(name, tuple(text for _, text in marks), stamps, **more)  # type: ignore[arg-type]


def trigger(marks: list[tuple[float, str]]) -> RecordedMarkers:
    return stream("Amp triggers", marks, on_samples=True)


def found(*streams: RecordedMarkers, query: str = "", table: MarkerTable | None = None) -> FoundCues:
    recording = RecordedStreams(Path("a.xdf"), (SIGNAL,), streams, "")
    return find_cues(recording, SIGNAL, table or MarkerTable(TABLE), query)


def kept(*streams: RecordedMarkers, query: str = "") -> list[tuple[float, str]]:
    return [(trial.time_s, trial.class_) for trial in found(*streams, query=query).trials]


def test_a_cue_on_a_trigger_channel_and_a_marker_stream_is_one_trial_at_the_time_of_the_trigger() -> None:
    said = found(stream("Cues", [(1.03, "left"), (2.04, "right")]), trigger([(1.0, "1"), (2.0, "2")]))
    assert [(t.time_s, t.class_) for t in said.trials] == [(1.0, "left"), (2.0, "right")]
    assert said.notes == ("2 cues came twice (on 'Cues' and 'Amp triggers') and are counted once",)


def test_an_outlet_that_is_alive_twice_and_a_marker_that_is_pushed_twice_count_once() -> None:
    marks = [(1.0, "left"), (3.0, "right")]
    assert kept(stream("Cues", marks), stream("Cues", marks)) == marks
    pushed_twice = sorted(marks + [(time_s + 0.004, text) for time_s, text in marks])
    said = found(stream("Cues", pushed_twice))
    assert [t.time_s for t in said.trials] == [1.0, 3.0]
    assert said.notes == ("2 cues came twice on 'Cues' and are counted once",)


def test_the_same_class_twice_in_half_a_second_is_two_trials_on_one_source_and_on_two() -> None:
    fast = [(1.0, "1"), (1.5, "1"), (2.0, "1"), (2.12, "1")]
    assert len(kept(trigger(fast))) == 4
    assert [t for t, _ in kept(trigger(fast), stream("Cues", [(t + 0.05, "left") for t, _ in fast]))] == [t for t, _ in fast]


def test_what_one_source_lost_is_not_taken_from_the_next_cue() -> None:
    times = [1.0, 1.5, 2.0, 2.5]
    software = stream("Cues", [(t + 0.06, "left") for t in times if t != 1.0])
    hardware = trigger([(t, "1") for t in times if t != 2.0])
    assert [t for t, _ in kept(software, hardware)] == [1.0, 1.5, 2.06, 2.5]


def test_cues_about_which_two_sources_disagree_are_left_out_and_said() -> None:
    said = found(stream("Cues", [(1.02, "left"), (3.0, "left")]), trigger([(1.0, "2"), (3.0, "1")]))
    assert [t.time_s for t in said.trials] == [3.0]
    assert "'Amp triggers' and 'Cues' contradict each other 1 time, first at 1.000 s" in " ".join(said.notes)


def test_a_source_that_lost_a_cue_contradicts_nobody() -> None:
    software = stream("Cues", [(1.04, "left"), (1.24, "right")])
    assert kept(software, trigger([(1.2, "2")])) == [(1.04, "left"), (1.2, "right")]


def test_two_streams_that_say_different_things_at_different_times_are_pointed_out() -> None:
    answers = stream("Answers", [(2.0, "right"), (4.0, "left")])
    said = found(stream("Cues", [(1.0, "left"), (3.0, "right")]), answers)
    assert len(said.trials) == 4
    assert "--set markers.stream=NAME" in said.notes[0]


def test_two_streams_that_give_the_same_cues_evenly_apart_are_refused_until_one_of_them_is_named() -> None:
    times = np.cumsum(np.random.default_rng(0).uniform(3, 6, 12)).tolist()
    texts = ["left", "right", "right", "left"] * 3
    software = stream("Cues", list(zip(times, texts, strict=True)))
    late = trigger(
        [(t + 0.4 + 0.01 * (i % 3), {"left": "1", "right": "2"}[x]) for i, (t, x) in enumerate(zip(times, texts, strict=True))]
    )
    said = found(software, late)
    assert not said.trials
    assert said.notes[0].startswith("'Cues' and 'Amp triggers' give the same 12 cues 0.410 s apart")
    assert "--set markers.stream=NAME" in said.notes[0]
    assert not any("cues come from several streams" in note for note in said.notes)
    with pytest.raises(TrainingError, match="no trial is left of its cues: 'Cues' and 'Amp triggers' give the same 12 cues"):
        labelled(
            RecordedStreams(Path("a.xdf"), (SIGNAL,), (software, late), ""), SessionConfig(markers=MarkersSection(table=TABLE))
        )
    assert [t for t, _ in kept(software, late, query="Cues")] == times
    # So it is where the software lost half of them, and where a second stream repeats it at once.
    some = stream("Cues", list(zip(times, texts, strict=True))[::2])
    assert found(some, late).notes[0].startswith("'Cues' and 'Amp triggers' give the same 6 cues 0.4")
    assert not kept(software, late, stream("Copy", [(t + 0.01, x) for t, x in zip(times, texts, strict=True)]))
    # Answers to the cues come when people give them, and are not evenly apart.
    answers = stream("Answers", [(t + d, x) for t, d, x in zip(times, np.linspace(0.4, 1.9, 12).tolist(), texts, strict=True)])
    assert len(kept(software, answers)) == 24


def test_trials_that_are_marked_at_their_end_too_are_pointed_out() -> None:
    times = [5.0 * i for i in range(1, 9)]
    twice = sorted([(t, "left") for t in times] + [(t + 1.25, "left") for t in times])
    assert found(stream("Cues", twice)).notes == (
        "8 of 16 cues come within 2 s of another one of the same class, first at 6.250 s, and count as trials of their own; if "
        "each trial is marked more than once, leave all but one of its marks out of markers.table",
    )
    polled = stream("Cues", [(t + k / 10, "left") for t in times for k in range(8)])
    assert found(polled).notes[0].startswith("56 of 64 cues come within 2 s")
    assert found(stream("Cues", [(t, "left") for t in times])).notes == ()
    assert found(stream("Cues", [(0.5 * t, "left") for t in range(20)])).notes == ()  # a task that is as fast as that


def test_the_stream_that_is_named_is_the_only_one_whose_markers_are_cues() -> None:
    cues, answers = stream("Cues", [(1.0, "left")], source_id="c-1"), stream("Answers", [(2.0, "right")], type="Answer")
    for query in ("Cues", "name=Cues", "source_id=c-1", "type=Markers", "name=Cues,host=*"):
        assert kept(cues, answers, query=query) == [(1.0, "left")]
    assert kept(cues, trigger([(5.0, "2")]), query="Amp triggers") == [(5.0, "right")]


def test_a_named_stream_that_a_recording_has_not_is_refused_with_those_that_it_has() -> None:
    with pytest.raises(RecordingError, match=r"no marker stream 'Cuez'(?s:.*)'Cues' \(type 'Markers', 1 markers\)"):
        found(stream("Cues", [(1.0, "left")]), query="Cuez")


REJECTIONS = {
    "after the cue": [(0.0, "768"), (2.0, "769"), (3.0, "1023"), (8.0, "768"), (10.0, "770")],
    "after its end": [(0.0, "768"), (2.0, "769"), (5.0, "800"), (6.0, "1023"), (8.0, "768"), (10.0, "770"), (12.0, "800")],
    "at the trial's start": [(0.0, "768"), (0.0, "1023"), (2.0, "769"), (8.0, "768"), (10.0, "770")],
    "at the trial's start, sorted before it": [(0.0, "1023"), (0.0, "768"), (2.0, "769"), (8.0, "768"), (10.0, "770")],
    "between start and cue": [(0.0, "768"), (1.0, "1023"), (2.0, "769"), (8.0, "768"), (10.0, "770")],
    "at the cue": [(2.0, "1023"), (2.0, "769"), (10.0, "770")],
    "without starts": [(2.0, "769"), (3.0, "1023"), (10.0, "770")],
    "by name": [(2.0, "left"), (3.0, "Rejected"), (10.0, "right")],
}  # fmt: skip


@pytest.mark.parametrize("where", REJECTIONS)
def test_a_rejection_belongs_to_its_trial_wherever_it_stands(where: str) -> None:
    said = found(stream("annotations", REJECTIONS[where]))
    assert [t.time_s for t in said.trials] == [10.0]
    assert said.notes == ("1 trial is left out: marked as rejected (1023)",)


@pytest.mark.parametrize("where", REJECTIONS)
def test_a_rejection_belongs_to_its_trial_on_whatever_stream_it_stands(where: str) -> None:
    marks = REJECTIONS[where]
    cues = [(t, text) for t, text in marks if text in ("769", "770", "left", "right")]
    others = [mark for mark in marks if mark not in cues]
    assert [t for t, _ in kept(trigger(cues), stream("annotations", others))] == [10.0]
    assert [t for t, _ in kept(stream("annotations", others), stream("also", others), trigger(cues))] == [10.0]


def test_a_rejection_that_lasts_belongs_to_the_cue_that_it_covers() -> None:
    cues = stream("annotations", [(t, "left") for t in (5.0, 10.0, 15.0, 20.0)])
    before = stream("annotations", [(9.5, "1023"), (16.0, "1023"), (19.99, "1023")], durations_s=(4.0, 3.0, 0.0))
    assert [t for t, _ in kept(cues, before)] == [5.0]


def test_a_trial_that_was_broken_off_does_not_count() -> None:
    said = found(stream("cues", [(0.0, "768"), (1.0, "769"), (2.0, "800"), (3.0, "768"), (4.0, "770")]))
    assert [t.time_s for t in said.trials] == [1.0]
    assert "broken off" in said.notes[0]


@pytest.mark.parametrize(
    ("row", "columns", "shape", "text"),
    [
        (("769", "3"), ("class", "trial"), MarkerShape(), "769"),
        (("3", "769"), ("trial", "class"), MarkerShape("class"), "769"),
        (("3", "769"), (), MarkerShape("2"), "769"),
        (('{"event": "left", "trial": 3}',), (), MarkerShape("event"), "left"),
        (('{"trial": {"class": 2}}',), (), MarkerShape("trial.class"), "2"),
        (('{"trial.class": "a"}',), (), MarkerShape("trial.class"), "a"),
        (('[["left", 1]]',), (), MarkerShape("0.0"), "left"),
        (("7", '{"event": "left"}'), (), MarkerShape("2.event"), "left"),
        (('{"event": "cue/left"}',), (), MarkerShape("event", "^cue/(.+)$"), "left"),
        (("Stimulus/S  2",), (), MarkerShape("", "^Stimulus/S *([0-9]+)$"), "2"),
        (("left",), (), MarkerShape("event"), ""),
        (('{"event": ',), (), MarkerShape("event"), ""),
        (("",), (), MarkerShape("", "(x)?"), ""),
    ],
)
def test_the_cue_is_taken_from_where_the_settings_say(
    row: tuple[str, ...], columns: tuple[str, ...], shape: MarkerShape, text: str
) -> None:
    assert shape.text(row, columns) == text


@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|a)*b", "a.*b.*c.*d", "(?=a)b", r"(a)\1", "(a)(b)", "(", "x" * 201, "(a?){30}"])
def test_a_pattern_that_could_take_for_ever_or_says_too_little_is_refused(pattern: str) -> None:
    with pytest.raises(ConfigError, match=r"markers\.pattern"):
        checked_pattern(pattern)


def test_the_worst_pattern_that_is_allowed_ends_soon() -> None:
    began = time.process_time()
    assert MarkerShape("", "a?a?a?.*.*x").text(("a" * 100_000,)) == ""
    assert time.process_time() - began < 1.0


def test_markers_of_an_unknown_shape_are_shown_with_the_setting_that_maps_them() -> None:
    def said(markers: RecordedMarkers) -> str:
        with pytest.raises(TrainingError) as error:
            labelled(
                RecordedStreams(Path("a.xdf"), (SIGNAL,), (markers,), ""), SessionConfig(markers=MarkersSection(table=TABLE))
            )
        return str(error.value)

    assert "--set markers.field=event takes the cue out" in said(stream("Cues", [(1.0, json.dumps({"event": "left"}))]))
    assert "JSON" in said(stream("Cues", [(1.0, json.dumps({"event": "links"}))]))
    pairs = stream("Cues", [(1.0, "17")], rows=(("17", "left"),), columns=("trial", "class"))
    assert "--set markers.field=class" in said(pairs)
    assert '--set "markers.pattern=^Stimulus/(.+)$"' in said(stream("Cues", [(1.0, "Stimulus/left")]))


@pytest.mark.parametrize(
    "text", ["b'{}'", '"{}"', "{{'event': '{}', 'n': 3}}", "<cue side='{}'/>", "{},12,0.53", "S  {}", "cue({})"]
)
def test_whatever_stands_around_the_cue_a_pattern_is_suggested_that_a_shell_takes(text: str) -> None:
    rows = [(text.format(word),) for word in ("left", "right")]
    setting = suggestion(rows, (), {"left", "right"}.__contains__)
    quoted = re.fullmatch(r'--set "markers\.pattern=([^"]+)"', setting)
    assert quoted is not None
    assert [MarkerShape(pattern=quoted[1]).text(row) for row in rows] == ["left", "right"]


def test_a_trial_number_in_the_first_column_that_happens_to_be_a_cue_is_pointed_out() -> None:
    rows = tuple((str(i), "12"[i % 2]) for i in range(20))
    markers = RecordedMarkers("Cues", tuple(row[0] for row in rows), 100 + 4.0 * np.arange(20), rows=rows)
    assert found(markers).notes == (
        "Stream 'Cues' sends markers like '0', '1': 2 of 20 are cues by their first column, 20 would be by column 2, with "
        "--set markers.field=2",
    )


def test_numbers_without_a_rate_that_pass_for_a_signal_are_named_where_no_cue_is_found() -> None:
    other = RecordedSignal(
        StreamInfo(0.0, (Channel("a", "AUX"), Channel("b", "AUX")), name="Cues", type="Gaze"), np.ones((3, 2)), np.arange(3.0)
    )
    recording = RecordedStreams(Path("a.xdf"), (SIGNAL, other), (), "")
    with pytest.raises(TrainingError, match=r"Stream 'Cues' of type 'Gaze', 2 columns .* declare the type Markers"):
        labelled(recording, SessionConfig(markers=MarkersSection(table=TABLE)))


def test_which_streams_are_markers_is_said_by_type_and_format_and_not_by_a_rate() -> None:
    assert is_markers("Markers", "int32", 250.0, 1)
    assert is_markers("Events", "float32", 0.0, 3)
    assert is_markers("anything", "string", 500.0, 2)
    assert not is_markers("EEG", "float32", 250.0, 8)
    assert not is_markers("EEG", "float32", 0.0, 8)
    assert not is_markers("BCI-Decision", "double64", 0.0, 8)


def test_single_markers_with_a_rate_declared_by_mistake_all_count() -> None:
    levels = Levels(250.0)
    rows = [("1",), ("1",), ("2",), ("0",), ("2",)]
    stamps = [1.0, 3.0, 3.001, 5.0, 7.0]
    assert [*levels(rows, stamps), *levels.flush()] == list(zip(rows, stamps, strict=True))
    one = Levels(250.0)
    assert [*one([("1",)], [1.0]), *one.flush()] == [(("1",), 1.0)]


def test_of_a_held_level_only_changes_count_even_after_a_loss() -> None:
    at = np.arange(0, 10, 0.004)
    level = np.where((at % 2 >= 1) & (at % 2 < 1.5), 1 + at // 2 % 2, 0).astype(int)
    there = (at < 1.1) | (at > 1.3)
    levels = Levels(250.0)
    kept = levels([(str(x),) for x in level[there]], at[there].tolist())
    assert [(row[0], round(t, 3)) for row, t in [*kept, *levels.flush()]] == [
        ("1", 1.0), ("2", 3.0), ("1", 5.0), ("2", 7.0), ("1", 9.0),
    ]  # fmt: skip


@st.composite
def sessions(draw: st.DrawFn) -> tuple[list[tuple[float, str, bool]], list[RecordedMarkers]]:
    """Truth (time, class, counted) and what sources made of it: latency, jitter, losses, copies, rejections."""
    n = draw(st.integers(1, 10))
    gaps = draw(st.lists(st.floats(0.5, 4.0), min_size=n, max_size=n))
    classes = draw(st.lists(st.sampled_from(["left", "right"]), min_size=n, max_size=n))
    rejected = draw(st.lists(st.sampled_from(["", "", "start", "cue", "after"]), min_size=n, max_size=n))
    times = np.round(np.cumsum(gaps), 3).tolist()
    truth = list(zip(times, classes, [not r for r in rejected], strict=True))
    kinds = draw(st.lists(st.sampled_from(["trigger", "program", "annotation"]), min_size=1, max_size=3))
    shown = [False] * n
    streams = []
    for number, kind in enumerate(kinds):
        latency = 0.0 if kind != "program" else draw(st.floats(0.0, 0.08))
        jitter = draw(st.lists(st.floats(0.0, 0.02 if kind == "program" else 0.0), min_size=n, max_size=n))
        last = number == len(kinds) - 1
        marks: list[tuple[float, str]] = []
        for i, (time_s, class_, _) in enumerate(truth):
            lost = draw(st.booleans()) and draw(st.booleans()) and not (last and not shown[i])
            if lost:
                continue
            shown[i] = True
            code = {"trigger": {"left": "1", "right": "2"}, "program": {"left": "left", "right": "right"}}.get(
                kind, {"left": "769", "right": "770"}
            )[class_]
            at = time_s + latency + jitter[i]
            marks += [(at, code)] * draw(st.integers(1, 2))
        streams.append(trigger(marks) if kind == "trigger" else stream(f"{kind} {number}", marks))
    begun = [(t - 0.2, "768") for t in times]
    places = {"start": -0.2, "cue": 0.0, "after": 0.05}
    noted = [(t + places[r], "1023") for t, r in zip(times, rejected, strict=True) if r]
    order = draw(st.permutations([*begun, *noted]))
    streams.insert(draw(st.integers(0, len(streams))), stream("structure", sorted(order, key=lambda mark: mark[0])))
    return truth, streams


@settings(max_examples=200, deadline=None)
@given(sessions())
def test_cues_found_are_the_cues_given(session: tuple[list[tuple[float, str, bool]], list[RecordedMarkers]]) -> None:
    truth, streams = session
    said = found(*streams)
    given_ = [(time_s, class_) for time_s, class_, counts in truth if counts]
    assert [trial.class_ for trial in said.trials] == [class_ for _, class_ in given_]
    for trial, (time_s, _) in zip(said.trials, given_, strict=True):
        seen = {t for m in streams for t in m.stamps.tolist() if abs(t - time_s) <= 0.11}
        assert 0 <= trial.time_s - time_s <= 0.101
        if any(m.on_samples and time_s in m.stamps for m in streams):
            assert trial.time_s == time_s
        assert trial.time_s in seen
    assert Counter(m.class_ for m in said.marks if m.class_) == Counter(class_ for _, class_, _ in truth)


def test_a_setting_is_suggested_that_maps_as_many_markers_as_can_be() -> None:
    rows = [(f"cue_{name}/{i}",) for i, name in enumerate(["left", "right", "left"])]
    assert suggestion(rows, (), MarkerTable(TABLE).knows) == '--set "markers.pattern=^cue_(.+?)/[0-9]+$"'
    rows = [(f"{i}: trial {name}",) for i, name in enumerate(["left", "right"], 9)]
    assert suggestion(rows, (), MarkerTable(TABLE).knows) == '--set "markers.pattern=^[0-9]+:\\ trial\\ (.+)$"'


def test_what_was_found_out_about_cues_is_said_by_whoever_counts_them() -> None:
    marks = [(101.0 + i, "left") for i in range(3)]
    recording = RecordedStreams(
        Path("a.xdf"), (SIGNAL,), (stream("Cues", marks), stream("Cues", marks)), "", ("a note of the reader",)
    )
    run = labelled(recording, SessionConfig(markers=MarkersSection(table=TABLE)))
    assert notes_of([run]) == (
        "a.xdf: a note of the reader",
        "a.xdf: 3 cues came twice on 'Cues' and are counted once",
    )


def test_every_test_that_the_page_on_cues_names_is_there() -> None:
    root = Path(__file__).parents[2]
    named = set(re.findall(r"\btest_\w+", (root / "docs" / "explanations" / "cues.md").read_text(encoding="utf-8")))
    texts = [path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*.py")]
    there = {name for text in texts for name in re.findall(r"def (test_\w+)", text)}
    assert len(named) > 20
    assert named <= there


def test_idle_between_trials_counts_once_where_two_streams_say_so() -> None:
    marks = [(101.0, "768"), (103.0, "800"), (106.0, "768"), (107.0, "800")]
    recording = RecordedStreams(
        Path("a.xdf"), (SIGNAL,), (stream("cues", marks), stream("also", [(t + 0.04, x) for t, x in marks])), ""
    )
    assert _idle(recording, SessionConfig()) == [(103.0, pytest.approx(106.04))]


def test_a_field_or_pattern_is_for_marker_streams_and_leaves_trigger_channels_as_they_are() -> None:
    words = stream("Cues", [(1.04, '{"event": "left"}')])
    for table in (MarkerTable(TABLE, "event"), MarkerTable(TABLE, "", "event.*: .([a-z]+)")):
        said = found(words, trigger([(1.0, "1")]), table=table)
        assert [(t.time_s, t.class_) for t in said.trials] == [(1.0, "left")]


def test_a_thousand_rejections_among_thousands_of_cues_are_placed_at_once() -> None:
    cues = [(100.0 + 2 * i, "left") for i in range(3000)]
    marks = [(t + 1, "1023") for t, _ in cues[::3]]
    began = time.perf_counter()
    assert len(found(stream("Cues", cues), stream("Marks", marks)).trials) == 2000
    assert time.perf_counter() - began < 3.0  # 0.2 s; before, the square of it
