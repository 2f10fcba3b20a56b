"""Hostile messages and bytes of devices, made with knowledge of their layout."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import numpy as np
from fuzzing import Target, damaged, spoiled_json

from bci.actuation.arming import report_of
from bci.actuation.feed import row_event
from bci.errors import BciError
from bci.stream.markers.shapes import MarkerShape, row_of, suggestion
from bci.stream.metadata import bci_fields, stream_info
from bci.stream.signing import Checker, Signer
from devices.cyton_commands import read_greeting
from devices.cyton_protocol import PacketParser
from devices.fieldtrip_protocol import AnswerDecoder, read_data, read_events, read_header, read_wait
from devices.rda_protocol import GUID, HEADER, RdaDecoder

KEY = bytes(range(32))
GUARD = {
    "v": 1, "kind": "guard", "state": "armed", "why": "", "nonce": "ab", "good_s": 3.0, "settings": {"settle_s": 2.0},
    "strangers": 3, "neutral": "confirmed", "heard": {"id": "x 3", "at": 1.0},
}  # fmt: skip
CONTROL = (
    {"v": 1, "kind": "arm", "proof": "0" * 64, "by": "person", "actuator": ""},
    {"v": 1, "kind": "stop_now", "why": "x"},
    {"v": 1, "kind": "model", "path": "/dev/zero"},
    {"v": 1, "kind": "settings", "decision": {"threshold": 0.7}},
    {"v": 1, "kind": "mark", "labels": ["C3"], "bad": True},
    GUARD,
)


def text_of(content: bytes) -> str:
    """What LSL would hand over: text with half characters in it now and then."""
    return content.decode("utf-8", "surrogateescape")


def make_message(rng: random.Random) -> bytes:
    """A control or guard message, signed with another key, with ours and then changed, or not at all."""
    value = rng.choice(CONTROL)
    if rng.random() < 0.4:
        signer = Signer(rng.choice((KEY, bytes(32))), lambda: 5.0, "here")
        fields = {k: v for k, v in value.items() if k not in ("v", "kind")}
        return damaged(rng, signer.line(str(value["kind"]), **fields).encode())
    return spoiled_json(rng, value).encode("utf-8", "surrogatepass" if rng.random() < 0.5 else "replace")


def read_message(content: bytes, _: Path) -> None:
    """As a keyed host, an unkeyed one, and a window read it."""
    for text in (text_of(content), content.decode("utf-8", "replace")):
        told = Checker(KEY, lambda: 5.0, "here")(text, "control stream")
        report_of(told.fields)
        try:
            report_of(Checker(None, lambda: 5.0, "here")(text, "control stream").fields)
        except BciError:
            continue


def make_cue(rng: random.Random) -> bytes:
    """A marker as programs send them, and as none should."""
    texts = (
        '{"event": {"class": "left"}, "n": [1, 2]}',
        "Stimulus/S  1",
        "769",
        "left",
        "[" * 90_000,
        "a" * 200_000,
        "( ( (" * 900,
    )
    return damaged(rng, rng.choice(texts).encode())


def read_cue(content: bytes, _: Path) -> None:
    """Look a marker up, and look for a setting under which it would be a cue."""
    row = row_of([text_of(content)])
    for shape in (MarkerShape(), MarkerShape("event.class"), MarkerShape("2.n.1"), MarkerShape(pattern="^Stimulus/S *([0-9]+)$")):
        shape.text(row)
    suggestion([row] * 5, (), {"left", "right"}.__contains__)


def make_row(rng: random.Random) -> bytes:
    """Rows of a decisions stream."""
    odd = (0.0, -1.0, 1.0, 1e308, -1e308, float("nan"), float("inf"), 0.5, 2.0**53, 3.7)
    return struct.pack("<9d", *(rng.choice(odd) for _ in range(9)))


def read_row(content: bytes, _: Path) -> None:
    """As an actuator host reads it, whatever the number of columns."""
    values = np.frombuffer(content[: len(content) // 8 * 8], "<f8")
    for n in (len(values), 7, 3, 0):
        row_event(values[:n], 1.0, 0.0, 2)
    row_event([text_of(content)] * 7, float("nan"), 0.0, 2)


def make_lsl_header(rng: random.Random) -> bytes:
    """The header of an LSL stream."""
    label = rng.choice(("C3", "", "x" * 99_999, "&#0;", "<a>" * 500, "\u2028"))
    count, rate = rng.choice((1, 0, 8192, 10**9, "x")), rng.choice((250, -1, "nan", 1e308))
    head = f"<name>a</name><type>EEG</type><channel_count>{count}</channel_count><nominal_srate>{rate}</nominal_srate>"
    ours = f"<bci><classes>{rng.choice(('[1', '[]', '9' * 5000))}</classes></bci>" + "<a b='1'/>" * rng.choice(
        (0, 9, 9, 9, 150_000)
    )
    text = f"<info>{head}<desc><channels><channel><label>{label}</label></channel></channels>{ours}</desc></info>"
    return damaged(rng, text.encode())


def read_lsl_header(content: bytes, _: Path) -> None:
    """As discovery reads it."""
    text = text_of(content)
    stream_info(text)
    bci_fields(text)


def make_rda(rng: random.Random) -> bytes:
    """Messages of BrainVision's remote data access."""

    def message(kind: int, body: bytes, size: int | None = None) -> bytes:
        return HEADER.pack(GUID, HEADER.size + len(body) if size is None else size, kind) + body

    start = struct.pack("<Id", 2, 4000.0) + struct.pack("<2d", 0.1, 0.1) + b"C3\0C4\0"
    block = struct.pack(
        "<III", rng.randrange(2**32), rng.choice((0, 1, 10, 2**31)), rng.choice((0, 1, 2**32 - 1))
    ) + rng.randbytes(80)
    pieces = [
        message(1, start),
        message(1, struct.pack("<Id", rng.choice((0, 1, 2**31)), rng.choice((0.0, 1e-300, 4000.0))) + bytes(64)),
        message(rng.choice((2, 4)), block),
        message(4, b"", rng.choice((0, 23, 2**24, 2**32 - 1))),
        rng.randbytes(40),
    ]
    return damaged(rng, b"".join(rng.choice(pieces) for _ in range(rng.randrange(1, 6))), pieces)


