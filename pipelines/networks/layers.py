"""Layers that several networks share."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Front(nn.Module):
    """Alignment and decimation, the first layer of every network: constant, so that it is trained on once.

    Parameters
    ----------
    white : Tensor, shape (n_bands, n_channels, n_channels)
        Symmetric matrices that the channels are multiplied by, 1/µV; see :mod:`pipelines.networks.alignment`.
    factor : int
        So many neighbouring samples are averaged to one.
    """

    white: Tensor

    def __init__(self, white: Tensor, factor: int) -> None:
        super().__init__()
        self.register_buffer("white", white)
        self.factor = factor

    def forward(self, windows: Tensor) -> Tensor:
        """Windows (n, n_bands, n_samples, n_channels), µV, to (n, n_bands, n_channels, n_samples // factor)."""
        x = torch.matmul(windows, self.white).transpose(2, 3)
        if self.factor == 1:
            return x
        spare = x.shape[3] % self.factor  # of the oldest samples: the newest tell most
        return F.avg_pool2d(x[:, :, :, spare:], (1, self.factor))


class Bounded(nn.Linear):
    """A dense layer whose weights of each output have a norm of at most ``max_norm``; see :func:`constrain`."""

    def __init__(self, inputs: int, outputs: int, max_norm: float) -> None:
        super().__init__(inputs, outputs)
        self.max_norm = max_norm


def constrain(network: nn.Module) -> None:
    """Bring the weights of every layer with a ``max_norm`` back to it; called after each step of the optimiser."""
    with torch.no_grad():
        for layer in network.modules():
            most = getattr(layer, "max_norm", None)
            if most is not None:
                weight: Tensor = layer.weight  # type: ignore[assignment]
                weight.copy_(torch.renorm(weight, p=2, dim=0, maxnorm=most))


class SpatialFilters(nn.Conv1d):
    """Weighted sums of the channels, shape (n, rows, samples) to (n, filters, samples)."""

    def __init__(self, rows: int, filters: int, max_norm: float | None = None) -> None:
        super().__init__(rows, filters, 1, bias=False)
        self.max_norm = max_norm


class TemporalFilters(nn.Module):
    """One temporal filter for each group of signals, as long a signal as went in.

    Parameters
    ----------
    groups : int
    each : int
        Neighbouring signals that share a filter.
    length : int
        Samples; the next odd number is taken, so that a filter has a middle.
    """

    def __init__(self, groups: int, each: int, length: int) -> None:
        super().__init__()
        self.groups, self.each, self.side = groups, each, length // 2
        self.conv = nn.Conv2d(groups, groups, (1, 2 * self.side + 1), padding=(0, self.side), groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (n, groups * each, samples), in and out."""
        return self._by_spectrum(x) if self.training else self.conv(x.unflatten(1, (self.groups, self.each))).flatten(1, 2)

    def _by_spectrum(self, x: Tensor) -> Tensor:
        """The same by way of the spectrum: with gradients, many times faster on a processor than the convolution."""
        samples = x.shape[2]
        n = _good_length(samples + 2 * self.side)
        spectrum = torch.fft.rfft(self.conv.weight[:, 0, 0].flip(1), n=n).repeat_interleave(self.each, dim=0)
        whole = torch.fft.irfft(torch.fft.rfft(x, n=n) * spectrum, n=n)
        return whole[:, :, self.side : self.side + samples]


def _good_length(least: int) -> int:
    """The first length from ``least`` on that has no prime factor above five, which Fourier transforms are fast for."""
    while True:
        rest = least
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return least
        least += 1
