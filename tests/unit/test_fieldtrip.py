"""A FieldTrip buffer as a source: samples of every type, events, rings that overflow, and ends of all kinds."""

import socket
import struct
import threading
import time
import tracemalloc
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from fieldtrip_server import GET_OK, FieldTripServer
from hypothesis import given, settings
from hypothesis import strategies as st

from bci.engine.chunk import Chunk
from bci.errors import ConfigError, StreamError, StreamLost, StreamNotFound
from devices import fieldtrip_protocol as ft
from devices.fieldtrip import FieldTripSettings, FieldTripSource

pytestmark = pytest.mark.live

LABELS = ("C3", "Cz", "EMG_1")
DATA = np.random.default_rng(0).integers(0, 100, (600, 3))


@pytest.fixture
def server() -> Iterator[FieldTripServer]:
    with FieldTripServer(ring=400) as running:
        running.put_header(3, 250.0, "float32", LABELS)
        yield running


@contextmanager
def opened(server: FieldTripServer, **changed: str) -> Iterator[FieldTripSource]:
    source = FieldTripSource.from_settings({"port": server.port, **changed})
    try:
        yield source
    finally:
        source.close()


def read(source: FieldTripSource, n_samples: int) -> Chunk:
    pieces: list[Chunk] = []
    while sum(map(len, pieces)) < n_samples:
        chunk = source.read(2.0)
        assert chunk is not None, "nothing came"
        pieces.append(chunk)
    return Chunk(np.concatenate([p.data for p in pieces]), np.concatenate([p.stamps for p in pieces]))


def test_info_is_what_the_buffer_says(server: FieldTripServer) -> None:
    with opened(server) as source:
        assert (source.info.rate_hz, source.info.labels, source.info.sample_clock) == (250.0, LABELS, True)
        assert [c.type for c in source.info.channels] == ["EEG", "EEG", "EMG"]


def test_a_buffer_without_names_gets_numbered_channels_and_the_shortest_decimal_of_its_rate() -> None:
    with FieldTripServer() as server:
        server.put_header(2, 160.15, "float32", chunks=[(0, b"anything"), (5, b"\0" * 348)])
        with opened(server) as source:
            assert source.info.labels == ("ch1", "ch2")
            assert source.info.rate_hz == 160.15


@pytest.mark.parametrize(
    "dtype", ["uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float32", "float64"]
)
def test_every_type_of_the_document_arrives_exact(dtype: str) -> None:
    values = DATA.astype(dtype) if dtype.startswith("u") else (DATA - 50).astype(dtype)
    with FieldTripServer() as server:
        server.put_header(3, 250.0, dtype, LABELS, resolutions=(0.1, 0.1, 0.5))
        with opened(server) as source:
            server.put_data(values)
            got = read(source, 600)
    np.testing.assert_array_equal(got.data, values.astype(np.float64) * [0.1, 0.1, 0.5])
    np.testing.assert_allclose(np.diff(got.stamps) * 250, 1.0, atol=1e-3)


@pytest.mark.parametrize(("unit", "factor"), [("uV", 1.0), ("mV", 1e3), ("V", 1e6), ("nV", 1e-3)])
def test_the_unit_that_is_declared_becomes_microvolts(server: FieldTripServer, unit: str, factor: float) -> None:
    with opened(server, unit=unit) as source:
        server.put_data(DATA[:10].astype(np.float32))
        np.testing.assert_array_equal(read(source, 10).data, DATA[:10] * factor)


def test_only_what_is_written_after_opening_is_delivered(server: FieldTripServer) -> None:
    server.put_data(DATA[:100].astype(np.float32))
    server.put_event(3, "Stimulus", "old")
    with opened(server) as source:
        assert source.read(0.1) is None
        server.put_data(DATA[100:150].astype(np.float32))
        np.testing.assert_array_equal(read(source, 50).data, DATA[100:150])
        assert source.markers() == []


