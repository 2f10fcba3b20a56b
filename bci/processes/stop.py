r"""Why a process is to end, or to stand still: signals, the parent's pipe, a deadline.

A terminal that is closed (SIGHUP), Ctrl-\ (SIGQUIT) and a service that is stopped (SIGTERM) end a program in the same
order as Ctrl-C does. What cannot wait until the main thread is free is called from a thread of its own, which the
system's signal handler wakes itself: the main thread may be inside a library, and Python runs no handler until it returns.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGQUIT", "SIGBREAK") if hasattr(signal, name))
"""Signals that end a program in good order, beside Ctrl-C; SIGBREAK is Windows' for Ctrl-Break and a console that is closed."""
PAUSE = getattr(signal, "SIGTSTP", None)
"""Ctrl-Z; Windows has none."""


class _Keys:
    """Ctrl-C in this process: how often it was pressed, and how many wait to be left alone by it."""

    pressed = 0
    patience = 0


def interrupts() -> int:
    """Count how often Ctrl-C was pressed in this process, where a :class:`StopRequest` has heard it.

    Returns
    -------
    int
    """
    return _Keys.pressed


@contextmanager
def patient() -> Iterator[None]:
    """Within: a further Ctrl-C is counted and interrupts nothing, because what is done must come to its end."""
    _Keys.patience += 1
    try:
        yield
    finally:
        _Keys.patience -= 1


class StopRequest:
    """Whether this process has been asked to end: by its parent's pipe, a signal, or a deadline.

    Parameters
    ----------
    parent_pipe : bool
        End when standard input closes, and leave the terminal's interrupt to the parent.
    seconds : float or None
        End after this long.
    hear : callable
        Given each line that comes from the parent's pipe, in a thread of its own.
    """

    def __init__(
        self, parent_pipe: bool = False, seconds: float | None = None, hear: Callable[[str], object] = lambda _: None
    ) -> None:
        self._why = ""
        self._before = interrupts()
        self.after(seconds)
        for number in ENDING:
            # nohup has the end of the terminal ignored, and means it.
            if number != getattr(signal, "SIGHUP", None) or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._signalled)
        signal.signal(signal.SIGINT, signal.SIG_IGN if parent_pipe else self._signalled)
        if parent_pipe:
            threading.Thread(target=self._read_pipe, args=(hear,), name="parent pipe", daemon=True).start()

    def __call__(self) -> str:
        """Tell why this process is to end.

        Returns
        -------
        str
            Empty where it is to go on.
        """
        if not self._why and self._deadline is not None and time.monotonic() >= self._deadline:
            self._why = "time is over"
        return self._why

    def after(self, seconds: float | None) -> None:
        """End some time from now.

        Parameters
        ----------
        seconds : float or None
            None for no such end.
        """
        self._deadline = time.monotonic() + seconds if seconds is not None else None

    def ask(self, why: str) -> None:
        """Ask this process to end.

        Parameters
        ----------
        why : str
        """
        self._why = self._why or why

    @contextmanager
    def at_once(self, end: Callable[[], object], pause: Callable[[], object] | None = None) -> Iterator[None]:
        """Within: what must not wait for the main thread when a signal comes.

        Parameters
        ----------
        end : callable
            Called as soon as a signal asks this process to end, from a thread of its own.
        pause : callable, optional
            Called as soon as Ctrl-Z (SIGTSTP) asks it to stand still; when it has returned, the process stops, and goes
            on where SIGCONT wakes it. Without it the system stops the process at once.
        """
        woken, wakes = socket.socketpair()
        wakes.setblocking(False)
        previous = signal.set_wakeup_fd(wakes.fileno(), warn_on_full_buffer=False)
        paused = signal.signal(PAUSE, lambda *_: None) if pause is not None and PAUSE is not None else None
        thread = threading.Thread(target=self._obey, args=(woken, end, pause), name="signals", daemon=True)
        thread.start()
        try:
            yield
        finally:
            if paused is not None and PAUSE is not None:
                signal.signal(PAUSE, paused)
            signal.set_wakeup_fd(previous)
            wakes.close()
            thread.join()
            woken.close()

    def _obey(self, woken: socket.socket, end: Callable[[], object], pause: Callable[[], object] | None) -> None:
        """Do what signals ask for, as they come; ends when the other end is closed."""
        while numbers := woken.recv(64):
            for number in numbers:
                if pause is not None and number == PAUSE:
                    pause()
                    os.kill(os.getpid(), signal.SIGSTOP)
                elif number in ENDING or number == signal.SIGINT:
                    self.ask(signal.Signals(number).name)
                    end()

    def _signalled(self, number: int, _frame: object) -> None:
        if number == signal.SIGINT:
            _Keys.pressed += 1
            if interrupts() > self._before + 1 and not _Keys.patience:
                raise KeyboardInterrupt
        self.ask(signal.Signals(number).name)

    def _read_pipe(self, hear: Callable[[str], object]) -> None:
        # Unbuffered: the interpreter could not take a buffer's lock back at its end, and would abort.
        handle, rest = sys.stdin.fileno(), b""
        while read := os.read(handle, 4096):
            *lines, rest = (rest + read).split(b"\n")
            for line in lines:
                hear(line.decode(errors="replace"))
        self.ask("the parent's pipe closed")
