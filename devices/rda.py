"""BrainVision Recorder (BrainAmp, actiCHamp, LiveAmp …) through its Remote Data Access.

In Recorder: Configuration → Preferences → Remote Data Access: enable. Samples come while it monitors or records.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from bci.engine.chunk import Chunk
from bci.engine.stream_info import StreamInfo
from bci.errors import ConfigError, StreamError, StreamLost, StreamNotFound
from bci.stream.bus import Clock
from bci.stream.clock import LslClock
from devices.arrival_clock import ArrivalClock
from devices.network import Wire, address_problems, channels
from devices.options import read_fields
from devices.rda_protocol import Block, Marker, Message, RdaDecoder, Start, Stop

MAX_MARKERS = 10_000
MAX_LOST_S = 3600.0


@dataclass(frozen=True, slots=True)
class RdaSettings:
    """Where Recorder runs.

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
        self._now = (clock or LslClock()).now
        self._decoder = RdaDecoder()
        self._pending: deque[Message] = deque()
        self._markers: deque[tuple[str, float]] = deque(maxlen=MAX_MARKERS)
        self._closed = False
        self._arrived_s = self._now()
        self._next = 0
        self._last: tuple[int, int] | None = None
        self.lost = 0
        self._wire = Wire(s.host, s.port, s.timeout_s, "BrainVision Recorder")
        try:
            self._start = self._await_start()
        except StreamError:
            self._wire.close()
            raise
        self.info = StreamInfo(
            rate_hz=self._start.rate_hz,
            channels=channels(self._start.labels),
            reference=s.reference,
            source_id=f"bci-brainvision-rda-{s.host}-{s.port}",
            name=s.name,
            sample_clock=True,
        )
        self._clock = ArrivalClock(self.info.rate_hz)

    @classmethod
    def from_settings(cls, options: Mapping[str, object], clock: Clock | None = None) -> RdaSource:
        """As a configuration file or the command line asks for it: fields of :class:`RdaSettings`.

        Raises
        ------
        ConfigError
            Lists every unknown name and every wrong value.
        """
        return cls(RdaSettings(**read_fields(RdaSettings, options, "brainvision-rda")), clock)

    def read(self, timeout_s: float) -> Chunk | None:
        """Samples that have come since the last call, or None after ``timeout_s`` without any.

        Raises
        ------
        StreamLost
            If Recorder has gone, or has started again with another set-up.
        StreamError
            If it sent what is not RDA, or after :meth:`close`.
        """
        if self._closed:
            raise StreamError(f"source {self.settings.name!r} was read after it was closed; open a new one")
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
        """Hang up. May be called twice."""
        self._closed = True
        self._wire.close()

    def _receive(self, timeout_s: float) -> list[Message]:
        """Messages that have come, and when."""
        try:
            data = self._wire.receive(timeout_s)
        except StreamLost as error:
            raise StreamLost(f"{error}; {self._next} samples had come from stream {self.settings.name!r}") from error
        self._arrived_s = self._now()
        return self._decoder.feed(data)

    def _await_start(self) -> Start:
        """The first start message; what came with it waits."""
        deadline_s = time.monotonic() + self.settings.timeout_s
        while (left_s := deadline_s - time.monotonic()) > 0:
            self._pending += self._receive(left_s)
            while self._pending:
                message = self._pending.popleft()
                if isinstance(message, Start):
                    return message
        raise StreamNotFound(
            f"{self._wire.where}: connected, but it did not start within {self.settings.timeout_s:g} s; "
            "start monitoring in Recorder, or wait longer with --set timeout_s=SECONDS"
        )

    def _take(self) -> Chunk | None:
        """The next block that waits; messages before it are obeyed."""
        while self._pending:
            message = self._pending.popleft()
            if isinstance(message, Block):
                chunk = self._chunk(message)
                if chunk is not None:
                    return chunk
            else:
                self._restart(message)
        return None

    def _restart(self, message: Start | Stop) -> None:
        """Acquisition stopped or started: the block counter begins again, and what passed is a gap."""
        if isinstance(message, Start) and message != self._start:
            raise StreamLost(
                f"{self._wire.where}: it started again with another set-up: {_set_up(message)}; it was {_set_up(self._start)}. "
                "Start the stream anew."
            )
        self._last = None
        self._clock.pause()

    def _chunk(self, block: Block) -> Chunk | None:
        """Samples of a block with their stamps; its markers are put aside."""
        n_points = len(block.data)
        missing = self._missing(block.number)
        first = self._next + missing
        stamps = self._clock.stamps(first, n_points, self._arrived_s) if n_points else None
        self._hear(block, first)
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
            raise StreamError(f"{self._wire.where}: block {number} came after block {last}; the counter cannot be right")
        return blocks * n_points

    def _hear(self, block: Block, first: int) -> None:
        """Put the markers of a block aside."""
        for marker in block.markers:
            known = self._clock.known
            self._markers.append((_text(marker), self._clock.time(first + marker.position) if known else self._arrived_s))


def _text(marker: Marker) -> str:
    """As MNE names it when it reads Recorder's files."""
    return f"{marker.type}/{marker.description}"


def _set_up(start: Start) -> str:
    """For messages."""
    return f"{len(start.labels)} channels at {start.rate_hz:g} Hz ({', '.join(start.labels[:4])} …)"