def test_the_same_samples_as_through_the_client_of_mne_realtime(server: FieldTripServer) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own announcement that it is discontinued
        from mne_realtime.externals.FieldTrip import Client
    other = Client()
    other.connect("127.0.0.1", server.port)
    with opened(server) as source:
        server.put_data(DATA[:200].astype(np.float32))
        server.put_event(7, "Stimulus", "S  1")
        ours = read(source, 200)
        header, theirs, (event,) = other.getHeader(), other.getData((0, 199)), other.getEvents()
        other.disconnect()
    assert (header.labels, header.fSample, header.nSamples) == (list(LABELS), 250.0, 200)
    np.testing.assert_array_equal(ours.data, theirs)
    assert (event.type, event.value, event.sample) == (b"Stimulus", b"S  1", 7)


def test_events_become_texts_at_the_stamp_of_their_sample(server: FieldTripServer) -> None:
    with opened(server) as source:
        server.put_event(8, "Stimulus", "S  1")
        server.put_event(5, "response", np.array([2.0]))
        server.put_event(9, "position", np.array([1, -2], np.int16))
        server.put_data(DATA[:10].astype(np.float32))
        got = read(source, 10)
        source.read(0.05)
        heard = source.markers()
    assert [text for text, _ in heard] == ["Stimulus/S  1", "response/2", "position/1 -2"]
    np.testing.assert_allclose([stamp for _, stamp in heard], got.stamps[[8, 5, 9]], atol=1e-5)


def test_samples_that_left_the_ring_are_counted_and_are_a_gap_in_the_stamps(server: FieldTripServer) -> None:
    with opened(server) as source:
        server.put_data(DATA[:50].astype(np.float32))
        first = read(source, 50)
        server.put_data(np.concatenate((DATA[50:], DATA)).astype(np.float32))  # the ring keeps 400 of 1150
        rest = read(source, 200)  # at least half a ring is still got
        np.testing.assert_array_equal(rest.data, DATA[-len(rest) :])
        step = (rest.stamps[0] - first.stamps[-1]) * 250
        assert abs(step - round(step)) < 1e-2
        assert len(rest) + source.lost == 1150


def test_events_that_left_the_ring_are_counted() -> None:
    with FieldTripServer(ring_events=5) as server:
        server.put_header(3, 250.0, "float32", LABELS)
        with opened(server) as source:
            for k in range(20):
                server.put_event(k, "Stimulus", f"S{k:3d}")
            server.put_data(DATA[:10].astype(np.float32))
            read(source, 10)
            assert source.lost_markers == 20
            assert source.markers() == []


@pytest.mark.parametrize("end", ["flush", "put_header"])
def test_a_buffer_that_begins_again_is_lost(server: FieldTripServer, end: str) -> None:
    with opened(server) as source:
        server.put_data(DATA[:50].astype(np.float32))
        read(source, 50)
        server.flush() if end == "flush" else server.put_header(3, 500.0, "float32", LABELS)
        with pytest.raises(StreamLost, match="emptied or begun again"):
            source.read(1.0)


def test_a_server_that_goes_is_lost_within_milliseconds(server: FieldTripServer) -> None:
    with opened(server) as source:
        assert source.read(0.05) is None
        server.hang_up()
        begin = time.monotonic()
        with pytest.raises(StreamLost, match="FieldTrip buffer at 127"):
            source.read(2.0)
        assert time.monotonic() - begin < 0.5


def test_nobody_there_and_no_header_are_told_with_the_remedy() -> None:
    with FieldTripServer() as server:
        with pytest.raises(StreamNotFound, match="start acquisition into this buffer"):
            FieldTripSource(FieldTripSettings(port=server.port, timeout_s=0.3))
        port = server.port
    with pytest.raises(StreamNotFound, match="--set host="):
        FieldTripSource(FieldTripSettings(port=port, timeout_s=1.0))


def test_a_header_that_is_written_later_is_waited_for() -> None:
    with FieldTripServer() as server:
        later = threading.Timer(0.3, server.put_header, (3, 250.0, "float32", LABELS))
        later.start()
        with opened(server) as source:
            assert source.info.labels == LABELS
        later.join()


def header(n_channels: int = 2, rate_hz: float = 250.0, kind: int = 9, extra: bytes = b"") -> bytes:
    return struct.pack("<IIIfII", n_channels, 0, 0, rate_hz, kind, len(extra)) + extra


def answer(payload: bytes, size: int | None = None, status: int = GET_OK, version: int = 1) -> bytes:
    return struct.pack("<HHI", version, status, len(payload) if size is None else size) + payload


