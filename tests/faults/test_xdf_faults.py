"""Faults 41, 42, 43: XDF files that are cut, altered or hostile give complete samples or a clear error."""

import gc
import itertools
import struct
import time
import tracemalloc
from contextlib import contextmanager, suppress

import numpy as np
import pytest

from bci.errors import RecordingError
from bci.stream.xdf.format import MAGIC, SIGNATURE, Tag, chunk, varlen
from bci.stream.xdf.reader import read_xdf
from bci.stream.xdf.salvage import salvage
from bci.stream.xdf.sidecar import sidecar_path
from bci.stream.xdf.writer import XdfWriter

LIMIT_S = 1.0
LIMIT_BYTES = 100e6
N = 24


def header(name, channel_format, n_channels, rate_hz):
    return (
        f"<info><name>{name}</name><type>T</type><channel_count>{n_channels}</channel_count>"
        f"<nominal_srate>{rate_hz}</nominal_srate><channel_format>{channel_format}</channel_format></info>"
    )


def numbers():
    return np.random.default_rng(3).integers(-(2**15), 2**15, (N, 2)).astype(np.int16), 100 + np.arange(N) / 250


def texts():
    return [[f"cue {k}"] for k in range(N)], 100 + np.arange(N) / 10


def write_small(path):
    """Two streams, interleaved chunks, boundaries and offsets; about 2 kB."""
    (values, stamps), (words, times) = numbers(), texts()
    with XdfWriter(path) as writer:
        eeg, cues = writer.add_stream(header("eeg", "int16", 2, 250)), writer.add_stream(header("cues", "string", 1, 0))
        for k in range(0, N, 6):
            writer.write(eeg, values[k : k + 6], stamps[k : k + 6])
            writer.write(cues, words[k : k + 6], times[k : k + 6])
            writer.write_offset(eeg, 100.0 + k, 0.25)
            writer.boundary()


def samples_of(file):
    """All samples of a file as comparable tuples, by stream name."""
    found = {}
    for s in file.streams:
        values = s.values if s.channel_format == "string" else s.values.tolist()
        found.setdefault(s.name, []).extend((t, *row) for t, row in zip(s.stamps.tolist(), values, strict=True))
    return found


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "good.xdf"
    write_small(path)
    return path


def attempt(path):
    """What reading gives: a file, or an error; in less than the limit of (CPU) time."""
    gc.freeze()  # what other tests have left in this process is not to be searched for garbage in the reader's time
    start = time.process_time()
    try:
        return read_xdf(path)
    except RecordingError as error:
        return error
    finally:
        took_s = time.process_time() - start
        gc.unfreeze()
        assert took_s < LIMIT_S


@contextmanager
def little_memory():
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < LIMIT_BYTES
    finally:
        tracemalloc.stop()


def read_bounded(path):
    """What reading gives, if it takes less than the limits of time and memory, measured one after the other."""
    found = attempt(path)
    with little_memory(), suppress(RecordingError):
        read_xdf(path)
    return found


def sample_ends(raw):
    """Byte behind each sample of each stream, found without the reader: values and stamps are searched for."""
    (values, stamps), (words, times) = numbers(), texts()
    eeg, cues = [], []
    for row, t in zip(values, stamps, strict=True):
        sample = struct.pack("<Bd", 8, t) + row.astype("<i2").tobytes()
        eeg.append(raw.index(sample) + len(sample))
    for (word,), t in zip(words, times, strict=True):
        sample = struct.pack("<Bd", 8, t) + varlen(len(word)) + word.encode()
        cues.append(raw.index(sample) + len(sample))
    return {"eeg": eeg, "cues": cues}


