"""Two clocks with the same methods: LSL's own, and a virtual one that runs as fast as the work allows."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterator


class LslClock:
    """The clock LSL stamps with (``lsl_local_clock``); on Linux the same as ``time.monotonic``."""

    def __init__(self) -> None:
        from bci.stream.lsl import local_clock  # liblsl is loaded only by who wants real time

        self._now = local_clock

    def now(self) -> float:
        """Seconds since the machine started."""
        return self._now()

    def wait_until(self, time_s: float) -> None:
        """Sleep until ``now() >= time_s``.

        Parameters
        ----------
        time_s : float
            Seconds of the LSL clock.
        """
        while (left := time_s - self._now()) > 0:
            time.sleep(left)


class VirtualClock:
    """Time that moves only when somebody waits: a discrete-event simulation in one thread.

    Whatever happens by itself (a sender, a subject) is an *actor*: an iterator that does some work at each
    step and yields the time at which it wants to go on. :meth:`wait_until` and :meth:`wait_for` let due
    actors run, in the order of their times; equal times run in the order of their :meth:`add`.

    Parameters
    ----------
    start_s : float
        First value of :meth:`now`.

    Examples
    --------
    >>> clock, seen = VirtualClock(), []
    >>> def sender():
    ...     for k in range(3):
    ...         yield float(k)
    ...         seen.append(clock.now())
    >>> clock.add(sender())
    >>> clock.wait_until(1.5)
    >>> seen, clock.now()
    ([0.0, 1.0], 1.5)
    """

    def __init__(self, start_s: float = 0.0) -> None:
        self._now = start_s
        self._count = 0
        self._actors: list[tuple[float, int, Iterator[float]]] = []

    def now(self) -> float:
        """Virtual seconds."""
        return self._now

    def add(self, actor: Iterator[float]) -> None:
        """Run an actor up to its first yield, and from then on whenever its time has come.

        Parameters
        ----------
        actor : iterator of float
            Yields the times at which it wants to go on, seconds on this clock.
        """
        self._schedule(self._count, actor)
        self._count += 1

    def wait_until(self, time_s: float) -> None:
        """Let actors run until ``now() >= time_s``.

        Parameters
        ----------
        time_s : float
            Seconds on this clock.
        """
        self.wait_for(lambda: False, time_s)

    def wait_for(self, ready: Callable[[], bool], until_s: float) -> bool:
        """Let actors run until a condition holds or a time has come.

        Parameters
        ----------
        ready : callable
            The condition.
        until_s : float
            Seconds on this clock.

        Returns
        -------
        bool
            Whether the condition holds.
        """
        while not ready():
            if not self._step(until_s):
                self._now = max(self._now, until_s)
                return False
        return True

    @property
    def idle(self) -> bool:
        """True when no actor has anything left to do."""
        return not self._actors

    def _step(self, until_s: float) -> bool:
        """Run the next actor that is due by ``until_s``; False where there is none."""
        if not self._actors or self._actors[0][0] > until_s:
            return False
        due, order, actor = heapq.heappop(self._actors)
        self._now = max(self._now, due)
        self._schedule(order, actor)
        return True

    def _schedule(self, order: int, actor: Iterator[float]) -> None:
        due = next(actor, None)
        if due is not None:
            heapq.heappush(self._actors, (due, order, actor))
