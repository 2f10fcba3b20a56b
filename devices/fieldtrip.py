"""A FieldTrip buffer, into which FieldTrip's acquisition programs or others write.

The protocol is spoken directly; docs/decisions says why not through mne-realtime's client.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from bci.engine.chunk import Chunk, FloatArray
from bci.errors import ConfigError, StreamLost, StreamNotFound
from bci.stream.bus import Clock
from bci.stream.units import MICROVOLTS
from devices import fieldtrip_protocol as ft
from devices.arrival_clock import ArrivalClock
from devices.network import TcpConnection, address_problems, counted_stream
from devices.opening import closed_on_error, or_lsl_clock, require_open
from devices.options import read_fields

MAX_MARKERS = 10_000
MAX_REQUEST = 1 << 22
"""Bytes of samples asked for at once."""
POLL_S = 0.1
"""How often a buffer without a header is asked again."""
LONGEST_WAIT_MS = 100
"""Of one request. New samples are answered at once; that a buffer was emptied is told only when the wait is over."""


@dataclass(frozen=True, slots=True)
class FieldTripSettings:
    """Settings of a FieldTrip buffer as a source.

    Parameters
    ----------
    host : str
    port : int
    name : str
        Of the stream.
    unit : str
        Of the values (times the resolutions where the buffer has them), which the protocol does not carry: uV, mV, V or nV.
    reference : str
        Reference electrode; the protocol does not carry it either.
    timeout_s : float
        For connecting, and for the first header to be written.
    """

    host: str = "127.0.0.1"
    port: int = 1972
    name: str = "fieldtrip"
    unit: str = "uV"
    reference: str = ""
    timeout_s: float = 5.0

    def __post_init__(self) -> None:
        problems = address_problems(self.host, self.port, self.timeout_s, self.name)
        if self.unit not in MICROVOLTS:
            problems.append(f"unit = {self.unit!r}: must be one of {', '.join(MICROVOLTS)}")
        if problems:
            raise ConfigError(problems)


class FieldTripSource:
    """Samples and events of a FieldTrip buffer, as a :class:`~bci.stream.bus.Source`; begins with what is written next.

    Samples that have left the ring buffer before they were asked for are a gap of as many samples.

    Parameters
    ----------
    settings : FieldTripSettings, optional
    clock : Clock, optional
        Whose ``now`` stamps arrivals; default: the LSL clock.

    Attributes
    ----------
    info : StreamInfo
    lost : int
        Samples that left the ring buffer unread.
    lost_markers : int
        Events that left it unread.

    Raises
    ------
    StreamNotFound
        If nobody answers, or no header is written within ``timeout_s``.
    StreamError
        If what answers is no FieldTrip buffer.
    """

    def __init__(self, settings: FieldTripSettings | None = None, clock: Clock | None = None) -> None:
        self.settings = s = settings or FieldTripSettings()
        self._now = or_lsl_clock(clock).now
        self._decoder = ft.AnswerDecoder()
        self._markers: deque[tuple[str, int]] = deque(maxlen=MAX_MARKERS)
        self._asked = 0
        self._closed = False
        self.lost = self.lost_markers = 0
        self._arrived_s = self._now()
        self._connection = TcpConnection(s.host, s.port, s.timeout_s, "FieldTrip buffer")
        with closed_on_error(self._connection):
            self._header = self._await_header()
        self.info = counted_stream(self._header.rate_hz, self._header.labels, "fieldtrip", s)
        self._most = max(1, MAX_REQUEST // (8 * len(self.info.channels)))
        self._clock = ArrivalClock(self.info.rate_hz)
        self._next, self._written = self._header.n_samples, self._header.n_samples
        self._next_event, self._events_written = self._header.n_events, self._header.n_events
        self._wanted = 0

    @classmethod
    def from_settings(cls, options: Mapping[str, object], clock: Clock | None = None) -> FieldTripSource:
        """As :meth:`bci.stream.bus.SourcePlugin.from_settings`; the options are the fields of :class:`FieldTripSettings`."""
        return cls(FieldTripSettings(**read_fields(FieldTripSettings, options, "fieldtrip")), clock)

    def read(self, timeout_s: float) -> Chunk | None:
        """Return the samples that have come since the last call.

        Parameters
        ----------
        timeout_s : float
            The longest time to wait, seconds.

        Returns
        -------
        Chunk or None
            None where no sample came in time.

        Raises
        ------
        StreamLost
            If the buffer has gone, or was emptied or begun again.
        StreamError
            If it answered what it must not, or after :meth:`close`.
        """
        require_open(self._closed, self.settings.name)
        deadline_s = time.monotonic() + timeout_s
        left_s = timeout_s
        while left_s >= 0:
            self._ask(left_s)
            answer = self._answer(left_s)
            chunk = self._take(*answer) if answer is not None else None
            if chunk is not None:
                return chunk
            left_s = deadline_s - time.monotonic()
        return None

    def markers(self) -> list[tuple[str, float]]:
        """Events that have come since the last call: ``"Stimulus/S  1"`` (type/value) and stamp of their sample."""
        if not self._clock.known:
            return []
        found = [(text, self._clock.time(sample)) for text, sample in self._markers]
        self._markers.clear()
        return found

    def close(self) -> None:
        """Close the connection. May be called twice."""
        self._closed = True
        self._connection.close()

    def _await_header(self) -> ft.BufferHeader:
        """The header, as soon as somebody has written one."""
        deadline_s = time.monotonic() + self.settings.timeout_s
        while (left_s := deadline_s - time.monotonic()) > 0:
            if not self._asked:
                self._send(ft.GET_HDR, ft.ask_header())
            answer = self._answer(left_s)
            if answer is not None and answer[1] == ft.GET_OK:
                return ft.read_header(answer[2])
            time.sleep(min(POLL_S, max(deadline_s - time.monotonic(), 0.0)))
        raise StreamNotFound(
            f"{self._connection.where}: connected, but it has no header after {self.settings.timeout_s:g} s; "
            "start acquisition into this buffer, or wait longer with --set timeout_s=SECONDS"
        )

    def _ask(self, timeout_s: float) -> None:
        """Send the next request, unless one is still unanswered: for events, then for samples, then to wait for either."""
        if self._asked:
            return
        if self._events_written > self._next_event:
            self._send(ft.GET_EVT, ft.ask_events(self._next_event, self._events_written - 1))
        elif self._written > self._next:
            self._wanted = min(self._written - self._next, self._most)
            self._send(ft.GET_DAT, ft.ask_data(self._next, self._next + self._wanted - 1))
        else:
            self._send(ft.WAIT_DAT, ft.ask_wait(self._next, self._next_event, min(round(timeout_s * 1000), LONGEST_WAIT_MS)))

    def _send(self, command: int, request: bytes) -> None:
        self._connection.send(request)
        self._asked = command

    def _answer(self, timeout_s: float) -> tuple[int, int, bytes] | None:
        """The request and its answer, or None where the answer has not come in time; then it is waited for again."""
        deadline_s = time.monotonic() + timeout_s
        while timeout_s >= 0:
            data = self._connection.receive(timeout_s)
            found = self._decoder.feed(data) if data else None
            if found is not None:
                asked, self._asked = self._asked, 0
                return asked, *found
            timeout_s = deadline_s - time.monotonic() if timeout_s else -1.0
        return None

    def _take(self, asked: int, status: int, payload: bytes) -> Chunk | None:
        """Handle an answer."""
        if asked == ft.WAIT_DAT:
            self._count(status, payload)
        elif asked == ft.GET_EVT:
            self._keep_markers(status, payload)
        elif status != ft.GET_OK:
            self._skip()
        else:
            return self._chunk(ft.read_data(payload, self._header, self._wanted))
        return None

    def _count(self, status: int, payload: bytes) -> None:
        """Note how much has been written."""
        if status != ft.WAIT_OK:
            raise StreamLost(f"{self._connection.where}: its header was removed; start the stream again")
        self._written, self._events_written = ft.read_wait(payload)
        self._arrived_s = self._now()
        if self._written < self._next:
            raise StreamLost(
                f"{self._connection.where}: it was emptied or begun again ({self._written} samples; "
                f"{self._next} had been written before). Start the stream again."
            )
        self._next_event = min(self._next_event, self._events_written)

    def _keep_markers(self, status: int, payload: bytes) -> None:
        """Keep events until they are asked for."""
        if status == ft.GET_OK:
            self._markers += [(f"{e.type}/{e.value}", e.sample) for e in ft.read_events(payload)]
        else:
            self.lost_markers += self._events_written - self._next_event
        self._next_event = self._events_written

    def _skip(self) -> None:
        """Skip samples that have left the ring buffer, whose length is not known: go on from half way to the newest."""
        skipped = (self._written - self._next + 1) // 2
        self._next += skipped
        self.lost += skipped
        self._written = self._next  # ask how many there are by now

    def _chunk(self, data: FloatArray) -> Chunk:
        stamps = self._clock.stamps(self._next, len(data), self._arrived_s)
        self._next += len(data)
        return Chunk(data * MICROVOLTS[self.settings.unit], stamps)
