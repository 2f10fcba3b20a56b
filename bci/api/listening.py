"""The decisions of a live session, one after another."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np

from bci.actuation.feed import classes_of
from bci.engine.chunk import FloatArray
from bci.engine.outcome import Reason
from bci.errors import StreamLost
from bci.stream.lsl import LslRawInlet
from bci.stream.lsl.discovery import resolve
from bci.stream.sent_decision import SentDecision
from bci.stream.stream_query import StreamQuery

FIND_S = 10.0
PULL_S = 0.1


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision of an engine about one window.

    Parameters
    ----------
    time_s : float
        Of the newest sample of its window, seconds on the EEG stream's clock.
    class_ : str
        Empty where nothing was decided.
    reason : str
        ``"decided"``, or why nothing was.
    confidence : float
        Evidence of that class, 0 to 1.
    """

    time_s: float
    class_: str
    reason: str
    confidence: float


class Decisions:
    """Decisions of one engine; iterate over it. A context manager: leaving it unsubscribes.

    Parameters
    ----------
    query : str
        For the engine's stream of decisions.
    timeout_s : float
        Time in which the engine must be found, and longest time without a decision before the iteration ends.

    Raises
    ------
    bci.errors.StreamNotFound
        If there is no such engine.
    bci.errors.StreamAmbiguous
        If there are several.
    """

    def __init__(self, query: str, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._inlet = LslRawInlet(resolve(StreamQuery.parse(query), timeout_s))
        self.classes = classes_of(self._inlet.header_xml)
        self._waiting: deque[Decision] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __iter__(self) -> Iterator[Decision]:
        while (found := self.next()) is not None:
            yield found

    def next(self) -> Decision | None:
        """Return the next decision; None if none came in time, or if the engine has ended."""
        until_s = time.monotonic() + self._timeout_s
        while not self._waiting and time.monotonic() < until_s:
            try:
                pulled = self._inlet.pull(PULL_S)
            except StreamLost:
                break
            if pulled is not None:
                self._waiting.extend(self._decision(np.asarray(row, dtype=np.float64)) for row in pulled[0])
        return self._waiting.popleft() if self._waiting else None

    def close(self) -> None:
        """Unsubscribe. May be called twice."""
        self._inlet.close()

    def _decision(self, row: FloatArray) -> Decision:
        sent = SentDecision.of(row)
        known = sent.decision.is_integer() and 0 <= sent.decision < len(self.classes)
        word = Reason(int(sent.reason)).name.lower() if sent.reason in set(Reason) else "unknown"
        return Decision(sent.stamp, self.classes[int(sent.decision)] if known else "", word, sent.confidence)


def listen(name: str = "bci", *, timeout_s: float = FIND_S) -> Decisions:
    """Listen to the decisions of a live session.

    They are for looking at: what moves something belongs behind the guard (``bci actuate``), which checks where they come from.

    Parameters
    ----------
    name : str
        Of the session: ``engine.name``.
    timeout_s : float
        Time in which the engine must be found, and longest time without a decision before the iteration ends, seconds.

    Returns
    -------
    Decisions

    Raises
    ------
    bci.errors.StreamNotFound
        If there is no such engine.

    Examples
    --------
    >>> with listen("bci") as decisions:  # doctest: +SKIP
    ...     for decision in decisions:
    ...         print(decision.time_s, decision.class_, decision.confidence)
    """
    return Decisions(f"name={name}-decisions", timeout_s)
