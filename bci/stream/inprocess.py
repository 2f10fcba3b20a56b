"""Streams inside one process, on a virtual clock: a session faster than real time.

The inlets and outlets have the shapes of those of LSL. There are no threads: an inlet that waits lets the
actors of the :class:`~bci.stream.clock.VirtualClock` run until something has come or its time is up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from bci.engine.stream_info import StreamInfo
from bci.errors import StreamAmbiguous, StreamNotFound
from bci.stream.clock import VirtualClock
from bci.stream.inprocess_inlets import InProcessMarkerInlet, InProcessRawInlet, InProcessSignalInlet
from bci.stream.inprocess_outlets import InProcessOutlet, InProcessTextOutlet, Sender
from bci.stream.markers.streams import is_markers
from bci.stream.metadata import text_info
from bci.stream.montage import Montage


class InProcessBus:
    """All streams of one process.

    Parameters
    ----------
    clock : VirtualClock

    Examples
    --------
    >>> bus = InProcessBus(VirtualClock(100.0))
    >>> cues = bus.text_outlet("cues", "Markers")
    >>> inlet = bus.markers("cues")
    >>> cues.push("left")
    >>> inlet.pull(1.0)
    [('left', 100.0)]
    """

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self._outlets: list[InProcessOutlet] = []

    def outlet(
        self,
        info: StreamInfo,
        channel_format: str = "double64",
        bci: Mapping[str, str] | None = None,
        sender: Sender | None = None,
    ) -> InProcessOutlet:
        """Begin a new stream of numbers, or of texts where the format says so.

        Parameters
        ----------
        info : StreamInfo
        channel_format : str
            As in LSL: ``"float32"``, ``"double64"``, ``"string"``, …
        bci : mapping of str to str, optional
            Children of ``desc/bci``.
        sender : Sender, optional
            Where it comes from another computer than the one that reads.

        Returns
        -------
        InProcessOutlet
        """
        self._outlets.append(InProcessOutlet(self.clock, info, channel_format, bci, sender))
        return self._outlets[-1]

    def text_outlet(
        self,
        name: str,
        type: str,
        source_id: str = "",
        bci: Mapping[str, str] | None = None,
        sender: Sender | None = None,
        columns: Sequence[str] = ("text",),
    ) -> InProcessTextOutlet:
        """Begin a new stream of strings.

        Parameters
        ----------
        name : str
            Of the stream.
        type : str
            Of the stream.
        source_id : str
            Of the stream.
        bci : mapping of str to str, optional
            Children of ``desc/bci``.
        sender : Sender, optional
            Where it comes from another computer than the one that reads.
        columns : sequence of str
            Names of its columns.

        Returns
        -------
        InProcessTextOutlet
        """
        return InProcessTextOutlet(self.outlet(text_info(name, type, source_id, columns), "string", bci, sender))

    def signal(self, query: str, montage: Montage | None = None) -> InProcessSignalInlet:
        """Read a signal.

        Parameters
        ----------
        query : str
            Its name, type or source_id.
        montage : Montage, optional
            What the stream leaves out.

        Returns
        -------
        InProcessSignalInlet

        Raises
        ------
        StreamNotFound
            If there is no such stream.
        StreamAmbiguous
            If there are several.
        """
        return InProcessSignalInlet(self._one(query, lambda o: o.info.rate_hz > 0), self.clock, montage)

    def raw(self, query: str) -> InProcessRawInlet:
        """Read any stream as it is.

        Parameters
        ----------
        query : str
            Its name, type or source_id.

        Returns
        -------
        InProcessRawInlet

        Raises
        ------
        StreamNotFound
            If there is no such stream.
        StreamAmbiguous
            If there are several.
        """
        return InProcessRawInlet(self._one(query), self.clock)

    def markers(self, query: str) -> InProcessMarkerInlet:
        """Read a stream of markers.

        Parameters
        ----------
        query : str
            Its name, type or source_id.

        Returns
        -------
        InProcessMarkerInlet

        Raises
        ------
        StreamNotFound
            If there is no such stream.
        StreamAmbiguous
            If there are several.
        """
        return InProcessMarkerInlet(self._one(query, _of_markers), self.clock)

    def streams(self) -> list[StreamInfo]:
        """The streams that are being sent."""
        return [o.info for o in self._outlets if o.open]

    def _one(self, query: str, fits: Callable[[InProcessOutlet], bool] = lambda _: True) -> InProcessOutlet:
        there = [o for o in self._outlets if o.open]
        found = [o for o in there if query in (o.info.name, o.info.type, o.info.source_id) and fits(o)]
        listing = ", ".join(f"{o.info.name!r} (type {o.info.type!r}, source_id {o.info.source_id!r})" for o in there) or "nothing"
        if not found:
            raise StreamNotFound(f"no stream with name, type or source_id {query!r} in this process; there is {listing}")
        if len(found) > 1:
            raise StreamAmbiguous(f"{len(found)} streams match {query!r}; there is {listing}")
        return found[0]


def _of_markers(outlet: InProcessOutlet) -> bool:
    info = outlet.info
    return is_markers(info.type, outlet.channel_format, info.rate_hz, len(info.channels))
