"""What the participant sees: scenes painted into pictures, and the window over real streams."""

from __future__ import annotations

import json
import os
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from connections import connected, cut
from gui_rig import Ear, Engine
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from text_sender import text_sender

from bci.errors import ConfigError, StreamLost
from bci.paradigm.timeline import BEEP, CROSS, FEEDBACK, HIT, MISS, OFF, TRIAL_END, TRIAL_START
from bci.stream import messages
from bci.stream.lsl import LslMarkerInlet, LslTextOutlet, StreamQuery, local_clock, resolve
from bci.stream.metadata import bci_fields
from gui import theme
from gui.context import Context
from gui.emergency import EmergencyKeys
from gui.participant import ParticipantWindow
from gui.presentation import blind, settings
from gui.presentation.cues import Arrow, PictureCue, Word, cue_for
from gui.presentation.cursor import Cursor
from gui.presentation.director import Director
from gui.presentation.displays import choose, complaint
from gui.presentation.graz import Graz
from gui.presentation.instruction_page import InstructionPage
from gui.presentation.neurofeedback import Thermometer
from gui.presentation.patch import Patch
from gui.presentation.scene import Scene, SceneColours
from gui.presentation.settings import PresentationSettings
from gui.presentation.streams import MessageListener
from gui.presentation.surface import FrameCounter, paint

LOOK = SceneColours.of(theme.LIGHT)
SIZE = (640, 400)


def picture(scene: Scene, patch: Patch | None = None, size: tuple[int, int] = SIZE) -> npt.NDArray[np.uint8]:
    """A scene as pixels, shape (height, width, 3)."""
    image = QImage(*size, QImage.Format.Format_RGB888)
    paint(QPainter(image), QRectF(image.rect()), scene, patch or Patch(), LOOK)
    pixels = np.frombuffer(image.constBits(), np.uint8).reshape(size[1], image.bytesPerLine())
    return pixels[:, : 3 * size[0]].reshape(size[1], size[0], 3).copy()


def of_colour(pixels: npt.NDArray[np.uint8], name: str) -> npt.NDArray[np.bool_]:
    colour = QColor(name)
    return np.asarray((pixels == (colour.red(), colour.green(), colour.blue())).all(axis=2))


