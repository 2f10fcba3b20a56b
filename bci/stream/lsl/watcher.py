"""Looking for LSL streams all the time, in the background."""

from __future__ import annotations

import threading
import time
from typing import Any

from bci.stream.lsl import liblsl
from bci.stream.lsl.discovery import FoundStream, identified, predicate
from bci.stream.stream_query import StreamQuery


class Watcher:
    """Look for matching streams in the background, so that no caller waits.

    liblsl's resolver opens two more ports every half second, of the few (32 by default) through which the streams
    of a machine can be found, and keeps each for seconds: two or three such resolvers make new streams invisible.
    So there is one for all queries, and it is given up for a new one before it has taken many.

    Parameters
    ----------
    *queries : StreamQuery
        A stream that matches any of them is found.
    """

    RENEW_S = 1.5
    FORGET_S = 1.0

    def __init__(self, *queries: StreamQuery) -> None:
        self._predicate = "(" + " or ".join(f"({predicate(query)})" for query in queries) + ")"
        self._before: list[FoundStream] = []
        self._resolver: Any = None
        self._lock = threading.Lock()
        self._renew()

    def found(self) -> list[FoundStream]:
        """Streams that answered within the last second or two. May be asked by several threads."""
        with self._lock:
            return self._found()

    def _found(self) -> list[FoundStream]:
        if self._resolver is None:
            return []
        streams = [identified(h) for h in self._resolver.results()]
        age_s = time.monotonic() - self._began
        if age_s < self.FORGET_S:
            return list({s.uid: s for s in (*self._before, *streams)}.values())
        if age_s >= self.RENEW_S:
            self._before = streams
            self._renew()
        return streams

    def close(self) -> None:
        """Stop looking. May be called twice."""
        with self._lock:
            self._resolver = None

    def _renew(self) -> None:
        self._resolver = None  # its ports first
        self._resolver = liblsl.ContinuousResolver(pred=self._predicate, forget_after=self.FORGET_S)
        self._began = time.monotonic()
