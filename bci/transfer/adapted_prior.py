"""A decoder for a person with few recordings, from the recordings of other people.

Recentred tangent vectors of all donors give one linear model, the prior. The own trials, recentred by their own mean,
pull it towards themselves (:mod:`bci.transfer.prior`); how hard it resists is chosen by playing the same
game with the donors, each in turn taken for a newcomer. The newcomer's test trials take part in nothing.

The own model, trained on the own trials alone, stands in the shadow. It takes over by a rule that is written down here:
when, decoding own calibration trials that were held out, it was right where the head start was wrong so often that the
exact sign test says *better* at 5 % (McNemar 1947, Psychometrika 12, 153; exact as in Fagerland, Lydersen, Laake 2013, BMC
Medical Research Methodology 13, 91).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from bci.engine.chunk import FloatArray
from bci.errors import TrainingError
from bci.training.alignment import between, session_mean, tangent_vectors, whitening
from bci.transfer.prior import Codes, Linear, fit_pooled, fit_towards_prior, zero_prior

STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
OWN_STRENGTH = 1.0
"""Of the own model: the penalty of plain tangent space + logistic regression with C = 1."""
MEAN_WORTH = 2.0
"""The donors' mean covariance counts as many trials as this in the newcomer's, so that there is one from the first trial on."""
MOST_REHEARSALS = 6
REHEARSAL_DRAWS = 4
TAKE_OVER = 0.05
FOLDS = 5
MIN_SHADOW_TRIALS = 20


@dataclass(frozen=True, slots=True, eq=False)
class DonorSession:
    """One session of another person.

    Parameters
    ----------
    name : str
        Pseudonym.
    matrices : ndarray, shape (n_trials, n_bands, n_channels, n_channels)
        Covariances, µV² (:func:`bci.training.alignment.covariances`).
    labels : ndarray of str, shape (n_trials,)
    """

    name: str
    matrices: FloatArray
    labels: npt.NDArray[np.str_]


@dataclass(frozen=True, slots=True, eq=False)
class Prior:
    """A linear model of all donors together.

    Parameters
    ----------
    classes : tuple of str
        Sorted: the order of the probabilities.
    linear : Linear
        Of recentred tangent vectors.
    mean : ndarray, shape (n_bands, n_channels, n_channels)
        Of the donors' means, µV²: where a newcomer of whom nothing is known is taken to be.
    features : tuple of ndarray
        Recentred tangent vectors of each donor.
    codes : tuple of ndarray of int
        Classes of each donor's trials.
    metric : str
        Of the recentring.
    names : tuple of str
    """

    classes: tuple[str, ...]
    linear: Linear
    mean: FloatArray
    features: tuple[FloatArray, ...]
    codes: tuple[Codes, ...]
    metric: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class AdaptedPrior:
    """The decoder of a newcomer: the prior, adapted to the newcomer's own trials.

    Parameters
    ----------
    classes : tuple of str
    white : ndarray, shape (n_bands, n_channels, n_channels)
        The recentring: one fixed matrix for each band, 1/µV.
    linear : Linear
    strength : float
        With which the prior was held to; infinite where there are no own trials.
    own : bool
        Whether the own model has taken over.
    evidence : tuple of (own, head start)
        Held-out own trials that only one of the two got right.
    """

    classes: tuple[str, ...]
    white: FloatArray
    linear: Linear
    strength: float
    own: bool
    evidence: tuple[int, int]

    def logs(self, matrices: FloatArray) -> FloatArray:
        """Logarithms of the probabilities of covariances, shape (n_trials, n_classes).

        Parameters
        ----------
        matrices : ndarray, shape (n_trials, n_bands, n_channels, n_channels)
            Covariances, µV².

        Returns
        -------
        ndarray, shape (n_trials, n_classes)
        """
        return self.linear.logs(tangent_vectors(matrices, self.white))


def learn_prior(donors: Sequence[DonorSession], metric: str = "riemannian") -> Prior:
    """Learn the prior from the sessions of donors.

    Parameters
    ----------
    donors : sequence of DonorSession
        All with the same bands, channels and classes.
    metric : {"riemannian", "euclidean"}
        Of the recentring.

    Returns
    -------
    Prior

    Raises
    ------
    TrainingError
        If there are none, or their classes differ.
    """
    sets = {tuple(np.unique(d.labels).tolist()) for d in donors}
    if len(sets) != 1 or len(next(iter(sets))) < 2:
        found = "; ".join(", ".join(x) for x in sorted(sets)) or "none"
        raise TrainingError(f"donors must all have the same classes, two or more; found: {found}. Leave out those that differ.")
    (classes,) = sets
    means = [session_mean(d.matrices, d.labels, metric) for d in donors]
    features = tuple(tangent_vectors(d.matrices, whitening(m)) for d, m in zip(donors, means, strict=True))
    codes = tuple(np.searchsorted(classes, d.labels).astype(np.int64) for d in donors)
    return Prior(
        classes,
        fit_pooled(features, codes, len(classes)),
        session_mean(np.stack(means)),
        features,
        codes,
        metric,
        tuple(d.name for d in donors),
    )


def strength_for(prior: Prior, trials_per_class: int, seed: int = 0) -> float:
    """Choose how strongly to hold to the prior with a number of own trials, from the donors alone.

    Each donor in turn plays the newcomer: a prior from the others, a few trials to calibrate, the rest to judge by. The
    strength with the least log loss over all of them is taken; with a single donor there is nobody to rehearse with, and
    the middle one is.

    Parameters
    ----------
    prior : Prior
    trials_per_class : int
        At most half of each donor's trials are used.
    seed : int
        Of the draws.

    Returns
    -------
    float
    """
    n = len(prior.names)
    if n < 2:
        return STRENGTHS[len(STRENGTHS) // 2]
    rng = np.random.default_rng(seed)
    losses = np.zeros(len(STRENGTHS))
    for k in range(n) if n <= MOST_REHEARSALS else rng.choice(n, MOST_REHEARSALS, replace=False):
        others = [i for i in range(n) if i != k]
        rest = fit_pooled([prior.features[i] for i in others], [prior.codes[i] for i in others], len(prior.classes))
        for _ in range(REHEARSAL_DRAWS):
            train = _draw(prior.codes[k], trials_per_class, rng)
            test = np.setdiff1d(np.arange(len(prior.codes[k])), train)
            losses += [_loss(prior.features[k], prior.codes[k], train, test, rest, s) for s in STRENGTHS]
    return STRENGTHS[int(losses.argmin())]


def adapt_prior(
    prior: Prior, matrices: FloatArray, labels: npt.NDArray[np.str_], strength: float | None = None, unlabelled: bool = False
) -> AdaptedPrior:
    """Adapt the prior to the newcomer's trials so far.

    Parameters
    ----------
    prior : Prior
    matrices : ndarray, shape (n_trials, n_bands, n_channels, n_channels)
        Covariances of the own trials; none is allowed.
    labels : ndarray of str, shape (n_trials,)
    strength : float, optional
        From :func:`strength_for` where omitted.
    unlabelled : bool
        Use the trials to recentre only, and not their labels.

    Returns
    -------
    AdaptedPrior
    """
    classes = prior.classes
    if not len(matrices):
        return AdaptedPrior(classes, whitening(prior.mean), prior.linear, np.inf, False, (0, 0))
    unknown = sorted(set(labels.tolist()) - set(classes))
    if unknown and not unlabelled:
        raise TrainingError(
            f"own classes {', '.join(unknown)} are not those of the donors ({', '.join(classes)}); use donors that have them"
        )
    if unlabelled:
        return AdaptedPrior(classes, _recentring(prior, matrices, None), prior.linear, np.inf, False, (0, 0))
    codes = np.searchsorted(classes, labels).astype(np.int64)
    if strength is None:
        strength = strength_for(prior, max(1, int(np.bincount(codes, minlength=len(classes)).min())))
    evidence = _shadowed(prior, matrices, codes, strength)
    takes_over = sum(evidence) > 0 and binomtest(evidence[0], sum(evidence), alternative="greater").pvalue < TAKE_OVER
    white, linear = _own(prior, matrices, codes) if takes_over else _headed(prior, matrices, codes, strength)
    return AdaptedPrior(classes, white, linear, strength, takes_over, evidence)


def _recentring(prior: Prior, matrices: FloatArray, codes: Codes | None) -> FloatArray:
    """The whitening matrix of the newcomer's own mean, shrunk a little towards the donors' mean."""
    mean = session_mean(matrices, None if codes is None else codes.astype(np.str_), prior.metric)
    return whitening(between(prior.mean, mean, len(matrices) / (len(matrices) + MEAN_WORTH)))


def _headed(prior: Prior, matrices: FloatArray, codes: Codes, strength: float) -> tuple[FloatArray, Linear]:
    """Recentre, and fit the weights to the own trials under the prior."""
    white = _recentring(prior, matrices, codes)
    return white, fit_towards_prior(tangent_vectors(matrices, white), codes, prior.linear, strength)


def _own(prior: Prior, matrices: FloatArray, codes: Codes) -> tuple[FloatArray, Linear]:
    """Tangent space + logistic regression on the own trials alone."""
    white = whitening(session_mean(matrices))
    features = tangent_vectors(matrices, white)
    return white, fit_towards_prior(features, codes, zero_prior(len(prior.classes), features.shape[1]), OWN_STRENGTH)


def _shadowed(prior: Prior, matrices: FloatArray, codes: Codes, strength: float) -> tuple[int, int]:
    """Number of held-out own trials that only the own model decoded rightly, and number that only the head start did.

    Folds are runs of neighbouring trials, as windows near in time share drifts.
    """
    n = len(codes)
    if n < MIN_SHADOW_TRIALS or np.bincount(codes, minlength=len(prior.classes)).min() < FOLDS:
        return 0, 0
    fold = np.arange(n) * FOLDS // n
    right = np.zeros((2, n), dtype=np.bool_)
    for k in range(FOLDS):
        train, test = fold != k, fold == k
        if len(np.unique(codes[train])) < len(prior.classes):
            return 0, 0
        fits = (_own(prior, matrices[train], codes[train]), _headed(prior, matrices[train], codes[train], strength))
        for i, (white, linear) in enumerate(fits):
            right[i, test] = linear.logs(tangent_vectors(matrices[test], white)).argmax(axis=1) == codes[test]
    return int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())


def _draw(codes: Codes, trials_per_class: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Some trials of each class, at most half of them."""
    own = [np.flatnonzero(codes == k) for k in np.unique(codes)]
    return np.concatenate([rng.choice(x, min(trials_per_class, max(1, len(x) // 2)), replace=False) for x in own])


def _loss(
    features: FloatArray, codes: Codes, train: npt.NDArray[np.int64], test: npt.NDArray[np.int64], prior: Linear, strength: float
) -> float:
    """Mean log loss on the trials to judge by."""
    logs = fit_towards_prior(features[train], codes[train], prior, strength).logs(features[test])
    return -float(logs[np.arange(len(test)), codes[test]].mean())


def held_out_correct(prior: Prior, matrices: FloatArray, labels: npt.NDArray[np.str_], strength: float) -> int:
    """Number of own trials that are decoded rightly by models adapted to the other own trials, in folds of neighbouring trials.

    Parameters
    ----------
    prior : Prior
    matrices : ndarray, shape (n_trials, n_bands, n_channels, n_channels)
        Covariances, µV².
    labels : ndarray of str, shape (n_trials,)
        Class of each trial.
    strength : float
        How strongly the weights are held back.

    Returns
    -------
    int
    """
    fold = np.arange(len(labels)) * FOLDS // max(1, len(labels))
    correct = 0
    for k in np.unique(fold):
        found = adapt_prior(prior, matrices[fold != k], labels[fold != k], strength)
        decided = found.logs(matrices[fold == k]).argmax(axis=1)
        correct += int((np.array(prior.classes)[decided] == labels[fold == k]).sum())
    return correct
