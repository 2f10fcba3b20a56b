"""FBCNet: spatial filters in each band of the engine's filter bank, and the variance of what they give.

Mane, Chew, Chua, Ang, Robinson, Vinod, Lee, Guan 2021 (arXiv 2104.01233), section II: bands of 4 Hz, 32 filters in each, four
parts of the window.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipelines.networks.layers import Bounded
from pipelines.networks.shape import Shape

FILTERS, PARTS = 32, 4
SPATIAL_NORM, DENSE_NORM = 2.0, 0.5
POWERS = (1e-6, 1e6)


class FBCNet(nn.Module):
    """Spatial filters of each band, the logarithm of their variance over a quarter of the window, and a dense layer.

    Parameters
    ----------
    shape : Shape
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        signals = shape.bands * FILTERS
        self.parts = min(PARTS, shape.samples)
        self.each = shape.samples // self.parts
        self.spatial = nn.Conv1d(shape.rows, signals, 1, groups=shape.bands)
        self.spatial.max_norm = SPATIAL_NORM  # type: ignore[assignment]
        self.norm = nn.BatchNorm1d(signals)
        self.head = Bounded(signals * self.parts, shape.classes, DENSE_NORM)

    def forward(self, x: Tensor) -> Tensor:
        """Scores (n, classes) of aligned windows (n, bands, channels, samples).

        Parameters
        ----------
        x : Tensor

        Returns
        -------
        Tensor
        """
        x = F.silu(self.norm(self.spatial(x.flatten(1, 2))))
        x = x[:, :, x.shape[2] - self.parts * self.each :]
        mean = F.avg_pool1d(x, self.each)
        variance = F.avg_pool1d(x * x, self.each) - mean * mean
        out: Tensor = self.head(torch.log(torch.clamp(variance, *POWERS)).flatten(1))
        return out
