"""`bci run` with an actuator: who dies, how long until the far end is told to stop, and that the rest goes on.

A simulated subject, engine, recorder and actuator host, all begun by one `bci run` at whose terminal a person arms; the
far end of the wire is a UDP socket of this process. All times are on one clock. Each is printed (pytest -s).
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from machine import condition, stalled_s, within
from session_rig import END_S, PATIENCE_S, assert_verified, save_a_model, until
from terminal_rig import Terminal
from udp_receiver import Receiver

from bci.stream import messages
from bci.stream.lsl import local_clock
from bci.stream.xdf.reader import read_xdf

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(os.name != "posix", reason="signals and terminals are POSIX"),
]

NEUTRAL_S = 0.25


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Terminal]:
    receiver = Receiver()
    found = Terminal(save_a_model(tmp_path / "m.safetensors"), tmp_path / "out", receiver, screen=True)
    yield found
    found.close()
    receiver.close()


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    receiver = Receiver()
    found = Terminal(save_a_model(tmp_path / "m.safetensors"), tmp_path / "out", receiver)
    yield found
    found.close()
    receiver.close()


@pytest.mark.alone
def test_whoever_dies_in_a_live_run_the_actuator_is_neutral_in_time_the_rest_goes_on_and_only_a_person_arms(
    terminal: Terminal,
) -> None:
    for word in ("stream", "engine", "record", "actuate"):
        neutral_s = terminal.kill(word)
        again = terminal.active()
        print(f"\n{word} SIGKILL in bci run: neutral {1000 * neutral_s:.1f} ms ({condition()})")
        assert neutral_s <= within(NEUTRAL_S) + (0.1 if word == "record" else 0.0), "a recorder is missed at the next look"
    again.process.send_signal(signal.SIGINT)
    began = local_clock()
    assert again.process.wait(PATIENCE_S) == 0, again.said()
    ended_s = local_clock() - began
    print(f"\nCtrl-C: ended {ended_s:.2f} s")
    assert ended_s <= within(END_S) + 0.5, "a device, a recorder, an engine and a host end"
    assert terminal.receiver.packets[-1][1] == "neutral"
    recordings = sorted(terminal.out.rglob("*.xdf"))
    assert len(recordings) == 3, "the first, the one after the engine's death, and the one after the recorder's"
    closed = [read_xdf(path).closed for path in recordings]
    assert closed == [True, False, True]
    assert_verified(recordings[0])
    assert_verified(recordings[2])
    assert len(re.findall("was killed by signal 9", terminal.said())) == 4


@pytest.mark.alone
def test_enter_at_the_terminal_stops_within_50_ms_and_everything_is_in_the_recording(terminal: Terminal) -> None:
    terminal.active()
    began = local_clock()
    terminal.type("")
    until(lambda: terminal.receiver.since(began, "neutral"), "neutral")
    stop_s = terminal.receiver.since(began, "neutral")[0] - began
    print(f"\nEnter at the terminal of bci run: neutral {1000 * stop_s:.1f} ms ({condition()})")
    assert stop_s <= within(0.05)
    time.sleep(3.0)
    assert not terminal.receiver.since(began + stop_s), "latched"
    terminal.active()
    until(lambda: all(terminal.receiver.since(0.0, name) for name in ("open", "right")), "both hands' commands at the far end")
    terminal.type("disarm")
    time.sleep(0.5)
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.process.wait(PATIENCE_S) == 0, terminal.said()
    (path,) = terminal.out.rglob("*.xdf")
    ours = [s for s in read_xdf(path).streams if s.header.type in ("BCI-Guard", "BCI-Command", "BCI-Control")]
    texts = {s.header.type: [messages.parse(row[0], "line") for row in s.values] for s in ours}
    states = [m["state"] for m in texts["BCI-Guard"] if m["kind"] == "guard"]
    assert [s for i, s in enumerate(states) if i == 0 or s != states[i - 1]] == [
        "disarmed", "safe", "armed", "active", "safe", "armed", "active", "disarmed",
    ], "the stop is tested before arming"  # fmt: skip
    assert {m["kind"] for m in texts["BCI-Control"]} >= {"arm", "stop_now", "disarm"}
    commands = [m for m in texts["BCI-Command"] if m["kind"] == "command"]
    assert {m["name"] for m in commands} == {"open", "right"}
    assert all(0 < m["delay_s"] < 0.25 and m["error"] == "" for m in commands)
    assert_verified(path)


def test_closing_the_terminal_is_neutral_first_then_the_recording_is_closed_and_nobody_is_left(screen: Terminal) -> None:
    screen.active()
    children = psutil.Process(screen.process.pid).children()
    assert {os.getpgid(child.pid) for child in children} == {child.pid for child in children}, "out of the terminal's reach"
    began = local_clock()
    screen.shut()
    neutral_s = screen.neutral_after(began)
    print(f"\nterminal of bci run closed: neutral {1000 * neutral_s:.1f} ms ({condition()})")
    assert neutral_s <= NEUTRAL_S + stalled_s()
    assert screen.process.wait(PATIENCE_S) == 0
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    (path,) = screen.out.rglob("*.xdf")
    assert read_xdf(path).verified == "verified"
    assert_verified(path)


def test_ctrl_z_is_neutral_and_disarmed_the_recording_goes_on_and_after_waking_only_a_person_arms_ctrl_backslash_ends_it(
    screen: Terminal,
) -> None:
    screen.active()
    began = local_clock()
    screen.press(b"\x1a")
    neutral_s = screen.neutral_after(began)
    print(f"\nCtrl-Z at bci run: neutral {1000 * neutral_s:.1f} ms ({condition()})")
    assert neutral_s <= NEUTRAL_S + stalled_s()
    assert psutil.Process(screen.process.pid).status() == psutil.STATUS_STOPPED
    time.sleep(6.0)  # longer than any of its processes may be silent
    assert {screen.child(word).status() for word in ("engine", "record", "actuate")} <= {"sleeping", "running"}
    woken = local_clock()
    screen.process.send_signal(signal.SIGCONT)
    time.sleep(3.0)
    assert not screen.receiver.since(woken), "nothing is armed by waking"
    screen.active()
    began = local_clock()
    screen.press(b"\x1c")
    neutral_s = screen.neutral_after(began)
    print(f"\nCtrl-\\ at bci run: neutral {1000 * neutral_s:.1f} ms ({condition()})")
    assert neutral_s <= NEUTRAL_S + stalled_s()
    assert screen.process.wait(PATIENCE_S) == 0, screen.said()
    (path,) = screen.out.rglob("*.xdf")
    file = read_xdf(path)
    assert file.verified == "verified"
    states = [messages.parse(row[0], "line")["state"] for s in file.streams if s.header.type == "BCI-Guard" for row in s.values
              if '"kind":"guard"' in row[0]]  # fmt: skip
    assert "disarmed" in states[states.index("active") :]
    assert_verified(path)


@pytest.mark.alone
def test_a_process_that_hangs_is_ended_and_begun_again_and_a_hung_recorder_is_a_doubt_that_keeps_what_it_holds(
    terminal: Terminal,
) -> None:
    terminal.active()
    began = local_clock()
    recorder = terminal.child("record")
    recorder.suspend()
    until(lambda: "the recorder has given no sign of life" in terminal.said(), "the hung recorder is told", 5.0 + stalled_s())
    until(lambda: "safe:" in terminal.said(), "safe", 5.0 + stalled_s())
    last_s = terminal.receiver.since(began)[-1] - began
    print(f"\nrecorder SIGSTOP in bci run: last command after {last_s:.1f} s ({condition()})")
    assert last_s <= 5.0 + stalled_s()
    time.sleep(8.0)
    recorder.resume()
    until(lambda: "recording: continues" in terminal.said(), "the recorder is back")
    for word, name, begun in (("actuate", "actuator", "bci starts it again"), ("engine", "engine", "Begun again")):
        terminal.active()
        victim, began = terminal.child(word), local_clock()
        victim.suspend()
        said = f"{name} gave no sign of life for 5 s, and was ended"
        until(lambda said=said: said in terminal.said(), said)
        until(lambda begun=begun: begun in terminal.said(), begun)
        again_s = local_clock() - began
        print(f"\n{word} SIGSTOP in bci run: begun again after {again_s:.1f} s ({condition()})")
        assert again_s <= 15.0 + stalled_s()
        time.sleep(3.0)
        stopped = [t for t in terminal.receiver.stopped if t > began] + terminal.receiver.since(began, "neutral")
        assert stopped[0] - began <= within(1.0)
        assert not terminal.receiver.since(stopped[0]), "nothing is armed by that"
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.process.wait(PATIENCE_S) == 0, terminal.said()
    first, second = sorted(terminal.out.rglob("*.xdf"))
    assert read_xdf(first).verified == "verified", "the hung recorder lost nothing, and closed its file"
    assert_verified(second)
