"""Whether the samples of a regular stream still come, and how long they did not."""

from __future__ import annotations

from bci.engine.chunk import FloatArray
from bci.errors import StreamError
from bci.stream.markers.streams import MARKER_TYPES
from bci.stream.metadata import stream_info

SILENT_S = 1.0
PERIODS = 4.0
"""A stream slower than that falls silent after so many samples that did not come."""


class SilenceDetector:
    """Notices that a regular stream sends nothing although its connection stands. Of others silence says nothing.

    Parameters
    ----------
    header_xml : str
        The sender's header, which declares the rate.
    now_s : float
        When reading begins; all times are the reader's.

    Attributes
    ----------
    rate_hz : float
        As declared; 0 where samples come when they come, as markers do.
    last : float
        Stamp of the newest sample, NaN before the first.
    """

    def __init__(self, header_xml: str, now_s: float) -> None:
        self.rate_hz = _regular_rate(header_xml)
        self.last = float("nan")
        self._limit_s = max(SILENT_S, PERIODS / self.rate_hz) if self.rate_hz else float("inf")
        self._came_s = now_s
        self._told = False

    def came(self, stamps: FloatArray, now_s: float) -> float:
        """Take note that samples have come.

        Parameters
        ----------
        stamps : ndarray, shape (n_samples,)
            Their stamps, seconds on the sender's clock.
        now_s : float
            Seconds on the reader's clock.

        Returns
        -------
        float
            For how long no sample came, seconds, where a silence had been noticed; else 0.
        """
        if not len(stamps):
            return 0.0
        silent_s = now_s - self._came_s if self._told else 0.0
        self._came_s, self._told, self.last = now_s, False, float(stamps[-1])
        return silent_s

    def begins(self, now_s: float) -> bool:
        """Tell whether the stream must be called silent now.

        Parameters
        ----------
        now_s : float
            Seconds on the reader's clock.

        Returns
        -------
        bool
            True once for each silence.
        """
        begins = not self._told and now_s - self._came_s > self._limit_s
        self._told = self._told or begins
        return begins

    def missing_s(self, before: SilenceDetector, stamps: FloatArray) -> float:
        """Compute how much is missing since an earlier connection to the same sender.

        It is the time between the last sample of that connection and the first one of this connection.

        Parameters
        ----------
        before : SilenceDetector
            Of the earlier connection.
        stamps : ndarray, shape (n_samples,)
            Stamps of the first samples, seconds on the sender's clock.

        Returns
        -------
        float
            Seconds; NaN for streams that are not regular, because nothing tells.
        """
        if not self.rate_hz or not len(stamps):
            return float("nan")
        return max(0.0, float(stamps[0]) - before.last - 1.0 / self.rate_hz)


def _regular_rate(header_xml: str) -> float:
    try:
        info = stream_info(header_xml)
    except StreamError:
        return 0.0
    return 0.0 if info.type.strip().lower() in MARKER_TYPES else info.rate_hz