@pytest.mark.slow
def test_a_file_cut_at_any_byte_gives_all_its_complete_samples_and_nothing_else(small, tmp_path):
    raw = small.read_bytes()
    whole = samples_of(read_xdf(small))
    assert {name: len(s) for name, s in whole.items()} == {"eeg": N, "cues": N}
    ends = sample_ends(raw)
    cut = tmp_path / "cut.xdf"
    with little_memory():
        for size in range(len(raw)):
            cut.write_bytes(raw[:size])
            file = attempt(cut)
            if size < len(MAGIC):
                assert "is not an XDF file" in str(file)
                continue
            assert not file.closed
            assert file.verified == "unverified"
            for name, found in samples_of(file).items():
                assert found == whole[name][: sum(end <= size for end in ends[name])], f"cut at {size}"


def test_a_closed_file_cut_at_any_byte_is_reported_as_damaged(small):
    raw = small.read_bytes()
    whole = samples_of(read_xdf(small))
    for size in range(len(MAGIC), len(raw), 3):
        small.write_bytes(raw[:size])
        file = read_xdf(small)
        assert file.verified == "damaged"
        assert any("bytes; it had" in p for p in file.problems)
        for name, found in samples_of(file).items():
            assert found == whole[name][: len(found)]


@pytest.mark.slow
def test_a_flipped_byte_in_a_closed_file_is_found_and_no_altered_value_comes_through(small):
    raw = small.read_bytes()
    whole = {name: set(s) for name, s in samples_of(read_xdf(small)).items()}
    for at in range(len(raw)):
        flip = (0x01, 0x80, 0xFF)[at % 3]
        small.write_bytes(raw[:at] + bytes((raw[at] ^ flip,)) + raw[at + 1 :])
        try:
            file = read_xdf(small)
        except RecordingError as error:
            assert at < len(MAGIC) and "is not an XDF file" in str(error)  # noqa: PT017, PT018
            continue
        assert file.verified == "damaged"
        assert file.problems
        for name, found in samples_of(file).items():
            assert set(found) <= whole[name], f"byte {at} flipped by {flip}"


def test_a_flipped_byte_costs_only_its_block(tmp_path):
    path = tmp_path / "long.xdf"
    values = np.random.default_rng(0).normal(size=(40_000, 8)).astype(np.float32)
    with XdfWriter(path) as writer:
        stream = writer.add_stream(header("eeg", "float32", 8, 250))
        for k in range(0, len(values), 25):
            writer.write(stream, values[k : k + 25], np.arange(k, k + 25) / 250)
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    file = read_xdf(path)
    assert file.verified == "damaged"
    assert 0 < len(values) - len(file.streams[0]) < 1000
    index = np.round(file.streams[0].stamps * 250).astype(int)
    assert np.array_equal(file.streams[0].values, values[index])


@pytest.mark.slow
def test_a_flipped_byte_without_a_sidecar_is_an_error_or_reported_as_unverified(small):
    sidecar_path(small).unlink()
    raw = small.read_bytes()
    with little_memory():
        for at in range(len(raw)):
            flip = (0x01, 0x80, 0xFF)[at % 3]
            small.write_bytes(raw[:at] + bytes((raw[at] ^ flip,)) + raw[at + 1 :])
            found = attempt(small)
            if isinstance(found, RecordingError):
                assert str(small) in str(found)
                continue
            assert found.verified in ("unverified", "damaged")
            assert all(len(samples) <= N for samples in samples_of(found).values())


@pytest.mark.slow
def test_framing_damage_without_a_sidecar_lets_no_false_value_through(small):
    """Bytes outside sample values and stamps: lengths, counts, tags and marks."""
    sidecar_path(small).unlink()
    raw = small.read_bytes()
    whole = {name: set(s) for name, s in samples_of(read_xdf(small)).items()}
    ends = sample_ends(raw)
    data = {b for end in ends["eeg"] for b in range(end - 12, end)}
    for end, (word,) in zip(ends["cues"], texts()[0], strict=True):
        value = end - len(word)
        data |= {*range(value, end), *range(value - 10, value - 2)}
    first = raw.index(struct.pack("<I", 1) + varlen(6))
    for at, flip in itertools.product(range(first, len(raw)), (0x01, 0x02, 0x08, 0xFF)):
        if at in data:
            continue
        small.write_bytes(raw[:at] + bytes((raw[at] ^ flip,)) + raw[at + 1 :])
        found = attempt(small)
        if not isinstance(found, RecordingError):
            for name, samples in samples_of(found).items():
                assert set(samples) <= whole[name], f"byte {at} flipped by {flip}"


