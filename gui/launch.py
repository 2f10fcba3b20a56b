"""Processes that a window starts; they outlive a window that is killed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

LAST_LINES = 4
NORMAL_PRIORITY = getattr(subprocess, "NORMAL_PRIORITY_CLASS", 0)


@dataclass(slots=True)
class StartedProcess:
    """One process.

    Parameters
    ----------
    name : str
        For people.
    words : tuple of str
        After ``bci``.
    process : subprocess.Popen
    log : Path
        File with its output.
    """

    name: str
    words: tuple[str, ...]
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def alive(self) -> bool:
        """Whether it is still running."""
        return self.process.poll() is None

    def last_words(self) -> str:
        """Return the last lines of its output."""
        lines = self.log.read_text(errors="replace").strip().splitlines() if self.log.exists() else []
        return " ".join(lines[-LAST_LINES:])


class Launcher:
    """Starts ``bci`` commands in process groups of their own.

    A process outlives a window that is killed; a window that is closed in good order ends what it started to play with
    (a simulated subject, a recording being played), and leaves sessions running.
    """

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="bci-gui-"))
        self.started: list[StartedProcess] = []
        # Windows give way to the engine (gui.app.give_way); what is started here must not. On Linux a process inherits
        # the priority of the thread that starts it, so that thread is made now.
        self._starter = ThreadPoolExecutor(1, "starts processes")
        self._starter.submit(lambda: None).result()

    def start(self, name: str, words: Sequence[str]) -> StartedProcess:
        """Run ``bci`` with these arguments.

        Parameters
        ----------
        name : str
            Name of the process, for people.
        words : sequence of str
            Arguments of ``bci``.
        """
        self.started.append(self._starter.submit(self._start, name, tuple(words)).result())
        return self.started[-1]

    def _start(self, name: str, words: tuple[str, ...]) -> StartedProcess:
        log = self._folder / f"{len(self.started)}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "bci", *words],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                creationflags=NORMAL_PRIORITY,
            )
        return StartedProcess(name, words, process, log)

    def stop(self, started: StartedProcess, timeout_s: float = 3.0) -> None:
        """End one process: terminate it, wait, and kill it if it does not end.

        Parameters
        ----------
        started : StartedProcess
        timeout_s : float, optional
            Time that it gets after it was terminated.
        """
        if started.alive:
            started.process.terminate()
            try:
                started.process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                started.process.kill()
                started.process.wait()

    def close(self) -> None:
        """End the processes that are no sessions. May be called twice."""
        for started in self.started:
            if started.words[:1] in (("stream",), ("replay",)):
                self.stop(started)
        self._starter.shutdown()
        shutil.rmtree(self._folder, ignore_errors=True)
