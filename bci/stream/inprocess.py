"""Streams inside one process, on a virtual clock: a session faster than real time.

The inlets and outlets have the shapes of those of LSL. There are no threads: an inlet that waits lets the
actors of the :class:`~bci.stream.clock.VirtualClock` run until something has come or its time is up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Any
from uuid import uuid4
from xml.sax.saxutils import escape

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import Chunk, FloatArray
from bci.engine.stream_info import StreamInfo
from bci.errors import StreamAmbiguous, StreamError, StreamLost, StreamNotFound
from bci.stream.bus import Marker
from bci.stream.clock import VirtualClock
from bci.stream.marker_shapes import row_of
from bci.stream.marker_streams import Levels, is_markers
from bci.stream.metadata import header_xml, scale_to_microvolts, text_info
from bci.stream.montage import Montage, apply_montage
from bci.stream.sender_clock import SenderClock
from bci.stream.xdf_format import DTYPES

Rows = npt.NDArray[Any] | list[list[str]]


@dataclass(frozen=True, slots=True)
class Sender:
    """The computer that a stream comes from, with a clock of its own.

    Parameters
    ----------
    host : str
        Its name, as the stream's header gives it; empty where it does not.
    clock : callable
        What its clock shows at a time of the bus, seconds.
    error : callable
        Of the next measurement of its clock offset, seconds.
    """

    host: str
    clock: Callable[[float], float]
    error: Callable[[], float] = lambda: 0.0

    def time_correction(self, now: float) -> tuple[float, float]:
        """Collection time on the sender's clock and clock offset, as LSL measures them."""
        offset_s = now - self.clock(now) + self.error()
        return now - offset_s, offset_s


class Subscription:
    """What one reader has not read yet: pieces of (rows, stamps)."""

    def __init__(self) -> None:
        self.pieces: deque[tuple[Rows, FloatArray]] = deque()
        self.over = False


class InProcessOutlet:
    """Sends to all who subscribed before.

    Parameters
    ----------
    clock : VirtualClock
    info : StreamInfo
    channel_format : str
    bci : mapping of str to str, optional
        Children of ``desc/bci``.
    sender : Sender, optional
        Another computer than the one that reads.
    """

    def __init__(
        self,
        clock: VirtualClock,
        info: StreamInfo,
        channel_format: str,
        bci: Mapping[str, str] | None = None,
        sender: Sender | None = None,
    ) -> None:
        self.info, self.channel_format, self.sender = info, channel_format, sender
        self.header_xml = header_xml(info, channel_format, bci)
        if sender is not None and sender.host:
            self.header_xml = self.header_xml.replace("<desc>", f"<hostname>{escape(sender.host)}</hostname><desc>", 1)
        self.open = True
        self.uid = str(uuid4())
        self._dtype = DTYPES.get(channel_format, DTYPES["double64"])
        self._clock = clock
        self._readers: list[Subscription] = []

    def push(self, row: npt.ArrayLike, stamp: float = 0.0) -> None:
        """Send one row, shape (n_channels,), now; a stamp of 0 means the time of sending."""
        self._send(np.array(row, self._dtype, ndmin=2), np.array([stamp or self.now()]))

    def push_chunk(self, data: FloatArray, stamps: FloatArray) -> None:
        """Send consecutive rows, shape (n_samples, n_channels), each with its own stamp."""
        self._send(np.array(data, self._dtype), np.array(stamps, np.float64))

    def now(self) -> float:
        """Time on the sender's clock."""
        return self.sender.clock(self._clock.now()) if self.sender else self._clock.now()

    def _send(self, rows: Rows, stamps: FloatArray) -> None:
        if not self.open:
            raise StreamError(f"stream {self.info.name!r} was closed; nothing can be sent on it")
        if len(rows) != len(stamps) or (len(rows) and len(rows[0]) != len(self.info.channels)):
            raise StreamError(f"stream {self.info.name!r}: {len(rows)} rows and {len(stamps)} stamps do not fit its header")
        for reader in self._readers:
            if len(stamps):
                reader.pieces.append((rows, stamps))

    def subscribe(self) -> Subscription:
        """Everything sent from now on."""
        self._readers.append(Subscription())
        return self._readers[-1]

    def unsubscribe(self, subscription: Subscription) -> None:
        """Nothing more, please."""
        self._readers = [r for r in self._readers if r is not subscription]

    @property
    def has_consumers(self) -> bool:
        """Whether anybody listens."""
        return bool(self._readers)

    def wait_for_consumers(self, timeout_s: float) -> bool:
        """True as soon as somebody listens, False after ``timeout_s`` of virtual time."""
        return self._clock.wait_for(lambda: self.has_consumers, self._clock.now() + timeout_s)

    def close(self) -> None:
        """End the stream: readers get what is left, then :class:`StreamLost`. May be called twice."""
        self.open = False
        for reader in self._readers:
            reader.over = True


