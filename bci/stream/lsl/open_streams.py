"""Every stream that is wanted, open: found, connected, and connected again when its connection breaks.

LSL keeps no promise here: a connection that breaks while both programs live is not made again by itself
(``docs/reference/streams.md``). So what is remembered is which streams are *open*, never which were seen.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from bci.stream.lsl.discovery import FoundStream

LOOK_S = 0.1
RETRY_S = 0.5
"""Longest time between two attempts to connect to a stream that is announced."""
FIRST_RETRY_S = 0.05
"""After the first attempt that failed; twice as long after each further one."""
FORGET_S = 5.0
"""A stream that is neither open nor announced is forgotten after so long."""
AT_ONCE = 4
"""Attempts that may run at the same time for each kind of stream: open before and just broken, never seen before, not answering.

A sender that hangs holds an attempt until its time is over. However many such are announced, those that are new, and those that
were open and broke, do not wait for them.
"""
BROKEN, NEW, SILENT = range(3)


class Connection(Protocol):
    """A connection to a stream, which knows when the stream is lost."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will come: the connection broke, or it was closed."""
        ...

    def close(self) -> None:
        """Unsubscribe. May be called twice."""
        ...


Opened = TypeVar("Opened", bound=Connection)


@dataclass(frozen=True, slots=True)
class OpenedStream(Generic[Opened]):
    """A stream that was connected.

    Parameters
    ----------
    found : FoundStream
    inlet : Connection
        Open.
    gap_s : float
        For how long the stream was not connected, where it had been open before; NaN the first time.
    """

    found: FoundStream
    inlet: Opened
    gap_s: float = math.nan


@dataclass(slots=True)
class _Known(Generic[Opened]):
    """What is known of one stream.

    ``trying``: an attempt to connect runs. ``broke_s``: since when it is not connected although it was, NaN where it never was.
    """

    found: FoundStream
    seen_s: float
    number: int
    inlet: Opened | None = None
    trying: bool = False
    failures: int = 0
    due_s: float = field(default=-math.inf)
    broke_s: float = math.nan

    @property
    def kind(self) -> int:
        """Whose attempts it shares (``AT_ONCE``)."""
        if self.failures:
            return SILENT
        return NEW if math.isnan(self.broke_s) else BROKEN

    @property
    def turn(self) -> tuple[bool, float]:
        """Who of one kind comes first: the newest; of those that do not answer, what has been open once, then in their order."""
        return math.isnan(self.broke_s), self.due_s if self.failures else -self.number


