"""Which streams windows read: those of the session that is shown, markers, and one signal."""

from __future__ import annotations

from bci.stream.lsl import FoundStream
from bci.stream.stream_query import folded
from gui.feed import Feed
from gui.stream_types import HOSTS, ROWS, TEXTS, is_of_host, session_of


def session_to_show(feed: Feed) -> tuple[str, tuple[str, ...]]:
    """Return the session that windows show, and further ones of the same name.

    It is the one that was begun here, else the one that was asked for, else one that is there until nothing of it is left.

    Parameters
    ----------
    feed : Feed

    Returns
    -------
    session : str
        Its identifier; empty if there is none.
    others : tuple of str
    """
    there = {session_of(s, feed.name) for s in feed.streams if s.type == "BCI-State"} - {""}
    any_there = feed.session.id if feed.session.id in there else next(iter(sorted(there)), "")
    shown = feed.begun_here or feed.pinned or any_there
    return shown, tuple(sorted(there - {shown or feed.session.id}))


def is_wanted(stream: FoundStream, feed: Feed) -> bool:
    """Return whether windows read a stream.

    Parameters
    ----------
    stream : FoundStream
    feed : Feed
    """
    if stream.type in HOSTS:
        return is_of_host(stream, feed.name, feed.session.id or feed.pinned)
    if stream.type in ROWS or stream.type in TEXTS:
        # An engine begins once somebody listens to all that it sends, and takes that for the recorder. Windows that are open
        # already must not be taken for it: they listen when it has begun, which its state says.
        begun = stream.type == "BCI-State" or feed.session.state is not None
        return begun and bool(feed.session.id) and session_of(stream, feed.name) == feed.session.id
    if stream.type == "BCI-Control":
        return False
    if stream.rate_hz == 0:
        return stream.type == "Markers" and stream.n_channels == 1
    return is_signal_to_show(stream, feed)


def is_signal_to_show(stream: FoundStream, feed: Feed) -> bool:
    """Return whether this is the signal to show: the chosen one, else the one so far, the engine's, or the only EEG.

    Parameters
    ----------
    stream : FoundStream
    feed : Feed
    """
    if feed.chosen and any(s.uid == feed.chosen for s in feed.streams):
        return stream.uid == feed.chosen
    if feed.signal_stream is not None and feed.joined(feed.signal_stream.uid):
        return False
    source = feed.session.state.source_id if feed.session.state is not None else ""
    if feed.signal_stream is not None and feed.signal_stream.source_id:
        source = feed.signal_stream.source_id
    if source and any(s.source_id == source for s in feed.streams):
        return bool(stream.source_id == source)
    eeg = [s for s in feed.streams if folded(s.type) == "eeg" and s.rate_hz > 0]
    return len(eeg) == 1 and eeg[0].uid == stream.uid
