"""What the machine that runs the tests does to times: promised ones are those of an idle computer that is all ours."""

from __future__ import annotations

import os
import threading
import time
from collections import deque

LOOK_S = 0.005
STALL_S = 0.02
RECENT_S = 20.0


class Stalls(threading.Thread):
    """Notes when a processor did not run a thread that was due: another machine had it, or somebody else's program.

    Parameters
    ----------
    processor : int
    """

    def __init__(self, processor: int) -> None:
        super().__init__(name=f"watches processor {processor}", daemon=True)
        self._processor = processor
        self._found: deque[tuple[float, float]] = deque(maxlen=1000)

    def run(self) -> None:
        """Sleep, and look how much longer it was."""
        os.sched_setaffinity(0, {self._processor})  # of this thread alone
        while True:
            due = time.monotonic() + LOOK_S
            time.sleep(LOOK_S)
            late_s = time.monotonic() - due
            if late_s > STALL_S:
                self._found.append((due, late_s))

    def longest_s(self) -> float:
        """The longest of the last 20 s."""
        since = time.monotonic() - RECENT_S
        return max((late_s for at, late_s in tuple(self._found) if at + late_s >= since), default=0.0)


WATCHED = [Stalls(i) for i in sorted(os.sched_getaffinity(0))] if hasattr(os, "sched_getaffinity") else []
for one in WATCHED:
    one.start()


def busy() -> float:
    """How many processes share a processor."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def stalled_s() -> float:
    """How long a processor stood still just now, at most; 0 on a computer that is all ours."""
    return max((watch.longest_s() for watch in WATCHED), default=0.0)


def within(promised_s: float) -> float:
    """What a promised time may be here and now: what was promised, and what the machine itself lost, as it was measured.

    A processor that other programs share wakes a thread late, which the watching threads see as a stall: how many programs
    there are loosens nothing beside that.
    """
    return promised_s + stalled_s()


def condition() -> str:
    """Both, for who reads the times."""
    return f"load {busy():.1f} per processor, stood still for {1000 * stalled_s():.0f} ms"
