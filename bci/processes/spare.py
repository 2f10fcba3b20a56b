"""A process that loads what a command needs before anybody knows what it is to do, so that loading costs nobody time."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from subprocess import Popen
from types import TracebackType
from typing import Self

from bci.processes.child import start_process

SPARE = "--spare"
"""The only word after a command in a spare process."""


class Spare:
    """A process of a command that waits to be told its words; it ends with this object where nobody has taken it.

    Parameters
    ----------
    command : str
        For instance ``"engine"``; its module has a function ``load`` that imports what the command needs.

    Attributes
    ----------
    command : str
    """

    def __init__(self, command: str) -> None:
        self.command = command
        self._process: Popen[bytes] | None = start_process([sys.executable, "-m", "bci", command, SPARE], {})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        process, self._process = self._process, None
        if process is not None:
            _end(process)

    def take(self, words: Sequence[str], environment: Mapping[str, str], log: Path) -> Popen[bytes] | None:
        """Have it do something; None where it has been taken already, or has ended.

        Parameters
        ----------
        words : sequence of str
            Behind the command.
        environment : mapping
            Added to its environment.
        log : Path
            File that takes its standard error from now on.
        """
        process, self._process = self._process, None
        if process is None or process.stdin is None:
            return None
        told = json.dumps({"words": list(words), "environment": dict(environment), "log": str(log)})
        with suppress(OSError):
            os.write(process.stdin.fileno(), told.encode() + b"\n")
            if process.poll() is None:
                return process
        _end(process)
        return None


def _end(process: Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def told() -> list[str] | None:
    """In a spare process: wait for the words that the command is to be run with; None where the parent process has gone."""
    line = b""
    while not line.endswith(b"\n"):
        # One byte at a time: what follows is read by whoever the words mean.
        read = os.read(sys.stdin.fileno(), 1)
        if not read:
            return None
        line += read
    message = json.loads(line)
    os.environ.update(message["environment"])
    log = os.open(message["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(log, sys.stderr.fileno())
    os.close(log)
    return list(message["words"])
