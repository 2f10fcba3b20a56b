"""The past of a session, read from its recording, put in front of what came live."""

from __future__ import annotations

import math
from collections import deque

from gui.feed import KEPT, Feed
from gui.history import Past
from gui.plausible_rows import sensible_rows, sensible_times
from gui.sanitise import sanitise
from gui.session_messages import hear
from gui.store import RowStore
from gui.stream_state import ShownMarker
from gui.stream_types import ROWS


def prepend(feed: Feed, past: Past) -> None:
    """Put one recorded stream in front of what came live.

    Parameters
    ----------
    feed : Feed
    past : Past
    """
    type_ = past.info.type
    if isinstance(past.values, list):
        stamps = past.stamps.tolist()
        if type_ == "Markers":
            prepend_markers(feed, past.info.name, past.values, stamps)
        elif type_ == "BCI-Event":
            prepend_events(feed, past.info.name, past.values, stamps)
    elif type_ in ROWS:
        store: RowStore | None = getattr(feed, ROWS[type_])
        if store is not None and past.values.shape[1] == len(store.names):
            good = sensible_rows(store.names, past.values)
            store.prepend(past.values[good], sensible_times(past.stamps[good], feed.now()))
    elif feed.signal is not None and past.info.source_id == feed.signal.info.source_id:
        feed.signal.prepend(past.values, past.stamps + feed.signal.offset_s)


def prepend_markers(feed: Feed, name: str, texts: list[str], stamps: list[float]) -> None:
    """Put recorded markers of one stream in front of those that came live.

    Parameters
    ----------
    feed : Feed
    name : str
        Name of the stream.
    texts : list of str
    stamps : list of float
        Our LSL clock, seconds.
    """
    first = min((m.time_s for m in feed.markers if m.stream == name), default=math.inf)
    old = [ShownMarker(t, sanitise(x, 60), name) for x, t in zip(texts, stamps, strict=True) if t < first]
    feed.markers = deque(sorted((*old, *feed.markers), key=lambda m: m.time_s), maxlen=KEPT)
    feed.markers_total += len(old)


def prepend_events(feed: Feed, name: str, texts: list[str], stamps: list[float]) -> None:
    """Put recorded events in front of those that came live.

    Parameters
    ----------
    feed : Feed
    name : str
        Name of the stream.
    texts : list of str
    stamps : list of float
        Our LSL clock, seconds.
    """
    first = min((e.at for e in feed.events), default=math.inf)
    live, feed.events = feed.events, deque(maxlen=KEPT)
    for text, stamp in zip(texts, stamps, strict=True):
        if stamp < first:
            hear(feed, "BCI-Event", name, text, stamp)
    feed.events.extend(live)
