"""Every wanted stream open: what breaks is opened again at once, and what hangs holds up nobody."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from bci.errors import StreamLost
from bci.stream.lsl.discovery import FoundStream
from bci.stream.lsl.open_streams import AT_ONCE, OpenStreams

pytestmark = pytest.mark.live

SOON_S = 5.0
HANGS_S = 0.2
"""What an attempt at a sender that hangs takes."""


def announced(uid: str) -> FoundStream:
    return FoundStream(uid, "Markers", uid, "here", uid, 0.0, 1, "string", None)


class Line:
    """A connection that a test breaks."""

    def __init__(self) -> None:
        self.ended = False
        self.closed = False

    def close(self) -> None:
        self.ended = self.closed = True


class Senders:
    """Streams on a network: those that answer, and those that hang."""

    def __init__(self) -> None:
        self.there: list[FoundStream] = []
        self.hanging: set[str] = set()
        self.go = threading.Event()
        self.trying: list[str] = []
        self.most = self.running = 0
        self._lock = threading.Lock()

    def announce(self, *uids: str, hanging: bool = False) -> None:
        self.hanging |= set(uids if hanging else ())
        self.there = [*self.there, *map(announced, uids)]

    def connect(self, found: FoundStream) -> Line:
        with self._lock:
            self.trying.append(found.uid)
            self.running += 1
            self.most = max(self.most, self.running)
        try:
            if found.uid in self.hanging:
                self.go.wait(HANGS_S)
                raise StreamLost(f"{found.uid} does not answer")
            return Line()
        finally:
            with self._lock:
                self.running -= 1


@contextmanager
def watched(senders: Senders) -> Iterator[OpenStreams[Line]]:
    streams = OpenStreams(lambda: senders.there, lambda found: found.name != "unwanted", senders.connect)
    try:
        yield streams
    finally:
        senders.go.set()
        streams.close()


@pytest.fixture
def senders() -> Senders:
    return Senders()


def until(done: Callable[[], object]) -> None:
    end = time.monotonic() + SOON_S
    while not done():
        assert time.monotonic() < end
        time.sleep(0.002)


def next_open(streams: OpenStreams[Line]) -> dict[str, Line]:
    found: dict[str, Line] = {}

    def some() -> bool:
        found.update({joined.found.uid: joined.inlet for joined in streams.opened()})
        return bool(found)

    until(some)
    return found


def test_what_is_wanted_is_opened_once_and_nothing_else(senders: Senders) -> None:
    senders.announce("a", "unwanted")
    with watched(senders) as streams:
        assert set(next_open(streams)) == {"a"}
        time.sleep(0.3)
        assert streams.opened() == []
        assert set(streams.open) == {"a"}
        assert senders.trying == ["a"]


def test_a_connection_that_breaks_is_made_again_thirty_times_and_the_gap_is_told(senders: Senders) -> None:
    senders.announce("a")
    with watched(senders) as streams:
        line = next_open(streams)["a"]
        for _ in range(30):
            line.ended = True
            streams.hurry()
            joined = []
            until(lambda: joined.extend(streams.opened()) or joined)  # noqa: B023
            assert 0 <= joined[0].gap_s < SOON_S
            line = joined[0].inlet
        assert len(senders.trying) == 31


def test_streams_that_hang_hold_up_neither_a_new_one_nor_one_that_broke(senders: Senders) -> None:
    senders.announce("window")
    with watched(senders) as streams:
        line = next_open(streams)["window"]
        senders.announce(*(f"hangs {i}" for i in range(300)), hanging=True)
        until(lambda: senders.running == AT_ONCE)
        line.ended = True
        streams.hurry()
        assert set(next_open(streams)) == {"window"}
        senders.announce("new window")
        tried = len(senders.trying)
        assert set(next_open(streams)) == {"new window"}
        assert senders.trying.index("new window") <= tried + 2 * AT_ONCE  # the next of the new ones, whoever waits
        assert senders.most <= 3 * AT_ONCE


def test_a_stream_that_does_not_answer_is_told_once_and_tried_on_until_it_does(senders: Senders) -> None:
    senders.go.set()
    senders.announce("late", hanging=True)
    with watched(senders) as streams:
        until(lambda: len(senders.trying) >= 4)
        assert [str(error) for _, error in streams.failed()] == ["late does not answer"]
        assert streams.failed() == []
        senders.hanging.clear()
        assert set(next_open(streams)) == {"late"}


def test_a_sender_that_ended_is_not_told_as_one_that_does_not_answer(senders: Senders) -> None:
    senders.go.set()
    senders.announce("ends")
    with watched(senders) as streams:
        line = next_open(streams)["ends"]
        senders.hanging.add("ends")
        line.ended = True
        streams.hurry()
        until(lambda: len(senders.trying) >= 4)
        assert streams.failed() == []


def test_what_nobody_took_is_closed_at_the_end(senders: Senders) -> None:
    senders.announce("a")
    lines: list[Line] = []

    def connect(found: FoundStream) -> Line:
        lines.append(senders.connect(found))
        return lines[-1]

    streams = OpenStreams(lambda: senders.there, lambda _: True, connect)
    until(lambda: streams.open)
    streams.close()
    streams.close()
    assert [line.closed for line in lines] == [True]


def test_whatever_a_stranger_sends_that_no_header_may_hold_is_this_streams_failure_alone(senders: Senders) -> None:
    senders.announce("strange", "good")

    def connect(found: FoundStream) -> Line:
        if found.uid == "strange":
            raise ValueError("no number")
        return Line()

    streams = OpenStreams(lambda: senders.there, lambda _: True, connect)
    assert set(next_open(streams)) == {"good"}
    until(lambda: streams.failed())
    streams.close()
