"""Channels that training leaves out: those that people marked, and those that are bad in most trials.

What is bad in a few trials is filled in by what the good channels imply. What is bad in most of them teaches nothing, and keeps
from being learned what it usually shows: such a channel is left out of the model, as live decoding goes on without it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from bci.engine.outcome import Reason
from bci.engine.stream_info import canonical
from bci.errors import TrainingError
from bci.progress import Progress, silent
from bci.settings import SessionConfig
from bci.training.epochs import MIN_WHOLE
from bci.training.extraction import match_cues
from bci.training.labelled import LabelledRun
from bci.training.rejected import BadChannel

MOST_BAD = 0.3
"""Share of the trials: a channel that is bad in more of them is left out."""
LEAST_CHANNELS = 2
"""With fewer there is nothing to compare."""
WORDS = {"amplitude": "too large", "line": "full of line noise", "marked": "marked bad"}
SIZES = {"railed": "at {:,.0f} µV", "amplitude": "{:,.0f} µV from peak to peak within 0.1 s"}


@dataclass(frozen=True, slots=True)
class LeftOut:
    """The channels that training leaves out.

    Parameters
    ----------
    config : SessionConfig
        With the channels that are left; the very same one where nothing is left out.
    why : dict of str to str
        A sentence for each channel that is left out.
    """

    config: SessionConfig
    why: dict[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """The bad channels of each trial.

    Parameters
    ----------
    labels : tuple of str
    bad : list of frozenset of str
        Bad channels of each trial.
    faults : dict of str to list of BadChannel
        Of each channel.
    """

    labels: tuple[str, ...]
    bad: list[frozenset[str]]
    faults: dict[str, list[BadChannel]]

    def worst(self) -> list[str]:
        """Channels to leave out next; empty once the rest can be trained on. Of bridged channels one is taken at a time."""
        counts = {label: len(self.faults[label]) for label in self.labels}
        often = [label for label, n in counts.items() if n > MOST_BAD * len(self.bad)]
        bridged = [label for label in often if self._fault(label) == "bridged"]
        if often:
            return [label for label in often if label not in bridged] or bridged[-1:]
        whole = sum(not bad for bad in self.bad)
        worst = max(self.labels, key=lambda label: counts[label], default="")
        return [worst] if whole < min(MIN_WHOLE, len(self.bad)) and counts[worst] else []

    def _fault(self, label: str) -> str:
        """What is wrong with a channel most of the time."""
        return Counter(fault.fault for fault in self.faults[label]).most_common(1)[0][0]

    def sentence(self, label: str) -> str:
        """Why a channel is left out."""
        return f"{self.found(label)} and is left out of the model"

    def found(self, label: str) -> str:
        """What is wrong with a channel, and how often."""
        word = self._fault(label)
        values = [fault.value_uv for fault in self.faults[label] if fault.fault == word and np.isfinite(fault.value_uv)]
        size = f" ({SIZES[word].format(np.median(values))})" if values and word in SIZES else ""
        n = f"{len(self.faults[label])} of {len(self.bad)} trials"
        return f"{label} is {WORDS.get(word, word)}{size} in {n}"


def leave_out(runs: Sequence[LabelledRun], config: SessionConfig, progress: Progress = silent) -> LeftOut:
    """Find the channels without which recordings are trained or judged.

    Parameters
    ----------
    runs : sequence of LabelledRun
    config : SessionConfig
    progress : callable

    Returns
    -------
    LeftOut

    Raises
    ------
    TrainingError
        If too few channels are left; names those that are bad, and what is wrong with them.
    """
    if not runs:
        return LeftOut(config, {})
    why = without_numbers(runs) | channels_marked(runs)
    everything = tuple(c.label for c in runs[0].info.channels if c.type == "EEG")
    chosen = without_channels(config, everything, tuple(why)) if why else config
    while True:
        seen = _look(runs, chosen, progress)
        found = {label: seen.sentence(label) for label in seen.worst()}
        if not found:
            return LeftOut(chosen, why)
        why |= found
        if len(seen.labels) - len(found) < LEAST_CHANNELS:
            raise TrainingError(
                f"too few good channels are left to train on: {'; '.join(why.values())}. "
                "Look at the electrodes and at the unit of the signal (`bci info`, stream.unit), or relax [quality]."
            )
        chosen = without_channels(chosen, everything, tuple(found))


def without_numbers(runs: Sequence[LabelledRun]) -> dict[str, str]:
    """EEG channels that hold NaN where others hold numbers: some amplifiers send NaN for electrodes that are not plugged in.

    Parameters
    ----------
    runs : sequence of LabelledRun

    Returns
    -------
    dict of str to str
        A sentence for each of them that lacks more than :data:`MOST_BAD` of a recording.
    """
    found: dict[str, str] = {}
    for run in runs:
        missing = ~np.isfinite(run.raw.data)
        received = ~missing.all(axis=1)
        for i, channel in enumerate(run.info.channels):
            share = float(missing[received, i].mean()) if received.any() and missing[:, i].any() else 0.0
            if channel.type == "EEG" and share > MOST_BAD:
                found.setdefault(
                    channel.label,
                    f"{channel.label} holds no number in {100 * share:.0f} % of the samples of {run.name} and is left out of the "
                    "model",
                )
    return found


@dataclass(frozen=True, slots=True)
class BadTrials:
    """The number of trials of a recording in which each channel was bad.

    Parameters
    ----------
    trials : int
        Whose windows were whole.
    channels : dict of str to int
        Only those that were ever bad.
    told : tuple of str
        A sentence's part for each that was bad in more than :data:`MOST_BAD` of them.
    """

    trials: int = 0
    channels: dict[str, int] = field(default_factory=dict)
    told: tuple[str, ...] = ()


def bad_trials(run: LabelledRun, config: SessionConfig) -> BadTrials:
    """Count how often each EEG channel of a recording is bad at its cues, whatever channels and reference the settings name.

    Parameters
    ----------
    run : LabelledRun
    config : SessionConfig

    Returns
    -------
    BadTrials
    """
    everything = config.preprocessing.model_copy(
        update={"channels": (), "reference": "none", "eog": (), "eog_weights": (), "asr": 0.0}
    )
    seen = _look([run], config.model_copy(update={"preprocessing": everything}), silent)
    counts = {label: len(faults) for label, faults in seen.faults.items() if faults}
    told = tuple(seen.found(label) for label, n in counts.items() if n > MOST_BAD * len(seen.bad))
    return BadTrials(len(seen.bad), counts, told)


def often_bad(found: Sequence[BadTrials]) -> frozenset[str]:
    """Channels that are bad in more than :data:`MOST_BAD` of the trials of several recordings.

    Parameters
    ----------
    found : sequence of BadTrials

    Returns
    -------
    frozenset[str]
    """
    n = sum(one.trials for one in found)
    counts: Counter[str] = Counter()
    for one in found:
        counts.update(one.channels)
    return frozenset(label for label, count in counts.items() if count > MOST_BAD * n)


def _look(runs: Sequence[LabelledRun], config: SessionConfig, progress: Progress) -> _Seen:
    """Look at the channels in the cues' windows that are complete."""
    seen: _Seen | None = None
    for run in runs:
        info, told = run.info, partial(progress, f"looking at the channels of {run.name}")
        p = config.preprocessing.build(info.rate_hz, tuple(c.label for c in info.channels if c.type == "EEG"))
        seen = seen or _Seen(p.labels, [], {label: [] for label in p.labels})
        for met in match_cues(info, run.raw, run.cues, p, config.trial.stop_s, config.front(), run.marked, told):
            if met.window is not None and met.window.reason is Reason.DECIDED:
                seen.bad.append(frozenset(fault.label for fault in met.faults))
                for fault in met.faults:
                    seen.faults[fault.label].append(fault)
    return seen or _Seen((), [], {})


