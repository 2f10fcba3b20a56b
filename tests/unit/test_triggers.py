"""Markers mean classes, and trigger channels mean markers."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bci.engine.chunk import Chunk
from bci.engine.stream_info import Channel, StreamInfo
from bci.errors import ConfigError
from bci.stream.markers.trigger_edges import TriggerEdges
from bci.stream.markers.triggers import MarkerTable, canonical_marker, load_markers

INFO = StreamInfo(100.0, (Channel("C3"), Channel("TRIG", "TRIG", "")))


@pytest.mark.parametrize("text", ["2", "2.0", " 2.000000000000000 ", "2e0", "+2"])
def test_a_number_is_the_same_marker_however_it_is_written(text: str) -> None:
    assert MarkerTable({"2": "left"}).class_of(text) == "left"


@pytest.mark.parametrize("text", ["S 1", "S  1", " S\t 1\n", "S  1\0"])
def test_blanks_between_and_around_words_make_no_other_marker(text: str) -> None:
    assert MarkerTable({"S  1": "left"}).class_of(text) == "left"


@pytest.mark.parametrize("text", ["", "20", "2.5", "left", "nan", "2_0"])
def test_what_is_not_in_the_table_is_no_cue(text: str) -> None:
    assert MarkerTable({"2": "left", "20.5": "right"}).class_of(text) == ""


def test_large_codes_stay_exact() -> None:
    assert canonical_marker("33554433.0") == "33554433"


def test_several_markers_may_mean_one_class() -> None:
    table = MarkerTable({"1": "left", "769": "left", "2": "right"})
    assert table.classes == ("left", "right")
    assert table.texts == ("1", "769", "2")


def test_one_marker_cannot_mean_two_classes() -> None:
    with pytest.raises(ConfigError, match="already stands for 'left'"):
        MarkerTable({"2": "left", "2.0": "right"})


def test_a_marker_file_is_read_and_its_faults_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "markers.toml"
    path.write_text('"2" = "left"\n"3" = "right"\n', encoding="utf-8")
    assert load_markers(path).class_of("3.0") == "right"
    path.write_text('"2" = 5\n"3" = ""\n', encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load_markers(path)
    assert len(error.value.problems) == 2


def trigger(levels: list[float]) -> Chunk:
    data = np.stack([np.zeros(len(levels)), np.array(levels)], axis=1)
    return Chunk(data, 10 + np.arange(len(levels)) / 100)


def markers(levels: list[float], info: StreamInfo = INFO) -> list[tuple[str, float]]:
    edges = TriggerEdges(info)
    return [*edges(trigger(levels)), *edges.finish()]


def test_a_marker_is_the_change_to_a_level_and_the_level_at_the_start_is_none() -> None:
    assert markers([7, 7, 0, 0, 2, 2, 2, 3, 0, 3]) == [("2", 10.04), ("3", 10.07), ("3", 10.09)]


@pytest.mark.parametrize(
    ("levels", "codes"),
    [
        ([0, 1, 3, 3, 3, 3, 0], ["3"]),  # lines rise one sample apart
        ([0, 1, 1, 3, 3, 3, 3, 0], ["3"]),  # two samples
        ([0, 3, 3, 3, 3, 1, 0, 0], ["3"]),  # they fall so
        ([0, 1, 1, 3, 2, 2, 0], ["3"]),  # lines that are up for three samples, two samples apart
        ([0, 1, 3, 1, 0], ["3"]),  # and both in a pulse of one sample
        ([0, 3, 3, 3, 7, 4, 4, 4, 0], ["3", "4"]),  # from one code to another without rest
        ([0, 3, 3, 3, 0, 4, 4, 4, 0], ["3", "4"]),
        ([0, 1, 0, 1, 0, 2, 0], ["1", "1", "2"]),  # pulses of one sample
        ([0, 5, 5, 5, 4, 5, 5, 5, 0], ["5"]),  # a line drops out for a sample
        ([0, 2, 2, 2, 2, 1, 1, 1, 0], ["2", "1"]),
    ],
)
def test_lines_of_a_port_that_change_one_after_the_other_are_one_marker(levels: list[float], codes: list[str]) -> None:
    found = markers(levels)
    assert [text for text, _ in found] == codes
    assert found[0][1] == 10.01


def test_a_button_that_is_pressed_while_a_code_is_held_does_not_make_it_a_new_one() -> None:
    held = [0.0] * 5 + [1.0] * 30 + [65.0] * 20 + [1.0] * 40 + [0.0] * 5
    assert markers(held) == [("1", 10.05), ("65", 10.35)]
    assert [code for code, _ in markers([*held, *held])] == ["1", "65", "1", "65"]
    # What is up for longer than a second is a level of its own, and so is one without the lines that were up before.
    assert [code for code, _ in markers([0.0] * 5 + [1.0] * 30 + [65.0] * 150 + [1.0] * 40)] == ["1", "65", "1"]
    assert [code for code, _ in markers([0.0] * 5 + [1.0] * 30 + [2.0] * 20 + [1.0] * 40)] == ["1", "2", "1"]


def test_biosemi_status_holds_the_code_in_its_low_bits_and_open_inputs_are_none_of_it() -> None:
    info = StreamInfo(100.0, (Channel("C3"), Channel("Status", "TRIG", "")))
    for base in (0x110000, 0x100000, 0x11FF00):
        levels = [base, base, base | 1, base | 1, base | 1, base, base | 2, base | 2, base | 2, base | 0x400000]
        assert [text for text, _ in markers(levels, info)] == ["1", "2"]
    held = [0x110007, 0x110007, 0x110000, 0x110000, 0x110007, 0x110007, 0x110007, 0x110000]  # recording began in a pulse
    assert markers(held, info) == [("7", 10.04)]


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.lists(st.integers(1, 39), max_size=5))
def test_markers_do_not_depend_on_how_the_stream_is_cut(levels: list[int], places: list[int]) -> None:
    chunk = trigger([float(x) for x in levels])
    edges, found = TriggerEdges(INFO), []
    ends = sorted({0, len(levels), *(p for p in places if p < len(levels))})
    for a, b in pairwise(ends):
        found += edges(Chunk(chunk.data[a:b], chunk.stamps[a:b]))
    assert [*found, *edges.finish()] == markers([float(x) for x in levels])


def test_a_stream_without_trigger_channels_has_no_markers() -> None:
    edges = TriggerEdges(StreamInfo(100.0, (Channel("C3"),)))
    assert edges(Chunk(np.ones((3, 1)), np.arange(3.0))) == []


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e308])
def test_what_is_no_number_is_no_level(value: float) -> None:
    assert markers([0, 0, 0, value, value, value, value, 0, 0, 5, 5, 5, 5]) == [("5", 10.09)]
