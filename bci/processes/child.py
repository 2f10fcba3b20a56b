r"""The processes of a session: fresh interpreters that say when they are ready and stop with us.

A child is started with its standard input tied to a pipe of ours. When we end, however we end, the
kernel closes the pipe and the child stops by itself; nothing is left behind by a SIGKILL. Children are in process
groups of their own, so that what the terminal sends (Ctrl-C, Ctrl-\, Ctrl-Z, its end) is answered in one place and in the
right order.

A child that is watched says on its standard output what its streams are and, several times a second, from its main loop,
how far it is. What it says so is dropped where nobody reads it: a parent that stands still must not stop a child.
"""

from __future__ import annotations

import json
import os
import queue
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from subprocess import Popen
from typing import IO, Any

from bci.errors import BciError

WATCHED = "BCI_WATCHED"
"""Environment variable that asks a program to say what :func:`say_alive` and :func:`say_streams` say."""
ALIVE_EVERY_S = 0.2
ATOMIC = 4096
"""Bytes that a pipe takes at once, or not at all."""
WAITING = 16384
"""With more bytes unread than this, signs of life are dropped; the rest of the pipe is for messages that must arrive."""
APART: dict[str, Any] = {"creationflags": 0x200} if sys.platform == "win32" else {"process_group": 0}  # CREATE_NEW_PROCESS_GROUP
"""Arguments of ``Popen`` for a process that the terminal's keys do not reach. No session of its own: Linux gives each of those
an equal share of the processors, whatever its priority, so that an engine would not go first and a window not give way."""
THREADS = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")


class ChildError(BciError):
    """A process of the session did not start, or ended when it should not have.

    Parameters
    ----------
    message : str
    exit_code : int
        That of the process, where it reported itself what was wrong.
    """

    exit_code = 9

    def __init__(self, message: str, exit_code: int = 9) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def start_process(words: Sequence[str], environment: Mapping[str, str], errors: IO[bytes] | None = None) -> Popen[bytes]:
    """Start a program whose standard input and output are pipes of ours, and which the terminal's keys do not reach.

    Parameters
    ----------
    words : sequence of str
        The program and its arguments.
    environment : mapping
        Added to ours.
    errors : file, optional
        Takes its standard error; ours where omitted.
    """
    env = {**os.environ, **THREADS, WATCHED: "1", **environment}
    return Popen(list(words), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=env, **APART)


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
    program : sequence of str
        What takes the arguments.
    started : subprocess.Popen, optional
        The process, where it was started ahead of time (:class:`~bci.processes.spare.Spare`).
    introduced : callable
        Called when it has reported its streams, or that it records one more, from the thread that reads its output.

    Attributes
    ----------
    sign_of_life : dict
        The newest sign of life (:func:`say_alive`); empty before the first one.
    sign_of_life_s : float
        When it came, ``time.monotonic()``; before the first one, when the process was started.
    streams : dict of str to str
        ``uid`` of each of its streams by short name, once it has reported them (:func:`say_streams`).
    recorded : frozenset of str
        ``uid`` of each stream that it reports to record, where it is a recorder.
    fate : str
        Why it was ended from here, for its obituary; empty where it was not.
    """

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
        program: Sequence[str] = (sys.executable, "-m", "bci"),
        introduced: Callable[[], object] = lambda: None,
        started: Popen[bytes] | None = None,
    ) -> None:
        self.name = name
        self.fate = ""
        self._introduced = introduced
        self.sign_of_life: dict[str, Any] = {}
        self.sign_of_life_s = time.monotonic()
        self.streams: dict[str, str] = {}
        self.recorded: frozenset[str] = frozenset()
        self._log = log
        self._messages: queue.Queue[dict[str, Any]] = queue.Queue()
        with log.open("ab") as errors:
            self._process = started or start_process([*program, *arguments], environment or {}, errors)
        if self._process.stdin and sys.platform != "win32":
            os.set_blocking(self._process.stdin.fileno(), False)
        self._reader = threading.Thread(target=self._read, name=f"reads {name}", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self.exit_code is None

    @property
    def exit_code(self) -> int | None:
        """Exit code of the process; None while it runs."""
        if self.fate and self._process.returncode is None and hasattr(os, "waitid"):
            # Its number stays its own until :meth:`stop`: whoever had it stand still may still wake it by that number.
            with suppress(ChildProcessError):  # another thread has just asked for its end
                ended = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
                return None if ended is None else -ended.si_status
        return self._process.poll()

    def wait_ready(self, timeout_s: float, stopped: Callable[[], str] = lambda: "") -> dict[str, Any]:
        """Wait for the JSON line with which the child reports that it is ready.

        Parameters
        ----------
        timeout_s : float
        stopped : callable
            Why to wait no longer, or "".

        Returns
        -------
        dict
            The line.

        Raises
        ------
        ChildError
            If it ends or stays silent instead; the message ends with what it wrote last.
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
            if not self.alive and self._messages.empty():
                raise ChildError(f"{self.obituary()}\nIt was not ready yet.")
        wrote = self.last_words() or "It wrote nothing."
        raise ChildError(f"{self.name} was not ready after {timeout_s:g} s:\n{wrote}")

    def message(self, timeout_s: float) -> dict[str, Any] | None:
        """Take the next JSON line that the child prints, apart from signs of life and the names of its streams.

        Parameters
        ----------
        timeout_s : float
            Longest wait, seconds.

        Returns
        -------
        dict or None
            None where nothing came.
        """
        try:
            return self._messages.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def last_words(self) -> str:
        """Read the end of its standard error.

        Returns
        -------
        str
            At most six lines.
        """
        if not self._log.exists():
            return ""
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return "\n".join(lines[-6:])

    def obituary(self) -> str:
        """Tell how it ended, and what it wrote last.

        Returns
        -------
        str
        """
        code = self.exit_code
        how = f"was killed by signal {-code}" if code is not None and code < 0 else f"ended with code {code}"
        return f"{self.name} {self.fate or how}:\n{self.last_words()}".rstrip(":\n")

    def tell(self, **fields: Any) -> None:
        """Send it a JSON line on its standard input; nothing where it has gone or does not read."""
        pipe = self._process.stdin
        if pipe and not pipe.closed:
            with suppress(OSError):
                os.write(pipe.fileno(), json.dumps(fields).encode() + b"\n")

    def go_ahead(self, **fields: Any) -> None:
        """Tell it something that it waits for; as long as it was not told, its silence says nothing of it."""
        self.said_at = time.monotonic()
        self.tell(**fields)

    def kill(self, fate: str) -> None:
        """End it at once, whatever it does.

        Parameters
        ----------
        fate : str
            Why, for its obituary.
        """
        self.fate = self.fate or fate
        self._process.kill()

    def hang_up(self) -> None:
        """Close its pipe, which asks it to end. May be called twice."""
        if self._process.stdin and not self._process.stdin.closed:
            self._process.stdin.close()

    def stop(self, timeout_s: float = 2.0) -> int:
        """Close its pipe, wait, and kill it if it does not end.

        Parameters
        ----------
        timeout_s : float
            How long it is waited for, seconds.

        Returns
        -------
        int
            Its exit code.
        """
        self.hang_up()
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill(f"did not end within {timeout_s:g} s of being asked to, and was ended")
            self._process.wait()
        self._reader.join()
        if self._process.stdout:
            self._process.stdout.close()
        return self._process.returncode

    def _read(self) -> None:
        """Pass on what the child prints, line by line."""
        for line in self._process.stdout or ():
            try:
                found = json.loads(line.decode(errors="replace"))
            except (ValueError, RecursionError):
                continue
            if not isinstance(found, dict):
                continue
            if "alive" in found:
                self.sign_of_life, self.sign_of_life_s = found, time.monotonic()
            elif isinstance(found.get("streams"), dict):
                self.streams = {**self.streams, **found["streams"]}
                self._introduced()
            elif found.get("event") == "subscribed":
                self.recorded |= {str(found.get("uid"))}
                self._introduced()
            else:
                self._messages.put(found)


