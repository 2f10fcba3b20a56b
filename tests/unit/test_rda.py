"""BrainVision Recorder as a source: samples, losses, markers, and ends of all kinds."""

import time
import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest
import rda_server as rda
from rda_server import RdaServer

from bci.engine.chunk import Chunk
from bci.engine.continuity import Continuity
from bci.errors import ConfigError, StreamError, StreamLost, StreamNotFound
from devices.rda import RdaSettings, RdaSource

pytestmark = pytest.mark.live

LABELS = ("C3", "Cz", "HEOG")
RESOLUTIONS = (0.1, 0.1, 0.5)
START = rda.start(LABELS, 250.0, RESOLUTIONS)
RAW = np.random.default_rng(0).integers(-300, 300, (500, 3)).astype(np.int16)


@pytest.fixture
def server() -> Iterator[RdaServer]:
    with RdaServer(START) as running:
        yield running


@pytest.fixture
def source(server: RdaServer) -> Iterator[RdaSource]:
    opened = RdaSource(RdaSettings(port=server.port))
    yield opened
    opened.close()


def blocks(first: int, last: int, n_points: int = 5) -> bytes:
    """Blocks with these numbers, of consecutive samples."""
    return b"".join(rda.block(k, RAW[(k - 1) * n_points : k * n_points]) for k in range(first, last + 1))


def read(source: RdaSource, n_samples: int) -> Chunk:
    pieces: list[Chunk] = []
    while sum(map(len, pieces)) < n_samples:
        chunk = source.read(2.0)
        assert chunk is not None, "nothing came"
        pieces.append(chunk)
    return Chunk(np.concatenate([p.data for p in pieces]), np.concatenate([p.stamps for p in pieces]))


def test_info_is_what_recorder_says(source: RdaSource, server: RdaServer) -> None:
    assert (source.info.rate_hz, source.info.labels, source.info.sample_clock) == (250.0, LABELS, True)
    assert [c.type for c in source.info.channels] == ["EEG", "EEG", "EOG"]
    assert source.info.source_id == f"bci-brainvision-rda-127.0.0.1-{server.port}"


def test_samples_arrive_exact_and_in_order(source: RdaSource, server: RdaServer) -> None:
    server.send(blocks(1, 20))
    got = read(source, 100)
    np.testing.assert_array_equal(got.data, RAW[:100] * np.array(RESOLUTIONS))
    np.testing.assert_allclose(np.diff(got.stamps) * 250, 1.0, atol=1e-3)
    assert source.read(0.0) is None
    assert source.lost == 0


@pytest.mark.parametrize("missing", [1, 3, 30])
def test_blocks_that_recorder_left_out_are_counted_and_are_a_gap_in_the_stamps(
    source: RdaSource, server: RdaServer, missing: int
) -> None:
    server.send(blocks(1, 10), blocks(11 + missing, 20 + missing))
    got = read(source, 100)
    assert source.lost == 5 * missing
    np.testing.assert_allclose(np.diff(got.stamps)[49] * 250, 1 + 5 * missing, atol=1e-2)
    continuity = Continuity(250.0, sample_clock=True)
    continuity.push(got)
    assert continuity.lost == 5 * missing


def test_block_counter_may_wrap(source: RdaSource, server: RdaServer) -> None:
    for number in (2**32 - 2, 2**32 - 1, 0, 1):
        server.send(rda.block(number, RAW[:5]))
    read(source, 20)
    assert source.lost == 0


def test_a_block_counter_that_goes_back_is_refused(source: RdaSource, server: RdaServer) -> None:
    server.send(blocks(5, 5), blocks(4, 4))
    read(source, 5)
    with pytest.raises(StreamError, match="block 4 came after block 5"):
        source.read(1.0)


