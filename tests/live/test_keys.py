"""Keys, pressed on a real X display: they go down, and above all they go up again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec

import pytest
from x_display import XDisplay, wait_until

from bci.contracts.actuator import actuator_breaches, settings_breaches
from bci.engine.command import Command
from bci.errors import ActuatorError, ConfigError
from devices.actuators.key_presser import HeldKeys
from devices.actuators.keys import KeysActuator

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(sys.platform != "linux", reason="the display of these tests is X"),
    pytest.mark.skipif(not find_spec("pynput"), reason="optional: pip install 'bci[keys]' (under Linux it needs a C compiler)"),
]

TABLE = {"left": "left", "right": "ctrl+d"}
LONG = {"table": TABLE, "mode": "hold", "hold_s": 5.0}


@pytest.fixture(scope="module")
def screen() -> Iterator[XDisplay]:
    with XDisplay() as display:
        yield display


@pytest.fixture(autouse=True)
def on_it(screen: XDisplay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", screen.name)
    screen.typed()


def opened(**settings: object) -> KeysActuator:
    return KeysActuator.from_settings({"table": TABLE, **settings})


def send(actuator: KeysActuator, *names: str) -> None:
    for sequence, name in enumerate(names, start=1):
        actuator.send(Command(name, 1.0, sequence))


@pytest.mark.parametrize("mode", ["tap", "hold"])
def test_keys_keep_the_contract(mode: str) -> None:
    good = {"table": TABLE, "mode": mode}
    assert actuator_breaches(lambda: KeysActuator.from_settings(good), tuple(TABLE)) == []
    assert settings_breaches(KeysActuator.from_settings, good) == []


def test_a_tap_reaches_the_window_that_has_the_focus_as_a_key_and_goes_up_by_itself(screen: XDisplay) -> None:
    actuator = opened()
    send(actuator, "right")
    assert screen.down() == {"Control_L", "d"}
    screen.wait_down(set(), 2.0)
    assert screen.typed() == ["+Control_L", "+d", "-d", "-Control_L"]
    send(actuator, "left", "left")
    screen.wait_down(set(), 2.0)
    assert screen.typed() == ["+Left", "-Left", "+Left", "-Left"]
    actuator.close()


def test_a_held_key_stays_down_while_the_command_is_repeated_and_gives_way_to_another(screen: XDisplay) -> None:
    actuator = opened(mode="hold")
    for _ in range(10):
        send(actuator, "left")
        time.sleep(0.05)
    assert screen.down() == {"Left"}
    send(actuator, "right")
    assert screen.down() == {"Control_L", "d"}
    screen.wait_down(set(), 2.0)
    assert [key for key in screen.typed() if "Left" in key] == ["+Left", "-Left"]
    actuator.close()


@pytest.mark.parametrize("ending", ["neutral", "close"])
def test_neutral_and_close_let_go_of_every_key_at_once(ending: str, screen: XDisplay) -> None:
    actuator = KeysActuator.from_settings(LONG)
    send(actuator, "right")
    assert screen.down() == {"Control_L", "d"}
    getattr(actuator, ending)()
    assert screen.down() == set()
    actuator.close()


HOST = f"""
import time
from bci.engine.command import Command
from devices.actuators.keys import KeysActuator
if __name__ == "__main__":
    actuator = KeysActuator.from_settings({LONG!r})
    actuator.send(Command("left", 1.0, 1))
    print("down", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_keys_go_up_when_their_host_is_killed(how: signal.Signals, screen: XDisplay) -> None:
    with subprocess.Popen([sys.executable, "-c", HOST], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as host:
        assert host.stdout is not None
        assert host.stdout.readline() == b"down\n"
        assert screen.down() == {"Left"}
        host.send_signal(how)
        screen.wait_down(set(), 1.0)


def test_keys_go_up_when_whoever_sends_hangs(screen: XDisplay) -> None:
    actuator = opened(mode="hold", hold_s=0.2)
    send(actuator, "left")
    assert screen.down() == {"Left"}
    assert screen.wait_down(set(), 2.0) < 1.0
    actuator.close()


def let_go(actuator: KeysActuator) -> bool:
    """Ask for neutral as a guard does, until it is confirmed."""
    with suppress(ActuatorError):
        return actuator.neutral()
    return False


def test_a_killed_presser_is_told_and_what_it_left_down_goes_up_with_the_next_neutrals(screen: XDisplay) -> None:
    actuator = KeysActuator.from_settings(LONG)
    send(actuator, "right")
    time.sleep(2.0)  # the shortest time between two beginnings
    os.kill(actuator.pid, signal.SIGKILL)
    with pytest.raises(ActuatorError, match="has ended"):
        wait_until(lambda: bool(send(actuator, "left")), 2.0, lambda: "nothing was told")
    assert screen.down() == {"Control_L", "d"}, "nobody is left to let go"
    with pytest.raises(ActuatorError, match="a new one is started"):
        actuator.neutral()
    wait_until(lambda: let_go(actuator), 10.0, lambda: "neutral was never confirmed")
    assert screen.down() == set()
    send(actuator, "left")
    actuator.close()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_presser_that_is_told_to_end_or_loses_its_terminal_lets_go_first(how: signal.Signals, screen: XDisplay) -> None:
    actuator = KeysActuator.from_settings(LONG)
    send(actuator, "left")
    os.kill(actuator.pid, how)
    screen.wait_down(set(), 1.0)
    actuator.close()


def test_ctrl_z_at_the_terminal_leaves_no_key_down_for_ever(screen: XDisplay) -> None:
    actuator = KeysActuator.from_settings({**LONG, "hold_s": 0.5})
    send(actuator, "left")
    os.kill(actuator.pid, signal.SIGTSTP)
    screen.wait_down(set(), 2.0)
    actuator.close()


@pytest.mark.alone
def test_a_frozen_display_is_an_error_in_time_and_no_key_is_pressed_when_it_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    with XDisplay() as own:
        monkeypatch.setenv("DISPLAY", own.name)
        actuator = opened()
        own.process.send_signal(signal.SIGSTOP)
        began_s = time.monotonic()
        for _ in range(2):
            with pytest.raises(ActuatorError, match="the display does not accept them"):
                send(actuator, "left")
        for _ in range(3):
            with pytest.raises(ActuatorError, match="the display does not accept them"):
                actuator.neutral()
        assert time.monotonic() - began_s < 0.5
        time.sleep(0.1)  # longer than a tap
        own.process.send_signal(signal.SIGCONT)
        own.wait_down(set(), 2.0)
        assert actuator.neutral()
        send(actuator, "right")
        own.wait_down(set(), 2.0)
        assert own.typed()[-4:] == ["+Control_L", "+d", "-d", "-Control_L"]
        actuator.close()


def test_a_display_that_ends_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with XDisplay() as own:
        monkeypatch.setenv("DISPLAY", own.name)
        actuator = opened()
        own.process.kill()
        own.process.wait()
        with pytest.raises(ActuatorError, match="keys: "):
            wait_until(lambda: bool(send(actuator, "left")), 2.0, lambda: "nothing was told")
        with pytest.raises(ActuatorError, match="keys: "):
            actuator.neutral()
        actuator.close()


@pytest.mark.parametrize(("display", "told"), [("", "DISPLAY is not set"), (":919", "display :919 cannot be opened")])
def test_without_a_display_the_error_says_so(display: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", display)
    with pytest.raises(ActuatorError, match=told):
        opened()


def test_a_key_that_the_keyboard_lacks_is_named() -> None:
    with pytest.raises(ActuatorError, match=r"no key (f20|.*media_volume_mute)"):
        opened(table={"left": "f20", "right": "media_volume_mute"})


@pytest.mark.parametrize("keys", ["", "A+", "left+left", "caps_lock", "ß", "ctrl-left", "é"])
def test_a_table_with_keys_that_nobody_can_press_is_refused(keys: str) -> None:
    with pytest.raises(ConfigError, match=r"table\.go"):
        KeysActuator.from_settings({"table": {"go": keys}})


def test_an_order_that_comes_too_late_presses_nothing_and_lets_go() -> None:
    done: list[str] = []
    held = HeldKeys(lambda key: done.append(f"+{key}"), lambda key: done.append(f"-{key}"))
    held.order(["a"], until_s=2.0, anew=False, now_s=1.0)
    held.order(["a"], until_s=3.0, anew=False, now_s=3.0)
    assert done == ["+a", "-a"]
