"""Jobs that take longer than a frame, in a process of its own, with progress and immediate cancelling.

The process ends by itself when the windows' process is gone, however that ended.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import time
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from bci.errors import BciError
from bci.processes.child import THREADS

POLL_MS = 30
TOLD_EVERY_S = 0.05
GIVE_WAY = 5
"""Niceness in addition to the windows' own: painting goes before training, and the engine before both."""


class Background(QObject):
    """One process that does jobs one after another, and keeps its data between them.

    Parameters
    ----------
    work : str
        ``"module:Class"``; made without arguments in the other process. Its methods are the jobs; their last argument is
        a :data:`~bci.progress.Progress`.
    parent : QObject, optional

    Attributes
    ----------
    told : Signal(str, float)
        Description of the running job, and the share that is done.
    done : Signal(int, str, object)
        Number and method of a job, and what it returned.
    failed : Signal(int, str, str)
        Number and method of a job, and why it could not be done.
    """

    told = Signal(str, float)
    done = Signal(int, str, object)
    failed = Signal(int, str, str)

    def __init__(self, work: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._work = work
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self._asked: dict[int, str] = {}
        self._number = 0
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self._hear)

    @property
    def busy(self) -> bool:
        """Whether a job is being done or waits."""
        return bool(self._asked)

    def waits_for(self, *methods: str) -> bool:
        """Whether one of these jobs is being done or waits."""
        return any(method in methods for method in self._asked.values())

    @property
    def pid(self) -> int | None:
        """Of the process; None while there is none."""
        return self._process.pid if self._process is not None else None

    def ask(self, method: str, *arguments: Any) -> int:
        """Ask for a job, which is done after earlier ones; return its number.

        Parameters
        ----------
        method : str
            Name of a method of the jobs.
        """
        if self._pipe is None:
            self._start()
        self._number += 1
        self._asked[self._number] = method
        if self._pipe is not None:
            self._pipe.send((self._number, method, arguments))
        self._timer.start()
        return self._number

    def cancel(self) -> None:
        """Cancel all jobs now. The data of the process are lost."""
        self._asked.clear()
        self._timer.stop()
        if self._process is not None:
            self._process.kill()
            self._process.join()
        if self._pipe is not None:
            self._pipe.close()
        self._process = self._pipe = None

    def close(self) -> None:
        """End the process. May be called twice."""
        self.cancel()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, self._work), name=self._work, daemon=True)
        self._process.start()
        theirs.close()
        self._pipe = ours

    def _hear(self) -> None:
        """Emit what the other process has sent."""
        while self._pipe is not None:
            try:
                if not self._pipe.poll():
                    break
                kind, number, *rest = self._pipe.recv()
            except (EOFError, OSError):
                self._lost()
                return
            self._say(kind, number, rest)
        if not self._asked:
            self._timer.stop()

    def _say(self, kind: str, number: int, rest: list[Any]) -> None:
        if kind == "told":
            self.told.emit(*rest)
            return
        method = self._asked.pop(number, "")
        if kind == "done":
            self.done.emit(number, method, rest[0])
        else:
            self.failed.emit(number, method, rest[0])

    def _lost(self) -> None:
        """Report that the process has died."""
        asked, process = dict(self._asked), self._process
        self.cancel()
        code = process.exitcode if process is not None else None
        for number, method in asked.items():
            self.failed.emit(number, method, f"The background process ended with code {code}. Try again.")


def serve(pipe: Connection, work: str) -> None:
    """Run in the other process: do jobs until the pipe is closed.

    Parameters
    ----------
    pipe : Connection
        Connection to the windows' process.
    work : str
        ``"module:Class"`` of the jobs.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(GIVE_WAY)
    os.environ.update(THREADS)  # before numpy is imported
    module, _, name = work.partition(":")
    worker = getattr(importlib.import_module(module), name)()
    while True:
        try:
            number, method, arguments = pipe.recv()
            pipe.send(_done(worker, pipe, number, method, arguments))
        except (EOFError, OSError):
            return


def _done(worker: object, pipe: Connection, number: int, method: str, arguments: tuple[Any, ...]) -> tuple[object, ...]:
    """Do one job; return the answer."""
    last = [-TOLD_EVERY_S]

    def told(what: str, share: float) -> None:
        if time.monotonic() - last[0] >= TOLD_EVERY_S:
            last[0] = time.monotonic()
            pipe.send(("told", number, what, float(share)))

    try:
        return "done", number, getattr(worker, method)(*arguments, told)
    except BciError as error:
        return "failed", number, str(error)
    except (EOFError, OSError) as error:
        if isinstance(error, BrokenPipeError):
            raise
        return "failed", number, str(error)
    except Exception as error:  # the top of this process: the window is told, and the next job may go well
        return "failed", number, f"{type(error).__name__}: {error}"
