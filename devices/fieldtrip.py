"""A FieldTrip buffer: whatever FieldTrip's acquisition programs, or others, write into one.

The protocol is spoken directly; docs/decisions says why not through mne-realtime's client.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from bci.engine.chunk import Chunk, FloatArray
from bci.engine.stream_info import StreamInfo
from bci.errors import ConfigError, StreamError, StreamLost, StreamNotFound
from bci.stream.bus import Clock
from bci.stream.clock import LslClock
from devices import fieldtrip_protocol as ft
from devices.arrival_clock import ArrivalClock
from devices.network import Wire, address_problems, channels
from devices.options import read_fields

MICROVOLTS = {"uV": 1.0, "mV": 1e3, "V": 1e6, "nV": 1e-3}
MAX_MARKERS = 10_000
MAX_REQUEST = 1 << 22
"""Bytes of samples asked for at once."""
POLL_S = 0.1
"""How often a buffer without a header is asked again."""
LONGEST_WAIT_MS = 100
"""Of one request. New samples are answered at once; that a buffer was emptied is told only when the wait is over."""


@dataclass(frozen=True, slots=True)
class FieldTripSettings:
    """Where the buffer is.

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
        self._now = (clock or LslClock()).now
        self._decoder = ft.AnswerDecoder()
        self._markers: deque[tuple[str, int]] = deque(maxlen=MAX_MARKERS)
        self._asked = 0
        self._closed = False
        self.lost = self.lost_markers = 0
        self._arrived_s = self._now()
        self._wire = Wire(s.host, s.port, s.timeout_s, "FieldTrip buffer")
        try:
            self._header = self._await_header()
        except StreamError:
            self._wire.close()
            raise
        self.info = StreamInfo(
            rate_hz=self._header.rate_hz,
            channels=channels(self._header.labels),
            reference=s.reference,
            source_id=f"bci-fieldtrip-{s.host}-{s.port}",
            name=s.name,
            sample_clock=True,
        )
        self._most = max(1, MAX_REQUEST // (8 * len(self.info.channels)))
        self._clock = ArrivalClock(self.info.rate_hz)
        self._next, self._written = self._header.n_samples, self._header.n_samples
        self._next_event, self._events_written = self._header.n_events, self._header.n_events
        self._wanted = 0

    @classmethod
    def from_settings(cls, options: Mapping[str, object], clock: Clock | None = None) -> FieldTripSource:
        """As a configuration file or the command line asks for it: fields of :class:`FieldTripSettings`.

        Raises
        ------
        ConfigError
            Lists every unknown name and every wrong value.
        """
        return cls(FieldTripSettings(**read_fields(FieldTripSettings, options, "fieldtrip")), clock)

    def read(self, timeout_s: float) -> Chunk | None:
        """Samples that have come since the last call, or None after ``timeout_s`` without any.

        Raises
        ------
        StreamLost
            If the buffer has gone, or was emptied or begun again.
        StreamError
            If it answered what it must not, or after :meth:`close`.
        """
        if self._closed:
            raise StreamError(f"source {self.settings.name!r} was read after it was closed; open a new one")
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
        """Hang up. May be called twice."""
        self._closed = True
        self._wire.close()

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
            f"{self._wire.where}: connected, but it has no header after {self.settings.timeout_s:g} s; "
            "start acquisition into this buffer, or wait longer with --set timeout_s=SECONDS"
        )

    def _ask(self, timeout_s: float) -> None:
        """The next request, unless one is still to be answered: events, then samples, then to wait for either."""
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
        self._wire.send(request)
        self._asked = command

    def _answer(self, timeout_s: float) -> tuple[int, int, bytes] | None:
        """What was asked and the answer, or None where it has not come in time: it is waited for again."""
        deadline_s = time.monotonic() + timeout_s
        while timeout_s >= 0:
            data = self._wire.receive(timeout_s)
            found = self._decoder.feed(data) if data else None
            if found is not None:
                asked, self._asked = self._asked, 0
                return asked, *found
            timeout_s = deadline_s - time.monotonic() if timeout_s else -1.0
        return None

    def _take(self, asked: int, status: int, payload: bytes) -> Chunk | None:
        """Make use of an answer."""
        if asked == ft.WAIT_DAT:
            self._count(status, payload)
        elif asked == ft.GET_EVT:
            self._hear(status, payload)
        elif status != ft.GET_OK:
            self._skip()
        else:
            return self._chunk(ft.read_data(payload, self._header, self._wanted))
        return None

    def _count(self, status: int, payload: bytes) -> None:
        """Note how much has been written."""
        if status != ft.WAIT_OK:
            raise StreamLost(f"{self._wire.where}: its header was removed; start the stream anew")
        self._written, self._events_written = ft.read_wait(payload)
        self._arrived_s = self._now()
        if self._written < self._next:
            raise StreamLost(
                f"{self._wire.where}: it was emptied or begun again ({self._written} samples; "
                f"{self._next} had been written before). Start the stream anew."
            )
        self._next_event = min(self._next_event, self._events_written)

    def _hear(self, status: int, payload: bytes) -> None:
        """Put events aside."""
        if status == ft.GET_OK:
            self._markers += [(f"{e.type}/{e.value}", e.sample) for e in ft.read_events(payload)]
        else:
            self.lost_markers += self._events_written - self._next_event
        self._next_event = self._events_written

    def _skip(self) -> None:
        """What was asked for has left the ring, whose length nobody tells: go on from half way to the newest."""
        skipped = (self._written - self._next + 1) // 2
        self._next += skipped
        self.lost += skipped
        self._written = self._next  # ask how many there are by now

    def _chunk(self, data: FloatArray) -> Chunk:
        stamps = self._clock.stamps(self._next, len(data), self._arrived_s)
        self._next += len(data)
        return Chunk(data * MICROVOLTS[self.settings.unit], stamps)
