"""The processes of a session: fresh interpreters that say when they are ready and stop with us.

A child is started with its standard input tied to a pipe of ours. When we end, however we end, the
kernel closes the pipe and the child stops by itself; nothing is left behind by a SIGKILL. Children ignore
the terminal's interrupt, so that Ctrl-C is answered in one place and in the right order.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bci.errors import BciError

THREADS = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")


class ChildError(BciError):
    """A process of the session did not start, or ended when it should not have.

    Parameters
    ----------
    message : str
    exit_code : int
        That of the process, where it said itself what was wrong.
    """

    exit_code = 9

    def __init__(self, message: str, exit_code: int = 9) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Child:
    """One process of a session.

    Parameters
    ----------
    name : str
        For messages.
    arguments : sequence of str
        Of the ``bci`` command.
    log : Path
        File that takes its standard error.
    environment : mapping, optional
        Added to ours.
    """

    def __init__(self, name: str, arguments: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
        self.name = name
        self._log = log
        self._lines: queue.Queue[str] = queue.Queue()
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bci", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, **THREADS, **(environment or {})},
            )
        self._reader = threading.Thread(target=self._read, name=f"reads {name}", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.poll()

    def wait_ready(self, timeout_s: float, stopped: Callable[[], str] = lambda: "") -> dict[str, Any]:
        """The JSON line with which the child says that it is ready.

        Parameters
        ----------
        timeout_s : float
        stopped : callable
            Why to wait no longer, or "".

        Raises
        ------
        ChildError
            If it ends or stays silent instead; the message ends with what it last said.
        KeyboardInterrupt
            If ``stopped`` says so.
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            found = self.message(0.1)
            if stopped():
                raise KeyboardInterrupt
            if found is not None and found.get("ready"):
                return found
            if found is not None and "error" in found:
                raise ChildError(f"{self.name}: " + "\n".join(map(str, found["problems"])), int(found["exit_code"]))
            if not self.alive and self._lines.empty():
                raise ChildError(f"{self.obituary()}\nIt was not ready yet.")
        said = self.last_words() or "It said nothing."
        raise ChildError(f"{self.name} was not ready after {timeout_s:g} s:\n{said}")

    def message(self, timeout_s: float) -> dict[str, Any] | None:
        """The next JSON line the child prints, or None."""
        try:
            text = self._lines.get(timeout=timeout_s)
            found = json.loads(text)
        except (queue.Empty, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def last_words(self) -> str:
        """The end of its standard error."""
        if not self._log.exists():
            return ""
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return "\n".join(lines[-6:])

    def obituary(self) -> str:
        """How it ended, and what it said last."""
        code = self.exit_code
        how = f"was killed by signal {-code}" if code is not None and code < 0 else f"ended with code {code}"
        return f"{self.name} {how}:\n{self.last_words()}".rstrip(":\n")

    def hang_up(self) -> None:
        """Close its pipe, which asks it to end. May be called twice."""
        if self._process.stdin and not self._process.stdin.closed:
            self._process.stdin.close()

    def stop(self, timeout_s: float = 2.0) -> int:
        """Close its pipe, wait, and kill what does not listen; return its exit code."""
        self.hang_up()
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        if self._process.stdout:
            self._process.stdout.close()
        return self._process.returncode

    def _read(self) -> None:
        """Pass on what the child prints, line by line."""
        if self._process.stdout:
            for line in self._process.stdout:
                self._lines.put(line.decode(errors="replace"))


class Stop:
    """Whether this process has been asked to end: by its parent's pipe, a signal, or a deadline.

    Parameters
    ----------
    parent_pipe : bool
        End when standard input closes, and leave the terminal's interrupt to the parent.
    seconds : float or None
        End after this long.
    """

    def __init__(self, parent_pipe: bool = False, seconds: float | None = None) -> None:
        self._why = ""
        self.after(seconds)
        signal.signal(signal.SIGTERM, self._signalled)
        if parent_pipe:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            threading.Thread(target=self._watch_pipe, name="parent pipe", daemon=True).start()
        else:
            signal.signal(signal.SIGINT, self._signalled)

    def __call__(self) -> str:
        """Why to end, or "" to go on."""
        if not self._why and self._deadline is not None and time.monotonic() >= self._deadline:
            self._why = "time is over"
        return self._why

    def after(self, seconds: float | None) -> None:
        """End so long from now; None for no such end."""
        self._deadline = time.monotonic() + seconds if seconds is not None else None

    def ask(self, why: str) -> None:
        """Ask this process to end."""
        self._why = self._why or why

    def _signalled(self, number: int, _frame: object) -> None:
        if self._why:
            raise KeyboardInterrupt
        self._why = signal.Signals(number).name

    def _watch_pipe(self) -> None:
        # Unbuffered: the interpreter could not take a buffer's lock back at its end, and would abort.
        handle = sys.stdin.fileno()
        while os.read(handle, 4096):
            pass
        self._why = self._why or "the parent's pipe closed"


def say_ready(**fields: Any) -> None:
    """Tell the parent process, on standard output, that this one is ready."""
    print(json.dumps({"ready": True, **fields}), flush=True)
