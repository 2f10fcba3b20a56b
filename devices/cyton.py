"""OpenBCI Cyton, alone or with a Daisy, on the serial port of its dongle.

The protocol is in ``cyton_protocol``, the commands in ``cyton_board``, the stamps in ``sample_clock``.

A radio loses packets; their numbers show it. Lost samples leave a gap in the stamps, which are computed from the
sample count (``desc/bci/sample_clock``), so that whoever reads knows how many there were.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import Chunk, FloatArray
from bci.engine.stream_info import Channel, StreamInfo, canonical
from bci.errors import ConfigError, StreamError, StreamLost
from bci.stream.bus import Clock
from devices.cyton_board import Board
from devices.cyton_protocol import (
    CHANNELS,
    COUNTS,
    GAINS,
    DaisyPairs,
    PacketCount,
    PacketParser,
    Packets,
    acceleration_g,
    channel_command,
    microvolts,
)
from devices.headmodel import POSITIONS_M
from devices.sample_clock import SampleClock

PACKET_RATE_HZ = 250.0
LABELS = ("Fp1", "Fp2", "C3", "C4", "P7", "P8", "O1", "O2", "F7", "F8", "F3", "F4", "T7", "T8", "P3", "P4")
"""Inputs N1P to N8P of the Cyton and of the Daisy, as OpenBCI's own programs name them."""

ACCELERATION = ("acc-x", "acc-y", "acc-z")
AMBIGUOUS_S = COUNTS / PACKET_RATE_HZ / 2
"""A silence this long may hide that the counter went round."""


@dataclass(frozen=True, slots=True)
class CytonSettings:
    """Which board, and how it is set.

    Parameters
    ----------
    port : str
        Serial port of the dongle.
    daisy : bool
        16 channels at 125 Hz instead of 8 at 250 Hz.
    channels : tuple of str
        Labels in the order of the inputs; empty for ``LABELS``.
    gain : tuple of int
        One for all channels, or one for each: 1, 2, 4, 6, 8, 12 or 24.
    off : tuple of int
        Inputs to switch off, from 1; they stay in the stream, as zeros.
    bias, srb2, srb1 : bool
        All inputs are part of the bias drive; are measured against SRB2 (the reference of the usual wiring); have
        their negative inputs at SRB1.
    reference : str
        Electrode at SRB2.
    acceleration : bool
        Three more channels, in g, of type AUX.
    half : str
        Daisy: ``drop`` leaves out samples of which one packet is lost, ``hold`` fills in the last values.
    name : str
        Of the stream.
    silence_s : float
        After this long without a packet the board counts as lost.
    """

    port: str = ""
    daisy: bool = False
    channels: tuple[str, ...] = ()
    gain: tuple[int, ...] = (24,)
    off: tuple[int, ...] = ()
    bias: bool = True
    srb2: bool = True
    srb1: bool = False
    reference: str = ""
    acceleration: bool = False
    half: str = "drop"
    name: str = "cyton"
    silence_s: float = 5.0

    def __post_init__(self) -> None:
        problems = _problems(self)
        if problems:
            raise ConfigError(problems)

    @property
    def n_inputs(self) -> int:
        """8, or 16 with a Daisy."""
        return 2 * CHANNELS if self.daisy else CHANNELS

    @property
    def rate_hz(self) -> float:
        """250, or 125 with a Daisy: the radio carries 250 packets of 8 channels a second."""
        return PACKET_RATE_HZ / 2 if self.daisy else PACKET_RATE_HZ

    @property
    def labels(self) -> tuple[str, ...]:
        """Of the inputs."""
        return self.channels or LABELS[: self.n_inputs]

    @property
    def gains(self) -> tuple[int, ...]:
        """Of the inputs."""
        return self.gain if len(self.gain) > 1 else self.gain * self.n_inputs


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
        self._clock = clock or _real_clock()
        self._decoder = Decoder(settings)
        self._closed = False
        self._board = Board(settings.port)
        try:
            self._set_up()
            self._board.start()
        except BaseException:
            self._board.close()
            raise
        self._heard_s = self._clock.now()

    @classmethod
    def from_settings(cls, options: Mapping[str, object], clock: Clock | None = None) -> Cyton:
        """As a configuration file or the command line asks for it.

        Parameters
        ----------
        options : mapping
            Names of fields of :class:`CytonSettings`; values of their type, or text (lists with commas).
        clock : Clock, optional

        Raises
        ------
        ConfigError
            Lists every unknown name and every wrong value.
        """
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
        """Samples that have arrived since the last call, or None after ``timeout_s`` without any.

        Raises
        ------
        StreamLost
            If the port has gone, or no packet came for ``silence_s``.
        StreamError
            After :meth:`close`.
        """
        if self._closed:
            raise StreamError(f"source {self.info.name!r} was read after it was closed; open a new one")
        until = self._clock.now() + timeout_s
        while True:
            data = self._board.read()
            now = self._clock.now()
            chunk = self._decoder(data, now)
            self._listen(now)
            if chunk is not None or now >= until:
                return chunk

    def close(self) -> None:
        """Stop the board and let go of the port. May be called twice."""
        self._closed = True
        self._board.close()

    def _set_up(self) -> None:
        s = self.settings
        self._board.use_daisy(s.daisy)
        for i, gain in enumerate(s.gains, start=1):
            self._board.command(channel_command(i, gain, i not in s.off, s.bias, s.srb2, s.srb1))

    def _listen(self, now: float) -> None:
        self._heard_s = max(self._heard_s, self._decoder.heard_s)
        if now - self._heard_s > self.settings.silence_s:
            raise StreamLost(
                f"source {self.info.name!r}: the board on {self.settings.port!r} sent no packet for "
                f"{self.settings.silence_s:g} s. Is its battery empty, or is it out of the dongle's reach?"
            )


