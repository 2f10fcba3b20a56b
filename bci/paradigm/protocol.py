"""What a person is asked to do in a calibration: protocols as files, cue timelines as pure data from a seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from bci.errors import ConfigError
from bci.paradigm.timeline import (
    BASELINE_START,
    BASELINE_STOP,
    BEEP,
    CLASS_CODES,
    EYE_MOVEMENTS,
    EYES_CLOSED,
    EYES_OPEN,
    FREE_CODES,
    NAMES,
    REST_START,
    REST_STOP,
    TONE,
    Cue,
    block_order,
    pause_after,
    trial_cues,
)
from bci.paradigm.trial_times import Paradigm
from bci.safe_io.json_values import from_json
from bci.safe_io.toml import parse_toml, read_toml

BASELINES: dict[str, tuple[int, int, int | None]] = {
    "eyes_open": (BASELINE_START, BASELINE_STOP, EYES_OPEN),
    "eyes_closed": (BASELINE_START, BASELINE_STOP, EYES_CLOSED),
    "eye_movements": (BASELINE_START, BASELINE_STOP, EYE_MOVEMENTS),
    "idle": (REST_START, REST_STOP, None),
    "talking": (REST_START, REST_STOP, None),
    "jaw_clench": (REST_START, REST_STOP, None),
}
"""Codes at the beginning and the end of each baseline, and what says which it is. Those between the codes of rest hold
no imagery: thresholds are tuned on them."""

PRACTICE = "practice "
"""Prefix of the marker of a cue in a practice trial, so that this marker does not count as a cue."""

INSTRUCTIONS = ("imagine", "attempt")
MOST_TRIALS = 1000
MOST_CLASSES = 64
LONGEST_S = 3600
"""Of one break or baseline."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """A period with one instruction.

    Parameters
    ----------
    name : str
        A key of ``BASELINES``.
    seconds : float
    """

    name: str
    seconds: float

    @property
    def cues(self) -> tuple[Cue, ...]:
        """Its markers, with times from its beginning."""
        begin, end, what = BASELINES[self.name]
        inside = () if what is None else (Cue(0.0, what, NAMES[what]),)
        return (Cue(0.0, begin, self.name), *inside, Cue(self.seconds, end, f"{self.name}_stop"))


@dataclass(frozen=True, slots=True)
class CalibrationProtocol:
    """A calibration from its first to its last possible trial.

    Parameters
    ----------
    name, title : str
    classes : tuple of str
        Any labels.
    paradigm : Paradigm
        Times within a trial.
    per_class : int
        Trials of each class in a block.
    most_blocks : int
        The calibration ends after so many, whatever the verdict.
    practice : int
        Trials of each class before the first block that are not counted.
    break_s : float
        Shortest break between blocks; the participant ends it.
    instruction : {"imagine", "attempt"}
    baselines : tuple of Baseline
        Before the first block.
    codes : mapping of str to int
        Marker codes of classes that shall have another than the usual one.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    paradigm: Paradigm
    per_class: int = 5
    most_blocks: int = 16
    practice: int = 0
    break_s: float = 10.0
    instruction: str = "imagine"
    baselines: tuple[Baseline, ...] = ()
    codes: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = _problems(self)
        if problems:
            raise ConfigError([f"protocol {self.name}: {problem}" for problem in problems])

    @property
    def class_codes(self) -> dict[str, int]:
        """Marker code of each class: the one given, the usual one, or the next that is free."""
        known = {c: self.codes.get(c, CLASS_CODES.get(c, 0)) for c in self.classes}
        free = iter(code for code in FREE_CODES if code not in known.values())
        return {c: code or next(free) for c, code in known.items()}

    @property
    def table(self) -> dict[str, str]:
        """Class of each marker text, as the section ``markers.table`` has it."""
        return {str(code): class_ for class_, code in self.class_codes.items()}

    @property
    def block_size(self) -> int:
        """Trials in a block."""
        return self.per_class * len(self.classes)

    def order(self, seed: int, block: int) -> tuple[str, ...]:
        """Classes of the trials of one block, balanced.

        Parameters
        ----------
        seed : int
        block : int
            Number of the block, from 0.

        Returns
        -------
        tuple of str
        """
        return block_order(self.classes, self.per_class, seed, block)

    def pause_s(self, seed: int, trial: int) -> float:
        """Time between the end of a trial and the beginning of the next one.

        Parameters
        ----------
        seed : int
        trial : int
            Number of the trial, from 0.

        Returns
        -------
        float
            Seconds.
        """
        return pause_after(self.paradigm, seed, trial)

    def trial(self, class_: str) -> tuple[Cue, ...]:
        """Cues of one trial.

        Parameters
        ----------
        class_ : str

        Returns
        -------
        tuple of Cue
            With times from the trial's beginning.
        """
        return trial_cues(self.paradigm, class_, self.class_codes[class_])

    def practice_order(self, seed: int) -> tuple[str, ...]:
        """Classes of the practice trials.

        Parameters
        ----------
        seed : int

        Returns
        -------
        tuple of str
            Empty where there is no practice.
        """
        # No block has a negative number, and no seed may: practice has an order of its own.
        return block_order(self.classes, self.practice, seed, 10**6) if self.practice else ()

    def names(self) -> dict[str, str]:
        """Readable name of each code that may be sent.

        Returns
        -------
        dict of str to str
        """
        own = {str(code): class_ for class_, code in self.class_codes.items()}
        return {str(code): name for code, name in NAMES.items()} | own


