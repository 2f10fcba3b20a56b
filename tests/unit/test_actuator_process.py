"""How an actuator host is begun: whom it believes, what watches over it, and the person at its terminal."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import pytest
from guard_parts import HostRig, Recorded

from bci.actuation.host import ActuatorHost, HostStreams
from bci.actuation.process import (
    SESSION_S,
    TOKEN,
    ActuatorJob,
    Keyboard,
    _limits,
    _wait_for_recorder,
    event_of,
    key_for,
    offset_for,
    open_actuator,
    run_host,
)
from bci.engine import guard as g
from bci.engine.pace import PaceSettings
from bci.errors import PluginError
from bci.stream import keys

pytestmark = pytest.mark.live

KEY = bytes(range(32))


def job(**more) -> ActuatorJob:
    return ActuatorJob("log", {}, {}, g.GuardSettings(), PaceSettings(), **more)


@pytest.fixture
def environment(tmp_path, monkeypatch) -> pytest.MonkeyPatch:
    """No key and no token, and a folder of its own for keys."""
    for name in (keys.KEY, TOKEN):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(keys.FOLDER, str(tmp_path / "keys"))
    return monkeypatch


def test_a_host_of_a_session_has_the_sessions_key(environment):
    environment.setenv(keys.KEY, KEY.hex())
    environment.setenv(TOKEN, "token")
    assert key_for(job(session="abc")) == KEY


def test_a_host_with_a_token_and_no_key_believes_everybody_as_the_program_that_began_it_has_none(environment):
    environment.setenv(TOKEN, "token")
    assert key_for(job()) is None


def test_a_host_begun_by_hand_shares_a_key_file_that_only_its_owner_can_read(environment):
    key = key_for(job())
    assert key is not None
    assert key == key_for(job()) == keys.key_of("")
    assert os.stat(keys.keys_folder() / "by-hand.key").st_mode & 0o077 == 0


def test_a_host_that_is_to_believe_everybody_takes_no_key(environment):
    environment.setenv(keys.KEY, KEY.hex())
    assert key_for(job(unsigned=True)) is None


def test_a_supervised_host_doubts_after_a_second_of_silence_unless_another_limit_is_set():
    assert _limits(job()).session_s == 0.0
    assert _limits(job(supervised=True)).session_s == SESSION_S == 1.0
    limits = g.GuardSettings(session_s=3.0)
    assert _limits(ActuatorJob("log", {}, {}, limits, PaceSettings(), supervised=True)).session_s == 3.0


def test_on_this_computer_no_stream_is_asked_for_its_clock_and_elsewhere_it_is():
    class Forged:
        def time_correction(self, timeout_s):
            return 0.0, -3600.0

    assert offset_for(job())(Forged()) == 0.0
    assert offset_for(job(engine_host="lab2"))(Forged()) == -3600.0


@pytest.mark.parametrize("typed", ["", "stop", "ARM!", "a r m", "disarm now", "\x1b[A", "\ud800"])
def test_whatever_is_typed_at_the_host_and_not_understood_stops(typed):
    assert isinstance(event_of(typed), g.EmergencyStop)


def test_arm_and_disarm_are_understood():
    assert (event_of("arm"), event_of("disarm")) == (g.Arm("keyboard"), g.Disarm("keyboard"))


def test_an_actuator_that_nobody_registered_is_told_with_those_there_are():
    with pytest.raises(PluginError, match="log"):
        open_actuator("toaster", {})


@pytest.mark.parametrize("fails", [False, True], ids=["ends as asked", "fails"])
def test_a_host_closes_its_streams_and_its_actuator_however_it_ends(fails, environment):
    closed, actuator, streams = [], Recorded(), HostRig().host._streams

    def run(host, stopped):
        if fails:
            raise RuntimeError("the host failed")
        return "done"

    environment.setattr("bci.actuation.process._open_streams", lambda *_: streams)
    environment.setattr(HostStreams, "close", lambda self: closed.append(self))
    environment.setattr(ActuatorHost, "run", run)
    with pytest.raises(RuntimeError, match="the host failed") if fails else nullcontext():
        assert run_host(job(unsigned=True), SimpleNamespace(at_once=lambda *_: nullcontext()), actuator=actuator) == "done"
    assert closed == [streams]
    assert actuator.told[-1] == "closed"


def test_a_host_waits_ten_seconds_for_the_recorder_of_what_it_sends_and_of_its_state(monkeypatch):
    streams, stop, asked = HostRig().host._streams, object(), []
    monkeypatch.setattr("bci.actuation.process.unrecorded", lambda *given: asked.extend(given[:4]))
    _wait_for_recorder(streams, None, stop)
    assert asked == [{"commands": streams.commands, "guard": streams.guard}, None, 10.0, stop]


@contextmanager
def terminal(keys: int | None = None) -> Iterator[tuple[Keyboard, int, int]]:
    """The person's ends of a terminal: where is typed, if not at ``keys``, and what is shown there."""
    typed, types = os.pipe()
    shown, shows = os.pipe()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", SimpleNamespace(fileno=lambda: typed if keys is None else keys))
        patch.setattr(sys, "stderr", SimpleNamespace(fileno=lambda: shows))
        keyboard = Keyboard()
    try:
        yield keyboard, types, shown
    finally:
        os.close(types)
        os.close(shown)


def test_what_is_typed_becomes_events_and_what_is_told_is_shown_in_printable_lines():
    with terminal() as (keyboard, types, shown):
        os.write(types, b"arm\n\nDISARM\n")
        assert heard(keyboard, 3) == [g.Arm("keyboard"), g.EmergencyStop("keyboard"), g.Disarm("keyboard")]
        keyboard.tell("safe: \x1b[2Jgone\ud800")
        assert os.read(shown, 100).decode() == "safe:  [2Jgone?\n"


def heard(keyboard: Keyboard, n: int) -> list[g.Event]:
    """The next ``n`` events of a keyboard."""
    end, events = time.monotonic() + 5, []
    while len(events) < n and time.monotonic() < end:
        events += keyboard()
        time.sleep(0.001)
    return events


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no Ctrl-D and no pseudo-terminals of this kind")
def test_ctrl_d_at_the_host_stops_and_what_is_typed_after_it_is_still_heard():
    ours, its = os.openpty()
    with terminal(its) as (keyboard, _, _):
        for typed, event in (
            (b"\x04", g.EmergencyStop("keyboard: '^d'")),
            (b"\n", g.EmergencyStop("keyboard")),
            (b"arm\x04", g.EmergencyStop("keyboard: '^darm'")),  # not ended by Enter
            (b"arm\n", g.Arm("keyboard")),
            (b"\n", g.EmergencyStop("keyboard")),
        ):
            os.write(ours, typed)
            assert heard(keyboard, 1) == [event]
        assert not keyboard()
        reader = newest_reader()
        os.close(ours)
        reader.join(5.0)
        assert not reader.is_alive()  # it would read whatever file has the number next
    os.close(its)


def newest_reader() -> threading.Thread:
    """The thread that reads the terminal that was opened last."""
    return [thread for thread in threading.enumerate() if thread.name == "keyboard"][-1]


def test_a_terminal_that_stands_still_does_not_hold_up_the_host():
    with terminal() as (keyboard, _, _):
        began = time.monotonic()
        for _ in range(2_000):
            keyboard.tell("x" * 500)  # a megabyte, which no pipe or terminal takes while nobody reads
        assert time.monotonic() - began < 1.0
