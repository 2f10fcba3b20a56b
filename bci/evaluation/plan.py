"""The results to compute: one cell each, with the hash of everything that it depends on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from bci.engine.preprocessing import Preprocessing
from bci.errors import ConfigError
from bci.evaluation.cutting import Cut, cut_key
from bci.evaluation.fitting import is_random
from bci.evaluation.sources import RunFacts, good, shared_labels
from bci.model.family import load_family
from bci.settings import DecoderSection, SessionConfig
from bci.training.resolved import ResolvedDecoder, resolve_decoder

PROTOCOLS = ("within", "chronological", "cross-session", "cross-subject", "few-shot", "pseudo-online", "recentring")
OLD_PROTOCOLS = {"later": "chronological", "sessions": "cross-session", "people": "cross-subject"}
"""Names that protocols had, and the names that they have; the old ones are accepted until version 0.2."""
HEAD_START = "head-start"
FORMAT = 3
"""Of kept results; raise it when the meaning of a number changes."""


@dataclass(frozen=True, slots=True)
class Choices:
    """The choices of an evaluation.

    Parameters
    ----------
    protocols, decoders : tuple of str
    head_start : bool
        Few-shot and cross-subject: also with other people's calibrations, on the bands of the first decoder.
    trials_per_class : tuple of int
        Of few-shot curves.
    draws : int
        Few-shot: draws of the training trials; the first are the earliest trials, the others drawn by ``seed``.
    folds : int
        Within a session of fewer than three runs: blocks of neighbouring trials.
    seed : int
        Of the draws, and the first of the seeds.
    task_s : float
        Pseudo-online: how long after its cue a task lasts; 0 for ``trial.stop_s``.
    seeds : int
        How often a decoder whose training is random is trained, each time with the next seed; the others once.
    baseline : str
        The decoder that all others are compared with, declared before anything is computed.
    """

    protocols: tuple[str, ...] = ("within",)
    decoders: tuple[str, ...] = ("ts-lr",)
    head_start: bool = False
    trials_per_class: tuple[int, ...] = (1, 2, 5, 10, 20)
    draws: int = 10
    folds: int = 5
    seed: int = 0
    task_s: float = 0.0
    seeds: int = 1
    baseline: str = "ts-lr"

    def __post_init__(self) -> None:
        problems = [f"protocol {p!r}: must be one of {', '.join(PROTOCOLS)}" for p in self.protocols if p not in PROTOCOLS]
        if not self.protocols or not self.decoders:
            problems.append("at least one protocol and one decoder are needed")
        if not self.trials_per_class or min(self.trials_per_class) < 1:
            problems.append(f"trials per class = {self.trials_per_class}: must be whole numbers of at least 1")
        problems += [f"{n} = {v}: must be at least {low}" for n, v, low in self._least() if v < low]
        if problems:
            raise ConfigError(problems)

    def _least(self) -> tuple[tuple[str, float, float], ...]:
        return (
            ("draws", self.draws, 1),
            ("folds", self.folds, 2),
            ("seed", self.seed, 0),
            ("task_s", self.task_s, 0),
            ("seeds", self.seeds, 1),
        )


@dataclass(frozen=True, slots=True)
class Cell:
    """One result to compute. It is sent to other processes, so it names its trials and does not hold them.

    Parameters
    ----------
    protocol, data_set, subject, session, trained_on, decoder : str
    head_start : bool
    own : tuple of Cut
        What is trained on (and tested on, where a protocol splits it).
    test : tuple of Cut
    others : tuple of tuple of Cut
        Other people's runs, one entry for each session.
    preprocessing : Preprocessing
    config : SessionConfig
    choices : Choices
    seed : int or None
        Of a decoder whose training is random.
    key : str
        Hash of everything that the result depends on.
    """

    protocol: str
    data_set: str
    subject: str
    session: str
    trained_on: str
    decoder: str
    head_start: bool
    own: tuple[Cut, ...]
    test: tuple[Cut, ...]
    others: tuple[tuple[Cut, ...], ...]
    preprocessing: Preprocessing
    config: SessionConfig
    choices: Choices
    seed: int | None = None
    key: str = ""

    @property
    def cuts(self) -> tuple[Cut, ...]:
        """Trials that must be cut before; pseudo-online reads the recordings itself."""
        if self.protocol == "pseudo-online":
            return ()
        return (*self.own, *self.test, *(c for session in self.others for c in session))

    def resolved(self) -> ResolvedDecoder:
        """The cell's decoder, loaded in the process that computes the cell."""
        return ResolvedDecoder(load_family(self.config.decoder.name, self.config.decoder.settings), self.preprocessing)


