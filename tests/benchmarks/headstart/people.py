"""The people: four who were recorded, and as many simulated ones as wanted."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from results.recordings import DATA, config, people

from bci.engine.chunk import FloatArray
from bci.paradigm.timeline import short
from bci.settings import SessionConfig
from bci.simulation.simulate import record_virtually
from bci.stream.clock import VirtualClock
from bci.training.alignment import covariances
from bci.training.epochs import impute_bad_channels, join
from bci.training.labelled import open_labelled
from bci.training.resolved import resolve_decoder
from bci.training.train import run_epochs
from devices.simulated import SimulatedSettings, SimulatedSubject

FIRST_SEED = 1000
SKILLS = (0.25, 0.75)
TRIALS_PER_CLASS = 30
PARTS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """One person's trials, in order.

    Parameters
    ----------
    name : str
    matrices : ndarray, shape (n_trials, n_bands, n_channels, n_channels)
        Covariances of windows cut through the live steps, µV².
    labels : ndarray of str, shape (n_trials,)
    parts : ndarray of int, shape (n_trials,)
        Run, or third of the session.
    """

    name: str
    matrices: FloatArray
    labels: np.ndarray
    parts: np.ndarray


def recorded(keep: Path | None = None) -> Iterator[Subject]:
    """ds003810: imagined right hand or rest, 4 runs of 40 trials, 15 channels; none where the recordings are not here.

    Parameters
    ----------
    keep : Path, optional
        Folder in which covariances are kept from one run of the benchmark to the next.
    """
    if DATA.is_dir():
        for person in people("ts-lr"):
            if person.data_set == "ds003810":
                job = partial(_subject, person.name, (*person.train, *person.test), person.config)
                yield _kept(keep, person.name.replace(" ", "-"), job)


def simulated(number: int, keep: Path | None = None) -> Iterator[Subject]:
    """Left or right hand, 8 channels, 30 trials of each; skills spread evenly, places and rhythms different."""
    for k in range(number):
        yield _kept(keep, f"simulated-{k}-of-{number}", partial(_simulated, k, number))


def _simulated(k: int, number: int) -> Subject:
    settings = config("ts-lr", {"769": "left_hand", "770": "right_hand"}, (0.5, 3.0))
    skill = SKILLS[0] + (SKILLS[1] - SKILLS[0]) * (k * 7 % number) / max(1, number - 1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "calibration.xdf"
        clock = VirtualClock()
        person = SimulatedSubject(SimulatedSettings(seed=FIRST_SEED + k, skill=skill, channels=8), clock)
        record_virtually(person, clock, short(("left_hand", "right_hand"), TRIALS_PER_CLASS, k), path)
        found = _subject(f"simulated {k}, skill {skill:.2f}", (path,), settings)
    return replace(found, parts=np.arange(len(found.labels)) * PARTS // len(found.labels))


def _kept(keep: Path | None, name: str, make: Callable[[], Subject]) -> Subject:
    """The subject from the folder, or made and put there."""
    if keep is None:
        return make()
    path = keep / f"{name}.npz"
    if not path.exists():
        made = make()
        keep.mkdir(parents=True, exist_ok=True)
        np.savez(path, name=np.array(made.name), matrices=made.matrices, labels=made.labels, parts=made.parts)
    with np.load(path, allow_pickle=False) as arrays:
        return Subject(str(arrays["name"]), arrays["matrices"], arrays["labels"], arrays["parts"])


def _subject(name: str, paths: tuple[Path, ...], settings: SessionConfig) -> Subject:
    runs = [open_labelled(path, settings) for path in paths]
    decoder = resolve_decoder(runs[0].info, settings)
    cut = [replace(e := run_epochs(run, decoder, settings), runs=np.full(len(e.labels), i)) for i, run in enumerate(runs)]
    epochs = impute_bad_channels(join(cut), decoder.preprocessing.labels)
    return Subject(name, covariances(epochs.windows), epochs.labels, epochs.runs)
