"""Faults do what they say, whichever way the source is read."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from bci.engine.chunk import Chunk
from bci.errors import ConfigError, StreamLost, StreamMismatch
from bci.stream.clock import VirtualClock
from devices.faulty import Bridged, FaultySource, Gain, Garbage, PermutedLabels, SourceFault, Stuck
from devices.loss_faults import Gap, Loss, Silence, Stall
from devices.simulated import SimulatedSettings, SimulatedSubject
from devices.stamp_faults import BackDated, ClockDrift, Jitter, StampJump, StampValue, rate_ppm

RATE_HZ, START_S = 125.0, 100.0


def chunks(faults: Sequence[SourceFault], chunk: int = 10, seconds: float = 12.0, seed: int = 0) -> list[Chunk]:
    """All that comes of a subject with three channels."""
    clock = VirtualClock(START_S)
    settings = SimulatedSettings(channels=3, rate_hz=RATE_HZ, chunk=chunk)
    source = FaultySource(SimulatedSubject(settings, clock), faults, seed)
    found = []
    while clock.now() < START_S + seconds - 1e-9:
        piece = source.read(START_S + seconds - clock.now())
        if piece is not None:
            found.append(piece)
    return found


def joined(pieces: list[Chunk]) -> Chunk:
    return Chunk(np.concatenate([p.data for p in pieces]), np.concatenate([p.stamps for p in pieces]))


@pytest.fixture(scope="module")
def healthy() -> Chunk:
    return joined(chunks([]))


FAULTS: dict[str, tuple[SourceFault, ...]] = {
    "none": (),
    "loss": (Loss(0.1),),
    "burst loss": (Loss(0.1, burst=7),),
    "loss for a while": (Loss(0.5, start_s=2.0, stop_s=4.0),),
    "gap": (Gap(3.0, 3.5),),
    "NaN": (Stuck(np.nan, 2.0, 2.5, ("C3",)),),
    "bridged": (Bridged("C3", "C4", 1.0, 9.0),),
    "gain": (Gain(1e6, 3.0),),
    "garbage": (Garbage(5.0),),
    "jump": (StampJump(3.7, 5.0),),
    "stamps NaN": (StampValue(np.nan, 5.0, 6.0),),
    "stamps repeated": (StampValue(None, 5.0, 6.0),),
    "back-dated": (BackDated(0.3, packet=12),),
    "jitter": (Jitter(0.01),),
    "drift": (ClockDrift(5000.0, start_s=2.0),),
    "many": (Loss(0.05, burst=3), BackDated(0.2), Stuck(0.0, 4.0, 6.0, ("Cz",)), StampJump(-20.0, 8.0)),
}


@pytest.mark.parametrize("name", FAULTS)
def test_chunks_do_not_change_what_a_fault_does(name: str) -> None:
    one, other, tiny = (joined(chunks(FAULTS[name], chunk)) for chunk in (10, 250, 1))
    n = min(len(one), len(other), len(tiny))
    assert n > 600
    for chunk in (other, tiny):
        assert one.data[:n].tobytes() == chunk.data[:n].tobytes()
        assert one.stamps[:n].tobytes() == chunk.stamps[:n].tobytes()


def test_no_fault_changes_nothing_and_the_source_behind_is_not_touched(healthy: Chunk) -> None:
    clock = VirtualClock(START_S)
    direct = SimulatedSubject(SimulatedSettings(channels=3, rate_hz=RATE_HZ), clock)
    clock.wait_until(START_S + 12.0)
    chunk = direct.read(0.0)
    assert chunk is not None
    assert chunk.data[: len(healthy)].tobytes() == healthy.data.tobytes()


def test_seed_decides_what_is_lost() -> None:
    first, again, other = (joined(chunks([Loss(0.2)], seed=seed)).stamps for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(("fraction", "burst"), [(0.01, 1), (0.05, 5), (0.2, 3)])
def test_loss_is_of_the_stated_size_and_leaves_stamps_of_the_rest_alone(fraction: float, burst: int) -> None:
    got, whole = joined(chunks([Loss(fraction, burst)], 125, 120.0)), joined(chunks([], 125, 120.0))
    lost = ~np.isin(whole.stamps, got.stamps)
    expected = fraction * len(whole)
    assert abs(lost.sum() - expected) < 4 * np.sqrt(expected * burst)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], lost.astype(int), [0]))))
    assert (edges[1::2] - edges[::2])[:-1].min() == burst
    assert whole.data[~lost].tobytes() == got.data.tobytes()


def test_gap_takes_all_samples_between_two_times(healthy: Chunk) -> None:
    got = joined(chunks([Gap(3.0, 3.5)]))
    missing = np.setdiff1d(healthy.stamps, got.stamps) - START_S
    assert len(missing) == 63
    assert 3.0 <= missing.min() < missing.max() < 3.5


def test_stall_ends_in_one_contiguous_burst(healthy: Chunk) -> None:
    pieces = chunks([Stall(3.0, 9.0)])
    assert joined(pieces).stamps.tobytes() == healthy.stamps.tobytes()
    assert joined(pieces).data.tobytes() == healthy.data.tobytes()
    assert max(len(p) for p in pieces) > 6 * RATE_HZ
    assert not any(3.05 < p.stamps[-1] - START_S < 8.95 for p in pieces)


def test_silence_says_nothing_or_raises() -> None:
    assert joined(chunks([Silence(3.0)])).stamps[-1] - START_S < 3.0
    with pytest.raises(StreamLost, match="gone after 3 s"):
        chunks([Silence(3.0, raises=True)])


@pytest.mark.parametrize("value", [0.0, 187_500.0, np.nan, np.inf])
def test_stuck_channels_show_one_value_for_a_while(value: float, healthy: Chunk) -> None:
    data = joined(chunks([Stuck(value, 2.0, 4.0, ("cz",))])).data
    np.testing.assert_array_equal(data[250:500, 1], value)
    data[250:500, 1] = healthy.data[250:500, 1]
    assert data.tobytes() == healthy.data.tobytes()


def test_stuck_without_channels_means_all() -> None:
    assert np.isnan(joined(chunks([Stuck(np.nan, 2.0, 2.008)])).data[250]).all()


def test_bridged_channels_are_equal(healthy: Chunk) -> None:
    data = joined(chunks([Bridged("C3", "C4")])).data
    assert np.array_equal(data[:, 0], data[:, 2])
    np.testing.assert_allclose(data[:, 0], healthy.data[:, [0, 2]].mean(axis=1))
    assert np.array_equal(data[:, 1], healthy.data[:, 1])


def test_unit_error_multiplies(healthy: Chunk) -> None:
    np.testing.assert_array_equal(joined(chunks([Gain(1e6)])).data, healthy.data * 1e6)


def test_garbage_is_one_sample_of_any_bits(healthy: Chunk) -> None:
    data = joined(chunks([Garbage(5.0)])).data
    assert np.flatnonzero((data != healthy.data).any(axis=1)).tolist() == [624]


@pytest.mark.parametrize("by_s", [3.7, 20.0, -20.0, 200_000.0])
def test_stamps_jump_and_stay(by_s: float, healthy: Chunk) -> None:
    got = joined(chunks([StampJump(by_s, 5.0)]))
    np.testing.assert_allclose(got.stamps - healthy.stamps, np.where(np.arange(len(got)) < 625, 0.0, by_s), atol=1e-9)
    assert got.data.tobytes() == healthy.data.tobytes()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_stamps_may_be_no_number(value: float) -> None:
    stamps = joined(chunks([StampValue(value, 5.0, 6.0)])).stamps
    np.testing.assert_array_equal(stamps[625:750], value)
    assert np.isfinite(stamps[[624, 750]]).all()


def test_stamps_may_be_repeated(healthy: Chunk) -> None:
    stamps = joined(chunks([StampValue(None, 5.0, 6.0)])).stamps
    assert set(stamps[625:750]) == {healthy.stamps[624]}


def test_back_dated_stamps_run_backwards_between_packets_only(healthy: Chunk) -> None:
    stamps = joined(chunks([BackDated(0.3, packet=25)])).stamps
    steps = np.diff(stamps)
    inside = (np.arange(len(steps)) + 1) % 25 != 0
    np.testing.assert_allclose(steps[inside], 1 / RATE_HZ, atol=1e-9)
    assert (steps < -0.05).sum() > 10
    assert np.abs(stamps - healthy.stamps).max() <= 0.3


def test_jitter_has_the_stated_size(healthy: Chunk) -> None:
    error = joined(chunks([Jitter(0.01)])).stamps - healthy.stamps
    assert 0.009 < error.std() < 0.011


def test_drift_changes_the_effective_rate() -> None:
    stamps = joined(chunks([ClockDrift(rate_ppm(125.0, 120.0))])).stamps
    np.testing.assert_allclose(np.diff(stamps), 1 / 120.0, rtol=1e-6)
    late = joined(chunks([ClockDrift(rate_ppm(125.0, 120.0), start_s=6.0)])).stamps
    np.testing.assert_allclose(np.diff(late)[:749], 1 / 125.0, rtol=1e-6)
    np.testing.assert_allclose(np.diff(late)[751:], 1 / 120.0, rtol=1e-6)


def test_permuted_labels_are_declared_while_samples_stay(healthy: Chunk) -> None:
    subject = SimulatedSubject(SimulatedSettings(channels=3, rate_hz=RATE_HZ), VirtualClock(START_S))
    source = FaultySource(subject, [PermutedLabels(("C4", "C3", "Cz"))])
    chunk = source.read(1.0)
    assert source.info.labels == ("C4", "C3", "Cz")
    assert chunk is not None
    assert np.array_equal(chunk.data, healthy.data[: len(chunk)])


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: Loss(1.0), ConfigError),
        (lambda: Loss(0.1, burst=0), ConfigError),
        (lambda: FaultySource(SimulatedSubject(clock=VirtualClock()), [Stuck(0.0, 0.0, channels=("Q9",))]), StreamMismatch),
        (lambda: FaultySource(SimulatedSubject(clock=VirtualClock()), [PermutedLabels(("C3",))]), ConfigError),
    ],
)
def test_impossible_faults_are_refused_at_the_start(make: Callable[[], object], error: type[Exception]) -> None:
    with pytest.raises(error):
        make()
