"""Cyton: bytes at their times of arrival to chunks, on a virtual clock; settings."""

from collections.abc import Iterator

import numpy as np
import pytest

from bci.engine.chunk import Chunk
from bci.engine.continuity import Continuity
from bci.errors import ConfigError
from devices.cyton import Cyton, CytonPacketDecoder
from devices.cyton_protocol import encode, microvolts_per_count
from devices.cyton_settings import CytonSettings, read_options, stream_info

START_S = 1000.0
PERIOD_S = 0.004


def value(number: int) -> np.ndarray:
    """Of packet ``number``: each channel its own slope, so that a value tells where it came from."""
    return (np.arange(1, 9) * 100_000 + number % 90_000).astype(np.int32)


def feed(decoder: CytonPacketDecoder, numbers: Iterator[int] | range, kept: np.ndarray | None = None, burst: int = 4) -> Chunk:
    """Packets in bursts, each at the time of its last packet, 5 ms late."""
    chunks, data = [], b""
    for i, number in enumerate(numbers):
        if kept is None or kept[i]:
            data += encode(number, value(number))
        if number % burst == burst - 1:
            chunk = decoder(data, START_S + number * PERIOD_S + 0.005)
            data = b""
            if chunk is not None:
                chunks.append(chunk)
    return Chunk(np.concatenate([c.data for c in chunks]), np.concatenate([c.stamps for c in chunks]))


def placed(chunk: Chunk, rate_hz: float) -> tuple[Continuity, np.ndarray]:
    """The engine's view: indices of the samples."""
    continuity = Continuity(rate_hz, sample_clock=True)
    pieces = continuity.push(chunk)
    real = [np.arange(p.start, p.start + len(p))[~p.bridged if p.bridged is not None else slice(None)] for p in pieces]
    return continuity, np.concatenate(real)


def settings(**changed: object) -> CytonSettings:
    return CytonSettings(port="none", **changed)  # type: ignore[arg-type]


@pytest.mark.parametrize("share", [0.01, 0.2])
def test_lost_packets_become_gaps_that_the_engine_counts_exactly(share: float) -> None:
    rng = np.random.default_rng(3)
    kept = rng.random(20_000) >= share
    kept[:400] = kept[-1] = True
    decoder = CytonPacketDecoder(settings())
    chunk = feed(decoder, range(20_000), kept)
    assert decoder.lost == np.count_nonzero(~kept)
    continuity, indices = placed(chunk, 250.0)
    assert continuity.lost == decoder.lost
    numbers = np.round(chunk.data[:, 0] / microvolts_per_count(24)).astype(int) - 100_000
    assert (indices - indices[0]).tolist() == (numbers - numbers[0]).tolist()


@pytest.mark.parametrize("share", [0.01, 0.2])
def test_a_daisys_losses_are_gaps_of_samples_of_16_channels(share: float) -> None:
    rng = np.random.default_rng(4)
    kept = rng.random(20_000) >= share
    kept[:800] = kept[-4:] = True
    decoder = CytonPacketDecoder(settings(daisy=True))
    chunk = feed(decoder, range(20_000), kept)
    got = kept[1:-1].reshape(-1, 2).sum(axis=1)
    assert decoder.lost == np.count_nonzero(got == 0)
    assert decoder.halves == np.count_nonzero(got == 1)
    continuity, _ = placed(chunk, 125.0)
    assert continuity.lost == decoder.lost + decoder.halves
    assert chunk.data.shape[1] == 16
    halves = np.round(chunk.data[:, [0, 8]] / microvolts_per_count(24)).astype(int)
    assert (halves[:, 1] == halves[:, 0] + 1).all()


@pytest.mark.parametrize("daisy", [False, True])
@pytest.mark.parametrize("lost", [256, 512, 700, 1024])
def test_a_silence_tells_how_often_the_counter_went_round(lost: int, daisy: bool) -> None:
    decoder = CytonPacketDecoder(settings(daisy=daisy))
    kept = np.ones(6000, dtype=bool)
    kept[3000 : 3000 + lost] = False
    chunk = feed(decoder, range(6000), kept)
    assert decoder.lost + decoder.halves == pytest.approx(lost / (2 if daisy else 1), abs=1)
    continuity, _ = placed(chunk, decoder_rate(daisy))
    assert continuity.lost == decoder.lost + decoder.halves


def decoder_rate(daisy: bool) -> float:
    return settings(daisy=daisy).rate_hz


def test_a_reader_that_was_stopped_and_gets_the_backlog_at_once_counts_nothing_lost() -> None:
    decoder = CytonPacketDecoder(settings())
    feed(decoder, range(2000))
    backlog = b"".join(encode(n, value(n)) for n in range(2000, 4000))
    chunk = decoder(backlog, START_S + 4000 * PERIOD_S + 0.005)
    assert chunk is not None
    assert (len(chunk), decoder.lost) == (2000, 0)
    feed(decoder, range(4000, 5000))
    assert decoder.lost == 0


