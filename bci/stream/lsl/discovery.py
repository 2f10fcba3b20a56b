"""Find the one stream that a query means, or report what was searched for and what was seen."""

from __future__ import annotations

import shlex
import string
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bci.errors import StreamAmbiguous, StreamMismatch, StreamNotFound
from bci.stream.lsl import liblsl
from bci.stream.lsl_config import port_hint
from bci.stream.markers.streams import is_markers
from bci.stream.stream_query import Identity, StreamQuery, folded, rather_eeg, told_apart

SETTLE_S = 0.75  # liblsl asks again every 0.5 s, and of several senders on one machine only one hears the first call


@dataclass(frozen=True, slots=True)
class FoundStream:
    """A stream that answered.

    Parameters
    ----------
    name, type, source_id, host, uid : str
        As the sender declares them; ``uid`` is new each time it starts.
    rate_hz : float
    n_channels : int
    channel_format : str
    handle : object
        What liblsl needs to connect.
    """

    name: str
    type: str
    source_id: str
    host: str
    uid: str
    rate_hz: float
    n_channels: int
    channel_format: str
    handle: Any = field(repr=False, compare=False)

    @property
    def identity(self) -> Identity:
        """Name, type, source_id and host, which queries compare."""
        return Identity(self.name, self.type, self.source_id, self.host)

    def __str__(self) -> str:
        identity = f"source_id {self.source_id!r}" if self.source_id else "without source_id"
        return (
            f"{self.name!r} (type {self.type!r}, {self.n_channels} channels, {self.rate_hz:g} Hz, {identity}, on {self.host!r})"
        )


def predicate(query: StreamQuery) -> str:
    """Turn a query into an XPath 1.0 predicate on the stream's header, made of escaped literals.

    Parameters
    ----------
    query : StreamQuery

    Returns
    -------
    str
    """
    terms = [f"{k}={xpath_literal(v)}" for k, v in (("name", query.name), ("source_id", query.source_id)) if v]
    if query.type:
        terms.append(_type_is(query.type))
    if query.anything:
        literal = xpath_literal(query.anything)
        terms.append(f"(name={literal} or source_id={literal} or {_type_is(query.anything)})")
    if query.host != "*":
        terms.append(f"hostname={xpath_literal(query.host or liblsl.this_host())}")
    return " and ".join(terms) or "true()"


def _type_is(type_: str) -> str:
    """The type, without regard to the case of its ASCII letters."""
    wanted = folded(type_)
    lower = "".join(sorted({c for c in wanted if c in string.ascii_lowercase}))
    return f"translate(type,'{lower.upper()}','{lower}')={xpath_literal(wanted)}"


def xpath_literal(text: str) -> str:
    r"""Write a text as an XPath 1.0 literal.

    A text with both kinds of quotes needs ``concat``, because XPath 1.0 has no escapes.

    Parameters
    ----------
    text : str

    Returns
    -------
    str

    Examples
    --------
    >>> xpath_literal("it's")
    '"it\'s"'
    """
    if "'" not in text:
        return f"'{text}'"
    if '"' not in text:
        return f'"{text}"'
    parts = ', "\'", '.join(f"'{part}'" for part in text.split("'"))
    return f"concat({parts})"


def list_streams(wait_s: float = 1.0, host: str = "*") -> list[FoundStream]:
    """List all streams that answer.

    Parameters
    ----------
    wait_s : float
        How long answers are waited for, seconds.
    host : str
        Name of a computer; ``"*"`` for all.

    Returns
    -------
    list of FoundStream
        Sorted by host, name and source_id.
    """
    host = host or liblsl.this_host()
    seen = [identified(h) for h in liblsl.resolve_all(wait_s)]
    return sorted((s for s in seen if host in ("*", s.host)), key=lambda s: (s.host, s.name, s.source_id))


def resolve(query: StreamQuery, timeout_s: float = 5.0, settle_s: float = SETTLE_S, eeg: bool = False) -> FoundStream:
    """The one stream that matches.

    Parameters
    ----------
    query : StreamQuery
    timeout_s : float
        Wait this long for a first answer.
    settle_s : float
        Go on listening this long after the first answer, for a second one that would make it ambiguous;
        0: take the first.
    eeg : bool
        EEG is wanted: of several that match, signals are meant and not markers, and those of type EEG where there are any.

    Raises
    ------
    StreamNotFound
        Says what was searched and what was seen.
    StreamAmbiguous
        Lists the streams that match.
    """
    return the_one(query, find(query, timeout_s, settle_s), timeout_s, eeg)


def the_one(query: StreamQuery, found: Sequence[FoundStream], timeout_s: float, eeg: bool = False) -> FoundStream:
    """Choose the one stream that a query means (see :func:`resolve`).

    Parameters
    ----------
    query : StreamQuery
    found : sequence of FoundStream
        The streams that matched.
    timeout_s : float
        How long they were looked for, seconds; for the message.
    eeg : bool
        Whether streams of type EEG are preferred.

    Returns
    -------
    FoundStream

    Raises
    ------
    StreamNotFound
        If there is none.
    StreamAmbiguous
        If there are several.
    """
    if eeg and len(found) > 1:
        signals = [s for s in found if not is_markers(s.type, s.channel_format, s.rate_hz, s.n_channels)]
        found = signals or found
        found = [found[i] for i in rather_eeg([s.identity for s in found])]
    if not found:
        raise not_found([query], timeout_s)
    if len(found) > 1:
        raise StreamAmbiguous(f"{len(found)} streams match {query}; say which one is meant:{listing(found)}")
    return found[0]


