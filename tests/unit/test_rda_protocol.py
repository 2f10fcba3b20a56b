"""Remote Data Access: what a person may rely on whatever Recorder, or whoever sits on its port, sends."""

import struct
import time
import tracemalloc

import numpy as np
import pytest
import rda_server as rda
from hypothesis import given, settings
from hypothesis import strategies as st

from bci.errors import StreamError
from devices.rda_protocol import MAX_MESSAGE, RdaBlock, RdaDecoder, RdaMarker, RdaMessage, RdaStart, RdaStop

LABELS = ("C3", "Cz", "C4")
START = rda.start(LABELS, 500.0, (0.1, 0.5, 0.0488281))


def decode(*pieces: bytes) -> list[RdaMessage]:
    return RdaDecoder().feed(b"".join(pieces))


def test_start_message_byte_by_byte_as_the_manual_lists_it() -> None:
    # GUID, nSize 57, nType 1, nChannels 1, 4000 µs, 0.5 µV, "Oz" and a zero.
    sent = bytes.fromhex("8e45584396c9864caf4a98bbf6c91450 2f000000 01000000 01000000 000000000040af40 000000000000e03f 4f7a00")
    assert decode(sent) == [RdaStart(250.0, ("Oz",), (0.5,))]


@pytest.mark.parametrize("kind", ["int16", "float32"])
def test_values_are_microvolts_exactly(kind: str) -> None:
    raw = np.array([[1, -2, 32767], [-32768, 0, 5]]).astype(kind)
    (_, block) = decode(START, rda.block(7, raw))
    assert isinstance(block, RdaBlock)
    assert block.number == 7
    assert block.data.dtype == np.float64
    np.testing.assert_array_equal(block.data, raw.astype(np.float64) * [0.1, 0.5, 0.0488281])


def test_markers_keep_position_type_and_description() -> None:
    sent = [rda.marker(0, "New Segment", ""), rda.marker(4, "Stimulus", "S  1", 3, 2), rda.marker(1, "Comment", "Zähler µ")]
    (_, block) = decode(START, rda.block(1, np.zeros((5, 3), np.float32), sent))
    assert isinstance(block, RdaBlock)
    assert block.markers == (
        RdaMarker(0, "New Segment", ""),
        RdaMarker(4, "Stimulus", "S  1", 3, 2),
        RdaMarker(1, "Comment", "Zähler µ"),
    )


def test_messages_without_samples_are_passed_over() -> None:
    found = decode(rda.KEEP_ALIVE, rda.NEW_STATE, START, rda.message(9, b"info"), rda.KEEP_ALIVE, rda.STOP)
    assert [type(m) for m in found] == [RdaStart, RdaStop]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 200), min_size=1, max_size=60))
def test_messages_are_the_same_however_the_bytes_are_cut(cuts: list[int]) -> None:
    values = np.arange(30, dtype=np.float32).reshape(10, 3)
    sent = START + rda.block(1, values, [rda.marker(2, "Stimulus", "S  1")]) + rda.KEEP_ALIVE + rda.block(2, values) + rda.STOP
    decoder, found, at = RdaDecoder(), [], 0
    for cut in [*cuts, len(sent)]:
        found += decoder.feed(sent[at : at + cut])
        at += cut
    whole = decode(sent)
    assert [type(m) for m in found] == [type(m) for m in whole] == [RdaStart, RdaBlock, RdaBlock, RdaStop]
    for one, other in zip(found, whole, strict=True):
        if isinstance(one, RdaBlock) and isinstance(other, RdaBlock):
            assert one.data.tobytes() == other.data.tobytes()
            assert (one.number, one.markers) == (other.number, other.markers)


def header(size: int, kind: int = 4) -> bytes:
    return rda.GUID + struct.pack("<LL", size, kind)


HOSTILE = {
    "a web server": b"HTTP/1.1 400 Bad Request\r\n",
    "another identifier": b"\0" * 24,
    "4 GB": header(2**32 - 1),
    "just above the limit": header(MAX_MESSAGE + 1),
    "shorter than its own header": header(23),
    "a start of nothing": rda.message(1, b""),
    "no channels": rda.start((), 250.0, ()),
    "four billion channels": rda.message(1, struct.pack("<Ld", 2**32 - 1, 4000.0)),
    "channels without names": rda.message(1, struct.pack("<Ld", 2, 4000.0) + struct.pack("<2d", 1, 1) + b"C3\0"),
    "names without an end": rda.message(1, struct.pack("<Ldd", 1, 4000.0, 1.0) + b"C3"),
    "no time between samples": rda.message(1, struct.pack("<Ldd", 1, 0.0, 1.0) + b"C3\0"),
    "time backwards": rda.message(1, struct.pack("<Ldd", 1, -4000.0, 1.0) + b"C3\0"),
    "no number": rda.message(1, struct.pack("<Ldd", 1, float("nan"), 1.0) + b"C3\0"),
    "resolution is no number": rda.start(("C3",), 250.0, (float("nan"),)),
    "resolution is nothing": rda.start(("C3",), 250.0, (0.0,)),
    "data before the start": rda.block(1, np.zeros((1, 3), np.float32)),
    "data without numbers": START + rda.message(4, b"\0" * 8),
    "four billion points": START + rda.message(4, struct.pack("<LLL", 1, 2**32 - 1, 0)),
    "four billion markers": START + rda.message(4, struct.pack("<LLL", 1, 0, 2**32 - 1)),
    "fewer values than points": START + rda.message(4, struct.pack("<LLL", 1, 2, 0) + b"\0" * 23),
    "marker of no size": START + rda.block(1, np.zeros((1, 3), np.float32), [struct.pack("<LLLl", 0, 0, 1, -1)]),
    "marker beyond its message": START + rda.block(1, np.zeros((1, 3), np.float32), [struct.pack("<LLLl", 999, 0, 1, -1)]),
    "marker beyond its block": START + rda.block(1, np.zeros((1, 3), np.float32), [rda.marker(1, "Stimulus", "S  1")]),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_not_rda_is_refused_at_once_in_little_memory(name: str) -> None:
    tracemalloc.start()
    begin = time.perf_counter()
    with pytest.raises(StreamError, match="RDA"):
        decode(HOSTILE[name])
    took_s, (_, peak) = time.perf_counter() - begin, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert took_s < 1.0
    assert peak < 10e6


def test_every_truncated_message_waits_for_the_rest_and_yields_nothing_false() -> None:
    sent = START + rda.block(1, np.ones((2, 3), np.float32), [rda.marker(0, "Stimulus", "S  1")])
    for end in range(len(sent)):
        assert len(decode(sent[:end])) == (end >= len(START))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_bytes_raise_stream_error_or_decode_and_nothing_else(data: st.DataObject) -> None:
    sent = bytearray(START + rda.block(1, np.ones((2, 3), np.int16), [rda.marker(0, "Stimulus", "S  1")]) + rda.STOP)
    for _ in range(data.draw(st.integers(1, 4))):
        sent[data.draw(st.integers(0, len(sent) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode(bytes(sent))
    except StreamError:
        return
