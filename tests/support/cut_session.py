"""A `bci run` with an actuator in which connections are cut: who must hear whom again, and what must be on record."""

from __future__ import annotations

import signal
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
from connections import aborted, connected, cut, silenced
from eeg_sender import LABELS, amplifier
from machine import condition, within
from session_rig import PATIENCE_S, save_a_model, until
from terminal_rig import Terminal
from text_sender import TextSender, text_sender
from udp_receiver import Receiver

from bci.stream import messages
from bci.stream.lsl import local_clock
from bci.stream.xdf.reader import read_xdf

PAIRS = (
    ("window", "host"), ("engine", "host"), ("amp", "engine"), ("amp", "recorder"), ("engine", "recorder"), ("run", "host"),
    ("host", "recorder"), ("run", "engine"), ("window", "engine"), ("run", "recorder"),
)  # fmt: skip
"""Who sends to whom, and the other way round."""
HOW = ("cut", "aborted", "silenced")
SILENT_S = {True: 13.0, False: 5.0}
"""How long nothing comes through, where that is to be noticed by a recorder (which waits longer), or by another one."""
STOP_S = 0.05
WORDS = {"engine": "engine", "host": "actuate", "recorder": "record"}


class CutSession:
    """One session, its amplifier and a window of somebody else, all processes of their own.

    Parameters
    ----------
    folder : Path
    amp, window : processes
    """

    def __init__(self, folder: Path, receiver: Receiver, amp: int, source: str) -> None:
        self.receiver, self.source = receiver, source
        self.terminal = Terminal(save_a_model(folder / "m.safetensors"), folder / "out", receiver, "--source", f"name={source}")
        self.terminal.active()
        self.pids = {"amp": amp, "run": self.terminal.process.pid}
        self.pids |= {name: self.terminal.child(word).pid for name, word in WORDS.items()}
        self.cuts: Counter[tuple[str, str]] = Counter()
        self.stops_s: list[float] = []

    def join(self, window: TextSender) -> None:
        """A window whose person can stop; until everybody listens to it."""
        self.window = window
        self.pids["window"] = window.pid
        for name in ("host", "engine"):
            until(lambda name=name: connected(window.pid, self.pids[name]), f"the window is heard by the {name}")  # type: ignore[misc]

    def cut(self, one: str, other: str, how: str = "cut") -> float:
        """Cut what two of them are connected with while something moves; how long until all of it is connected again."""
        self.terminal.active()
        a, b = self.pids[one], self.pids[other]
        before = connected(a, b)
        assert before, f"{one} and {other} are not connected"
        began = time.monotonic()
        if how == "silenced":
            with silenced(a, b):
                time.sleep(SILENT_S[other == "recorder"])
        else:
            (cut if how == "cut" else aborted)(a, b)
        self.cuts[one, other] += 1
        until(lambda: connected(a, b) >= before, f"{one} and {other} connected again", PATIENCE_S)
        return time.monotonic() - began

    def stop(self) -> float:
        """The person at the window stops; how long until the far end was told."""
        self.terminal.active()
        time.sleep(0.2)
        began = local_clock()
        self.window.say(messages.line("stop_now", why="emergency"))
        until(lambda: self.receiver.since(began, "neutral"), "the emergency stop is heard", 5.0)
        first = self.receiver.since(began, "neutral")[0]
        time.sleep(0.5)
        assert not self.receiver.since(first), "a command after the emergency stop"
        self.stops_s.append(first - began)
        assert self.stops_s[-1] < within(STOP_S), f"the stop took {1000 * self.stops_s[-1]:.0f} ms"
        return self.stops_s[-1]

    def alive(self) -> None:
        """Everybody still is who they were."""
        for name, word in WORDS.items():
            assert self.terminal.child(word).pid == self.pids[name], f"another {name}; it said {self.terminal.said()}"

    def end(self) -> Path:
        """End it as a person does; its one recording."""
        self.terminal.process.send_signal(signal.SIGINT)
        assert self.terminal.process.wait(PATIENCE_S) == 0, self.terminal.said()
        (path,) = (self.terminal.out).rglob("*.xdf")
        return path

    def assert_on_record(self, path: Path) -> None:
        """The file is whole, nothing that was delivered is missing, and every gap is told where it is."""
        file = read_xdf(path)
        assert file.verified == "verified"
        parts = Counter(s.header.name for s in file.streams)
        told = Counter(s.header.name for s in file.streams if "whose connection broke" in str(s.footer and s.footer.get("note")))
        assert parts[self.source] == 1 + self.cuts["amp", "recorder"]
        assert told[self.source] == self.cuts["amp", "recorder"]
        assert told[f"{self.terminal.name}-decisions"] == self.cuts["engine", "recorder"]
        assert told[f"{self.terminal.name}-guard"] == self.cuts["host", "recorder"]
        eeg = [np.asarray(s.values)[:, len(LABELS)].astype(int) for s in file.streams if s.header.name == self.source]
        for part in eeg:
            assert np.array_equal(part, np.arange(part[0], part[0] + len(part))), "a sample that was delivered is missing"
        assert all(b[0] > a[-1] for a, b in pairwise(eeg)), "a sample twice"
        events = [messages.parse(row[0], "event") for s in file.streams if s.header.name.endswith("-events") for row in s.values]
        kinds = Counter(e["kind"] for e in events)
        if not self.cuts["engine", "recorder"]:
            assert kinds["lost"] == kinds["found"] == self.cuts["amp", "engine"]


def run(folder: Path, times: int, how: str = "cut", pairs: tuple[tuple[str, str], ...] = PAIRS) -> dict[str, object]:
    """Cut so many times, one pair after another, with an emergency stop after each; what was measured."""
    receiver, source = Receiver(), f"amp{folder.name[-6:]}"
    with amplifier(source, "--source-id", source) as amp:
        session = CutSession(folder, receiver, amp.pid, source)
        try:
            with text_sender(f"{session.terminal.name}-control", "BCI-Control", "somebody's window") as window:
                session.join(window)
                again_s = {}
                for k in range(times):
                    pair = pairs[k % len(pairs)]
                    again_s[pair] = max(again_s.get(pair, 0.0), session.cut(*pair, how))
                    session.stop()
                    session.alive()
                path = session.end()
            session.assert_on_record(path)
        finally:
            session.terminal.close()
            receiver.close()
    return {
        "cuts": times,
        "again_s": {"-".join(pair): round(s, 2) for pair, s in again_s.items()},
        "stop_ms": {"median": round(1000 * float(np.median(session.stops_s)), 1), "max": round(1000 * max(session.stops_s), 1)},
        "machine": condition(),
    }
