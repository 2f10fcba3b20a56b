"""Markers that were stamped by another clock than the signal, so that none of them lies where the signal was recorded.

They are found by where their times lie, and reported with the clock that is likely. They are never shifted, because the amount is
not known.
"""

from __future__ import annotations

import datetime

import numpy as np

from bci.engine.chunk import FloatArray
from bci.errors import RecordingError
from bci.stream.recorded_signal import RecordedMarkers, RecordedSignal, times_on
from bci.stream.recording import RecordedStreams

FITS = 0.1
"""Where no more than this share of a stream's markers lies beside the signal, its clock is doubted."""
SLACK_S = 2.0
"""Markers may come shortly before the first sample or after the last."""
UNIX_S = (1e9, 5e9)
"""Seconds since 1970, from 2001 to 2128."""
UNITS = {1e3: "milliseconds", 1e6: "microseconds", 1e9: "nanoseconds"}
REMEDY = (
    "Nothing was shifted, because the amount is not known. Let the program that sends the markers stamp them with LSL's clock "
    "(local_clock(), or no stamp at all, which means now), and record again"
)


def other_clocks(recording: RecordedStreams, signal: RecordedSignal) -> list[str]:
    """One sentence for each stream of markers that another clock stamped, as far as its times tell.

    Parameters
    ----------
    recording : RecordedStreams
    signal : RecordedSignal
        One of its signals.
    """
    theirs = [m for m in recording.markers if not m.type.startswith("BCI-") and len(m.stamps)]
    return [text for text in (stamped_elsewhere(signal, m) for m in theirs) if text]


def refuse_elsewhere(recording: RecordedStreams, signal: RecordedSignal, times: FloatArray) -> None:
    """Refuse cues of which (almost) none lies where the signal was recorded.

    Parameters
    ----------
    recording : RecordedStreams
    signal : RecordedSignal
    times : ndarray, shape (n_cues,)
        Of all cues, on the signal's clock.

    Raises
    ------
    RecordingError
        Says which stream, its times and the signal's, the clock that it is likely to be, and what to do.
    """
    if beside(signal, times):
        return
    cues = RecordedMarkers("cues", ("",) * len(times), times, signal.clock)
    told = other_clocks(recording, signal) or [stamped_elsewhere(signal, cues)]
    raise RecordingError("\n".join(f"{recording.path}: {text}." for text in told))


def stamped_elsewhere(signal: RecordedSignal, markers: RecordedMarkers) -> str:
    """Describe what is wrong with a stream of markers whose stamps lie outside the time of a signal.

    Parameters
    ----------
    signal : RecordedSignal
    markers : RecordedMarkers

    Returns
    -------
    str
        Empty where they lie inside.
    """
    times = times_on(signal, markers)
    times = times[np.isfinite(times)]
    if beside(signal, times):
        return ""
    first, last = _range(signal.stamps)
    outside = int(((times < first - SLACK_S) | (times > last + SLACK_S)).sum())
    count = f"all {outside}" if outside == len(times) > 1 else f"{outside} of {len(times)}"
    return (
        f"stream {markers.name!r}: {count} markers lie outside the signal. On the signal's clock they come from "
        f"{times.min():.3f} to {times.max():.3f} s; the signal {signal.info.name!r} runs from {first:.3f} to {last:.3f} s. "
        f"{_likely(signal, markers, times)}"
    )


def beside(signal: RecordedSignal, times: FloatArray) -> bool:
    """Whether times on a signal's clock lie where it was recorded, most of them at least; true where there is nothing to compare.

    Parameters
    ----------
    signal : RecordedSignal
    times : ndarray, shape (n,)
    """
    times = times[np.isfinite(times)]
    if not len(times) or not np.isfinite(signal.stamps).any():
        return True
    return _share(times, *_range(signal.stamps)) > FITS


def _range(stamps: FloatArray) -> tuple[float, float]:
    good = stamps[np.isfinite(stamps)]
    return float(good.min()), float(good.max())


def _share(times: FloatArray, first: float, last: float) -> float:
    """How many of the times lie in a range, 0 to 1."""
    return float(np.mean((times >= first - SLACK_S) & (times <= last + SLACK_S)))


def _likely(signal: RecordedSignal, markers: RecordedMarkers, times: FloatArray) -> str:
    """Which clock it may have been, and what to do about it, without the last full stop."""
    first, last = _range(signal.stamps)
    which = _other_clock(signal, markers)
    if which:
        return f"{which}. {REMEDY}"
    if _near(times, first, last, last - first):
        when = "before the recording began" if times.max() < first else "after the recording ended"
        return f"They came {when}: keep the recorder running from before the first cue until after the last"
    known = "" if markers.clock.known else ", and the recording contains no clock offset for them"
    return f"They were stamped by another clock, perhaps that of another computer{known}. {REMEDY}"


def _other_clock(signal: RecordedSignal, markers: RecordedMarkers) -> str:
    """The clock that stamps are known by, in a sentence; empty where it is none of these."""
    first, last = _range(signal.stamps)
    raw = markers.stamps[np.isfinite(markers.stamps)]
    theirs, ours = _unix(raw), _unix(np.array([first, last]))
    if theirs and not ours:
        return f"These are {theirs}, not LSL's clock"
    if ours and not theirs:
        return f"The signal is stamped with {ours} instead of LSL's clock, and the markers are stamped with another clock"
    for factor, unit in UNITS.items():
        if _share(raw / factor, first, last) > 1 - FITS:
            return f"They fit the signal when they are taken as {unit} instead of seconds"
    span_s = last - first
    for factor, unit in ((1.0, "seconds"), *UNITS.items()):
        if raw.min() >= 0 and raw.max() / factor <= span_s + 60.0 and np.ptp(raw) / factor > FITS * span_s:
            return f"By their size they are {unit} since a program began"
    return ""


def _unix(times: FloatArray) -> str:
    """Unix time in words, where times can be that."""
    middle = float(np.median(times))
    for factor, unit in ((1.0, "seconds"), *UNITS.items()):
        if UNIX_S[0] < middle / factor < UNIX_S[1]:
            when = datetime.datetime.fromtimestamp(middle / factor, datetime.UTC)
            return f"Unix time in {unit} ({when:%Y-%m-%d %H:%M} UTC)"
    return ""


def _near(times: FloatArray, first: float, last: float, span_s: float) -> bool:
    """Whether times lie not much further from the signal than it is long, so that they may just have come earlier or later."""
    away_s = max(first - float(times.max()), float(times.min()) - last, 0.0)
    return away_s < max(600.0, span_s)
