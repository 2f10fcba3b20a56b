"""The engine's streams that a view shows, connected as long as they are there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy.typing as npt

from bci.errors import StreamError
from bci.stream.lsl import FoundStream, LslRawInlet, StreamQuery, Watcher
from bci.stream.lsl.open_streams import OpenStreams

CONNECT_S = 1.0


class ViewStreams:
    """Reads some streams, one of each short name. Connects in threads: least of all a person who wants to stop waits for it.

    Ports through which streams are looked for are few, so this looks only while one is missing.

    Parameters
    ----------
    queries : mapping of str to StreamQuery
        By short name; each of one ``source_id``.
    uids : callable
        What tells the session's own streams from others, by short name, as far as it is known.

    Attributes
    ----------
    strangers : int
        Streams that could not be read.
    """

    def __init__(self, queries: Mapping[str, StreamQuery], uids: Callable[[], Mapping[str, str]]) -> None:
        self._queries, self._uids = dict(queries), uids
        self._names = {query.source_id: what for what, query in queries.items()}
        self._missing = set(queries)
        self._inlets: dict[str, LslRawInlet] = {}
        self._watcher: Watcher | None = Watcher(*self._queries.values())
        self._streams = OpenStreams(self._in_reach, self._wants, lambda found: LslRawInlet(found, timeout_s=CONNECT_S))
        self.strangers = 0

    @property
    def complete(self) -> bool:
        """Whether none is missing."""
        return not self._missing

    def pull(self, what: str) -> npt.NDArray[Any] | list[list[str]] | None:
        """What has come on a stream: rows, in its own format. None where nothing has; a broken connection is made again."""
        self._join()
        if what not in self._inlets:
            return None
        try:
            pulled = self._inlets[what].pull(0.0)
        except StreamError:
            self.leave(what)
            self._missing.add(what)
            self._watcher = self._watcher or Watcher(*self._queries.values())
            self._streams.hurry()
            return None
        return pulled[0] if pulled is not None else None

    def leave(self, what: str) -> None:
        """Read a stream no longer."""
        self._inlets.pop(what).close()

    def close(self) -> None:
        """Unsubscribe. May be called twice."""
        self._streams.close()
        self._look_no_more()
        for what in tuple(self._inlets):
            self.leave(what)

    def _in_reach(self) -> list[FoundStream]:
        watcher = self._watcher
        return watcher.found() if watcher is not None else []

    def _wants(self, found: FoundStream) -> bool:
        what = self._names.get(found.source_id, "")
        return what in self._missing and self._uids().get(what, found.uid) == found.uid

    def _join(self) -> None:
        """Take what has been connected."""
        self.strangers += len(self._streams.failed())
        for joined in self._streams.opened():
            what = self._names[joined.found.source_id]
            if what not in self._missing:  # another one of the same name was quicker
                joined.inlet.close()
                continue
            self._missing.remove(what)
            self._inlets[what] = joined.inlet
        if not self._missing:
            self._look_no_more()

    def _look_no_more(self) -> None:
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.close()
