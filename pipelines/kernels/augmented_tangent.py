"""Kernel: tangent space and a linear model on covariances of delayed copies of the channels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from scipy.linalg.blas import dgemm

from bci.engine.chunk import FloatArray
from bci.errors import ModelError
from pipelines.kernels import tangent_linear
from pipelines.kernels.parts import take
from pipelines.kernels.tangent_linear import TangentLinear

MOST_DIMENSIONS = 60
"""Largest order × channels: an eigenproblem beyond takes longer than a live step may."""


def embed(window: FloatArray, order: int, lag: int, out: FloatArray | None = None) -> FloatArray:
    """Delayed copies of the channels, side by side; no sample is used that is not in the window.

    Copy p begins ``p * lag`` samples into the window, and all end up equally long:
    ``(order - 1) * lag`` samples shorter than the window. Nothing wraps around.

    Parameters
    ----------
    window : ndarray, shape (n_samples, n_channels)
    order : int
        Copies, the undelayed one included: 1 gives the window itself.
    lag : int
        Samples between one copy and the next.
    out : ndarray, shape (n_samples - (order - 1) * lag, at least order * n_channels), optional
        Where to put it.

    Returns
    -------
    ndarray, shape (n_samples - (order - 1) * lag, order * n_channels)

    Examples
    --------
    >>> embed(np.arange(5.0)[:, None], order=2, lag=2).tolist()
    [[0.0, 2.0], [1.0, 3.0], [2.0, 4.0]]
    """
    n_samples, n_channels = window.shape
    length = n_samples - (order - 1) * lag
    copies: FloatArray = np.empty((length, order * n_channels)) if out is None else out
    for p in range(order):
        copies[:, p * n_channels : (p + 1) * n_channels] = window[p * lag : p * lag + length]
    return copies


class AugmentedTangent:
    """:class:`~pipelines.kernels.tangent_linear.TangentLinear` on the augmented covariance of each band.

    Carrara, Papadopoulo 2024 (IEEE Trans. Biomedical Engineering 71(9), 2651): the covariance of a
    phase-space embedding, which holds the signal's course in time beside its power.

    Parameters
    ----------
    classes : tuple of str
    order, lag : int
        See :func:`embed`.
    linear : TangentLinear
        For ``order * n_channels`` dimensions.
    """

    features: Literal["scatter", "samples"] = "samples"

    def __init__(self, classes: tuple[str, ...], order: int, lag: int, linear: TangentLinear) -> None:
        self.classes = classes
        self.n_channels = linear.n_channels // order
        self._order, self._lag = order, lag
        self._linear = linear
        self._copies: FloatArray = np.ones((0, linear.n_channels + 1))
        self._scatter: FloatArray = np.zeros((1, linear.n_channels + 1, linear.n_channels + 1))
        self._none: FloatArray = np.full(len(classes), np.nan)

    def __call__(self, window: FloatArray) -> FloatArray:
        """Probabilities, shape (n_classes,), from samples, shape (n_bands, n_samples, n_channels), µV.

        NaN for every class where the window is not longer than the delays reach.
        """
        n_bands, n_samples, _ = window.shape
        length = n_samples - (self._order - 1) * self._lag
        if length < 1:
            return self._none
        if len(self._copies) != length or len(self._scatter) != n_bands:
            size = self._copies.shape[1]
            self._copies, self._scatter = np.ones((length, size)), np.zeros((n_bands, size, size))
        for samples, scatter in zip(window, self._scatter, strict=True):
            embed(samples, self._order, self._lag, self._copies)
            dgemm(1.0, self._copies.T, self._copies.T, trans_b=1, c=scatter.T, overwrite_c=1)
        return self._linear(self._scatter)


def load(arrays: Mapping[str, np.ndarray], classes: tuple[str, ...]) -> AugmentedTangent:
    """Build the kernel from a model's arrays: those of ``tangent-linear``, and ``embedding`` (order, lag).

    Parameters
    ----------
    arrays : mapping of str to ndarray
        The model's arrays, by name.
    classes : tuple of str
        Class names, in the order of the probabilities.

    Returns
    -------
    AugmentedTangent

    Raises
    ------
    ModelError
        If one is missing or does not fit, or the matrices are larger than may run live.
    """
    order, lag = (round(x) for x in take(arrays, "embedding", (2,)).tolist())
    if [order, lag] != arrays["embedding"].tolist() or order < 1 or lag < 1:
        raise ModelError(f"array 'embedding': is {arrays['embedding'].tolist()}, must be order and lag, whole numbers from 1")
    linear = tangent_linear.load({name: array for name, array in arrays.items() if name != "embedding"}, classes)
    if linear.n_channels % order or linear.n_channels > MOST_DIMENSIONS:
        raise ModelError(
            f"array 'whitening': is for {linear.n_channels} dimensions, must be a multiple of the order {order} "
            f"and at most {MOST_DIMENSIONS}"
        )
    return AugmentedTangent(classes, order, lag, linear)
