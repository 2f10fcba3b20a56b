"""After a loss: look for the same stream, and take it only if it is still the same."""

from __future__ import annotations

import time

from bci.engine.stream_info import StreamInfo, canonical
from bci.errors import StreamLost, StreamMismatch
from bci.stream.discovery import Watcher
from bci.stream.lsl_inlet import LslSignalInlet
from bci.stream.montage import Montage
from bci.stream.stream_query import StreamQuery


def describe(info: StreamInfo) -> str:
    """Rate and layout in a few words.

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
    """Finds a lost stream again by its source_id, without making the caller wait.

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
        Leave it this long after it was first seen, so that a recorder has it before whoever works with it.

    Attributes
    ----------
    possible : bool
        False for a stream without source_id: it cannot be told from another one, so it is never taken back.
    """

    def __init__(
        self,
        expected: StreamInfo,
        host: str = "",
        montage: Montage | None = None,
        timeout_s: float = 1.0,
        settle_s: float = 0.0,
    ) -> None:
        self.possible = bool(expected.source_id)
        self._expected, self._montage, self._timeout_s = expected, montage, timeout_s
        self._query = StreamQuery(source_id=expected.source_id, host=host)
        self._watcher: Watcher | None = None
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
        if self._watcher is None:
            self._watcher = Watcher(self._query)
        found = self._watcher.found()
        if len(found) != 1:
            return None
        if found[0].uid != self._seen:
            self._seen, self._since = found[0].uid, time.monotonic()
        if time.monotonic() - self._since < self._settle_s:
            return None
        try:
            inlet = LslSignalInlet(found[0], self._montage, timeout_s=self._timeout_s)
        except StreamLost:  # it answered the search and died before the connection
            return None
        try:
            require_same(self._expected, inlet.info)
        except StreamMismatch:
            inlet.close()
            raise
        self.close()
        return inlet

    def close(self) -> None:
        """Stop looking. May be called twice."""
        if self._watcher is not None:
            self._watcher.close()
        self._watcher = None
