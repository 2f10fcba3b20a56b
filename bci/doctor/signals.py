"""Checks whether the values fit their declared units and types."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bci.doctor.finding import Finding, listed, problem, warn
from bci.doctor.streams import StreamFacts
from bci.engine.chunk import FloatArray
from bci.stream.units import microvolts_per

BLOCK_S = 0.5
SMALLEST_UV, LARGEST_UV = 0.05, 5000.0
PLAUSIBLE_UV = (1.0, 500.0)
FEWEST = 50


def check_signal(s: StreamFacts) -> list[Finding]:
    """All that concerns the values of a regular stream.

    Parameters
    ----------
    s : StreamFacts
        One stream, with the values that were read.
    """
    if not s.regular or len(s.values) < FEWEST:
        return []
    values = np.asarray(s.values, dtype=np.float64)
    counters = [i for i in s.brain() if counts(values[:, i])]
    return [*_finite(s, values), *_counters(s, counters), *_flat(s, values), *_units(s, values, counters)]


def counts(values: FloatArray) -> bool:
    """Whether a channel goes up by the same step from sample to sample, save where it wraps.

    Parameters
    ----------
    values : ndarray, shape (n_samples,)
    """
    steps = np.diff(values)
    step = float(np.median(steps))
    return step > 0 and float(np.mean(np.abs(steps - step) <= 1e-3 * step)) > 0.9


def size(values: FloatArray, rate_hz: float) -> FloatArray:
    """How large each channel is, its offset and slow drift left out.

    Parameters
    ----------
    values : ndarray, shape (n_samples, n_channels)
    rate_hz : float

    Returns
    -------
    ndarray, shape (n_channels,)
        Median over blocks of half a second of the standard deviation in each.
    """
    n = max(10, min(len(values), round(BLOCK_S * rate_hz)))
    blocks = values[: len(values) // n * n].reshape(-1, n, values.shape[1])
    return np.asarray(np.median(blocks.std(axis=1), axis=0))


def _finite(s: StreamFacts, values: FloatArray) -> Iterator[Finding]:
    bad = [s.label(i) for i in range(s.n_channels) if not np.isfinite(values[:, i]).all()]
    if bad:
        text = f"{s.title} sends values that are not numbers on {listed(bad)}"
        yield problem("values", text, "Correct its sender; as long as such values come, nothing is decoded.")


def _counters(s: StreamFacts, counters: list[int]) -> Iterator[Finding]:
    if counters:
        text = (
            f"{s.title} declares {listed(s.label(i) for i in counters)} as EEG, but it increases from sample to "
            "sample like a counter"
        )
        yield problem(
            "types", text, "Give it another type (AUX) in the sender or in a montage file, or leave it out of the model."
        )


def _flat(s: StreamFacts, values: FloatArray) -> Iterator[Finding]:
    flat = [s.label(i) for i in s.brain() if np.ptp(values[:, i]) == 0]
    if flat:
        text = f"{s.title}: {listed(flat)} never changed during the check"
        yield warn(
            "values",
            text,
            "Check that the electrode is plugged in, and that the amplifier is measuring (not in a test or stand-by mode).",
        )


def _units(s: StreamFacts, values: FloatArray, counters: list[int]) -> Iterator[Finding]:
    """Units that are missing, no voltage, or impossible for the size of the values."""
    brain = [i for i in s.brain() if i not in counters and np.isfinite(values[:, i]).all() and np.ptp(values[:, i]) > 0]
    if not brain:
        return
    typical = float(np.median(size(values[:, brain], s.rate_hz)))
    by_size = _unit_by_size(typical)
    units = {s.channels[i].unit if i < len(s.channels) else "" for i in brain}
    remedy = f"Declare the true one in the sender, or with --set stream.unit={by_size or 'uV'}" + (
        f" (judged by the size of the values, it is {by_size})" if by_size else ""
    )
    if units & {"", "none", "unknown"}:
        yield warn("units", f"{s.title} does not state the unit of its EEG", remedy)
        return
    strange = sorted(u for u in units if microvolts_per(u) is None)
    if strange:
        yield problem("units", f"{s.title} gives its EEG in {listed(map(repr, strange))}, which is not a unit of voltage", remedy)
        return
    declared = sorted(units)[0]
    in_uv = typical * (microvolts_per(declared) or 1.0)
    if not SMALLEST_UV <= in_uv <= LARGEST_UV:
        text = (
            f"{s.title} declares {declared}, but is {typical:.3g} {declared} ({in_uv:.3g} µV) large, which is impossible for EEG"
        )
        yield problem("units", text, remedy)


def _unit_by_size(typical: float) -> str:
    """The unit in which values of this size would be EEG; the smallest change that explains them."""
    low, high = PLAUSIBLE_UV
    return next((u for u in ("uV", "mV", "V", "nV") if low <= typical * (microvolts_per(u) or 1.0) <= high), "")
