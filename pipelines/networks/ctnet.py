"""CTNet: the convolutions of EEGNet, then self-attention over time.

Zhao, Jiang, Zhang, Xiao, Weng 2024 (Scientific Reports 14, 20237), table 1.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipelines.networks.layers import Attention, Dropout, FeedForward, SpatialFilters, TemporalFilters
from pipelines.networks.shape import Shape

TEMPORAL, MULTIPLE, HEADS, DEPTH = 20, 2, 4, 6
WIDTH = TEMPORAL * MULTIPLE
KERNEL_S = 0.256
"""64 samples at 250 Hz; the second convolution has 16 after a pool of 8."""
POOLS = (8, 8)
PAPER_RATE_HZ = 250.0
SECOND = 16


class CTNet(nn.Module):
    """Temporal filters, two spatial filters for each, a second convolution, six attention blocks, and a dense layer.

    Spatial filters come first, as in :mod:`pipelines.networks.eegnet`.

    Parameters
    ----------
    shape : Shape
    dropout : float
        Of the convolutions.
    """

    def __init__(self, shape: Shape, dropout: float = 0.3) -> None:
        super().__init__()
        self.first = shape.length(POOLS[0] / PAPER_RATE_HZ)
        between = shape.samples // self.first
        self.second = min(POOLS[1], between)
        tokens = between // self.second
        self.spatial = SpatialFilters(shape.rows, WIDTH)
        self.temporal = TemporalFilters(TEMPORAL, MULTIPLE, shape.length(KERNEL_S))
        self.norm = nn.BatchNorm1d(WIDTH)
        side = min(SECOND, between) // 2
        self.conv = nn.Conv1d(WIDTH, WIDTH, 2 * side + 1, padding=side, bias=False)
        self.norm2 = nn.BatchNorm1d(WIDTH)
        self.dropout = Dropout(dropout)
        self.place = nn.Parameter(torch.randn(1, tokens, WIDTH))
        self.drop_place, self.drop_features = Dropout(0.1), Dropout(0.5)
        self.blocks = nn.Sequential(*(CTNetBlock() for _ in range(DEPTH)))
        self.head = nn.Linear(WIDTH * tokens, shape.classes)

    def forward(self, x: Tensor) -> Tensor:
        """Scores (n, classes) of aligned windows (n, bands, channels, samples).

        Parameters
        ----------
        x : Tensor

        Returns
        -------
        Tensor
        """
        x = F.elu(self.norm(self.temporal(self.spatial(x.flatten(1, 2)))))
        x = self.dropout(F.avg_pool1d(x, self.first))
        x = self.dropout(F.avg_pool1d(F.elu(self.norm2(self.conv(x))), self.second))
        x = self.drop_place(x.transpose(1, 2) * math.sqrt(WIDTH) + self.place)
        out: Tensor = self.head(self.drop_features((x + self.blocks(x)).flatten(1)))
        return out


class CTNetBlock(nn.Module):
    """Attention and two dense layers, each on top of what comes in, normalised after."""

    def __init__(self, dropout: float = 0.5) -> None:
        super().__init__()
        self.attention = nn.Sequential(Attention(WIDTH, HEADS, dropout), Dropout(dropout))
        self.dense = nn.Sequential(FeedForward(WIDTH, dropout), Dropout(dropout))
        self.norm, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (n, tokens, width), in and out.

        Parameters
        ----------
        x : Tensor

        Returns
        -------
        Tensor
        """
        x = self.norm(x + self.attention(x))
        out: Tensor = self.norm2(x + self.dense(x))
        return out
