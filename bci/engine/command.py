"""What an actuator is told: one command, by name, never by free text from a stream."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Command:
    """One command to an actuator.

    Parameters
    ----------
    name : str
        Name of the command, one of those the configuration lists (a class of the model, or what it is mapped to).
    value : float
        Strength, 0 to 1. Discrete commands carry 1.
    sequence : int
        Counts up by one per command that an actuator host sends; the acknowledgement names it.
    """

    name: str
    value: float = 1.0
    sequence: int = 0
