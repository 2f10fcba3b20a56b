"""What is computed, in which order, and how much of it is finished."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from results.recordings import DATA, MONTAGE, config

from bci import plugins
from bci.evaluation.background_jobs import one_thread, workers
from bci.evaluation.evaluate import cell_path, cut_missing, keep_rows, rows_in
from bci.evaluation.fitting import is_random
from bci.evaluation.plan import Cell, Choices, plan
from bci.evaluation.protocols import rows_of
from bci.evaluation.sources import FileSource, find_sources, scan
from bci.evaluation.table import ResultRow
from bci.settings import SessionConfig

SIMPLE = ("ts-lr", "csp-lda", "mdm", "fgmdm", "fbcsp", "ts-en", "ts-svm", "acm", "fbts")
NETWORKS = ("eegnet", "shallow", "conformer", "ctnet", "fbcnet")
ORDER = (
    (False, ("chronological", "cross-session", "cross-subject", "recentring")),
    (True, ("chronological", "cross-session")),
    (False, ("few-shot",)),
    (True, ("cross-subject", "few-shot", "recentring")),
)
"""What is computed first: of decoders whose training is random or not, these protocols."""
RECENTRED = ("ts-lr", "csp-lda", "mdm", "eegnet")
"""Decoders whose recordings the engine runs over, with recentring and without."""
SHOTS, DRAWS = (5, 10, 20), 3


@dataclass(frozen=True, slots=True)
class Set:
    """One data set of the page.

    Parameters
    ----------
    name, what : str
    paths : tuple of Path
    pattern : str
    config : SessionConfig
    protocols : tuple of str
    """

    name: str
    what: str
    paths: tuple[Path, ...]
    pattern: str
    config: SessionConfig
    protocols: tuple[str, ...]


def sets(data: Path = DATA) -> list[Set]:
    """All data sets; the recording that lost a quarter of its samples is left out."""
    table = {"OVTK_GDF_Right": "right", "OVTK_GDF_Tongue": "rest"}
    people = sorted((data / "mi-rest-ds003810").glob("*/*_RUN[1-4].edf"))
    days = sorted((data / "labrecorder-mi").glob("*.xdf"))[1:]
    fists = tuple(data / "physionet-eegmmi" / f"S001R{run:02}.edf" for run in (4, 8, 12))
    return [
        Set(
            "ds003810",
            "imagined right hand or rest, 4 people (those of the 10 that lie beside the project), 4 runs of 40 trials each, "
            "15 channels of a consumer board, 0.5–4 s",
            tuple(people),
            "{subject}_RUN{run}",
            config("ts-lr", table, (0.5, 4.0), unit="uV"),
            ("chronological", "cross-subject", "recentring", "few-shot"),
        ),
        Set(
            "labrecorder",
            "left or right, one person on two days, 5 runs of 20 trials each, 11 channels of a consumer board over a radio "
            "link, 0.5–4.5 s",
            tuple(days),
            "_{session}_run{run}",
            config("ts-lr", {"2": "left", "3": "right"}, (0.5, 4.5), montage=str(MONTAGE)),
            ("chronological", "cross-session", "recentring", "few-shot"),
        ),
        Set(
            "physionet",
            "imagined left or right fist, one person, 3 runs of 15 trials, 64 channels, 0.5–2.5 s",
            fists,
            "S{subject}R{run}",
            config("ts-lr", {"T1": "left", "T2": "right"}, (0.5, 2.5)),
            ("chronological",),
        ),
    ]


@dataclass(frozen=True, slots=True)
class Planned:
    """A data set with its cells."""

    set: Set
    cells: tuple[Cell, ...]


def installed(names: Sequence[str]) -> tuple[str, ...]:
    """Those of the decoders that are there."""
    there = set(plugins.names(plugins.DECODERS))
    return tuple(n for n in names if n in there)


def choices_of(one: Set, decoders: Sequence[str], seeds: int) -> Choices:
    """What is computed of a data set."""
    return Choices(one.protocols, tuple(decoders), False, SHOTS, DRAWS, seeds=seeds)


def planned(one: Set, decoders: Sequence[str], seeds: int, out: Path) -> Planned:
    """Read a data set and say what there is to compute, the quickest first."""
    sources = [replace(o, data_set=one.name) for o in find_sources(one.paths, one.pattern) if isinstance(o, FileSource)]
    facts = [fact for source in sources for fact in scan(source, one.config).facts]
    cells = plan(facts, one.config, choices_of(one, decoders, seeds), (out / "cuts").absolute())
    wanted = [c for c in cells if c.protocol != "recentring" or (c.decoder in RECENTRED and not c.seed)]
    return Planned(one, tuple(wanted))


def in_turn(plans: Sequence[Planned], decoders: Sequence[str]) -> list[tuple[Planned, Cell]]:
    """All cells: the first seed of everything before the second."""
    return sorted(((p, c) for p in plans for c in p.cells), key=lambda pair: (*_place(pair[1], decoders), plans.index(pair[0])))


def _place(cell: Cell, decoders: Sequence[str]) -> tuple[int, int, int, int]:
    network = is_random(cell.decoder)
    stage = next(i for i, (random, protocols) in enumerate(ORDER) if random == network and cell.protocol in protocols)
    return cell.seed or 0, stage, ORDER[stage][1].index(cell.protocol), decoders.index(cell.decoder)


def compute(work: Sequence[tuple[Planned, Cell]], out: Path, until_s: float, tell: Callable[[str], None] = print) -> None:
    """Compute and keep cells until the time is over; what is finished is not computed again.

    Parameters
    ----------
    work : sequence of (Planned, Cell)
    out : Path
    until_s : float
        On ``time.monotonic``.
    tell : callable
    """
    waiting = [(p, c) for p, c in work if not cell_path(out, c).exists()]
    with workers(1) as run:
        for done, (owner, cell) in enumerate(waiting):
            if time.monotonic() > until_s:
                tell(f"time is over; {len(waiting) - done} results are left for the next time")
                return
            began = time.monotonic()
            cut_missing([cell], owner.set.config, run, lambda *_: None)
            _, rows = one_thread(rows_of, 0, cell)
            keep_rows(out, cell, rows)
            what = f"{cell.data_set} {cell.protocol} {cell.subject} {cell.session} {cell.decoder}"
            seed = "" if cell.seed is None else f" seed {cell.seed}"
            found = ", ".join("–" if r.accuracy is None else f"{100 * r.accuracy:.1f}" for r in rows[:12])
            tell(f"{done + 1} of {len(waiting)}: {what}{seed}: {found} ({time.monotonic() - began:.1f} s)")


def finished(plans: Sequence[Planned], out: Path) -> list[ResultRow]:
    """All rows that are there."""
    return [row for p in plans for row in rows_in(out, p.cells)]
