"""The Cyton on a pseudo-terminal, with a board at the other end that speaks the documented bytes and misbehaves."""

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable

import numpy as np
import pytest

if os.name != "posix":
    pytest.skip("pseudo-terminals are POSIX", allow_module_level=True)

from fake_cyton import FakeCyton, fake_cyton, wave

from bci.engine.chunk import Chunk
from bci.engine.continuity import Continuity
from bci.errors import StreamError, StreamLost, StreamMismatch, StreamNotFound
from bci.stream.clock import LslClock
from bci.stream.lsl import LslSignalInlet, StreamQuery, local_clock, resolve
from devices.cyton import Cyton
from devices.cyton_board import CytonBoard
from devices.cyton_impedance import Electrode, measure
from devices.cyton_protocol import microvolts_per_count
from devices.cyton_settings import CytonSettings

pytestmark = pytest.mark.live
UV = microvolts_per_count(24)


def opened(board: FakeCyton, **options: object) -> Cyton:
    return Cyton.from_settings({"port": board.port, **options}, LslClock())


def read(source: Cyton, seconds: float) -> Chunk:
    """What comes within some seconds after the first sample."""
    chunks, until = [], time.monotonic() + 3.0
    while time.monotonic() < until:
        chunk = source.read(0.1)
        if chunk is not None:
            until = until if chunks else time.monotonic() + seconds
            chunks.append(chunk)
    return Chunk(np.concatenate([c.data for c in chunks]), np.concatenate([c.stamps for c in chunks]))


def number(row: np.ndarray) -> int:
    """Which packet of :func:`fake_cyton.wave` this row is."""
    return round(row[0] / UV)


def loses(share: float, first: int = 400) -> Callable[[int, bytes], bytes]:
    rng = np.random.default_rng(5)
    return lambda n, data: b"" if n > first and rng.random() < share else data


def test_what_the_board_measures_arrives_in_exact_microvolts() -> None:
    with fake_cyton() as board:
        source = opened(board)
        got = read(source, 1.0)
        source.close()
        first = number(got.data[0])
        truth = np.array([wave(first + i) for i in range(len(got))]) * UV
        np.testing.assert_array_equal(got.data, truth)
        assert source.lost == source.skipped == 0
        np.testing.assert_allclose(np.diff(got.stamps) * 250, 1.0, atol=1e-3)


@pytest.mark.parametrize("share", [0.01, 0.2])
def test_lost_packets_are_gaps_of_their_number(share: float) -> None:
    with fake_cyton(damage=loses(share)) as board:
        source = opened(board)
        got = read(source, 3.0)
        source.close()
        continuity = Continuity(250.0, sample_clock=True)
        continuity.push(got)
        first, last = number(got.data[0]), number(got.data[-1])
        assert continuity.lost == last - first + 1 - len(got)
        assert source.lost == continuity.lost
        assert source.lost > 0


