"""A real-time brain-computer interface: streams in, decisions out, every session recorded and replayable.

The names below are the Python interface for notebooks and scripts. Importing this package is cheap: each name is loaded, with
what it needs, when it is used for the first time. So are the packages ``bci.errors`` and ``bci.explore``.

>>> import bci
>>> "read_recording" in dir(bci)
True
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bci.api.configuration import configure
    from bci.api.decoders import Decoder, fit, load_model
    from bci.api.evaluations import evaluate
    from bci.api.judgements import judge
    from bci.api.listening import Decision, Decisions, listen
    from bci.api.live import RunningSession, run
    from bci.api.mne_clients import MneClient
    from bci.api.outcomes import Outcomes, decode, verify
    from bci.api.recordings import Recording, read_recording
    from bci.api.scores import Score, score
    from bci.api.simulated import open_source, simulate, simulate_session
    from bci.api.transfer import add_to_library, fit_from_library
    from bci.api.trials import TrialEpochs, cut_epochs
    from bci.api.validation import CrossValidation, cross_validate

_MODULES = {
    "CrossValidation": "validation",
    "Decision": "listening",
    "Decisions": "listening",
    "Decoder": "decoders",
    "MneClient": "mne_clients",
    "Outcomes": "outcomes",
    "Recording": "recordings",
    "RunningSession": "live",
    "Score": "scores",
    "TrialEpochs": "trials",
    "add_to_library": "transfer",
    "configure": "configuration",
    "cross_validate": "validation",
    "cut_epochs": "trials",
    "decode": "outcomes",
    "evaluate": "evaluations",
    "fit": "decoders",
    "fit_from_library": "transfer",
    "judge": "judgements",
    "listen": "listening",
    "load_model": "decoders",
    "open_source": "simulated",
    "read_recording": "recordings",
    "run": "live",
    "score": "scores",
    "simulate": "simulated",
    "simulate_session": "simulated",
    "verify": "outcomes",
}

_PACKAGES = ("errors", "explore")
"""Imported by their name alone: ``bci.explore.epochs`` needs no import of its own."""

__all__ = [
    "CrossValidation",
    "Decision",
    "Decisions",
    "Decoder",
    "MneClient",
    "Outcomes",
    "Recording",
    "RunningSession",
    "Score",
    "TrialEpochs",
    "add_to_library",
    "configure",
    "cross_validate",
    "cut_epochs",
    "decode",
    "evaluate",
    "fit",
    "fit_from_library",
    "judge",
    "listen",
    "load_model",
    "open_source",
    "read_recording",
    "run",
    "score",
    "simulate",
    "simulate_session",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return import_module(f"bci.{name}")
    if name not in _MODULES:
        raise AttributeError(f"module 'bci' has no attribute {name!r}; it has {', '.join(__dir__())}")
    value = globals()[name] = getattr(import_module(f"bci.api.{_MODULES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return [*__all__, *_PACKAGES]
