"""Texts from every stream that matches, whenever it appears or comes back: control messages and cues.

Programs that send cues or control messages come and go while the engine and the actuator host run, and there may be several.
Looking for them, connecting and reading happen in threads, so that the loop only ever empties queues.
"""

from __future__ import annotations

import threading
import time

from bci.errors import StreamError
from bci.stream.bus import ControlInlet, Marker
from bci.stream.lsl.discovery import FoundStream, is_signal, meant
from bci.stream.lsl.marker_inlet import LslMarkerInlet
from bci.stream.lsl.open_streams import OpenStreams
from bci.stream.lsl.watcher import Watcher
from bci.stream.stream_query import StreamQuery

CONNECT_S = 1.0
HELD_S = 0.02
"""So often is looked whether what is held back can be given out."""


class LateMarkers(ControlInlet):
    """All marker streams that match a query (protocol :class:`~bci.stream.bus.ControlInlet`). For one thread.

    Parameters
    ----------
    query : StreamQuery
        Signals that match are passed over.
    hold_s : float
        Longest that a marker of another computer waits until that one's clock is known: cues may, commands must not.
    watcher : Watcher, optional
        That looks for these streams among others, so that a process needs one; closed with this.
    """

    def __init__(self, query: StreamQuery, hold_s: float = 0.0, watcher: Watcher | None = None) -> None:
        self._query = query
        self._watcher = watcher or Watcher(query)
        self._came = threading.Event()
        self._inlets: dict[int, LslMarkerInlet] = {}
        self._numbers: dict[str, int] = {}
        self._connections = 0
        self._streams = OpenStreams(
            self._watcher.found,
            lambda found: meant(query, found) and not is_signal(found),
            lambda found: LslMarkerInlet(found, CONNECT_S, hold_s, self._came.set),
            self._came.set,
        )

    @property
    def streams(self) -> int:
        """How many streams are connected."""
        self._join()
        return len(self._numbers)

    @property
    def open(self) -> dict[str, FoundStream]:
        """The streams that are connected, by uid."""
        return {inlet.found.uid: inlet.found for inlet in self._inlets.values()}

    def connection(self, uid: str) -> int:
        """See :class:`~bci.stream.bus.ControlInlet`."""
        return self._numbers.get(uid, 0)

    def pull_markers(self, timeout_s: float) -> list[Marker]:
        """Return the markers at hand; those of other computers on this computer's clock too.

        Parameters
        ----------
        timeout_s : float
            The longest time to wait, seconds.

        Returns
        -------
        list of Marker
            ``Marker.source`` is the uid of the stream from which it came; empty where no marker came in time.
        """
        end = time.monotonic() + timeout_s
        while True:
            found = self._take()
            left_s = end - time.monotonic()
            if found or left_s <= 0:
                return found
            self._came.wait(min(left_s, HELD_S) if self._held else left_s)

    def close(self) -> None:
        """Unsubscribe. May be called twice."""
        self._streams.close()
        self._watcher.close()
        for inlet in self._inlets.values():
            inlet.close()
        self._inlets.clear()
        self._numbers.clear()

    @property
    def _held(self) -> bool:
        """Whether something came that was not given out yet."""
        return any(inlet.held for inlet in self._inlets.values())

    def _take(self) -> list[Marker]:
        """What the streams have; those that are lost are opened again."""
        if not self._came.is_set() and not self._held:
            return []
        self._came.clear()
        self._join()
        found: list[Marker] = []
        for number, inlet in tuple(self._inlets.items()):
            try:
                found += inlet.pull_markers(0.0)
            except StreamError:
                self._leave(number, inlet)
        return found

    def _join(self) -> None:
        """Read what has been connected."""
        for joined in self._streams.opened():
            self._connections += 1
            self._inlets[self._connections] = joined.inlet
            self._numbers[joined.found.uid] = self._connections

    def _leave(self, number: int, inlet: LslMarkerInlet) -> None:
        """A connection has broken, and all that came through it was read."""
        del self._inlets[number]
        if self._numbers.get(inlet.found.uid) == number:
            del self._numbers[inlet.found.uid]
        self._streams.hurry()
        inlet.close()
