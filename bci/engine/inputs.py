"""What may steer the engine besides samples: each is applied between two raw samples, and recorded."""

from __future__ import annotations

from dataclasses import dataclass

from bci.engine.decide import DecisionSettings
from bci.engine.decoder import LiveDecoder


@dataclass(frozen=True, slots=True)
class Decide:
    """New decision settings from the next window on."""

    settings: DecisionSettings


@dataclass(frozen=True, slots=True)
class Skip:
    """Windows whose newest sample is not beyond ``until`` consumed samples are not decoded."""

    until: int


@dataclass(frozen=True, slots=True)
class Freeze:
    """No decoding until :class:`Resume`; samples go on flowing through the filters."""

    why: str


@dataclass(frozen=True, slots=True)
class Resume:
    """Decode again."""

    why: str


@dataclass(frozen=True, slots=True)
class Swap:
    """Another decoder of the same channels, filters and window from the next window on."""

    decoder: LiveDecoder


@dataclass(frozen=True, slots=True)
class Mark:
    """A person declares channels bad (``bad`` true) or good again."""

    labels: tuple[str, ...]
    bad: bool


@dataclass(frozen=True, slots=True)
class Recentre:
    """Follow the drift of the signal without labels from here on (``on`` true), or go back to the model as it is."""

    on: bool


@dataclass(frozen=True, slots=True)
class Rebias:
    """Let known cues move the decoder's bias from here on (``on`` true), or go back to the model as it is."""

    on: bool


@dataclass(frozen=True, slots=True)
class Known:
    """What a person was asked to do in a trial: windows whose newest sample is the ``first`` to ``last`` consumed are of it."""

    class_: str
    first: int
    last: int


Input = Decide | Skip | Freeze | Resume | Swap | Mark | Recentre | Rebias | Known
