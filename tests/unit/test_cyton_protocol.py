"""The Cyton's bytes: exact microvolts, frames found again after anything, losses counted."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.cyton_commands import channel_command, lead_off_command, read_greeting
from devices.cyton_protocol import (
    DaisyPairs,
    PacketCount,
    PacketParser,
    Packets,
    acceleration_g,
    decode,
    encode,
    microvolts,
    microvolts_per_count,
)

# Written by hand from the table "Binary Format": counter 0xFF, then 1, -1, largest, smallest, 0, 0x0000A0, 0x00C0C0,
# -8388607; acceleration 0x0800, 0xF800, 0x0010.
STORED = bytes.fromhex("A0 FF 000001 FFFFFF 7FFFFF 800000 000000 0000A0 00C0C0 800001 0800 F800 0010 C0")
COUNTS = [1, -1, 8388607, -8388608, 0, 0xA0, 0xC0C0, -8388607]


def stream(n: int, first: int = 0, seed: int = 0) -> list[bytes]:
    """Packets of arbitrary data: headers and footers occur in it as often as anything else."""
    rng = np.random.default_rng(seed)
    values = rng.integers(-(2**23), 2**23, size=(n, 8), dtype=np.int32)
    return [encode(first + i, values[i], rng.bytes(6)) for i in range(n)]


def parse(data: bytes, sizes: tuple[int, ...] = (10**9,)) -> tuple[Packets, PacketParser]:
    """All packets of ``data``, cut into pieces of these sizes, in turns."""
    parser, at, found, i = PacketParser(), 0, [], 0
    while at < len(data):
        found.append(parser.push(data[at : at + sizes[i % len(sizes)]]))
        at += sizes[i % len(sizes)]
        i += 1
    names = ("counter", "counts", "aux", "footer")
    return Packets(*(np.concatenate([getattr(p, name) for p in found]) for name in names)), parser


def test_a_stored_packet_decodes_to_exact_microvolts() -> None:
    packets = decode(STORED)
    assert packets.counter.tolist() == [255]
    assert packets.counts.tolist() == [COUNTS]
    expected = [c * (4.5 / 24 / (2**23 - 1) * 1e6) for c in COUNTS]
    assert microvolts(packets.counts, (24,) * 8).tolist() == [expected]
    assert expected[2] == pytest.approx(187_500.0)  # the rail at gain 24
    np.testing.assert_allclose(acceleration_g(packets), [[0.256, -0.256, 0.002]])


@pytest.mark.parametrize("gain", [1, 2, 4, 6, 8, 12, 24])
def test_every_gain_has_its_scale(gain: int) -> None:
    assert microvolts_per_count(gain) == 4.5 / gain / 8388607 * 1e6
    assert microvolts(np.array([[8388607]], dtype=np.int32), (gain,))[0, 0] == pytest.approx(4.5e6 / gain)


def test_packets_without_acceleration_have_none() -> None:
    row = np.zeros(8, dtype=np.int32)
    packets = decode(encode(0, row) + encode(1, row, b"\x01" * 6, footer=0xC3))
    assert np.isnan(acceleration_g(packets)).all()


@given(sizes=st.lists(st.integers(1, 200), min_size=1, max_size=8), seed=st.integers(0, 50))
@settings(max_examples=60, deadline=None)
def test_how_the_bytes_are_cut_changes_nothing(sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    data = b"".join(p if rng.random() < 0.8 else rng.bytes(int(rng.integers(0, 60))) for p in stream(60, seed=seed))
    whole, one = parse(data)
    cut, other = parse(data, tuple(sizes))
    assert whole.counter.tolist() == cut.counter.tolist()
    assert whole.counts.tobytes() == cut.counts.tobytes()
    assert one.skipped == other.skipped


@pytest.mark.parametrize("garbage", [b"$$$", b"\xa0" * 40, bytes(range(256)), b"Failure: x$$$", b"\xa0\x05" + b"\xc0" * 20])
def test_frames_are_found_again_after_garbage(garbage: bytes) -> None:
    sent = stream(40, seed=3)
    data = garbage + b"".join(sent[:20]) + garbage + b"".join(sent[20:])
    packets, _ = parse(data)
    truth = decode(b"".join(sent))
    assert packets.counter.tolist() == truth.counter.tolist()
    assert packets.counts.tobytes() == truth.counts.tobytes()


@pytest.mark.parametrize("missing", range(1, 33))
def test_lost_bytes_cost_their_packet_and_no_other(missing: int) -> None:
    sent = stream(50, first=100, seed=missing)
    broken = sent[25][: 33 - missing]
    packets, _ = parse(b"".join(sent[:25]) + broken + b"".join(sent[26:]))
    truth = decode(b"".join(sent[:25] + sent[26:]))
    assert packets.counts.tobytes() == truth.counts.tobytes()


def test_of_500_damaged_packets_at_most_two_pass_for_whole_ones() -> None:
    """Bytes lost at random from one packet in ten, data full of headers and footers."""
    rng = np.random.default_rng(7)
    sent = stream(5000, seed=8)
    truth = {(i % 256, p[2:26]) for i, p in enumerate(sent)}
    damaged = b"".join(_without_some(p, rng) if rng.random() < 0.1 else p for p in sent)
    packets, _ = parse(damaged)
    wrong = [
        i
        for i in range(len(packets))
        if (int(packets.counter[i]), b"".join(int(c).to_bytes(3, "big", signed=True) for c in packets.counts[i])) not in truth
    ]
    assert len(wrong) <= 2  # no checksum on the wire: a byte in 256 looks like the right footer
    assert len(packets) > 4400


def _without_some(packet: bytes, rng: np.random.Generator) -> bytes:
    at, n = int(rng.integers(0, 30)), int(rng.integers(1, 4))
    return packet[:at] + packet[at + n :]


def test_a_packet_that_the_radio_repeats_counts_once() -> None:
    sent = stream(10)
    packets, parser = parse(b"".join(sent[:5]) + sent[4] + b"".join(sent[5:]))
    assert packets.counter.tolist() == list(range(10))
    assert parser.skipped == 0


@pytest.mark.parametrize("share", [0.0, 0.01, 0.2])
def test_lost_packets_are_counted_exactly_across_the_wrap(share: float) -> None:
    rng = np.random.default_rng(1)
    sent = stream(20_000)
    keep = rng.random(len(sent)) >= share
    keep[[0, -1]] = True
    packets, _ = parse(b"".join(p for p, k in zip(sent, keep, strict=True) if k), (7, 61, 132))
    count = PacketCount()
    numbers = np.concatenate([count(piece) for piece in np.array_split(packets.counter, 300)])
    assert count.lost == np.count_nonzero(~keep)
    assert numbers.tolist() == np.flatnonzero(keep).tolist()


def test_a_loss_of_256_packets_leaves_no_trace_in_the_counter_and_is_added_when_a_clock_tells() -> None:
    count = PacketCount()
    count(np.array([9, 10], dtype=np.int64))
    assert count(np.array([11], dtype=np.int64)).tolist() == [11]
    assert count.lost == 0
    count.wrapped(1)
    assert count.lost == 256
    assert count(np.array([12], dtype=np.int64)).tolist() == [12 + 256]


def pairs(numbers: list[int], hold: bool = False) -> tuple[DaisyPairs, list[int], np.ndarray]:
    """Each packet's values are its number, so that it shows where they went."""
    daisy = DaisyPairs(hold)
    samples, rows = [], []
    for piece in np.array_split(np.array(numbers, dtype=np.int64), 3):
        index, counts = daisy(piece, np.repeat(piece[:, None], 8, axis=1).astype(np.int32))
        samples += index.tolist()
        rows.append(counts)
    return daisy, samples, np.concatenate(rows)


