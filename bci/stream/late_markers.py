"""Texts from every stream that matches, whenever it appears: control messages and cues.

Programs that send cues or control messages come and go while the engine runs, and there may be several.
Looking for them, connecting and reading happen in a thread of its own, so that the loop only ever
empties a queue.
"""

from __future__ import annotations

import queue
import threading

from bci.errors import StreamError
from bci.stream.bus import Marker
from bci.stream.discovery import FoundStream, Watcher, is_signal, meant
from bci.stream.lsl_inlet import LslMarkerInlet
from bci.stream.stream_query import StreamQuery

LOOK_S = 0.25


class LateMarkers:
    """All marker streams that match a query (protocols :class:`~bci.stream.bus.MarkerInlet`, ``CueInlet``).

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
        self._hold_s = hold_s
        self._query = query
        self._watcher = watcher or Watcher(query)
        self._texts: queue.SimpleQueue[Marker] = queue.SimpleQueue()
        self._inlets: dict[str, LslMarkerInlet] = {}
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._read, name=f"markers: {query}", daemon=True)
        self._thread.start()

    @property
    def streams(self) -> int:
        """How many streams are being read."""
        return len(self._inlets)

    def pull(self, timeout_s: float) -> list[tuple[str, float]]:
        """Texts at hand with their raw stamps; empty where none came in time."""
        return [(marker.row[0], marker.stamp) for marker in self.pull_markers(timeout_s)]

    def pull_markers(self, timeout_s: float) -> list[Marker]:
        """Markers at hand, those of other computers on this one's clock too; empty where none came in time."""
        found = []
        try:
            if timeout_s > 0:
                found.append(self._texts.get(timeout=timeout_s))
            while not self._texts.empty():
                found.append(self._texts.get_nowait())
        except queue.Empty:
            pass
        return found

    def close(self) -> None:
        """Unsubscribe. May be called twice."""
        self._closing.set()
        self._thread.join()

    def _read(self) -> None:
        """Look for new streams, and wait on the known ones in between."""
        gone: set[str] = set()
        while not self._closing.is_set():
            for found in self._watcher.found():
                known = found.uid in self._inlets or found.uid in gone
                if not known and meant(self._query, found) and not is_signal(found):
                    self._open(found)
            if not self._inlets:
                self._closing.wait(LOOK_S)
            share_s = LOOK_S / max(1, len(self._inlets))
            for uid, inlet in list(self._inlets.items()):
                if not self._take(inlet, share_s):
                    gone.add(uid)
                    self._inlets.pop(uid).close()
        for inlet in self._inlets.values():
            inlet.close()
        self._inlets.clear()
        self._watcher.close()

    def _open(self, found: FoundStream) -> None:
        """Connect; a stream that does not answer is tried again at the next look."""
        try:
            self._inlets[found.uid] = LslMarkerInlet(found)
        except StreamError:
            return

    def _take(self, inlet: LslMarkerInlet, timeout_s: float) -> bool:
        """Queue what one stream has; False where it is gone."""
        try:
            for item in inlet.pull_markers(timeout_s, self._hold_s):
                self._texts.put(item)
        except StreamError:
            return False
        return True
