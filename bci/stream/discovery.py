"""Find the one stream that is meant, or say what was searched and what was seen."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bci.errors import ConfigError, StreamAmbiguous, StreamNotFound
from bci.stream import liblsl

SETTLE_S = 0.75  # liblsl asks again every 0.5 s, and of several senders on one machine only one hears the first call
_KEYS = ("name", "type", "source_id", "host")


@dataclass(frozen=True, slots=True)
class StreamQuery:
    """What is known of the wanted stream; empty fields match anything.

    Parameters
    ----------
    name, type, source_id : str
        Must be equal.
    anything : str
        Must be equal to name, type or source_id.
    host : str
        Name of the machine; empty: this one; ``"*"``: any on the network.
    """

    name: str = ""
    type: str = ""
    source_id: str = ""
    anything: str = ""
    host: str = ""

    @classmethod
    def parse(cls, text: str) -> StreamQuery:
        """From the command line: ``"Muse"`` or ``"type=EEG,host=*"``.

        Raises
        ------
        ConfigError

        >>> StreamQuery.parse("type=EEG,host=*")
        StreamQuery(name='', type='EEG', source_id='', anything='', host='*')
        """
        if text.split("=")[0].strip() not in _KEYS:
            return cls(anything=text.strip())
        fields = [part.partition("=") for part in text.split(",")]
        wrong = [key.strip() for key, equals, _ in fields if key.strip() not in _KEYS or not equals]
        if wrong:
            raise ConfigError(f"stream query {text!r}: {', '.join(wrong)} is none of {', '.join(_KEYS)}; write type=EEG")
        return cls(**{key.strip(): value.strip() for key, _, value in fields})

    def predicate(self) -> str:
        """As an XPath 1.0 predicate on the stream's header, made of escaped literals."""
        terms = [f"{k}={xpath_literal(v)}" for k, v in (("name", self.name), ("type", self.type)) if v]
        if self.source_id:
            terms.append(f"source_id={xpath_literal(self.source_id)}")
        if self.anything:
            literal = xpath_literal(self.anything)
            terms.append(f"(name={literal} or type={literal} or source_id={literal})")
        if self.host != "*":
            terms.append(f"hostname={xpath_literal(self.host or liblsl.this_host())}")
        return " and ".join(terms) or "true()"

    def __str__(self) -> str:
        terms = [f"{k} {v!r}" for k in ("name", "type", "source_id") if (v := getattr(self, k))]
        terms += [f"name, type or source_id {self.anything!r}"] if self.anything else []
        where = {"": "on this machine", "*": "on the network"}.get(self.host, f"on {self.host!r}")
        return f"{' and '.join(terms) or 'any stream'} {where}"


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

    def __str__(self) -> str:
        identity = f"source_id {self.source_id!r}" if self.source_id else "without source_id"
        return (
            f"{self.name!r} (type {self.type!r}, {self.n_channels} channels, {self.rate_hz:g} Hz, {identity}, on {self.host!r})"
        )


def xpath_literal(text: str) -> str:
    """Text as an XPath 1.0 literal; both kinds of quotes need ``concat`` (XPath 1.0 has no escapes).

    >>> xpath_literal("it's")
    '"it\\'s"'
    """
    if "'" not in text:
        return f"'{text}'"
    if '"' not in text:
        return f'"{text}"'
    parts = ', "\'", '.join(f"'{part}'" for part in text.split("'"))
    return f"concat({parts})"


def list_streams(wait_s: float = 1.0, host: str = "*") -> list[FoundStream]:
    """All streams that answer within ``wait_s``, sorted by host, name and source_id."""
    host = host or liblsl.this_host()
    seen = [_found(h) for h in liblsl.resolve_all(wait_s)]
    return sorted((s for s in seen if host in ("*", s.host)), key=lambda s: (s.host, s.name, s.source_id))


def resolve(query: StreamQuery, timeout_s: float = 5.0, settle_s: float = SETTLE_S) -> FoundStream:
    """The one stream that matches.

    Parameters
    ----------
    query : StreamQuery
    timeout_s : float
        Wait this long for a first answer.
    settle_s : float
        Go on listening this long after the first answer, for a second one that would make it ambiguous;
        0: take the first.

    Raises
    ------
    StreamNotFound
        Says what was searched and what was seen.
    StreamAmbiguous
        Lists the streams that match.
    """
    found = find(query, timeout_s, settle_s)
    if not found:
        seen = list_streams(2 * SETTLE_S)
        listing = "".join(f"\n  {s}" for s in seen) or " nothing"
        raise StreamNotFound(
            f"no stream with {query} within {timeout_s:g} s; seen on the network:{listing}\n"
            "Start the sender, or name another stream (bci streams lists them)."
        )
    if len(found) > 1:
        raise StreamAmbiguous(f"{len(found)} streams match {query}; say which one by source_id, name or host:{_listing(found)}")
    return found[0]


def find(query: StreamQuery, timeout_s: float, settle_s: float = SETTLE_S) -> list[FoundStream]:
    """All streams that match: waits ``timeout_s`` for the first and ``settle_s`` for a second."""
    predicate = query.predicate()
    handles = liblsl.resolve(predicate, 1, timeout_s)
    if handles and settle_s > 0:
        handles = liblsl.resolve(predicate, 1024, settle_s) or handles
    return sorted((_found(h) for h in handles), key=lambda s: (s.host, s.name, s.source_id))


class Watcher:
    """Looks for matching streams in the background, so that nobody waits.

    liblsl's resolver opens two more ports every half second, of the few (32 by default) through which the streams
    of a machine can be found, and keeps each for seconds: two or three such resolvers make new streams invisible.
    So there is one for all queries, and it is given up for a new one before it has taken many.

    Parameters
    ----------
    *queries : StreamQuery
        A stream that matches any of them is found.
    """

    RENEW_S = 1.5
    FORGET_S = 1.0

    def __init__(self, *queries: StreamQuery) -> None:
        self._predicate = "(" + " or ".join(f"({query.predicate()})" for query in queries) + ")"
        self._before: list[FoundStream] = []
        self._resolver: Any = None
        self._renew()

    def found(self) -> list[FoundStream]:
        """Streams that answered within the last second or two."""
        if self._resolver is None:
            return []
        streams = [_found(h) for h in self._resolver.results()]
        age_s = time.monotonic() - self._began
        if age_s < self.FORGET_S:
            return list({s.uid: s for s in (*self._before, *streams)}.values())
        if age_s >= self.RENEW_S:
            self._before = streams
            self._renew()
        return streams

    def close(self) -> None:
        """Stop looking. May be called twice."""
        self._resolver = None

    def _renew(self) -> None:
        self._resolver = None  # its ports first
        self._resolver = liblsl.ContinuousResolver(pred=self._predicate, forget_after=self.FORGET_S)
        self._began = time.monotonic()


def _listing(found: Sequence[FoundStream]) -> str:
    return "".join(f"\n  {s}" for s in found)


def _found(handle: Any) -> FoundStream:
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
