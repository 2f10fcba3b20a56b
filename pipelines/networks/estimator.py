"""A trained network with the interface of a scikit-learn classifier, and the share of each channel in its decisions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from bci.engine.chunk import FloatArray
from pipelines.covariance import shares
from pipelines.networks.training import batches

MOST_WINDOWS = 64
"""So many windows tell enough of how a network weighs the channels."""


class TrainedNetwork:
    """A trained network as a classifier.

    Parameters
    ----------
    network : torch.nn.Module
        Takes windows as the engine makes them, shape (n, n_bands, n_samples, n_channels), and gives scores (n, n_classes).
    classes : tuple of str
    """

    def __init__(self, network: nn.Module, classes: tuple[str, ...]) -> None:
        self.network = network
        self.classes_ = np.array(classes)

    def scores(self, windows: FloatArray) -> FloatArray:
        """Logarithms of the probabilities up to a constant, shape (n_windows, n_classes).

        Parameters
        ----------
        windows : ndarray, shape (n_windows, n_bands, n_samples, n_channels)
            µV.

        Returns
        -------
        ndarray, shape (n_windows, n_classes)
        """
        self.network.eval()
        given = torch.from_numpy(np.ascontiguousarray(windows, dtype=np.float32))
        with torch.inference_mode():
            found = [self.network(given[torch.from_numpy(part)]) for part in batches(np.arange(len(windows)))]
        scores: FloatArray = torch.cat(found).numpy().astype(np.float64)
        return scores

    def predict_proba(self, windows: FloatArray) -> FloatArray:
        """Probabilities, shape (n_windows, n_classes).

        Parameters
        ----------
        windows : ndarray, shape (n_windows, n_bands, n_samples, n_channels)
            µV.

        Returns
        -------
        ndarray, shape (n_windows, n_classes)
        """
        if not len(windows):
            return np.zeros((0, len(self.classes_)))
        scores = self.scores(windows)
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        found: FloatArray = weights / weights.sum(axis=1, keepdims=True)
        return found

    def predict(self, windows: FloatArray) -> npt.NDArray[np.str_]:
        """Most probable class of each window.

        Parameters
        ----------
        windows : ndarray, shape (n_windows, n_bands, n_samples, n_channels)
            µV.

        Returns
        -------
        ndarray of str
        """
        found: npt.NDArray[np.str_] = self.classes_[self.predict_proba(windows).argmax(axis=1)]
        return found


def channel_shares(network: nn.Module, windows: FloatArray) -> FloatArray:
    """Share of each channel in the decision: how much of its power is what the network listens to.

    At every window the network is, to first order, a linear filter ``g(t)``. Its pattern is ``C g`` (Haufe et al. 2014,
    NeuroImage 87, 96, equation 6); the square over the channel's power is the part that the filter explains.

    Parameters
    ----------
    network : torch.nn.Module
    windows : ndarray, shape (n_windows, n_bands, n_samples, n_channels)
        µV.

    Returns
    -------
    ndarray, shape (n_channels,)
    """
    chosen = windows[np.linspace(0, len(windows) - 1, min(MOST_WINDOWS, len(windows))).astype(int)]
    given = torch.from_numpy(np.ascontiguousarray(chosen, dtype=np.float32)).requires_grad_()
    network.eval()
    scores: Tensor = network(given)
    (scores.max(dim=1).values - scores.mean(dim=1)).sum().backward()
    gradient = np.zeros(given.shape) if given.grad is None else given.grad.numpy().astype(np.float64)
    covariance = np.einsum("nbti,nbtj->bij", chosen, chosen) / (chosen.shape[0] * chosen.shape[2])
    pattern = np.einsum("bij,nbtj->nbti", covariance, gradient)
    power = np.maximum(np.einsum("bii->bi", covariance), np.finfo(float).tiny)
    found = shares((np.einsum("nbti,nbti->bi", pattern, pattern) / power).sum(axis=0))
    return found if np.isfinite(found).all() else np.full(windows.shape[3], 1 / windows.shape[3])
