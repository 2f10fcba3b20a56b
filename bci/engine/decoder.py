"""The contract of a live decoder, and the scatter matrices most of them live on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from bci.engine.chunk import FloatArray
from bci.engine.control.decoder import VelocityDecoder
from bci.engine.preprocessing import Preprocessing


class Kernel(Protocol):
    """A fitted decoder, reduced to what the live loop needs; everything possible is computed in advance.

    A kernel never raises on finite input. Where the input has no covariance (every channel constant, overflow) it
    answers NaN for every class, which the engine turns into no decision. It keeps no state between calls. It may reuse its
    return buffer: a caller that keeps the result copies it.

    Attributes
    ----------
    classes : tuple of str
    n_channels : int
    features : {"scatter", "samples"}
        What ``__call__`` takes. ``"scatter"``: shape (n_bands, n_channels + 1, n_channels + 1), see
        :func:`scatter`. ``"samples"``: shape (n_bands, n_samples, n_channels).
    """

    classes: tuple[str, ...]
    n_channels: int
    features: Literal["scatter", "samples"]

    def __call__(self, window: FloatArray) -> FloatArray:
        """Probabilities, shape (n_classes,), that sum to one."""
        ...


def scatter(window: FloatArray) -> FloatArray:
    """Compute the scatter matrices of one window, including its sums: ``[X 1]' [X 1]`` for each band.

    Parameters
    ----------
    window : ndarray, shape (n_bands, n_samples, n_channels)
        Microvolts.

    Returns
    -------
    ndarray, shape (n_bands, n_channels + 1, n_channels + 1)
        ``[:, :-1, :-1]`` holds the sums of products (µV²), ``[:, -1, :-1]`` the sums (µV) and
        ``[:, -1, -1]`` the number of samples: all that a covariance estimate with any centring or
        analytic shrinkage needs.

    Examples
    --------
    >>> scatter(np.ones((1, 4, 1)))[0].tolist()
    [[4.0, 4.0], [4.0, 4.0]]
    """
    ones = np.ones((*window.shape[:2], 1))
    x = np.concatenate((window, ones), axis=2)
    products: FloatArray = np.matmul(x.transpose(0, 2, 1), x)
    return products


@dataclass(frozen=True, slots=True, eq=False)
class LiveDecoder:
    """A kernel together with everything that the engine needs to use it.

    Parameters
    ----------
    preprocessing : Preprocessing
    kernel : Kernel
    covariance : ndarray, shape (n_bands, n_channels, n_channels)
        Mean covariance of the training windows, µV², after the reference. A bad channel is replaced by
        what this covariance expects of it, given the good ones.
    weights : ndarray, shape (n_channels,)
        Share of each channel in the decision, non-negative, sums to one. A decoder does not go on
        without its heaviest channels.
    centre : ndarray, shape (n_bands, n_channels, n_channels), or None
        Riemannian centre of the training covariances, µV²: where recentring moves the live ones to. None in models
        that know none.
    """

    preprocessing: Preprocessing
    kernel: Kernel
    covariance: FloatArray
    weights: FloatArray
    centre: FloatArray | None = None

    @property
    def velocity(self) -> VelocityDecoder | None:
        """The kernel, if it also decodes a velocity; else None."""
        return self.kernel if isinstance(self.kernel, VelocityDecoder) else None

    @property
    def n_dims(self) -> int:
        """Number of dimensions of the velocity that it decodes; 0 if it decodes none."""
        return 0 if self.velocity is None else self.velocity.dynamics.n_dims