def say_ready(**fields: Any) -> None:
    """Tell the parent process, on standard output, that this one is ready."""
    print(json.dumps({"ready": True, **fields}), flush=True)


def say_streams(**uids: str) -> None:
    """Tell the parent process, where it watches this one, which streams are this process's.

    Call this as soon as the outlets are there, before anything is waited for.

    Parameters
    ----------
    **uids : str
        ``uid`` of each stream (that of liblsl, new for every outlet) by its short name, for instance ``decisions``.
    """
    if WATCHED in os.environ:
        print(json.dumps({"streams": uids}), flush=True)


def say_alive(**fields: Any) -> None:
    """Tell the parent process, where it watches this one, that the main loop turns; to be called in every turn.

    Said at most every ``ALIVE_EVERY_S``, and at once where ``doubt`` is new.
    Never waits: what the parent does not read is dropped.

    Parameters
    ----------
    **fields
        How far the process is, as JSON can hold it; ``doubt``: why nothing may be moved on account of it.
    """
    if WATCHED in os.environ:
        _LIFE.sign(fields)


class _Life:
    """Signs of life of this process, numbered."""

    def __init__(self) -> None:
        self._n, self._due = 0, 0.0
        self._doubt: object = ""

    def sign(self, fields: Mapping[str, Any]) -> None:
        """Say that this process lives, if it is time."""
        now = time.monotonic()
        doubt = fields.get("doubt", "")
        if now < self._due and doubt == self._doubt:
            return
        self._n, self._due, self._doubt = self._n + 1, now + ALIVE_EVERY_S, doubt
        line = json.dumps({"alive": self._n, **fields}).encode() + b"\n"
        if len(line) <= ATOMIC:
            _offer(sys.stdout.fileno(), line)


_LIFE = _Life()


def _offer(handle: int, line: bytes) -> None:
    """Write a line to a pipe if it takes it whole at once; a reader that has gone is noticed elsewhere."""
    try:
        if sys.platform == "win32":  # a pipe there cannot be asked whether it takes anything
            os.set_blocking(handle, False)
            try:
                os.write(handle, line)
            finally:
                os.set_blocking(handle, True)
        elif select.select([], [handle], [], 0.0)[1] and _unread(handle) < WAITING:
            os.write(handle, line)
    except OSError:
        return


def _unread(handle: int) -> int:
    """Bytes in a pipe that have not been read; 0 where the system does not say."""
    import array
    import fcntl
    import termios

    found = array.array("i", [0])
    try:
        fcntl.ioctl(handle, termios.FIONREAD, found)
    except OSError:
        return 0
    return found[0]
