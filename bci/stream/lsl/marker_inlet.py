"""Reading markers over LSL: texts, numbers, and levels that a sender holds."""

from __future__ import annotations

import math
from collections.abc import Callable

from bci.errors import StreamError, StreamLost
from bci.stream.bus import CueInlet, Marker
from bci.stream.clocks.sender_clock import SenderClock
from bci.stream.lsl import liblsl
from bci.stream.lsl.connection import DEAD_S, OPEN_TIMEOUT_S
from bci.stream.lsl.discovery import FoundStream
from bci.stream.lsl.raw_inlet import LslRawInlet
from bci.stream.markers.shapes import row_of
from bci.stream.markers.streams import Levels
from bci.stream.metadata import stream_info

HOLD_S = 2.0
"""The longest that a marker waits until its sender's clock is known; liblsl measures it within one second."""
LEVEL_S = 0.25
"""A level comes again within so long: 2.5 periods of the slowest (:data:`~bci.stream.markers.streams.HELD_FROM_HZ`)."""


class LslMarkerInlet(CueInlet):
    """A stream of strings or of marker numbers (protocol :class:`~bci.stream.bus.CueInlet`).

    Numbers become text as short as they can be (``"2"``); where they declare a rate, a level that is held is told from single
    markers as it is in files (:class:`~bci.stream.markers.streams.Levels`).

    Parameters
    ----------
    found : FoundStream
    timeout_s : float
        Time allowed for the connection.
    hold_s : float
        Longest that markers of another computer are held back until its clock is known (``HOLD_S``): cues may, commands must not.
    came : callable
        As of :class:`LslRawInlet`.
    """

    def __init__(
        self,
        found: FoundStream,
        timeout_s: float = OPEN_TIMEOUT_S,
        hold_s: float = 0.0,
        came: Callable[[], object] = lambda: None,
    ) -> None:
        self.found = found
        self._raw = LslRawInlet(found, timeout_s=timeout_s, came=came, dead_after_s=DEAD_S)
        self.header_xml = self._raw.header_xml
        self._clock = SenderClock(found.host == liblsl.this_host(), self._raw.time_correction, liblsl.local_clock)
        self._from = (found.uid, found.name, _columns(self.header_xml) if found.n_channels > 1 else ())
        self._levels = Levels(0.0 if found.channel_format == "string" else found.rate_hz)
        self._held: list[tuple[tuple[str, ...], float]] = []
        self._hold_s, self._held_since, self._came_s = hold_s, 0.0, -math.inf

    @property
    def ended(self) -> bool:
        """See :class:`LslRawInlet`."""
        return self._raw.ended

    @property
    def held(self) -> bool:
        """Whether something came that is not given out yet."""
        return bool(self._held) or self._levels.unsure

    def pull_markers(self, timeout_s: float) -> list[Marker]:
        """Return the markers at hand with all their columns, on this computer's clock too.

        Parameters
        ----------
        timeout_s : float
            The longest time to wait, seconds.

        Returns
        -------
        list of Marker
            Empty where no marker came in time.

        Raises
        ------
        StreamLost
            If the sender is gone and no marker is held back any more.
        """
        offset_s = self._clock.offset_s
        try:
            came = self._rows(timeout_s)
        except StreamLost:
            if not self._held:
                raise
            came, self._held_since = [], -math.inf
        if came and not self._held:
            self._held_since = liblsl.local_clock()
        self._held += came
        if offset_s is None:
            if liblsl.local_clock() - self._held_since < self._hold_s:
                return []
            offset_s = math.nan
        heard, self._held = [Marker(row, stamp, *self._from, offset_s) for row, stamp in self._held], []
        return heard

    def _rows(self, timeout_s: float) -> list[tuple[tuple[str, ...], float]]:
        """What came; a first sample that may be a level, once nothing came after it for so long that it is none."""
        try:
            pulled = self._raw.pull(timeout_s)
        except StreamLost:
            if self._levels.unsure:
                return self._levels.flush()
            raise
        now = liblsl.local_clock()
        if pulled is None:
            return self._levels.flush() if max(timeout_s, now - self._came_s) >= LEVEL_S else []
        self._came_s = now
        return self._levels(map(row_of, pulled[0]), pulled[1].tolist())

    def close(self) -> None:
        """Unsubscribe. May be called twice."""
        self._raw.close()


def _columns(header_xml: str) -> tuple[str, ...]:
    """Labels of a marker stream's channels; none where its header cannot be read, which does not matter for its markers."""
    try:
        return stream_info(header_xml).labels
    except StreamError:
        return ()
