"""The person at the terminal of a session: Enter is the emergency stop, words do what they say."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

AGAIN_S = 0.3
HELP = "Press Enter for the EMERGENCY STOP. Or type arm, disarm, mark CHANNEL or good CHANNEL, and press Enter."


@dataclass(frozen=True, slots=True)
class TerminalCommand:
    """The request of one line at the terminal.

    Parameters
    ----------
    kind : {"stop", "arm", "disarm", "mark", "good"}
    labels : tuple of str
        Channels to mark.
    typed : str
        What was typed, for the record.
    """

    kind: str
    labels: tuple[str, ...] = ()
    typed: str = ""


def terminal_command(line: str) -> TerminalCommand:
    """Tell what a line at the keyboard asks for; a line that is not understood stops.

    Parameters
    ----------
    line : str

    Returns
    -------
    TerminalCommand

    >>> terminal_command("mark C3, Pz")
    TerminalCommand(kind='mark', labels=('C3', 'Pz'), typed='mark C3, Pz')
    >>> terminal_command("amr").kind
    'stop'
    """
    typed = line.strip()
    word, *rest = typed.replace(",", " ").split() or [""]
    kind = word.lower()
    if kind in ("mark", "good") and rest:
        return TerminalCommand(kind, tuple(rest), typed)
    if kind in ("arm", "disarm") and not rest:
        return TerminalCommand(kind, (), typed)
    return TerminalCommand("stop", (), typed)


def at_terminal() -> bool:
    """Whether a person can type to this process: its input is a terminal, and no other program holds that terminal.

    Returns
    -------
    bool
    """
    if not sys.stdin.isatty():
        return False
    if not hasattr(os, "tcgetpgrp"):
        return True
    try:  # who reads in the background is stopped by the system
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except OSError:  # a terminal that is not the one this process was started from has no background
        return True


def listen(hear: Callable[[str], object]) -> None:
    """Read the keyboard in a thread of its own, so that a stop never waits for what else is done.

    In the background, where the system would stop whoever reads, it waits for the terminal to be given back.

    Parameters
    ----------
    hear : callable
        Given each line. What was ended by Ctrl-D instead of Enter begins with ``^D``, so that nobody takes it for a word.
    """
    for name in ("SIGTTIN", "SIGTTOU"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    threading.Thread(target=_read, args=(sys.stdin.fileno(), hear), name="keyboard", daemon=True).start()


def _read(handle: int, hear: Callable[[str], object]) -> None:
    # Unbuffered: the interpreter could not take a buffer's lock back at its end, and would abort.
    while True:
        try:
            typed = os.read(handle, 4096)
        except OSError:  # in the background, or the terminal is closed
            typed = None
        if typed is not None:  # Ctrl-D alone, which stops as Enter does, is an empty read
            for line in typed.decode(errors="replace").splitlines(keepends=True) or [""]:
                hear(line.strip() if line.endswith(("\n", "\r")) else f"^D{line}")
        if not typed:
            # A number whose terminal is gone may belong to another file soon, and must not be read again.
            if not os.isatty(handle):
                return
            time.sleep(AGAIN_S)
