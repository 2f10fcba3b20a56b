"""The other end: takes each decision as soon as it comes, and notes when that was."""

from __future__ import annotations

import gc
import json
import sys
from dataclasses import dataclass

import numpy as np
import pylsl

from latency import task

STAMP, EXPIRY, REASON, HEARTBEAT = (task.COLUMNS.index(name) for name in ("stamp", "expiry", "reason", "heartbeat"))
DECODED = (0.0, 1.0)  # decided, idle (docs/reference/streams.md)


@dataclass(frozen=True, slots=True)
class Order:
    """What the parent asks for.

    Parameters
    ----------
    seconds : float
        Time of measuring.
    warm_up_s : float
        Decisions of this long after the first decoded window do not count.
    patience_s : float
        Time allowed to the first decision.
    """

    seconds: float
    warm_up_s: float
    patience_s: float


def listen(order: Order, rows: np.ndarray) -> tuple[int, int]:
    """Fill ``rows`` with (stamp used, time pushed, time received); return how many, and how many said nothing.

    Parameters
    ----------
    order : Order
    rows : ndarray, shape (n_max, 3)

    Raises
    ------
    TimeoutError
        If no decision comes.
    """
    info = task.find(f"type='{task.DECISION_TYPE}'", order.patience_s)
    inlet = pylsl.StreamInlet(info, max_buflen=10, recover=False)
    clock, pull = pylsl.local_clock, inlet.pull_sample
    starts = ends = last = 0.0
    n_rows = n_silent = 0
    gives_up = clock() + order.patience_s
    while not ends or clock() < ends:
        row, _ = pull(0.5)
        now = clock()
        if row is None or row[HEARTBEAT] or row[STAMP] == last:
            if not ends and now > gives_up:
                raise TimeoutError(f"no decision within {order.patience_s:g} s")
            continue
        last = row[STAMP]
        if row[REASON] not in DECODED:
            n_silent += bool(ends) and now >= starts
            continue
        if not ends:
            starts, ends = now + order.warm_up_s, now + order.warm_up_s + order.seconds
        elif now >= starts and n_rows < len(rows):
            rows[n_rows] = last, row[EXPIRY] - task.EXPIRY_S, now
            n_rows += 1
    inlet.close_stream()
    return n_rows, n_silent


def main() -> None:
    """Obey orders, one JSON line each, until standard input closes."""
    rows = np.zeros((100_000, 3))
    task.settle()
    task.say(ready=True)
    for line in sys.stdin:
        gc.disable()
        try:
            n_rows, n_silent = listen(Order(**json.loads(line)), rows)
        except (TimeoutError, pylsl.util.LostError) as error:
            task.say(error=str(error) or "the stream of decisions was lost")
        else:
            task.say(rows=rows[:n_rows].tolist(), silent=n_silent)
        gc.enable()


if __name__ == "__main__":
    main()
