"""The velocity filters: against the textbook, against each other, and for as long as anybody would run them."""

from __future__ import annotations

import numpy as np
import pytest

from bci.engine.chunk import FloatArray
from bci.engine.control.dynamics import Dynamics, fading, fit_dynamics, forgetful
from bci.engine.control.filter import VelocityFilter
from bci.engine.control.information import Discriminative, GenerativeObservation, Information
from bci.errors import ConfigError


def random_positive(rng: np.random.Generator, n: int) -> FloatArray:
    root = rng.standard_normal((n, n + 2))
    return np.asarray(root @ root.T / n)


def random_dynamics(rng: np.random.Generator, n: int) -> Dynamics:
    a = rng.standard_normal((n, n))
    a *= 0.95 / np.abs(np.linalg.eigvals(a)).max()
    noise = random_positive(rng, n)
    spread = noise.copy()
    for _ in range(2000):
        spread = a @ spread @ a.T + noise
    return Dynamics(a, noise, 0.5 * (spread + spread.T))


def textbook_kalman(d: Dynamics, h: FloatArray, r: FloatArray, features: FloatArray) -> FloatArray:
    """Gain form, as printed everywhere."""
    mean, covariance = np.zeros(d.n_dims), d.spread.copy()
    found = []
    for x in features:
        mean, covariance = d.transition @ mean, d.transition @ covariance @ d.transition.T + d.noise
        gain = covariance @ h.T @ np.linalg.inv(h @ covariance @ h.T + r)
        mean = mean + gain @ (x - h @ mean)
        covariance = (np.eye(d.n_dims) - gain @ h) @ covariance
        found.append(mean)
    return np.array(found)


def simulate(rng: np.random.Generator, d: Dynamics, n_steps: int) -> FloatArray:
    z = np.linalg.cholesky(d.spread) @ rng.standard_normal(d.n_dims)
    root = np.linalg.cholesky(d.noise)
    states = []
    for _ in range(n_steps):
        z = d.transition @ z + root @ rng.standard_normal(d.n_dims)
        states.append(z)
    return np.array(states)