class OpenStreams(Generic[Opened]):
    """Open every stream in reach that is wanted and not open, in threads of its own, so that no caller waits for a network.

    The reader of an inlet closes it when it raises ``StreamLost``; the stream is opened again at once as long as it is
    announced, and a new inlet comes out of :meth:`opened`.

    Parameters
    ----------
    in_reach : callable
        Streams that are announced (:meth:`~bci.stream.lsl.watcher.Watcher.found`).
    wanted : callable
        Whether a stream that was found is to be open. Asked again and again; an open one that is no longer wanted stays open.
    open_ : callable
        Connects to a stream, or raises one of the tree's errors; may take as long as it must, but not for ever.
    woken : callable
        Called, from some thread, whenever a stream was opened.
    """

    def __init__(
        self,
        in_reach: Callable[[], list[FoundStream]],
        wanted: Callable[[FoundStream], bool],
        open_: Callable[[FoundStream], Opened],
        woken: Callable[[], None] = lambda: None,
    ) -> None:
        self._in_reach, self._wanted, self._open, self._woken = in_reach, wanted, open_, woken
        self._known: dict[str, _Known[Opened]] = {}
        self._joined: list[OpenedStream[Opened]] = []
        self._failed: list[tuple[FoundStream, Exception]] = []
        self._attempts: set[threading.Thread] = set()
        self._number = 0
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closing = False
        self._looker = threading.Thread(target=self._look, name="opens streams", daemon=True)
        self._looker.start()

    @property
    def open(self) -> dict[str, FoundStream]:
        """The streams that are connected, by uid."""
        with self._lock:
            return {uid: k.found for uid, k in self._known.items() if k.inlet is not None and not k.inlet.ended}

    def opened(self) -> list[OpenedStream[Opened]]:
        """Streams connected since the last call; who takes them closes them."""
        if not self._joined:  # asked in loops that must not wait
            return []
        with self._lock:
            joined, self._joined = self._joined, []
        return joined

    def failed(self) -> list[tuple[FoundStream, Exception]]:
        """Streams that could not be connected since the last call, and why: each once, and none that was open before."""
        if not self._failed:
            return []
        with self._lock:
            failed, self._failed = self._failed, []
        return failed

    def hurry(self) -> None:
        """Look now: a connection has ended. From any thread."""
        self._wake.set()

    def close(self) -> None:
        """Stop looking, and close the connections that were not taken. May be called twice."""
        self._closing = True
        self._wake.set()
        self._looker.join()
        with self._lock:
            attempts = tuple(self._attempts)
        for thread in attempts:
            thread.join()
        for joined in self.opened():
            joined.inlet.close()

    def _look(self) -> None:
        """Until closed: see what is there, and begin to connect what is not open."""
        while not self._closing:
            now = time.monotonic()
            found = self._in_reach()
            with self._lock:
                self._note(found, now)
                begin = self._chosen(now)
            for known in begin:
                thread = threading.Thread(target=self._connect, args=(known,), name=f"opens {known.found.name}", daemon=True)
                self._attempts.add(thread)
                thread.start()
            self._wake.wait(LOOK_S)
            self._wake.clear()

    def _note(self, found: list[FoundStream], now: float) -> None:
        """What is announced, what broke, and what can be forgotten."""
        for stream in found:
            known = self._known.get(stream.uid)
            if known is None:
                self._number += 1
                known = self._known[stream.uid] = _Known(stream, now, self._number)
            known.found, known.seen_s = stream, now
        for uid, known in list(self._known.items()):
            if known.inlet is not None and known.inlet.ended:
                known.inlet, known.broke_s, known.due_s = None, now, -math.inf
            if known.inlet is None and not known.trying and now - known.seen_s > FORGET_S:
                del self._known[uid]

    def _chosen(self, now: float) -> list[_Known[Opened]]:
        """The streams to which we begin to connect now."""
        running = [k.kind for k in self._known.values() if k.trying]
        room = {kind: AT_ONCE - running.count(kind) for kind in (BROKEN, NEW, SILENT)}
        chosen = []
        for known in sorted(self._known.values(), key=lambda k: k.turn):
            idle = known.inlet is None and not known.trying and known.due_s <= now
            # Right after a break it is not checked whether the stream is still announced: that would take a second.
            if idle and (known.seen_s == now or known.kind == BROKEN) and room[known.kind] > 0 and self._wanted(known.found):
                known.trying = True
                room[known.kind] -= 1
                chosen.append(known)
        return chosen

    def _connect(self, known: _Known[Opened]) -> None:
        """One attempt, at the top of its thread: whatever goes wrong with a stranger's stream is this stream's failure."""
        try:
            inlet = self._open(known.found)
        except Exception as error:
            with self._lock:
                self._put_off(known, error)
        else:
            with self._lock:
                self._keep(known, inlet)
        self._woken()
        self._wake.set()

    def _keep(self, known: _Known[Opened], inlet: Opened) -> None:
        self._end(known)
        now = time.monotonic()
        known.inlet, known.failures, known.seen_s = inlet, 0, now
        self._joined.append(OpenedStream(known.found, inlet, now - known.broke_s))
        known.broke_s = math.nan

    def _put_off(self, known: _Known[Opened], error: Exception) -> None:
        self._end(known)
        known.failures += 1
        known.due_s = time.monotonic() + min(RETRY_S, FIRST_RETRY_S * 2 ** min(known.failures - 1, 10))
        if known.failures == 1 and math.isnan(known.broke_s):  # a sender that ended is told as lost, by who read it
            self._failed.append((known.found, error))

    def _end(self, known: _Known[Opened]) -> None:
        known.trying = False
        self._attempts.discard(threading.current_thread())
