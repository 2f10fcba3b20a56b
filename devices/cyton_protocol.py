"""The OpenBCI Cyton's protocol: bytes in, packets out. No port and no clock.

Sources, all of OpenBCI's documentation: "Cyton Data Format" (packets, 24-bit values, scale factors, the Daisy's
alternating packets) and "Cyton Board SDK" (commands and their answers), docs.openbci.com/Cyton/CytonDataFormat and
docs.openbci.com/Cyton/CytonSDK; the lines of the greeting as firmware 3 prints them (OpenBCI_Cyton_Library).

A packet has 33 bytes: ``0xA0``, sample counter, 8 × 24-bit two's complement (most significant byte first), 6 bytes
whose meaning the last byte tells, ``0xC0`` … ``0xCF``. There is no checksum: what can be checked is the frame and
the counter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import FloatArray

PACKET_BYTES = 33
CHANNELS = 8
"""In one packet."""

HEADER, FOOTER = 0xA0, 0xC0
FOOTER_ACCELERATION = 0xC0
COUNTS = 256
"""The sample counter is one byte: a loss of exactly this many packets leaves no trace in it."""

GAINS = (1, 2, 4, 6, 8, 12, 24)
"""Of the amplifier; the place of each is its code in a channel command."""

REFERENCE_V = 4.5
G_PER_COUNT = 0.002 / 2**4
END_OF_ANSWER = b"$$$"
_SELECT = "12345678QWERTYUI"
_PLAUSIBLE_LOSS = 16

Counts = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Packets:
    """Consecutive packets of one board.

    Parameters
    ----------
    counter : ndarray of int, shape (n_packets,)
        0 to 255.
    counts : ndarray of int32, shape (n_packets, 8)
        Raw values; :func:`microvolts` scales them.
    aux : ndarray of uint8, shape (n_packets, 6)
    footer : ndarray of uint8, shape (n_packets,)
        0xC0 … 0xCF: what ``aux`` means.
    """

    counter: npt.NDArray[np.int64]
    counts: Counts
    aux: npt.NDArray[np.uint8]
    footer: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.counter)


class PacketParser:
    """Packets from a stream of bytes that may be cut anywhere and may hold garbage.

    A packet that follows the one before directly needs a header and the same footer. After garbage, or where the
    footer changes, that is not enough, because both bytes occur in data: then the counter must go on, or the next
    packet must stand behind it. What is found depends on the bytes only, never on how they are cut.

    Attributes
    ----------
    skipped : int
        Bytes that belonged to no packet.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._last = b""
        self._aligned = False
        self.skipped = 0

    def push(self, data: bytes) -> Packets:
        """Take the next bytes.

        Returns
        -------
        Packets
            May be empty.
        """
        buffer = self._buffer
        buffer += data
        at, found = 0, []
        while len(buffer) - at >= PACKET_BYTES:
            judged = self._judge(buffer, at)
            if judged is None:
                break
            if judged:
                packet = bytes(buffer[at : at + PACKET_BYTES])
                if packet != self._last:  # the radio may repeat itself; the counter tells that it is no new sample
                    found.append(packet)
                self._last, self._aligned = packet, True
                at += PACKET_BYTES
            else:
                self._aligned = False
                end = len(buffer) - PACKET_BYTES + 1  # beyond it nothing can be judged yet
                after = buffer.find(HEADER, at + 1, end)
                after = end if after < 0 else after
                self.skipped += after - at
                at = after
        del buffer[:at]
        return decode(b"".join(found))

    def _judge(self, buffer: bytearray, at: int) -> bool | None:
        """Whether a packet begins at ``at``; None where that needs more bytes."""
        if not _framed(buffer, at):
            return False
        same = bool(self._last) and buffer[at + 32] == self._last[32]
        if same and (self._aligned or 0 < (buffer[at + 1] - self._last[1]) % COUNTS <= _PLAUSIBLE_LOSS):
            return True
        after = at + PACKET_BYTES
        if len(buffer) - after < PACKET_BYTES:
            return None
        return _framed(buffer, after) and (buffer[after + 1] - buffer[at + 1]) % COUNTS == 1


def _framed(buffer: bytearray, at: int) -> bool:
    return buffer[at] == HEADER and buffer[at + 32] & 0xF0 == FOOTER


