"""`bci run` at a terminal of its own, with an actuator whose far end is a socket of the test."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import termios
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path

import psutil
from session_rig import PATIENCE_S, until
from udp_receiver import Receiver

from bci.stream.lsl import local_clock


class Terminal:
    """`bci run` at a terminal of its own, with an actuator and a person who types.

    What it says goes to a file; with ``screen`` to the terminal, as where a person looks at it. Without options for a ``source``
    a simulated subject is decoded.
    """

    def __init__(self, model: Path, out: Path, receiver: Receiver, *source: str, screen: bool = False) -> None:
        self.out, self.name, self.receiver = out, f"w{uuid.uuid4().hex[:8]}", receiver
        self._leader, follower = os.openpty()
        self._open = True
        self._said = out.parent / "said.txt"
        self._said.touch()
        words = ["run", "--model", str(model), *(source or ["--simulate"]), "--headless", "--json", "--out", str(out)]
        words += ["--actuator", "udp"]
        settings = [f"engine.name={self.name}", "decision.smoothing_s=0.1", f"actuator.settings.port={receiver.port}"]
        settings += ["pace.repeat_s=0.08", "pace.min_interval_s=0.04", "actuator.commands.left=open"]
        with self._said.open("wb") as file:
            shown = follower if screen else file
            self.process = subprocess.Popen(
                [sys.executable, "-m", "bci", *words, *(word for s in settings for word in ("--set", s))],
                stdin=follower, stdout=shown, stderr=shown, start_new_session=True,
                preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            )  # fmt: skip
        os.close(follower)
        if screen:
            threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        """Read what is shown, as a terminal does."""
        with suppress(OSError), self._said.open("ab", buffering=0) as file:
            while shown := os.read(self._leader, 65536):
                file.write(shown)

    def press(self, key: bytes) -> None:
        """Press a key that the terminal makes a signal of."""
        os.write(self._leader, key)

    def shut(self) -> None:
        """Close the terminal's window."""
        self._open = False
        os.close(self._leader)

    def neutral_after(self, began: float) -> float:
        """How long after this the far end was told to be neutral, after which it is told nothing else."""
        until(lambda: self.receiver.since(began, "neutral"), "neutral")
        first = self.receiver.since(began, "neutral")[0]
        time.sleep(1.0)
        assert not self.receiver.since(first), "a command after neutral"
        return first - began

    def said(self) -> str:
        """Everything it printed."""
        return self._said.read_text()

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
        if self._open:
            os.close(self._leader)
