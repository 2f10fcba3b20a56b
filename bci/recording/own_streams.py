"""Find out which of the streams with a session's names really belong to the session.

Names and identifiers of streams are no secret, so anybody may put a stream of the same ones on the network. Every outlet also
has a ``uid`` that liblsl makes anew, and the programs of a session tell each other theirs through a channel of their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from bci.recording.recorded_stream import RateLimit
from bci.stream.lsl.discovery import FoundStream
from bci.stream.stream_query import StreamQuery

CONTROL = "BCI-Control"
_OWN = re.compile(r"(?P<name>.+)-control-(?P<session>[^-]+)")
MESSAGES_A_SECOND = 20.0
"""Of each other sender, so that a flood fills no disk: more than any window sends."""


class OwnStreams:
    """Tell a session's own streams from others with the same names, once the session has told which they are.

    Parameters
    ----------
    queries : sequence of StreamQuery
        What is recorded; the session's own are those of one ``source_id`` each, ``NAME-what-SESSION``, of which
        ``NAME-control-SESSION`` is one.
    tell : callable
        Receives one line for each stranger.
    """

    def __init__(self, queries: Sequence[StreamQuery], tell: Callable[[str], object] = lambda _: None) -> None:
        asked = [query.source_id for query in queries if query.source_id]
        own = [match for text in asked if (match := _OWN.fullmatch(text))]
        self._ids = {
            text for m in own for text in asked if text.startswith(f"{m['name']}-") and text.endswith(f"-{m['session']}")
        }
        self._tell = tell
        self._ours: set[str] | None = None
        self._strangers: set[str] = set()

    def add(self, uids: Iterable[str]) -> None:
        """Add streams that are the session's own; from the first call on, no other stream with its names is.

        Parameters
        ----------
        uids : iterable of str
            Of the streams.
        """
        self._ours = (self._ours or set()) | set(uids)

    def refuses(self, stream: FoundStream) -> bool:
        """Tell whether a stream only pretends to be one of the session's.

        Parameters
        ----------
        stream : FoundStream

        Returns
        -------
        bool
        """
        if self._ours is None or stream.uid in self._ours or stream.source_id not in self._ids:
            return False
        if stream.uid not in self._strangers:
            self._strangers.add(stream.uid)
            self._tell(
                f"{stream} does not belong to this session, although it has the source_id of one of the session's streams; it is "
                f"not recorded ({len(self._strangers)} such streams so far)"
            )
        return True

    def speaks_last(self, stream: FoundStream) -> bool:
        """Tell whether a stream belongs to a process that ends before its recorder; ``bci run`` itself does not.

        Parameters
        ----------
        stream : FoundStream

        Returns
        -------
        bool
        """
        return self._ours is not None and stream.uid in self._ours and stream.type != CONTROL

    def limit(self, stream: FoundStream) -> RateLimit | None:
        """How much of a stream is recorded.

        Control messages of others are limited, so that a flood of them cannot fill the disk.

        Parameters
        ----------
        stream : FoundStream

        Returns
        -------
        RateLimit or None
            None where all of it is recorded.
        """
        ours = self._ours is not None and stream.uid in self._ours
        return RateLimit(MESSAGES_A_SECOND) if stream.type == CONTROL and not ours else None
