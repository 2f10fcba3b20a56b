"""How many cues of a recording a model decodes correctly, with the engine as it runs live."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from bci.engine.engine import Engine
from bci.engine.outcome import Outcome, Reason
from bci.errors import TrainingError
from bci.model.file import Model
from bci.model.header import ModelHeader, check_stream
from bci.paradigm.cues import CueEvent
from bci.paradigm.timeline import CLASS_CODES
from bci.settings import SessionConfig
from bci.training.chance import interval
from bci.training.decoding import decode_at_cues
from bci.training.labelled import LabelledRun

UNKNOWN = "its class is not a class of the model"
WORDS = {
    Reason.REFILL: "the window had to be filled again after a gap, a part marked as bad, or the start",
    Reason.BRIDGED: "too many lost samples were interpolated (quality.bridged_share)",
    Reason.NONFINITE: "a value was outside the range of an amplifier (quality.range_uv)",
    Reason.DECODER: "the decoder gave no probabilities",
}


@dataclass(frozen=True, slots=True)
class Answered:
    """One cue, and what the model decoded for it.

    Parameters
    ----------
    class_ : str
        What the cue asked for.
    answer : str
        The most probable class at the first window that ends at or after the end of the trial; empty where it was not decoded.
    why : str
        Why it was not decoded.
    """

    class_: str
    answer: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Right:
    """Counts for one class, or for all classes.

    Parameters
    ----------
    class_ : str
        Empty for all.
    cues, decoded, correct : int
    low, high : float or None
        95 % interval of the share of decoded cues that were right (Clopper and Pearson); None where none was decoded.
    """

    class_: str
    cues: int
    decoded: int
    correct: int
    low: float | None
    high: float | None

    @property
    def share(self) -> float | None:
        """Share of the decoded cues that are correct; None if none was decoded."""
        return self.correct / self.decoded if self.decoded else None


def answers(model: Model, run: LabelledRun, config: SessionConfig) -> list[Answered]:
    """Decode each cue of a recording with a model, on the virtual clock, without using later samples.

    Parameters
    ----------
    model : Model
    run : LabelledRun
    config : SessionConfig
        Sections ``decision``, ``quality``, ``continuity``, ``recentre`` and ``rebias``.

    Raises
    ------
    StreamMismatch
        If the recording is not what the model was trained on.
    """
    header = model.header
    check_stream(header, run.info)
    engine = Engine(run.info, model.decoder, config.engine_settings(header.decision))
    found = decode_at_cues(engine, run.raw, run.cues, header.trial_s[1], run.marked)
    return [_answered(cue, outcome, header) for cue, outcome in found]


def _answered(cue: CueEvent, outcome: Outcome | None, header: ModelHeader) -> Answered:
    if cue.class_ not in header.classes:
        return Answered(cue.class_, "", UNKNOWN)
    if outcome is None:
        return Answered(cue.class_, "", "the recording ended before the trial did")
    if np.isfinite(outcome.probabilities).all():
        return Answered(cue.class_, header.classes[int(outcome.probabilities.argmax())])
    if outcome.reason is Reason.QUALITY:
        bad = [label for i, label in enumerate(header.preprocessing.labels) if outcome.mask >> i & 1]
        return Answered(cue.class_, "", f"bad channels: {', '.join(bad)}" if bad else "unlike the training (artefact)")
    return Answered(cue.class_, "", WORDS.get(outcome.reason, outcome.reason.name.lower()))


def rights(found: Sequence[Answered]) -> list[Right]:
    """Counts of each class in order of name, then of all."""
    classes = sorted({one.class_ for one in found})
    return [_right(c, [one for one in found if one.class_ == c]) for c in classes] + [_right("", found)]


def _right(class_: str, found: Sequence[Answered]) -> Right:
    decoded = [one for one in found if one.answer]
    correct = sum(one.answer == one.class_ for one in decoded)
    low, high = interval(correct, len(decoded)) if decoded else (None, None)
    return Right(class_, len(found), len(decoded), correct, low, high)


def reasons_of(found: Iterable[Answered]) -> dict[str, int]:
    """Why cues were not decoded, the commonest first."""
    return dict(Counter(one.why for one in found if one.why).most_common())


def table_for(config: SessionConfig, classes: Sequence[str]) -> dict[str, str]:
    """The table of markers: the configured one; where there is none, names and codes of the model's classes.

    >>> table_for(SessionConfig(), ["left_hand", "blink"])
    {'left_hand': 'left_hand', '769': 'left_hand', 'blink': 'blink'}
    """
    if config.markers.table:
        return config.markers.table
    table: dict[str, str] = {}
    for class_ in classes:
        table[class_] = class_
        if class_ in CLASS_CODES:
            table[str(CLASS_CODES[class_])] = class_
    return table


def check_unseen(header: ModelHeader, runs: Sequence[LabelledRun]) -> None:
    """Refuse recordings that a model was trained on: what it gets right there says nothing.

    Raises
    ------
    TrainingError
        Names them.
    """
    seen = [run.name for run in runs if run.sha256 and run.sha256 in header.recordings]
    if seen:
        raise TrainingError(
            f"the model was trained on {', '.join(seen)}, so its accuracy there says nothing about another day. "
            "Leave them out, or give --with-training (in Python: with_training=True) to count them nevertheless"
        )
