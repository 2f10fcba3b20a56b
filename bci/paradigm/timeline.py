"""When a person is asked to imagine what: cue timelines as data, made from a seed."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from bci.errors import ConfigError
from bci.paradigm.trial_times import BEEP as BEEP
from bci.paradigm.trial_times import GRAZ, SHORT, Paradigm
from bci.stream.bus import Clock

TRIAL_START, FEEDBACK, CUE_UNKNOWN, CROSS, TRIAL_END = 768, 781, 783, 786, 800
HIT, MISS, SESSION_END, REJECTED = 897, 898, 1010, 1023
OF_TRIALS = (TRIAL_START, TRIAL_END, REJECTED)
"""What says which trials count."""
EYES_OPEN, EYES_CLOSED, EYE_MOVEMENTS = 276, 277, 1072
EXPERIMENT_START, EXPERIMENT_STOP, SEGMENT_START, SEGMENT_STOP = 32769, 32770, 32771, 32772
BASELINE_START, BASELINE_STOP, REST_START, REST_STOP, TONE = 32775, 32776, 32777, 32778, 33282
CUE_STREAM, CALIBRATION_TYPE = "cues", "BCI-Calibration"
"""Name of the stream on which our own cues are sent, and type of the one that says that a calibration is going on."""

OFF = 0x8000
"""Added to the code of a class: what was shown is taken away (GDF: the end of an event)."""

CLASS_CODES: dict[str, int] = {"left_hand": 769, "right_hand": 770, "feet": 771, "tongue": 772, "rest": 773}
"""Cue code of each class: those of the General Data Format (Schlögl, "GDF – a general data format for
biosignals", arXiv cs/0608052, table of event codes 0x0301–0x0304) as OpenViBE and the BCI Competitions
use them; rest has no code of its own there and takes "class 5". End of trial and of session, and all above 32768, are
OpenViBE's (ovtk_stimulations of its documentation)."""

FREE_CODES = (774, 775, 776, 777, 778, 779, 780)
"""Classes 6 to 12 of the General Data Format: for labels that have no code of their own."""

NAMES: dict[int, str] = {
    TRIAL_START: "trial_start",
    FEEDBACK: "feedback",
    CUE_UNKNOWN: "cue_unknown",
    BEEP: "beep",
    CROSS: "cross",
    TRIAL_END: "trial_end",
    HIT: "hit",
    MISS: "miss",
    SESSION_END: "session_end",
    REJECTED: "rejected",
    EYES_OPEN: "eyes_open",
    EYES_CLOSED: "eyes_closed",
    EYE_MOVEMENTS: "eye_movements",
    EXPERIMENT_START: "experiment_start",
    EXPERIMENT_STOP: "experiment_stop",
    SEGMENT_START: "block_start",
    SEGMENT_STOP: "block_stop",
    BASELINE_START: "baseline_start",
    BASELINE_STOP: "baseline_stop",
    REST_START: "rest_start",
    REST_STOP: "rest_stop",
    TONE: "tone",
} | {code: name for name, code in CLASS_CODES.items()}
"""Readable name of each code."""

_ALIASES = {"left": 769, "right": 770, "foot": 771, "both_feet": 771, "idle": 773}
_CODES = {name: code for code, name in NAMES.items()} | _ALIASES


@dataclass(frozen=True, slots=True)
class Cue:
    """One thing that is shown to the person, or recorded about the person.

    Parameters
    ----------
    time_s : float
        Since the start of the timeline.
    code : int
        A key of ``NAMES``.
    name : str
        Readable name.
    class_ : str
        The class to imagine; empty where this is no class cue.
    """

    time_s: float
    code: int
    name: str
    class_: str = ""

    @property
    def marker(self) -> str:
        """Text that is sent on the marker stream: the code in decimal, as other programs expect it."""
        return str(self.code)


@dataclass(frozen=True, slots=True)
class CueTimeline:
    """Cues in order of time.

    Parameters
    ----------
    classes : tuple of str
    cues : tuple of Cue
    """

    classes: tuple[str, ...]
    cues: tuple[Cue, ...]

    @property
    def duration_s(self) -> float:
        """Time of the last cue."""
        return self.cues[-1].time_s if self.cues else 0.0

    @property
    def trials(self) -> tuple[Cue, ...]:
        """The class cues: one per trial."""
        return tuple(cue for cue in self.cues if cue.class_)

    def between(self, start_s: float, stop_s: float) -> tuple[Cue, ...]:
        """Cues of a time span, for a loop that keeps the time itself.

        Parameters
        ----------
        start_s, stop_s : float
            Seconds since the start of the timeline; a cue at ``start_s`` belongs to the span, one at ``stop_s`` does not.

        Returns
        -------
        tuple of Cue
        """
        return tuple(cue for cue in self.cues if start_s <= cue.time_s < stop_s)


def graz(classes: tuple[str, ...], trials_per_class: int, seed: int, *, block: int = 2, lead_s: float = 2.0) -> CueTimeline:
    """Make a timeline of the Graz paradigm.

    Parameters
    ----------
    classes : tuple of str
    trials_per_class : int
    seed : int
    block : int
    lead_s : float
        As of :func:`make`.

    Returns
    -------
    CueTimeline
    """
    return make(GRAZ, classes, trials_per_class, seed, block=block, lead_s=lead_s)


def short(classes: tuple[str, ...], trials_per_class: int, seed: int, *, block: int = 2, lead_s: float = 2.0) -> CueTimeline:
    """Make a timeline with trials of 4.5 s.

    Parameters
    ----------
    classes : tuple of str
    trials_per_class : int
    seed : int
    block : int
    lead_s : float
        As of :func:`make`.

    Returns
    -------
    CueTimeline
    """
    return make(SHORT, classes, trials_per_class, seed, block=block, lead_s=lead_s)


def make(
    paradigm: Paradigm, classes: tuple[str, ...], trials_per_class: int, seed: int, *, block: int = 2, lead_s: float = 2.0
) -> CueTimeline:
    """Make trials in an order that is balanced within blocks and random inside them.

    A block's order and a trial's pause depend on the seed and their own number only, so a longer
    timeline begins like a shorter one.

    Parameters
    ----------
    paradigm : Paradigm
    classes : tuple of str
        Names from ``CLASS_CODES``.
    trials_per_class : int
    seed : int
    block : int
        Trials of each class in a block; the last block may be smaller.
    lead_s : float
        Time before the first trial: signal in which filters settle.

    Returns
    -------
    CueTimeline

    Raises
    ------
    ConfigError
        Lists everything that cannot be run.
    """
    _check(classes, trials_per_class, seed, block, lead_s)
    sizes = [min(block, trials_per_class - first) for first in range(0, trials_per_class, block)]
    order = [name for number, size in enumerate(sizes) for name in block_order(classes, size, seed, number)]
    cues: list[Cue] = []
    begin_s = lead_s
    for k, class_ in enumerate(order):
        cues.extend(_trial(paradigm, class_, begin_s))
        begin_s += paradigm.stop_s + pause_after(paradigm, seed, k)
    cues.append(_cue(begin_s, SESSION_END))
    return CueTimeline(tuple(classes), tuple(cues))


def _check(classes: tuple[str, ...], trials_per_class: int, seed: int, block: int, lead_s: float) -> None:
    """Raise for everything that is wrong with the arguments of :func:`make` at once."""
    problems = [f"class {c!r}: must be one of {', '.join(CLASS_CODES)}" for c in classes if c not in CLASS_CODES]
    if not classes or len(set(classes)) < len(classes):
        problems.append(f"classes = {', '.join(classes) or 'none'}: name at least one class, and each only once")
    counts = (("trials_per_class", trials_per_class, 1), ("block", block, 1), ("seed", seed, 0))
    problems += [
        f"{name} = {value}: must be a whole number of at least {least}" for name, value, least in counts if value < least
    ]
    if not 0 <= lead_s < math.inf:
        problems.append(f"lead_s = {lead_s}: must be a finite time that is not negative")
    if problems:
        raise ConfigError(problems)


def block_order(classes: tuple[str, ...], per_class: int, seed: int, number: int) -> tuple[str, ...]:
    """Shuffle the trials of one block by the seed and the number of the block.

    Parameters
    ----------
    classes : tuple of str
    per_class : int
        How often each class comes.
    seed : int
    number : int
        Of the block, from 0.

    Returns
    -------
    tuple of str
        Class of each trial.
    """
    names = list(classes) * per_class
    return tuple(names[i] for i in np.random.default_rng((seed, 1, number)).permutation(len(names)))


def pause_after(paradigm: Paradigm, seed: int, trial: int) -> float:
    """Draw the pause between the end of a trial and the next one.

    Parameters
    ----------
    paradigm : Paradigm
    seed : int
    trial : int
        Number of the trial, from 0.

    Returns
    -------
    float
        Seconds.
    """
    return float(np.random.default_rng((seed, 2, trial)).uniform(*paradigm.pause_s))


def trial_cues(paradigm: Paradigm, class_: str, code: int) -> tuple[Cue, ...]:
    """Cues of one trial.

    Parameters
    ----------
    paradigm : Paradigm
    class_ : str
        Any label.
    code : int
        Of the class.

    Returns
    -------
    tuple of Cue
        In order, with times from the trial's beginning.
    """
    p = paradigm
    found = [_cue(0.0, TRIAL_START), _cue(0.0, CROSS)]
    if p.beep_s is not None:
        found.append(_cue(p.beep_s, p.beep))
    found.append(Cue(round(p.cue_s, 3), code, class_, class_))
    if p.feedback_s is not None:
        found.append(_cue(p.feedback_s, FEEDBACK))
    if p.cue_stop_s is not None:
        found.append(Cue(round(p.cue_stop_s, 3), code + OFF, f"{class_}_off"))
    return tuple(sorted([*found, _cue(p.stop_s, TRIAL_END)], key=lambda cue: cue.time_s))


def _trial(paradigm: Paradigm, class_: str, begin_s: float) -> Iterator[Cue]:
    """Cues of one trial that begins at ``begin_s``."""
    for cue in trial_cues(paradigm, class_, CLASS_CODES[class_]):
        yield Cue(round(float(begin_s + cue.time_s), 3), cue.code, cue.name, cue.class_)


def _cue(time_s: float, code: int, class_: str = "") -> Cue:
    """A cue with its readable name, its time rounded to a millisecond."""
    return Cue(round(float(time_s), 3), code, NAMES[code], class_)


def cue_code(text: str) -> int | None:
    """Return the code of a marker: the code at its beginning, or the code of the name that it is.

    Parameters
    ----------
    text : str
        ``"769"``, ``"769.0"``, ``"769 left_hand"``, ``"left_hand"``, ``"Left hand"`` …

    Returns
    -------
    int or None
        None where the text is neither a number nor a known name.

    Examples
    --------
    >>> cue_code("2.000000"), cue_code("Left hand"), cue_code("hello")
    (2, 769, None)
    """
    number = re.match(r"\s*(\d{1,9})(\.0*)?(\s|$)", text)
    if number:
        return int(number.group(1))
    return _CODES.get(re.sub(r"[\s_-]+", "_", text.strip().lower()))


def present(
    timeline: CueTimeline, push_marker: Callable[[str, float], None], clock: Clock, start_s: float | None = None
) -> Iterator[Cue]:
    """Wait for each cue, put it on the marker stream, and hand it out to be shown.

    Parameters
    ----------
    timeline : CueTimeline
    push_marker : callable
        Takes the marker's text and its stamp on ``clock``.
    clock : Clock
        Real or virtual.
    start_s : float or None
        Time on ``clock`` at which the timeline begins; None for now.

    Yields
    ------
    Cue
        Right after its marker was pushed. Leaving the loop ends the presentation.
    """
    begin_s = clock.now() if start_s is None else start_s
    for cue in timeline.cues:
        clock.wait_until(begin_s + cue.time_s)
        push_marker(cue.marker, begin_s + cue.time_s)
        yield cue


def cue_fields(names: dict[str, str]) -> dict[str, str]:
    """Fields that the header of the cue stream has beside its name (``desc/bci``).

    Parameters
    ----------
    names : dict of str to str
        Readable name of each code.

    Returns
    -------
    dict of str to str
    """
    return {"names": json.dumps(names, separators=(",", ":"))}