def test_markers_become_texts_at_the_stamp_of_their_sample(source: RdaSource, server: RdaServer) -> None:
    sent = [rda.marker(3, "Stimulus", "S  1"), rda.marker(0, "Comment", "eyes closed")]
    server.send(rda.block(1, RAW[:5]), rda.block(2, RAW[5:10], sent))
    got = read(source, 10)
    heard = source.markers()
    assert [text for text, _ in heard] == ["Stimulus/S  1", "Comment/eyes closed"]
    np.testing.assert_allclose([stamp for _, stamp in heard], got.stamps[[8, 5]], atol=1e-5)
    assert source.markers() == []


def test_recorder_stopped_and_started_again_goes_on_after_a_gap(source: RdaSource, server: RdaServer) -> None:
    server.send(blocks(1, 4))
    before = read(source, 20)
    server.send(rda.STOP)
    assert source.read(0.4) is None
    server.send(START, blocks(1, 4))
    after = read(source, 20)
    assert after.stamps[0] - before.stamps[-1] > 0.25  # 0.4 s, less what was sent ahead of its time
    whole = (after.stamps[0] - before.stamps[-1]) * 250
    assert abs(whole - round(whole)) < 1e-2


def test_recorder_started_again_with_another_set_up_is_lost(source: RdaSource, server: RdaServer) -> None:
    server.send(rda.STOP, rda.start(("C3", "Cz"), 500.0, (0.1, 0.1)))
    with pytest.raises(StreamLost, match="2 channels at 500 Hz"):
        source.read(2.0)


def test_a_closed_connection_delivers_what_came_and_then_is_lost(source: RdaSource, server: RdaServer) -> None:
    server.send(blocks(1, 2))
    server.hang_up()
    assert len(read(source, 10)) == 10
    with pytest.raises(StreamLost, match="10 samples had come from the stream 'brainvision'"):
        source.read(2.0)


@pytest.mark.alone
def test_nothing_to_read_returns_in_time(source: RdaSource, server: RdaServer) -> None:
    for timeout_s in (0.0, 0.2):
        server.send(rda.KEEP_ALIVE)
        begin = time.monotonic()
        assert source.read(timeout_s) is None
        assert timeout_s <= time.monotonic() - begin < timeout_s + 0.3


def test_nobody_there_is_told_with_address_and_remedy() -> None:
    with RdaServer() as gone:
        port = gone.port
    with pytest.raises(StreamNotFound, match=rf"BrainVision Recorder at 127.0.0.1:{port}.*--set host="):
        RdaSource(RdaSettings(port=port, timeout_s=1.0))


def test_recorder_that_does_not_monitor_is_told() -> None:
    with RdaServer(rda.KEEP_ALIVE) as server, pytest.raises(StreamNotFound, match="start monitoring in Recorder"):
        RdaSource(RdaSettings(port=server.port, timeout_s=0.3))


@pytest.mark.parametrize("greeting", [b"220 mail.example.org ESMTP\r\n", rda.GUID + b"\xff" * 8, START[:-30] + b"\0" * 60])
def test_another_server_on_the_port_is_refused_within_a_second(greeting: bytes) -> None:
    with RdaServer(greeting) as server:
        begin = time.monotonic()
        with pytest.raises(StreamError):
            RdaSource(RdaSettings(port=server.port, timeout_s=0.8))
        assert time.monotonic() - begin < 1.0


def test_a_message_that_never_ends_does_not_fill_the_memory(source: RdaSource, server: RdaServer) -> None:
    tracemalloc.start()
    server.send(rda.GUID + (16_000_000).to_bytes(4, "little") + (4).to_bytes(4, "little") + b"\0" * 500_000)
    for _ in range(20):
        assert source.read(0.02) is None
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6


def test_wrong_settings_are_told_together() -> None:
    with pytest.raises(ConfigError) as caught:
        RdaSource.from_settings({"prt": "1", "port": "none", "timeout_s": "x"})
    assert len(caught.value.problems) == 3
    with pytest.raises(ConfigError) as caught:
        RdaSource.from_settings({"port": "70000", "timeout_s": "-1", "name": ""})
    assert len(caught.value.problems) == 3
