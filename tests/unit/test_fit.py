"""What anybody may rely on when a decoder is trained; faults 20, 23 and 26."""

from __future__ import annotations

import numpy as np
import pytest

from bci.engine.preprocessing import Preprocessing
from bci.errors import ConfigError, PluginError, TrainingError
from bci.model.family import load_family
from bci.training.fit import fit_decoder

LABELS = ("C3", "Cz", "C4", "Pz")
FAMILIES = ("ts-lr", "mdm", "fgmdm", "csp-lda", "fbcsp")


def settings(bands: int = 1) -> Preprocessing:
    return Preprocessing(100.0, LABELS, notch_hz=0, bands=((8.0, 14.0), (14.0, 30.0))[:bands], window=100, hop=4)


def trials(n: int = 24, seed: int = 0, bands: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """White channels of 10 µV; C4 (and nothing else) holds more power in class right."""
    rng = np.random.default_rng(seed)
    labels = np.array(["left", "right"] * (n // 2))
    windows = 10 * rng.standard_normal((n, bands, 100, 4))
    windows[labels == "right", :, :, 2] *= 1.6
    return windows, labels


def test_one_class_is_refused_with_its_count() -> None:
    windows, _ = trials()
    with pytest.raises(TrainingError, match=r"only one class \(left: 24\)"):
        fit_decoder("ts-lr", windows, ["left"] * 24, settings())


def test_fewer_than_ten_trials_are_refused_with_counts_of_kept_and_rejected() -> None:
    windows, labels = trials(8)
    with pytest.raises(TrainingError, match=r"left: 4 \(9 rejected\), right: 4\).*at least 10"):
        fit_decoder("ts-lr", windows, labels, settings(), rejected={"left": 9})


def test_windows_of_one_trial_count_as_one() -> None:
    windows, labels = trials(24)
    with pytest.raises(TrainingError, match="left: 3, right: 3"):
        fit_decoder("ts-lr", windows, labels, settings(), trials=np.arange(24) // 2 % 3 * 2 + np.arange(24) % 2)


def test_a_class_with_three_trials_is_refused() -> None:
    windows, labels = trials(24)
    keep = np.flatnonzero((labels == "left") | (np.arange(24) < 6))
    with pytest.raises(TrainingError, match="left: 12, right: 3"):
        fit_decoder("ts-lr", windows[keep], labels[keep], settings())


def test_identical_trials_are_refused() -> None:
    windows, labels = trials()
    windows[:] = windows[0]
    with pytest.raises(TrainingError, match="left: 1 different of 12, right: 1 different of 12"):
        fit_decoder("ts-lr", windows, labels, settings())


def test_when_every_trial_was_rejected_the_counts_say_so() -> None:
    with pytest.raises(TrainingError, match=r"left: 0 \(20 rejected\), right: 0 \(19 rejected\)"):
        fit_decoder("ts-lr", np.empty((0, 1, 100, 4)), [], settings(), rejected={"left": 20, "right": 19})


def test_a_value_that_is_no_number_is_refused_with_its_place() -> None:
    windows, labels = trials()
    windows[5, 0, 3, 1] = np.nan
    with pytest.raises(TrainingError, match=r"1 of 24 windows .* window 5 \(right\)"):
        fit_decoder("ts-lr", windows, labels, settings())


@pytest.mark.parametrize("factor", [1e6, 1e-6, 1e3, 1e-3])
def test_a_wrong_unit_is_refused_with_both_amplitudes_and_the_option(factor: float) -> None:
    windows, labels = trials()
    with pytest.raises(TrainingError, match=r"amplitude is .* µV, .*0.05 to 1000 µV.*it would be 9.99 µV.*--set stream.unit"):
        fit_decoder("ts-lr", windows * factor, labels, settings())


def test_bridged_channels_are_refused_by_name() -> None:
    windows, labels = trials()
    windows[..., 1] = windows[..., 0] * 1.0001
    with pytest.raises(TrainingError, match=r"bridged.*C3–Cz"):
        fit_decoder("ts-lr", windows, labels, settings())


def test_flat_channels_are_refused_by_name() -> None:
    windows, labels = trials()
    windows[..., 3] = 0
    with pytest.raises(TrainingError, match="flat channels: Pz"):
        fit_decoder("ts-lr", windows, labels, settings())


@pytest.mark.parametrize("family", FAMILIES)
def test_average_referenced_trials_are_regularised_decoded_and_noted(family: str) -> None:
    windows, labels = trials(60)
    windows -= windows.mean(axis=-1, keepdims=True)
    model = fit_decoder(family, windows[:40], labels[:40], settings())
    assert "rank 3 of 4" in model.notes[0]
    right = np.array(model.classes)[model.estimator.predict_proba(windows[40:]).argmax(axis=1)] == labels[40:]
    assert right.mean() >= 0.85


@pytest.mark.parametrize("family", FAMILIES)
def test_the_channel_that_carries_the_class_is_the_heaviest(family: str) -> None:
    bands = 1 if "mdm" in family else 2
    model = fit_decoder(family, *trials(60, bands=bands), settings(bands))
    assert LABELS[int(model.weights.argmax())] == "C4"
    assert model.weights[2] > 0.4


@pytest.mark.parametrize("family", ["ts-lr", "mdm", "csp-lda"])
def test_a_channel_that_only_cancels_noise_is_not_credited(family: str) -> None:
    rng = np.random.default_rng(1)
    labels = np.array(["left", "right"] * 40)
    noise, source = 20 * rng.standard_normal((2, 80, 1, 100))
    source[labels == "right"] *= 2
    quiet = 20 * rng.standard_normal((80, 1, 100, 2))
    windows = np.stack((source + noise, noise, quiet[..., 0], quiet[..., 1]), axis=-1)
    weights = fit_decoder(family, windows, labels, settings()).weights
    assert weights[0] > 3 * weights[1]


def test_covariance_is_that_of_the_training_windows() -> None:
    windows, labels = trials()
    model = fit_decoder("ts-lr", windows, labels, settings())
    expected = np.mean([np.cov(w[0].T, bias=True) for w in windows], axis=0)
    np.testing.assert_allclose(model.covariance[0], expected, rtol=1e-12)
    assert model.trials == {"left": 12, "right": 12}


def test_windows_of_another_length_than_the_live_ones_are_refused() -> None:
    windows, labels = trials()
    with pytest.raises(TrainingError, match=r"\(24, 1, 90, 4\).*\(24, 1, 100, 4\)"):
        fit_decoder("ts-lr", windows[:, :, :90], labels, settings())


@pytest.mark.parametrize("family", ["mdm", "fgmdm"])
def test_decoders_of_one_band_refuse_a_filter_bank(family: str) -> None:
    with pytest.raises(TrainingError, match="one frequency band, not 2"):
        fit_decoder(family, *trials(bands=2), settings(2))


def test_an_unknown_decoder_is_refused_with_the_known_ones() -> None:
    with pytest.raises(PluginError, match=r"'nonsense'; .*ts-lr"):
        load_family("nonsense")


def test_the_filter_bank_of_4_to_40_hz_has_nine_bands_of_4_hz() -> None:
    bands = load_family("fbcsp").bands(4, 40, 250)
    assert bands[0] == (4, 8)
    assert bands[-1] == (36, 40)
    assert len(bands) == 9


def test_a_filter_bank_above_nyquist_is_refused() -> None:
    with pytest.raises(ConfigError, match="50 Hz"):
        load_family("fbcsp").bands(4, 60, 100)


def test_geodesic_filtering_refuses_more_channels_than_it_can_train_in_time() -> None:
    labels = tuple(f"E{i}" for i in range(65))
    wide = Preprocessing(100.0, labels, notch_hz=0, window=100, hop=4)
    windows = 10 * np.random.default_rng(0).standard_normal((12, 1, 100, 65))
    with pytest.raises(TrainingError, match=r"at most 64 channels, there are 65; .*ts-lr"):
        fit_decoder("fgmdm", windows, ["left", "right"] * 6, wide)