@pytest.mark.parametrize("kept", [40, 125, 600])
@pytest.mark.parametrize("lost", [200, 300, 1000])
def test_what_did_not_fit_into_the_buffer_of_a_stopped_reader_is_missing_behind_it(kept: int, lost: int) -> None:
    decoder = CytonPacketDecoder(settings())
    first = feed(decoder, range(2000))
    alive = 2000 + kept + lost
    backlog = decoder(b"".join(encode(n, value(n)) for n in range(2000, 2000 + kept)), START_S + alive * PERIOD_S)
    later = feed(decoder, range(alive, 6000))
    assert backlog is not None
    assert decoder.lost == lost
    data = np.concatenate([first.data, backlog.data, later.data])
    stamps = np.concatenate([first.stamps, backlog.stamps, later.stamps])
    numbers = np.round(data[:, 0] / microvolts_per_count(24)).astype(int)
    assert np.round((stamps - stamps[0]) * 250).astype(int).tolist() == (numbers - numbers[0]).tolist()


def test_acceleration_is_held_between_its_values() -> None:
    decoder = CytonPacketDecoder(settings(acceleration=True))
    chunks = []
    for n in range(400):
        aux = bytes((0x08, 0x00, 0xF8, 0x00, 0x00, n // 10)) if n % 10 == 0 else bytes(6)
        chunk = decoder(encode(n, value(n), aux), START_S + n * PERIOD_S)
        if chunk is not None:
            chunks.append(chunk)
    data = np.concatenate([c.data for c in chunks])
    assert data.shape[1] == 11
    np.testing.assert_allclose(data[:, 8], 0.256)
    numbers = np.round(data[:, 0] / microvolts_per_count(24)).astype(int) - 100_000
    np.testing.assert_allclose(data[:, 10], numbers // 10 * 0.002 / 16)


def test_each_channel_has_its_own_gain() -> None:
    decoder = CytonPacketDecoder(settings(gain=(1, 2, 4, 6, 8, 12, 24, 24)))
    chunk = feed(decoder, range(400))
    scale = [microvolts_per_count(g) for g in (1, 2, 4, 6, 8, 12, 24, 24)]
    counts = chunk.data / scale
    np.testing.assert_allclose(counts, np.round(counts), atol=1e-6)
    assert np.round(counts[0, 7] - counts[0, 0]) == 700_000


def test_options_are_read_from_text() -> None:
    read = read_options({"port": "COM3", "gain": "6", "off": "7,8", "daisy": "true", "channels": ["A", "B"], "silence_s": "2"})
    assert read == {"port": "COM3", "gain": (6,), "off": (7, 8), "daisy": True, "channels": ("A", "B"), "silence_s": 2.0}


def test_every_wrong_setting_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as told:
        CytonSettings(port="", channels=("a", "A"), gain=(3,), off=(9,), half="guess", silence_s=0.0)
    text = str(told.value)
    for word in ("port:", "8 labels", "unique", "gain = (3,)", "off = (9,)", "half = 'guess'", "silence_s = 0.0"):
        assert word in text
    with pytest.raises(ConfigError, match=r"rate_hz: the Cyton has no such setting"):
        Cyton.from_settings({"port": "x", "rate_hz": 500.0})


def test_the_stream_says_what_it_is() -> None:
    info = stream_info(settings(daisy=True, reference="A1"))
    assert (info.rate_hz, len(info.channels), info.reference, info.sample_clock) == (125.0, 16, "A1", True)
    assert info.channels[2].label == "C3"
    assert info.channels[2].position is not None
    assert stream_info(settings()).source_id != info.source_id


@pytest.mark.slow
def test_four_minutes_of_bytes_with_one_percent_lost_have_stamps_without_jitter_or_drift() -> None:
    rng, seconds, true_hz = np.random.default_rng(8), 240.0, 250.0 * (1 + 40e-6)
    packets = [encode(n, value(n)) for n in range(256)]
    kept = rng.random(int(seconds * true_hz)) >= 0.01
    kept[:400] = True
    decoder, done, stamps = CytonPacketDecoder(settings()), 0, []
    bursts = int(seconds / 0.0175)
    gaps_s = 0.016 + rng.exponential(5e-4, bursts) + 0.1 * (rng.random(bursts) < 0.01)
    for now_s in START_S + np.cumsum(gaps_s):
        end = min(int((now_s - 0.004 - START_S) * true_hz), len(kept))
        got = [n for n in range(done, end) if kept[n]]
        done = end
        chunk = decoder(b"".join([packets[n % 256] for n in got]), now_s)
        if chunk is not None:
            stamps.append(chunk.stamps)
    found = np.concatenate(stamps)
    taken = (START_S + np.flatnonzero(kept[:done]) / true_hz)[-len(found) :]
    error_ms = (found - taken) * 1e3
    assert np.ptp(error_ms) < 1.0
    tenth = len(error_ms) // 10
    assert abs(error_ms[-tenth:].mean() - error_ms[:tenth].mean()) < 0.3
    assert decoder.lost == np.count_nonzero(~kept[: np.flatnonzero(kept[:done])[-1]])
