"""All threads of a process take memory from one heap, so that what it holds does not creep up over hours.

glibc gives each thread a heap of its own (of several for each processor). What one thread takes and another one gives back, as
samples on their way to a file are, leaves holes in each of them, more after every moment in which the machine stood still
(measured: 10.7 MB of holes after two minutes with six such moments, 1.1 MB with one heap, for the same processor time).
"""

from __future__ import annotations

import ctypes
import sys

M_ARENA_MAX = -8  # <malloc.h> of glibc


def one_heap() -> bool:
    """To be called before any thread is started; whether there is one heap from now on. Other systems are left as they are.

    Returns
    -------
    bool
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        return bool(ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1))
    except AttributeError:  # a C library without heaps to choose from
        return False
