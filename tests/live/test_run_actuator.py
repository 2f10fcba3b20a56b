"""`bci run` with an actuator: who dies, how long until the far end is told to stop, and that the rest goes on.

A simulated subject, engine, recorder and actuator host, all begun by one `bci run` at whose terminal a person arms; the
far end of the wire is a UDP socket of this process. All times are on one clock. Each is printed (pytest -s).
"""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import sys
import termios
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from machine import condition, within
from session_rig import END_S, PATIENCE_S, assert_verified, save_a_model, until
from udp_receiver import Receiver

from bci.session import wire
from bci.stream.lsl import local_clock
from bci.stream.xdf_reader import read_xdf

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(os.name != "posix", reason="signals and terminals are POSIX"),
]

NEUTRAL_S = 0.25


class Terminal:
    """`bci run` at a terminal of its own, with a subject, an actuator and a person who types."""

    def __init__(self, model: Path, out: Path, receiver: Receiver) -> None:
        self.out, self.name, self.receiver = out, f"w{uuid.uuid4().hex[:8]}", receiver
        self._leader, follower = os.openpty()
        self._said = (out.parent / "said.txt").open("w+b")
        words = ["run", "--model", str(model), "--simulate", "--headless", "--json", "--out", str(out), "--actuator", "udp"]
        settings = [f"engine.name={self.name}", "decision.smoothing_s=0.1", f"actuator.settings.port={receiver.port}"]
        settings += ["pace.repeat_s=0.08", "pace.min_interval_s=0.04", "actuator.commands.left=open"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bci", *words, *(word for s in settings for word in ("--set", s))],
            stdin=follower, stdout=self._said, stderr=self._said, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(follower)

    def said(self) -> str:
        """Everything it printed."""
        return (self.out.parent / "said.txt").read_text()

    def type(self, line: str) -> None:
        """Type a line, and Enter."""
        os.write(self._leader, f"{line}\n".encode())

    def child(self, word: str) -> psutil.Process:
        """Its process of this sub-command."""
        found: list[psutil.Process] = []

        def there() -> bool:
            for child in psutil.Process(self.process.pid).children():
                words = child.cmdline() if child.is_running() and child.status() != psutil.STATUS_ZOMBIE else []
                if "bci" in words and words[words.index("bci") + 1] == word:
                    found.append(child)
            return bool(found)

        until(there, f"a process {word!r}; it said {self.said()}")
        return found[-1]

    def active(self) -> Terminal:
        """Until commands flow, because a person armed."""
        began, asked = local_clock(), 0.0
        while not self.receiver.since(began):
            assert local_clock() - began < PATIENCE_S, f"no command; it said {self.said()}"
            assert self.process.poll() is None, self.said()
            if time.monotonic() - asked > 1.0:
                asked = time.monotonic()
                self.type("arm")
            time.sleep(0.02)
        return self

    def kill(self, word: str) -> float:
        """Kill one of its processes; the time until the far end was told to stop, or stopped by itself."""
        victim = self.child(word)
        self.active()
        began = local_clock()
        victim.kill()
        stops = self.receiver.stopped
        until(lambda: self.receiver.since(began, "neutral") or (stops and stops[-1] > began), f"neutral after {word} died")
        first = min([*self.receiver.since(began, "neutral"), *(t for t in tuple(stops) if t > began)])
        time.sleep(1.5)
        assert not self.receiver.since(first), f"a command after neutral, {word} dead and nobody armed"
        return first - began

    def close(self) -> None:
        """End it, however far it came."""
        for child in psutil.Process(self.process.pid).children() if self.process.poll() is None else []:
            child.kill()
        self.process.kill()
        self.process.wait()
        os.close(self._leader)
        self._said.close()


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    receiver = Receiver()
    found = Terminal(save_a_model(tmp_path / "m.safetensors"), tmp_path / "out", receiver)
    yield found
    found.close()
    receiver.close()


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
    texts = {s.header.type: [wire.parse(row[0], "line") for row in s.values] for s in read_xdf(path).streams if s.header.type in
             ("BCI-Guard", "BCI-Command", "BCI-Control")}  # fmt: skip
    states = [m["state"] for m in texts["BCI-Guard"] if m["kind"] == "guard"]
    assert [s for i, s in enumerate(states) if i == 0 or s != states[i - 1]] == [
        "disarmed", "armed", "active", "safe", "armed", "active", "disarmed",
    ]  # fmt: skip
    assert {m["kind"] for m in texts["BCI-Control"]} >= {"arm", "stop_now", "disarm"}
    commands = [m for m in texts["BCI-Command"] if m["kind"] == "command"]
    assert {m["name"] for m in commands} == {"open", "right"}
    assert all(0 < m["delay_s"] < 0.25 and m["error"] == "" for m in commands)
    assert_verified(path)