class CytonDaisy:
    """A :class:`Cyton` of 16 channels, under a name of its own."""

    @staticmethod
    def from_settings(options: Mapping[str, object], clock: Clock | None = None) -> Cyton:
        """See :meth:`Cyton.from_settings`."""
        return Cyton.from_settings({"daisy": "true", "name": "cyton-daisy", **options}, clock)


class Decoder:
    """Bytes and their time of arrival in, chunks out: all of the source that needs no port.

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
        self._clock = SampleClock(settings.rate_hz)
        self._gravity = np.zeros(3)

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
        """Take bytes that had arrived by ``now``; None where no sample is complete, or the clock not yet set."""
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
        numbers = self._count(packets.counter)
        if now - self.heard_s > AMBIGUOUS_S and self._clock.ready:
            index = (int(numbers[-1]) - 1) // 2 if self._pairs else int(numbers[-1])
            rounds = round(self._clock.lateness(index, now) * PACKET_RATE_HZ / COUNTS)
            if rounds > 0:
                self._count.wrapped(rounds)
                numbers = numbers + rounds * COUNTS
        return numbers

    def _held(self, packets: Packets) -> FloatArray:
        """Acceleration at each packet: the last value that came; shape (n_packets, 3)."""
        values = acceleration_g(packets)
        for row in values:
            if math.isnan(row[0]):
                row[:] = self._gravity
            self._gravity = row
        self._gravity = self._gravity.copy()
        return values


def stream_info(settings: CytonSettings) -> StreamInfo:
    """The stream of a board with these settings."""
    positions = {canonical(label): place for label, place in POSITIONS_M.items()}
    channels = [Channel(label, "EEG", "uV", positions.get(canonical(label))) for label in settings.labels]
    if settings.acceleration:
        channels += [Channel(label, "AUX", "") for label in ACCELERATION]
    return StreamInfo(
        rate_hz=settings.rate_hz,
        channels=tuple(channels),
        reference=settings.reference,
        source_id=f"bci-cyton-{settings.name}-{len(channels)}ch-{settings.port}",
        name=settings.name,
        sample_clock=True,
    )


def read_options(options: Mapping[str, object]) -> dict[str, Any]:
    """Arguments of :class:`CytonSettings` from loosely typed options.

    >>> read_options({"port": "COM3", "gain": "24", "off": "7,8", "daisy": "false"})
    {'port': 'COM3', 'gain': (24,), 'off': (7, 8), 'daisy': False}
    """
    defaults = {f.name: f.default for f in fields(CytonSettings)}
    problems, found = [], {}
    for name, value in options.items():
        if name not in defaults:
            problems.append(f"{name}: the Cyton has no such setting; it has {', '.join(defaults)}")
            continue
        try:
            found[name] = _as_type_of(name, defaults[name], value)
        except (ValueError, TypeError):
            problems.append(f"{name} = {value!r}: must be like {defaults[name]!r}")
    if problems:
        raise ConfigError(problems)
    return found


def _as_type_of(name: str, default: object, value: object) -> object:
    """A value, perhaps written as text, as the type of the setting's default."""
    if isinstance(default, tuple):
        words = [str(x).strip() for x in (value.split(",") if isinstance(value, str) else _several(value))]
        return tuple(words) if name == "channels" else tuple(int(word) for word in words)
    text = str(value).strip()
    if isinstance(default, bool):
        return ("false", "true").index(text.lower()) == 1
    return float(text) if isinstance(default, float) else text


def _several(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _problems(s: CytonSettings) -> list[str]:
    """Every reason why no board can be set like this, one line each."""
    n = s.n_inputs
    found = []
    if not s.port:
        found.append("port: name the serial port of the dongle, for instance port=/dev/ttyUSB0 or port=COM3")
    if s.channels and len(s.channels) != n:
        found.append(f"channels = {', '.join(s.channels)}: must be {n} labels, one for each input")
    if len({canonical(label) for label in s.channels}) < len(s.channels):
        found.append(f"channels = {', '.join(s.channels)}: each label must be unique")
    if len(s.gain) not in (1, n) or any(g not in GAINS for g in s.gain):
        found.append(f"gain = {s.gain}: must be one for all or {n}, each of {', '.join(map(str, GAINS))}")
    if any(not 1 <= i <= n for i in s.off):
        found.append(f"off = {s.off}: inputs are numbered from 1 to {n}")
    if s.half not in ("drop", "hold"):
        found.append(f"half = {s.half!r}: must be drop or hold")
    if not s.name:
        found.append("name: must not be empty")
    if not 0 < s.silence_s < math.inf:
        found.append(f"silence_s = {s.silence_s}: must be positive and finite")
    return found


def _real_clock() -> Clock:
    """The LSL clock; liblsl is loaded only by who wants real time."""
    from bci.stream.clock import LslClock

    return LslClock()
