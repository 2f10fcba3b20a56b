"""What a model does about artefacts, as data that it carries in its header."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bci.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Artefacts:
    """Artefact steps of a decoder; nothing is done by default.

    Parameters
    ----------
    eog : tuple of str
        Channels that see the eyes: EOG, or frontal EEG. What they explain is subtracted (:mod:`.regression`).
    eog_weights : tuple of tuple of float
        Of each of them, how much of it every other input channel holds; measured in training. Empty: nothing is subtracted.
    potato_z : float
        A window whose covariance lies further than so many standard deviations from those of the training is not decoded
        (:mod:`.potato`); 0 for no such limit.
    potato : tuple of float
        Mean and standard deviation of the logarithm of that distance; measured in training.
    """

    eog: tuple[str, ...] = ()
    eog_weights: tuple[tuple[float, ...], ...] = ()
    potato_z: float = 0.0
    potato: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        problems = []
        if len(set(self.eog)) != len(self.eog):
            problems.append(f"eog = {', '.join(self.eog)}: no channel may be named twice")
        if self.eog_weights and len(self.eog_weights) != len(self.eog):
            problems.append(f"eog_weights: {len(self.eog_weights)} rows for {len(self.eog)} EOG channels; one each is needed")
        if not 0 <= self.potato_z <= 100:
            problems.append(f"potato_z = {self.potato_z}: must be 0 (off) or up to 100 standard deviations")
        if self.potato and not (len(self.potato) == 2 and math.isfinite(self.potato[0]) and 0 < self.potato[1] < math.inf):
            problems.append(f"potato = {self.potato}: must be a mean and a standard deviation above 0")
        if problems:
            raise ConfigError(problems)

    @property
    def on(self) -> bool:
        """Whether anything is done."""
        return bool(self.eog) or self.potato_z > 0