HOSTILE = {
    "a web server": b"HTTP/1.1 400 Bad Request\r\n",
    "another version": answer(header(), version=2),
    "another byte order": struct.pack(">HHI", 1, GET_OK, 24),
    "an unknown answer": answer(b"", status=0x999),
    "4 GB": answer(header(), 2**32 - 1),
    "too short a header": answer(b"\0" * 23),
    "more than was asked": answer(header()) + b"more",
    "no channels": answer(header(0)),
    "four billion channels": answer(header(2**32 - 1)),
    "no rate": answer(header(rate_hz=0.0)),
    "a rate that is no number": answer(header(rate_hz=float("nan"))),
    "an endless rate": answer(header(rate_hz=float("inf"))),
    "text for samples": answer(header(kind=0)),
    "an unknown type": answer(header(kind=11)),
    "a chunk beyond its message": answer(header(extra=struct.pack("<II", 1, 2**32 - 1))),
    "half a chunk": answer(header(extra=b"\1\0\0\0")),
    "resolutions for one of two": answer(header(extra=struct.pack("<IId", 3, 8, 1.0))),
    "resolutions that are no numbers": answer(header(extra=struct.pack("<IIdd", 3, 16, 1.0, float("nan")))),
}


@contextmanager
def saying(words: bytes) -> Iterator[int]:
    """A server that says this to whatever it is asked, and then nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5.0)
        done = threading.Event()

        def serve() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(100)
                client.sendall(words)
                done.wait(5.0)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            done.set()
            thread.join()


@pytest.mark.alone
def test_a_server_that_hangs_costs_no_more_than_the_time_given() -> None:
    with saying(answer(header())) as port:
        source = FieldTripSource(FieldTripSettings(port=port))
        for timeout_s in (0.0, 0.2, 0.0, 0.2):
            begin = time.monotonic()
            assert source.read(timeout_s) is None
            assert timeout_s <= time.monotonic() - begin < timeout_s + 0.3
        source.close()


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_buffer_is_refused_at_once_in_little_memory(name: str) -> None:
    with saying(HOSTILE[name]) as port:
        tracemalloc.start()
        begin = time.perf_counter()
        with pytest.raises(StreamError, match="FieldTrip buffer"):
            FieldTripSource(FieldTripSettings(port=port, timeout_s=5.0))
        took_s, (_, peak) = time.perf_counter() - begin, tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert took_s < 1.0
    assert peak < 10e6


@pytest.mark.parametrize(
    "payload",
    [
        b"\0" * 15,
        struct.pack("<IIII", 2, 5, 9, 0),
        struct.pack("<IIII", 2, 2**31, 9, 8) + b"\0" * 8,
        struct.pack("<IIII", 2, 1, 9, 8) + b"\0" * 7,
        struct.pack("<IIII", 2, 1, 10, 16) + b"\0" * 16,
        struct.pack("<IIII", 3, 1, 9, 12) + b"\0" * 12,
    ],
)
def test_samples_that_are_not_what_was_asked_for_are_refused(payload: bytes) -> None:
    with pytest.raises(StreamError):
        ft.read_data(payload, ft.read_header(header()), 1)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=120))
def test_events_of_any_bytes_raise_stream_error_or_are_read_and_nothing_else(payload: bytes) -> None:
    try:
        ft.read_events(payload)
    except StreamError:
        return


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 10), max_size=20))
def test_answers_are_the_same_however_the_bytes_are_cut(cuts: list[int]) -> None:
    sent, decoder, at = answer(header(extra=struct.pack("<II", 1, 6) + b"C3\0Cz\0")), ft.AnswerDecoder(), 0
    found = None
    for cut in [*cuts, len(sent)]:
        piece = sent[at : at + cut]
        found = decoder.feed(piece) if piece else found
        at += cut
    assert found is not None
    assert ft.read_header(found[1]).labels == ("C3", "Cz")


def test_wrong_settings_are_told_together() -> None:
    with pytest.raises(ConfigError) as caught:
        FieldTripSource.from_settings({"unit": "kV", "port": "0", "host": ""})
    assert len(caught.value.problems) == 3