@pytest.mark.parametrize("seed", range(6))
def test_kalman_and_discriminative_filter_are_the_textbook_filter_where_all_is_linear_and_gaussian(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, n_features = 1 + seed % 2, 3 + seed
    d = random_dynamics(rng, n)
    h, r = rng.standard_normal((n_features, n)), random_positive(rng, n_features)
    features = simulate(rng, d, 500) @ h.T + rng.standard_normal((500, n_features)) @ np.linalg.cholesky(r).T
    expected = textbook_kalman(d, h, r, features)
    # The regression of z on x, which in this case is known: E[z|x] and Cov[z|x] of the joint Gaussian.
    slope = d.spread @ h.T @ np.linalg.inv(h @ d.spread @ h.T + r)
    left = d.spread - slope @ h @ d.spread
    generative, discriminative = GenerativeObservation(h, np.zeros(n_features), r), Discriminative(d.spread)
    kalman, dkf = VelocityFilter(d), VelocityFilter(d)
    for x, wanted in zip(features, expected, strict=True):
        kalman.step(generative(x))
        dkf.step(discriminative(slope @ x, left))
        np.testing.assert_allclose(kalman.mean, wanted, rtol=0, atol=1e-9)
        np.testing.assert_allclose(dkf.mean, wanted, rtol=0, atol=1e-9)
    np.testing.assert_allclose(dkf.covariance, kalman.covariance, rtol=0, atol=1e-9)


def test_without_memory_the_discriminative_filter_is_the_regression_itself() -> None:
    rng = np.random.default_rng(3)
    spread = random_positive(rng, 2)
    run, observe = VelocityFilter(forgetful(spread)), Discriminative(spread)
    for mean in rng.standard_normal((50, 2)):
        run.step(observe(mean, 0.3 * spread))
        np.testing.assert_allclose(run.mean, mean, atol=1e-10)


def rectified(z: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Four features, each of which answers to one direction only, saturates, and is noisier the more it answers: as ERD does."""
    drive = np.maximum(np.concatenate([z, -z], axis=1), 0.0)
    return np.asarray(np.tanh(4.0 * drive) + (0.05 + 0.6 * drive) * rng.standard_normal(drive.shape))


@pytest.mark.parametrize("seed", range(5))
def test_with_a_nonlinear_observation_the_discriminative_filter_beats_the_kalman_filter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    d = fading(np.eye(2), 0.9)
    z = simulate(rng, d, 5000)
    features = rectified(z, rng)
    train, test = slice(0, 4000), slice(4000, 5000)
    design = np.column_stack([z[train], np.ones(4000)])
    fitted = np.linalg.lstsq(design, features[train], rcond=None)[0]
    noise = np.cov((features[train] - design @ fitted).T)
    generative = GenerativeObservation(fitted[:2].T, fitted[2], noise)
    kalman, dkf, observe = VelocityFilter(d), VelocityFilter(d), Discriminative(d.spread)
    errors = np.zeros(2)
    for x, truth in zip(features[test], z[test], strict=True):
        weights = np.exp(-0.5 * ((features[train] - x) ** 2).sum(axis=1) / 0.25**2) + 1e-12
        weights /= weights.sum()
        mean = weights @ z[train]
        left = z[train] - mean
        kalman.step(generative(x))
        dkf.step(observe(mean, (left * weights[:, None]).T @ left + 1e-3 * np.eye(2)))
        errors += ((kalman.mean - truth) ** 2).sum(), ((dkf.mean - truth) ** 2).sum()
    assert errors[1] < 0.8 * errors[0], f"squared error of Kalman {errors[0]:.0f}, of the discriminative filter {errors[1]:.0f}"


def runs_on(n_steps: int) -> None:
    rng = np.random.default_rng(0)
    d = Dynamics(np.array([[0.99, 0.01], [0.0, 0.98]]), *_stationary(np.array([[0.99, 0.01], [0.0, 0.98]])))
    observe, run = Discriminative(d.spread), VelocityFilter(d)
    # From all but certain to worse than nothing, in directions of any kind, with windows left out between.
    angles, sizes = rng.uniform(0, np.pi, 512), 10.0 ** rng.uniform(-9, 3, (512, 2))
    turns = np.array([[[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]] for a in angles])
    seen = [observe(rng.standard_normal(2), t @ np.diag(s) @ t.T) for t, s in zip(turns, sizes, strict=True)]
    which = rng.integers(0, 640, n_steps)
    for i in which.tolist():
        run.step(seen[i] if i < 512 else None)
        c = run.covariance
        determinant, trace = c[0, 0] * c[1, 1] - c[0, 1] * c[1, 0], c[0, 0] + c[1, 1]
        if not (determinant > 0 < trace < 1e3 and c[0, 1] == c[1, 0]):
            raise AssertionError(f"covariance {c.tolist()} is not positive definite")
    assert np.isfinite(run.mean).all()


def _stationary(a: FloatArray) -> tuple[FloatArray, FloatArray]:
    noise = np.array([[0.02, 0.005], [0.005, 0.03]])
    spread = np.linalg.solve(np.eye(4) - np.kron(a, a), noise.ravel()).reshape(2, 2)
    return noise, 0.5 * (spread + spread.T)


def test_the_covariance_stays_positive_definite_over_a_hundred_thousand_steps() -> None:
    runs_on(100_000)


@pytest.mark.slow
def test_the_covariance_stays_positive_definite_over_a_million_steps() -> None:
    runs_on(1_000_000)


def test_windows_that_say_nothing_let_the_belief_fade_to_the_spread() -> None:
    d = fading(np.diag([1.0, 2.0]), 0.9)
    run = VelocityFilter(d)
    run.step(Information(np.array([50.0, 50.0]), np.eye(2) * 50.0))
    moving = run.mean.copy()
    for _ in range(200):
        run.step(None)
    assert np.abs(run.mean).max() < 1e-8 < np.abs(moving).min()
    np.testing.assert_allclose(run.covariance, d.spread, rtol=1e-9)


def test_dynamics_are_found_again_from_what_they_made() -> None:
    a = np.array([[0.95, 0.02], [-0.02, 0.9]])
    d = Dynamics(a, *_stationary(a))
    z = simulate(np.random.default_rng(1), d, 60_000)
    found = fit_dynamics(z, np.ones(len(z), dtype=np.bool_))
    np.testing.assert_allclose(found.transition, a, atol=0.01)
    np.testing.assert_allclose(found.noise, d.noise, atol=0.01)


def test_dynamics_of_targets_that_jump_are_stationary_all_the_same() -> None:
    rng = np.random.default_rng(2)
    angles = np.repeat(rng.integers(0, 8, 40) * np.pi / 4, 60)
    z = np.column_stack([np.cos(angles), np.sin(angles)])
    d = fit_dynamics(z, np.ones(len(z), dtype=np.bool_))
    np.testing.assert_allclose(d.transition @ d.spread @ d.transition.T + d.noise, d.spread, atol=1e-12)


@pytest.mark.parametrize(
    ("transition", "noise", "spread", "says"),
    [
        (np.eye(2), np.eye(2), np.eye(2), "grow"),
        (np.zeros((2, 2)), -np.eye(2), np.eye(2), "noise must be symmetric and positive definite"),
        (np.zeros((2, 2)), np.eye(2), 2 * np.eye(2), "not kept"),
        (np.zeros((2, 3)), np.eye(2), np.eye(2), "same square"),
        (np.zeros((1, 1)), np.array([[np.nan]]), np.eye(1), "noise"),
    ],
)
def test_dynamics_that_are_none_are_refused(transition: FloatArray, noise: FloatArray, spread: FloatArray, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Dynamics(transition, noise, spread)
