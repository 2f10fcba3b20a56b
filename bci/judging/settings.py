"""Settings of the judge, which are fixed before the first trial."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bci.errors import ConfigError

TARGET_KAPPA = 0.4
"""Agreement beyond chance from which control is of use: 70 % correct of two classes (Kübler et al. 2004,
Zeitschrift für Klinische Psychologie 33, 220), 55 % of four."""


@dataclass(frozen=True, slots=True)
class JudgeSettings:
    """Error, confidence and numbers of trials of a judgement.

    Parameters
    ----------
    alpha : float
        Probability with which a person without any control is told "works", over all looks together.
    spending : float
        Power of the spending function (Kim and DeMets 1987, Biometrika 74, 149): ``alpha * share ** spending`` is spent
        by the time that this share of the looks has been taken. 1: evenly; more: later.
    looks : int
        Looks among which the error is shared. Looks beyond them can no longer say "works".
    trials_per_class : int
        At most as many will be recorded; the forecast is for them.
    least_per_class : int
        Before this, nobody is told "unlikely".
    folds : int
        Stretches of consecutive trials that the cross-validation leaves out in turn, at most.
    block : int
        Trials, at most, among which labels are permuted.
    permutations : int
        Of the labels, at least; more where a look may spend little.
    level : float
        Of the intervals.
    """

    alpha: float = 0.01
    spending: float = 1.5
    looks: int = 16
    trials_per_class: int = 80
    least_per_class: int = 20
    folds: int = 5
    block: int = 10
    permutations: int = 2000
    level: float = 0.95

    def __post_init__(self) -> None:
        problems = [
            f"{name} = {getattr(self, name)}: must be above 0 and below 1"
            for name in ("alpha", "level")
            if not 0 < getattr(self, name) < 1
        ]
        least = (("looks", 1), ("trials_per_class", 4), ("least_per_class", 1), ("folds", 3), ("block", 2), ("permutations", 1))
        problems += [
            f"{name} = {getattr(self, name)}: must be at least {value}" for name, value in least if getattr(self, name) < value
        ]
        if not 0 < self.spending < math.inf:
            problems.append(f"spending = {self.spending}: must be a positive, finite number")
        if problems:
            raise ConfigError(problems)

    def spent(self, look: int) -> float:
        """Return the part of ``alpha`` that look number ``look`` (from 1) may spend.

        Parameters
        ----------
        look : int
            From 1.

        Examples
        --------
        >>> JudgeSettings(looks=4, spending=1.0).spent(2)
        0.0025
        """
        if look < 1:
            raise ConfigError(f"look = {look}: looks are counted from 1")
        before, now = (min(1.0, x / self.looks) ** self.spending for x in (look - 1, look))
        return float(self.alpha * (now - before))


def target(chance: float) -> float:
    """The accuracy from which control is useful.

    >>> round(target(0.5), 3), round(target(0.25), 3)
    (0.7, 0.55)
    """
    return chance + TARGET_KAPPA * (1 - chance)
