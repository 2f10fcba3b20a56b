"""Windows and the session's key: they sign what they ask for, do not believe what others say, and steer one session."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from gui_rig import Ear, Engine
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from bci.actuation.arming import PATIENCE_S
from bci.stream.keys import FOLDER, KEY, kept, own_key
from bci.stream.lsl import LslTextOutlet, local_clock, this_host
from bci.stream.signing import Checker, Signer
from gui.context import Context
from gui.operator import OperatorWindow
from gui.widgets.guard import guard_state

pytestmark = pytest.mark.live

SESSION_KEY, OTHER_KEY = b"s" * 32, b"o" * 32
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture(autouse=True)
def folder(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys of nobody else."""
    monkeypatch.setenv(FOLDER, str(tmp_path))
    monkeypatch.delenv(KEY, raising=False)


def until(qtbot: QtBot, ready: Callable[[], object], timeout_s: float = 20.0) -> None:
    qtbot.waitUntil(lambda: bool(ready()), timeout=round(1000 * timeout_s))


class Keyed:
    """The guard of a session whose programs have a key."""

    def __init__(self, engine: Engine, key: bytes = SESSION_KEY) -> None:
        self._engine, self._signer = engine, Signer(key, local_clock, this_host())

    def say(self, state: str, **more: object) -> None:
        """A line of the guard, signed."""
        known = {"why": "", "nonce": "n0nce", "actuator": "hand", "good_s": 9.0, "settings": {"settle_s": 2.0}}
        self._engine.state()
        self._engine.texts["guard"].push(self._signer.line("guard", state=state, **{**known, **more}))


def test_a_window_with_the_sessions_key_signs_all_that_it_asks_for_and_that_it_watches(
    context: Context, window: OperatorWindow, engine: Engine, ear: Ear, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY, SESSION_KEY.hex())
    guard = Keyed(engine)
    until(qtbot, lambda: guard.say("disarmed") or context.feed.key == SESSION_KEY)
    qtbot.wait(200)
    ear.heard("watching")
    before = len(ear.texts)
    context.control.note("all well")
    context.control.resume("go on")
    until(qtbot, lambda: ear.heard("note") and ear.heard("resume") and len(ear.texts) > before + 5)
    checker = Checker(SESSION_KEY, local_clock, this_host())
    said = [checker(text, "control") for text in ear.texts[before:]]
    assert all(message.ours for message in said)
    assert {message.kind for message in said} >= {"note", "resume", "watching"}
    assert context.control.problem == ""


def test_a_window_without_the_key_can_stop_disarm_and_pause_and_says_what_to_do_for_the_rest(
    context: Context, window: OperatorWindow, engine: Engine, ear: Ear, qtbot: QtBot
) -> None:
    guard, panel = Keyed(engine), window.panels["guard"]
    panel.token.setText("s3cret")
    until(qtbot, lambda: guard.say("disarmed") or context.control.problem)
    qtbot.wait(200)
    ear.heard("watching")
    before = len(ear.texts)
    for ask in (context.control.resume, context.control.note, context.control.stop):
        ask("word")
    context.control.mark(["C3"], True)
    context.control.freeze("break")
    context.control.disarm("word")
    context.emergency_stop("word")
    until(qtbot, lambda: ear.heard("stop_now"))
    assert {m["kind"] for kind in ("freeze", "disarm", "stop_now") for m in ear.heard(kind)} == {"freeze", "disarm", "stop_now"}
    others = [text for text in ear.texts[before:] if not any(f'"{kind}"' in text for kind in ("freeze", "disarm", "stop_now"))]
    assert others == []
    panel.refresh()
    assert not panel.arm.isEnabled()
    assert panel.doubt.isVisible()
    assert "does not have the key of session" in panel.doubt.text()
    assert "BCI_KEY" in panel.doubt.text()
    assert any("was not sent" in line.text for line in context.feed.log)
    therapist = context.open("therapist")
    therapist.refresh()
    assert "BCI_KEY" in therapist.detail.text()


