"""EEG Conformer: short convolutions, then self-attention over time.

Song, Zheng, Liu, Gao 2022 (IEEE Trans. Neural Systems and Rehabilitation Engineering 31, 710), table I.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from pipelines.networks.layers import Attention, Dropout, FeedForward, SpatioTemporalFilters
from pipelines.networks.shape import Shape

WIDTH, HEADS, DEPTH = 40, 10, 6
KERNEL_S, POOL_S, STRIDE_S = 0.1, 0.3, 0.06
"""25, 75 and 15 samples at 250 Hz."""


class Conformer(nn.Module):
    """Patches of 0.3 s from temporal and spatial filters, six attention blocks, and three dense layers.

    Parameters
    ----------
    shape : Shape
    dropout : float
    """

    def __init__(self, shape: Shape, dropout: float = 0.5) -> None:
        super().__init__()
        length = shape.length(KERNEL_S)
        left = shape.samples - length + 1
        self.pool, self.stride = min(shape.length(POOL_S), left), shape.length(STRIDE_S)
        self.filters = SpatioTemporalFilters(shape.rows, WIDTH, WIDTH, length)
        self.norm = nn.BatchNorm1d(WIDTH)
        self.dropout = Dropout(dropout)
        self.project = nn.Conv1d(WIDTH, WIDTH, 1)
        self.blocks = nn.Sequential(*(ConformerBlock(dropout) for _ in range(DEPTH)))
        tokens = (left - self.pool) // self.stride + 1
        self.dense = nn.Sequential(
            nn.Linear(WIDTH * tokens, 256), nn.ELU(), Dropout(0.5), nn.Linear(256, 32), nn.ELU(), Dropout(0.3)
        )
        self.head = nn.Linear(32, shape.classes)

    def forward(self, x: Tensor) -> Tensor:
        """Scores (n, classes) of aligned windows (n, bands, channels, samples).

        Parameters
        ----------
        x : Tensor

        Returns
        -------
        Tensor
        """
        x = F.elu(self.norm(self.filters(x.flatten(1, 2))))
        x = self.project(self.dropout(F.avg_pool1d(x, self.pool, self.stride)))
        x = self.dense(self.blocks(x.transpose(1, 2)).flatten(1))
        out: Tensor = self.head(x)
        return out


class ConformerBlock(nn.Module):
    """Attention and two dense layers, each on top of what comes in, normalised before."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.attention = nn.Sequential(nn.LayerNorm(WIDTH), Attention(WIDTH, HEADS, dropout), Dropout(dropout))
        self.dense = nn.Sequential(nn.LayerNorm(WIDTH), FeedForward(WIDTH, dropout), Dropout(dropout))

    def forward(self, x: Tensor) -> Tensor:
        """Shape (n, tokens, width), in and out.

        Parameters
        ----------
        x : Tensor

        Returns
        -------
        Tensor
        """
        x = x + self.attention(x)
        out: Tensor = x + self.dense(x)
        return out
