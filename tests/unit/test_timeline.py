"""Cue timelines: balanced, reproducible, and presented at the right time."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bci.errors import ConfigError
from bci.paradigm.timeline import CLASS_CODES, NAMES, TRIAL_END, cue_code, graz, present, short
from bci.paradigm.trial_times import TrialWindow
from bci.stream.clock import VirtualClock

HANDS = ("left_hand", "right_hand")


@given(
    classes=st.lists(st.sampled_from(sorted(CLASS_CODES)), min_size=1, unique=True),
    trials=st.integers(1, 12),
    block=st.integers(1, 5),
    seed=st.integers(0, 2**32),
)
def test_every_class_comes_equally_often_in_every_block(classes: list[str], trials: int, block: int, seed: int) -> None:
    order = [cue.class_ for cue in short(tuple(classes), trials, seed, block=block).trials]
    size = block * len(classes)
    for first in range(0, len(order), size):
        assert len(set(Counter(order[first : first + size]).values())) == 1
    assert Counter(order) == dict.fromkeys(classes, trials)


def test_same_seed_gives_the_same_timeline_and_another_seed_another() -> None:
    assert graz(HANDS, 10, seed=3) == graz(HANDS, 10, seed=3)
    assert graz(HANDS, 10, seed=3) != graz(HANDS, 10, seed=4)


def test_a_longer_timeline_begins_like_a_shorter_one() -> None:
    few, many = graz(HANDS, 4, seed=1), graz(HANDS, 10, seed=1)
    assert many.cues[: len(few.cues) - 1] == few.cues[:-1]


def test_times_of_a_graz_trial_are_those_of_the_paradigm() -> None:
    timeline = graz(HANDS, 1, seed=0, lead_s=2.0)
    first = [(cue.time_s, cue.code) for cue in timeline.cues[:6]]
    assert first == [(2, 768), (2, 786), (4, 785), (5, timeline.trials[0].code), (6.25, 781), (10, 800)]
    pause_s = timeline.cues[6].time_s - timeline.cues[5].time_s
    assert 0.5 <= pause_s <= 2.5
    assert timeline.cues[-1].code == 1010
    assert timeline.duration_s == timeline.cues[-1].time_s


def test_cues_are_in_order_of_time_and_carry_the_codes_users_know() -> None:
    timeline = short(tuple(CLASS_CODES), 3, seed=5)
    times = [cue.time_s for cue in timeline.cues]
    assert times == sorted(times)
    assert {cue.class_: cue.code for cue in timeline.trials} == CLASS_CODES
    assert (CLASS_CODES["left_hand"], CLASS_CODES["right_hand"]) == (769, 770)
    assert all(cue.name == NAMES[cue.code] and cue.marker == str(cue.code) for cue in timeline.cues)


@pytest.mark.parametrize(
    ("text", "code"),
    [("769", 769), ("769.0", 769), (" 770 right", 770), ("2.000000000000000", 2), ("Left hand", 769), ("trial-end", TRIAL_END)],
)
def test_markers_are_understood_as_code_or_name(text: str, code: int) -> None:
    assert cue_code(text) == code


@pytest.mark.parametrize("text", ["", "hello", "769x", "-1", "2.5", "9" * 50])
def test_other_markers_mean_nothing(text: str) -> None:
    assert cue_code(text) is None


def test_presented_cues_reach_the_marker_stream_on_time() -> None:
    clock, pushed = VirtualClock(100.0), []
    timeline = short(HANDS, 2, seed=0)
    for cue in present(timeline, lambda text, stamp: pushed.append((text, stamp)), clock):
        assert clock.now() == 100.0 + cue.time_s
    assert pushed == [(cue.marker, 100.0 + cue.time_s) for cue in timeline.cues]


def test_leaving_the_loop_ends_the_presentation() -> None:
    pushed: list[str] = []
    for cue in present(short(HANDS, 2, seed=0), lambda text, stamp: pushed.append(text), VirtualClock()):
        if cue.class_:
            break
    assert pushed == ["768", "786", str(cue.code)]


def test_cues_between_two_times_are_each_found_once() -> None:
    timeline = short(HANDS, 2, seed=0)
    steps = [timeline.between(t / 4, (t + 1) / 4) for t in range(200)]
    assert [cue for found in steps for cue in found] == list(timeline.cues)


def test_all_wrong_arguments_are_reported_at_once() -> None:
    with pytest.raises(ConfigError) as error:
        graz(("left_hand", "nose", "left_hand"), 0, seed=-1, block=0, lead_s=float("nan"))
    assert len(error.value.problems) == 6


@pytest.mark.parametrize(("start_s", "stop_s"), [(1, 1), (2, 1), (float("nan"), 1), (0, float("inf"))])
def test_impossible_trial_windows_are_refused(start_s: float, stop_s: float) -> None:
    with pytest.raises(ConfigError, match="trial window"):
        TrialWindow(start_s, stop_s)


def test_length_of_a_trial_window_is_rounded() -> None:
    assert TrialWindow(0.5, 3.5).length(125.0) == 375
