"""The direction in which evidence moves bars and cursors, and in which arrows point."""

from __future__ import annotations

import math
from collections.abc import Mapping

from bci.paradigm.cursor import Direction, direction, directions

__all__ = ["Direction", "direction", "directions", "pull"]


def pull(evidence: Mapping[str, float]) -> Direction:
    """Return the direction of evidence, each part from -1 to 1: what each class has above chance, along its direction.

    Parameters
    ----------
    evidence : mapping of str to float
        Of every class, summing to 1. Whatever is not finite draws nowhere.

    Examples
    --------
    >>> pull({"left_hand": 0.75, "right_hand": 0.25})
    (-0.5, 0.0)
    """
    if not evidence or not all(map(math.isfinite, evidence.values())):
        return (0.0, 0.0)
    chance = 1 / len(evidence)
    x = y = 0.0
    for class_, (dx, dy) in directions(tuple(evidence)).items():
        above = max(0.0, (evidence[class_] - chance) / (1 - chance)) if chance < 1 else 0.0
        x, y = x + dx * above, y + dy * above
    return (max(-1.0, min(1.0, x)), max(-1.0, min(1.0, y)))
