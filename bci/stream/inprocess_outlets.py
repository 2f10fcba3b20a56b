"""Sending streams inside one process, on a virtual clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4
from xml.sax.saxutils import escape

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import FloatArray
from bci.engine.stream_info import StreamInfo
from bci.errors import StreamError
from bci.stream.clock import VirtualClock
from bci.stream.metadata import header_xml
from bci.stream.xdf.format import DTYPES

Rows = npt.NDArray[Any] | list[list[str]]


@dataclass(frozen=True, slots=True)
class Sender:
    """The computer that a stream comes from, with a clock of its own.

    Parameters
    ----------
    host : str
        Its name, as the stream's header gives it; empty where it does not.
    clock : callable
        What its clock shows at a time of the bus, seconds.
    error : callable
        Of the next measurement of its clock offset, seconds.
    """

    host: str
    clock: Callable[[float], float]
    error: Callable[[], float] = lambda: 0.0

    def time_correction(self, now: float) -> tuple[float, float]:
        """Measure the clock offset as LSL does.

        Parameters
        ----------
        now : float
            Time of the bus, seconds.

        Returns
        -------
        tuple of (float, float)
            When it was measured on the sender's clock, and the offset, seconds.
        """
        offset_s = now - self.clock(now) + self.error()
        return now - offset_s, offset_s


class Subscription:
    """The data that one reader has not read yet: pieces of (rows, stamps)."""

    def __init__(self) -> None:
        self.pieces: deque[tuple[Rows, FloatArray]] = deque()
        self.over = False


class InProcessOutlet:
    """Sends to all who subscribed before.

    Parameters
    ----------
    clock : VirtualClock
    info : StreamInfo
    channel_format : str
    bci : mapping of str to str, optional
        Children of ``desc/bci``.
    sender : Sender, optional
        Another computer than the one that reads.
    """

    def __init__(
        self,
        clock: VirtualClock,
        info: StreamInfo,
        channel_format: str,
        bci: Mapping[str, str] | None = None,
        sender: Sender | None = None,
    ) -> None:
        self.info, self.channel_format, self.sender = info, channel_format, sender
        self.open = True
        self.uid = str(uuid4())
        self.header_xml = header_xml(info, channel_format, bci).replace("<desc>", f"<uid>{self.uid}</uid><desc>", 1)
        if sender is not None and sender.host:
            self.header_xml = self.header_xml.replace("<desc>", f"<hostname>{escape(sender.host)}</hostname><desc>", 1)
        self._dtype = DTYPES.get(channel_format, DTYPES["double64"])
        self._clock = clock
        self._readers: list[Subscription] = []

    def push(self, row: npt.ArrayLike, stamp: float = 0.0) -> None:
        """Send one row now.

        Parameters
        ----------
        row : array_like, shape (n_channels,)
        stamp : float
            Seconds on the sender's clock; 0 means the time of sending.
        """
        self._send(np.array(row, self._dtype, ndmin=2), np.array([stamp or self.now()]))

    def push_chunk(self, data: FloatArray, stamps: FloatArray) -> None:
        """Send consecutive rows, each with its own stamp.

        Parameters
        ----------
        data : ndarray, shape (n_samples, n_channels)
        stamps : ndarray, shape (n_samples,)
            Seconds on the sender's clock.
        """
        self._send(np.array(data, self._dtype), np.array(stamps, np.float64))

    def now(self) -> float:
        """Time on the sender's clock."""
        return self.sender.clock(self._clock.now()) if self.sender else self._clock.now()

    def _send(self, rows: Rows, stamps: FloatArray) -> None:
        if not self.open:
            raise StreamError(f"stream {self.info.name!r} was closed; nothing can be sent on it")
        if len(rows) != len(stamps) or (len(rows) and len(rows[0]) != len(self.info.channels)):
            raise StreamError(f"stream {self.info.name!r}: {len(rows)} rows and {len(stamps)} stamps do not fit its header")
        for reader in self._readers:
            if len(stamps):
                reader.pieces.append((rows, stamps))

    def subscribe(self) -> Subscription:
        """Everything sent from now on."""
        self._readers.append(Subscription())
        return self._readers[-1]

    def unsubscribe(self, subscription: Subscription) -> None:
        """End a subscription.

        Parameters
        ----------
        subscription : Subscription
        """
        self._readers = [r for r in self._readers if r is not subscription]

    @property
    def has_consumers(self) -> bool:
        """Whether anybody listens."""
        return bool(self._readers)

    def wait_for_consumers(self, timeout_s: float) -> bool:
        """Wait until somebody receives the stream.

        Parameters
        ----------
        timeout_s : float
            The longest virtual time to wait, seconds.

        Returns
        -------
        bool
            False where nobody did in time.
        """
        return self._clock.wait_for(lambda: self.has_consumers, self._clock.now() + timeout_s)

    def close(self) -> None:
        """End the stream: readers get what is left, then :class:`StreamLost`. May be called twice."""
        self.open = False
        for reader in self._readers:
            reader.over = True


class InProcessTextOutlet:
    """Sends strings over an :class:`InProcessOutlet`.

    Parameters
    ----------
    outlet : InProcessOutlet
        Of channel format ``"string"``.
    """

    def __init__(self, outlet: InProcessOutlet) -> None:
        self.outlet, self.info, self.uid = outlet, outlet.info, outlet.uid

    def push(self, text: str, stamp: float = 0.0) -> None:
        """Send one text now.

        Parameters
        ----------
        text : str
        stamp : float
            Seconds on the sender's clock; 0 means the time of sending.
        """
        self.push_row([text], stamp)

    def push_row(self, texts: Sequence[str], stamp: float = 0.0) -> None:
        """Send one text for each column now.

        Parameters
        ----------
        texts : sequence of str
            One for each column.
        stamp : float
            Seconds on the sender's clock; 0 means the time of sending.
        """
        self.outlet._send([list(texts)], np.array([stamp or self.outlet.now()]))

    def wait_for_consumers(self, timeout_s: float) -> bool:
        """Wait until somebody receives the stream.

        Parameters
        ----------
        timeout_s : float
            The longest virtual time to wait, seconds.

        Returns
        -------
        bool
            False where nobody did in time.
        """
        return self.outlet.wait_for_consumers(timeout_s)

    def close(self) -> None:
        """End the stream. May be called twice."""
        self.outlet.close()
