"""Inputs that steer the engine besides samples: each is applied between two raw samples, and recorded."""

from __future__ import annotations

from dataclasses import dataclass

from bci.engine.decide import DecisionSettings
from bci.engine.decoder import LiveDecoder

PERSON = "person"
"""Who freezes where nothing else is said, as in recordings that do not say it."""


@dataclass(frozen=True, slots=True)
class ChangeDecision:
    """New decision settings from the next window on."""

    settings: DecisionSettings


@dataclass(frozen=True, slots=True)
class Skip:
    """Windows whose newest sample is not beyond ``until`` consumed samples are not decoded."""

    until: int


@dataclass(frozen=True, slots=True)
class Freeze:
    """No decoding until :class:`Resume` of the same ``by``; samples go on flowing through the filters."""

    why: str
    by: str = PERSON


@dataclass(frozen=True, slots=True)
class Resume:
    """Decode again, unless somebody else than ``by`` has frozen too."""

    why: str
    by: str = PERSON


@dataclass(frozen=True, slots=True)
class ReplaceModel:
    """Another decoder of the same channels, filters and window from the next window on."""

    decoder: LiveDecoder


@dataclass(frozen=True, slots=True)
class MarkChannels:
    """A person declares channels bad (``bad`` true) or good again."""

    labels: tuple[str, ...]
    bad: bool


@dataclass(frozen=True, slots=True)
class SwitchRecentring:
    """Follow the drift of the signal without labels from here on (``on`` true), or go back to the model as it is."""

    on: bool


@dataclass(frozen=True, slots=True)
class SwitchRebias:
    """Let known cues move the decoder's bias from here on (``on`` true), or go back to the model as it is."""

    on: bool


@dataclass(frozen=True, slots=True)
class TrialLabel:
    """The class of a trial: windows belong to it if their newest sample is the ``first`` to ``last`` consumed."""

    class_: str
    first: int
    last: int


ControlInput = (
    ChangeDecision | Skip | Freeze | Resume | ReplaceModel | MarkChannels | SwitchRecentring | SwitchRebias | TrialLabel
)
