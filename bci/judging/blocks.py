"""Blocks of neighbouring trials, in which labels may be permuted, and folds, which are left out as a whole."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
BREAK = 2.5
"""A pause of this many times the usual one is a break: a new block."""
SHORTEST_BLOCK = 4


def blocks_of(runs: IntArray, times_s: npt.NDArray[np.float64], longest: int) -> IntArray:
    """Number of the block of each trial.

    A block never reaches across recordings or breaks. A stretch between breaks is cut into equal parts of at most
    ``longest`` trials, shorter ones where there would be fewer than five blocks in all.

    Parameters
    ----------
    runs : ndarray of int, shape (n_trials,)
        Recording of each trial, not decreasing.
    times_s : ndarray, shape (n_trials,)
        Of the cues, ascending within a recording.
    longest : int
        Trials.

    Returns
    -------
    ndarray of int, shape (n_trials,)
        Not decreasing.

    Examples
    --------
    >>> blocks_of(np.array([0, 0, 0, 0, 1, 1]), np.array([0.0, 5, 10, 15, 0, 5]), 2).tolist()
    [0, 0, 1, 1, 2, 2]
    """
    n = len(runs)
    longest = max(min(longest, n // 5), min(longest, SHORTEST_BLOCK))
    steps = np.diff(times_s)
    same = np.diff(runs) == 0
    usual = float(np.median(steps[same])) if same.any() else 0.0
    begins = np.concatenate(([True], ~same | (steps > BREAK * usual))) if n else np.zeros(0, dtype=np.bool_)
    stretch = np.cumsum(begins)
    found = np.zeros(n, dtype=np.int64)
    number = 0
    for s in np.unique(stretch):
        inside = np.flatnonzero(stretch == s)
        parts = -(-len(inside) // longest)
        found[inside] = number + np.arange(len(inside)) * parts // len(inside)
        number += parts
    return found


def folds_of(blocks: IntArray, labels: npt.NDArray[np.str_], folds: int) -> IntArray:
    """Fold of each trial: neighbouring whole blocks, about as many trials in each fold.

    Fewer folds where otherwise what is left to train on would lack a class.

    Parameters
    ----------
    blocks : ndarray of int, shape (n_trials,)
        As :func:`blocks_of` gives them.
    labels : ndarray of str, shape (n_trials,)
    folds : int
        At most.

    Returns
    -------
    ndarray of int, shape (n_trials,)
        Not decreasing, from 0.
    """
    names, sizes = np.unique(blocks, return_counts=True)
    for k in range(min(folds, len(names)), 1, -1):
        middle = np.cumsum(sizes) - sizes / 2
        of_block = np.minimum((middle * k / len(blocks)).astype(np.int64), k - 1)
        _, fold = np.unique(of_block[np.searchsorted(names, blocks)], return_inverse=True)
        if whole(fold, labels):
            return fold.astype(np.int64)
    return np.zeros(len(blocks), dtype=np.int64)


def whole(fold: IntArray, labels: npt.NDArray[np.str_]) -> bool:
    """Whether every class keeps two trials at least when any two folds are left out.

    Parameters
    ----------
    fold : ndarray of int, shape (n_trials,)
        Fold of each trial.
    labels : ndarray of str, shape (n_trials,)
        Class of each trial.

    Returns
    -------
    bool
    """
    names = range(int(fold.max()) + 1 if len(fold) else 0)
    if len(names) < 2:
        return False
    counts = np.array([[int(((fold == f) & (labels == c)).sum()) for f in names] for c in np.unique(labels)])
    most = np.sort(counts, axis=1)[:, -2:].sum(axis=1) if len(names) > 2 else counts.max(axis=1)
    return bool((counts.sum(axis=1) - most >= 2).all())


def streaks(labels: npt.NDArray[np.str_], groups: IntArray) -> tuple[int, float]:
    """Number of class changes between neighbours, and the number that a random order would have.

    Classes in long streaks are no fair test: slow drifts tell them apart as well as any imagery does
    (Lemm et al. 2011, NeuroImage 56, 387).

    Parameters
    ----------
    labels : ndarray of str, shape (n_trials,)
    groups : ndarray of int, shape (n_trials,)
        Recording of each trial; neighbours in different recordings do not count.

    Returns
    -------
    changes : int
    expected : float
    """
    changes, expected = 0, 0.0
    shares = np.array([float(np.mean(labels == c)) for c in np.unique(labels)])
    unlike = (1 - float((shares**2).sum())) * len(labels) / max(1, len(labels) - 1)
    for group in np.unique(groups):
        inside = labels[groups == group]
        changes += int((inside[1:] != inside[:-1]).sum())
        expected += unlike * max(0, len(inside) - 1)
    return changes, expected


def permuted(codes: IntArray, blocks: IntArray, count: int, seed: int | Sequence[int]) -> IntArray:
    """Permute labels within their blocks.

    Parameters
    ----------
    codes : ndarray of int, shape (n_trials,)
    blocks : ndarray of int, shape (n_trials,)
    count : int
    seed : int or sequence of int

    Returns
    -------
    ndarray of int, shape (count, n_trials)
    """
    rng = np.random.default_rng(seed)
    found = np.empty((count, len(codes)), dtype=np.int64)
    for block in np.unique(blocks):
        inside = np.flatnonzero(blocks == block)
        found[:, inside] = rng.permuted(np.tile(codes[inside], (count, 1)), axis=1)
    return found