def channels_marked(runs: Sequence[LabelledRun]) -> dict[str, str]:
    """Channels that people marked bad in a whole recording.

    Parameters
    ----------
    runs : sequence of LabelledRun

    Returns
    -------
    dict of str to str
        From the label to a sentence.
    """
    where: dict[str, list[str]] = {}
    for run in runs:
        for label in run.marked.channels:
            where.setdefault(canonical(label), []).append(run.name)
    brain = (c.label for c in runs[0].info.channels if c.type == "EEG") if runs else ()
    return {
        label: f"{label} is marked bad in {', '.join(where[canonical(label)])} and is left out of the model"
        for label in brain
        if canonical(label) in where
    }


def without_channels(config: SessionConfig, labels: Sequence[str], bad: Sequence[str]) -> SessionConfig:
    """Remove channels from the configuration.

    Parameters
    ----------
    config : SessionConfig
    labels : sequence of str
        EEG channels, where the configuration names none.
    bad : sequence of str

    Returns
    -------
    SessionConfig

    Raises
    ------
    TrainingError
        If no channel is left.
    """
    gone = {canonical(x) for x in bad}
    channels = config.preprocessing.channels or tuple(labels)
    kept = tuple(x for x in channels if canonical(x) not in gone)
    if not kept:
        raise TrainingError(
            f"all channels of the decoder ({', '.join(channels)}) are marked bad in the recordings; take some of them back, "
            "or choose others with preprocessing.channels"
        )
    return config.model_copy(update={"preprocessing": config.preprocessing.model_copy(update={"channels": kept})})
