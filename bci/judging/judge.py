"""Judge a calibration: compare candidates, estimate the accuracy, test it, forecast it, and give a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import NormalDist

import numpy as np

from bci.engine.chunk import FloatArray
from bci.judging.advice import advice, bad_channels, fair_order
from bci.judging.candidates import Candidate, SearchGrid, load_grid
from bci.judging.comparison import candidate_covariances, compare_candidates
from bci.judging.fits import Fits
from bci.judging.forecast import Forecast, curve_hits, forecast, trials_needed
from bci.judging.judgement import Judgement, ScoredCandidate
from bci.judging.nested import Nested, OutOfFold, nested
from bci.judging.nulls import Null, eyes_and_muscles, permuted_labels, pre_cue, surrogate
from bci.judging.permutation import PermutationResult, held_out_scores, permutation_test, tangent_kernel
from bci.judging.settings import JudgeSettings, target
from bci.judging.trials import BandPair, Trials, cut_trials
from bci.judging.verdict import MORE, WORKS, Evidence, Verdict, word
from bci.progress import Progress, silent
from bci.settings import SessionConfig
from bci.training.chance import interval
from bci.training.fit import MIN_TRIALS, MIN_TRIALS_OF_A_CLASS
from bci.training.labelled import LabelledRun, notes_of
from bci.training.left_out import leave_out

POWER_Z = 0.84
"""With an effect this many standard errors above the threshold, a test succeeds four times out of five."""
FINEST = 5
"""Number of permutations, in units of one over the error that a look may spend."""


def judge(
    runs: Sequence[LabelledRun],
    config: SessionConfig,
    *,
    look: int = 1,
    seed: int = 0,
    progress: Progress = silent,
    settings: JudgeSettings | None = None,
    grid: str = "live",
    jobs: int = 1,
) -> Judgement:
    """Judge the trials that were recorded so far.

    Parameters
    ----------
    runs : sequence of LabelledRun
        Recordings of one person, in order; the last may still be growing.
    config : SessionConfig
        Its decoder settings are those of the default.
    look : int
        Which look at this person's trials it is, from 1. Each spends a part of the error.
    seed : int
        Of the permutations; keep it from look to look.
    progress : callable
    settings : JudgeSettings, optional
    grid : str
        ``live``, ``full``, ``configured`` or a TOML file (:func:`bci.judging.candidates.load_grid`).
    jobs : int
        Processes, -1 for as many as there are cores.

    Returns
    -------
    Judgement

    Raises
    ------
    TrainingError
        If the recordings do not fit together or hold nothing that can be decoded.
    """
    settings = settings or JudgeSettings()
    left = leave_out(runs, config, progress)
    config, left_out = left.config, tuple(left.why.values())
    candidates = load_grid(grid, runs[0].info, config)
    trials = cut_trials(runs, config, bands_of(candidates), settings, progress)
    if not enough(trials):
        return _without(_too_few(trials, candidates, settings, look, seed), left_out, notes_of(runs))
    progress("before the cue", 0.0)
    bands = null_bands(candidates)
    before = pre_cue(runs, config, settings, bands, seed)
    found = judge_trials(trials, candidates, settings, look, seed, [before] if before else [], progress, jobs)
    progress("null tests", 0.0)
    others = (
        eyes_and_muscles(runs, config, settings, found.verdict.accuracy, seed),
        surrogate(runs, config, settings, bands, seed),
    )
    judged = with_nulls(found, trials, [null for null in others if null])
    return _without(judged, left_out, notes_of(runs))


def _without(found: Judgement, left_out: tuple[str, ...], notes: tuple[str, ...]) -> Judgement:
    """Add notes and the channels that were left out, so that somebody can look at their electrodes."""
    advice = (*found.verdict.advice, *left_out)
    return replace(found, verdict=replace(found.verdict, advice=advice), left_out=left_out, notes=(*notes, *found.notes))


def bands_of(grid: SearchGrid) -> tuple[BandPair, ...]:
    """All bands of a grid.

    Parameters
    ----------
    grid : SearchGrid

    Returns
    -------
    tuple of (low_hz, high_hz)
    """
    return tuple(dict.fromkeys(band for c in grid.candidates for band in c.bands))


def null_bands(grid: SearchGrid) -> tuple[BandPair, ...]:
    """Bands of the null tests: those of candidates with one band, or all if every candidate is a filter bank.

    Parameters
    ----------
    grid : SearchGrid

    Returns
    -------
    tuple of (low_hz, high_hz)
    """
    return bands_of(SearchGrid("", tuple(c for c in grid.candidates if len(c.bands) == 1))) or bands_of(grid)


def enough(trials: Trials) -> bool:
    """Whether there are enough trials to train and to leave some out.

    Parameters
    ----------
    trials : Trials

    Returns
    -------
    bool
    """
    counts = trials.counts
    least = min(counts.values(), default=0)
    return len(counts) > 1 and len(trials) >= MIN_TRIALS and least >= MIN_TRIALS_OF_A_CLASS and int(trials.folds.max()) > 0


def judge_trials(
    trials: Trials,
    grid: SearchGrid,
    settings: JudgeSettings,
    look: int,
    seed: int,
    nulls: Sequence[Null] = (),
    progress: Progress = silent,
    jobs: int = 1,
    precomputed: tuple[list[Candidate], list[OutOfFold], tuple[str, ...]] | None = None,
) -> Judgement:
    """Judge trials that were cut before; see :func:`judge`.

    ``precomputed`` is what :func:`compare_candidates` gave, where it was called before.

    Parameters
    ----------
    trials : Trials
    grid : SearchGrid
    settings : JudgeSettings
    look : int
        Which look at these trials it is, from 1.
    seed : int
        Of the permutations.
    nulls : sequence of Null
        Null tests that were made before.
    progress : callable
        Told what is being done and the share done, 0 to 1.
    jobs : int
        Processes; -1 for as many as there are cores.
    precomputed : tuple, optional
        What :func:`compare_candidates` gave, where it was called before.

    Returns
    -------
    Judgement
    """
    progress("permuting labels", 0.0)
    test = tested(trials, candidate_covariances(trials, grid), settings, look, seed)
    kept, answers, notes = precomputed or compare_candidates(trials, grid, progress, jobs)
    found = nested(answers, trials.codes, trials.folds, settings.level)
    best = kept[found.chosen]
    progress("learning curve", 1.0)
    fits = Fits(trials)
    planned = settings.trials_per_class * len(trials.classes)
    ahead = forecast(*curve_hits(fits, best, answers[found.chosen]), found.hits, max(planned, len(trials)), seed, settings.level)
    nulls = (permuted_labels(found.accuracy, test.p_value, settings.spent(look)), *nulls)
    verdict = _verdict(trials, settings, look, test, found, ahead, best, nulls)
    rows = tuple(
        ScoredCandidate(c.name, *_with_interval(a, trials, settings.level), c is best) for c, a in zip(kept, answers, strict=True)
    )
    why = tuple(f"{cue.class_} at {cue.time_s:.1f} s: {reason}" for cue, reason in trials.rejected)
    notes = (*grid.notes, *notes)
    return Judgement(verdict, rows, ahead, nulls, best, trials.counts, why, look, seed, grid.name, found, notes)


def tested(trials: Trials, covariances: Sequence[FloatArray], settings: JudgeSettings, look: int, seed: int) -> PermutationResult:
    """The permutation test over all that the grid may choose (:func:`candidate_covariances`).

    Parameters
    ----------
    trials : Trials
    covariances : sequence of ndarray, shape (n_trials, n_bands, n_channels, n_channels)
        Of each kind of windows, µV².
    settings : JudgeSettings
    look : int
        Which look at these trials it is, from 1.
    seed : int
        Of the permutations.

    Returns
    -------
    PermutationResult
    """
    answers = [held_out_scores(tangent_kernel(c), trials.folds) for c in covariances]
    alpha = settings.spent(look)
    count = max(settings.permutations, int(np.ceil(FINEST / alpha)) if alpha > 0 else 0)
    return permutation_test(answers, trials.codes, trials.blocks, count, seed)


def _with_interval(answers: OutOfFold, trials: Trials, level: float) -> tuple[float, float, float]:
    right = int((answers.outer.argmax(axis=1) == trials.codes).sum())
    return right / len(trials), *interval(right, len(trials), level)


def _verdict(
    trials: Trials,
    settings: JudgeSettings,
    look: int,
    test: PermutationResult,
    found: Nested,
    ahead: Forecast,
    best: Candidate,
    nulls: Sequence[Null],
) -> Verdict:
    """Apply the rules to the evidence."""
    n, planned = len(trials), settings.trials_per_class * len(trials.classes)
    fair = fair_order(trials) and all(null.passed for null in nulls if null.name != "permuted")
    evidence = Evidence(
        n=n,
        planned=planned,
        enough=n >= settings.least_per_class * len(trials.classes),
        last=look >= settings.looks > 1,
        low=found.low,
        chance=trials.chance,
        p_value=test.p_value,
        alpha=settings.spent(look),
        ceiling=ahead.high,
        fair=fair,
    )
    verdict = word(evidence)
    more = 0
    if verdict == MORE:
        z = (test.statistic - float(test.null.mean())) / max(float(test.null.std()), 1e-12)
        needed = NormalDist().inv_cdf(1 - max(evidence.alpha, 1e-6)) + POWER_Z
        step = 2 * len(trials.classes)
        more = -(-(trials_needed(z, n, needed, max(planned, n + step)) - n) // step) * step
    reachable = ahead.high >= target(trials.chance)
    told = advice(verdict, trials, _weights(trials, best), nulls, reachable)
    return Verdict(
        verdict,
        found.accuracy,
        found.low,
        found.high,
        trials.chance,
        test.p_value,
        evidence.alpha,
        more,
        ahead.high,
        best.name,
        told,
    )


def _weights(trials: Trials, best: Candidate) -> FloatArray:
    """Share of each of the trials' channels in the decisions of the best candidate."""
    fitted = best.load_family().fit(trials.windows(best), trials.labels)
    weights = np.zeros(len(trials.channels))
    weights[[trials.channels.index(label) for label in best.channels]] = fitted.channel_weights
    return weights


