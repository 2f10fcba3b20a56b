"""Where the recordings of an evaluation come from: files, a BIDS folder, or a MOABB data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bci.engine.stream_info import StreamInfo, canonical
from bci.errors import ConfigError, TrainingError
from bci.session.epochs import Trial
from bci.session.evaluation.names import files_of, names_in
from bci.session.evaluation.origin import NotHere, OpenedRun, Origin
from bci.session.evaluation.public import MoabbOrigin, bids_origins, moabb_data_set
from bci.session.left_out import BadTrials, bad_trials, often_bad
from bci.session.training import notes_of, open_labelled
from bci.settings import SessionConfig

FILES = "recordings"
"""Data set that files belong to, unless they are all from one folder."""


@dataclass(frozen=True, slots=True)
class FileOrigin:
    """One file of any format that is read here."""

    path: Path
    data_set: str
    subject: str
    session: str
    run: str

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    def open(self, config: SessionConfig) -> list[OpenedRun]:
        """Read the file."""
        return [OpenedRun(self.data_set, self.subject, self.session, self.run, open_labelled(self.path, config))]


def find_origins(inputs: Sequence[Path], pattern: str = "", moabb: Sequence[str] = ()) -> list[Origin]:
    """Everything that the command line names.

    Parameters
    ----------
    inputs : sequence of Path
        Files, folders of files, BIDS folders.
    pattern : str
        How file names say who and when: ``"{subject}_RUN{run}"``. Empty: BIDS entities (``sub-``, ``ses-``, ``run-``).
    moabb : sequence of str
        Data sets by name.

    Raises
    ------
    ConfigError
        If nothing is found, or a file name does not say whose it is.
    """
    origins: list[Origin] = []
    plain = [path for path in inputs if not (path / "dataset_description.json").is_file()]
    data_set = plain[0].resolve().name if len(plain) == 1 and plain[0].is_dir() else FILES
    for path in inputs:
        if (path / "dataset_description.json").is_file():
            origins += bids_origins(path)
        else:
            origins += [_file(p, data_set, pattern) for p in files_of([path])]
    for spec in moabb:
        origins += [MoabbOrigin(spec, int(subject)) for subject in moabb_data_set(spec).subject_list]
    if not origins:
        raise ConfigError("no recording is named: give files, folders, a BIDS folder, or --moabb NAME")
    return origins


def _file(path: Path, data_set: str, pattern: str) -> FileOrigin:
    names = names_in(path, pattern)
    return FileOrigin(path.absolute(), data_set, names["subject"], names.get("session", "1"), names.get("run", path.stem))


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What must be known of a run before anything is computed.

    Parameters
    ----------
    origin : Origin
    number : int
        Which run of the origin.
    data_set, subject, session, run, identity : str
    info : StreamInfo
    cues : dict of str to int
        How many of each class.
    bad : tuple of str
        Channels that are marked bad in all of it.
    seen : BadTrials
        How often each channel was found bad.
    """

    origin: Origin
    number: int
    data_set: str
    subject: str
    session: str
    run: str
    identity: str
    info: StreamInfo
    cues: dict[str, int]
    bad: tuple[str, ...] = ()
    seen: BadTrials = field(default_factory=BadTrials)


@dataclass(frozen=True, slots=True)
class Scanned:
    """What an origin holds.

    Parameters
    ----------
    facts : tuple of RunFacts
        None where it holds no cue.
    missing : str
        Why it is not here, where it could not be fetched.
    notes : tuple of str
        What a person should know of its recordings; why there is no cue, where there is none.
    """

    facts: tuple[RunFacts, ...]
    missing: str = ""
    notes: tuple[str, ...] = ()


def scan(origin: Origin, config: SessionConfig) -> Scanned:
    """Read an origin and say what it holds."""
    try:
        opened = origin.open(config)
    except TrainingError as error:
        return Scanned((), notes=(str(error),))
    except NotHere as error:
        return Scanned((), str(error))
    facts = [
        RunFacts(
            origin,
            i,
            r.data_set,
            r.subject,
            r.session,
            r.run,
            r.identity,
            r.labelled.info,
            _counts(r.labelled.cues),
            r.labelled.marked.channels,
            bad_trials(r.labelled, config),
        )
        for i, r in enumerate(opened)
    ]
    found = [f"{r.labelled.name}: {text}" for r, fact in zip(opened, facts, strict=True) for text in fact.seen.told]
    return Scanned(tuple(facts), notes=(*notes_of([r.labelled for r in opened]), *found))


def _counts(cues: Iterable[Trial]) -> dict[str, int]:
    return dict(sorted(Counter(cue.class_ for cue in cues).items()))


def shared_labels(facts: Sequence[RunFacts]) -> tuple[str, ...]:
    """EEG channels that every run has and nobody marked bad in any, as the first names them.

    Raises
    ------
    ConfigError
        If there are none, or the rates differ.
    """
    rates = sorted({f.info.rate_hz for f in facts})
    if len(rates) > 1:
        which = "; ".join(f"{r:g} Hz: {next(f.origin.name for f in facts if f.info.rate_hz == r)}" for r in rates)
        raise ConfigError(f"the recordings have different rates ({which}); evaluate each rate on its own")
    everywhere = set.intersection(*({canonical(c.label) for c in f.info.channels if c.type == "EEG"} for f in facts))
    labels = good(tuple(c.label for c in facts[0].info.channels if c.type == "EEG" and canonical(c.label) in everywhere), facts)
    if not labels:
        raise ConfigError(
            "the recordings have no EEG channel in common that nobody marked bad and that is good in most trials; name channels "
            "alike in a montage file (stream.montage)"
        )
    return labels


def good(labels: tuple[str, ...], facts: Sequence[RunFacts]) -> tuple[str, ...]:
    """Those of some channels that are marked bad in no run, and not found bad in most trials of all runs."""
    bad = {canonical(label) for fact in facts for label in fact.bad}
    bad |= {canonical(label) for label in often_bad([fact.seen for fact in facts])}
    return tuple(label for label in labels if canonical(label) not in bad)
