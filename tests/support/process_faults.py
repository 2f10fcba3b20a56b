"""Sessions with an actuator whose processes are killed or made to stand still, and what their recordings hold.

Used by the suite in a short form (tests/faults/test_process_faults.py) and by a campaign (tests/campaigns/processes.py).
"""

from __future__ import annotations

import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
from eeg_sender import RATE_HZ, amplifier
from machine import stalled_s
from session_rig import LABELS, PATIENCE_S, Session, bci, until
from udp_receiver import Receiver

from bci.errors import BciError
from bci.stream.lsl import LslRawInlet, StreamQuery, find, local_clock
from bci.stream.xdf.reader import XdfFile, read_xdf

WORDS = {"engine": "engine", "recorder": "record", "actuator": "actuate"}
VICTIMS = ("engine", "recorder", "actuator", "amplifier", "session", "all")
LOST_S = 0.35
"""Of the newest data, so much may be missing where a recorder was killed: a chunk of 100 ms, and what was on its way."""
NEUTRAL_S = {"recorder": 5.0}
"""How long something may still be moved after a process has gone or hangs; 1.2 s where nothing else is said."""


@dataclass
class Found:
    """What one fault showed.

    Parameters
    ----------
    what : str
    problems : list of str
    lost_s : float
        Of the newest data, seconds that are missing in the recording.
    last_s : float
        When the last command went out after the fault; 0 for none.
    """

    what: str
    problems: list[str] = field(default_factory=list)
    lost_s: float = 0.0
    last_s: float = 0.0

    def __str__(self) -> str:
        state = "; ".join(self.problems) or "as promised"
        return f"{self.what}: last command after {self.last_s:.2f} s, {1000 * self.lost_s:.0f} ms not on the disk; {state}"


class Life:
    """One session that moves something, and a reader of its own that counts what the amplifier sends."""

    def __init__(self, model: Path, out: Path, amp: subprocess.Popen[str], source: str, receiver: Receiver) -> None:
        actuator = ["--arm", "--actuator", "udp", "--set", f"actuator.settings.port={receiver.port}"]
        self.session = Session(model, source, out, *actuator, "--set", "pace.repeat_s=0.1")
        self.amplifier, self.source, self.receiver = amp, source, receiver
        self.seen: list[tuple[float, int]] = []
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._count, daemon=True)
        self._thread.start()
        # Nobody reads what it says before it ends; a pipe would fill.
        self._said: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def moving(self) -> None:
        """Until commands go out."""
        since = local_clock()
        until(lambda: len(self.receiver.since(since)) > 3 or self.session.process.poll() is not None, "commands", 90.0)
        assert self.session.process.poll() is None, self.said()

    def process(self, victim: str) -> psutil.Process:
        """The process of this name."""
        if victim in ("amplifier", "session"):
            return psutil.Process({"amplifier": self.amplifier, "session": self.session.process}[victim].pid)
        return self.children()[victim]

    def children(self) -> dict[str, psutil.Process]:
        """The session's processes by what they are."""
        found = {}
        for child in psutil.Process(self.session.process.pid).children():
            with suppress(psutil.Error, ValueError):
                words = child.cmdline()
                found[words[words.index("bci") + 1]] = child
        return {name: found[word] for name, word in WORDS.items() if word in found}

    def end(self) -> list[str]:
        """End it; what was wrong with that."""
        process = self.session.process
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            return [f"did not end within {PATIENCE_S:g} s"]
        return []

    def close(self) -> None:
        """Let go of it."""
        self._ending.set()
        self._thread.join()
        process = self.session.process
        process.kill()
        process.wait()
        self._reader.join()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()

    def said(self) -> str:
        """What it said so far."""
        return "".join(self._said)

    def files(self) -> list[Path]:
        """Its recordings, in their order."""
        return sorted(self.session.out.rglob("*.xdf"))

    def _read(self) -> None:
        for line in self.session.process.stderr or ():
            self._said.append(line)

    def _count(self) -> None:
        found = []
        while not found and not self._ending.is_set():
            found = find(StreamQuery(name=self.source), 1.0, 0.1)
        inlet = LslRawInlet(found[0])
        while not self._ending.is_set():
            try:
                pulled = inlet.pull(0.05)
            except BciError:
                break
            if pulled is not None:
                self.seen.append((local_clock(), int(np.asarray(pulled[0])[-1, len(LABELS)])))
        inlet.close()