class InProcessTextOutlet:
    """Sends strings over an :class:`InProcessOutlet`."""

    def __init__(self, outlet: InProcessOutlet) -> None:
        self.outlet, self.info = outlet, outlet.info

    def push(self, text: str, stamp: float = 0.0) -> None:
        """Send one text now; a stamp of 0 means the time of sending."""
        self.push_row([text], stamp)

    def push_row(self, texts: Sequence[str], stamp: float = 0.0) -> None:
        """Send one text for each column now; a stamp of 0 means the time of sending."""
        self.outlet._send([list(texts)], np.array([stamp or self.outlet.now()]))

    def wait_for_consumers(self, timeout_s: float) -> bool:
        """True as soon as somebody listens, False after ``timeout_s`` of virtual time."""
        return self.outlet.wait_for_consumers(timeout_s)

    def close(self) -> None:
        """End the stream. May be called twice."""
        self.outlet.close()


class InProcessRawInlet:
    """A stream as it was sent (protocol :class:`~bci.stream.bus.RawInlet`)."""

    def __init__(self, outlet: InProcessOutlet, clock: VirtualClock) -> None:
        self.header_xml = outlet.header_xml
        self._outlet, self._clock = outlet, clock
        self._mine = outlet.subscribe()

    def pull(self, timeout_s: float) -> tuple[Rows, FloatArray] | None:
        """Everything at hand, waiting at most ``timeout_s`` of virtual time for it.

        Raises
        ------
        StreamLost
            If the sender is gone and all was read.
        """
        mine = self._mine
        if not mine.pieces and not mine.over:
            self._clock.wait_for(lambda: bool(mine.pieces) or mine.over, self._clock.now() + timeout_s)
        if not mine.pieces:
            if mine.over:
                raise StreamLost(f"stream {self._outlet.info.name!r}: the sender is gone")
            return None
        pieces = list(mine.pieces)
        mine.pieces.clear()
        stamps = np.concatenate([s for _, s in pieces])
        if self._outlet.channel_format == "string":
            return [list(row) for rows, _ in pieces for row in rows], stamps
        return np.concatenate([np.asarray(rows) for rows, _ in pieces]), stamps

    def time_correction(self, timeout_s: float) -> tuple[float, float] | None:
        """Collection time on the sender's clock, and its offset: none, unless it is another computer."""
        now, sender = self._clock.now(), self._outlet.sender
        return sender.time_correction(now) if sender else (now, 0.0)

    def close(self) -> None:
        """Unsubscribe. May be called twice."""
        self._outlet.unsubscribe(self._mine)


class InProcessSignalInlet:
    """A signal in microvolts (protocol :class:`~bci.stream.bus.SignalInlet`)."""

    def __init__(self, outlet: InProcessOutlet, clock: VirtualClock, montage: Montage | None) -> None:
        self._raw = InProcessRawInlet(outlet, clock)
        self.info = apply_montage(outlet.info, montage) if montage else outlet.info
        self._scale = scale_to_microvolts(self.info)
        self._sender = SenderClock(outlet.sender is None, self._raw.time_correction, clock.now)

    @property
    def offset_s(self) -> float | None:
        """What to add to stamps to have the time of the bus, seconds."""
        return self._sender.offset_s

    def pull(self, timeout_s: float) -> Chunk | None:
        """All samples at hand, waiting at most ``timeout_s`` of virtual time; None where none came.

        Raises
        ------
        StreamLost
        """
        pulled = self._raw.pull(timeout_s)
        return Chunk(np.asarray(pulled[0], np.float64) * self._scale, pulled[1]) if pulled else None

    def close(self) -> None:
        """Unsubscribe. May be called twice."""
        self._raw.close()


