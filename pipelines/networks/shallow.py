"""ShallowConvNet: band power of learnt filters, as filter-bank CSP does it.

Schirrmeister, Springenberg, Fiederer, Glasstetter, Eggensperger, Tangermann, Hutter, Burgard, Ball 2017 (Human Brain Mapping
38, 5391), figure 2.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipelines.networks.layers import Dropout, SpatioTemporalFilters
from pipelines.networks.shape import Shape

FILTERS = 40
KERNEL_S, POOL_S, STRIDE_S = 0.1, 0.3, 0.06
"""25, 75 and 15 samples at 250 Hz."""
LEAST_POWER = 1e-6


class ShallowConvNet(nn.Module):
    """Temporal and spatial filters, squares, their mean over 0.3 s, the logarithm, and a dense layer.

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
        self.filters = SpatioTemporalFilters(shape.rows, FILTERS, FILTERS, length)
        self.norm = nn.BatchNorm1d(FILTERS)
        self.dropout = Dropout(dropout)
        self.head = nn.Linear(FILTERS * ((left - self.pool) // self.stride + 1), shape.classes)

    def forward(self, x: Tensor) -> Tensor:
        """Scores (n, classes) of aligned windows (n, bands, channels, samples).

        Parameters
        ----------
        x : Tensor

        Returns
        -------
        Tensor
        """
        x = self.norm(self.filters(x.flatten(1, 2)))
        x = torch.log(torch.clamp(F.avg_pool1d(x * x, self.pool, self.stride), min=LEAST_POWER))
        out: Tensor = self.head(self.dropout(x).flatten(1))
        return out
