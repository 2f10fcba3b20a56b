"""The live path: a trained model, the engine, and the later run as it comes."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from bci.engine.engine import Engine
from bci.engine.outcome import Outcome
from bci.engine.preprocessing import Preprocessing
from bci.model.file import Model, load_model
from bci.paradigm.cues import CueEvent
from bci.progress import Progress, silent
from bci.settings import SessionConfig
from bci.training.decoding import decode_at_cues
from bci.training.epochs import Epochs
from bci.training.labelled import LabelledRun, open_labelled
from bci.training.resolved import resolve_decoder
from bci.training.train import Trained, fit, run_epochs, write_model

from .recordings import Person

CUTS_KEPT = 12


@dataclass(frozen=True, slots=True)
class Answer:
    """What one trial was taken for.

    Parameters
    ----------
    trial : CueEvent
    decided : str
        Most probable class; empty where the window that counts was not decoded.
    why : str
        Why not.
    """

    trial: CueEvent
    decided: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Live:
    """How the later runs were decoded.

    Parameters
    ----------
    trained : int
        Trials that were trained on.
    rejected : dict of str to int
        Training trials that were left out, by reason.
    answers : tuple of Answer
    """

    trained: int
    rejected: dict[str, int]
    answers: tuple[Answer, ...]

    @property
    def correct(self) -> int:
        """Trials decoded as what they were; one without a decision is none."""
        return sum(a.decided == a.trial.class_ for a in self.answers)

    @property
    def decoded(self) -> int:
        """Trials whose window was decoded."""
        return sum(bool(a.decided) for a in self.answers)


def live(person: Person, progress: Progress = silent) -> Live:
    """Train on the earlier runs, decode the later ones in virtual time."""
    fitted = trained(person, progress)
    model = model_of(fitted, person.config)
    answers: list[Answer] = []
    for path in person.test:
        progress(f"{person.name}, {person.config.decoder.name}: decoding {path.name}", 0.0)
        answers += decode(path, model, person.config)
    rejected = Counter(why for _, why in fitted.epochs.rejected)
    return Live(len(fitted.epochs.labels), dict(rejected), tuple(answers))


def trained(person: Person, progress: Progress = silent) -> Trained:
    """What ``bci train`` makes of the earlier runs."""
    runs, parts = [], []
    for path in person.train:
        progress(f"{person.name}, {person.config.decoder.name}: cutting {path.name}", 0.0)
        run = open_labelled(path, person.config)
        runs.append(run)
        parts.append(_cut(_Key(run, person.config)))
    return fit(parts, runs, resolve_decoder(runs[0].info, person.config), person.config)


def model_of(fitted: Trained, config: SessionConfig, folder: Path | None = None) -> Model:
    """The model as the engine gets it: written to a file and read again."""
    if folder is None:
        with tempfile.TemporaryDirectory() as temporary:
            return model_of(fitted, config, Path(temporary))
    path = folder / f"{config.decoder.name}.safetensors"
    write_model(path, fitted, config)
    return load_model(path)


def decode(path: Path, model: Model, config: SessionConfig) -> list[Answer]:
    """One run through the engine; what was decoded at each cue."""
    run = open_labelled(path, config)
    engine = Engine(run.info, model.decoder, config.engine_settings())
    found = decode_at_cues(engine, run.raw, run.cues, config.trial.stop_s)
    return [answer(trial, outcome, model) for trial, outcome in found]


def answer(trial: CueEvent, outcome: Outcome | None, model: Model) -> Answer:
    """What the outcome says of a trial."""
    if outcome is None:
        return Answer(trial, "", "recording ended")
    if not np.isfinite(outcome.probabilities).all():
        return Answer(trial, "", outcome.reason.name.lower())
    return Answer(trial, model.header.classes[int(outcome.probabilities.argmax())])


class _Key:
    """A run and what happens to it before a decoder sees it; decoders of the same bands share the trials."""

    def __init__(self, run: LabelledRun, config: SessionConfig) -> None:
        self.run, self.config = run, config
        self.decoder = resolve_decoder(run.info, config)
        self._value: tuple[str, Preprocessing, float] = (run.sha256, self.decoder.preprocessing, config.trial.stop_s)

    def __hash__(self) -> int:
        return hash(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self._value == other._value


@lru_cache(maxsize=CUTS_KEPT)
def _cut(key: _Key) -> Epochs:
    return run_epochs(key.run, key.decoder, key.config)
