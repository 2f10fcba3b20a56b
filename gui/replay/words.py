"""How the replay window describes a second run of a recording."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gui.replay.recording_strip import clock
from gui.replay.values import Difference, Recomputation, ReplayRecording
from gui.sanitise import sanitise

NOT_COMPUTED = "not computed again yet"
SAME = "Every recorded outcome came out the same."
NO_CHANGE = "No decision came out differently."
NOTHING_TO_COMPARE = "This recording holds no decisions to compare with."
SLACK_S = 1e-6


def verdict_words(again: Recomputation | None, opened: ReplayRecording | None) -> tuple[str, str]:
    """Return the verdict on a second run, and its role in the style sheet.

    Parameters
    ----------
    again : Recomputation or None
        None: it was not run again.
    opened : ReplayRecording or None
    """
    if again is None:
        return (opened.notes[0] if opened is not None and opened.notes else NOT_COMPUTED), "muted"
    word, role = {True: ("● VERIFIED: ", "good"), False: ("■ NOT VERIFIED: ", "bad"), None: ("", "value")}[again.verified]
    return word + again.summary, role


def heading_words(again: Recomputation | None) -> str:
    """Return the heading of the list of differences: how many windows differ, and in how many places.

    Parameters
    ----------
    again : Recomputation or None
        None: it was not computed.
    """
    if again is None:
        return "Differences"
    places = len(again.differences)
    windows = max(again.compared - again.identical, places)
    more = f" in {places} places" if 1 < places < windows else ""
    return f"{windows} differences{more}" if windows != 1 else "1 difference"


def note_words(again: Recomputation) -> str:
    """Return the note that is shown for an empty list of differences.

    Parameters
    ----------
    again : Recomputation
    """
    if not again.compared:
        return NOTHING_TO_COMPARE
    return SAME if again.verified else NO_CHANGE


def row_words(difference: Difference, begin_s: float) -> tuple[str, str, str, str]:
    """Return one row of the list: when, for how long, what was recorded, and what is computed.

    Parameters
    ----------
    difference : Difference
    begin_s : float
        Of the recording, on the same clock.
    """
    lasts = f"{difference.last_s - difference.time_s:.1f} s" if difference.windows > 1 else "one window"
    return clock(difference.time_s - begin_s, True), lasts, sanitise(difference.was, 40), sanitise(difference.now, 160)


def next_row(differences: Sequence[Difference], time_s: float, step: int) -> int | None:
    """Return the row of the next difference after a time (``step`` 1), or of the one before (-1); None if there is none.

    Parameters
    ----------
    differences : sequence of Difference
        In order.
    time_s : float
    step : int
    """
    if step > 0:
        return next((i for i, d in enumerate(differences) if d.time_s > time_s + SLACK_S), None)
    return next((i for i in reversed(range(len(differences))) if differences[i].time_s < time_s - SLACK_S), None)


def speed_words(speed: float) -> str:
    """Return a speed as text.

    Parameters
    ----------
    speed : float
        Times real time; infinite: as fast as possible.

    Examples
    --------
    >>> speed_words(0.25), speed_words(4.0)
    ('1/4 ×', '4 ×')
    """
    if math.isinf(speed):
        return "as fast as possible"
    return f"{speed:g} ×" if speed >= 1 else f"1/{round(1 / speed)} ×"