@contextmanager
def life(model: Path, out: Path) -> Iterator[Life]:
    """A session that moves something; whatever is left of it in the end is killed."""
    source, receiver = f"amp{uuid.uuid4().hex[:8]}", Receiver()
    with amplifier(source, "--source-id", source) as amp:
        found = Life(model, out, amp, source, receiver)
        try:
            found.moving()
            yield found
        finally:
            found.close()
            receiver.close()


def kill(one: Life, victim: str) -> Found:
    """SIGKILL of a process: nothing moves for longer than promised, nobody is left, every file is whole."""
    found = Found(f"{victim} SIGKILL")
    victims = [*one.children().values(), one.process("session")] if victim == "all" else [one.process(victim)]
    children, began = one.children(), local_clock()
    for process in victims:
        process.kill()
    time.sleep(2.5)
    found.last_s = max((t - began for t in one.receiver.since(began)), default=0.0)
    found.problems += one.end()
    left = [name for name, p in children.items() if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    time.sleep(1.0 if left else 0.0)
    left = [name for name, p in children.items() if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    found.problems += [f"left behind: {left}"] if left else []
    _judge_commands(found, victim)
    died = victim in ("recorder", "all")
    found.problems += _whole(one, first_closed=not died)
    if died:
        there = max((n for t, n in one.seen if t <= began), default=0)
        found.lost_s = max(0.0, (there - _last(one, one.files()[0])) / RATE_HZ)
        if found.lost_s > LOST_S + stalled_s():
            found.problems.append(f"{found.lost_s:.2f} s lost")
    return found


def stand_still(one: Life, victim: str, seconds: float) -> Found:
    """SIGSTOP of a process for a while: nothing moves for longer than promised, and nothing is lost."""
    found = Found(f"{victim} SIGSTOP for {seconds:g} s")
    process, began = one.process(victim), local_clock()
    process.suspend()
    time.sleep(seconds)
    during = one.receiver.since(began)
    found.last_s = max((t - began for t in during), default=0.0)
    woken = local_clock()
    with suppress(psutil.NoSuchProcess):
        process.resume()
    time.sleep(5.0)
    if victim in ("amplifier", "engine", "actuator") and one.receiver.since(woken):
        found.problems.append("commands after it woke, and nobody had armed")
    _judge_commands(found, victim)
    found.problems += one.end()
    found.problems += _whole(one)
    return found


def _judge_commands(found: Found, victim: str) -> None:
    limit_s = NEUTRAL_S.get(victim, 1.2) + stalled_s()
    if found.last_s > limit_s:
        found.problems.append(f"a command {found.last_s:.2f} s after, {limit_s:.2f} s are promised")


def _whole(one: Life, first_closed: bool = True) -> list[str]:
    """What is wrong with the recordings: unreadable, samples missing inside, not closed, or not verifiable."""
    files = one.files()
    problems = [f"{path.name}: {why}" for n, path in enumerate(files) for why in _wrong(one, path, bool(n) or first_closed)]
    return problems if files else ["no recording"]


def _wrong(one: Life, path: Path, closed: bool) -> list[str]:
    """What is wrong with one of them."""
    try:
        file = read_xdf(path)
    except BciError as error:
        return [str(error)]
    whole = all(np.array_equal(n, np.arange(n[0], n[0] + len(n))) for n in _counts(one, file))
    problems = [] if whole else ["samples missing inside"]
    if closed and (not file.closed or file.verified != "verified"):
        problems.append(f"closed {file.closed}, {file.verified}")
    if closed and any(s.header.type == "BCI-Event" and len(s.values) for s in file.streams):  # else its engine never began
        found = bci("replay", "--verify", str(path))
        said = found.stdout[-300:] + found.stderr[-300:]
        problems += [f"replay --verify {found.returncode}: {said}"] if found.returncode else []
    return problems


def _counts(one: Life, file: XdfFile) -> list[np.ndarray]:
    """The counter of the amplifier's samples, for each time that it was connected."""
    own = [s for s in file.streams if s.header.name == one.source and len(s.values)]
    return [np.asarray(s.values)[:, len(LABELS)].astype(int) for s in own]


def _last(one: Life, path: Path) -> int:
    """The newest sample of a recording."""
    return max(int(counts[-1]) for counts in _counts(one, read_xdf(path)))