def with_nulls(found: Judgement, trials: Trials, nulls: Sequence[Null]) -> Judgement:
    """Add null tests to a judgement; if one fails, "works" becomes "more".

    Parameters
    ----------
    found : Judgement
    trials : Trials
    nulls : sequence of Null
        Further null tests.

    Returns
    -------
    Judgement
    """
    v = found.verdict
    failed = [null for null in nulls if not null.passed]
    if failed:
        told = tuple(dict.fromkeys((*(null.words for null in failed), *v.advice)))
        v = replace(v, word=MORE if v.word == WORKS else v.word, advice=told)
    return replace(found, verdict=v, nulls=(*found.nulls, *nulls))


def _too_few(trials: Trials, grid: SearchGrid, settings: JudgeSettings, look: int, seed: int) -> Judgement:
    """The judgement before anything can be trained: how many trials are needed."""
    counts = trials.counts
    chance = trials.chance if counts else 0.5
    classes = max(2, len(counts))
    least = max(MIN_TRIALS, MIN_TRIALS_OF_A_CLASS * classes)
    needed = max(least - len(trials), MIN_TRIALS_OF_A_CLASS * classes if len(counts) < 2 else 2)
    listing = ", ".join(f"{name}: {n}" for name, n in counts.items()) or "none"
    left = "".join(f"; {why}" for why in trials.left_out)
    why = f"too few trials to judge ({listing}{left})"
    best = grid.candidates[0]
    v = Verdict(MORE, chance, 0.0, 1.0, chance, 1.0, settings.spent(look), needed, 1.0, best.name, (why, *bad_channels(trials)))
    rejected = tuple(f"{cue.class_} at {cue.time_s:.1f} s: {reason}" for cue, reason in trials.rejected)
    return Judgement(v, (), None, (), best, counts, rejected, look, seed, grid.name, None, grid.notes)