def stream_header(stream_id, xml):
    return chunk(Tag.STREAM_HEADER, struct.pack("<I", stream_id) + xml.encode())


GOOD = stream_header(1, header("eeg", "float32", 8, 250))
BOMB = '<?xml version="1.0"?><!DOCTYPE info [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {chr(98 + k)} "{f"&{chr(97 + k)};" * 10}">' for k in range(9)
)
HOSTILE = {
    "a DOCTYPE bomb": (stream_header(1, BOMB + "]><info><name>&j;</name></info>"), "DOCTYPE"),
    "1e9 channels": (stream_header(1, header("eeg", "float32", 10**9, 250)), "channel_count = 1e"),
    "no channels": (stream_header(1, header("eeg", "float32", 0, 250)), "channel_count = 0"),
    "a fraction of a channel": (stream_header(1, header("eeg", "float32", 1.5, 250)), "channel_count = 1.5"),
    "a negative rate": (stream_header(1, header("eeg", "float32", 8, -250)), "nominal_srate = -250"),
    "a rate that is no number": (stream_header(1, header("eeg", "float32", 8, "nan")), "nominal_srate = 'nan'"),
    "an unknown format": (stream_header(1, header("eeg", "complex", 8, 250)), "channel_format = 'complex'"),
    "a stream twice": (GOOD + GOOD, "contains this stream already"),
    "a header that is no XML": (stream_header(1, "<info><name>"), "XML is damaged"),
    "a header of a million elements": (stream_header(1, "<info>" + "<a/>" * 1_000_000 + "</info>"), "XML elements"),
    "a header of 50 MB": (stream_header(1, "<info>" + "x" * 50_000_000 + "</info>"), "at most"),
    "a header nested without end": (stream_header(1, "<a>" * 190_000), "nested levels"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_headers_are_refused_within_a_second_and_100_mb(tmp_path, name):
    raw, message = HOSTILE[name]
    path = tmp_path / "hostile.xdf"
    path.write_bytes(MAGIC + raw)
    error = read_bounded(path)
    assert isinstance(error, RecordingError)
    assert message in str(error)


def claims(count_field, content=b"\x08" + bytes(40)):
    return GOOD + chunk(Tag.SAMPLES, struct.pack("<I", 1) + count_field + content) + chunk(Tag.BOUNDARY, SIGNATURE)


ODD = {
    "a count of 4 billion": claims(b"\x04\xff\xff\xff\xff"),
    "a count of 2**64 - 1": claims(b"\x08" + b"\xff" * 8),
    "a chunk longer than any file": GOOD + b"\x08" + b"\xff" * 8 + b"\x03\x00" + bytes(100),
    "a stamp of 7 bytes": claims(b"\x01\x01", b"\x07" + bytes(39)),
    "samples without a header": chunk(Tag.SAMPLES, struct.pack("<I", 9) + b"\x01\x01" + bytes(41)) + GOOD,
    "text longer than the file": stream_header(1, header("cues", "string", 1, 0))
    + chunk(Tag.SAMPLES, struct.pack("<I", 1) + b"\x01\x01\x00\x08" + b"\xff" * 8),
    "chunks of no length": GOOD + b"\x01\x00" * 5000,
    "nothing but zeros": GOOD + bytes(1_000_000),
    "nothing but boundaries": GOOD + chunk(Tag.BOUNDARY, SIGNATURE) * 20_000,
    "broken chunks between boundaries": GOOD + (b"\x03" + chunk(Tag.BOUNDARY, SIGNATURE)) * 20_000,
    "chunks of an unknown kind": GOOD + chunk(99, b"abc") * 5000,  # type: ignore[arg-type]
    "an offset that is no number": GOOD + chunk(Tag.CLOCK_OFFSET, struct.pack("<Idd", 1, 1.0, float("nan"))),
    "a footer with a DOCTYPE": GOOD + chunk(Tag.STREAM_FOOTER, struct.pack("<I", 1) + BOMB.encode() + b"]><info>&j;</info>"),
    "a footer with a million digits": GOOD
    + chunk(Tag.STREAM_FOOTER, struct.pack("<I", 1) + b"<info><sample_count>" + b"9" * 1_000_000 + b"</sample_count></info>"),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_content_gives_no_sample_within_a_second_and_100_mb(tmp_path, name):
    path = tmp_path / "odd.xdf"
    path.write_bytes(MAGIC + ODD[name])
    file = read_bounded(path)
    assert all(len(s) == 0 and len(s.offsets) == 0 for s in file.streams)
    assert file.problems or name == "nothing but boundaries"
    assert len(file.problems) <= 102


def test_a_file_with_markers_only_is_read(tmp_path):
    path = tmp_path / "markers.xdf"
    with XdfWriter(path) as writer:
        writer.write(writer.add_stream(header("cues", "string", 1, 0)), [["go"]], np.array([1.5]))
    assert samples_of(read_xdf(path)) == {"cues": [(1.5, "go")]}


def test_reading_stays_within_bounds_where_the_file_claims_much(tmp_path):
    """264 bytes that cost another reader 12 s and 1.7 GB."""
    path = tmp_path / "claims.xdf"
    path.write_bytes((MAGIC + claims(b"\x04\x00\x00\x00\x0c"))[:264])
    assert len(read_bounded(path).streams[0]) <= 1


def test_salvage_recovers_all_but_the_damaged_chunk_and_leaves_the_old_file_alone(small, tmp_path):
    raw = bytearray(small.read_bytes())
    whole = samples_of(read_xdf(small))
    sidecar_path(small).unlink()
    at = sample_ends(bytes(raw))["eeg"][7] - 12 - 1
    raw[at] = 77  # the mark of the second sample of the second chunk
    small.write_bytes(raw)
    result = salvage(small, tmp_path / "new.xdf")
    assert small.read_bytes() == raw
    new = read_xdf(tmp_path / "new.xdf")
    assert new.closed
    assert new.verified == "verified"
    assert samples_of(new) == {"eeg": whole["eeg"][:6] + whole["eeg"][12:], "cues": whole["cues"]}
    assert result.recovered == {"eeg (1)": N - 6, "cues (2)": N}
    assert result.missing == {"eeg (1)": 6}
    assert "sample 1 of 6 is damaged" in result.problems[0]
    with pytest.raises(RecordingError, match="never overwritten"):
        salvage(small, tmp_path / "new.xdf")


def test_salvage_of_a_file_cut_anywhere_gives_what_the_reader_gives(small, tmp_path):
    raw = small.read_bytes()
    sidecar_path(small).unlink()
    for size in range(500, len(raw), 97):
        small.write_bytes(raw[:size])
        new = tmp_path / f"{size}.xdf"
        salvage(small, new)
        assert samples_of(read_xdf(new)) == samples_of(read_xdf(small))
        assert read_xdf(new).verified == "verified"


def test_salvage_goes_on_without_a_stream_whose_header_is_damaged(small, tmp_path):
    whole = samples_of(read_xdf(small))
    sidecar_path(small).unlink()
    raw = small.read_bytes().replace(b"int16", b"int17")
    small.write_bytes(raw)
    with pytest.raises(RecordingError, match="int17"):
        read_xdf(small)
    salvage(small, tmp_path / "new.xdf")
    assert samples_of(read_xdf(tmp_path / "new.xdf")) == {"cues": whole["cues"]}