def decode(packets: bytes) -> Packets:
    """Whole packets, one behind the other, as arrays.

    Parameters
    ----------
    packets : bytes
        A multiple of 33.
    """
    rows = np.frombuffer(packets, dtype=np.uint8).reshape(-1, PACKET_BYTES)
    parts = rows[:, 2:26].reshape(-1, CHANNELS, 3).astype(np.int32)
    unsigned = parts[..., 0] << 16 | parts[..., 1] << 8 | parts[..., 2]
    counts = (unsigned ^ 0x800000) - 0x800000  # two's complement of 24 bits
    return Packets(rows[:, 1].astype(np.int64), counts, rows[:, 26:32], rows[:, 32])


def encode(counter: int, counts: Counts, aux: bytes = bytes(6), footer: int = FOOTER_ACCELERATION) -> bytes:
    """One packet, as the board sends it; for tests and simulators.

    Parameters
    ----------
    counter : int
        Taken modulo 256.
    counts : ndarray of int, shape (8,)
        -2**23 to 2**23 - 1.
    aux : bytes
        Six.
    footer : int
    """
    values = b"".join(int(c).to_bytes(3, "big", signed=True) for c in counts)
    return bytes((HEADER, counter % COUNTS)) + values + aux + bytes((footer,))


def microvolts_per_count(gain: int) -> float:
    """Scale factor ``4.5 V / gain / (2**23 - 1)``, in µV.

    >>> round(microvolts_per_count(24), 5)
    0.02235
    """
    return REFERENCE_V / gain / (2**23 - 1) * 1e6


def microvolts(counts: Counts, gains: tuple[int, ...]) -> FloatArray:
    """Raw values in µV.

    Parameters
    ----------
    counts : ndarray of int, shape (n_samples, n_channels)
    gains : tuple of int
        One for each channel.

    Returns
    -------
    ndarray, shape (n_samples, n_channels)
    """
    scale = np.array([microvolts_per_count(gain) for gain in gains])
    product: FloatArray = counts.astype(np.float64) * scale
    return product


def acceleration_g(packets: Packets) -> FloatArray:
    """Acceleration in g, shape (n_packets, 3); NaN where a packet carries none.

    The accelerometer runs at 25 Hz; packets between its values hold zeros.
    """
    values = packets.aux.view(np.dtype(">i2")).astype(np.float64) * G_PER_COUNT
    values[(packets.footer != FOOTER_ACCELERATION) | ~packets.aux.any(axis=1)] = np.nan
    return values


