"""Whether what is asked of a stream can be computed at all: filters that settle, windows that fit into memory."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from bci.engine.blocks import LONGEST
from bci.engine.chunk import FloatArray
from bci.engine.filter_design import steady_state
from bci.engine.filters import band_pass, gain, notch, settling

if TYPE_CHECKING:
    from bci.engine.preprocessing import Preprocessing

RATES_HZ = (1.0, 100_000.0)
"""From slow sensors to the fastest amplifiers for nerves."""
MAX_CHANNELS = 1024
MAX_BANDS = 64
LONGEST_S = 60.0
"""Of a window, and until a filter has settled."""
LEAST_BYTES, CHANNEL_BYTES = 96 << 20, 2 << 20
"""Memory that windows and filters may take: in any case, and for each channel."""
_NUMBER = 8


def rate_problem(rate_hz: float) -> str:
    """Return why such a sampling rate is impossible; empty if it is possible."""
    low, high = RATES_HZ
    return "" if low <= rate_hz <= high else f"rate_hz = {rate_hz}: must be a number from {low:g} to {high:g}"


def filter_problems(p: Preprocessing) -> list[str]:
    """Bands and a notch that cannot be made at this rate, one line each.

    Parameters
    ----------
    p : Preprocessing
        Its bands and notch lie below the Nyquist frequency.
    """
    found = [
        f"band [{low:g}, {high:g}] Hz at {p.rate_hz:g} Hz and order {p.order}: {why}"
        for low, high in dict.fromkeys(p.bands)
        if (why := _band_problem(low, high, p.order, p.rate_hz))
    ]
    why = _notch_problem(p.notch_hz, p.rate_hz) if p.notch_hz else ""
    return found + ([f"notch_hz = {p.notch_hz:g} at {p.rate_hz:g} Hz: {why}"] if why else [])


def memory_problem(p: Preprocessing) -> str:
    """Return why windows of this size cannot be kept in memory; empty if they can.

    Parameters
    ----------
    p : Preprocessing
        Its window is a whole number of hops.
    """
    n = len(p.labels)
    needed, allowed = _bytes(p, n), max(LEAST_BYTES, CHANNEL_BYTES * n)
    if needed <= allowed:
        return ""
    return (
        f"window = {p.window}, hop = {p.hop} samples: {len(p.bands)} bands of {n} channels would take {needed >> 20} MiB of "
        f"memory, at most {allowed >> 20} are allowed; take a shorter window, a longer hop, or fewer bands"
    )


def _bytes(p: Preprocessing, n: int) -> int:
    """What windows, filters and quality of a decoder's channels take (:mod:`.window`, :mod:`.filters`, :mod:`.quality`)."""
    bands, n_blocks = len(p.bands), p.window // p.hop
    scatter = 3 * n_blocks * bands * (n + 1) ** 2
    samples = bands * (p.window + max(3 * p.window, LONGEST * p.hop)) * n
    states = 4 * p.order * bands + 2
    matrix = 2 * (p.hop * (1 + bands) + states) * (p.hop + states)  # once in parts, once put together
    blocks = LONGEST * p.hop * (2 + bands) * n + 4 * n_blocks
    return _NUMBER * (scatter + samples + matrix + blocks)


@lru_cache(maxsize=4096)
def _band_problem(low_hz: float, high_hz: float, order: int, rate_hz: float) -> str:
    """Why a band-pass is none that can be run."""
    middle = math.sqrt(low_hz) * math.sqrt(high_hz)
    return _problem(lambda: band_pass(low_hz, high_hz, order, rate_hz), rate_hz, middle)


@lru_cache(maxsize=256)
def _notch_problem(line_hz: float, rate_hz: float) -> str:
    """Why a notch is none that can be run."""
    return _problem(lambda: notch(line_hz, rate_hz), rate_hz, None)


def _problem(design: Callable[[], FloatArray], rate_hz: float, passed_hz: float | None) -> str:
    """Why a filter is none that can be run: what is asked of it is beyond the digits of a number, or takes too long."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            sos = design()
            settled_s = settling(sos) / rate_hz if np.isfinite(sos).all() else math.inf
            steady = bool(np.isfinite(steady_state(sos)).all())
            lets_through = 1.0 if passed_hz is None else float(gain(sos, [passed_hz], rate_hz)[0])
        except (ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
            return f"cannot be made ({error})"
    if not (steady and 0 < settled_s <= LONGEST_S and 0.5 <= lets_through <= 2):
        return f"would be unstable, or not settle within {LONGEST_S:g} s; take a wider band, further from 0"
    return ""
