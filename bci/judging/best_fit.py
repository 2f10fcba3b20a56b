"""The decoder that a judgement chose, fitted to all trials."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace

from bci.judging.candidates import Candidate
from bci.judging.judgement import Judgement
from bci.progress import Progress, silent
from bci.settings import SessionConfig
from bci.training.labelled import LabelledRun
from bci.training.train import Judged, Trained, train


def fit_best(
    runs: Sequence[LabelledRun],
    config: SessionConfig,
    candidate: Candidate,
    judgement: Judgement | None = None,
    progress: Progress = silent,
) -> Trained:
    """Train the chosen decoder on all trials; the model's header says what was chosen, and why.

    Parameters
    ----------
    runs : sequence of LabelledRun
    config : SessionConfig
    candidate : Candidate
        ``judgement.best``, or what an operator prefers.
    judgement : Judgement, optional
        For the model's header.
    progress : callable

    Returns
    -------
    Trained
    """
    chosen = candidate.configured(config, runs[0].info.rate_hz)
    trained = replace(train(runs, chosen, progress), config=chosen)
    if judgement is None:
        return trained
    notes = dict.fromkeys((*trained.model.notes, *judgement.left_out))
    trained = replace(trained, model=replace(trained.model, notes=tuple(notes)))
    v = judgement.verdict
    kept = {
        "candidate": candidate.name,
        "settings": json.dumps(asdict(candidate)),
        "grid": judgement.grid,
        "compared": str(len(judgement.rows)),
        "preferred": judgement.best.name,
        "look": str(judgement.look),
        "seed": str(judgement.seed),
        "verdict": v.to_json(),
    }
    nulls = {null.name: {"accuracy": null.accuracy, "p_value": null.p_value} for null in judgement.nulls}
    return replace(trained, judged=Judged(v.accuracy, v.line(), kept, nulls))