def current_protocols(names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Replace old names of protocols by the present ones.

    Parameters
    ----------
    names : sequence of str
        As somebody typed them.

    Returns
    -------
    protocols : tuple of str
        Each once, in the same order; names that are neither old nor present stay as they are.
    warnings : tuple of str
        A sentence for each old name.
    """
    found = tuple(dict.fromkeys(OLD_PROTOCOLS.get(name, name) for name in names))
    old = [name for name in dict.fromkeys(names) if name in OLD_PROTOCOLS]
    return found, tuple(
        f"protocol {name!r} is now called {OLD_PROTOCOLS[name]!r}; the next version refuses the old name" for name in old
    )


def plan(facts: Sequence[RunFacts], config: SessionConfig, choices: Choices, folder: Path) -> list[Cell]:
    """All cells of an evaluation.

    Parameters
    ----------
    facts : sequence of RunFacts
    config : SessionConfig
    choices : Choices
    folder : Path
        Where cut trials are kept.

    Returns
    -------
    list of Cell
    """
    cells = []
    for data_set in dict.fromkeys(f.data_set for f in facts):
        own = [f for f in facts if f.data_set == data_set]
        labels = good(config.preprocessing.channels, own) or shared_labels(own)
        for decoder in choices.decoders:
            for seed in range(choices.seed, choices.seed + choices.seeds) if is_random(decoder) else (None,):
                wanted = replace_sections(config, decoder, labels, seed)
                first = decoder == choices.decoders[0] and seed in (None, choices.seed)
                chosen = choices if first else replace(choices, head_start=False)
                cells += [_keyed(replace(cell, seed=seed)) for cell in _cells(own, wanted, chosen, folder)]
    return cells


def replace_sections(config: SessionConfig, decoder: str, labels: tuple[str, ...], seed: int | None = None) -> SessionConfig:
    """The configuration with this decoder, seed and these channels.

    Parameters
    ----------
    config : SessionConfig
    decoder : str
        Name of a decoder.
    labels : tuple of str
        Channels.
    seed : int, optional
        Of the training.

    Returns
    -------
    SessionConfig
    """
    section = config.decoder if decoder == config.decoder.name else DecoderSection(name=decoder)
    if seed is not None:
        section = section.model_copy(update={"settings": {**section.settings, "seed": seed}})
    channels = config.preprocessing.model_copy(update={"channels": labels})
    return config.model_copy(update={"decoder": section, "preprocessing": channels})


def _cells(facts: list[RunFacts], config: SessionConfig, choices: Choices, folder: Path) -> Iterator[Cell]:
    """All cells of one data set and decoder, without their keys."""
    # Whole windows only, as in training: what losses shortened is nothing to learn from.
    preprocessing = resolve_decoder(facts[0].info, config).whole_windows
    cuts = [_cut(f, preprocessing, config, folder) for f in facts]
    people = {s: [c for c in cuts if c.subject == s] for s in dict.fromkeys(c.subject for c in cuts)}
    for protocol in choices.protocols:
        for subject, own in people.items():
            others = tuple(runs for s, c in people.items() if s != subject for runs in _sessions(c).values())
            for cell in _OF[protocol](subject, own, others, choices):
                yield replace(
                    cell,
                    data_set=facts[0].data_set,
                    decoder=HEAD_START if cell.head_start else config.decoder.name,
                    preprocessing=preprocessing,
                    config=config,
                    choices=choices,
                )


def _cut(fact: RunFacts, preprocessing: Preprocessing, config: SessionConfig, folder: Path) -> Cut:
    path = folder / f"{cut_key(fact.identity, preprocessing, config)}.npz"
    return Cut(path, fact.source, fact.number, fact.subject, fact.session, fact.run, preprocessing)


def _blank(protocol: str, subject: str, session: str, trained_on: str) -> Cell:
    """A cell in which what is the same for a whole data set is still to be filled in."""
    p = Preprocessing(250.0, ("any",))
    return Cell(protocol, "", subject, session, trained_on, "", False, (), (), (), p, SessionConfig(), Choices())


Others = tuple[tuple[Cut, ...], ...]


def _sessions(own: Sequence[Cut]) -> dict[str, tuple[Cut, ...]]:
    """Runs by session, in the order in which they come."""
    return {s: tuple(c for c in own if c.session == s) for s in dict.fromkeys(c.session for c in own)}


def _how_many(others: Others) -> str:
    """Other people, in words."""
    return f"{len({c.subject for session in others for c in session})} others"


def _within(subject: str, own: Sequence[Cut], others: Others, choices: Choices) -> Iterator[Cell]:
    """Every block is decoded by a model of the others."""
    for session, runs in _sessions(own).items():
        yield replace(_blank("within", subject, session, "other blocks"), own=runs)


def _chronological(subject: str, own: Sequence[Cut], others: Others, choices: Choices) -> Iterator[Cell]:
    """The last run of a session is decoded by a model of all its earlier ones, as a session goes."""
    for session, runs in _sessions(own).items():
        if len(runs) > 1:
            trained_on = f"runs {'+'.join(c.run for c in runs[:-1])}"
            yield replace(_blank("chronological", subject, session, trained_on), own=runs[:-1], test=runs[-1:])


def _recentring(subject: str, own: Sequence[Cut], others: Others, choices: Choices) -> Iterator[Cell]:
    """What is decoded later, within a session and across sessions, with the engine."""
    for cell in (*_chronological(subject, own, others, choices), *_cross_session(subject, own, others, choices)):
        yield replace(cell, protocol="recentring")


def _cross_session(subject: str, own: Sequence[Cut], others: Others, choices: Choices) -> Iterator[Cell]:
    """Every session but the first is decoded by a model of all that came before."""
    earlier: tuple[Cut, ...] = ()
    names: list[str] = []
    for session, runs in _sessions(own).items():
        if earlier:
            yield replace(_blank("cross-session", subject, session, "+".join(names)), own=earlier, test=runs)
        earlier += runs
        names.append(session)


def _cross_subject(subject: str, own: Sequence[Cut], others: Others, choices: Choices) -> Iterator[Cell]:
    """Every person is decoded by a model of the others."""
    if not others:
        return
    for session, runs in _sessions(own).items():
        for head_start in (False, True) if choices.head_start else (False,):
            cell = _blank("cross-subject", subject, session, _how_many(others))
            yield replace(cell, test=runs, others=others, head_start=head_start)


def _few_shot(subject: str, own: Sequence[Cut], others: Others, choices: Choices) -> Iterator[Cell]:
    """The later half of a session is decoded by models of a few trials of the earlier half."""
    for session, runs in _sessions(own).items():
        yield replace(_blank("few-shot", subject, session, "first half"), own=runs)
        if choices.head_start and others:
            cell = _blank("few-shot", subject, session, f"first half + {_how_many(others)}")
            yield replace(cell, own=runs, others=others, head_start=True)


def _pseudo_online(subject: str, own: Sequence[Cut], others: Others, choices: Choices) -> Iterator[Cell]:
    """The engine runs over the later half of a session's recordings."""
    for session, runs in _sessions(own).items():
        yield replace(_blank("pseudo-online", subject, session, "first half"), own=runs)


_OF = {
    "within": _within,
    "chronological": _chronological,
    "cross-session": _cross_session,
    "cross-subject": _cross_subject,
    "few-shot": _few_shot,
    "pseudo-online": _pseudo_online,
    "recentring": _recentring,
}
_MATTERS = {"within": ("folds",), "few-shot": ("trials_per_class", "draws", "seed"), "pseudo-online": ("task_s",)}


def _keyed(cell: Cell) -> Cell:
    return replace(cell, key=_key(cell))


def _key(cell: Cell) -> str:
    """Hash of the trials' hashes, the settings and the program's version; paths and names of files do not matter.

    Settings at their defaults are not in it, so that one more setting does not make kept results worthless.
    """
    sections: tuple[str, ...] = ("trial", "decoder", "decision", "quality", "continuity", "preprocessing")
    config = json.loads(cell.config.model_dump_json(exclude_defaults=True))
    sections += ("recentre",) if cell.protocol == "recentring" else ()
    document = {
        "format": FORMAT,
        "version": version("bci"),
        "cell": [cell.protocol, cell.data_set, cell.subject, cell.session, cell.trained_on, cell.decoder, cell.head_start],
        "own": [c.path.name for c in cell.own],
        "test": [c.path.name for c in cell.test],
        "others": [[c.path.name for c in session] for session in cell.others],
        "config": {name: config[name] for name in sections if name in config},
        "choices": {name: getattr(cell.choices, name) for name in _MATTERS.get(cell.protocol, ())},
    }
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:32]