class InProcessMarkerInlet:
    """Texts, or numbers as short as they can be (protocols :class:`~bci.stream.bus.MarkerInlet`, ``CueInlet``)."""

    def __init__(self, outlet: InProcessOutlet, clock: VirtualClock) -> None:
        self._raw = InProcessRawInlet(outlet, clock)
        info = outlet.info
        self._from = (outlet.uid, info.name, info.labels if len(info.channels) > 1 else ())
        self._levels = Levels(0.0 if outlet.channel_format == "string" else info.rate_hz)
        self._sender = SenderClock(outlet.sender is None, self._raw.time_correction, clock.now)

    def pull(self, timeout_s: float) -> list[tuple[str, float]]:
        """Texts at hand with their raw stamps; empty where none came in time.

        Raises
        ------
        StreamLost
        """
        return [(marker.row[0], marker.stamp) for marker in self.pull_markers(timeout_s)]

    def pull_markers(self, timeout_s: float) -> list[Marker]:
        """Markers at hand with all their columns, and how far their sender's clock is from ours.

        Raises
        ------
        StreamLost
        """
        offset_s = self._sender.offset_s
        pulled = self._raw.pull(timeout_s)
        found = self._levels.flush() if pulled is None else self._levels(map(row_of, pulled[0]), pulled[1].tolist())
        return [Marker(row, stamp, *self._from, nan if offset_s is None else offset_s) for row, stamp in found]

    def close(self) -> None:
        """Unsubscribe. May be called twice."""
        self._raw.close()


class InProcessBus:
    """All streams of one process.

    Parameters
    ----------
    clock : VirtualClock

    Examples
    --------
    >>> bus = InProcessBus(VirtualClock(100.0))
    >>> cues = bus.text_outlet("cues", "Markers")
    >>> inlet = bus.markers("cues")
    >>> cues.push("left")
    >>> inlet.pull(1.0)
    [('left', 100.0)]
    """

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self._outlets: list[InProcessOutlet] = []

    def outlet(
        self,
        info: StreamInfo,
        channel_format: str = "double64",
        bci: Mapping[str, str] | None = None,
        sender: Sender | None = None,
    ) -> InProcessOutlet:
        """A new stream of numbers; of texts where the format says so."""
        self._outlets.append(InProcessOutlet(self.clock, info, channel_format, bci, sender))
        return self._outlets[-1]

    def text_outlet(
        self,
        name: str,
        type: str,
        source_id: str = "",
        bci: Mapping[str, str] | None = None,
        sender: Sender | None = None,
        columns: Sequence[str] = ("text",),
    ) -> InProcessTextOutlet:
        """A new stream of strings."""
        return InProcessTextOutlet(self.outlet(text_info(name, type, source_id, columns), "string", bci, sender))

    def signal(self, query: str, montage: Montage | None = None) -> InProcessSignalInlet:
        """Read a signal by name, type or source_id."""
        return InProcessSignalInlet(self._one(query, lambda o: o.info.rate_hz > 0), self.clock, montage)

    def raw(self, query: str) -> InProcessRawInlet:
        """Read any stream by name, type or source_id, as it is."""
        return InProcessRawInlet(self._one(query), self.clock)

    def markers(self, query: str) -> InProcessMarkerInlet:
        """Read a stream of markers by name, type or source_id."""
        return InProcessMarkerInlet(self._one(query, _of_markers), self.clock)

    def streams(self) -> list[StreamInfo]:
        """What is being sent."""
        return [o.info for o in self._outlets if o.open]

    def _one(self, query: str, fits: Callable[[InProcessOutlet], bool] = lambda _: True) -> InProcessOutlet:
        there = [o for o in self._outlets if o.open]
        found = [o for o in there if query in (o.info.name, o.info.type, o.info.source_id) and fits(o)]
        listing = ", ".join(f"{o.info.name!r} (type {o.info.type!r}, source_id {o.info.source_id!r})" for o in there) or "nothing"
        if not found:
            raise StreamNotFound(f"no stream with name, type or source_id {query!r} in this process; there is {listing}")
        if len(found) > 1:
            raise StreamAmbiguous(f"{len(found)} streams match {query!r}; there is {listing}")
        return found[0]


def _of_markers(outlet: InProcessOutlet) -> bool:
    info = outlet.info
    return is_markers(info.type, outlet.channel_format, info.rate_hz, len(info.channels))