def test_the_key_of_a_session_is_found_in_its_file(context: Context, engine: Engine, qtbot: QtBot) -> None:
    session = engine.texts["state"].info.source_id.removeprefix("bci-state-")
    with kept(session, SESSION_KEY):
        until(qtbot, lambda: engine.state() or context.feed.session.id == session)
        assert context.feed.key == SESSION_KEY


def test_what_strangers_say_of_the_guard_is_neither_shown_nor_able_to_hide_what_the_host_says(
    context: Context, window: OperatorWindow, engine: Engine, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY, SESSION_KEY.hex())
    guard, forged = Keyed(engine), Keyed(engine, OTHER_KEY)
    until(qtbot, lambda: guard.say("active") or (context.feed.key and guard_state(context)[0] == "active"))
    for _ in range(10):
        forged.say("disarmed", actuator="another")
        forged.say("disarmed")
        engine.guard("disarmed")
    guard.say("active", strangers=3)
    until(qtbot, lambda: context.feed.strangers == 30)
    until(qtbot, lambda: guard.say("active", strangers=3) or context.feed.guard["hand"].strangers == 3)
    assert set(context.feed.guard) == {"hand"}
    assert guard_state(context)[0] == "active"
    window.panels["guard"].refresh()
    assert "33 messages or rows that do not belong to this session were ignored" in window.panels["guard"].doubt.text()
    assert sum("not signed with the key of this session" in line.text for line in context.feed.log) == 1


def test_of_two_sessions_of_one_name_a_window_shows_and_steers_one_and_says_so(
    context: Context, window: OperatorWindow, engine: Engine, qtbot: QtBot
) -> None:
    until(qtbot, lambda: engine.state() or engine.guard("disarmed") or guard_state(context)[0] == "disarmed")
    shown, other = context.feed.session.id, Engine()
    until(qtbot, lambda: other.state() or engine.state() or context.feed.others)
    for _ in range(20):
        other.guard("active", actuator="leg")
        other.state(phase="lost")
        engine.state()
        engine.guard("disarmed")
        qtbot.wait(50)
    assert context.feed.session.id == shown
    assert context.feed.session.phase(context.feed.now()) == "running"
    assert set(context.feed.guard) == {"hand"}
    window.panels["guard"].refresh()
    assert f"This window shows and steers only {shown}" in window.panels["guard"].doubt.text()
    assert sum("further sessions called bci" in line.text for line in context.feed.log) == 1
    other.close()


@pytest.mark.parametrize("state", ["safe", "disarmed"])
def test_a_neutral_that_is_not_confirmed_is_told_loudly_in_every_window(
    context: Context, window: OperatorWindow, engine: Engine, state: str, qtbot: QtBot
) -> None:
    why = "neutral is not confirmed: the device did not answer within 20 ms"
    until(qtbot, lambda: engine.guard(state, why, neutral="NOT CONFIRMED") or guard_state(context)[0] == "unconfirmed")
    panel = window.panels["guard"]
    panel.token.setText("s3cret")
    panel.refresh()
    window.show_chips()
    assert "NEUTRAL NOT CONFIRMED" in panel.state.text()
    assert "may still move" in panel.meaning.text()
    assert "did not answer" in panel.why.text()
    assert context.palette.stop in panel._card.styleSheet()
    assert not panel.arm.isEnabled()
    assert "NEUTRAL NOT CONFIRMED" in window.chips["guard"].text()
    therapist = context.open("therapist")
    therapist.refresh()
    assert therapist.state.text() == "✖ NEUTRAL NOT CONFIRMED"
    assert therapist.state.property("role") == "alarm"
    assert "may still move" in therapist.detail.text()
    assert any(line.level == "bad" and "NOT CONFIRMED" in line.text for line in context.feed.log)
    until(qtbot, lambda: engine.guard(state, neutral="confirmed") or guard_state(context)[0] == state)
    therapist.refresh()
    assert therapist.state.property("role") == "huge"


