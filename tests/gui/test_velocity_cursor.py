"""The participant's cursor follows a decoded velocity where there is one."""

from __future__ import annotations

from bci.paradigm.timeline import CROSS, FEEDBACK, HIT, MISS, TRIAL_START
from gui.presentation.cursor import Cursor
from gui.presentation.director import Director
from gui.presentation.settings import PresentationSettings

EVEN = {"left_hand": 0.5, "right_hand": 0.5}


def trial(task: str = "cursor2d") -> Director:
    director = Director(PresentationSettings(task=task))
    for code in (TRIAL_START, CROSS):
        director.cue(code)
    director.cue(770, "right_hand", "Right hand")
    director.cue(FEEDBACK)
    director.evidence(EVEN)
    return director


def test_the_velocity_moves_the_cursor_in_place_of_the_evidence() -> None:
    director = trial()
    director.velocity((0.8, 0.3))
    director.step(0.5)
    scene = director.scene
    assert isinstance(scene, Cursor)
    assert scene.at[0] > scene.at[1] > 0
    director.velocity(None)
    director.step(0.5)
    assert director.scene == scene  # even evidence draws nowhere


def test_it_hits_and_misses_like_evidence_does() -> None:
    for x, code in ((1.0, HIT), (-1.0, MISS)):
        director = trial()
        director.velocity((x, 0.0))
        assert [h for h in (director.step(1 / 60) for _ in range(300)) if h] == [code]


def test_in_one_dimension_only_the_level_part_counts() -> None:
    director = trial("cursor1d")
    director.velocity((0.5, 1.0))
    director.step(0.5)
    scene = director.scene
    assert isinstance(scene, Cursor)
    assert scene.at[0] > 0 == scene.at[1]
