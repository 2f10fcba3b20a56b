"""Recentring takes a drift of the signal out, without labels, within bounds, and never by how the stream was cut."""

from dataclasses import replace

import numpy as np
import pytest

from bci.engine.chunk import Chunk
from bci.engine.control_inputs import SwitchRecentring
from bci.engine.decoder import LiveDecoder
from bci.engine.engine import Engine, EngineSettings
from bci.engine.preprocessing import Preprocessing
from bci.engine.recentre import RecentreSettings, Recentring
from bci.engine.stream_info import Channel, StreamInfo
from bci.errors import ConfigError, ModelError
from bci.training.fit import fit_decoder

RATE, N, WINDOW, HOP = 250.0, 6, 250, 10
LABELS = tuple(f"E{i}" for i in range(N))
P = Preprocessing(RATE, LABELS, window=WINDOW, hop=HOP)
INFO = StreamInfo(RATE, tuple(Channel(x) for x in LABELS), sample_clock=True)


def scatter(samples: np.ndarray) -> np.ndarray:
    ones = np.ones((len(samples), 1))
    x = np.hstack((samples, ones))
    return (x.T @ x)[None]


def spd(rng: np.random.Generator) -> np.ndarray:
    a = rng.normal(size=(N, 3 * N))
    return 50 * a @ a.T / (3 * N)


def decoder() -> LiveDecoder:
    """Trained on two classes that differ in the power of two channels."""
    rng = np.random.default_rng(0)
    windows = rng.normal(0, 8, (40, 1, WINDOW, N))
    windows[::2, :, :, 0] *= 1.4
    windows[1::2, :, :, 1] *= 1.4
    return fit_decoder("ts-lr", windows, np.array(["left", "right"] * 20), P).decoder()


def noise(seconds: float, seed: int = 3) -> Chunk:
    n = round(seconds * RATE)
    return Chunk(np.random.default_rng(seed).normal(0, 10, (n, N)), np.arange(n) / RATE)


def test_the_matrices_begin_as_the_identity_and_bring_a_steady_drift_back_to_the_centre() -> None:
    rng = np.random.default_rng(0)
    centre = spd(rng)
    recentring = Recentring(RecentreSettings(memory=40, reach=5.0), centre[None])
    assert np.allclose(recentring.matrices[0], np.eye(N))
    mixed = rng.normal(size=(N, N)) * 0.1 + np.eye(N)
    drifted = mixed @ centre @ mixed.T
    root = np.linalg.cholesky(drifted)
    for _ in range(400):
        recentring(scatter(rng.normal(size=(4000, N)) @ root.T))
    moved = recentring.matrices[0] @ drifted @ recentring.matrices[0].T
    before = np.linalg.norm(drifted - centre)
    assert np.linalg.norm(moved - centre) < 0.1 * before


def test_the_mean_stops_at_its_reach_however_long_something_pulls() -> None:
    rng = np.random.default_rng(1)
    centre = spd(rng)
    recentring = Recentring(RecentreSettings(memory=5, reach=0.5), centre[None])
    for _ in range(200):
        recentring(scatter(rng.normal(size=(500, N)) @ np.linalg.cholesky(1e4 * centre).T))
    assert recentring.distance == pytest.approx(0.5, rel=1e-6)


def test_one_artefact_moves_the_mean_no_further_than_its_step_allows() -> None:
    rng = np.random.default_rng(2)
    centre = spd(rng)
    recentring = Recentring(RecentreSettings(memory=10, step=0.5, reach=5.0), centre[None])
    recentring(scatter(rng.normal(size=(500, N)) @ np.linalg.cholesky(1e8 * centre).T))
    assert recentring.distance <= 0.5 / 2 + 1e-9


def test_a_window_of_zeros_is_no_reason_to_move() -> None:
    recentring = Recentring(RecentreSettings(), spd(np.random.default_rng(3))[None])
    recentring(scatter(np.zeros((250, N))))
    assert recentring.distance == pytest.approx(0, abs=1e-9)


def test_however_the_stream_is_cut_recentred_outcomes_have_the_same_bits() -> None:
    settings = EngineSettings(recentre=RecentreSettings(on=True, memory=4))
    raw = noise(20)
    raw.data[2000:] *= 1.6

    def rows(size: int, eager: bool) -> bytes:
        engine, found = Engine(INFO, decoder(), settings), []
        for start in range(0, len(raw), size):
            found += engine.push(Chunk(raw.data[start : start + size], raw.stamps[start : start + size]))
            if eager:
                engine.prepare()
        assert engine.adaptation.recentred is not None
        assert engine.adaptation.recentred > 0.1
        return b"".join(o.row(N).tobytes() for o in found)

    assert rows(7, True) == rows(250, False) == rows(5000, False)


def test_switching_it_off_gives_the_decoder_back_bit_for_bit() -> None:
    raw = noise(30)
    plain, switched = Engine(INFO, decoder()), Engine(INFO, decoder())
    switched.apply(SwitchRecentring(True))
    half = len(raw) // 2
    first, second = Chunk(raw.data[:half], raw.stamps[:half]), Chunk(raw.data[half:], raw.stamps[half:])
    a, b = plain.push(first), switched.push(first)
    assert any(x.probabilities.tobytes() != y.probabilities.tobytes() for x, y in zip(a, b, strict=True))
    switched.apply(SwitchRecentring(False))
    for x, y in zip(plain.push(second), switched.push(second), strict=True):
        assert x.probabilities.tobytes() == y.probabilities.tobytes()
    assert switched.adaptation.recentred is None


def test_amplifier_gains_that_changed_overnight_cost_little_with_recentring() -> None:
    """A session with other gains, decoded with and without."""
    rng = np.random.default_rng(5)
    gains = np.array([1.7, 0.8, 1.4, 0.6, 1.0, 1.3])
    data, truth = [], []
    for trial in range(120):
        samples = rng.normal(0, 8, (WINDOW, N))
        samples[:, trial % 2] *= 1.4
        data.append(samples * gains)
        truth.append(trial % 2)
    live = decoder()
    recentring = Recentring(RecentreSettings(memory=60, reach=2.0), np.asarray(live.centre))
    right = {"plain": 0, "recentred": 0}
    for samples, label in zip(data, truth, strict=True):
        s = scatter(samples)
        moved = np.eye(N + 1)
        moved[:N, :N] = recentring.matrices[0]
        right["plain"] += int(live.kernel(s).argmax() == label)
        right["recentred"] += int(live.kernel((moved @ s[0] @ moved.T)[None]).argmax() == label)
        recentring(s)
    assert right["plain"] < 80
    assert right["recentred"] > 100


def test_a_model_without_a_centre_refuses_and_says_what_to_do() -> None:
    engine = Engine(INFO, replace(decoder(), centre=None))
    with pytest.raises(ModelError, match="train it again"):
        engine.apply(SwitchRecentring(True))


def test_settings_out_of_bounds_are_all_named() -> None:
    with pytest.raises(ConfigError) as error:
        RecentreSettings(memory=1, step=0, reach=float("nan"))
    assert {p.split(" ")[0] for p in error.value.problems} == {"memory", "step", "reach"}
