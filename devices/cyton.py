"""OpenBCI Cyton, alone or with a Daisy, on the serial port of its dongle.

The protocol is in ``cyton_protocol``, the commands in ``cyton_board``, the stamps in ``sample_clock``.

A radio loses packets; their numbers show it. Lost samples leave a gap in the stamps, which are computed from the
sample count (``desc/bci/sample_clock``), so that a reader knows how many there were.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import Chunk, FloatArray
from bci.errors import StreamLost
from bci.stream.bus import Clock
from devices.cyton_board import CytonBoard
from devices.cyton_commands import channel_command
from devices.cyton_protocol import COUNTS, DaisyPairs, PacketCount, PacketParser, Packets, acceleration_g, microvolts
from devices.cyton_settings import PACKET_RATE_HZ, CytonSettings, read_options, stream_info
from devices.opening import closed_on_error, or_lsl_clock, require_open
from devices.sample_clock import CounterClock

AMBIGUOUS_S = COUNTS / PACKET_RATE_HZ / 2
"""A silence this long may hide that the counter went round."""

BACKLOG = 32
"""Packets: more than this at once were waiting for us."""

JUMP = 8
"""Packets: a loss that looks like a full buffer, and not like a radio's."""

DOUBT_S = 1.0


class Cyton:
    """A streaming board, as a :class:`~bci.stream.bus.Source`.

    The first second sets the clock (and lets the filters of the amplifier settle); it is not delivered.

    Parameters
    ----------
    settings : CytonSettings
    clock : Clock, optional
        None for the LSL clock.

    Attributes
    ----------
    info : StreamInfo
    lost : int
        Samples lost so far. A loss of a multiple of 256 packets is seen only by the silence it makes.
    halves : int
        Daisy: samples of which one of the two packets was lost.
    skipped : int
        Bytes that belonged to no packet.
    """

    def __init__(self, settings: CytonSettings, clock: Clock | None = None) -> None:
        self.settings = settings
        self.info = stream_info(settings)
        self._clock = or_lsl_clock(clock)
        self._decoder = CytonPacketDecoder(settings)
        self._closed = False
        self._board = CytonBoard(settings.port)
        with closed_on_error(self._board):
            self._set_up()
            self._board.start()
        self._heard_s = self._clock.now()

    @classmethod
    def from_settings(cls, options: Mapping[str, object], clock: Clock | None = None) -> Cyton:
        """As :meth:`bci.stream.bus.SourcePlugin.from_settings`; the options are the fields of :class:`CytonSettings`."""
        return cls(CytonSettings(**read_options(options)), clock)

    @property
    def lost(self) -> int:
        """See the class."""
        return self._decoder.lost

    @property
    def halves(self) -> int:
        """See the class."""
        return self._decoder.halves

    @property
    def skipped(self) -> int:
        """See the class."""
        return self._decoder.skipped

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
            If the port has gone, or no packet came for ``silence_s``.
        StreamError
            After :meth:`close`.
        """
        require_open(self._closed, self.info.name)
        until = self._clock.now() + timeout_s
        while True:
            data = self._board.read()
            now = self._clock.now()
            chunk = self._decoder(data, now)
            self._check_silence(now)
            if chunk is not None or now >= until:
                return chunk

    def close(self) -> None:
        """Stop the board and close the port. May be called twice."""
        self._closed = True
        self._board.close()

    def _set_up(self) -> None:
        s = self.settings
        self._board.use_daisy(s.daisy)
        for i, gain in enumerate(s.gains, start=1):
            self._board.command(channel_command(i, gain, i not in s.off, s.bias, s.srb2, s.srb1))

    def _check_silence(self, now: float) -> None:
        self._heard_s = max(self._heard_s, self._decoder.heard_s)
        if now - self._heard_s > self.settings.silence_s:
            raise StreamLost(
                f"source {self.info.name!r}: the board on {self.settings.port!r} sent no packet for "
                f"{self.settings.silence_s:g} s. Check its battery, and that the dongle can reach it."
            )


class CytonDaisy:
    """A :class:`Cyton` of 16 channels, under a name of its own."""

    @staticmethod
    def from_settings(options: Mapping[str, object], clock: Clock | None = None) -> Cyton:
        """See :meth:`Cyton.from_settings`."""
        return Cyton.from_settings({"daisy": "true", "name": "cyton-daisy", **options}, clock)


class CytonPacketDecoder:
    """Turn bytes and their time of arrival into chunks: the part of the source that needs no port.

    Parameters
    ----------
    settings : CytonSettings

    Attributes
    ----------
    heard_s : float
        When the last packet came.
    """

    def __init__(self, settings: CytonSettings) -> None:
        self.heard_s = -math.inf
        self._settings = settings
        self._parser = PacketParser()
        self._count = PacketCount()
        self._pairs = DaisyPairs(settings.half == "hold") if settings.daisy else None
        self._clock = CounterClock(settings.rate_hz)
        self._gravity = np.zeros(3)
        self._newest = 0
        self._doubt_s: float | None = None

    @property
    def lost(self) -> int:
        """Whole samples lost."""
        return self._pairs.lost if self._pairs else self._count.lost

    @property
    def halves(self) -> int:
        """Half samples lost."""
        return self._pairs.halves if self._pairs else 0

    @property
    def skipped(self) -> int:
        """Bytes that belonged to no packet."""
        return self._parser.skipped

    def __call__(self, data: bytes, now: float) -> Chunk | None:
        """Decode bytes.

        Parameters
        ----------
        data : bytes
            They follow those of the call before.
        now : float
            When they had arrived, seconds on our clock.

        Returns
        -------
        Chunk or None
            None where no sample is complete, or the clock is not set yet.
        """
        packets = self._parser.push(data)
        if not len(packets):
            return None
        numbers = self._number(packets, now)
        indices, counts = self._pairs(numbers, packets.counts) if self._pairs else (numbers, packets.counts)
        self.heard_s = now
        if not len(indices):
            return None
        return self._chunk(indices, microvolts(counts, self._settings.gains), packets, numbers, now)

    def _chunk(
        self, indices: npt.NDArray[np.int64], data: FloatArray, packets: Packets, numbers: npt.NDArray[np.int64], now: float
    ) -> Chunk | None:
        if self._settings.acceleration:
            newest = 2 * indices + 2 if self._pairs else indices
            at = np.maximum(np.searchsorted(numbers, newest, side="right") - 1, 0)
            data = np.hstack([data, self._held(packets)[at]])
        ready, stamps = self._clock.ready, self._clock.stamps(indices)
        self._clock.arrived(int(indices[-1]), now)
        return Chunk(data, stamps) if ready else None

    def _number(self, packets: Packets, now: float) -> npt.NDArray[np.int64]:
        """Numbers of packets; after a silence the clock says how often the counter went round meanwhile."""
        before = self._newest
        numbers = self._count(packets.counter)
        if now - self.heard_s > AMBIGUOUS_S and self._clock.ready:
            self._doubt_s = now
        if self._doubt_s is not None:
            index = (int(numbers[-1]) - 1) // 2 if self._pairs else int(numbers[-1])
            rounds = round(self._clock.lateness(index, now) * PACKET_RATE_HZ / COUNTS)
            at = self._place(np.diff(numbers, prepend=before) - 1, now) if rounds > 0 else 0
            if at is not None:
                self._doubt_s = None
                self._count.wrapped(max(0, rounds))
                numbers[at:] += max(0, rounds) * COUNTS
        self._newest = int(numbers[-1])
        return numbers

    def _place(self, lost: npt.NDArray[np.int64], now: float) -> int | None:
        """Before which packet the counter went round unseen; None while that cannot be told.

        A few packets after a silence: nothing was sent meanwhile. Many: they waited for us, and what did not fit into
        the driver's buffer is missing behind them, where the counter jumps.
        """
        if now == self._doubt_s and len(lost) < BACKLOG:
            return 0
        largest = int(lost.argmax())
        if lost[largest] >= JUMP:
            return largest
        return 0 if self._doubt_s is not None and now - self._doubt_s > DOUBT_S else None

    def _held(self, packets: Packets) -> FloatArray:
        """Acceleration at each packet: the last value that came; shape (n_packets, 3)."""
        values = acceleration_g(packets)
        for row in values:
            if math.isnan(row[0]):
                row[:] = self._gravity
            self._gravity = row
        self._gravity = self._gravity.copy()
        return values
