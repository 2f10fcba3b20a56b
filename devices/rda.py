"""BrainVision Recorder (BrainAmp, actiCHamp, LiveAmp …) through its Remote Data Access.

In Recorder: Configuration → Preferences → Remote Data Access: enable. Samples come while it monitors or records.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from bci.engine.chunk import Chunk
from bci.errors import ConfigError, StreamError, StreamLost, StreamNotFound
from bci.stream.bus import Clock
from devices.arrival_clock import ArrivalClock
from devices.network import TcpConnection, address_problems, counted_stream
from devices.opening import closed_on_error, or_lsl_clock, require_open
from devices.options import read_fields
from devices.rda_protocol import RdaBlock, RdaDecoder, RdaMarker, RdaMessage, RdaStart, RdaStop

MAX_MARKERS = 10_000
MAX_LOST_S = 3600.0


@dataclass(frozen=True, slots=True)
class RdaSettings:
    """Settings of BrainVision Recorder as a source.

    Parameters
    ----------
    host : str
    port : int
        51244 for float data, 51234 for 16-bit integers (which overflow at high resolution).
    name : str
        Of the stream.
    reference : str
        Reference electrode; the protocol does not carry it.
    timeout_s : float
        For connecting, and for Recorder to start monitoring.
    """

    host: str = "127.0.0.1"
    port: int = 51244
    name: str = "brainvision"
    reference: str = ""
    timeout_s: float = 5.0

    def __post_init__(self) -> None:
        problems = address_problems(self.host, self.port, self.timeout_s, self.name)
        if problems:
            raise ConfigError(problems)


class RdaSource:
    """Samples and markers of BrainVision Recorder, as a :class:`~bci.stream.bus.Source`.

    A block that Recorder could not send (its counter says so) is a gap of as many samples. While Recorder is stopped
    nothing comes; when it starts again with the same set-up the stream goes on after a gap.

    Parameters
    ----------
    settings : RdaSettings, optional
    clock : Clock, optional
        Whose ``now`` stamps arrivals; default: the LSL clock.

    Attributes
    ----------
    info : StreamInfo
    lost : int
        Samples that Recorder counted and did not send.

    Raises
    ------
    StreamNotFound
        If nobody answers, or Recorder does not start within ``timeout_s``.
    StreamError
        If what answers is not Recorder.
    """

    def __init__(self, settings: RdaSettings | None = None, clock: Clock | None = None) -> None:
        self.settings = s = settings or RdaSettings()
        self._now = or_lsl_clock(clock).now
        self._decoder = RdaDecoder()
        self._pending: deque[RdaMessage] = deque()
        self._markers: deque[tuple[str, float]] = deque(maxlen=MAX_MARKERS)
        self._closed = False
        self._arrived_s = self._now()
        self._next = 0
        self._last: tuple[int, int] | None = None
        self.lost = 0
        self._connection = TcpConnection(s.host, s.port, s.timeout_s, "BrainVision Recorder")
        with closed_on_error(self._connection):
            self._start = self._await_start()
        self.info = counted_stream(self._start.rate_hz, self._start.labels, "brainvision-rda", s)
        self._clock = ArrivalClock(self.info.rate_hz)

    @classmethod
    def from_settings(cls, options: Mapping[str, object], clock: Clock | None = None) -> RdaSource:
        """As :meth:`bci.stream.bus.SourcePlugin.from_settings`; the options are the fields of :class:`RdaSettings`."""
        return cls(RdaSettings(**read_fields(RdaSettings, options, "brainvision-rda")), clock)

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
            If Recorder has gone, or has started again with another set-up.
        StreamError
            If it sent what is not RDA, or after :meth:`close`.
        """
        require_open(self._closed, self.settings.name)
        deadline_s = time.monotonic() + timeout_s
        left_s = timeout_s
        while (chunk := self._take()) is None:
            if left_s < 0:
                return None
            self._pending += self._receive(left_s)
            left_s = deadline_s - time.monotonic()
        return chunk

    def markers(self) -> list[tuple[str, float]]:
        """Markers that have come since the last call: ``"Stimulus/S  1"`` (type/description) and stamp of its sample."""
        found = list(self._markers)
        self._markers.clear()
        return found

    def close(self) -> None:
        """Close the connection. May be called twice."""
        self._closed = True
        self._connection.close()

    def _receive(self, timeout_s: float) -> list[RdaMessage]:
        """Messages that have come, and when."""
        try:
            data = self._connection.receive(timeout_s)
        except StreamLost as error:
            raise StreamLost(f"{error}; {self._next} samples had come from the stream {self.settings.name!r} before") from error
        self._arrived_s = self._now()
        return self._decoder.feed(data)

    def _await_start(self) -> RdaStart:
        """The first start message; what came with it waits."""
        deadline_s = time.monotonic() + self.settings.timeout_s
        while (left_s := deadline_s - time.monotonic()) > 0:
            self._pending += self._receive(left_s)
            while self._pending:
                message = self._pending.popleft()
                if isinstance(message, RdaStart):
                    return message
        raise StreamNotFound(
            f"{self._connection.where}: connected, but it did not start within {self.settings.timeout_s:g} s; "
            "start monitoring in Recorder, or wait longer with --set timeout_s=SECONDS"
        )

    def _take(self) -> Chunk | None:
        """The next block that waits; messages before it are carried out."""
        while self._pending:
            message = self._pending.popleft()
            if isinstance(message, RdaBlock):
                chunk = self._chunk(message)
                if chunk is not None:
                    return chunk
            else:
                self._restart(message)
        return None

    def _restart(self, message: RdaStart | RdaStop) -> None:
        """Acquisition stopped or started: the block counter begins again, and what passed is a gap."""
        if isinstance(message, RdaStart) and message != self._start:
            raise StreamLost(
                f"{self._connection.where}: it started again with another set-up: {_set_up(message)}; "
                f"it was {_set_up(self._start)}. Start the stream again."
            )
        self._last = None
        self._clock.pause()

    def _chunk(self, block: RdaBlock) -> Chunk | None:
        """Samples of a block with their stamps; its markers are kept."""
        n_points = len(block.data)
        missing = self._missing(block.number)
        first = self._next + missing
        stamps = self._clock.stamps(first, n_points, self._arrived_s) if n_points else None
        self._keep_markers(block, first)
        self.lost += missing
        self._next, self._last = first + n_points, (block.number, n_points)
        return Chunk(block.data, stamps) if stamps is not None else None

    def _missing(self, number: int) -> int:
        """Samples between the last block and this one, by the block counter; blocks are of one length."""
        if self._last is None:
            return 0
        last, n_points = self._last
        blocks = (number - last - 1) % 2**32
        if blocks * n_points > MAX_LOST_S * self.info.rate_hz:
            raise StreamError(f"{self._connection.where}: block {number} came after block {last}; the counter cannot be right")
        return blocks * n_points

    def _keep_markers(self, block: RdaBlock, first: int) -> None:
        """Keep the markers of a block until they are asked for."""
        for marker in block.markers:
            known = self._clock.known
            self._markers.append((_text(marker), self._clock.time(first + marker.position) if known else self._arrived_s))


def _text(marker: RdaMarker) -> str:
    """As MNE names it when it reads Recorder's files."""
    return f"{marker.type}/{marker.description}"


def _set_up(start: RdaStart) -> str:
    """For messages."""
    return f"{len(start.labels)} channels at {start.rate_hz:g} Hz ({', '.join(start.labels[:4])} …)"