def read_rda(content: bytes, _: Path) -> None:
    """Fed in pieces of any length."""
    decoder = RdaDecoder()
    for at in range(0, len(content), 97):
        decoder.feed(content[at : at + 97])


def make_fieldtrip(rng: random.Random) -> bytes:
    """A header, data or events of a FieldTrip buffer, or the answer that brings them."""
    counts = (2, 0, 2**31, 2**32 - 1)
    rate = rng.choice((250.0, 0.0, float("nan"), -1.0, 1e38))
    header = struct.pack(
        "<IIIfII", rng.choice(counts), rng.randrange(2**32), 0, rate, rng.choice((9, 10, 0, 99)), rng.choice((0, 8, 2**31))
    )
    event = struct.pack(
        "<IIIIiiiI", rng.choice((0, 1, 99)), rng.choice((0, 3, 2**31)), 0, 1, 5, 0, 0, rng.choice((0, 8, 2**32 - 1))
    )
    answer = struct.pack("<HHI", rng.choice((1, 0)), rng.choice((0x204, 0x205, 7)), rng.choice((0, 8, 2**31, 2**32 - 1)))
    return damaged(rng, rng.choice((header, event, answer)) + rng.randbytes(rng.randrange(60)))


def read_fieldtrip(content: bytes, _: Path) -> None:
    """Taken for everything that it could be."""
    good = read_header(struct.pack("<IIIfII", 2, 0, 0, 250.0, 9, 0))
    for read in (read_header, read_wait, read_events, AnswerDecoder().feed, lambda b: read_data(b, good, 4)):
        try:
            read(content)
        except BciError:
            continue


def make_cyton(rng: random.Random) -> bytes:
    """Packets of a Cyton board among junk."""
    packet = b"\xa0" + rng.randbytes(31) + bytes([0xC0 + rng.randrange(16)])
    return damaged(
        rng, b"".join(rng.choice((packet, rng.randbytes(rng.randrange(200)))) for _ in range(9)), [packet, b"$$$", b"\xa0" * 99]
    )


def read_cyton(content: bytes, _: Path) -> None:
    """Fed again and again: junk for ever must not fill the memory."""
    parser = PacketParser()
    for at in range(0, 40 * len(content), 61):
        parser.push(content[at % max(1, len(content)) :][:61])
    read_greeting(content)


WIRE_TARGETS = (
    Target("message", make_message, read_message),
    Target("cue", make_cue, read_cue),
    Target("row", make_row, read_row),
    Target("lsl header", make_lsl_header, read_lsl_header),
    Target("rda", make_rda, read_rda),
    Target("fieldtrip", make_fieldtrip, read_fieldtrip),
    Target("cyton", make_cyton, read_cyton),
)