def markers_among(query: StreamQuery, found: Sequence[FoundStream], timeout_s: float, without: bool = True) -> list[FoundStream]:
    """The marker streams of those that were found for a query; there may be several.

    Parameters
    ----------
    query : StreamQuery
    found : sequence of FoundStream
    timeout_s : float
        How long was waited.
    without : bool
        Whether the command can go on without them, for the message.

    Raises
    ------
    StreamNotFound
    StreamMismatch
        If all that was found are signals.
    """
    if not found:
        raise not_found([query], timeout_s, "without" if without else "")
    markers = [s for s in found if not is_signal(s)]
    if not markers:
        raise StreamMismatch(
            f"{found[0]} is a signal, but it was named ({query.words()}) as the stream of the markers. Name the one that sends "
            "markers (bci streams lists them); a trigger channel of the amplifier gives cues without being named."
        )
    return markers


def is_signal(stream: FoundStream) -> bool:
    """Tell whether a stream has a sampling rate and is not declared as markers.

    Parameters
    ----------
    stream : FoundStream

    Returns
    -------
    bool
    """
    return stream.rate_hz > 0 and not is_markers(stream.type, stream.channel_format, stream.rate_hz, stream.n_channels)


def not_found(queries: Sequence[StreamQuery], timeout_s: float, option: str = "") -> StreamNotFound:
    """Make the error for requested streams that were not found.

    Parameters
    ----------
    queries : sequence of StreamQuery
    timeout_s : float
        How long was waited.
    option : str
        With which the command goes on all the same; empty where there is none.
    """
    ours = any("bci" in query.words().lower() for query in queries)
    seen = [s for s in list_streams(2 * SETTLE_S) if ours or not s.type.startswith("BCI-")]
    wanted = " and no stream with ".join(map(str, queries))
    words = " ".join(f"--{option} {shlex.quote(query.words())}" for query in queries)
    go_on = f"\nTo start without it, and use it as soon as it appears: {words}" if option else ""
    return StreamNotFound(
        f"no stream with {wanted} within {timeout_s:g} s; seen on the network:{listing(seen) or ' nothing'}\n"
        f"Start the sender, or name another stream (bci streams lists them).{go_on}{port_hint()}"
    )


def find_each(
    queries: Sequence[StreamQuery], timeout_s: float, settle_s: float = SETTLE_S, stopped: Callable[[], str] = lambda: ""
) -> list[list[FoundStream]]:
    """For each query the streams that match: waits until each has one, at most ``timeout_s``; at least ``settle_s``.

    Parameters
    ----------
    queries : sequence of StreamQuery
    timeout_s, settle_s : float
    stopped : callable
        Why to look no longer, or ""; asked each ``settle_s``.

    Raises
    ------
    KeyboardInterrupt
        If ``stopped`` says so.
    """
    path = " or ".join(f"({predicate(query)})" for query in queries)
    end = time.monotonic() + timeout_s
    while True:
        seen = sorted((identified(h) for h in liblsl.resolve(path, 1024, settle_s)), key=lambda s: (s.host, s.name, s.source_id))
        found = [[s for s in seen if meant(query, s)] for query in queries]
        if stopped():
            raise KeyboardInterrupt
        if all(found) or time.monotonic() >= end:
            return found


def meant(query: StreamQuery, found: FoundStream) -> bool:
    """Tell whether a query means a stream that was found; a query without a host means this computer.

    Parameters
    ----------
    query : StreamQuery
    found : FoundStream

    Returns
    -------
    bool
    """
    here = query.host or liblsl.this_host()
    return replace(query, host=here).matches(found.name, found.type, found.source_id, found.host)


def find(query: StreamQuery, timeout_s: float, settle_s: float = SETTLE_S) -> list[FoundStream]:
    """Find all streams that match.

    Parameters
    ----------
    query : StreamQuery
    timeout_s : float
        How long the first one is waited for, seconds.
    settle_s : float
        How long further ones are waited for afterwards, seconds.

    Returns
    -------
    list of FoundStream
    """
    path = predicate(query)
    handles = liblsl.resolve(path, 1, timeout_s)
    if handles and settle_s > 0:
        handles = liblsl.resolve(path, 1024, settle_s) or handles
    return sorted((identified(h) for h in handles), key=lambda s: (s.host, s.name, s.source_id))


def listing(found: Sequence[FoundStream]) -> str:
    """List streams for a message, a line each, with the query that means each of them and no other.

    Parameters
    ----------
    found : sequence of FoundStream

    Returns
    -------
    str
    """
    queries = told_apart([s.identity for s in found])
    return "".join(f"\n  {query or 'not different from another one'}: {s}" for query, s in zip(queries, found, strict=True))


def identified(handle: Any) -> FoundStream:
    """Read the identity of a stream that answered.

    Parameters
    ----------
    handle : pylsl.StreamInfo

    Returns
    -------
    FoundStream
    """
    return FoundStream(
        name=handle.name(),
        type=handle.type(),
        source_id=handle.source_id(),
        host=handle.hostname(),
        uid=handle.uid(),
        rate_hz=handle.nominal_srate(),
        n_channels=handle.channel_count(),
        channel_format=liblsl.format_of(handle),
        handle=handle,
    )
