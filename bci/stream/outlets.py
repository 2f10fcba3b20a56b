"""Protocols of outlets, which send a stream over LSL or inside one process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bci.engine.chunk import FloatArray

LINGER_S = 0.3


class StreamOutlet(Protocol):
    """A stream that is being sent: what all kinds of outlets have."""

    @property
    def uid(self) -> str:
        """Identifier of this outlet, different from that of any other."""
        ...

    def wait_for_consumers(self, timeout_s: float) -> bool:
        """Wait until somebody receives the stream.

        Parameters
        ----------
        timeout_s : float
            The longest time to wait, seconds.

        Returns
        -------
        bool
            False where nobody did in time.
        """
        ...

    def close(self) -> None:
        """End the stream. May be called twice."""
        ...


class RowOutlet(StreamOutlet, Protocol):
    """An outlet that sends one row of float64 numbers at a time."""

    def push(self, row: FloatArray, stamp: float = 0.0) -> None:
        """Send one row now.

        Parameters
        ----------
        row : ndarray, shape (n_channels,)
        stamp : float
            Seconds of the LSL clock; 0 means the time of sending.
        """
        ...


class TextOutlet(StreamOutlet, Protocol):
    """An outlet that sends one text at a time."""

    def push(self, text: str, stamp: float = 0.0) -> None:
        """Send one text now.

        Parameters
        ----------
        text : str
        stamp : float
            Seconds of the LSL clock; 0 means the time of sending.
        """
        ...


class SignalOutlet(StreamOutlet, Protocol):
    """An outlet that sends several rows of numbers at a time."""

    def push_chunk(self, data: FloatArray, stamps: FloatArray) -> None:
        """Send consecutive rows, each with its own stamp.

        Parameters
        ----------
        data : ndarray, shape (n_samples, n_channels)
        stamps : ndarray, shape (n_samples,)
            Seconds of the LSL clock.
        """
        ...


class MarkerOutlet(StreamOutlet, Protocol):
    """An outlet that sends markers of one or several columns."""

    def push_row(self, row: Sequence[str], stamp: float = 0.0) -> None:
        """Send one marker now.

        Parameters
        ----------
        row : sequence of str
            One text for each column.
        stamp : float
            Seconds of the LSL clock; 0 means the time of sending.
        """
        ...
