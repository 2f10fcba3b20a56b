"""Where the recordings of an evaluation come from: files, a BIDS folder, or a MOABB data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bci.bids.entities import files_of, names_in
from bci.engine.stream_info import StreamInfo, canonical
from bci.errors import ConfigError, TrainingError
from bci.evaluation.data_source import DataSource, NotHere, OpenedRun
from bci.evaluation.public import MoabbSource, bids_sources, moabb_data_set
from bci.paradigm.cues import CueEvent
from bci.settings import SessionConfig
from bci.training.labelled import notes_of, open_labelled
from bci.training.left_out import BadTrials, bad_trials, often_bad

FILES = "recordings"
"""Data set that files belong to, unless they are all from one folder."""


@dataclass(frozen=True, slots=True)
class FileSource:
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
        """Read the file.

        Parameters
        ----------
        config : SessionConfig

        Returns
        -------
        list of OpenedRun
        """
        return [OpenedRun(self.data_set, self.subject, self.session, self.run, open_labelled(self.path, config))]


def find_sources(inputs: Sequence[Path], pattern: str = "", moabb: Sequence[str] = ()) -> list[DataSource]:
    """Find all recordings that the command line names.

    Parameters
    ----------
    inputs : sequence of Path
        Files, folders of files, BIDS folders.
    pattern : str
        How file names say who and when: ``"{subject}_RUN{run}"``. Empty: BIDS entities (``sub-``, ``ses-``, ``run-``).
    moabb : sequence of str
        Data sets by name.

    Returns
    -------
    list of DataSource

    Raises
    ------
    ConfigError
        If nothing is found, or a file name does not say whose it is.
    """
    sources: list[DataSource] = []
    plain = [path for path in inputs if not (path / "dataset_description.json").is_file()]
    data_set = plain[0].resolve().name if len(plain) == 1 and plain[0].is_dir() else FILES
    for path in inputs:
        if (path / "dataset_description.json").is_file():
            sources += bids_sources(path)
        else:
            sources += [_file(p, data_set, pattern) for p in files_of([path])]
    for spec in moabb:
        sources += [MoabbSource(spec, int(subject)) for subject in moabb_data_set(spec).subject_list]
    if not sources:
        raise ConfigError("no recording is named: give files, folders, a BIDS folder, or --moabb NAME")
    return sources


def _file(path: Path, data_set: str, pattern: str) -> FileSource:
    names = names_in(path, pattern)
    return FileSource(path.absolute(), data_set, names["subject"], names.get("session", "1"), names.get("run", path.stem))


@dataclass(frozen=True, slots=True)
class RunFacts:
    """Facts on a run that planning needs.

    Parameters
    ----------
    source : DataSource
    number : int
        Which run of the source.
    data_set, subject, session, run, identity : str
    info : StreamInfo
    cues : dict of str to int
        How many of each class.
    bad : tuple of str
        Channels that are marked bad in all of it.
    seen : BadTrials
        How often each channel was found bad.
    """

    source: DataSource
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
    """What a source holds.

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


def scan(source: DataSource, config: SessionConfig) -> Scanned:
    """Read a source and say what it holds.

    Parameters
    ----------
    source : DataSource
    config : SessionConfig

    Returns
    -------
    Scanned
    """
    try:
        opened = source.open(config)
    except TrainingError as error:
        return Scanned((), notes=(str(error),))
    except NotHere as error:
        return Scanned((), str(error))
    facts = [
        RunFacts(
            source,
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


def _counts(cues: Iterable[CueEvent]) -> dict[str, int]:
    return dict(sorted(Counter(cue.class_ for cue in cues).items()))


def shared_labels(facts: Sequence[RunFacts]) -> tuple[str, ...]:
    """EEG channels that every run has and that nobody marked bad, as the first run names them.

    Parameters
    ----------
    facts : sequence of RunFacts

    Returns
    -------
    tuple of str

    Raises
    ------
    ConfigError
        If there are none, or the rates differ.
    """
    rates = sorted({f.info.rate_hz for f in facts})
    if len(rates) > 1:
        which = "; ".join(f"{r:g} Hz: {next(f.source.name for f in facts if f.info.rate_hz == r)}" for r in rates)
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
    """Of some channels, those that are not marked bad in any run and not bad in most trials of all runs.

    Parameters
    ----------
    labels : tuple of str
        Channels that the settings name.
    facts : sequence of RunFacts

    Returns
    -------
    tuple of str
    """
    bad = {canonical(label) for fact in facts for label in fact.bad}
    bad |= {canonical(label) for label in often_bad([fact.seen for fact in facts])}
    return tuple(label for label in labels if canonical(label) not in bad)
