"""How a stream is processed before a decoder gets it, as data in the header of a model."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from bci.engine.artefacts.settings import Artefacts
from bci.engine.limits import LONGEST_S, MAX_BANDS, MAX_CHANNELS, filter_problems, memory_problem, rate_problem
from bci.errors import ConfigError

REFERENCES = ("none", "average", "laplacian", "mastoids")


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Channels, reference, filters and window grid of a decoder.

    Parameters
    ----------
    rate_hz : float
    labels : tuple of str
        The decoder's channels, in the decoder's order.
    reference : str
        One of ``REFERENCES``.
    notch_hz : float
        Line frequency, 0 for no notch.
    bands : tuple of (low_hz, high_hz)
        One causal Butterworth band-pass each; several make a filter bank.
    order : int
        Butterworth order (of the low-pass prototype).
    window, hop : int
        Samples. ``window`` is a whole number of hops (:func:`bci.engine.chunk.window_grid`).
    artefacts : Artefacts
        What is done about artefacts; nothing by default. It is not in ``repr``, by which kept trials are named.
    least : int
        Samples that a window must still hold where losses took the others; 0 for all of them. Whole hops.
    """

    rate_hz: float
    labels: tuple[str, ...]
    reference: str = "none"
    notch_hz: float = 50.0
    bands: tuple[tuple[float, float], ...] = ((8.0, 30.0),)
    order: int = 4
    window: int = 500
    hop: int = 10
    artefacts: Artefacts = field(default=Artefacts(), repr=False)
    least: int = 0

    def __post_init__(self) -> None:
        problems = list(_problems(self))
        if problems:
            raise ConfigError(problems)

    @property
    def partly(self) -> bool:
        """Whether windows are decoded although losses have removed a part of them."""
        return 0 < self.least < self.window

    def same_path(self, other: Preprocessing) -> bool:
        """Whether channels, filters and windows are the same, whatever was measured in training.

        Parameters
        ----------
        other : Preprocessing
            Of another model.
        """
        mine, others = self.artefacts, other.artefacts
        alike = mine.eog == others.eog and (mine.clean is None) == (others.clean is None)
        return alike and replace(self, artefacts=others) == other


def _problems(p: Preprocessing) -> list[str]:
    """Every reason why these settings cannot be run, one line each."""
    found = _value_problems(p)
    if not found:
        found = filter_problems(p)
        memory = memory_problem(p)
        found += [memory] if memory else []
    return found


def _value_problems(p: Preprocessing) -> list[str]:
    """Values that none of it may have, at whatever rate and size."""
    found = [problem] if (problem := rate_problem(p.rate_hz)) else []
    nyquist = p.rate_hz / 2
    if not 1 <= len(p.labels) <= MAX_CHANNELS:
        found.append(f"labels: {len(p.labels)} channels; at least one is needed, and at most {MAX_CHANNELS} are possible")
    if p.reference not in REFERENCES:
        found.append(f"reference = {p.reference[:80]!r}: must be one of {', '.join(REFERENCES)}")
    if not (p.notch_hz == 0 or 0 < p.notch_hz < nyquist):
        found.append(f"notch_hz = {p.notch_hz}: must be 0 (none) or between 0 and the Nyquist frequency {nyquist:g} Hz")
    if not 1 <= len(p.bands) <= MAX_BANDS:
        found.append(f"bands: {len(p.bands)} [low, high] pairs; at least one is needed, and at most {MAX_BANDS} are possible")
    named = {label.lower() for label in p.labels}
    if any(label.lower() in named for label in p.artefacts.eog):
        found.append(f"eog = {', '.join(p.artefacts.eog)}: no channel of the decoder can be an EOG channel too")
    for low, high in p.bands[:MAX_BANDS]:
        if not 0 < low < high < nyquist:
            found.append(f"band [{low:g}, {high:g}] Hz: must satisfy 0 < low < high < {nyquist:g} Hz (Nyquist)")
    if not 1 <= p.order <= 8:
        found.append(f"order = {p.order}: must be 1 to 8")
    if not 1 <= p.window <= LONGEST_S * max(p.rate_hz, 1.0):
        found.append(f"window = {p.window} samples: must be 1 or more, and at most {LONGEST_S:g} s")
    elif p.hop < 1 or p.window < p.hop or p.window % p.hop:
        found.append(f"window = {p.window}, hop = {p.hop} samples: the window must be a whole, positive number of hops")
    elif not 0 <= p.least <= p.window or p.least % p.hop:
        found.append(f"least = {p.least} samples: must be whole hops, from 0 to the window's {p.window}")
    return found
