"""Decision thresholds from a calibration: as sensitive as the allowed number of false activations permits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from scipy.stats import chi2

from bci.engine.chunk import FloatArray
from bci.engine.decide import DecisionRule, DecisionSettings
from bci.errors import TrainingError

THRESHOLDS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98)
DWELLS_S = (0.0, 0.25, 0.5, 1.0)
SMOOTHINGS_S = (0.25, 0.5, 1.0)
HYSTERESIS = 0.1
"""The release lies this far below the threshold."""


@dataclass(frozen=True, slots=True, eq=False)
class DecodedSpan:
    """Probabilities of consecutive windows.

    Parameters
    ----------
    probabilities : ndarray, shape (n_windows, n_classes)
        On the live window grid, by a model that was not trained on this signal.
    class_ : str
        What was asked for; empty for idle, where nothing may be activated.
    """

    probabilities: FloatArray
    class_: str = ""


@dataclass(frozen=True, slots=True)
class Operating:
    """One setting, and the right and false activations that it gives.

    Parameters
    ----------
    settings : DecisionSettings
    false : int
        Activations during idle.
    idle_min : float
        Minutes of idle.
    per_min, low, high : float
        False activations per minute, with the exact Poisson interval.
    hit : float
        Share of the trials in which the first activation was of the right class.
    wrong : float
        Of another class.
    delay_s : float or None
        Median time from the cue to a right activation; None without any.
    """

    settings: DecisionSettings
    false: int
    idle_min: float
    per_min: float
    low: float
    high: float
    hit: float
    wrong: float
    delay_s: float | None


def poisson_interval(count: int, exposure: float, level: float = 0.95) -> tuple[float, float]:
    """Exact interval of a rate from a count.

    Garwood 1936, Biometrika 28, 437.

    Parameters
    ----------
    count : int
    exposure : float
        In what the rate is per.
    level : float

    Returns
    -------
    (float, float)

    Examples
    --------
    >>> [round(x, 2) for x in poisson_interval(0, 5.0)]
    [0.0, 0.74]
    """
    tail = (1 - level) / 2
    low = 0.0 if count == 0 else float(chi2.ppf(tail, 2 * count)) / 2
    return low / exposure, float(chi2.ppf(1 - tail, 2 * count + 2)) / 2 / exposure


def operating(
    settings: DecisionSettings, classes: tuple[str, ...], hop_s: float, trials: Sequence[DecodedSpan], idle: Sequence[DecodedSpan]
) -> Operating:
    """Measure one setting with the same steps that decide live.

    Parameters
    ----------
    settings : DecisionSettings
    classes : tuple of str
    hop_s : float
        Between windows.
    trials, idle : sequence of DecodedSpan

    Returns
    -------
    Operating
    """
    false = sum(len(_activations(settings, classes, hop_s, span)) for span in idle)
    idle_min = sum(len(s.probabilities) for s in idle) * hop_s / 60
    hits, wrong, delays = 0, 0, []
    for span in trials:
        found = _activations(settings, classes, hop_s, span)
        if not found:
            continue
        window, class_ = found[0]
        if classes[class_] == span.class_:
            hits += 1
            delays.append((window + 1) * hop_s)
        else:
            wrong += 1
    low, high = poisson_interval(false, idle_min)
    n = max(1, len(trials))
    delay_s = float(np.median(delays)) if delays else None
    return Operating(settings, false, idle_min, false / idle_min, low, high, hits / n, wrong / n, delay_s)


def _activations(settings: DecisionSettings, classes: tuple[str, ...], hop_s: float, span: DecodedSpan) -> list[tuple[int, int]]:
    """Windows at which a decision began, and its class."""
    decide = DecisionRule(settings, classes, hop_s)
    found, before = [], -1
    for window, probabilities in enumerate(span.probabilities):
        now = decide(probabilities)
        if now >= 0 and now != before:
            found.append((window, now))
        before = now
    return found


def trade_off(
    base: DecisionSettings, classes: tuple[str, ...], hop_s: float, trials: Sequence[DecodedSpan], idle: Sequence[DecodedSpan]
) -> tuple[Operating, ...]:
    """Every combination of threshold, dwell and smoothing, from the fewest false activations to the most.

    Parameters
    ----------
    base : DecisionSettings
        Settings that are kept where they are not varied.
    classes : tuple of str
        Class names, in the order of the probabilities.
    hop_s : float
        Time between windows, seconds.
    trials : sequence of DecodedSpan
        Decoded windows of each trial.
    idle : sequence of DecodedSpan
        Decoded windows while nothing was asked of the person.

    Returns
    -------
    tuple of Operating

    Raises
    ------
    TrainingError
        If there are no trials or no idle signal.
    """
    if not trials or not sum(len(s.probabilities) for s in idle):
        raise TrainingError(
            f"{len(trials)} trials and {sum(len(s.probabilities) for s in idle)} windows of idle: thresholds need both. "
            "Record idle signal (talking and jaw clenching included) after the calibration."
        )
    least = 1 / len(classes)
    found = [
        operating(_setting(base, threshold, dwell_s, smoothing_s), classes, hop_s, trials, idle)
        for threshold, dwell_s, smoothing_s in product([t for t in THRESHOLDS if t > least], DWELLS_S, SMOOTHINGS_S)
    ]
    return tuple(sorted(found, key=lambda o: (o.per_min, -o.hit)))


def _setting(base: DecisionSettings, threshold: float, dwell_s: float, smoothing_s: float) -> DecisionSettings:
    release = max(0.0, threshold - HYSTERESIS)
    return replace(base, threshold=threshold, release=release, dwell_s=dwell_s, smoothing_s=smoothing_s)


def tune(points: Sequence[Operating], per_min: float) -> Operating:
    """The setting with the most right activations among those with few enough false ones.

    A wrong activation counts as a right one less. The promise is about the rate that was measured; whoever needs it to be
    sure compares ``high``.

    Parameters
    ----------
    points : sequence of Operating
        As :func:`trade_off` gives them.
    per_min : float
        False activations per minute that are allowed.

    Returns
    -------
    Operating

    Raises
    ------
    TrainingError
        If no setting gives at most it.
    """
    allowed = [p for p in points if p.per_min <= per_min]
    if not allowed:
        least = min(points, key=lambda p: p.per_min)
        raise TrainingError(
            f"no setting gives at most {per_min:g} false activations per minute; the quietest gives {least.per_min:.2g} "
            f"({least.low:.2g}–{least.high:.2g}). Allow more, or record more trials."
        )
    return max(allowed, key=lambda p: (p.hit - p.wrong, -(p.delay_s or np.inf), -p.per_min))


def curve(points: Sequence[Operating]) -> tuple[Operating, ...]:
    """The trade-off curve: points that no other point beats in both rates, from quiet to sensitive.

    Parameters
    ----------
    points : sequence of Operating

    Returns
    -------
    tuple of Operating
    """
    best, found = -np.inf, []
    for point in sorted(points, key=lambda p: (p.per_min, -(p.hit - p.wrong))):
        if point.hit - point.wrong > best:
            best = point.hit - point.wrong
            found.append(point)
    return tuple(found)
