"""Layers that several networks share."""

from __future__ import annotations

import math

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
        """Windows (n, n_bands, n_samples, n_channels), µV, to (n, n_bands, n_channels, n_samples // factor).

        Parameters
        ----------
        windows : Tensor, shape (n, n_bands, n_samples, n_channels)
            µV.

        Returns
        -------
        Tensor
        """
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
    """Bring the weights of every layer with a ``max_norm`` back to it; called after each step of the optimiser.

    Parameters
    ----------
    network : nn.Module
    """
    with torch.no_grad():
        for layer in network.modules():
            most = getattr(layer, "max_norm", None)
            if most is not None:
                weight: Tensor = layer.weight  # type: ignore[assignment]
                weight.copy_(torch.renorm(weight, p=2, dim=0, maxnorm=most))


class Dropout(nn.Module):
    """Sets values to zero at random while training, and raises the others (Srivastava et al. 2014).

    One random byte for each value: with torch's own, which draws 53 bits for each, dropping out was 40 % of the time that an
    attention network trains on a processor.

    Parameters
    ----------
    share : float
        Of the values; kept to the nearest 1/256.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.limit = round(256 * share)

    def forward(self, x: Tensor) -> Tensor:
        """The same while not training.

        Parameters
        ----------
        x : Tensor

        Returns
        -------
        Tensor
        """
        if not self.training:
            return x
        words = torch.empty(x.numel() // 8 + 1, dtype=torch.int64, device=x.device).random_(-(2**63), None)
        kept = words.view(torch.uint8)[: x.numel()].view(x.shape) >= self.limit
        return x * kept * (256 / (256 - self.limit))


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
        """Shape (n, groups * each, samples), in and out.

        Parameters
        ----------
        x : Tensor

        Returns
        -------
        Tensor
        """
        return self._by_spectrum(x) if self.training else self.conv(x.unflatten(1, (self.groups, self.each))).flatten(1, 2)

    def _by_spectrum(self, x: Tensor) -> Tensor:
        """The same by way of the spectrum: with gradients, many times faster on a processor than the convolution."""
        samples = x.shape[2]
        n = _good_length(samples + 2 * self.side)
        spectrum = torch.fft.rfft(self.conv.weight[:, 0, 0].flip(1), n=n).repeat_interleave(self.each, dim=0)
        whole = torch.fft.irfft(torch.fft.rfft(x, n=n) * spectrum, n=n)
        out: Tensor = whole[:, :, self.side : self.side + samples]
        return out


class SpatioTemporalFilters(nn.Module):
    """Temporal filters, then weighted sums over all of them and all channels; as one convolution.

    Two linear layers after one another are one. What is learnt are the weights of the two, as in the papers, with a fraction
    of the work.

    Parameters
    ----------
    rows : int
    temporal, spatial : int
        Filters of the two layers.
    length : int
        Of the temporal filters, samples.
    """

    def __init__(self, rows: int, temporal: int, spatial: int, length: int) -> None:
        super().__init__()
        self.temporal = nn.Parameter(torch.empty(temporal, length))
        self.spatial = nn.Parameter(torch.empty(spatial, temporal, rows))
        nn.init.xavier_uniform_(self.temporal)
        nn.init.xavier_uniform_(self.spatial)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (n, rows, samples) to (n, spatial, samples - length + 1).

        Parameters
        ----------
        x : Tensor

        Returns
        -------
        Tensor
        """
        return F.conv1d(x, torch.einsum("sfr,fl->srl", self.spatial, self.temporal))


class Attention(nn.Module):
    """Multi-head self-attention over time (Vaswani et al. 2017, Attention is all you need, section 3.2.2).

    Parameters
    ----------
    width, heads : int
    dropout : float
        Of the attention weights.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.each = heads, width // heads
        self.queries, self.keys, self.values = (nn.Linear(width, width) for _ in range(3))
        self.out = nn.Linear(width, width)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (n, tokens, width), in and out.

        Parameters
        ----------
        x : Tensor

        Returns
        -------
        Tensor
        """
        queries, keys, values = (self._split(layer(x)) for layer in (self.queries, self.keys, self.values))
        weights = torch.softmax(torch.matmul(queries, keys.transpose(2, 3)) / math.sqrt(self.each), dim=3)
        out: Tensor = self.out(torch.matmul(self.dropout(weights), values).transpose(1, 2).flatten(2))
        return out

    def _split(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], -1, self.heads, self.each).transpose(1, 2)


class FeedForward(nn.Sequential):
    """Two dense layers, the one between four times as wide."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__(nn.Linear(width, 4 * width), nn.GELU(), Dropout(dropout), nn.Linear(4 * width, width))


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
