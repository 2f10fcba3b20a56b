"""What the recorder writes into: the protocol that a recording file satisfies."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import FloatArray

Values = npt.NDArray[Any] | list[list[str]]
"""Samples in their stream's own format, shape (n_samples, n_channels)."""


class RecordingFile(Protocol):
    """A file that streams are recorded into; :class:`bci.stream.xdf.writer.XdfWriter` is one."""

    @property
    def size(self) -> int:
        """Bytes written so far."""
        ...

    def check(self, header_xml: str) -> None:
        """Refuse a header that cannot be recorded.

        Parameters
        ----------
        header_xml : str
            The sender's full description, as LSL gives it.

        Raises
        ------
        RecordingError
            If it lacks a field that readers need.
        """
        ...

    def add_stream(self, header_xml: str) -> int:
        """Declare a stream.

        Parameters
        ----------
        header_xml : str
            The sender's full description.

        Returns
        -------
        int
            Its identifier; identifiers count from 1.
        """
        ...

    def write(self, stream_id: int, values: Values, stamps: FloatArray) -> None:
        """Write consecutive samples of one stream.

        Parameters
        ----------
        stream_id : int
        values : ndarray or list of list of str, shape (n_samples, n_channels)
        stamps : ndarray, shape (n_samples,)
            Raw stamps, seconds on the sender's clock.
        """
        ...

    def write_offset(self, stream_id: int, time_s: float, offset_s: float) -> None:
        """Write one clock offset.

        Parameters
        ----------
        stream_id : int
        time_s : float
            When it was measured, seconds on the sender's clock.
        offset_s : float
            What must be added to the sender's stamps, seconds.
        """
        ...

    def note(self, stream_id: int, text: str) -> None:
        """Add a remark to the stream's footer.

        Parameters
        ----------
        stream_id : int
        text : str
        """
        ...

    def boundary(self) -> None:
        """Write a boundary chunk."""
        ...

    def sync(self) -> None:
        """Put everything on the disk."""
        ...

    def close(self) -> None:
        """Write the footers, and close the file."""
        ...


def memory_bytes(values: Values, stamps: FloatArray) -> int:
    """Memory that pulled samples take, in bytes; for strings an estimate.

    Parameters
    ----------
    values : ndarray or list of list of str, shape (n_samples, n_channels)
    stamps : ndarray, shape (n_samples,)
        Seconds.
    """
    if isinstance(values, np.ndarray):
        return int(values.nbytes + stamps.nbytes)
    return int(stamps.nbytes + sum(64 + len(text) for row in values for text in row))