def waiting(order: Sequence[str], kept: Sequence[bool]) -> tuple[str, ...]:
    """List the trials of a block that are still to come; a rejected trial is repeated at the end.

    Parameters
    ----------
    order : sequence of str
        Classes of the block's trials.
    kept : sequence of bool
        Whether each trial that was asked for was kept, in order. Once as many were rejected as the block has trials, no trial is
        asked for again.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> waiting(["left", "right"], [False])
    ('right', 'left')
    """
    queue, rejected = list(order), 0
    for good in kept:
        class_ = queue.pop(0)
        rejected += not good
        if not good and rejected <= len(order):
            queue.append(class_)
    return tuple(queue)


def protocols() -> dict[str, str]:
    """List the protocols that are shipped.

    Returns
    -------
    dict of str to str
        Title by name.
    """
    found = sorted(p.name for p in files(__package__).joinpath("protocols").iterdir() if p.name.endswith(".toml"))
    return {name[:-5]: load_protocol(name[:-5]).title for name in found}


def load_protocol(name: str, **changes: object) -> CalibrationProtocol:
    """Load a shipped protocol, or one from a file.

    Parameters
    ----------
    name : str
        A shipped protocol, or the path of a TOML file.
    changes : object
        Fields of :class:`CalibrationProtocol` that replace those of the file; None for no change.

    Returns
    -------
    CalibrationProtocol

    Raises
    ------
    ConfigError
        With all problems.
    """
    if name.endswith(".toml"):
        tree = read_toml(name)
    else:
        place = files(__package__).joinpath("protocols", f"{name}.toml")
        if not place.is_file():
            raise ConfigError(f"no protocol {name!r}; there are {', '.join(protocols())}, or name a TOML file")
        tree = parse_toml(place.read_bytes(), name)
    wanted: dict[str, Any] = {key: value for key, value in changes.items() if value is not None}
    return replace(_built(Path(name).stem, tree, wanted.pop("classes", None)), **wanted)


def _built(name: str, tree: dict[str, Any], classes: tuple[str, ...] | None) -> CalibrationProtocol:
    """A protocol from the content of its file."""
    where = f"protocol {name}"
    times, baselines = tree.pop("trial", {}), tree.pop("baseline", [])
    paradigm = {"feedback_s": None, **times} if isinstance(times, dict) else times
    given = {"name": name, "paradigm": paradigm, "baselines": baselines}
    fields = {"classes": [], **tree} | ({"classes": list(classes)} if classes else {})
    try:
        if set(fields) & set(given):
            raise ConfigError([f"{where}.{key}: unknown field" for key in sorted(set(fields) & set(given))])
        return from_json(CalibrationProtocol, fields | given, where)
    except ConfigError as error:
        raise ConfigError([f"{problem}; see docs/guides/calibration.md" for problem in error.problems]) from error


def _problems(p: CalibrationProtocol) -> list[str]:
    """Everything that is wrong with a protocol."""
    found = []
    if len(p.classes) < 2 or len(set(p.classes)) < len(p.classes):
        found.append(f"classes = {', '.join(p.classes) or 'none'}: name two or more, and each only once")
    if len(p.classes) > MOST_CLASSES:
        return [f"{len(p.classes)} classes: at most {MOST_CLASSES} are possible"]
    wrong = [c for c in p.classes if not c.strip() or not c.isprintable() or len(c) > 64]
    found += [f"class {c!r}: must be 1 to 64 printable characters" for c in wrong]
    free = [c for c in p.classes if c not in CLASS_CODES and c not in p.codes]
    if len(free) > len(FREE_CODES):
        found.append(f"{len(free)} classes have no marker code, {len(FREE_CODES)} are free; give them under [codes]")
    else:
        codes = list(p.class_codes.values())
        found += [f"code {c} of a class: must be used once, and stand for nothing else" for c in _taken(codes)]
    counts = (("per_class", p.per_class, 1), ("most_blocks", p.most_blocks, 1), ("practice", p.practice, 0))
    found += [
        f"{name} = {n}: must be a whole number from {least} to {MOST_TRIALS}"
        for name, n, least in counts
        if not least <= n <= MOST_TRIALS
    ]
    if not 0 <= p.break_s <= LONGEST_S:
        found.append(f"break_s = {p.break_s}: must be from 0 to {LONGEST_S}")
    if p.instruction not in INSTRUCTIONS:
        found.append(f"instruction = {p.instruction!r}: must be one of {', '.join(INSTRUCTIONS)}")
    if p.paradigm.beep not in (BEEP, TONE):
        found.append(f"trial.beep = {p.paradigm.beep}: must be {BEEP} or {TONE}")
    for b in p.baselines:
        if b.name not in BASELINES or not 0 < b.seconds <= LONGEST_S:
            allowed = f"must be one of {', '.join(BASELINES)}, longer than 0 and at most {LONGEST_S} s"
            found.append(f"baseline {b.name!r} of {b.seconds} s: {allowed}")
    return found


def _taken(codes: Sequence[int]) -> list[int]:
    """Class codes that cannot be used."""
    reserved = set(NAMES) - set(CLASS_CODES.values())
    return [c for i, c in enumerate(codes) if c in codes[:i] or c in reserved or not 0 < c < 32768]
