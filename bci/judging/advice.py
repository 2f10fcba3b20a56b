"""What to check or change, in plain words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from bci.engine.chunk import FloatArray
from bci.engine.stream_info import canonical
from bci.judging.blocks import streaks
from bci.judging.nulls import Null
from bci.judging.trials import Trials
from bci.judging.verdict import WORKS

OFTEN_BAD = 0.1
OFTEN_LOST = 0.15
FAIR_ORDER = 0.6
"""With fewer changes of class than this share of what a random order has, classes came in streaks."""
HEAVY = 1.5
_EYES = ("fp", "af", "f7", "f8", "f9", "f10")
_MUSCLES = ("ft", "t", "tp", "f9", "f10", "p9", "p10", "o9", "o10", "iz")
_HANDS = ("c3", "c4")


def fair_order(trials: Trials) -> bool:
    """Whether the order of the classes prevents slow drifts from being taken for imagery.

    Parameters
    ----------
    trials : Trials

    Returns
    -------
    bool
    """
    changes, expected = streaks(trials.labels, trials.runs)
    return changes >= FAIR_ORDER * expected


def advice(word: str, trials: Trials, weights: FloatArray | None, nulls: Sequence[Null], reachable: bool) -> tuple[str, ...]:
    """Sentences on what to check or change, the most important first.

    Parameters
    ----------
    word : str
        Of the verdict.
    trials : Trials
    weights : ndarray, shape (n_channels,), or None
        Share of each of the trials' channels in the decision.
    nulls : sequence of Null
    reachable : bool
        Whether the ceiling is above what is wanted.

    Returns
    -------
    tuple of str
    """
    found = [null.words for null in nulls if not null.passed and null.name != "permuted"]
    if not fair_order(trials):
        found.append(
            "the same class came several times in a row, so that slow drifts cannot be told from imagery: shuffle the cues"
        )
    found += bad_channels(trials)
    if word != WORKS:
        found += _hands(trials.channels)
    if weights is not None:
        found += _leaning(trials.channels, weights)
    found += _lost(trials)
    if word != WORKS and not reachable:
        found.append("change the imagery: imagine how one movement feels, always the same, rather than how it looks")
    return tuple(dict.fromkeys(found))


def bad_channels(trials: Trials) -> list[str]:
    """Channels without contact, those over the hands first.

    Parameters
    ----------
    trials : Trials

    Returns
    -------
    list of str
    """
    order = np.argsort(-trials.bad + np.array([-1.0 if canonical(c) in _HANDS else 0.0 for c in trials.channels]))
    return [
        f"check {trials.channels[i]}: it was bad in {100 * trials.bad[i]:.0f} % of the trials"
        for i in order.tolist()
        if trials.bad[i] > OFTEN_BAD
    ]


def _hands(channels: Sequence[str]) -> list[str]:
    """Electrodes over the hand areas that are missing."""
    there = {canonical(c) for c in channels}
    missing = [label.upper() for label in _HANDS if label not in there]
    return (
        [f"no electrode at {' and '.join(missing)}, over the hand areas: add {'it' if len(missing) == 1 else 'them'}"]
        if missing
        else []
    )


def _leaning(channels: Sequence[str], weights: FloatArray) -> list[str]:
    """Advice where the decisions depend on electrodes at which eyes or muscles are strongest."""
    found = []
    for what, prefixes in (("eyes", _EYES), ("muscles", _MUSCLES)):
        inside = [i for i, c in enumerate(channels) if canonical(c).rstrip("0123456789z") in prefixes or canonical(c) in prefixes]
        share = float(weights[inside].sum())
        if inside and len(inside) < len(channels) and share > max(HEAVY * len(inside) / len(channels), 0.25):
            names = ", ".join(channels[i] for i in sorted(inside, key=lambda i: -weights[i])[:3])
            found.append(
                f"the decoder depends on {names} ({100 * share:.0f} % of its weight), where {what} are strongest: keep them still"
            )
    return found


def _lost(trials: Trials) -> list[str]:
    """Trials that were left out."""
    n = len(trials.rejected)
    if not n or n < OFTEN_LOST * (n + len(trials)):
        return []
    (why, _), *_ = Counter(why for _, why in trials.rejected).most_common(1)
    return [f"{n} of {n + len(trials)} trials were left out, mostly for {why!r}: improve the signal before you record more"]
