"""Comparison of each decoder with a baseline that is declared beforehand, on the same trials and people.

What is tested is exchanging the two decoders' answers to a trial, which under the null hypothesis changes nothing: signs of
the differences are flipped at random (Good, Permutation, Parametric and Bootstrap Tests of Hypotheses, 3rd ed. 2005, section
3.2.1), and the statistic is the mean over people of each one's mean difference, so that every person counts the same. Of
several seeds, draws and sessions a trial's difference is the mean: they do not make more trials than there are. Intervals
resample people and then trials within each (Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 3.8).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import numpy.typing as npt

from bci.engine.chunk import FloatArray
from bci.evaluation.recentring import RECENTRED
from bci.evaluation.table import ResultRow, mean_and_spread, of_people

EXACT_UP_TO = 13
"""Differences up to which every pattern of signs is gone through: 2^13 patterns, fewer than are drawn beyond."""
DRAWS = 10_000
RESAMPLES = 4_000
LEVEL = 0.95
ALPHA = 0.05
SEED = 20

Trial = tuple[str, str]
"""Occasion (:func:`occasion`), and the trial's name in it."""
People = Mapping[str, Mapping[Trial, float]]
"""Of each person and trial, how often it was decoded right: the share of seeds and draws."""


@dataclass(frozen=True, slots=True)
class DecoderComparison:
    """One decoder against the baseline, on trials that both decoded.

    Parameters
    ----------
    protocol, data_set, decoder, baseline : str
    head_start : bool
    trials_per_class : int or None
    people, trials, seeds : int
    accuracy, of_baseline : float
        Mean over people on the shared trials, 0 to 1.
    by_seed : tuple of float
        The decoder's accuracy for each seed.
    low_accuracy, high_accuracy : float
        Interval of its accuracy.
    difference, low, high : float
        The decoder minus the baseline, mean over people, and its 95 % interval.
    p : float
        Two-sided.
    adjusted : float
        After Holm (Scandinavian Journal of Statistics 6 (1979) 65) over the decoders of a protocol and data set.
    exact : bool
        Whether every pattern of signs was gone through.
    fit_s, step_us : float or None
        Median time of a training and of a live step.
    """

    protocol: str
    data_set: str
    decoder: str
    baseline: str
    head_start: bool
    trials_per_class: int | None
    people: int
    trials: int
    seeds: int
    accuracy: float
    of_baseline: float
    by_seed: tuple[float, ...]
    low_accuracy: float
    high_accuracy: float
    difference: float
    low: float
    high: float
    p: float
    exact: bool
    fit_s: float | None
    step_us: float | None
    adjusted: float = 1.0

    @property
    def better(self) -> bool:
        """Whether it is shown to be better than the baseline."""
        return self.difference > 0 and self.adjusted < ALPHA

    @property
    def worse(self) -> bool:
        """Whether it is shown to be worse."""
        return self.difference < 0 and self.adjusted < ALPHA