def test_garbage_lost_bytes_and_torn_packets_cost_only_what_was_damaged() -> None:
    rng = np.random.default_rng(6)

    def damage(n: int, data: bytes) -> bytes:
        if n < 400 or n % 40:
            return data
        return (data[:7] + data[9:], b"\xa0$$$\xc0" + data, data[:20], rng.bytes(50) + data)[n // 40 % 4]

    with fake_cyton(damage=damage) as board:
        source = opened(board)
        got = read(source, 3.0)
        source.close()
        first = number(got.data[0])
        index = first + np.round((got.stamps - got.stamps[0]) * 250).astype(int)
        np.testing.assert_array_equal(got.data, np.array([wave(n) for n in index]) * UV)
        assert source.skipped > 0
        assert 0 < source.lost < 20


def test_daisy_gives_16_channels_and_counts_halves() -> None:
    with fake_cyton(daisy=True, damage=loses(0.02, 600)) as board:
        source = opened(board, daisy=True)
        got = read(source, 2.5)
        source.close()
        assert got.data.shape[1] == 16
        assert source.halves > 0
        n = number(got.data[0])
        assert n % 2 == 1
        np.testing.assert_array_equal(got.data[0], np.concatenate([wave(n), wave(n + 1)]) * UV)


def test_settings_reach_the_board_and_stop_is_clean() -> None:
    with fake_cyton(daisy=True) as board:
        source = opened(board, gain="12", off="3", srb1="true")
        assert not source.read(0.0)
        time.sleep(0.1)
        assert board.streaming
        source.close()
        source.close()
        time.sleep(0.05)
        assert not board.streaming
        assert b"c" in board.received  # eight channels were asked for, a Daisy is there
        assert b"x1050111X" in board.received
        assert b"x3150111X" in board.received


def test_a_board_that_still_streams_is_stopped_and_reset() -> None:
    with fake_cyton() as board:
        board.streaming = True
        source = opened(board)
        assert len(read(source, 0.3)) > 20
        source.close()


def test_an_unplugged_dongle_is_lost_at_once() -> None:
    with fake_cyton() as board:
        source = opened(board)
        read(source, 0.2)
        board.close()
        begin = time.monotonic()
        with pytest.raises(StreamLost, match="check that the dongle is plugged in"):
            read(source, 1.0)
        assert time.monotonic() - begin < 0.5
        source.close()


def test_a_board_that_falls_silent_is_lost_after_the_stated_time() -> None:
    with fake_cyton() as board:
        source = opened(board, silence_s=0.5)
        read(source, 0.2)
        board.silent = True
        with pytest.raises(StreamLost, match=r"sent no packet for 0\.5 s"):
            read(source, 2.0)
        source.close()


def places(chunks: list[Chunk]) -> tuple[list[int], list[int]]:
    """Where the stamps put each sample, and which packet it really is."""
    stamps, data = np.concatenate([c.stamps for c in chunks]), np.concatenate([c.data for c in chunks])
    first = number(data[0])
    return (first + np.round((stamps - stamps[0]) * 250).astype(int)).tolist(), np.round(data[:, 0] / UV).astype(int).tolist()


def test_a_dropout_longer_than_the_counter_is_counted_exactly_by_the_clock() -> None:
    with fake_cyton() as board:
        source = opened(board)
        before = read(source, 0.5)
        board.silent = True
        time.sleep(1.5)
        board.silent = False
        stamped, real = places([before, read(source, 0.5)])
        source.close()
        assert stamped == real
        assert source.lost == real[-1] - real[0] + 1 - len(real) > 256


@pytest.mark.parametrize("seconds", [0.4, 3.0])
def test_a_reader_that_stood_still_knows_what_it_missed(seconds: float) -> None:
    with fake_cyton() as board:
        source = opened(board)
        before = read(source, 0.5)
        time.sleep(seconds)  # the terminal's buffer holds about half a second
        stamped, real = places([before, read(source, 0.5)])
        source.close()
        assert stamped == real
        assert source.lost == real[-1] - real[0] + 1 - len(real)
        assert (source.lost > 0) == (seconds > 1)


@pytest.mark.parametrize(
    ("settings", "error", "told"),
    [
        ({"greeting": b""}, StreamNotFound, "nothing answers"),
        ({"greeting": b"hello$$$"}, StreamNotFound, "is not a Cyton"),
        ({"greeting": b"Failure: Communications timeout - Device failed to poll Host$$$"}, StreamNotFound, "the board does not"),
        ({"greeting": b"OpenBCI V3 16 channel\nADS1299 Device ID: 0x3E\n$$$"}, StreamMismatch, "older than version 2"),
    ],
)
def test_what_does_not_answer_like_a_cyton_is_told(settings: dict[str, bytes], error: type[StreamError], told: str) -> None:
    with fake_cyton(**settings) as board, pytest.raises(error, match=told):
        CytonBoard(board.port, answer_s=0.3)


def test_a_daisy_that_is_not_there_is_told() -> None:
    with fake_cyton() as board, pytest.raises(StreamMismatch, match="the board has no Daisy module"):
        opened(board, daisy=True)


def test_a_port_that_is_not_there_is_told() -> None:
    with pytest.raises(StreamNotFound, match="cannot be opened"):
        CytonBoard("no-such-port")


def test_impedance_is_measured_channel_by_channel_and_the_current_taken_off() -> None:
    ohm = np.array([5e3, 20e3, 60e3, 100e3, 300e3, 1e6, 3e6, 10e3])

    def tone(n: int) -> np.ndarray:
        volts = 6e-9 * (ohm + 2200) * np.sin(2 * np.pi * 31.2 * n * 0.004)
        return np.round(volts * 1e6 / UV).astype(np.int32)

    with fake_cyton(packet=tone) as board:
        found = measure(CytonSettings(port=board.port), Electrode.WET, inputs=(2, 5, 7), seconds=1.0, settle_s=0.1)
        assert [f.label for f in found] == ["Fp2", "P7", "O1"]
        np.testing.assert_allclose([f.ohm for f in found], ohm[[1, 4, 6]], rtol=0.02)
        assert [f.verdict for f in found] == ["good", "fair", "poor"]
        for command in (b"z201Z", b"z200Z", b"z701Z", b"z700Z"):
            assert command in board.received
        assert not board.streaming


def test_impedance_is_refused_while_the_board_streams_for_a_decoder() -> None:
    with fake_cyton() as board:
        source = opened(board)
        with pytest.raises(StreamNotFound, match="a running stream"):
            measure(CytonSettings(port=board.port), Electrode.WET, inputs=(1,))
        with pytest.raises(StreamError, match="during streaming"):
            source._board.command(b"z101Z")
        source.close()


def test_bci_stream_puts_the_board_on_lsl() -> None:
    name = f"cyton-{uuid.uuid4().hex[:8]}"
    with fake_cyton() as board:
        command = [sys.executable, "-m", "bci", "stream", "cyton", "--json", "--name", name, "--set", f"port={board.port}"]
        with subprocess.Popen([*command, "--parent-pipe"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            ready = json.loads(process.stdout.readline())
            inlet = LslSignalInlet(resolve(StreamQuery(name=name)))
            until, got = local_clock() + 3.0, []
            while local_clock() < until and sum(map(len, got)) < 250:
                chunk = inlet.pull(0.1)
                if chunk is not None:
                    got.append(chunk)
            age_s = local_clock() - got[-1].stamps[-1]
            inlet.close()
            process.communicate(timeout=5)
        assert ready["rate_hz"] == 250.0
        assert inlet.info.sample_clock
        assert sum(map(len, got)) >= 250
        assert 0 < age_s < 0.3
        assert not board.streaming
