"""Later recordings are decoded by the engine with and without causal recentring, to measure the value of recentring."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bci.engine.engine import Engine, EngineSettings
from bci.engine.recentre import RecentreSettings
from bci.errors import TrainingError
from bci.evaluation.cutting import load
from bci.evaluation.metrics import auc
from bci.evaluation.plan import Cell
from bci.evaluation.rows import Tested, blank_row, scored
from bci.evaluation.table import ResultRow
from bci.training.decoding import decode_at_cues
from bci.training.epochs import impute_bad_channels
from bci.training.fit import FittedModel, fit_decoder
from bci.training.labelled import LabelledRun

RECENTRED = ", recentred"
ANEW = ", recentred anew in each recording"


@dataclass(frozen=True, slots=True)
class Way:
    """One way to decode the later recordings.

    Parameters
    ----------
    name : str
        Follows the decoder's.
    settings : RecentreSettings
    anew : bool
        A new engine for each recording; else one for all, that keeps what recentring learned and nothing else.
    """

    name: str
    settings: RecentreSettings
    anew: bool = False


def ways(config: RecentreSettings, several: bool) -> list[Way]:
    """All ways to decode, the plain one first; with one recording there is no way that begins anew.

    Parameters
    ----------
    config : RecentreSettings
    several : bool
        Whether there is more than one recording.

    Returns
    -------
    list of Way
    """
    on = replace(config, on=True)
    anew = [Way(ANEW, on, anew=True)] if several else []
    return [Way("", replace(config, on=False)), Way(RECENTRED, on), *anew]


def recentring(cell: Cell) -> list[ResultRow]:
    """Train on the earlier recordings, let the engine run over the later ones, in every way.

    Parameters
    ----------
    cell : Cell

    Returns
    -------
    list of ResultRow
    """
    row = blank_row(cell)
    try:
        began = time.perf_counter()
        epochs = impute_bad_channels(load(cell.own), cell.preprocessing.labels)
        model = fit_decoder(cell.resolved().family, epochs.windows, epochs.labels, cell.preprocessing)
        fit_s = time.perf_counter() - began
    except (TrainingError, ValueError) as error:
        return [replace(row, note=" ".join(str(error).split()))]
    runs = opened(cell)
    found = []
    for way in ways(cell.config.recentre, len(runs) > 1):
        between = time.perf_counter()
        tested, rejected = listen(runs, model, way, cell)
        named = replace(row, decoder=cell.decoder + way.name, rejected=rejected)
        timing = np.array([fit_s, time.perf_counter() - between])
        found.append(scored(named, [tested], cell, n_train=len(epochs.labels), notes=model.notes, timing=timing))
    return found


def opened(cell: Cell) -> list[LabelledRun]:
    """The recordings that are tested on, each source read once.

    Parameters
    ----------
    cell : Cell

    Returns
    -------
    list of LabelledRun
    """
    read = {source: source.open(cell.config) for source in dict.fromkeys(one.source for one in cell.test)}
    return [read[one.source][one.number].labelled for one in cell.test]


def engines(runs: Sequence[LabelledRun], model: FittedModel, way: Way, cell: Cell) -> Iterator[Engine]:
    """The engine for each recording.

    Parameters
    ----------
    runs : sequence of LabelledRun
    model : FittedModel
    way : Way
    cell : Cell

    Yields
    ------
    Engine
    """
    c = cell.config
    engine = None
    for run in runs:
        if engine is None or way.anew:
            settings = EngineSettings(c.decision.over(), c.quality, c.continuity, way.settings)
            engine = Engine(run.info, model.decoder(), settings)
        else:
            engine.begin(run.info)
        yield engine


def listen(runs: Sequence[LabelledRun], model: FittedModel, way: Way, cell: Cell) -> tuple[Tested, int]:
    """Decode the recordings; returns the decision at each cue, and the number of cues that were not decoded.

    Parameters
    ----------
    runs : sequence of LabelledRun
    model : FittedModel
    way : Way
    cell : Cell

    Returns
    -------
    (Tested, int)
    """
    truth, answers, names, scores = [], [], [], []
    rejected = 0
    for i, (run, engine) in enumerate(zip(runs, engines(runs, model, way, cell), strict=True)):
        places = {cue: n for n, cue in enumerate(run.cues)}
        for cue, outcome in decode_at_cues(engine, run.raw, run.cues, cell.config.trial.stop_s, run.marked):
            if outcome is None or not np.isfinite(outcome.probabilities).all():
                rejected += 1
                continue
            truth.append(cue.class_)
            answers.append(model.classes[int(outcome.probabilities.argmax())])
            names.append(f"{i}.{places[cue]}")
            scores.append(float(outcome.probabilities[1]))
    two = len(model.classes) == 2
    area = auc(np.array(scores), np.array(truth) == model.classes[1]) if two and truth else math.nan
    return Tested(truth, answers, area, names), rejected
