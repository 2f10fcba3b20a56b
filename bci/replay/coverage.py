"""How much of a recording its outcomes cover, and whether any are missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from bci.engine.chunk import FloatArray
from bci.replay.recorded_session import RecordedSession

BOUNDARY_S = 1.0
"""Where the engine's last word is not on record, streams may end that much apart: they are not taken in at one moment."""
TOLD_S = 1.0
Key = tuple[float, float]


def missing(session: RecordedSession, rows: Sequence[FloatArray]) -> list[str]:
    """Return one line for each stretch of outcomes that were computed but are not in the recording.

    Parameters
    ----------
    session : RecordedSession
    rows : sequence of ndarray
        Outcomes of a second run over all samples that the engine consumed.

    Notes
    -----
    Every point of the window grid that the engine reached has an outcome. How far it came is told by its events, of which the
    last one is ``stop``, and by the decisions and the timing that it sent with each outcome. What comes after the
    last sample that it is known to have consumed was never decoded, and is not missing.
    """
    recorded = {(row[0], row[1]) for row in session.rows}
    places = {(row[0], row[1]): i for i, row in enumerate(rows)}
    lost = [(row[0], row[1]) not in recorded for row in rows]
    for key in session.witness.places - recorded:
        if key in places:
            lost[places[key]] = True
    if session.witness.stopped is None:
        _forgive_the_end(session, rows, lost)
    said = [_stretch(rows, first, last) for first, last in _runs(lost)]
    return said + _beyond(session, recorded, places)


def _forgive_the_end(session: RecordedSession, rows: Sequence[FloatArray], lost: list[bool]) -> None:
    """Without the engine's last word, its streams were not recorded up to the same moment."""
    last = session.rows[-1][2] if len(session.rows) else 0.0
    room = BOUNDARY_S * session.info.rate_hz
    if len(rows) and rows[-1][2] - last <= room:
        for i, row in enumerate(rows):
            if row[2] > last:
                lost[i] = False


def _beyond(session: RecordedSession, recorded: set[Key], again: dict[Key, int]) -> list[str]:
    """What decisions and timing stand for that neither was recorded nor lies within what the second run decoded."""
    witness = session.witness
    places = sorted(witness.places - recorded - set(again))
    stamps = sorted(witness.stamps - set(session.rows[:, 3].tolist())) if len(session.rows) else []
    at = {stamp: i for i, stamp in enumerate(session.raw.stamps.tolist())}
    last = at.get(float(session.rows[-1][3]), 0) if len(session.rows) else 0
    beyond = [at[stamp] for stamp in stamps if at.get(stamp, -1) > last]
    room = 0.0 if witness.stopped is not None else BOUNDARY_S * session.info.rate_hz
    found = []
    if beyond and max(beyond) - last > room:
        found.append(f"{len(beyond)} decisions came after the last recorded outcome, and their outcomes are missing")
    inside = [stamp for stamp in stamps if at.get(stamp, last + 1) <= last]
    if inside:
        found.append(f"{len(inside)} decisions belong to windows whose outcomes are missing")
    if places and len(places) * _hop(session) > room:
        found.append(f"{len(places)} outcomes are missing although their timing was recorded")
    return found


def _hop(session: RecordedSession) -> float:
    """Samples from one outcome to the next."""
    return float(np.median(np.diff(session.rows[:, 2]))) if len(session.rows) > 1 else 1.0


def covered(session: RecordedSession) -> str:
    """Which part of the recorded signal the outcomes cover, for people."""
    rate_hz, raw, rows = session.info.rate_hz, session.raw, session.rows
    if not len(rows) or not session.joins:
        return "there are no outcomes"
    begins = np.flatnonzero(raw.stamps == session.joins[0][1])
    ends = np.flatnonzero(raw.stamps == rows[-1][3])
    first, end = (int(begins[0]) if len(begins) else 0), (int(ends[-1]) + 1 if len(ends) else len(raw))
    rest_s = (len(raw) - end) / rate_hz
    text = f"outcomes cover {_clock(first / rate_hz)}–{_clock(end / rate_hz)} of {_clock(len(raw) / rate_hz)} of the signal"
    if rest_s >= TOLD_S:
        text += f"; {rest_s:.0f} s of it at the end have no outcomes"
    witness = session.witness
    if witness.stopped is None:
        return f"{text}; the end of the engine was not recorded: it was killed or hung, or the recording ended before it"
    return f"{text}: the engine stopped there ({witness.why})" if rest_s >= TOLD_S else text


def engine_only(session: RecordedSession) -> list[str]:
    """Samples that the recorder did not get when the sender died, for people, a line for each loss."""
    ends = session.rows[:, 2] if len(session.rows) else np.zeros(0)
    said = []
    for consumed, n in session.engine_only:
        windows = np.count_nonzero((ends > consumed - n) & (ends <= consumed))
        said.append(
            f"{n} samples up to consumed = {consumed} ({1000 * n / session.info.rate_hz:.0f} ms): the sender was gone before the "
            f"recorder had them. The {windows} outcomes of windows that end there are computed from the engine's own record"
        )
    return said


def _runs(flags: Iterable[bool]) -> Iterator[tuple[int, int]]:
    """First and last of each stretch of true ones."""
    where = np.flatnonzero(np.fromiter(flags, bool))
    for run in np.split(where, np.flatnonzero(np.diff(where) > 1) + 1):
        if len(run):
            yield int(run[0]), int(run[-1])


def _stretch(rows: Sequence[FloatArray], first: int, last: int) -> str:
    a, b = rows[first], rows[last]
    return f"{last - first + 1} outcomes, from segment {a[0]:.0f} index {a[1]:.0f} to segment {b[0]:.0f} index {b[1]:.0f}"


def _clock(seconds: float) -> str:
    """Minutes and seconds.

    >>> _clock(623.4)
    '10:23'
    """
    return f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"