def compare(rows: Iterable[ResultRow], baseline: str) -> list[DecoderComparison]:
    """Compare every decoder with the baseline, and every recentred one with itself without.

    Parameters
    ----------
    rows : iterable of ResultRow
    baseline : str
        A decoder; where it has no row, nothing is compared.

    Returns
    -------
    list of DecoderComparison
    """
    groups: dict[tuple[str, str, int | None], dict[tuple[str, bool], list[ResultRow]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row.trials:
            groups[row.protocol, row.data_set, row.trials_per_class][row.decoder, row.head_start].append(row)
    found: list[DecoderComparison] = []
    for (protocol, _, _), decoders in groups.items():
        family = []
        for (decoder, head_start), own in decoders.items():
            against = decoder.split(RECENTRED)[0] if protocol == "recentring" else baseline
            if (against, False) in decoders and (decoder, head_start) != (against, False):
                family.append(_compared(own, decoders[against, False]))
        found += holm([one for one in family if one])
    return found


def _compared(own: Sequence[ResultRow], base: Sequence[ResultRow]) -> DecoderComparison | None:
    """One decoder's rows against the baseline's; None where they share no trial."""
    shared = {_place(r) for r in own} & {_place(r) for r in base}
    ours, theirs = correct_of(r for r in own if _place(r) in shared), correct_of(r for r in base if _place(r) in shared)
    pairs = {
        person: np.array([(trials[t], theirs[person][t]) for t in trials if t in theirs[person]])
        for person, trials in ours.items()
    }
    pairs = {person: both for person, both in pairs.items() if len(both)}
    if not pairs:
        return None
    differences = [both[:, 0] - both[:, 1] for both in pairs.values()]
    accuracy, of_baseline = (float(np.mean([both[:, i].mean() for both in pairs.values()])) for i in (0, 1))
    p, exact = sign_flip(differences)
    low, high = interval_of_mean(differences)
    low_accuracy, high_accuracy = interval_of_mean([both[:, 0] for both in pairs.values()])
    seeds = sorted({r.seed for r in own if r.seed is not None})
    first = own[0]
    return DecoderComparison(
        first.protocol, first.data_set, first.decoder, base[0].decoder, first.head_start, first.trials_per_class,
        len(pairs), sum(map(len, differences)), max(1, len(seeds)), accuracy, of_baseline,
        tuple(mean_and_spread(list(of_people([r for r in own if r.seed == s]).values()))[0] for s in seeds),
        low_accuracy, high_accuracy, accuracy - of_baseline, low, high, p, exact,
        _median([r.fit_s / max(1, r.fits) for r in own]), _median([r.step_us for r in own if r.step_us is not None]),
    )  # fmt: skip


def _place(row: ResultRow) -> tuple[str, str, int | None]:
    """What was tested; results of two decoders with the same value are paired."""
    return row.subject, occasion(row), row.draw


def occasion(row: ResultRow) -> str:
    """The session; for the protocol recentring, also what the model was trained on.

    Parameters
    ----------
    row : ResultRow

    Returns
    -------
    str
    """
    return f"{row.session} after {row.train}" if row.protocol == "recentring" else row.session


def _median(values: Sequence[float]) -> float | None:
    return float(np.median(values)) if values else None


def correct_of(rows: Iterable[ResultRow]) -> People:
    """How often each trial was decoded right, the mean over seeds and draws.

    Parameters
    ----------
    rows : sequence of ResultRow

    Returns
    -------
    People
    """
    found: dict[str, dict[Trial, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        for word in row.trials.split():
            found[row.subject][occasion(row), word[:-1]].append(word[-1] == "+")
    return {person: {t: float(np.mean(v)) for t, v in trials.items()} for person, trials in found.items()}


def sign_flip(differences: Sequence[FloatArray]) -> tuple[float, bool]:
    """Two-sided p-value of the mean over people of mean differences being 0, and whether it is exact.

    Parameters
    ----------
    differences : sequence of ndarray, each of shape (n_trials,)
        Of each person, trial by trial. Trials without a difference are the same under every pattern.

    Returns
    -------
    (float, bool)

    Notes
    -----
    Of drawn patterns p is (1 + as extreme) / (1 + drawn), which never is 0 (Phipson and Smyth, Statistical Applications in
    Genetics and Molecular Biology 9 (2010) 39).

    Examples
    --------
    >>> sign_flip([np.array([1.0, 1.0, 1.0, 0.0])])
    (0.25, True)
    """
    shares = np.concatenate([d / len(d) for d in differences]) / len(differences)
    shares = shares[shares != 0]
    observed = abs(float(shares.sum())) - 1e-12
    if len(shares) <= EXACT_UP_TO:
        patterns = np.array(list(product((1.0, -1.0), repeat=len(shares)))).reshape(2 ** len(shares), len(shares))
        return float(np.mean(np.abs(patterns @ shares) >= observed)), True
    signs = np.random.default_rng(SEED).integers(0, 2, (DRAWS, len(shares)), dtype=np.int8) * 2 - 1
    extreme = int((np.abs(signs @ shares) >= observed).sum())
    return (1 + extreme) / (1 + DRAWS), False


def interval_of_mean(values: Sequence[FloatArray]) -> tuple[float, float]:
    """Interval of the mean over people of each one's mean: people resampled, then trials within each.

    With one person only trials are; the interval is then of that person. With a handful of people it is too narrow, as every
    bootstrap is.

    Parameters
    ----------
    values : sequence of ndarray, each of shape (n_trials,)

    Returns
    -------
    (float, float)
    """
    rng = np.random.default_rng(SEED)
    n = len(values)
    means: npt.NDArray[np.float64] = np.stack(
        [v[rng.integers(0, len(v), (RESAMPLES, n, len(v)))].mean(axis=2) for v in values], axis=2
    )
    chosen = rng.integers(0, n, (RESAMPLES, n))
    drawn = np.take_along_axis(means, chosen[:, :, np.newaxis], axis=2)[:, :, 0].mean(axis=1)
    low, high = np.quantile(drawn, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return float(low), float(high)


def holm(compared: Sequence[DecoderComparison]) -> list[DecoderComparison]:
    """Adjust the p-values for the number of comparisons.

    Parameters
    ----------
    compared : sequence of DecoderComparison

    Returns
    -------
    list of DecoderComparison
    """
    order = sorted(range(len(compared)), key=lambda i: compared[i].p)
    largest, adjusted = 0.0, {}
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * compared[i].p))
        adjusted[i] = largest
    return [replace(one, adjusted=adjusted[i]) for i, one in enumerate(compared)]
