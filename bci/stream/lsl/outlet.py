"""Sending over LSL: rows of numbers, chunks with a stamp for each sample, and texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree as ET

import numpy.typing as npt

from bci.engine.chunk import FloatArray
from bci.engine.stream_info import StreamInfo
from bci.errors import ConfigError
from bci.stream.lsl import liblsl
from bci.stream.metadata import header_xml, parse_header, text_info

BUFFER_S = 60


class OpenLslOutlet:
    """An LSL outlet that is open: its header, and whether anybody listens.

    Parameters
    ----------
    info : StreamInfo
    channel_format : str
        The format in which values are sent.
    bci : mapping of str to str or None
        Children of ``desc/bci`` beside ``version`` (docs/reference/streams.md).
    buffer_s : int
        How much a slow receiver is given before it loses the oldest samples, seconds.

    Raises
    ------
    ConfigError
        If the header would be refused by a reader, or there is no ``source_id``.
    """

    def __init__(self, info: StreamInfo, channel_format: str, bci: Mapping[str, str] | None, buffer_s: int = BUFFER_S) -> None:
        self.info = info
        self._outlet: Any = _create(info, channel_format, bci, buffer_s)

    @property
    def header_xml(self) -> str:
        """The header as receivers see it."""
        return str(self._outlet.get_info().as_xml())

    @property
    def uid(self) -> str:
        """Identifier of this outlet, different from that of any other with the same name and ``source_id``."""
        return str(self._outlet.get_info().uid())

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
        return bool(self._outlet.wait_for_consumers(timeout_s))

    @property
    def has_consumers(self) -> bool:
        """Whether anybody listens."""
        return bool(self._outlet.have_consumers())

    def close(self) -> None:
        """End the stream: receivers are told. May be called twice."""
        self._outlet = None


class LslOutlet(OpenLslOutlet):
    """Sends float64 rows, converted by liblsl to the stream's format.

    Parameters
    ----------
    info : StreamInfo
    channel_format : str
        A numeric format; ``"double64"`` loses nothing.
    bci : mapping of str to str, optional
        Children of ``desc/bci`` beside ``version`` (docs/reference/streams.md).
    buffer_s : int
        A slow receiver is given this much before it loses the oldest samples.

    Raises
    ------
    ConfigError
        If the header would be refused by a reader, or there is no ``source_id``.
    """

    def __init__(
        self,
        info: StreamInfo,
        channel_format: str = "double64",
        bci: Mapping[str, str] | None = None,
        buffer_s: int = BUFFER_S,
    ) -> None:
        super().__init__(info, channel_format, bci, buffer_s)
        self._send: Any = liblsl.NumericPush(self._outlet, len(info.channels))

    def push(self, row: npt.ArrayLike, stamp: float = 0.0) -> None:
        """Send one row now; a stamp of 0 means the time of sending.

        Parameters
        ----------
        row : ndarray, shape (n_channels,)
        stamp : float
            Seconds of the LSL clock.
        """
        self._send.row(row, stamp)

    def push_chunk(self, data: FloatArray, stamps: FloatArray) -> None:
        """Send consecutive rows, each with its own stamp, as one chunk.

        Parameters
        ----------
        data : ndarray, shape (n_samples, n_channels)
        stamps : ndarray, shape (n_samples,)
            Seconds of the LSL clock.
        """
        self._send.chunk(data, stamps)

    def close(self) -> None:
        """End the stream: receivers are told. May be called twice."""
        self._send = None  # it holds the outlet too
        super().close()


class LslTextOutlet(OpenLslOutlet):
    """Sends strings: cues, events, control messages.

    Parameters
    ----------
    name, type, source_id : str
    bci : mapping of str to str, optional
        Children of ``desc/bci`` beside ``version``.
    columns : sequence of str
        Names of its columns, where it sends more than one string at a time.
    """

    def __init__(
        self, name: str, type: str, source_id: str, bci: Mapping[str, str] | None = None, columns: Sequence[str] = ("text",)
    ) -> None:
        super().__init__(text_info(name, type, source_id, columns), "string", bci)

    def push(self, text: str, stamp: float = 0.0) -> None:
        """Send one text now.

        Parameters
        ----------
        text : str
        stamp : float
            Seconds of the LSL clock; 0 means the time of sending.
        """
        self.push_row((text,), stamp)

    def push_row(self, row: Sequence[str], stamp: float = 0.0) -> None:
        """Send one text for each column now.

        Parameters
        ----------
        row : sequence of str
            One text for each column.
        stamp : float
            Seconds of the LSL clock; 0 means the time of sending.
        """
        self._outlet.push_sample(tuple(row), stamp)


def _create(info: StreamInfo, channel_format: str, bci: Mapping[str, str] | None, buffer_s: int) -> Any:
    """An outlet whose header is ours."""
    if not info.source_id:
        raise ConfigError(f"stream {info.name!r}: source_id is empty; receivers need it to find the stream again after a loss")
    root = parse_header(header_xml(info, channel_format, bci))
    lsl_info = liblsl.Info(info.name, info.type, len(info.channels), info.rate_hz, channel_format, info.source_id)
    for child in root.iterfind("desc/*"):
        _append(lsl_info.desc(), child)
    # For irregular streams liblsl counts the buffer in units of 100 samples.
    return liblsl.Outlet(lsl_info, 0, buffer_s)


def _append(parent: Any, element: ET.Element) -> None:
    """Copy an element and what is below it into liblsl's own tree."""
    if len(element):
        node = parent.append_child(element.tag)
        for child in element:
            _append(node, child)
    else:
        parent.append_child_value(element.tag, element.text or "")
