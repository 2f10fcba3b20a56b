"""Judge a calibration: compare the candidates, estimate, test, forecast, and say a verdict."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from itertools import groupby
from statistics import NormalDist

import numpy as np

from bci.engine.chunk import FloatArray
from bci.errors import TrainingError
from bci.session.chance import interval
from bci.session.fit import MIN_TRIALS, MIN_TRIALS_OF_A_CLASS, load_family
from bci.session.judging.advice import advice, bad_channels, fair_order
from bci.session.judging.candidates import Candidate, Grid, load_grid
from bci.session.judging.fits import Fits
from bci.session.judging.forecast import Forecast, curve_hits, forecast, trials_needed
from bci.session.judging.nested import Answers, Nested, ask, nested
from bci.session.judging.nulls import Null, eyes_and_muscles, permuted_labels, pre_cue, surrogate
from bci.session.judging.permutation import Test, left_out, permutation_test, shrunk, tangent_kernel
from bci.session.judging.settings import JudgeSettings, target
from bci.session.judging.trials import BandPair, Trials, cut_trials
from bci.session.judging.verdict import MORE, WORKS, Evidence, Verdict, word
from bci.session.left_out import leave_out
from bci.session.progress import Progress, silent
from bci.session.training import Judged, LabelledRun, Trained, notes_of, train
from bci.settings import SessionConfig

POWER_Z = 0.84
"""With so many standard errors to spare, a test succeeds four times out of five."""
FINEST = 5
"""Permutations, in units of the inverse of what a look may spend."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table of candidates.

    Parameters
    ----------
    candidate : str
    accuracy, low, high : float
        Block-wise cross-validated, with the exact interval. The best of many lines looks better than it is.
    chosen : bool
    """

    candidate: str
    accuracy: float
    low: float
    high: float
    chosen: bool


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """A verdict and all it rests on.

    Parameters
    ----------
    verdict : Verdict
    rows : tuple of Row
        In the order of the grid; the first is the default.
    forecast : Forecast or None
        Learning curve; None before there is one.
    nulls : tuple of Null
    best : Candidate
    trials : dict of str to int
        Of each class.
    rejected : tuple of str
        Trials left out, and why.
    look, seed : int
    grid : str
    nested : Nested or None
        Answers of the whole procedure, out of fold.
    notes : tuple of str
    left_out : tuple of str
        Channels that were left out, and why.
    """

    verdict: Verdict
    rows: tuple[Row, ...]
    forecast: Forecast | None
    nulls: tuple[Null, ...]
    best: Candidate
    trials: dict[str, int]
    rejected: tuple[str, ...]
    look: int
    seed: int
    grid: str
    nested: Nested | None = None
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def to_json(self) -> str:
        """As one JSON object; ``verdict`` in it is what :meth:`Verdict.from_json` reads."""
        shallow = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "nested"}
        value: dict[str, object] = {name: _plain(item) for name, item in shallow.items()}
        value["line"] = self.verdict.line()
        return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _plain(value: object) -> object:
    """Dataclasses as dictionaries, also inside tuples."""
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


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
    """Judge the trials that there are.

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
        ``live``, ``full`` or a TOML file.
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
    bands = bands_of(Grid("", tuple(c for c in candidates.candidates if len(c.bands) == 1)))
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
    """The judgement with notes, and the channels that it did without: whoever sits there can look at their electrodes."""
    advice = (*found.verdict.advice, *left_out)
    return replace(found, verdict=replace(found.verdict, advice=advice), left_out=left_out, notes=(*notes, *found.notes))


def bands_of(grid: Grid) -> tuple[BandPair, ...]:
    """All bands of a grid."""
    return tuple(dict.fromkeys(band for c in grid.candidates for band in c.bands))


def enough(trials: Trials) -> bool:
    """Whether there are enough trials to train and to leave some out."""
    counts = trials.counts
    least = min(counts.values(), default=0)
    return len(counts) > 1 and len(trials) >= MIN_TRIALS and least >= MIN_TRIALS_OF_A_CLASS and int(trials.folds.max()) > 0


def judge_trials(
    trials: Trials,
    grid: Grid,
    settings: JudgeSettings,
    look: int,
    seed: int,
    nulls: Sequence[Null] = (),
    progress: Progress = silent,
    jobs: int = 1,
    said: tuple[list[Candidate], list[Answers], tuple[str, ...]] | None = None,
) -> Judgement:
    """Judge trials that were cut before; see :func:`judge`. ``said`` is what :func:`compared` gave, if it was called."""
    progress("permuting labels", 0.0)
    test = tested(trials, witnesses(trials, grid), settings, look, seed)
    kept, answers, notes = said or compared(trials, grid, progress, jobs)
    found = nested(answers, trials.codes, trials.folds, settings.level)
    best = kept[found.chosen]
    progress("learning curve", 1.0)
    fits = Fits(trials)
    planned = settings.trials_per_class * len(trials.classes)
    ahead = forecast(*curve_hits(fits, best, answers[found.chosen]), found.hits, max(planned, len(trials)), seed, settings.level)
    nulls = (permuted_labels(found.accuracy, test.p_value, settings.spent(look)), *nulls)
    verdict = _verdict(trials, settings, look, test, found, ahead, best, nulls)
    rows = tuple(Row(c.name, *_with_interval(a, trials, settings.level), c is best) for c, a in zip(kept, answers, strict=True))
    why = tuple(f"{cue.class_} at {cue.time_s:.1f} s: {reason}" for cue, reason in trials.rejected)
    notes = (*grid.notes, *notes)
    return Judgement(verdict, rows, ahead, nulls, best, trials.counts, why, look, seed, grid.name, found, notes)


