"""Settings for training a network."""

from __future__ import annotations

from dataclasses import dataclass

from bci.errors import ConfigError

WAYS = ("full", "probe", "frozen")


@dataclass(frozen=True, slots=True)
class Recipe:
    """Settings of the training; see :class:`pipelines.networks.family.NetworkFamily`."""

    seed: int
    epochs: int
    patience: int
    batch: int
    learning_rate: float
    weight_decay: float
    validation: float
    reflect: bool
    recombine: bool
    align: bool
    device: str
    pretrained: str
    fine_tune: str

    def __post_init__(self) -> None:
        counts = {name: getattr(self, name) for name in ("epochs", "patience", "batch")}
        problems = [f"decoder.settings.{name} = {value}: must be at least 1" for name, value in counts.items() if value < 1]
        if not 0 <= self.validation <= 0.5:
            problems.append(f"decoder.settings.validation = {self.validation}: must be between 0 and 0.5")
        if self.learning_rate <= 0:
            problems.append(f"decoder.settings.learning_rate = {self.learning_rate}: must be positive")
        if self.fine_tune not in WAYS:
            problems.append(f"decoder.settings.fine_tune = {self.fine_tune!r}: must be one of {', '.join(WAYS)}")
        if problems:
            raise ConfigError(problems)

    @property
    def fixed_epochs(self) -> int:
        """How long to train where nothing can be set aside."""
        return max(1, self.epochs // 2)

    @property
    def rule(self) -> str:
        """The rule that ends training, in words."""
        return f"at most {self.epochs}, patience {self.patience}, last {100 * self.validation:.0f} % set aside"
