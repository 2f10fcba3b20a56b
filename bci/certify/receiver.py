"""The receiver: a process that takes each decision as soon as it comes, and notes the time.

It reads as an actuator host does, so what it measures is what an actuator would get.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bci.certify.loopback import Loopback, command_times, match, rising_edges, watched
from bci.certify.stages import DECODED, RECEIVED_FIELDS
from bci.engine.chunk import FloatArray
from bci.errors import StreamError, StreamLost
from bci.stream import messages
from bci.stream.lsl import LslRawInlet, StreamQuery, local_clock, resolve, this_host
from bci.stream.metadata import stream_info

ROWS_PER_S = 200
OFFSET_S = 2.0
PULL_S = 0.2


@dataclass(frozen=True, slots=True)
class ReceiverPlan:
    """What the receiver listens to, and for how long.

    Parameters
    ----------
    decisions : str
        Query for the session's decisions.
    seconds, warm_up_s : float
        Time of measuring, and how much of it after the first decoded window does not count.
    patience_s : float
        Time allowed to the first decoded window.
    sent, seen : str
        Queries for the commands and for what they did; empty for no loop-back.
    channel : str
        Channel of ``seen``, where that is a signal of several.
    """

    decisions: str
    seconds: float
    warm_up_s: float
    patience_s: float
    sent: str = ""
    seen: str = ""
    channel: str = ""

    def save(self, path: Path) -> None:
        """Write it for the receiver's process.

        Parameters
        ----------
        path : Path
            Overwritten where it is there.
        """
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> ReceiverPlan:
        """What :meth:`save` wrote.

        Parameters
        ----------
        path : Path
            A file that :meth:`save` wrote.
        """
        return cls(**json.loads(path.read_text(encoding="utf-8")))


@dataclass(frozen=True, slots=True, eq=False)
class Received:
    """What came: rows (``RECEIVED_FIELDS``), and the loop-back where there is one."""

    rows: FloatArray
    loop: Loopback | None = None


def receive(plan: ReceiverPlan, stopped: Callable[[], str], ready: Callable[[], None], told: Callable[[float], None]) -> Received:
    """Receive for as long as planned, or until asked to stop.

    Parameters
    ----------
    plan : ReceiverPlan
    stopped : callable
        Why to end, or "".
    ready : callable
        Called when everything is connected.
    told : callable
        Takes the share done, about twice a second.

    Raises
    ------
    StreamError
        If a stream is not there, or nothing was decoded in time.
    """
    inlet = LslRawInlet(resolve(StreamQuery.parse(plan.decisions), plan.patience_s, settle_s=0.0))
    wire_ends: list[Listened] = []
    try:
        wire_ends += [Listened(query, channel) for query, channel in ((plan.sent, ""), (plan.seen, plan.channel)) if query]
        gc.collect()
        gc.freeze()
        ready()
        rows = _decisions(inlet, plan, stopped, told)
        return Received(rows, _loopback(wire_ends))
    finally:
        for end in wire_ends:
            end.close()
        inlet.close()


def _decisions(inlet: LslRawInlet, plan: ReceiverPlan, stopped: Callable[[], str], told: Callable[[float], None]) -> FloatArray:
    """Rows with the time at which each came, shape (n_rows, n_fields)."""
    rows = np.zeros((round((plan.seconds + 10) * ROWS_PER_S), len(RECEIVED_FIELDS)))
    reason, n_fields = messages.DECISION_FIELDS.index("reason"), len(messages.DECISION_FIELDS)
    gives_up, starts, ends, n, shown = local_clock() + plan.patience_s, np.inf, np.inf, 0, 0.0
    while (now := local_clock()) < ends and not stopped() and n < len(rows):
        if ends == np.inf and now > gives_up:
            break
        pulled = inlet.pull(PULL_S)
        now = local_clock()
        if pulled is None:
            continue
        values, sent = np.asarray(pulled[0]), pulled[1]
        if ends == np.inf and np.isin(values[:, reason], DECODED).any():
            starts = now + plan.warm_up_s
            ends = starts + plan.seconds
        if now < starts:
            continue
        k = min(len(sent), len(rows) - n)
        rows[n : n + k, :n_fields], rows[n : n + k, -2], rows[n : n + k, -1] = values[:k, :n_fields], sent[:k], now
        n += k
        if now - shown > 0.5:
            told((now - starts) / plan.seconds)
            shown = now
    if not n:
        raise StreamError(
            f"no window was decoded within {plan.patience_s:g} s. Check the signal with bci doctor, and check that it "
            "is the signal for which the model was trained."
        )
    return rows[:n]


class Listened:
    """One end of the loop-back: a stream of texts, or one channel of a signal.

    Parameters
    ----------
    query : str
    channel : str
        Of a signal; may be empty where it has only one.
    """

    def __init__(self, query: str, channel: str = "") -> None:
        self._inlet = LslRawInlet(resolve(StreamQuery.parse(query)))
        self._began = local_clock()
        self.text = self._inlet.found.channel_format == "string"
        try:
            self._column = 0 if self.text else column_of(stream_info(self._inlet.header_xml).labels, channel, query)
        except BaseException:
            self._inlet.close()
            raise

    def times(self) -> tuple[FloatArray, float, float]:
        """When something happened on it, and since and until when that was looked for; this machine's LSL clock."""
        rows: list[Any] = []
        stamps: list[float] = []
        try:
            while (pulled := self._inlet.pull(0.0)) is not None:
                rows += [r[0] for r in pulled[0]] if self.text else np.asarray(pulled[0])[:, self._column].tolist()
                stamps += pulled[1].tolist()
        except StreamLost:
            pass  # all that it sent was pulled first
        offset_s = self._offset_s()
        if self.text:
            return command_times(list(zip(rows, stamps, strict=True))) + offset_s, self._began, local_clock()
        moments = np.array(stamps, np.float64) + offset_s
        since, until = (float(moments[0]), float(moments[-1])) if len(moments) else (np.inf, -np.inf)
        return rising_edges(np.array(rows, np.float64), moments), since, until

    def _offset_s(self) -> float:
        """Of the sender's clock; its own machine has ours."""
        if self._inlet.found.host == this_host():
            return 0.0
        answer = self._inlet.time_correction(OFFSET_S)
        return answer[1] if answer else 0.0

    def close(self) -> None:
        """Unsubscribe."""
        self._inlet.close()


def column_of(labels: Sequence[str], channel: str, query: str) -> int:
    """Find the column of a channel.

    Parameters
    ----------
    labels : sequence of str
        Of the stream's channels.
    channel : str
        Label; may be empty where the stream has one channel only.
    query : str
        The stream, for the message.

    Raises
    ------
    StreamError
    """
    if not channel and len(labels) == 1:
        return 0
    if channel not in labels:
        raise StreamError(f"--loopback {query}: channel {channel!r} must be one of {', '.join(labels)}; name it with --channel")
    return list(labels).index(channel)


def _loopback(ends: Sequence[Listened]) -> Loopback | None:
    """Commands and effects, matched."""
    if not ends:
        return None
    sent, (seen, since, until) = ends[0].times()[0], ends[1].times()
    return match(*watched(sent, seen, since, until))