def witnesses(trials: Trials, grid: Grid) -> list[FloatArray]:
    """Covariances of everything that the grid may choose, each once."""
    seen: dict[object, FloatArray] = {}
    for c in grid.candidates:
        key = (c.bands, c.start_s, c.stop_s, c.channels)
        if key not in seen:
            seen[key] = shrunk(trials.windows(c))
    return list(seen.values())


def tested(trials: Trials, covariances: Sequence[FloatArray], settings: JudgeSettings, look: int, seed: int) -> Test:
    """The permutation test over all that the grid may choose (:func:`witnesses`)."""
    answers = [left_out(tangent_kernel(c), trials.folds) for c in covariances]
    alpha = settings.spent(look)
    count = max(settings.permutations, int(np.ceil(FINEST / alpha)) if alpha > 0 else 0)
    return permutation_test(answers, trials.codes, trials.blocks, count, seed)


def compared(
    trials: Trials, grid: Grid, progress: Progress = silent, jobs: int = 1
) -> tuple[list[Candidate], list[Answers], tuple[str, ...]]:
    """Answers of all candidates that can be trained on these trials, in the order of the grid."""
    from joblib import Parallel, delayed

    groups = _alike(grid.candidates)
    if jobs == 1:
        told = []
        for done, group in enumerate(groups):
            progress(f"comparing {group[0].name}", done / len(groups))
            told.append(_asked(trials, group))
    else:
        told = Parallel(jobs)(delayed(_asked)(_only(trials, group), group) for group in groups)
    said = {c: answer for group in told for c, answer in group}
    kept = [c for c in grid.candidates if isinstance(said[c], Answers)]
    notes = tuple(f"{c.name}: left out, {why}" for c, why in said.items() if isinstance(why, str))
    if grid.candidates[0] not in kept:
        raise TrainingError(f"the default decoder cannot be trained: {said[grid.candidates[0]]}")
    return kept, [a for c in kept if isinstance(a := said[c], Answers)], notes


def _alike(candidates: Sequence[Candidate]) -> list[list[Candidate]]:
    """Candidates that see the same windows side by side, so that they share what is computed of them."""

    def seen(c: Candidate) -> tuple[object, ...]:
        return c.bands, c.start_s, c.stop_s, c.channels

    return [list(group) for _, group in groupby(sorted(candidates, key=lambda c: repr(seen(c))), key=seen)]


def _only(trials: Trials, group: Sequence[Candidate]) -> Trials:
    """Trials with the bands that these candidates need, so that no more is handed to another process."""
    bands = group[0].bands
    return replace(trials, data=trials.data[:, [trials.bands.index(b) for b in bands]], bands=bands)


def _asked(trials: Trials, group: Sequence[Candidate]) -> list[tuple[Candidate, Answers | str]]:
    fits = Fits(trials)
    found: list[tuple[Candidate, Answers | str]] = []
    for candidate in group:
        try:
            found.append((candidate, ask(fits, candidate)))
        except (TrainingError, np.linalg.LinAlgError) as error:
            found.append((candidate, str(error)))
    return found


def _with_interval(answers: Answers, trials: Trials, level: float) -> tuple[float, float, float]:
    right = int((answers.outer.argmax(axis=1) == trials.codes).sum())
    return right / len(trials), *interval(right, len(trials), level)


def _verdict(
    trials: Trials,
    settings: JudgeSettings,
    look: int,
    test: Test,
    found: Nested,
    ahead: Forecast,
    best: Candidate,
    nulls: Sequence[Null],
) -> Verdict:
    """The word by the rules, and what goes with it."""
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
    said = word(evidence)
    more = 0
    if said == MORE:
        z = (test.statistic - float(test.null.mean())) / max(float(test.null.std()), 1e-12)
        needed = NormalDist().inv_cdf(1 - max(evidence.alpha, 1e-6)) + POWER_Z
        step = 2 * len(trials.classes)
        more = -(-(trials_needed(z, n, needed, max(planned, n + step)) - n) // step) * step
    reachable = ahead.high >= target(trials.chance)
    told = advice(said, trials, _weights(trials, best), nulls, reachable)
    return Verdict(
        said,
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
    fitted = load_family(best.family, dict(best.settings)).fit(trials.windows(best), trials.labels)
    weights = np.zeros(len(trials.channels))
    weights[[trials.channels.index(label) for label in best.channels]] = fitted.channel_weights
    return weights


def with_nulls(found: Judgement, trials: Trials, nulls: Sequence[Null]) -> Judgement:
    """The judgement with more null tests; one that fails takes "works" back."""
    v = found.verdict
    failed = [null for null in nulls if not null.passed]
    if failed:
        told = tuple(dict.fromkeys((*(null.words for null in failed), *v.advice)))
        said = MORE if v.word == WORKS else v.word
        v = replace(v, word=said, advice=told)
    return replace(found, verdict=v, nulls=(*found.nulls, *nulls))


def _too_few(trials: Trials, grid: Grid, settings: JudgeSettings, look: int, seed: int) -> Judgement:
    """What can be said before anything can be trained: how many trials it takes."""
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


def fit_best(
    runs: Sequence[LabelledRun],
    config: SessionConfig,
    candidate: Candidate,
    judgement: Judgement | None = None,
    progress: Progress = silent,
) -> Trained:
    """Train what was chosen on all trials; :func:`bci.session.training.write_model` keeps what was chosen, and why.

    Parameters
    ----------
    runs : sequence of LabelledRun
    config : SessionConfig
    candidate : Candidate
        ``judgement.best``, or what an operator prefers.
    judgement : Judgement, optional
        For the model's header.
    progress : callable
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
