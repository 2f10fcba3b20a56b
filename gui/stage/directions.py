"""Where classes point to: arrows, bars and cursors agree on it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

Direction = tuple[float, float]
"""To the right and downwards, of length 1."""

KNOWN: dict[str, Direction] = {
    "left_hand": (-1.0, 0.0),
    "right_hand": (1.0, 0.0),
    "feet": (0.0, 1.0),
    "tongue": (0.0, -1.0),
    "left": (-1.0, 0.0),
    "right": (1.0, 0.0),
    "down": (0.0, 1.0),
    "up": (0.0, -1.0),
}
"""As in the Graz paradigm and data set 2a of BCI Competition IV."""

STILL = ("rest", "idle")


def direction(class_: str) -> Direction | None:
    """Where a cue of this class points to; None for rest, and for a class that has no direction of its own."""
    return KNOWN.get(class_)


def directions(classes: Sequence[str]) -> dict[str, Direction]:
    """A direction for each class, so that feedback can move: its own, or the next that is free.

    >>> directions(["music", "subtraction"])
    {'music': (-1.0, 0.0), 'subtraction': (1.0, 0.0)}
    """
    free = iter([d for d in ((-1.0, 0.0), (1.0, 0.0), (0.0, -1.0), (0.0, 1.0)) if d not in map(direction, classes)])
    given: dict[str, Direction] = {}
    for class_ in classes:
        if class_ in STILL:
            given[class_] = (0.0, 0.0)
        else:
            given[class_] = direction(class_) or next(free, (0.0, 0.0))
    return given


def pull(evidence: Mapping[str, float]) -> Direction:
    """Where evidence draws, each part from -1 to 1: what each class has above chance, along its direction.

    Parameters
    ----------
    evidence : mapping of str to float
        Of every class, summing to 1. Whatever is not finite draws nowhere.

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
