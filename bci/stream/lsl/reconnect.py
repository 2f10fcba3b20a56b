"""After a loss: look for the same stream, and take it only if it is still the same."""

from __future__ import annotations

import time
from functools import partial

from bci.engine.stream_info import StreamInfo, canonical
from bci.errors import StreamMismatch
from bci.stream.lsl.discovery import FoundStream
from bci.stream.lsl.open_streams import OpenStreams
from bci.stream.lsl.signal_inlet import LslSignalInlet
from bci.stream.lsl.watcher import Watcher
from bci.stream.montage import Montage
from bci.stream.stream_query import StreamQuery

SAME_S = 0.5
"""A recorder whose connection broke at the same moment has it again after so long."""


def describe(info: StreamInfo) -> str:
    """Describe the rate and the layout of a stream in a few words.

    Parameters
    ----------
    info : StreamInfo

    Returns
    -------
    str

    Examples
    --------
    >>> from bci.engine.stream_info import Channel
    >>> describe(StreamInfo(250.0, tuple(Channel(x) for x in ("C3", "Cz", "C4", "Pz"))))
    '250 Hz, 4 channels C3, Cz, C4, …'
    """
    more = ", …" if len(info.labels) > 3 else ""
    return f"{info.rate_hz:g} Hz, {len(info.channels)} channels {', '.join(info.labels[:3])}{more}"


def require_same(expected: StreamInfo, found: StreamInfo, who: str = "the session") -> None:
    """Refuse a stream that is not the one the session began with.

    Parameters
    ----------
    expected, found : StreamInfo
    who : str
        Who expects it, for the message.

    Raises
    ------
    StreamMismatch
        Names every field that differs.
    """
    different = []
    if found.rate_hz != expected.rate_hz:
        different.append(f"stream has {found.rate_hz:g} Hz")
    if len(found.channels) != len(expected.channels):
        different.append(f"stream has {len(found.channels)} channels")
    pairs = list(zip(expected.channels, found.channels, strict=False))
    renamed = [f"{a.label} is now {b.label}" for a, b in pairs if canonical(a.label) != canonical(b.label)]
    if renamed:
        different.append(f"labels differ: {', '.join(renamed[:4])}{', …' if len(renamed) > 4 else ''}")
    units = [f"{a.label} was {a.unit or 'without unit'}, is {b.unit or 'without unit'}" for a, b in pairs if a.unit != b.unit]
    if units:
        different.append(f"units differ: {', '.join(units[:4])}{', …' if len(units) > 4 else ''}")
    types = [f"{a.label} was {a.type}, is {b.type}" for a, b in pairs if a.type != b.type]
    if types:
        different.append(f"types differ: {', '.join(types[:4])}{', …' if len(types) > 4 else ''}")
    if different:
        raise StreamMismatch(
            f"{who} expects {describe(expected)}; {'; '.join(different)} (stream {found.name!r}, source_id {found.source_id!r}). "
            "Set the device back, or start a new session."
        )


class Reopen:
    """Finds a lost stream again, without making the caller wait.

    The same run of its sender, whose connection broke, is known by its ``uid``; a sender that was begun again by its source_id.

    Parameters
    ----------
    expected : StreamInfo
        The stream as the session began with it.
    host : str
        As in :class:`StreamQuery`.
    montage : Montage, optional
        What the stream leaves out.
    timeout_s : float
        Time allowed for one connection.
    settle_s : float
        Leave it this long after it was first seen, so that a recorder has it before any other reader.
    uid : str
        Of the stream as the session began with it; empty where it is not known.

    Attributes
    ----------
    possible : bool
        False for a stream without source_id and uid: it cannot be told from another one, so it is never taken back.
    """

    def __init__(
        self,
        expected: StreamInfo,
        host: str = "",
        montage: Montage | None = None,
        timeout_s: float = 1.0,
        settle_s: float = 0.0,
        uid: str = "",
    ) -> None:
        self.possible = bool(expected.source_id or uid)
        self._expected, self._montage, self._timeout_s, self._uid = expected, montage, timeout_s, uid
        by_id = StreamQuery(source_id=expected.source_id, host=host)
        self._query = by_id if expected.source_id else StreamQuery(name=expected.name, host=host)
        self._watcher: Watcher | None = None
        self._streams: OpenStreams[LslSignalInlet] | None = None
        self._settle_s, self._seen, self._since = settle_s, "", 0.0

    def __call__(self) -> LslSignalInlet | None:
        """An inlet of the same stream, or None while it is not there (or there are two of it).

        Raises
        ------
        StreamMismatch
            If what came back differs in rate, channel count, labels, types or units.
        """
        if not self.possible:
            return None
        if self._watcher is None or self._streams is None:
            self._watcher = Watcher(self._query)
            self._streams = OpenStreams(partial(self._the_one, self._watcher), lambda _: True, self._connect)
        for _, error in self._streams.failed():
            if isinstance(error, StreamMismatch):
                raise error
        there = self._the_one(self._watcher)
        for joined in self._streams.opened():
            if joined.found not in there:  # another one has come meanwhile
                joined.inlet.close()
                continue
            self.close()
            self._uid = joined.found.uid
            return joined.inlet
        return None

    def close(self) -> None:
        """Stop looking. May be called twice."""
        if self._streams is not None:
            self._streams.close()
        if self._watcher is not None:
            self._watcher.close()
        self._streams, self._watcher, self._seen = None, None, ""

    def _the_one(self, watcher: Watcher) -> list[FoundStream]:
        """The stream that is meant, once it has been there for long enough."""
        found = watcher.found()
        same = [stream for stream in found if stream.uid == self._uid]
        if not same and (len(found) != 1 or not self._expected.source_id):
            return []
        stream = (same or found)[0]
        if stream.uid != self._seen:
            self._seen, self._since = stream.uid, time.monotonic()
        settle_s = min(SAME_S, self._settle_s) if same else self._settle_s
        return [stream] if time.monotonic() - self._since >= settle_s else []

    def _connect(self, found: FoundStream) -> LslSignalInlet:
        inlet = LslSignalInlet(found, self._montage, timeout_s=self._timeout_s)
        try:
            require_same(self._expected, inlet.info)
        except StreamMismatch:
            inlet.close()
            raise
        return inlet
