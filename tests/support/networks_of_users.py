"""Networks as users write them, for the tests of decoder ``network``."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Simple(nn.Module):
    """Named arguments as in braindecode, for windows (n, channels, samples)."""

    def __init__(self, n_chans: int, n_outputs: int, n_times: int, width: int = 4) -> None:
        super().__init__()
        self.filters = nn.Conv1d(n_chans, width, 9, padding="same")
        self.norm = nn.BatchNorm1d(width)
        self.drop = nn.Dropout(0.5)
        self.last = nn.Linear(width, n_outputs)
        self.n_times = n_times

    def forward(self, x: Tensor) -> Tensor:
        power = torch.log(self.norm(self.filters(x)).square().mean(dim=2) + 1e-6)
        return self.last(self.drop(power))


class Forgetful(Simple):
    """Drops out whether it is trained or not: the default of the functional form."""

    def forward(self, x: Tensor) -> Tensor:
        return self.last(F.dropout(self.filters(x).square().mean(dim=2)))


class Demanding(nn.Module):
    """Asks for what nobody can know."""

    def __init__(self, n_chans: int, moon_phase: float) -> None:
        super().__init__()


class Misshapen(nn.Module):
    """Gives one score for every sample."""

    def __init__(self, n_chans: int) -> None:
        super().__init__()
        self.weights = nn.Linear(n_chans, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.weights(x.transpose(1, 2))
