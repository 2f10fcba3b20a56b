"""References and what a bad channel is replaced with."""

import numpy as np
import pytest

from bci.engine.preprocessing import Preprocessing
from bci.engine.spatial import expectation, inputs, neighbours, reference_matrix
from bci.errors import ConfigError


def prep(reference: str, *labels: str) -> Preprocessing:
    return Preprocessing(250.0, labels, reference)


def test_the_average_reference_leaves_bad_channels_out_of_the_mean() -> None:
    p = prep("average", "C3", "C4", "Cz")
    x = np.array([1.0, 2.0, 300.0])
    good = np.array([True, True, False])
    np.testing.assert_allclose((reference_matrix(p, good) @ x)[:2], [-0.5, 0.5])


def test_the_laplacian_asks_for_its_neighbours_by_name() -> None:
    assert inputs(prep("laplacian", "C3")) == ("C3", "FC3", "CP3", "C5", "C1")
    x = np.array([5.0, 1, 2, 3, 4])
    np.testing.assert_allclose(reference_matrix(prep("laplacian", "C3"), np.ones(5, bool)) @ x, [2.5])


def test_an_electrode_at_the_rim_has_no_laplacian_and_the_error_names_it() -> None:
    with pytest.raises(ConfigError, match="Fp1"):
        neighbours("Fp1")


def test_linked_mastoids_are_taken_from_the_pair_the_montage_names() -> None:
    assert inputs(prep("mastoids", "C3", "A1")) == ("C3", "A1", "A2")
    assert inputs(prep("mastoids", "C3")) == ("C3", "M1", "M2")


def test_a_bad_channel_becomes_what_the_good_ones_imply_and_keeps_its_variance() -> None:
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(4, 4))
    covariance = mixing @ mixing.T
    good = np.array([True, False, True, True])
    fill, residual = expectation(covariance, good)
    restored = fill @ covariance @ fill.T + residual
    np.testing.assert_allclose(restored, covariance, atol=1e-12)


def test_without_bad_channels_nothing_is_filled_in() -> None:
    fill, residual = expectation(np.eye(3), np.ones(3, bool))
    np.testing.assert_array_equal(fill, np.eye(3))
    np.testing.assert_array_equal(residual, 0)


def test_where_good_channels_are_copies_of_each_other_a_bad_one_is_still_replaced() -> None:
    fill, residual = expectation(np.ones((3, 3)), np.array([True, True, False]))
    np.testing.assert_allclose(fill[2], [0.5, 0.5, 0.0], atol=1e-12)
    np.testing.assert_allclose(residual, 0.0, atol=1e-12)
