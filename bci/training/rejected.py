"""Reasons why trials were left out, in words: the channel, its value, and the setting."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from bci.engine.chunk import FloatArray
from bci.engine.frontend import FrontSettings
from bci.engine.quality import LOOK_S, MEMORY_S

SHOWN = 8
SETTING = {
    "flat": "flat_uv",
    "railed": "rail_uv",
    "amplitude": "amplitude_uv",
    "line": "line_uv",
    "bridged": "bridged_uv",
}
"""The limit in ``[quality]`` that a fault of a channel goes by."""
WORDS = {
    "refill": "the filters or the window had to be filled again after a gap, an unreadable value or the recording's start",
    "bridged": "too many lost samples in the window were interpolated (quality.bridged_share)",
    "nonfinite": "a value in the window is outside the range of an amplifier (quality.range_uv)",
    "recording ended": "the recording ended before the trial did",
}


@dataclass(frozen=True, slots=True)
class BadChannel:
    """One bad channel of one trial that was left out.

    Parameters
    ----------
    label : str
    fault : str
        ``"flat"``, ``"railed"``, … (:class:`~bci.engine.quality.ChannelFault`).
    value_uv : float
        What was measured, µV; NaN where a number says nothing.
    """

    label: str
    fault: str
    value_uv: float


def measured_uv(fault: str, samples: FloatArray, rate_hz: float) -> float:
    """The value of a channel's raw samples that shows its fault, µV: for instance the range of a flat part.

    Parameters
    ----------
    fault : str
    samples : ndarray, shape (n_samples,)
    rate_hz : float

    Returns
    -------
    float
    """
    if not len(samples) or fault not in _MEASURE:
        return math.nan
    seconds, measure = _MEASURE[fault]
    n = min(len(samples), max(1, round(seconds * rate_hz)))
    with np.errstate(invalid="ignore"):
        return float(measure(samples[: len(samples) // n * n].reshape(-1, n)))


_MEASURE: dict[str, tuple[float, Callable[[FloatArray], float]]] = {
    "flat": (MEMORY_S, lambda parts: np.ptp(parts, axis=1).min()),
    "railed": (MEMORY_S, lambda parts: np.abs(parts).max()),
    "amplitude": (LOOK_S, lambda parts: np.ptp(parts, axis=1).max()),
}


def why_rejected(rejected: Sequence[tuple[object, str]], faults: Iterable[BadChannel], front: FrontSettings) -> dict[str, int]:
    """Reasons why trials were left out, with the number of trials for each, the most frequent first.

    Parameters
    ----------
    rejected : sequence of (trial, reason)
    faults : iterable of BadChannel
        Of all these trials.
    front : FrontSettings
        The limits that they were judged by.

    Returns
    -------
    dict of str to int
    """
    counts: dict[str, int] = defaultdict(int)
    for _, why in rejected:
        counts["bad" if why.startswith("bad ") else why] += 1
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return {_channels(faults, front) if why == "bad" else WORDS.get(why, why): n for why, n in ordered}


def _channels(faults: Iterable[BadChannel], front: FrontSettings) -> str:
    """The channels that were bad, the most frequent first."""
    seen: dict[tuple[str, str], list[float]] = defaultdict(list)
    for one in faults:
        seen[one.label, one.fault].append(one.value_uv)
    ordered = sorted(seen.items(), key=lambda item: -len(item[1]))
    told = [f"{label} {_fault(fault, values, front)}, in {len(values)}" for (label, fault), values in ordered[:SHOWN]]
    more = [f"and {len(ordered) - SHOWN} more"] if len(ordered) > SHOWN else []
    return f"too many bad channels (quality.bad_share = {front.quality.bad_share:g}): " + "; ".join(told + more)


def _fault(fault: str, values: Sequence[float], front: FrontSettings) -> str:
    """A fault with what was measured and the limit."""
    name = SETTING.get(fault, "")
    limits: Mapping[str, float] = {f.name: getattr(front.quality, f.name) for f in fields(front.quality)}
    limit = f"quality.{name} = {limits[name]:g}" if limits.get(name) else ""
    value = f"{np.nanmedian(values):.4g} µV" if np.isfinite(values).any() else ""
    inside = ", ".join(part for part in (value, limit) if part)
    return f"{fault} ({inside})" if inside else fault
