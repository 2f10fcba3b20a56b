"""The person at the terminal of a session: Enter is the emergency stop, words do what they say."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass

HELP = "Enter: EMERGENCY STOP.  arm, disarm, mark CHANNEL, good CHANNEL (and Enter): what they say."


@dataclass(frozen=True, slots=True)
class Order:
    """What a line asks for.

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


def order_of(line: str) -> Order:
    """What a line at the keyboard asks for; whatever is not understood stops.

    >>> order_of("mark C3, Pz")
    Order(kind='mark', labels=('C3', 'Pz'), typed='mark C3, Pz')
    >>> order_of("amr").kind
    'stop'
    """
    typed = line.strip()
    word, *rest = typed.replace(",", " ").split() or [""]
    kind = word.lower()
    if kind in ("mark", "good") and rest:
        return Order(kind, tuple(rest), typed)
    if kind in ("arm", "disarm") and not rest:
        return Order(kind, (), typed)
    return Order("stop", (), typed)


def at_terminal() -> bool:
    """Whether a person can type to this process: a terminal, and not from behind another program that has it."""
    if not sys.stdin.isatty():
        return False
    if not hasattr(os, "tcgetpgrp"):
        return True
    try:  # who reads in the background is stopped by the system
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except OSError:  # a terminal that is not the one this process was started from has no background
        return True


def listen(obey: Callable[[Order], None]) -> None:
    """Read the keyboard in a thread of its own, so that a stop never waits for what else is done."""
    threading.Thread(target=_read, args=(obey,), name="keyboard", daemon=True).start()


def _read(obey: Callable[[Order], None]) -> None:
    # Unbuffered: the interpreter could not take a buffer's lock back at its end, and would abort.
    handle = sys.stdin.fileno()
    while typed := os.read(handle, 4096):
        for line in typed.decode(errors="replace").splitlines():
            obey(order_of(line))