def test_daisy_joins_an_odd_packet_of_the_cyton_with_the_even_one_that_follows() -> None:
    daisy, samples, rows = pairs([1, 2, 3, 4, 5, 6])
    assert samples == [0, 1, 2]
    assert rows[:, [0, 7, 8, 15]].tolist() == [[1, 1, 2, 2], [3, 3, 4, 4], [5, 5, 6, 6]]
    assert (daisy.lost, daisy.halves) == (0, 0)


def test_the_daisys_invalid_first_packet_and_a_first_half_are_no_loss() -> None:
    daisy, samples, _ = pairs([0, 1, 2, 3, 4])
    assert samples == [0, 1]
    assert (daisy.lost, daisy.halves) == (0, 0)


@pytest.mark.parametrize("missing", [5, 6])
def test_one_lost_packet_is_half_a_sample_and_not_a_whole_one(missing: int) -> None:
    daisy, samples, _ = pairs([n for n in range(1, 13) if n != missing])
    assert samples == [0, 1, 3, 4, 5]
    assert (daisy.lost, daisy.halves) == (0, 1)


def test_two_packets_lost_are_one_sample_or_two_halves() -> None:
    daisy, samples, _ = pairs([n for n in range(1, 13) if n not in (5, 6)])
    assert (samples, daisy.lost, daisy.halves) == ([0, 1, 3, 4, 5], 1, 0)
    daisy, samples, _ = pairs([n for n in range(1, 13) if n not in (6, 7)])
    assert (samples, daisy.lost, daisy.halves) == ([0, 1, 4, 5], 0, 2)