def test_where_the_stop_is_not_heard_nothing_is_armed_and_the_window_says_that_its_stop_may_not_work(
    context: Context, window: OperatorWindow, engine: Engine, ear: Ear, qtbot: QtBot
) -> None:
    panel = window.panels["guard"]
    panel.token.setText("s3cret")
    until(qtbot, lambda: engine.guard("disarmed") or panel.refresh() or panel.arm.isEnabled())
    qtbot.mouseClick(panel.arm, LEFT)
    until(qtbot, lambda: engine.guard("disarmed") or not context.arming.pending, PATIENCE_S + 5.0)
    assert len(ear.heard("stop_now")) == 1
    assert not ear.heard("arm")
    panel.refresh()
    assert "Not armed" in panel.doubt.text()
    assert "may not work" in panel.doubt.text()


@pytest.mark.parametrize("what", ["another stop", "the own stop"])
def test_in_a_session_with_a_key_it_is_armed_only_once_the_very_stop_of_the_window_was_heard_and_nobody_stopped_meanwhile(
    context: Context, window: OperatorWindow, engine: Engine, ear: Ear, what: str, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY, SESSION_KEY.hex())
    guard, panel = Keyed(engine), window.panels["guard"]
    panel.token.setText("s3cret")
    until(
        qtbot, lambda: guard.say("disarmed", heard={"id": ""}) or panel.refresh() or (context.feed.key and panel.arm.isEnabled())
    )
    qtbot.mouseClick(panel.arm, LEFT)
    until(qtbot, lambda: ear.heard("stop_now"))
    stop = ear.heard("stop_now")[0]
    heard = f"{stop['from']}:{stop['n']}" if what == "the own stop" else "somebody:7"
    until(qtbot, lambda: guard.say("safe", heard={"id": heard}, neutral="confirmed") or not context.arming.pending)
    qtbot.wait(200)
    assert len(ear.heard("arm")) == (what == "the own stop")
    assert ("somebody stopped" in context.arming.line) == (what == "another stop")


def test_an_emergency_stop_ends_an_arming_that_is_under_way(
    context: Context, window: OperatorWindow, engine: Engine, ear: Ear, qtbot: QtBot
) -> None:
    panel = window.panels["guard"]
    panel.token.setText("s3cret")
    until(qtbot, lambda: engine.guard("disarmed") or panel.refresh() or panel.arm.isEnabled())
    qtbot.mouseClick(panel.arm, LEFT)
    context.emergency_stop("Escape key")
    until(qtbot, lambda: len(ear.heard("stop_now")) == 2)
    for n in (1, 2):
        engine.guard("safe", heard={"id": f"unsigned:{n}"}, neutral="confirmed")
        qtbot.wait(200)
    assert not ear.heard("arm")
    assert "stopped meanwhile" in context.arming.line


def test_a_window_that_nobody_hears_says_that_its_stop_does_not_work(
    context: Context, window: OperatorWindow, engine: Engine, qtbot: QtBot
) -> None:
    panel = window.panels["guard"]
    until(qtbot, lambda: engine.guard("disarmed") or panel.refresh() or "its emergency stop does not work" in panel.doubt.text())
    listener = Ear(context)
    until(
        qtbot, lambda: engine.guard("disarmed") or panel.refresh() or "its emergency stop does not work" not in panel.doubt.text()
    )
    listener.close()


def test_streams_that_only_look_like_ours_are_not_shown(
    context: Context, window: OperatorWindow, engine: Engine, qtbot: QtBot
) -> None:
    until(qtbot, lambda: engine.state() or engine.guard("disarmed") or guard_state(context)[0] == "disarmed")
    stranger = LslTextOutlet("bci-guard-2", "BCI-Guard", "somebody")
    until(qtbot, lambda: any(s.source_id == "somebody" for s in context.feed.streams))
    qtbot.wait(500)
    assert not any(s.source_id == "somebody" and context.feed.joined(s.uid) for s in context.feed.streams)
    stranger.close()


def test_an_engine_that_signs_nothing_is_shown_whatever_key_the_user_has(
    context: Context, window: OperatorWindow, engine: Engine, qtbot: QtBot
) -> None:
    own_key("")  # of engines and hosts that were begun by hand
    context.feed.signing.look_for("")
    assert context.feed.key is not None

    def ready() -> bool:
        engine.guard("disarmed", why="not armed yet", actuator="hand")
        return "hand" in context.feed.guard

    until(qtbot, ready)
    assert not context.feed.keyed
    assert context.feed.strangers == 0
