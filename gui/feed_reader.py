"""Reads the streams of a session into a :class:`~gui.feed.Feed`, and never waits.

Finding and connecting is :class:`~gui.stream_connector.StreamConnector`'s, in other threads.
"""

from __future__ import annotations

import queue

import numpy as np

from bci.engine.chunk import FloatArray
from bci.engine.stream_info import StreamInfo
from bci.errors import BciError, StreamError
from bci.stream.lsl import FoundStream, LslSignalInlet
from bci.stream.montage import Montage
from gui.feed import KEPT, Feed
from gui.history import Past, growing, tail
from gui.past import prepend
from gui.plausible_rows import sensible_times
from gui.session_messages import hear
from gui.session_rows import begin_rows, take_rows
from gui.store import SignalStore
from gui.stream_choice import is_wanted, session_to_show
from gui.stream_connector import ConnectedInlet, StreamConnector
from gui.stream_types import ROWS, TEXTS

RETRY_S = 3.0
FORGET_S = 5.0
CONNECTING_S = 3600.0
"""A stream that is being connected is not asked for again: it is connected, or fails, before."""


class FeedReader:
    """Follows a session: connects its streams, reads them, and reads its past.

    Parameters
    ----------
    feed : Feed
        Is filled by :meth:`update`, in the thread that calls it.
    host : str
        Machine whose streams are shown; empty: this one; ``"*"``: any.
    montage : Montage, optional
        What the signal leaves out.
    """

    def __init__(self, feed: Feed, host: str = "", montage: Montage | None = None) -> None:
        self._feed = feed
        self._connector = StreamConnector(host, montage)
        self._inlets: dict[str, ConnectedInlet] = {}
        self._asked: dict[str, float] = {}
        self._seen: dict[str, tuple[float, FoundStream]] = {}
        self.pasts: queue.SimpleQueue[tuple[str, list[Past]]] = queue.SimpleQueue()
        self._past_of: str | None = None

    def update(self) -> None:
        """Take all data that have arrived. Never waits."""
        feed = self._feed
        now = feed.now()
        feed.streams = self._in_reach(now)
        self._leave_other_signal()
        self._follow_session()
        if feed.session.id and not feed.signing.own and now - feed.signing.asked_s > RETRY_S:
            feed.signing.look_for(feed.session.id)
        self._ask_for_streams(now)
        for connected in self._connector.connected():
            self._take_in(connected)
        for connected in tuple(self._inlets.values()):
            self._pull(connected, now)
        self._take_past()

    def close(self) -> None:
        """Unsubscribe from everything. May be called twice."""
        self._connector.close()
        for uid in tuple(self._inlets):
            self._leave(uid)

    # --- which streams

    def _in_reach(self, now: float) -> tuple[FoundStream, ...]:
        """Streams that answered lately, or that are being read: on a busy computer not every question is answered."""
        for stream in self._connector.found:
            self._seen[stream.uid] = (now, stream)
        self._seen = {uid: seen for uid, seen in self._seen.items() if now - seen[0] < FORGET_S or uid in self._inlets}
        self._asked = {uid: at for uid, at in self._asked.items() if uid in self._seen or at > now + FORGET_S}
        return tuple(sorted((s for _, s in self._seen.values()), key=lambda s: (s.host, s.name, s.source_id)))

    def _leave_other_signal(self) -> None:
        """Another signal was chosen: the one that was shown is read no longer."""
        shown, chosen = self._feed.signal_stream, self._feed.chosen
        if chosen and shown is not None and shown.uid != chosen and any(s.uid == chosen for s in self._feed.streams):
            self._leave(shown.uid)

    def _follow_session(self) -> None:
        """Show the session that is to be shown, from its beginning."""
        feed = self._feed
        shown, others = session_to_show(feed)
        if shown and shown != feed.session.id:
            for uid, connected in tuple(self._inlets.items()):
                if connected.found.type in ROWS or connected.found.type in TEXTS:
                    self._leave(uid)
            feed.begin_session(shown)
            self._past_of = None
            feed.say("info", "window", f"now showing session {shown}")
        self._tell_others(others)

    def _tell_others(self, others: tuple[str, ...]) -> None:
        """Write once into the log that there are further sessions of this name."""
        feed = self._feed
        if others and others != feed.others:
            text = f"There are further sessions called {feed.name} ({', '.join(others[:4])}). "
            text += f"This window shows and steers only {feed.session.id}; --session opens it for another one. A stop stops all."
            feed.say("warn", "window", text)
        feed.others = others

    def _ask_for_streams(self, now: float) -> None:
        """Have the streams connected that are wanted."""
        for stream in self._feed.streams:
            ready = stream.uid not in self._inlets and now >= self._asked.get(stream.uid, 0.0)
            if ready and is_wanted(stream, self._feed):
                self._asked[stream.uid] = now + CONNECTING_S
                self._connector.want(stream)
        for found, why in self._connector.failed():
            self._asked[found.uid] = now + RETRY_S
            self._feed.say("warn", found.name, why)

    # --- joining and leaving

    def _take_in(self, connected: ConnectedInlet) -> None:
        """A stream is connected: make room for what it brings."""
        feed, found = self._feed, connected.found
        if not is_wanted(found, feed) and not (connected.info is not None and feed.chosen in ("", found.uid)):
            connected.inlet.close()
            self._asked.pop(found.uid, None)
            return
        try:
            require_format(connected)
            if connected.info is not None:
                self._begin_signal(connected, connected.info)
            elif found.type in ROWS:
                begin_rows(feed, found, connected.inlet.header_xml)
        except (StreamError, ValueError) as error:
            connected.inlet.close()
            feed.say("bad", found.name, f"This stream is not shown: {error}")
            return
        self._inlets[found.uid] = connected
        feed.connected.add(found.uid)
        feed.say("info", found.name, "connected")
        if found.type == "BCI-Outcome" and feed.place is not None:
            self._ask_for_past(found.source_id)

    def _begin_signal(self, connected: ConnectedInlet, info: StreamInfo) -> None:
        """Show this signal; one that comes back continues in the same store."""
        feed, found = self._feed, connected.found
        same = feed.signal is not None and layout(feed.signal.info) == layout(info)
        back = same and feed.signal_stream is not None and feed.signal_stream.source_id == found.source_id
        if not back:
            feed.signal = SignalStore(info, connected.offset_s)
        feed.signal_stream = found
        if feed.place is not None and feed.place.is_file():
            self._ask_for_past(found.source_id)

    def _leave(self, uid: str) -> None:
        connected = self._inlets.pop(uid, None)
        self._feed.connected.discard(uid)
        self._asked.pop(uid, None)
        if connected is not None:
            connected.inlet.close()

    # --- reading

    def _pull(self, connected: ConnectedInlet, now: float) -> None:
        """Take what one stream has brought; a stream that is gone is asked for again while it is announced."""
        feed, found, inlet = self._feed, connected.found, connected.inlet
        try:
            if isinstance(inlet, LslSignalInlet):
                chunk = inlet.pull(0.0)
                if chunk is not None and feed.signal is not None:
                    feed.signal.push(chunk, now)
                return
            pulled = inlet.pull(0.0)
        except StreamError as error:
            self._leave(found.uid)
            self._seen.pop(found.uid, None)
            feed.say("warn", found.name, f"The stream has ended: {error}")
            return
        if pulled is not None:
            values, stamps = pulled
            self._hand_on(found, values, sensible_times(stamps + connected.offset_s, now))

    def _hand_on(self, found: FoundStream, values: FloatArray | list[list[str]], stamps: FloatArray) -> None:
        """Rows go to their table, texts to what understands them."""
        if found.type in ROWS and not isinstance(values, list):
            take_rows(self._feed, found, np.asarray(values, np.float64), stamps)
            return
        for row, stamp in zip(values[-KEPT:], stamps[-KEPT:].tolist(), strict=True):
            text = row[0] if isinstance(row[0], str) else f"{row[0]:.15g}"
            hear(self._feed, found.type, found.name, text, stamp)

    # --- the past

    def _ask_for_past(self, source_id: str) -> None:
        """Have the past of this session read, once, in another thread."""
        feed, id_ = self._feed, self._feed.session.id
        if self._past_of == id_:
            return
        self._past_of = id_
        place = feed.place

        def look() -> None:
            path = place if place is None or place.is_file() else growing(place, source_id)
            if path is None:
                return
            try:
                self.pasts.put((id_, tail(path)))
                feed.recording = path
            except (BciError, OSError):
                return  # it is being written, or gone: the window shows what comes from now on

        self._connector.do(look)

    def _take_past(self) -> None:
        """Put what was read in front of what came live."""
        feed = self._feed
        while not self.pasts.empty():
            id_, pasts = self.pasts.get()
            if id_ == feed.session.id:
                for past in pasts:
                    prepend(feed, past)
                feed.generation += 1
                feed.say("info", "window", f"The past was read from {feed.recording}")


def layout(info: StreamInfo) -> tuple[float, tuple[str, ...]]:
    """Rate and labels: signals that agree in both can be shown one after the other.

    Parameters
    ----------
    info : StreamInfo
    """
    return info.rate_hz, info.labels


def require_format(connected: ConnectedInlet) -> None:
    """Refuse a stream of another format than its type has.

    Parameters
    ----------
    connected : ConnectedInlet

    Raises
    ------
    StreamError
    """
    found = connected.found
    texts = found.channel_format == "string"
    if (found.type in ROWS and texts) or (found.type in TEXTS and not texts):
        raise StreamError(f"{found.type} of format {found.channel_format}; see docs/reference/streams.md")
    if connected.info is not None and found.type in ROWS:
        raise StreamError(f"{found.type} declares a rate; see docs/reference/streams.md")
