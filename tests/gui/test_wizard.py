"""The wizard: what it asks for, what it starts, and that going back loses nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from gui_rig import Subject
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from bci.calibration.history import find_recordings, read_history
from bci.calibration.progress_stream import AnsweredPresenter, LslProgressStream
from bci.paradigm.present import Silent, Waiting
from bci.paradigm.protocol import protocols
from bci.stream import keys
from gui.context import Context
from gui.welcome import WelcomeWindow
from gui.wizard.plan import SIMULATED, STREAM, WizardPlan
from gui.wizard.wizard_window import PERSON, PROTOCOL, SIGNAL, TRIALS, VERDICT, WizardWindow

LEFT = Qt.MouseButton.LeftButton
LONG_S = 240.0


@pytest.fixture
def wizard(context: Context, tmp_path: Path) -> WizardWindow:
    """The wizard, open."""
    context.settings.setValue("session/out", str(tmp_path / "recordings"))
    made = context.open("wizard")
    assert isinstance(made, WizardWindow)
    made.resize(1280, 720)
    return made


@pytest.fixture
def progress() -> Iterator[LslProgressStream]:
    """A calibration that is going on somewhere."""
    made = LslProgressStream(subject="P009", session="S001", classes=["left_hand", "right_hand"])
    yield made
    made.close()


def until(qtbot: QtBot, ready: Callable[[], object], timeout_s: float = 30.0) -> None:
    qtbot.waitUntil(lambda: bool(ready()), timeout=round(1000 * timeout_s))


def press(qtbot: QtBot, button: object) -> None:
    qtbot.mouseClick(button, LEFT)


def test_a_plan_becomes_the_commands_that_a_person_would_type() -> None:
    plan = WizardPlan(subject="P007", skill=0.7, seed=4, per_class=6, most_blocks=3, line_hz=60.0, out="here")
    words = " ".join(plan.calibrate_words())
    assert words.startswith(
        "calibrate --protocol short --per-class 6 --most-blocks 3 --instruction imagine --seed 4 --subject P007"
    )
    assert "--set preprocessing.notch_hz=60" in words
    assert "--simulate --skill 0.7 --watched" in words
    assert "--windows" not in words
    amplifier = WizardPlan(amplifier=STREAM, source_id="abc")
    assert "--stream source_id=abc" in " ".join(amplifier.calibrate_words())
    assert amplifier.calibrate_words()[-2:] == ("--windows", "participant")
    assert amplifier.check_words() == ()
    assert "--stream source_id=abc" in " ".join(amplifier.run_words("m", cues=True, participant=True))
    device = WizardPlan(amplifier="cyton", device="port=/dev/ttyUSB0")
    assert "--device --set source.name=cyton --set source.settings.port=/dev/ttyUSB0" in " ".join(device.calibrate_words())
    assert device.check_words() == ("stream", "cyton", "--set", "port=/dev/ttyUSB0")
    resumed = WizardPlan().resume_words(Path("there"), more=True)
    assert resumed[:4] == ("calibrate", "--resume", "there", "--more")


@pytest.mark.parametrize(
    ("plan", "why"),
    [
        (WizardPlan(subject="Anna"), "looks like a name"),
        (WizardPlan(subject="P 1"), "letters or digits"),
        (WizardPlan(amplifier=STREAM), "no stream"),
        (WizardPlan(montage="nowhere.toml"), "no such montage"),
        (WizardPlan(amplifier="cyton", device="port"), "key=value"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(plan: WizardPlan, why: str) -> None:
    assert why in plan.person_problem()


def test_the_next_page_is_not_reached_with_a_name_in_place_of_a_pseudonym(wizard: WizardWindow, qtbot: QtBot) -> None:
    wizard.person.subject.setText("Anna")
    press(qtbot, wizard.next)
    assert wizard.page == PERSON
    assert "looks like a name" in wizard.status.text()


@pytest.mark.parametrize("name", list(protocols()))
def test_every_protocol_is_shown_with_its_trial_its_length_and_its_words(wizard: WizardWindow, name: str) -> None:
    [item] = wizard.protocol.names.findItems(name, Qt.MatchFlag.MatchExactly)
    wizard.protocol.names.setCurrentItem(item)
    assert wizard.plan().protocol == name
    assert "A block has" in wizard.protocol.facts.text()
    assert "“" in wizard.protocol.said.text()
    assert {"cross", "cue", "pause"} <= {bar[0] for bar in wizard.protocol.picture.bars()}


@pytest.mark.live
def test_the_signal_page_shows_the_stream_that_was_chosen_and_what_is_bad(
    wizard: WizardWindow, subject: Callable[..., Subject], qtbot: QtBot
) -> None:
    there = subject(flat=("Oz",))
    until(qtbot, lambda: any(s.source_id == there.info.source_id for s in wizard._context.feed.streams))
    wizard.begin_with(there.info.source_id)
    press(qtbot, wizard.next)
    assert wizard.page == SIGNAL
    until(qtbot, lambda: "1 of 8 channels is bad" in wizard.signal.verdict.text())
    assert wizard._context.launcher.started == []  # the stream is there: nothing is started


@pytest.mark.live
def test_the_welcome_window_leads_to_the_wizard_with_the_stream_that_is_marked(
    context: Context, subject: Callable[..., Subject], qtbot: QtBot
) -> None:
    there = subject()
    welcome = context.open("welcome")
    assert isinstance(welcome, WelcomeWindow)
    until(qtbot, lambda: welcome.streams.count() == 1)
    press(qtbot, welcome.calibrate)
    wizard = context.open("wizard")
    assert isinstance(wizard, WizardWindow)
    assert (wizard.plan().amplifier, wizard.plan().source_id) == (STREAM, there.info.source_id)
    press(qtbot, welcome.wizard)
    assert wizard.plan().amplifier == SIMULATED


@pytest.mark.live
def test_a_calibration_that_goes_on_is_joined_answered_held_and_stopped(
    wizard: WizardWindow, progress: LslProgressStream, qtbot: QtBot
) -> None:
    progress.tell(phase="trials", block=2, blocks=16, done=3, of=10, kept={"left_hand": 7, "right_hand": 6}, rejected=1)

    def shown(text: str) -> bool:
        progress.look()
        return text in wizard.trials.phase.text()

    until(qtbot, lambda: shown("Block 2 of at most 16: 3 of 10 trials"))
    assert wizard.page == TRIALS
    assert "left_hand 7, right_hand 6; 1 rejected" in wizard.trials.detail.text()
    press(qtbot, wizard.back)
    assert (wizard.page, wizard.person.isEnabled(), wizard.protocol.isEnabled()) == (PROTOCOL, False, False)
    press(qtbot, wizard.steps[TRIALS])
    press(qtbot, wizard.trials.hold)
    until(qtbot, lambda: progress.look() == [] and progress.held)
    until(qtbot, lambda: wizard.trials.hold.text() == "Go on")
    press(qtbot, wizard.trials.hold)
    until(qtbot, lambda: progress.look() == [] and not progress.held)
    end_s = time.monotonic() + 20

    def passing() -> None:
        """The operator sees the question, and clicks."""
        assert time.monotonic() < end_s, "nobody answers"
        progress.look()
        qtbot.wait(50)
        button = wizard.trials.answers.get("g")
        if button is not None and wizard.trials.question.text() == "Works: go on?":
            press(qtbot, button)

    assert AnsweredPresenter(Waiting(), progress).ask("Works: go on?", {"s": "stop here", "g": "go on"}, passing) == "g"
    until(qtbot, lambda: progress.look() == [] and not wizard.trials.answers)
    press(qtbot, wizard.trials.stop)
    until(qtbot, lambda: progress.look() == [] and progress.stopped)


@pytest.mark.live
def test_somebody_elses_message_is_not_for_this_calibration(progress: LslProgressStream, context: Context, qtbot: QtBot) -> None:
    heard: list[str] = []

    def told() -> list[str]:
        """Both, again and again: a message that is sent before the two are connected reaches nobody."""
        for to, text in (("another", "not mine"), (progress.id, "mine")):
            context.control.say("note", keys.key_of(progress.id), to=to, text=text)
        heard.extend(progress.look())
        return heard

    until(qtbot, told)
    assert set(heard) == {"mine"}


def test_who_is_asked_in_a_terminal_may_answer_before_a_window(progress: LslProgressStream) -> None:
    assert AnsweredPresenter(Silent(), progress).ask("Go on?", {"g": "go on"}, lambda: None) == "g"


@pytest.mark.live
@pytest.mark.slow
def test_trials_that_are_stopped_are_gone_on_with_after_looking_back(wizard: WizardWindow, tmp_path: Path, qtbot: QtBot) -> None:
    calibration, person = wizard.calibration, wizard.person
    person.skill.setValue(0.95)
    person.seed.setValue(3)
    wizard._reached = PROTOCOL
    wizard.show_page(PROTOCOL)
    wizard.protocol.per_class.setValue(5)
    wizard.protocol.most_blocks.setValue(2)
    press(qtbot, wizard.next)
    until(qtbot, lambda: calibration.trials >= 10, LONG_S)
    press(qtbot, wizard.trials.stop)
    until(qtbot, lambda: calibration.phase == "stopped", LONG_S)
    wizard.refresh()
    assert (wizard.page, wizard.next.text()) == (TRIALS, "Go on with the trials")
    recorded = read_history(find_recordings(tmp_path)).attempts
    assert len(recorded) >= 10
    wizard.show_page(PERSON)
    wizard.show_page(PROTOCOL)
    wizard.refresh()
    assert wizard.next.text() == "Go on with the trials"
    press(qtbot, wizard.next)
    until(qtbot, lambda: wizard.page == VERDICT, LONG_S)
    wizard.refresh()
    result = calibration.result
    assert all(Path(str(result[what])).is_file() for what in ("model", "report"))
    assert sum(result["trials"].values()) == 20
    assert not wizard.verdict.more.isEnabled()  # the protocol has no further block
    assert read_history(find_recordings(tmp_path)).attempts[: len(recorded)] == recorded  # nothing recorded is ever lost
