"""The OpenBCI Cyton's protocol: bytes in, packets out. No port and no clock.

Sources, all of OpenBCI's documentation: "Cyton Data Format" (packets, 24-bit values, scale factors, the Daisy's
alternating packets) and "Cyton Board SDK" (commands and their answers), docs.openbci.com/Cyton/CytonDataFormat and
docs.openbci.com/Cyton/CytonSDK; the lines of the greeting as firmware 3 prints them (OpenBCI_Cyton_Library).

A packet has 33 bytes: ``0xA0``, sample counter, 8 × 24-bit two's complement (most significant byte first), 6 bytes
whose meaning the last byte tells, ``0xC0`` … ``0xCF``. There is no checksum: what can be checked is the frame and
the counter.
"""

from __future__ import annotations

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
    """Find packets in a stream of bytes that may be cut anywhere and may contain garbage.

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
        """Parse the next bytes.

        Parameters
        ----------
        data : bytes
            They follow those of the call before.

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
    """Scale factor ``4.5 V / gain / (2**23 - 1)`` of the ADS1299, in µV.

    Parameters
    ----------
    gain : int
        1, 2, 4, 6, 8, 12 or 24.

    Returns
    -------
    float

    Examples
    --------
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
    """Acceleration of each packet.

    The accelerometer runs at 25 Hz; packets between its values hold zeros.

    Parameters
    ----------
    packets : Packets

    Returns
    -------
    ndarray, shape (n_packets, 3)
        In g; NaN where a packet carries none.
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
        """Count further rounds of the counter that were not seen, because another clock tells of them.

        Parameters
        ----------
        times : int
            Number of rounds.
        """
        if self._last is not None:
            self._last += times * COUNTS
            self.lost += times * COUNTS


class DaisyPairs:
    """Samples of 16 channels from packets that carry 8 in turns: odd counters the Cyton's, the next even the Daisy's.

    A sample of which one packet is lost is half a sample. It is left out, so that the gap is seen and bridged as
    such by the reader, and counted separately from whole ones.

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
