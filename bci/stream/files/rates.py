"""Channels of several rates in one file: only those with the EEG's rate are kept, because resampling would use future samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from bci.stream.metadata import channel_type

ANNOTATIONS = ("EDF Annotations", "BDF Annotations")
_HELD = ("status", "trigger")
"""Channels whose last value is held when a slower one is brought to the rate of the others."""


def other_rates(labels: Sequence[str], per_record: Sequence[int], record_s: float) -> tuple[list[str], list[str]]:
    """Channels to leave out, and what to say of it.

    Readers bring all channels to the fastest rate of a file by a filter over the whole recording. What is decoded live
    knows no later samples, so channels of other rates than the EEG's are left out instead.

    Parameters
    ----------
    labels : sequence of str
    per_record : sequence of int
        Samples of each in a record.
    record_s : float
        Duration of a record, seconds.

    Returns
    -------
    names : list of str
    notes : list of str
    """
    signals = [(label, n) for label, n in zip(labels, per_record, strict=True) if label not in ANNOTATIONS]
    eeg = [n for label, n in signals if channel_type(label, "EEG") == "EEG"] or [n for _, n in signals]
    if not eeg:
        return [], []
    kept = Counter(eeg).most_common(1)[0][0]
    others = [(label, n) for label, n in signals if n > kept or (n < kept and label.lower() not in _HELD)]
    if not others:
        return [], []
    listed = ", ".join(f"{label} ({n / record_s:g} Hz)" if record_s > 0 else label for label, n in others[:8])
    more = f" and {len(others) - 8} more" if len(others) > 8 else ""
    rate = f"{kept / record_s:g} Hz" if record_s > 0 else "the rate of most"
    return [label for label, _ in others], [
        f"left out are the channels that are not sampled at {rate} like the others: {listed}{more}"
    ]