def test_a_half_may_be_filled_with_the_last_values() -> None:
    daisy, samples, rows = pairs([n for n in range(1, 9) if n != 4], hold=True)
    assert samples == [0, 1, 2, 3]
    assert rows[1, [0, 8]].tolist() == [3, 2]
    assert daisy.halves == 1


@pytest.mark.parametrize("share", [0.01, 0.2])
def test_every_lost_packet_of_a_daisy_is_accounted_for(share: float) -> None:
    rng = np.random.default_rng(2)
    keep = rng.random(20_000) >= share
    keep[[0, 1, -2, -1]] = True
    numbers = (np.flatnonzero(keep) + 1).tolist()
    daisy, samples, _ = pairs(numbers)
    got = keep.reshape(-1, 2).sum(axis=1)
    assert (daisy.lost, daisy.halves) == (np.count_nonzero(got == 0), np.count_nonzero(got == 1))
    assert samples == np.flatnonzero(got == 2).tolist()


@pytest.mark.parametrize(
    ("answer", "firmware", "daisy"),
    [
        (b"OpenBCI V3 8-16 channel\nADS1299 Device ID: 0x3E\nLIS3DH Device ID: 0x33\nFirmware: v2.0.0\n$$$", (2, 0, 0), None),
        (b"OpenBCI V3 8-16 channel\nOn Board ADS1299 Device ID: 0x3E\nFirmware: v3.1.2\n$$$", (3, 1, 2), False),
        (b"OpenBCI V3 8-16 channel\nOn Board ADS1299 ID\nOn Daisy ADS1299 ID\nFirmware: v3.1.2\n$$$", (3, 1, 2), True),
        (b"OpenBCI V3 16 channel\nADS1299 Device ID: 0x3E\nLIS3DH Device ID: 0x33\n$$$", (), None),
    ],
)
def test_the_greeting_tells_firmware_and_daisy(answer: bytes, firmware: tuple[int, ...], daisy: bool | None) -> None:
    greeting = read_greeting(answer)
    assert greeting is not None
    assert (greeting.firmware, greeting.daisy) == (firmware, daisy)


def test_what_is_no_greeting_is_none() -> None:
    assert read_greeting(b"Failure: Communications timeout - Device failed to poll Host$$$") is None
    assert read_greeting(b"OpenBCI V3 8-16 cha") is None


def test_commands_are_those_of_the_documentation() -> None:
    assert channel_command(3, 2, bias=False, srb2=False) == b"x3010000X"
    assert channel_command(16, 24, on=False, srb1=True) == b"xI160111X"
    assert lead_off_command(4, positive=True) == b"z410Z"
    assert lead_off_command(9) == b"zQ00Z"