def centre_of(mask: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Middle of what is set, relative to the middle of the picture: to the right, downwards."""
    y, x = np.nonzero(mask)
    return float(x.mean()) - SIZE[0] / 2, float(y.mean()) - SIZE[1] / 2


# --- scenes


@pytest.mark.usefixtures("qapp")
@pytest.mark.parametrize(("class_", "x", "y"), [("left_hand", -1, 0), ("right_hand", 1, 0), ("feet", 0, 1), ("tongue", 0, -1)])
def test_an_arrow_points_where_the_class_is(class_: str, x: int, y: int) -> None:
    at = centre_of(of_colour(picture(Graz(cross=False, cue=cue_for("arrows", class_, ""))), LOOK.ink))
    assert np.sign(np.round(at, -1)).tolist() == [x, y]


@pytest.mark.usefixtures("qapp")
def test_the_bar_is_as_long_as_the_evidence_and_on_its_side() -> None:
    lengths = [of_colour(picture(Graz(False, None, (x, 0.0))), LOOK.bar).any(axis=0).sum() for x in (0.0, 0.25, 0.5, 1.0)]
    assert lengths[0] == 0
    assert np.allclose(np.array(lengths[1:]) / lengths[3], (0.25, 0.5, 1.0), atol=0.02)
    assert centre_of(of_colour(picture(Graz(False, None, (-0.5, 0.0))), LOOK.bar))[0] < 0


@pytest.mark.usefixtures("qapp")
def test_a_scene_is_a_function_of_its_state_alone() -> None:
    arrow, cursor = Graz(True, Arrow((1.0, 0.0)), (0.3, 0.0)), Cursor((0.2, 0.1), ((1.0, 0.0), (-1.0, 0.0)), (1.0, 0.0))
    scenes: list[Scene] = [
        InstructionPage("Sit still.", "Enter: go on"),
        arrow,
        Graz(True, Word("Music")),
        cursor,
        Thermometer(0.4),
    ]
    pictures = [picture(scene) for scene in scenes]
    assert all((picture(scene) == first).all() for scene, first in zip(scenes, pictures, strict=True))
    assert len({p.tobytes() for p in pictures}) == len(scenes)


@pytest.mark.usefixtures("qapp")
def test_text_of_strangers_is_shown_as_the_text_it_is() -> None:
    inked = {text: of_colour(picture(InstructionPage(text)), LOOK.ink).sum() for text in ("<b>hi</b>", "hi")}
    assert inked["<b>hi</b>"] > inked["hi"] * 2


@pytest.mark.usefixtures("qapp")
@pytest.mark.parametrize("size", [(320, 240), (1280, 720), (2560, 1440), (1080, 1920)])
def test_a_long_instruction_fits_on_every_display(size: tuple[int, int]) -> None:
    text = "Imagine the movement as you would feel it, from the cue on, until the cross goes away. Do not move. " * 5
    inked = of_colour(picture(InstructionPage(text, "Enter: go on"), size=size), LOOK.ground)
    assert inked[[0, -1]].all()
    assert inked[:, [0, -1]].all()


@pytest.mark.usefixtures("qapp")
def test_a_class_without_arrow_or_picture_is_a_word_and_a_folder_cannot_be_left(tmp_path: Path) -> None:
    QImage(8, 4, QImage.Format.Format_RGB888).save(str(tmp_path / "music.png"))
    (tmp_path / "in").mkdir()
    assert cue_for("pictures", "music", "Music", str(tmp_path)) == PictureCue(str(tmp_path / "music.png"))
    assert cue_for("pictures", "../music", "", str(tmp_path / "in")) == Word("../music")
    assert cue_for("pictures", "feet", "Feet", str(tmp_path)) == Word("Feet")
    assert cue_for("arrows", "music", "", "") == Word("music")


@pytest.mark.usefixtures("qapp")
@pytest.mark.parametrize("corner", ["top-left", "top-right", "bottom-left", "bottom-right"])
def test_the_photodiode_patch_is_white_with_a_cue_and_black_without(corner: str) -> None:
    pixels = {bright: picture(Graz(), Patch(corner, bright)) for bright in (True, False)}
    y, x = -2 if corner.startswith("bottom") else 1, -2 if corner.endswith("right") else 1
    assert pixels[True][y, x].tolist() == [255, 255, 255]
    assert pixels[False][y, x].tolist() == [0, 0, 0]


@pytest.mark.usefixtures("qapp")
def test_a_target_that_was_hit_is_told_by_a_sign_too() -> None:
    targets = ((-1.0, 0.0), (1.0, 0.0))
    hit = picture(Cursor((1.0, 0.0), targets, (1.0, 0.0), "hit", "✓"))
    assert of_colour(hit[: SIZE[1] // 2, 240:400], LOOK.ink).any()


# --- who decides what is seen


def trial(director: Director, class_: str = "left_hand", code: int = 769) -> None:
    for one, name in ((TRIAL_START, ""), (CROSS, ""), (code, class_), (FEEDBACK, "")):
        director.cue(one, name, name)


def test_a_trial_goes_from_cross_to_cue_to_feedback_to_nothing() -> None:
    director = Director(PresentationSettings())
    director.evidence({"left_hand": 0.9, "right_hand": 0.1})
    seen = []
    for code, class_ in (
        (TRIAL_START, ""),
        (CROSS, ""),
        (BEEP, ""),
        (769, "left_hand"),
        (FEEDBACK, ""),
        (769 + OFF, ""),
        (TRIAL_END, ""),
    ):
        director.cue(code, class_)
        director.step(1.0)
        seen.append(director.scene)
    empty, cross, beep, cue, fed, without, end = seen
    assert empty == end == Graz(False)
    assert cross == beep == Graz(True)
    assert cue == Graz(True, Arrow((-1.0, 0.0)))
    assert isinstance(fed, Graz)
    assert fed.bar == pytest.approx((-0.8, 0.0), abs=0.01)
    assert fed.cue == Arrow((-1.0, 0.0))
    assert without == Graz(True, None, fed.bar)


def test_without_fresh_evidence_there_is_no_bar() -> None:
    director = Director(PresentationSettings())
    trial(director)
    director.evidence({})
    director.step(0.1)
    assert director.scene == Graz(True, Arrow((-1.0, 0.0)))


def test_instructions_stay_until_the_next_trial_and_questions_say_how_to_answer() -> None:
    director = Director(PresentationSettings())
    director.cue(CROSS)
    director.say("Block 1")
    director.say("Sit still.")
    assert director.scene == InstructionPage("Block 1\nSit still.")
    director.ask("Ready?", "Enter: go on")
    assert director.scene == InstructionPage("Ready?", "Enter: go on")
    director.answered()
    assert director.scene == InstructionPage()
    director.cue(TRIAL_START)
    assert director.scene == Graz(False)


@pytest.mark.parametrize(("right", "code"), [(0.95, HIT), (0.05, MISS)])
def test_evidence_moves_the_cursor_into_the_target_it_belongs_to_once(right: float, code: int) -> None:
    director = Director(PresentationSettings(task="cursor1d"))
    trial(director, "right_hand", 770)
    director.evidence({"left_hand": 1 - right, "right_hand": right})
    happened = [director.step(1 / 60) for _ in range(300)]
    assert [h for h in happened if h] == [code]
    assert isinstance(director.scene, Cursor)
    assert director.scene.result == ("hit" if code == HIT else "miss")


def test_a_cursor_in_two_dimensions_reaches_a_target_below() -> None:
    director = Director(PresentationSettings(task="cursor2d"))
    trial(director, "feet", 771)
    director.evidence({"left_hand": 0.02, "right_hand": 0.02, "feet": 0.96})
    assert HIT in [director.step(1 / 60) for _ in range(300)]


def test_neurofeedback_follows_the_chosen_class_and_is_empty_without_evidence() -> None:
    director = Director(PresentationSettings(task="neurofeedback", class_="rest"))
    director.free()
    director.step(1.0)
    assert director.scene == Thermometer(None, 0.5)
    director.evidence({"left": 0.3, "rest": 0.7})
    for _ in range(60):
        director.step(0.05)
    assert director.scene == Thermometer(0.7, 0.5)


def test_a_cue_that_nobody_ends_goes_away_by_itself() -> None:
    director = Director(PresentationSettings())
    director.cue(0, "left_hand")
    assert director.cued
    for _ in range(140):
        director.step(0.05)
    assert not director.cued


def test_frames_that_were_not_there_in_time_are_counted() -> None:
    pace = FrameCounter(1 / 60)
    assert [pace.dropped(t) for t in (0.0, 0.0167, 0.0335, 0.0850, 0.1)] == [0, 0, 0, 2, 0]


# --- who gets which feedback


def test_blind_assignment_is_even_can_be_repeated_and_is_sealed() -> None:
    drawn = [blind.assign("blind", "sham", "", seed) for seed in range(400)]
    assert 150 < sum(a.mode == "sham" for a in drawn) < 250
    assert drawn == [blind.assign("blind", "sham", "", seed) for seed in range(400)]
    assert all(blind.opened(a.sealed()) == a for a in drawn[:20])
    assert not any(word in a.sealed() for a in drawn for word in ("sham", "real"))


def test_sham_feedback_follows_its_seed_and_nothing_that_was_decoded() -> None:
    def course(seed: int, left: float) -> list[float]:
        sham = blind.Sham(seed)
        return [sham({"left": left, "right": 1 - left}, 0.04)["left"] for _ in range(2000)]

    assert course(1, 0.9) == course(1, 0.1)
    assert course(1, 0.9) != course(2, 0.9)
    x = np.array(course(1, 0.9))
    assert 0.0 < x.min() < 0.25
    assert 0.75 < x.max() < 1.0
    assert 0.35 < x.mean() < 0.65
    assert np.corrcoef(x[1:], x[:-1])[0, 1] > 0.9


def test_yoked_feedback_is_what_somebody_else_saw_at_their_pace() -> None:
    yoked = blind.Yoked(np.array([5.0, 5.1, 5.2]), np.array([[0.2, 0.8], [0.6, 0.4], [0.9, 0.1]]), ("left", "right"))
    shown = [yoked({"left": 0.5, "right": 0.5}, 0.06)["left"] for _ in range(4)]
    assert shown == [0.2, 0.6, 0.6, 0.2]


def test_wrong_settings_are_refused_all_at_once() -> None:
    words = {"task": "golf", "feedback": "yoked", "delay_ms": 5000}
    with pytest.raises(ConfigError) as caught:
        settings.read(lambda key: None, {settings.ENVIRONMENT: json.dumps(words)})
    assert len(caught.value.problems) == 3


# --- the window


class Stage:
    """A presenter on LSL, and what the window says."""

    def __init__(self) -> None:
        self.id = uuid.uuid4().hex[:12]
        self._outlet = LslTextOutlet("bci-stage", "BCI-Stage", f"bci-stage-{self.id}")
        self._inlet: LslMarkerInlet | None = None
        self.said: list[tuple[dict[str, Any], float]] = []

    def join(self) -> dict[str, str]:
        """Listen to the window; its header. True once it listens to us."""
        self._inlet = LslMarkerInlet(resolve(StreamQuery(source_id=f"bci-screen-{self.id}"), 5.0, settle_s=0))
        return bci_fields(self._inlet.header_xml)

    def listened(self) -> bool:
        return self._outlet.has_consumers

    def say(self, kind: str, **fields: object) -> None:
        self._outlet.push(messages.line(kind, **fields))

    def heard(self, kind: str) -> list[tuple[dict[str, Any], float]]:
        if self._inlet is not None:
            with suppress(StreamLost):  # all that it said comes first
                self.said += [(messages.parse(text, "screen"), stamp) for text, stamp in self._inlet.pull(0.0)]
        return [one for one in self.said if one[0]["kind"] == kind]

    def close(self) -> None:
        self._outlet.close()
        if self._inlet is not None:
            self._inlet.close()


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    made = Stage()
    words = {"id": made.id, "patch": "top-left", "delay_ms": 7.5, "delay_sd_ms": 0.4, "full": False}
    monkeypatch.setenv(settings.ENVIRONMENT, json.dumps(words))
    yield made
    made.close()


def until(qtbot: QtBot, ready: Callable[[], object], timeout_s: float = 8.0) -> None:
    qtbot.waitUntil(lambda: bool(ready()), timeout=round(1000 * timeout_s))


def opened(context: Context, qtbot: QtBot) -> ParticipantWindow:
    window = context.open("participant")
    assert isinstance(window, ParticipantWindow)
    window.resize(*SIZE)
    until(qtbot, lambda: window.voice is not None)
    return window


def seen(window: ParticipantWindow) -> npt.NDArray[np.uint8]:
    image = window.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    pixels = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return pixels[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()


@pytest.mark.live
def test_a_presenters_cue_is_seen_and_its_frame_stamped_with_the_measured_delay(
    context: Context, stage: Stage, qtbot: QtBot
) -> None:
    window = opened(context, qtbot)
    header = stage.join()
    assert (header["delay_s"], header["delay_sd_s"], header["delay_from"]) == ("0.0075", "0.0004", "photodiode")
    assert header["stamped"] == "after the paint event"
    until(qtbot, stage.listened)
    sent = local_clock()
    stage.say("cue", number=1, code=CROSS)
    stage.say("cue", number=2, code=770, **{"class": "right_hand", "text": "Right hand"})
    until(qtbot, lambda: len(stage.heard("shown")) == 2)
    got = local_clock()
    assert [m["number"] for m, _ in stage.heard("shown")] == [1, 2]
    assert all(sent + 0.0075 < stamp < got + 0.0075 for _, stamp in stage.heard("shown"))
    assert centre_of(of_colour(seen(window), LOOK.ink))[0] > 10
    assert seen(window)[1, 1].tolist() == [255, 255, 255]


@pytest.mark.live
@pytest.mark.parametrize("how", ["enter", "letter", "click"])
def test_a_question_is_answered_by_enter_by_its_letter_or_by_a_click(
    context: Context, stage: Stage, how: str, qtbot: QtBot
) -> None:
    window = opened(context, qtbot)
    stage.join()
    until(qtbot, stage.listened)
    stage.say("ask", number=5, text="Go on?", choices={"g": "go on", "s": "stop"})
    until(qtbot, lambda: window.director.scene == InstructionPage("Go on?", "Enter: go on      s: stop"))
    if how == "click":
        qtbot.mouseClick(window, Qt.MouseButton.LeftButton)
    else:
        qtbot.keyClick(window, Qt.Key.Key_Return if how == "enter" else Qt.Key.Key_S)
    until(qtbot, lambda: stage.heard("answer"))
    assert stage.heard("answer")[0][0]["choice"] == ("s" if how == "letter" else "g")
    window.answer()
    qtbot.wait(100)
    assert len(stage.heard("answer")) == 1


@pytest.mark.live
def test_the_bar_follows_the_evidence_of_the_session_and_goes_when_it_is_silent(
    context: Context, engine: Engine, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(settings.ENVIRONMENT, '{"full": false}')
    window = opened(context, qtbot)
    cues = LslTextOutlet("cues", "Markers", f"cues-{uuid.uuid4().hex[:8]}")
    feed = context.feed

    def heard() -> bool:
        engine.state()  # as every second of a session
        return feed.outcomes is not None and any(feed.joined(s.uid) for s in feed.streams if s.type == "Markers")

    until(qtbot, heard)
    for code in (TRIAL_START, CROSS, 769, FEEDBACK):
        cues.push(str(code))

    def shown(p: float) -> float:
        engine.decide(500, p, local_clock())
        scene = window.director.scene
        return scene.bar[0] if isinstance(scene, Graz) and scene.bar is not None else 0.0

    until(qtbot, lambda: shown(0.9) < -0.7)
    until(qtbot, lambda: shown(0.2) > 0.5)
    until(qtbot, lambda: isinstance(window.director.scene, Graz) and window.director.scene.bar is None)
    cues.close()


@pytest.mark.live
def test_blind_feedback_is_sealed_first_told_at_the_end_and_never_in_the_operators_log(
    context: Context, stage: Stage, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(settings.ENVIRONMENT, json.dumps({"id": stage.id, "feedback": "blind", "full": False}))
    window = opened(context, qtbot)
    stage.join()
    until(qtbot, stage.listened)
    assert window.voice is not None
    stage.say("end")
    until(qtbot, lambda: stage.heard("unblinded"))
    told = stage.heard("unblinded")[0][0]
    assert told["mode"] in ("real", "sham")
    assert told["blind"] is True
    assert not any(word in line.text for line in context.feed.log for word in ("sham", "unblinded", told["mode"]))
    until(qtbot, lambda: not window.isVisible())


@pytest.mark.live
def test_another_refresh_rate_than_expected_is_said_on_the_display_and_on_record(
    context: Context, stage: Stage, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(settings.ENVIRONMENT, json.dumps({"id": stage.id, "refresh_hz": 144, "full": False}))
    window = opened(context, qtbot)
    assert stage.join()["expected_hz"] == "144"
    scene = window.director.scene
    assert isinstance(scene, InstructionPage)
    assert "not at 144 Hz" in scene.text
    assert any("144" in line.text and line.level == "warn" for line in context.feed.log)


@pytest.mark.usefixtures("qapp")
def test_a_display_is_chosen_by_number_or_name_and_its_refresh_rate_is_checked(qapp: QApplication) -> None:
    screen = qapp.primaryScreen()
    assert choose("1", [screen], screen) is choose("", [screen], screen) is screen
    with pytest.raises(ConfigError, match="no such display"):
        choose("9", [screen], screen)
    assert not complaint(screen, 0.0)
    assert not complaint(screen, screen.refreshRate() - 0.06)
    assert complaint(screen, screen.refreshRate() + 15)


@pytest.mark.live
@pytest.mark.parametrize("key", [Qt.Key.Key_Escape, Qt.Key.Key_Space])
def test_the_emergency_stop_works_from_the_participants_window(
    context: Context, ear: Ear, qapp: QApplication, key: Qt.Key, qtbot: QtBot, stage: Stage
) -> None:
    keys = EmergencyKeys(context.emergency_stop)
    qapp.installEventFilter(keys)
    try:
        window = opened(context, qtbot)
        qtbot.keyClick(window.windowHandle(), key)
        until(qtbot, lambda: len(ear.heard("stop_now")) == 1)
    finally:
        qapp.removeEventFilter(keys)


@pytest.mark.live
def test_lines_of_a_presenter_that_make_no_sense_change_nothing(context: Context, stage: Stage, qtbot: QtBot) -> None:
    window = opened(context, qtbot)
    stage.join()
    until(qtbot, stage.listened)
    stage._outlet.push("no json")
    for wrong in ({"number": "x", "code": "y"}, {"code": None}, {"code": 1e30}):
        stage.say("cue", **wrong)
    stage.say("ask", number=[], choices=5)
    stage.say("cue", number=9, code=CROSS)
    until(qtbot, lambda: any(m["number"] == 9 for m, _ in stage.heard("shown")))
    assert window.director.scene == Graz(True)


@pytest.mark.skipif(sys.platform != "linux", reason="another process's sockets can be taken on Linux only")
@pytest.mark.live
def test_a_presenter_is_heard_again_after_its_connection_broke(qtbot: QtBot) -> None:
    with text_sender("bci-stage", "BCI-Stage", f"bci-stage-{uuid.uuid4().hex[:8]}") as presenter:
        ear = MessageListener(lambda text, _: text)
        ear.hear(resolve(StreamQuery(type="BCI-Stage"), 10.0, settle_s=0))
        until(qtbot, lambda: connected(presenter.pid, os.getpid()))
        for k in range(3):
            presenter.say(f"cue {k}")
            until(qtbot, lambda k=k: ear.messages() == [f"cue {k}"])  # type: ignore[misc]
            assert cut(presenter.pid, os.getpid()) == 1
            until(qtbot, lambda: connected(presenter.pid, os.getpid()))
        assert not ear.lost
    until(qtbot, lambda: ear.lost)
    ear.close()
