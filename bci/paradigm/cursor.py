"""The cursor task: where classes point to, and what a velocity does to a cursor."""

from __future__ import annotations

import math
from collections.abc import Sequence

Direction = tuple[float, float]
"""To the right and downwards."""

_SLANT = math.sqrt(0.5)
KNOWN: dict[str, Direction] = {
    "left_hand": (-1.0, 0.0),
    "right_hand": (1.0, 0.0),
    "feet": (0.0, 1.0),
    "tongue": (0.0, -1.0),
    "left": (-1.0, 0.0),
    "right": (1.0, 0.0),
    "down": (0.0, 1.0),
    "up": (0.0, -1.0),
    "down_left": (-_SLANT, _SLANT),
    "down_right": (_SLANT, _SLANT),
    "up_left": (-_SLANT, -_SLANT),
    "up_right": (_SLANT, -_SLANT),
}
"""Directions of length 1. The first four as in the Graz paradigm and data set 2a of BCI Competition IV."""

STILL = ("rest", "idle")
HIT = 0.82
"""Share of the way to a target at which the cursor touches it."""
NEAR = 0.6


def direction(class_: str) -> Direction | None:
    """Tell where a cue of a class points to.

    Parameters
    ----------
    class_ : str

    Returns
    -------
    Direction or None
        None for rest, and for a class that has no direction of its own.
    """
    return KNOWN.get(class_)


def directions(classes: Sequence[str]) -> dict[str, Direction]:
    """Give each class a direction, so that feedback can move: its own, or the next that is free.

    Parameters
    ----------
    classes : sequence of str

    Returns
    -------
    dict of str to Direction
        No movement for rest, and where no direction is free.

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


def moved(at: Direction, pull: Direction, dt_s: float, across_s: float) -> Direction:
    """Move the cursor for a moment; it does not leave the field, which ends at 1 on each side.

    Parameters
    ----------
    at, pull : Direction
        Where it is, and where evidence, or a velocity, draws it.
    dt_s : float
        Length of the moment, seconds.
    across_s : float
        Time from the middle to a target at a pull of 1, seconds.

    Returns
    -------
    Direction
        Where it is afterwards.

    Examples
    --------
    >>> moved((0.0, 0.0), (1.0, 0.0), 0.5, 2.0)
    (0.25, 0.0)
    """
    x, y = (max(-1.0, min(1.0, a + p * dt_s / across_s)) for a, p in zip(at, pull, strict=True))
    return (x, y)


def reached(at: Direction, targets: Sequence[Direction]) -> Direction | None:
    """Find the target that the cursor touches.

    Parameters
    ----------
    at : Direction
        Where it is.
    targets : sequence of Direction

    Returns
    -------
    Direction or None
        None where it touches none.
    """
    near = [t for t in targets if t[0] * at[0] + t[1] * at[1] >= HIT and math.dist(t, at) < NEAR]
    return near[0] if near else None


def towards(at: Direction, target: Direction) -> Direction:
    """The velocity that a person wants whose cursor shall go to a target: straight to it, of length 1.

    Gilja et al. 2012 (Nature Neuroscience 15, 1752) take the intention for this ("ReFIT").

    Parameters
    ----------
    at, target : Direction
        Where the cursor is, and where it shall go.

    Returns
    -------
    Direction
        No movement where it is there already.

    >>> towards((1.0, 0.5), (1.0, 1.0))
    (0.0, 1.0)
    """
    away = math.dist(at, target)
    return ((target[0] - at[0]) / away, (target[1] - at[1]) / away) if away > 0 else (0.0, 0.0)
