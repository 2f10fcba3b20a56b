"""What windows know of a session, without a window, a stream or a network."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bci.engine.outcome import FILLED, fields
from bci.engine.stream_info import Channel, StreamInfo
from bci.errors import StreamError
from bci.stream import messages as lines
from bci.stream.lsl import FoundStream
from bci.stream.signing import MAC_FIELDS
from gui.feed import Feed
from gui.history import Past
from gui.past import prepend
from gui.replay.values import Difference, Recomputation, Track
from gui.replay.words import heading_words, next_row, note_words, row_words, speed_words, verdict_words
from gui.session_messages import hear
from gui.session_rows import begin_rows, columns_of, take_rows
from gui.stream_choice import is_signal_to_show, is_wanted, session_to_show
from gui.stream_types import is_of_host, session_of


def stream(
    type_: str, source_id: str, name: str = "", uid: str = "", rate_hz: float = 0.0, n_channels: int = 1, host: str = "here"
) -> FoundStream:
    """A stream as discovery finds it."""
    form = "float32" if rate_hz else "string"
    return FoundStream(name or type_, type_, source_id, host, uid or source_id, rate_hz, n_channels, form, None)


def eeg(source_id: str, uid: str = "") -> FoundStream:
    """A signal as discovery finds it."""
    return stream("EEG", source_id, "amplifier", uid, 250.0, 8)


def state_of(session: str) -> FoundStream:
    """The state stream of a session."""
    return stream("BCI-State", f"bci-state-{session}", "bci-state")


def running(feed: Feed, source_id: str = "") -> None:
    """The engine of the session has said that it runs."""
    hear(feed, "BCI-State", "bci-state", lines.line("state", phase="running", source_id=source_id), feed.now())


# --- which streams


def test_a_streams_session_is_told_by_its_source() -> None:
    assert session_of(state_of("4f2a"), "bci") == "4f2a"
    assert session_of(state_of("4f2a"), "other") == ""
    assert session_of(eeg("bci-state-4f2a"), "bci") == ""


@pytest.mark.parametrize(
    ("source_id", "shown", "wanted"),
    [
        ("bci-guard-4f2a", "4f2a", True),
        ("bci-guard-4f2a-hand", "4f2a", True),
        ("bci-guard--hand", "4f2a", True),  # of a host that belongs to no session
        ("bci-guard-77", "4f2a", False),
        ("bci-guard-77", "", True),
        ("somebody", "4f2a", False),
    ],
)
def test_guards_are_shown_of_this_session_and_of_hosts_that_belong_to_none(source_id: str, shown: str, wanted: bool) -> None:
    assert is_of_host(stream("BCI-Guard", source_id, "bci-guard"), "bci", shown) is wanted


def test_the_session_that_is_shown_stays_while_anything_of_it_is_there() -> None:
    feed = Feed()
    assert session_to_show(feed) == ("", ())
    feed.streams = (state_of("b"),)
    assert session_to_show(feed) == ("b", ())
    feed.begin_session("b")
    feed.streams = (state_of("a"), state_of("b"))
    assert session_to_show(feed) == ("b", ("a",))
    feed.keep_to("c")  # it was begun here, and has no streams yet
    assert session_to_show(feed) == ("c", ("a", "b"))


def test_an_engines_streams_are_read_once_it_has_begun() -> None:
    feed = Feed()
    feed.begin_session("a")
    outcomes = stream("BCI-Outcome", "bci-outcomes-a", "bci-outcomes", n_channels=13)
    assert is_wanted(state_of("a"), feed)
    assert not is_wanted(outcomes, feed)
    running(feed)
    assert is_wanted(outcomes, feed)
    assert not is_wanted(stream("BCI-Outcome", "bci-outcomes-b", "bci-outcomes"), feed)


def test_the_only_eeg_is_shown_and_of_several_the_engines_or_the_chosen_one() -> None:
    feed = Feed()
    first, second = eeg("amp-1"), eeg("amp-2")
    feed.streams = (first,)
    assert is_signal_to_show(first, feed)
    feed.streams = (first, second)
    assert not any(is_signal_to_show(s, feed) for s in feed.streams)
    running(feed, source_id="amp-2")
    assert [is_signal_to_show(s, feed) for s in feed.streams] == [False, True]
    feed.choose(first)
    assert [is_signal_to_show(s, feed) for s in feed.streams] == [True, False]


def test_a_signal_that_comes_back_is_shown_again_and_no_other_while_it_is_read() -> None:
    feed = Feed()
    feed.streams = (eeg("amp-1"), eeg("amp-2"))
    feed.signal_stream = eeg("amp-1")
    feed.connected = {"amp-1"}
    assert not any(is_signal_to_show(s, feed) for s in feed.streams)
    feed.connected = set()
    feed.streams = (eeg("amp-1", uid="new"), eeg("amp-2"))
    assert [is_signal_to_show(s, feed) for s in feed.streams] == [True, False]


# --- rows


def test_columns_are_those_of_the_page_of_streams_with_and_without_what_may_follow() -> None:
    header = {"classes": '["left", "right"]', "channels": '["C3", "C4"]'}
    known = fields(2, ("left", "right"))
    assert columns_of("BCI-Outcome", len(known), header) == known
    assert columns_of("BCI-Outcome", len(known) + 1, header) == (*known, FILLED)
    signed = len(lines.DECISION_FIELDS) + len(MAC_FIELDS)
    assert columns_of("BCI-Decision", signed, header) == (*lines.DECISION_FIELDS, *MAC_FIELDS)
    with pytest.raises(StreamError, match="columns; it must have"):
        columns_of("BCI-Timing", 3, header)
    many = json.dumps([str(i) for i in range(70)])
    with pytest.raises(StreamError, match="classes"):
        columns_of("BCI-Timing", len(lines.TIMING_FIELDS), {"classes": many})


def test_rows_that_cannot_be_are_counted_and_left_out() -> None:
    feed = Feed()
    found = stream("BCI-Timing", "bci-timing-a", "bci-timing", n_channels=len(lines.TIMING_FIELDS))
    begin_rows(feed, found, "<info><desc/></info>")
    rows = np.zeros((3, len(lines.TIMING_FIELDS)))
    rows[1, 3] = math.inf
    take_rows(feed, found, rows, np.arange(3.0))
    assert feed.timing is not None
    assert feed.timing.times().tolist() == [0.0, 2.0]
    assert feed.senseless["bci-timing"] == 1
    assert len(feed.log) == 1


# --- texts


def test_cues_teach_what_markers_mean_and_settings_and_bad_channels_follow_events() -> None:
    feed = Feed()
    for kind, more in (
        ("cue", {"class": "left", "code": "769", "stamp": 1.0}),
        ("mask", {"bad": {"C3": "flat"}}),
        ("set", {"decision": {"threshold": 0.7}}),
        ("last", {"values": []}),
    ):
        hear(feed, "BCI-Event", "bci-events", lines.line(kind, consumed=1, **more), 1.0)
    assert feed.meanings == {"769": "left"}
    assert feed.session.bad == {"C3": "flat"}
    assert feed.session.settings == {"threshold": 0.7}
    assert feed.events_total == 3


def test_a_text_that_makes_no_sense_is_told_once_and_counted() -> None:
    feed = Feed()
    for _ in range(3):
        hear(feed, "BCI-State", "bci-state", "{", 1.0)
    assert feed.senseless["bci-state"] == 3
    assert len(feed.log) == 1


def test_another_session_keeps_log_and_markers_and_nothing_else() -> None:
    feed = Feed()
    hear(feed, "Markers", "cues", "769", 1.0)
    hear(feed, "BCI-Event", "bci-events", lines.line("note", text="begin", consumed=1), 1.0)
    feed.begin_session("b")
    assert (len(feed.markers), len(feed.events), feed.events_total) == (1, 0, 0)
    assert any("begin" in line.text for line in feed.log)


# --- the past


def test_the_past_is_put_in_front_of_what_came_live_and_nothing_is_there_twice() -> None:
    feed = Feed()
    info = StreamInfo(0.0, (Channel("marker"),), name="cues", type="Markers", source_id="cues")
    for at in (10.0, 11.0):
        hear(feed, "Markers", "cues", "769", at)
    prepend(feed, Past(info, ["770", "770", "769"], np.array([8.0, 9.0, 10.0])))
    assert [(m.time_s, m.text) for m in feed.markers] == [(8.0, "770"), (9.0, "770"), (10.0, "769"), (11.0, "769")]
    events = replace(info, name="bci-events", type="BCI-Event")
    hear(feed, "BCI-Event", "bci-events", lines.line("note", text="live", consumed=9), 10.0)
    texts = [lines.line("note", text="past", consumed=1), lines.line("note", text="live", consumed=9)]
    prepend(feed, Past(events, texts, np.array([1.0, 10.0])))
    assert [event.text for event in feed.events] == ["past", "live"]


# --- words of a replay


def again(verified: bool | None, *differences: Difference, compared: int = 10) -> Recomputation:
    """A second run of a recording."""
    track = Track((), np.empty(0), np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, 0)))
    identical = compared - sum(d.windows for d in differences)
    return Recomputation(Path("m.safetensors"), track, compared, identical, verified, "summary", differences)


def test_a_second_run_is_told_in_words() -> None:
    two = (Difference(3.0, 4.0, "left", "right", 3), Difference(7.0, 7.0, "left", "nothing"))
    assert verdict_words(None, None) == ("not computed again yet", "muted")
    assert verdict_words(again(True), None) == ("● VERIFIED: summary", "good")
    assert verdict_words(again(False, *two), None) == ("■ NOT VERIFIED: summary", "bad")
    assert heading_words(None) == "Differences"
    assert heading_words(again(None, *two)) == "4 differences in 2 places"
    assert heading_words(again(None, two[1])) == "1 difference"
    assert note_words(again(True)) == "Every recorded outcome came out the same."
    assert note_words(again(None, compared=0)) == "This recording holds no decisions to compare with."
    assert row_words(two[0], 1.0) == ("0:02.0", "1.0 s", "left", "right")
    assert [next_row(two, t, 1) for t in (0.0, 3.0, 7.0)] == [0, 1, None]
    assert [next_row(two, t, -1) for t in (9.0, 7.0, 3.0)] == [1, 0, None]
    assert [speed_words(s) for s in (0.25, 2.0, math.inf)] == ["1/4 ×", "2 ×", "as fast as possible"]
