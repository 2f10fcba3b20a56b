"""Connecting to an LSL stream by our own rules: a loss is an error, and stamps stay as the sender wrote them."""

from __future__ import annotations

from typing import Any

from bci.errors import StreamLost
from bci.stream.lsl import liblsl
from bci.stream.lsl.discovery import FoundStream
from bci.stream.lsl.keepalive import keep_alive

OPEN_TIMEOUT_S = 5.0
DEAD_S, PATIENT_S = 3, 10
"""A sender whose computer does not answer for so long is gone: for readers that act on what comes, and for those that record it.

What a network that comes back within that time still delivers is not lost.
"""


def connect(found: FoundStream, buffer_s: int, timeout_s: float, dead_after_s: int) -> tuple[Any, str]:
    """Open an inlet with ``recover=False`` and no post-processing.

    Parameters
    ----------
    found : FoundStream
    buffer_s : int
        liblsl keeps this much, seconds; for streams without a rate in units of 100 samples.
    timeout_s : float
        Time allowed for the connection, seconds.
    dead_after_s : int
        How long the sender's computer may be out of reach before the connection counts as broken, seconds.

    Returns
    -------
    inlet : pylsl.StreamInlet
    header_xml : str
        The sender's full header.

    Raises
    ------
    StreamLost
        If the sender does not answer.
    """
    try:
        inlet = liblsl.Inlet(found.handle, max_buflen=buffer_s, recover=False, processing_flags=0)
        header = inlet.info(timeout_s).as_xml()
        inlet.open_stream(timeout_s)
    except (liblsl.LslTimeout, liblsl.LslLost) as error:
        raise StreamLost(f"{found} was found but does not answer within {timeout_s:g} s; is it still running?") from error
    keep_alive(header, dead_after_s)
    return inlet, header


def disconnect(inlet: Any) -> None:
    """End the transmission; liblsl frees the inlet when the last reference to it goes.

    Parameters
    ----------
    inlet : pylsl.StreamInlet or None
    """
    if inlet is not None:
        inlet.close_stream()
