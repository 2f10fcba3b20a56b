"""Marks of people and programs in a recording: spans and channels that must not be decoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bci.engine.chunk import BoolArray, FloatArray

BAD, EDGE = "bad", "edge"
"""How annotations of such spans begin, in MNE and here; upper and lower case are the same."""
BOUNDARY, NEW_SEGMENT = "boundary", "new segment"
"""Where EEGLAB (and our own exports) and BrainVision put pieces together."""


@dataclass(frozen=True, slots=True)
class BadSpan:
    """A time span that no window may reach into.

    Parameters
    ----------
    start_s, stop_s : float
        On the stamps of its signal. Equal for a seam: nothing is lost, but what comes after does not continue what came before.
    why : str
        As the file says it, for people.
    channels : tuple of str
        The only ones that are bad in it; none for all.
    """

    start_s: float
    stop_s: float
    why: str
    channels: tuple[str, ...] = ()


def span_of(start_s: float, duration_s: float, text: str, channels: Sequence[str] = ()) -> BadSpan | None:
    """The span that an annotation marks; None where it is a marker like any other.

    Parameters
    ----------
    start_s, duration_s : float
        On the stamps of the signal.
    text : str
    channels : sequence of str
        Labels of the channels that the annotation concerns; empty for all.
    """
    plain = text.strip().lower()
    if plain.startswith((BAD, EDGE)):
        return BadSpan(start_s, start_s + max(0.0, duration_s), text.strip(), tuple(channels))
    # What lasts at a boundary was cut out before and is not in the file: only the seam is.
    if plain == BOUNDARY or plain.rstrip("/ ").startswith(NEW_SEGMENT):
        return BadSpan(start_s, start_s, text.strip())
    return None


def inside(span: BadSpan, stamps: FloatArray, period_s: float) -> BoolArray:
    """Which samples a span holds, shape (n_samples,): at least one, where it lies in the signal.

    Parameters
    ----------
    span : BadSpan
    stamps : ndarray, shape (n_samples,)
    period_s : float
        Time of a sample; half of it does not decide.
    """
    begun = stamps >= span.start_s - 0.5 * period_s
    held: BoolArray = begun & (stamps < span.stop_s - 0.5 * period_s)
    if not held.any() and begun.any():
        held[int(begun.argmax())] = True
    return held


def without_spans(data: FloatArray, stamps: FloatArray, spans: Sequence[BadSpan], period_s: float) -> FloatArray:
    """The samples, with no number where all channels are marked bad: windows and filters begin again after it.

    Parameters
    ----------
    data : ndarray, shape (n_samples, n_channels)
    stamps : ndarray, shape (n_samples,)
    spans : sequence of BadSpan
    period_s : float
    """
    whole = [span for span in spans if not span.channels]
    if not whole or not len(stamps):
        return data
    held = np.zeros(len(stamps), dtype=np.bool_)
    for span in whole:
        held |= inside(span, stamps, period_s)
    marked = np.array(data, np.float64)  # a copy, also of samples that are still in their file
    marked[held] = np.nan
    return marked
