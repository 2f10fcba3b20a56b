"""The settings of an OpenBCI Cyton, and the stream that follows from them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bci.engine.stream_info import Channel, StreamInfo, canonical
from bci.errors import ConfigError
from devices.cyton_protocol import CHANNELS, GAINS
from devices.headmodel import POSITIONS_M
from devices.options import like_default, read_fields, words

PACKET_RATE_HZ = 250.0
LABELS = ("Fp1", "Fp2", "C3", "C4", "P7", "P8", "O1", "O2", "F7", "F8", "F3", "F4", "T7", "T8", "P3", "P4")
"""Inputs N1P to N8P of the Cyton and of the Daisy, as OpenBCI's own programs name them."""

ACCELERATION = ("acc-x", "acc-y", "acc-z")


@dataclass(frozen=True, slots=True)
class CytonSettings:
    """Settings of an OpenBCI Cyton.

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
        """Labels of the inputs."""
        return self.channels or LABELS[: self.n_inputs]

    @property
    def gains(self) -> tuple[int, ...]:
        """Gains of the inputs."""
        return self.gain if len(self.gain) > 1 else self.gain * self.n_inputs


def stream_info(settings: CytonSettings) -> StreamInfo:
    """Describe the stream of a board with these settings.

    Parameters
    ----------
    settings : CytonSettings

    Returns
    -------
    StreamInfo
    """
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
    """Read the arguments of :class:`CytonSettings` from values of their type, or text.

    Parameters
    ----------
    options : mapping of str to object
        By the names of the fields.

    Returns
    -------
    dict of str to object

    Examples
    --------
    >>> read_options({"port": "COM3", "gain": "24", "off": "7,8", "daisy": "false"})
    {'port': 'COM3', 'gain': (24,), 'off': (7, 8), 'daisy': False}
    """
    return read_fields(CytonSettings, options, "the Cyton", _value)


def _value(name: str, default: object, value: object) -> object:
    numbers = isinstance(default, tuple) and name != "channels"
    return tuple(int(word) for word in words(value)) if numbers else like_default(name, default, value)


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