class PacketCount:
    """Number of each packet since the first, from a counter that wraps at 256.

    Attributes
    ----------
    lost : int
        Packets missing so far, multiples of 256 at one place excepted (see :meth:`wrapped`).
    """

    def __init__(self) -> None:
        self._last: int | None = None
        self.lost = 0

    def __call__(self, counter: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Numbers of the next packets; the parity is the counter's.

        Parameters
        ----------
        counter : ndarray of int, shape (n_packets,)
        """
        if not len(counter):
            return counter
        before = int(counter[0]) - 1 if self._last is None else self._last
        steps = (np.diff(counter, prepend=before % COUNTS) - 1) % COUNTS + 1
        numbers = before + np.cumsum(steps)
        self._last = int(numbers[-1])
        self.lost += int(steps.sum()) - len(steps)
        return numbers

    def wrapped(self, times: int) -> None:
        """Some other clock says that the counter went round this many times more, unseen."""
        if self._last is not None:
            self._last += times * COUNTS
            self.lost += times * COUNTS


class DaisyPairs:
    """Samples of 16 channels from packets that carry 8 in turns: odd counters the Cyton's, the next even the Daisy's.

    A sample of which one packet is lost is half a sample. It is left out, so that the gap is seen and bridged as
    such by whoever reads, and counted apart from whole ones.

    Parameters
    ----------
    hold : bool
        Deliver half samples after all, with the last values of the missing half.

    Attributes
    ----------
    lost : int
        Samples of which both packets are missing.
    halves : int
        Samples of which one is missing.
    """

    def __init__(self, hold: bool = False) -> None:
        self.lost = 0
        self.halves = 0
        self._hold = hold
        self._row = np.zeros(2 * CHANNELS, dtype=np.int32)
        self._half: int | None = None
        self._done: int | None = None
        self._filled = 0

    def __call__(self, numbers: npt.NDArray[np.int64], counts: Counts) -> tuple[npt.NDArray[np.int64], Counts]:
        """Take packets.

        Parameters
        ----------
        numbers : ndarray of int, shape (n_packets,)
            From :class:`PacketCount`.
        counts : ndarray of int32, shape (n_packets, 8)

        Returns
        -------
        numbers : ndarray of int, shape (n_samples,)
            Of the samples, which count up by one where nothing is lost.
        counts : ndarray of int32, shape (n_samples, 16)
        """
        samples: list[int] = []
        rows: list[Counts] = []
        for number, values in zip(numbers.tolist(), counts, strict=True):
            sample, second = (number - 1) // 2, number % 2 == 0
            if self._half is not None and sample != self._half:
                self._finish(self._half, False, samples, rows)  # its Daisy packet is missing
            self._row[CHANNELS * second : CHANNELS * (second + 1)] = values
            self._filled |= 1 << second
            if second:
                self._finish(sample, self._half == sample, samples, rows)
            else:
                self._half = sample
        shaped = np.array(rows, dtype=np.int32).reshape(-1, 2 * CHANNELS)
        return np.array(samples, dtype=np.int64), shaped

    def _finish(self, sample: int, whole: bool, samples: list[int], rows: list[Counts]) -> None:
        self._half = None
        if self._done is None and not whole:
            return  # the very first packet may be a Daisy's: nothing is lost yet
        if self._done is not None:
            self.lost += sample - self._done - 1
        self._done = sample
        self.halves += not whole
        if whole or (self._hold and self._filled == 3):
            samples.append(sample)
            rows.append(self._row.copy())


@dataclass(frozen=True, slots=True)
class Greeting:
    """What the board says of itself after a reset (``v``).

    Parameters
    ----------
    firmware : tuple of int
        Empty before version 2, which does not say it.
    daisy : bool or None
        None where the firmware does not tell.
    text : str
    """

    firmware: tuple[int, ...]
    daisy: bool | None
    text: str


def read_greeting(answer: bytes) -> Greeting | None:
    """The answer to ``v``, or None where these bytes are no such answer.

    >>> read_greeting(b"OpenBCI V3 8-16 channel\\nADS1299 Device ID: 0x3E\\nFirmware: v3.1.1\\n$$$").firmware
    (3, 1, 1)
    """
    text = answer.decode("ascii", errors="replace")
    if "OpenBCI" not in text or not answer.rstrip().endswith(END_OF_ANSWER):
        return None
    version = re.search(r"Firmware: v(\d+(?:\.\d+)*)", text)
    firmware = tuple(int(x) for x in version.group(1).split(".")) if version else ()
    # Firmware 3 tells "On Board" and "On Daisy" apart; older ones name one device whatever is plugged in.
    daisy = "On Daisy" in text if "On Board" in text else None
    return Greeting(firmware, daisy, text.strip())


def channel_command(channel: int, gain: int, on: bool = True, bias: bool = True, srb2: bool = True, srb1: bool = False) -> bytes:
    """``x (CHANNEL, POWER_DOWN, GAIN_SET, INPUT_TYPE_SET, BIAS_SET, SRB2_SET, SRB1_SET) X``.

    Parameters
    ----------
    channel : int
        1 to 16.
    gain : int
        One of ``GAINS``.
    on, bias, srb2, srb1 : bool
        Powered; part of the bias drive; connected to SRB2; all negative inputs connected to SRB1.

    >>> channel_command(3, 2, bias=False, srb2=False)
    b'x3010000X'
    """
    flags = "".join(str(int(flag)) for flag in (bias, srb2, srb1))
    return f"x{_SELECT[channel - 1]}{int(not on)}{GAINS.index(gain)}0{flags}X".encode()


def lead_off_command(channel: int, positive: bool = False, negative: bool = False) -> bytes:
    """``z (CHANNEL, PCHAN, NCHAN) Z``: put the test current on an input, or take it off.

    >>> lead_off_command(4, positive=True)
    b'z410Z'
    """
    return f"z{_SELECT[channel - 1]}{int(positive)}{int(negative)}Z".encode()
