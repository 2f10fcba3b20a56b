"""An exact permutation test of whether the signals hold any information on the classes.

Labels are permuted within blocks (Winkler et al. 2015, NeuroImage 123, 253), and the largest statistic over all
candidates is compared with the largest under each permutation (Nichols and Holmes 2002, Human Brain Mapping 15, 1),
so that looking at many costs what it should. To train every decoder anew for thousands of permutations would take
hours. Instead each band and window is decoded by ridge regression on tangent vectors, held out fold by fold. Its
answers are a fixed matrix times the labels (Treder 2019, Frontiers in Neuroscience 13, 60), so that thousands
of permutations are one product. A permutation test is exact for any statistic; the regression only decides its power.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bci.engine.chunk import FloatArray
from bci.judging.blocks import IntArray, permuted

RIDGE = 10.0
"""Penalty, in mean eigenvalues of the kernel."""
AT_ONCE = 1024
ENOUGH = 20
TINY = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class PermutationResult:
    """Result of the permutation test.

    Parameters
    ----------
    p_value : float
        ``(1 + permutations that do as well) / (1 + permutations)``, or as :func:`permutation_test` says.
    statistic : float
    null : ndarray, shape (n_permutations,)
        The largest statistic over the candidates under each permutation.
    of_candidate : ndarray, shape (n_candidates,)
    """

    p_value: float
    statistic: float
    null: FloatArray
    of_candidate: FloatArray


def tangent_kernel(covariances: FloatArray) -> FloatArray:
    """Similarity of trials: inner products of tangent vectors at the log-Euclidean mean of all of them.

    No label is used, so it is the same under every permutation.

    Parameters
    ----------
    covariances : ndarray, shape (n_trials, n_bands, n_channels, n_channels)
        As :func:`shrunk` gives them.

    Returns
    -------
    ndarray, shape (n_trials, n_trials)
    """
    kernel = np.zeros((len(covariances), len(covariances)))
    for band in range(covariances.shape[1]):
        own = covariances[:, band]
        centre = _of_eigenvalues(_of_eigenvalues(own, _log).mean(axis=0), _inverse_root_of_exp)
        tangent = _of_eigenvalues(centre @ own @ centre, _log).reshape(len(own), -1)
        kernel += tangent @ tangent.T
    return kernel


def shrunk(windows: FloatArray) -> FloatArray:
    """Covariances by the oracle approximating shrinkage (Chen et al. 2010, IEEE Trans. Signal Processing 58, 5016, eq. 23).

    Parameters
    ----------
    windows : ndarray, shape (..., n_samples, n_channels)

    Returns
    -------
    ndarray, shape (..., n_channels, n_channels)
    """
    n_samples, n = windows.shape[-2:]
    centred = windows - windows.mean(axis=-2, keepdims=True)
    covariances = np.swapaxes(centred, -1, -2) @ centred / n_samples
    mean = np.einsum("...ii->...", covariances) / n
    square = (covariances**2).mean(axis=(-2, -1))
    top = square + mean**2
    bottom = (n_samples + 1) * (square - mean**2 / n)
    share = np.where(bottom > 0, np.minimum(top / np.where(bottom > 0, bottom, 1.0), 1.0), 1.0)
    found: FloatArray = (1 - share)[..., None, None] * covariances + (share * mean)[..., None, None] * np.eye(n)
    return found


def _of_eigenvalues(matrices: FloatArray, function: Callable[[FloatArray], FloatArray]) -> FloatArray:
    values, vectors = np.linalg.eigh(matrices)
    result: FloatArray = (vectors * function(values)[..., None, :]) @ np.swapaxes(vectors, -1, -2)
    return result


def _log(values: FloatArray) -> FloatArray:
    return np.asarray(np.log(np.maximum(values, TINY)))


def _inverse_root_of_exp(values: FloatArray) -> FloatArray:
    return np.asarray(np.exp(-values / 2))


def held_out_scores(kernel: FloatArray, folds: IntArray, ridge: float = RIDGE) -> FloatArray:
    """Matrix that turns labels into the held-out scores of a ridge regression.

    Parameters
    ----------
    kernel : ndarray, shape (n_trials, n_trials)
    folds : ndarray of int, shape (n_trials,)
    ridge : float

    Returns
    -------
    ndarray, shape (n_trials, n_trials)
        Row of the trial that is asked about, column of the trial that taught.
    """
    answers = np.zeros_like(kernel)
    for fold in np.unique(folds):
        train, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        inside, across = kernel[np.ix_(train, train)], kernel[np.ix_(test, train)]
        mean = inside.mean(axis=0)
        centred = inside - mean - mean[:, None] + mean.mean()
        across = across - across.mean(axis=1, keepdims=True) - mean + mean.mean()
        penalty = ridge * np.trace(centred) / len(train) + 1e-12
        answers[np.ix_(test, train)] = np.linalg.solve(centred + penalty * np.eye(len(train)), across.T).T
    return answers


def agreement(answers: Sequence[FloatArray], codes: IntArray) -> FloatArray:
    """Correlation of each candidate's held-out scores with the labels.

    Parameters
    ----------
    answers : sequence of ndarray, shape (n_trials, n_trials)
        As :func:`held_out_scores` gives them.
    codes : ndarray of int, shape (n_permutations, n_trials)

    Returns
    -------
    ndarray, shape (n_witnesses, n_permutations)
    """
    n_classes = int(codes.max()) + 1
    columns = range(1 if n_classes == 2 else n_classes)  # of two classes, the second is the first with another sign
    truth = np.stack([(codes == c).astype(np.float64).T for c in columns])
    truth -= truth.mean(axis=1, keepdims=True)
    size = np.sqrt((truth**2).sum(axis=(0, 1)))
    found = np.empty((len(answers), len(codes)))
    for row, matrix in zip(found, answers, strict=True):
        scores = matrix @ truth
        scores -= scores.mean(axis=1, keepdims=True)
        norm = np.sqrt((scores**2).sum(axis=(0, 1)))
        np.divide((scores * truth).sum(axis=(0, 1)), norm * size, out=row, where=norm * size > 0)
        row[norm * size <= 0] = 0.0
    return found


def permutation_test(
    answers: Sequence[FloatArray], codes: IntArray, blocks: IntArray, count: int, seed: int | Sequence[int]
) -> PermutationResult:
    """Compare the best candidate with the best one under labels that are permuted within blocks.

    It stops early, and is exact all the same, when it is clear that chance does as well (Besag and Clifford 1991,
    Biometrika 78, 301): after ``ENOUGH`` permutations at least as good, the p-value is their share.

    Parameters
    ----------
    answers : sequence of ndarray, shape (n_trials, n_trials)
        Of each candidate, as :func:`held_out_scores` gives them.
    codes, blocks : ndarray of int, shape (n_trials,)
    count : int
        Permutations, at most.
    seed : int or sequence of int

    Returns
    -------
    PermutationResult
    """
    own = agreement(answers, codes[None])[:, 0]
    # Sums in another order differ in the last bits; a permutation that is the identity must count.
    mark = own.max() - 1e-9
    words = (seed,) if isinstance(seed, int) else tuple(seed)
    null = np.zeros(0)
    while len(null) < count and np.count_nonzero(null >= mark) < ENOUGH:
        batch = permuted(codes, blocks, min(AT_ONCE, count - len(null)), (*words, len(null)))
        null = np.concatenate([null, agreement(answers, batch).max(axis=0)])
    as_good = np.flatnonzero(null >= mark)
    p_value = ENOUGH / (as_good[ENOUGH - 1] + 1) if len(as_good) >= ENOUGH else (1 + len(as_good)) / (1 + count)
    return PermutationResult(float(p_value), float(own.max()), null, own)


def hits(answers: FloatArray, codes: IntArray) -> FloatArray:
    """Whether the held-out scores give the right class, shape (n_trials,).

    Parameters
    ----------
    answers : ndarray, shape (n_trials, n_classes)
        Held-out scores of one candidate.
    codes : ndarray of int, shape (n_trials,)
        Class of each trial as a number.

    Returns
    -------
    ndarray, shape (n_trials,)
    """
    truth = np.eye(int(codes.max()) + 1)[codes]
    scores = answers @ (truth - truth.mean(axis=0))
    return np.asarray(scores.argmax(axis=1) == codes, dtype=np.float64)
