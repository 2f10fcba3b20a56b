"""One stream while it is being recorded: its inlet, its counts, and what is known about its interruptions."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bci.stream.bus import RawInlet
from bci.stream.silence import SilenceDetector


@dataclass(frozen=True, slots=True)
class BrokenConnection:
    """The connection that a stream had before it was connected again.

    Parameters
    ----------
    stream_id : int
        Identifier in the file under which the stream was recorded until its connection broke.
    gap_s : float
        For how long the stream was not connected, seconds.
    """

    stream_id: int
    gap_s: float


class RateLimit:
    """How many samples per second are recorded of a stream that anybody may send, so that a flood does not fill the disk.

    Parameters
    ----------
    rate_hz : float
        Samples per second; the samples of one second may come at once.

    Attributes
    ----------
    left_out : int
        Number of samples that came beyond the limit.
    """

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = self._allowed = rate_hz
        self._at = -math.inf
        self.left_out = 0

    def admitted(self, n: int, now: float) -> int:
        """How many of ``n`` samples that came at ``now`` are recorded.

        Parameters
        ----------
        n : int
        now : float
            Seconds on the recorder's clock; never earlier than in the call before.
        """
        self._allowed = min(self._rate_hz, self._allowed + (now - self._at) * self._rate_hz)
        self._at = now
        taken = min(n, int(self._allowed))
        self._allowed -= taken
        self.left_out += n - taken
        return taken


class RecordedStream:
    """The state of one stream that is being recorded.

    Parameters
    ----------
    inlet : RawInlet
    stream_id : int
        Identifier in the file.
    name : str
        For messages.
    limit : RateLimit or None
        How much of the stream is recorded; None: all of it.
    now : float
        When recording it begins, seconds on the recorder's clock.

    Attributes
    ----------
    samples : int
        Number of samples that were recorded.
    alive : bool
        Whether the stream is still being received.
    offset : tuple of float or None
        The newest clock offset: when it was measured and its value, seconds; None before the first.
    before : RecordedStream or None
        What was recorded of the same run of its sender before its connection broke, until the first sample tells what is missing.
    parts : list of RecordedStream
        Everything that was recorded of the same run of the same sender; all of it has the same clock.
    """

    def __init__(self, inlet: RawInlet, stream_id: int, name: str, limit: RateLimit | None, now: float) -> None:
        self.inlet = inlet
        self.id = stream_id
        self.name = name
        self.limit = limit
        self.samples = 0
        self.alive = True
        self.offset: tuple[float, float] | None = None
        self.silence = SilenceDetector(inlet.header_xml, now)
        self.before: RecordedStream | None = None
        self.parts = [self]


def lost_after(count: int) -> str:
    """The note in a footer that a stream's sender or its connection was lost after ``count`` samples.

    Parameters
    ----------
    count : int

    Examples
    --------
    >>> lost_after(250)
    'stream lost after 250 samples'
    """
    return f"stream lost after {count} samples"
