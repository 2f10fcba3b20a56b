"""Reading a signal over LSL: losses raise, stamps stay raw, and an overflow is counted."""

from __future__ import annotations

import math

import numpy as np

from bci.engine.chunk import Chunk, FloatArray
from bci.engine.stream_info import StreamInfo
from bci.errors import StreamError, StreamLost
from bci.stream.clocks.sender_clock import SenderClock
from bci.stream.lsl import liblsl
from bci.stream.lsl.connection import DEAD_S, OPEN_TIMEOUT_S, connect, disconnect
from bci.stream.lsl.discovery import FoundStream
from bci.stream.lsl.false_head import FalseHead
from bci.stream.lsl.offset_probe import OffsetProbe, measured
from bci.stream.metadata import stream_info
from bci.stream.montage import Montage, apply_montage
from bci.stream.units import scale_to_microvolts


class LslSignalInlet:
    """A regularly sampled stream in microvolts (protocol :class:`~bci.stream.bus.SignalInlet`).

    Opened with ``recover=False`` and no post-processing: a loss raises, stamps stay as the sender wrote them.

    Parameters
    ----------
    found : FoundStream
    montage : Montage, optional
        What the stream leaves out.
    buffer_s : int
        liblsl keeps this much; beyond it drops the oldest samples without a word, which is counted here in
        ``overflows``.
    timeout_s : float
        Time allowed for the connection.

    Attributes
    ----------
    info : StreamInfo
    header_xml : str
        The sender's full header.
    received : int
        Samples delivered.
    overflows : int
        Pulls that found the buffer full: older samples are missing before what they returned.
    overflow_risk : float
        Largest part of the buffer that was ever waiting, 0 to 1.

    Raises
    ------
    StreamLost
        If the sender does not answer.
    StreamError
        If the stream is not numeric, neither it nor the montage declares a rate, or its header cannot be read.
    """

    def __init__(
        self, found: FoundStream, montage: Montage | None = None, buffer_s: int = 60, timeout_s: float = OPEN_TIMEOUT_S
    ) -> None:
        self.found = found
        rate_hz = rate_of(found, montage)
        self._what = str(found)
        # liblsl counts the buffer of a stream without a rate in hundreds of samples.
        self._samples, self.header_xml = connect(
            found, buffer_s if found.rate_hz else math.ceil(buffer_s * rate_hz / 100), timeout_s, DEAD_S
        )
        self._inlet = OffsetProbe.of(found.handle)
        self._clock = SenderClock(found.host == liblsl.this_host(), self.time_correction, liblsl.local_clock)
        declared = stream_info(self.header_xml)
        self.info: StreamInfo = apply_montage(declared, montage) if montage else declared
        self._scale = scale_to_microvolts(self.info)
        self._capacity = max(1, round(buffer_s * rate_hz))
        room = max(64, min(self._capacity, round(4 * rate_hz)))
        self._pull: liblsl.NumericPull | None = liblsl.NumericPull(self._samples, self._what, False, room)
        self._head = FalseHead(found.rate_hz)
        self.received, self.overflows, self.overflow_risk = 0, 0, 0.0

    @property
    def ended(self) -> bool:
        """Whether it was closed. Of a broken connection it is not known before the next pull."""
        return self._pull is None

    @property
    def dropped_head(self) -> int:
        """Samples thrown away at the start because their stamps were invented (:class:`FalseHead`)."""
        return self._head.dropped

    def pull(self, timeout_s: float) -> Chunk | None:
        """Return all samples at hand, and wait for the first where there is none.

        Parameters
        ----------
        timeout_s : float
            The longest time to wait, seconds.

        Returns
        -------
        Chunk or None
            Microvolts; None where no sample came in time.

        Raises
        ------
        StreamLost
            If the sender is gone. A sender that hangs raises nothing: watch the time of the newest sample.
        """
        if self._pull is None:
            raise StreamLost(f"{self._what}: this inlet is closed")
        values, stamps = self._pull(timeout_s)
        if not len(stamps):
            return None
        if len(stamps) == self._pull.max_samples:
            values, stamps = self._drain(self._pull, values, stamps)
        if not self._head.done:
            values, stamps = self._head(values, stamps)
            if not len(stamps):
                return None
        self.received += len(stamps)
        return Chunk(values * self._scale, stamps.copy())

    @property
    def offset_s(self) -> float | None:
        """What to add to stamps to have this computer's time, seconds (:class:`~bci.stream.clocks.sender_clock.SenderClock`)."""
        return self._clock.offset_s

    def time_correction(self, timeout_s: float) -> tuple[float, float] | None:
        """See :func:`~bci.stream.lsl.offset_probe.measured`."""
        return measured(self._inlet, timeout_s)

    def _drain(self, pull: liblsl.NumericPull, values: FloatArray, stamps: FloatArray) -> tuple[FloatArray, FloatArray]:
        """More than one buffer was waiting: take it all, and see how close to overflowing it was."""
        pieces = [(values.copy(), stamps.copy())]
        while len(stamps) == pull.max_samples:
            values, stamps = pull(0.0)
            pieces.append((values.copy(), stamps.copy()))
        values, stamps = np.concatenate([v for v, _ in pieces]), np.concatenate([s for _, s in pieces])
        self.overflow_risk = max(self.overflow_risk, min(1.0, len(stamps) / self._capacity))
        # liblsl's queue holds one sample less than its capacity, and a few more come while we empty it.
        self.overflows += len(stamps) >= self._capacity - 1
        return values, stamps

    def close(self) -> None:
        """Unsubscribe. May be called twice."""
        self._inlet.close()
        disconnect(self._samples)
        self._samples = self._pull = None


def rate_of(found: FoundStream, montage: Montage | None = None) -> float:
    """Sampling rate of a signal, as the signal itself or the montage declares it.

    Parameters
    ----------
    found : FoundStream
    montage : Montage, optional
        What the stream leaves out.

    Returns
    -------
    float
        Hz.

    Raises
    ------
    StreamError
        If it is no signal, or no rate is declared.
    """
    rate_hz = found.rate_hz or (montage.rate_hz if montage else 0.0)
    if found.channel_format == "string":
        raise StreamError(f"{found} is not a signal: it sends texts. Read it as markers")
    if rate_hz <= 0:
        raise StreamError(
            f"{found} declares no sampling rate, but without one nothing can be filtered. Declare the true rate in a montage "
            "file (rate_hz = 250), and give it with --set stream.montage=FILE; if this stream sends markers, name it with "
            "markers.stream"
        )
    return rate_hz
