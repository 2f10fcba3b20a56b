"""Comparison of candidates: each trial is decoded by models that were fitted without its block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np

from bci.engine.chunk import FloatArray
from bci.errors import TrainingError
from bci.judging.candidates import Candidate, SearchGrid
from bci.judging.fits import Fits
from bci.judging.nested import OutOfFold, cross_val_predict
from bci.judging.permutation import shrunk
from bci.judging.trials import Trials
from bci.progress import Progress, silent


def candidate_covariances(trials: Trials, grid: SearchGrid) -> list[FloatArray]:
    """Covariances for every kind of windows that the candidates use, each once.

    Parameters
    ----------
    trials : Trials
    grid : SearchGrid

    Returns
    -------
    list of ndarray
    """
    seen: dict[object, FloatArray] = {}
    for c in grid.candidates:
        key = (c.bands, c.start_s, c.stop_s, c.channels)
        if key not in seen:
            seen[key] = shrunk(trials.windows(c))
    return list(seen.values())


def compare_candidates(
    trials: Trials, grid: SearchGrid, progress: Progress = silent, jobs: int = 1
) -> tuple[list[Candidate], list[OutOfFold], tuple[str, ...]]:
    """Out-of-fold answers of all candidates that can be trained on these trials, in the order of the grid.

    Parameters
    ----------
    trials : Trials
    grid : SearchGrid
    progress : callable
        Told what is being done and the share done, 0 to 1.
    jobs : int
        Processes; -1 for as many as there are cores.

    Returns
    -------
    (list of Candidate, list of OutOfFold, tuple of str)
    """
    from joblib import Parallel, delayed

    groups = _same_windows(grid.candidates)
    if jobs == 1:
        found = []
        for done, group in enumerate(groups):
            progress(f"comparing {group[0].name}", done / len(groups))
            found.append(_answers(trials, group))
    else:
        found = Parallel(jobs)(delayed(_answers)(_with_bands_of(trials, group), group) for group in groups)
    answers = {c: answer for group in found for c, answer in group}
    kept = [c for c in grid.candidates if isinstance(answers[c], OutOfFold)]
    notes = tuple(f"{c.name}: left out, {why}" for c, why in answers.items() if isinstance(why, str))
    if grid.candidates[0] not in kept:
        raise TrainingError(f"the default decoder cannot be trained: {answers[grid.candidates[0]]}")
    return kept, [a for c in kept if isinstance(a := answers[c], OutOfFold)], notes


def _same_windows(candidates: Sequence[Candidate]) -> list[list[Candidate]]:
    """Candidates that see the same windows side by side, so that they share what is computed of them."""

    def seen(c: Candidate) -> tuple[object, ...]:
        return c.bands, c.start_s, c.stop_s, c.channels

    return [list(group) for _, group in groupby(sorted(candidates, key=lambda c: repr(seen(c))), key=seen)]


def _with_bands_of(trials: Trials, group: Sequence[Candidate]) -> Trials:
    """Trials with the bands that these candidates need, so that no more is handed to another process."""
    bands = group[0].bands
    return replace(trials, data=trials.data[:, [trials.bands.index(b) for b in bands]], bands=bands)


def _answers(trials: Trials, group: Sequence[Candidate]) -> list[tuple[Candidate, OutOfFold | str]]:
    fits = Fits(trials)
    found: list[tuple[Candidate, OutOfFold | str]] = []
    for candidate in group:
        try:
            found.append((candidate, cross_val_predict(fits, candidate)))
        except (TrainingError, np.linalg.LinAlgError) as error:
            found.append((candidate, str(error)))
    return found
