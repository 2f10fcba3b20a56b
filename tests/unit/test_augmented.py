"""What anybody may rely on in the augmented covariance, and in the calibrated support vector machine."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter
from sklearn.svm import SVC

from bci.engine.preprocessing import Preprocessing
from bci.errors import ConfigError, ModelError, TrainingError
from bci.model.family import load_family
from bci.training.fit import FittedModel, fit_decoder
from pipelines.augmented import AugmentedCovariance
from pipelines.kernels import augmented_tangent
from pipelines.kernels.augmented_tangent import embed
from pipelines.linear_svm import CalibratedSvm, calibration
from pipelines.tangent_space import TangentSpaceLogistic
from pipelines.tangent_svm import TangentSpaceSvm

CHANNELS = 4
POLE = 0.9


def settings(channels: int = CHANNELS, window: int = 200, bands: int = 1) -> Preprocessing:
    labels = tuple(f"E{i}" for i in range(channels))
    return Preprocessing(100.0, labels, notch_hz=0, bands=((8.0, 14.0), (14.0, 30.0))[:bands], window=window, hop=4)


def power_trials(n: int = 40, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """White channels; channel 2 is louder in class right."""
    rng = np.random.default_rng(seed)
    labels = np.array(["left", "right"] * (n // 2))
    windows = 8 * rng.standard_normal((n, 1, 200, CHANNELS))
    windows[labels == "right", :, :, 2] *= 1.15
    return windows, labels


def course_trials(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two classes that differ in the course of time only.

    Class slow: autoregressive of order 2, resonance at a sixth of the rate. Class fast: the same kind of
    signal with every second sample's sign changed, resonance at a third of the rate. Changing signs changes no product
    of simultaneous samples, so both have one distribution of the zero-lag scatter, exactly.
    """
    rng = np.random.default_rng(seed)
    labels = np.array(["fast", "slow"] * (n // 2))
    noise = rng.standard_normal((n, 1, 400, CHANNELS))
    signal = lfilter([1.0], [1.0, -2 * POLE * np.cos(np.pi / 3), POLE**2], noise, axis=2)[:, :, 200:]
    signal[labels == "fast", :, 1::2] *= -1
    return 5 * signal @ (np.eye(CHANNELS) + 0.3), labels


def test_copies_hold_the_windows_own_samples_and_never_wrap_around() -> None:
    window = np.arange(20.0).reshape(10, 2)
    copies = embed(window, order=3, lag=2)
    assert copies.shape == (6, 6)
    for p in range(3):
        np.testing.assert_array_equal(copies[:, 2 * p : 2 * p + 2], window[2 * p : 2 * p + 6])


@pytest.mark.parametrize(("classifier", "plain"), [("svm", TangentSpaceSvm()), ("lr", TangentSpaceLogistic())])
def test_order_one_is_exactly_tangent_space_and_the_same_classifier(classifier: str, plain) -> None:
    windows, labels = power_trials()
    unseen, _ = power_trials(seed=1)
    augmented = fit_decoder(AugmentedCovariance(order=1, classifier=classifier), windows, labels, settings())
    usual = fit_decoder(plain, windows, labels, settings())
    np.testing.assert_array_equal(augmented.estimator.predict_proba(unseen), usual.estimator.predict_proba(unseen))
    for name, array in usual.fitted.arrays.items():
        np.testing.assert_array_equal(augmented.fitted.arrays[name], array)


def test_the_two_classes_of_the_next_test_have_the_same_covariance() -> None:
    windows, labels = course_trials(400, seed=2)
    scatter = np.einsum("tbsi,tbsj->tij", windows, windows) / windows.shape[2]
    fast, slow = (scatter[labels == x].mean(axis=0) for x in ("fast", "slow"))
    deviation = scatter.std(axis=0) * np.sqrt(2 / 200)
    assert (np.abs(fast - slow) < 4 * deviation).all()
    alternating = windows.copy()
    alternating[:, :, 1::2] *= -1
    again = np.einsum("tbsi,tbsj->tij", alternating, alternating) / windows.shape[2]
    np.testing.assert_allclose(again, scatter, rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("classifier", ["svm", "lr"])
def test_classes_of_equal_covariance_are_at_chance_with_order_one_and_told_apart_from_order_two_on(classifier: str) -> None:
    windows, labels = course_trials(80, seed=3)
    unseen, truth = course_trials(400, seed=4)
    correct = {}
    for order in (1, 2, 3):
        model = fit_decoder(AugmentedCovariance(order, 1, classifier), windows, labels, settings())
        correct[order] = float((model.estimator.predict(unseen) == truth).mean())
    assert 0.435 < correct[1] < 0.565  # 99 % of what guessing 400 times gives
    assert correct[2] > 0.9
    assert correct[3] > 0.9


@pytest.mark.parametrize(("order", "lag", "bands"), [(1, 1, 1), (2, 4, 2), (4, 9, 1)])
def test_the_kernel_embeds_the_window_as_the_estimator_does(order: int, lag: int, bands: int) -> None:
    windows, labels = power_trials()
    windows = np.repeat(windows, bands, axis=1) * np.linspace(1, 1.2, bands)[:, None, None]
    model = fit_decoder(AugmentedCovariance(order, lag), windows, labels, settings(bands=bands))
    kernel = model.decoder().kernel
    assert (kernel.features, kernel.n_channels) == ("samples", CHANNELS)
    answers = np.array([kernel(window).copy() for window in windows])
    np.testing.assert_allclose(answers, model.estimator.predict_proba(windows), rtol=0, atol=1e-9)


def test_more_than_sixty_dimensions_are_refused_with_what_would_fit() -> None:
    windows = 5 * np.random.default_rng(0).standard_normal((20, 1, 200, 22))
    labels = ["left", "right"] * 10
    with pytest.raises(TrainingError, match=r"order 3 × 22 channels is 66, at most 60.*order of at most 2"):
        fit_decoder(AugmentedCovariance(order=3), windows, labels, settings(22))


def test_delays_that_leave_less_than_half_of_the_window_are_refused() -> None:
    windows, labels = power_trials()
    with pytest.raises(TrainingError, match="takes 108 of 200 samples"):
        fit_decoder(AugmentedCovariance(order=10, lag=12), windows, labels, settings())


def test_wrong_settings_are_named_together() -> None:
    with pytest.raises(ConfigError, match=r"(?s)order = 0.*classifier = 'forest': must be one of svm, lr"):
        AugmentedCovariance(order=0, classifier="forest")
    assert load_family("acm", {"order": 3, "lag": 2}).order == 3


def trained() -> FittedModel:
    return fit_decoder("acm", *power_trials(), settings())


@pytest.mark.parametrize("embedding", [[0.0, 1.0], [2.5, 1.0], [2.0, 0.0], [3.0, 1.0]])
def test_a_model_file_with_an_impossible_embedding_is_refused(embedding: list[float]) -> None:
    arrays = trained().fitted.arrays
    with pytest.raises(ModelError, match=r"embedding|multiple"):
        augmented_tangent.load({**arrays, "embedding": np.array(embedding)}, ("left", "right"))


def test_every_missing_or_nonfinite_array_of_the_kernel_is_named() -> None:
    arrays = trained().fitted.arrays
    for name in arrays:
        with pytest.raises(ModelError, match=name):
            augmented_tangent.load({k: v for k, v in arrays.items() if k != name}, ("left", "right"))
        with pytest.raises(ModelError, match=name):
            augmented_tangent.load({**arrays, name: np.full_like(arrays[name], np.nan)}, ("left", "right"))


def test_a_window_shorter_than_the_delays_gets_no_answer() -> None:
    kernel = trained().decoder().kernel
    assert np.isnan(kernel(np.ones((1, 4, CHANNELS)))).all()


def clouds(classes: int, n: int = 60, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    codes = np.arange(n) % classes
    return rng.standard_normal((n, 5)) + 0.9 * np.eye(classes, 5)[codes], np.array([f"class {k}" for k in codes])


def test_the_machine_is_that_of_libsvm_and_the_sigmoid_moves_no_trial_far() -> None:
    features, labels = clouds(2)
    ours, theirs = CalibratedSvm().fit(features, labels), SVC(kernel="linear").fit(features, labels)
    np.testing.assert_allclose(ours.coef_ / np.linalg.norm(ours.coef_), theirs.coef_ / np.linalg.norm(theirs.coef_), atol=1e-9)
    assert (ours.predict(features) == theirs.predict(features)).mean() > 0.9


@pytest.mark.parametrize("classes", [2, 3, 4])
def test_probabilities_of_unseen_trials_are_about_as_often_right_as_they_say(classes: int) -> None:
    features, labels = clouds(classes, 200)
    unseen, truth = clouds(classes, 2000, seed=1)
    machine = CalibratedSvm().fit(features, labels)
    probabilities = machine.predict_proba(unseen)
    right = machine.predict(unseen) == truth
    assert probabilities.max(axis=1).mean() == pytest.approx(right.mean(), abs=0.07)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)


def test_scores_that_mislead_give_probabilities_that_know_nothing() -> None:
    codes = np.array([0, 1] * 20)
    slope, offsets = calibration(np.where(codes, -1.0, 1.0)[:, None], codes)
    assert slope == 0
    assert abs(offsets[0]) < 1e-6
