"""EEGNet-8,2: few parameters, for few trials.

Lawhern, Solon, Waytowich, Gordon, Hung, Lance 2018 (Journal of Neural Engineering 15, 056013), table 2.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from pipelines.networks.layers import Bounded, Dropout, SpatialFilters, TemporalFilters
from pipelines.networks.shape import Shape

TEMPORAL, DEPTH = 8, 2
"""F1 and D of the paper; F2 = F1 * D."""
KERNEL_S = 0.5
"""Half the sampling rate, in the paper: 64 samples at 128 Hz, and 16 at the 32 Hz after the first pool."""
POOLS = (4, 8)
PAPER_RATE_HZ = 128.0
SPATIAL_NORM, DENSE_NORM = 1.0, 0.25


class EEGNet(nn.Module):
    """Temporal filters, a few spatial filters for each, a separable convolution, and a dense layer.

    Spatial filters come first: two linear maps over different axes commute, and there is a fifteenth of the work for 15
    channels. The batch norm between them, which the one after both makes up for, is left out.

    Parameters
    ----------
    shape : Shape
    dropout : float
        0.5 within a person, 0.25 across people in the paper.
    """

    def __init__(self, shape: Shape, dropout: float = 0.5) -> None:
        super().__init__()
        signals = TEMPORAL * DEPTH
        first, second = (shape.length(pool / PAPER_RATE_HZ) for pool in (POOLS[0], POOLS[0] * POOLS[1]))
        second = max(1, second // first)
        between = shape.samples // first
        self.spatial = SpatialFilters(shape.rows, signals, SPATIAL_NORM)
        self.temporal = TemporalFilters(TEMPORAL, DEPTH, shape.length(KERNEL_S))
        self.norm = nn.BatchNorm1d(signals)
        self.first = first
        self.depthwise = TemporalFilters(signals, 1, max(1, min(between, shape.length(KERNEL_S) // first)))
        self.pointwise = nn.Conv1d(signals, signals, 1, bias=False)
        self.norm2 = nn.BatchNorm1d(signals)
        self.second = min(second, between)
        self.dropout = Dropout(dropout)
        self.head = Bounded(signals * (between // self.second), shape.classes, DENSE_NORM)

    def forward(self, x: Tensor) -> Tensor:
        """Scores (n, classes) of aligned windows (n, bands, channels, samples).

        Parameters
        ----------
        x : Tensor

        Returns
        -------
        Tensor
        """
        x = self.norm(self.temporal(self.spatial(x.flatten(1, 2))))
        x = self.dropout(F.avg_pool1d(F.elu(x), self.first))
        x = self.norm2(self.pointwise(self.depthwise(x)))
        x = self.dropout(F.avg_pool1d(F.elu(x), self.second))
        out: Tensor = self.head(x.flatten(1))
        return out
