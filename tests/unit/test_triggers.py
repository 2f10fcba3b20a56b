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
from bci.stream.triggers import MarkerTable, TriggerEdges, canonical_marker, load_markers

INFO = StreamInfo(100.0, (Channel("C3"), Channel("TRIG", "TRIG", "")))


@pytest.mark.parametrize("text", ["2", "2.0", " 2.000000000000000 ", "2e0", "+2"])
def test_a_number_is_the_same_marker_however_it_is_written(text: str) -> None:
    assert MarkerTable({"2": "left"}).class_of(text) == "left"


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


def test_a_marker_is_the_change_to_a_level_and_the_level_at_the_start_is_none() -> None:
    found = TriggerEdges(INFO)(trigger([7, 7, 0, 0, 2, 2, 3, 0, 3]))
    assert found == [("2", 10.04), ("3", 10.06), ("3", 10.08)]


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.lists(st.integers(1, 39), max_size=5))
def test_markers_do_not_depend_on_how_the_stream_is_cut(levels: list[int], places: list[int]) -> None:
    chunk = trigger([float(x) for x in levels])
    edges, found = TriggerEdges(INFO), []
    ends = sorted({0, len(levels), *(p for p in places if p < len(levels))})
    for a, b in pairwise(ends):
        found += edges(Chunk(chunk.data[a:b], chunk.stamps[a:b]))
    assert found == TriggerEdges(INFO)(chunk)


def test_a_stream_without_trigger_channels_has_no_markers() -> None:
    edges = TriggerEdges(StreamInfo(100.0, (Channel("C3"),)))
    assert edges(Chunk(np.ones((3, 1)), np.arange(3.0))) == []
