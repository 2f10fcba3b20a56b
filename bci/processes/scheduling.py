"""Who goes first where processors are few: sources, engine and guard before everything that may come a little later.

On Linux a thread asks for round-robin real-time scheduling (sched(7)), and threads that it makes inherit it: those of
liblsl too. The system must permit it (``RLIMIT_RTPRIO``; root may always); it keeps a twentieth of each second for the
rest, whatever a process does. On Windows the process takes the high priority class, which every user may. Elsewhere, and
where it is not permitted, nothing changes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

ENGINE, SOURCE, GUARD = 5, 6, 7
"""Real-time priorities, 1 to 99: a command waits for no sample, and a sample for no step. Kernel threads have 50."""
FIRST, EQUAL = "first", "equal"
SWITCH = "BCI_SCHEDULING"
"""Environment variable; ``equal`` leaves everything as the system does it."""
_HIGH, _NORMAL = 0x80, 0x20  # HIGH_PRIORITY_CLASS, NORMAL_PRIORITY_CLASS


@contextmanager
def ahead(priority: int) -> Iterator[str]:
    """Go before ordinary processes until the context is left.

    To be entered before threads are made that shall go first too.

    Parameters
    ----------
    priority : int
        One of :data:`ENGINE`, :data:`SOURCE`, :data:`GUARD`.

    Yields
    ------
    str
        ``"first"``, or ``"equal"`` where that is not permitted, not known how, or not sensible: with one processor.
    """
    if os.environ.get(SWITCH) == EQUAL or (os.cpu_count() or 1) < 2:
        yield EQUAL
    elif sys.platform == "linux":
        before = os.sched_getscheduler(0), os.sched_getparam(0)
        try:
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(priority))
        except PermissionError:
            yield EQUAL
            return
        try:
            yield FIRST
        finally:
            os.sched_setscheduler(0, *before)
    elif sys.platform == "win32":
        yield FIRST if _windows(_HIGH) else EQUAL
        _windows(_NORMAL)
    else:
        yield EQUAL


def permitted() -> bool:
    """Whether the processes of a session would go first.

    Returns
    -------
    bool
    """
    with ahead(ENGINE) as how:
        return how == FIRST


def _windows(priority_class: int) -> bool:
    import ctypes

    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined]
    return bool(kernel.SetPriorityClass(kernel.GetCurrentProcess(), priority_class))
