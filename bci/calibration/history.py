"""The recorded part of a calibration, read back so that it can continue at the trial at which it stopped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bci.errors import RecordingError
from bci.paradigm.protocol import BASELINES, PRACTICE, Baseline, CalibrationProtocol, waiting
from bci.paradigm.timeline import CALIBRATION_TYPE, CUE_STREAM, REJECTED, TRIAL_END, TRIAL_START, cue_code
from bci.paradigm.trial_times import Paradigm
from bci.stream import messages
from bci.stream.xdf.reader import read_xdf
from bci.stream.xdf.streams import XdfStream

BASELINE_ENDS = {end for _, end, _ in BASELINES.values()}


@dataclass(frozen=True, slots=True)
class TrialAttempt:
    """A trial that was shown to its end.

    Parameters
    ----------
    class_ : str
    begin_s, end_s : float
        On the clock of the cues.
    kept : bool
        False: it was rejected and is asked again.
    """

    class_: str
    begin_s: float
    end_s: float
    kept: bool


@dataclass(frozen=True, slots=True)
class CalibrationHistory:
    """The part of a calibration that has been recorded.

    Parameters
    ----------
    recordings : tuple of Path
        In the order in which they were made.
    start : dict
        The note with which the calibration began; empty for a new one.
    attempts : tuple of TrialAttempt
    practised, baselines : int
        Practice trials and baselines shown to their end.
    end_s : float
        When the last of all these ended, on the clock of the cues.
    kept : tuple of int
        Trials that count in each recording.
    markers : tuple of (str, float)
        All markers up to then, with their stamps.
    """

    recordings: tuple[Path, ...] = ()
    start: dict[str, Any] = field(default_factory=dict)
    attempts: tuple[TrialAttempt, ...] = ()
    practised: int = 0
    baselines: int = 0
    end_s: float = 0.0
    kept: tuple[int, ...] = ()
    markers: tuple[tuple[str, float], ...] = ()

    def blocks(self, protocol: CalibrationProtocol, seed: int) -> list[list[TrialAttempt]]:
        """Attempts by block; the last one may be unfinished.

        Parameters
        ----------
        protocol : CalibrationProtocol
        seed : int
            Of the order of trials.

        Returns
        -------
        list of list of TrialAttempt
        """
        found: list[list[TrialAttempt]] = [[]]
        external = bool(self.start.get("outside"))
        for attempt in self.attempts:
            if block_over(protocol, seed, len(found) - 1, [a.kept for a in found[-1]], external):
                found.append([])
            found[-1].append(attempt)
        return found


def block_over(protocol: CalibrationProtocol, seed: int, number: int, kept: Sequence[bool], external: bool) -> bool:
    """Whether a block is complete. Another program presents the classes in its own order, so only their number counts then.

    Parameters
    ----------
    protocol : CalibrationProtocol
    seed : int
        Of the order of trials.
    number : int
        Of the block, from 0.
    kept : sequence of bool
        Whether each trial of the block counts.
    external : bool
        Whether another program presents the trials.

    Returns
    -------
    bool
    """
    return sum(kept) >= protocol.block_size if external else not waiting(protocol.order(seed, number), kept)


def start_note(protocol: CalibrationProtocol, seed: int, **fields: Any) -> str:
    """The note with which a calibration begins. It holds everything that is needed to continue the calibration.

    Parameters
    ----------
    protocol : CalibrationProtocol
    seed : int
        Of the order of trials.

    Returns
    -------
    str
    """
    return messages.line("start", protocol=asdict(protocol), seed=seed, **fields)


def protocol_of(start: dict[str, Any]) -> CalibrationProtocol:
    """The protocol that a start note holds.

    Parameters
    ----------
    start : dict of str to object
        The note with which the calibration began.

    Returns
    -------
    CalibrationProtocol
    """
    tree = dict(start["protocol"])
    times = dict(tree.pop("paradigm"))
    times["pause_s"] = tuple(times["pause_s"])
    baselines = tuple(Baseline(**b) for b in tree.pop("baselines"))
    tree["classes"] = tuple(tree["classes"])
    return CalibrationProtocol(paradigm=Paradigm(**times), baselines=baselines, **tree)


def find_recordings(folder: Path) -> list[Path]:
    """Recordings of the newest calibration in a folder, or below it, in the order in which they were made.

    Parameters
    ----------
    folder : Path
        Searched with all its folders.

    Returns
    -------
    list of Path

    Raises
    ------
    RecordingError
        If there is none.
    """
    found = {path: start for path in sorted(folder.rglob("*.xdf")) if (start := _start(path)) is not None}
    if not found:
        raise RecordingError(f"{folder}: contains no recording of a calibration; name the folder that was given with --out")
    return _of_one(found, max(found.values(), key=lambda start: float(start["begun"]))["id"])


def calibration_of(recording: Path) -> list[Path]:
    """Recordings beside this one that are of the same calibration, in the order in which they were made.

    Empty where it is a recording of something else.

    Parameters
    ----------
    recording : Path

    Returns
    -------
    list of Path
    """
    start = _start(recording)
    if start is None:
        return []
    beside = {path: one for path in sorted(recording.parent.glob("*.xdf")) if (one := _start(path)) is not None}
    return _of_one(beside, start["id"])


def _of_one(found: dict[Path, dict[str, Any]], calibration: str) -> list[Path]:
    """Parts of one calibration, in order."""
    mine = [path for path, start in found.items() if start["id"] == calibration]
    return sorted(mine, key=lambda path: int(found[path]["part"]))


def read_history(recordings: Sequence[Path]) -> CalibrationHistory:
    """Read the recordings of one calibration.

    Parameters
    ----------
    recordings : sequence of Path

    Returns
    -------
    CalibrationHistory

    Raises
    ------
    RecordingError
        If one is no recording of a calibration.
    """
    start: dict[str, Any] = {}
    markers: list[tuple[str, float]] = []
    items: list[TrialAttempt | str] = []
    kept: list[int] = []
    end_s = 0.0
    for path in recordings:
        found = _start(path)
        if found is None:
            raise RecordingError(f"{path}: holds no calibration")
        start = start or found
        codes = protocol_of(start).table
        part = _markers(path)
        finished = _items(part, codes)
        items += [item for item, _ in finished]
        kept.append(sum(isinstance(item, TrialAttempt) and item.kept for item, _ in finished))
        end_s = finished[-1][1] if finished else end_s
        markers += [(text, time_s) for text, time_s in part if time_s <= end_s]
    attempts = tuple(item for item in items if isinstance(item, TrialAttempt))
    practised, baselines = items.count("practice"), items.count("baseline")
    return CalibrationHistory(tuple(recordings), start, attempts, practised, baselines, end_s, tuple(kept), tuple(markers))


def _items(markers: Sequence[tuple[str, float]], codes: dict[str, str]) -> list[tuple[TrialAttempt | str, float]]:
    """Trials, practice trials and baselines that were finished, each with the time of its end."""
    found: list[tuple[TrialAttempt | str, float]] = []
    begin_s, class_, practice, rejected = 0.0, "", False, False
    for text, time_s in markers:
        code = cue_code(text)
        if code == TRIAL_START:
            begin_s, class_, practice, rejected = time_s, "", False, False
        elif text in codes:
            class_ = codes[text]
        elif text.startswith(PRACTICE):
            practice = True
        elif code == REJECTED:
            rejected = True
        elif code == TRIAL_END and (class_ or practice):
            found.append(("practice" if practice else TrialAttempt(class_, begin_s, time_s, not rejected), time_s))
        elif code in BASELINE_ENDS:
            found.append(("baseline", time_s))
    return found


def _stream(path: Path, what: str) -> XdfStream | None:
    """The stream of this name or type, where there is just one."""
    found = [s for s in read_xdf(path, verify=False).streams if what in (s.name, s.type)]
    return found[0] if len(found) == 1 else None


def _markers(path: Path) -> list[tuple[str, float]]:
    stream = _stream(path, CUE_STREAM)
    return [] if stream is None else [(row[0], t) for row, t in zip(stream.values, stream.stamps.tolist(), strict=True)]


def _start(path: Path) -> dict[str, Any] | None:
    """The note with which a recording of a calibration begins, None where it is another recording."""
    try:
        stream = _stream(path, CALIBRATION_TYPE)
    except RecordingError:
        return None
    if stream is None or not len(stream):
        return None
    note = messages.parse(stream.values[0][0], str(path))
    return note if note["kind"] == "start" else None
