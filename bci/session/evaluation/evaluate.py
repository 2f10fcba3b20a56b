"""An evaluation from recordings to a table: find, cut, compute what is not kept yet, write."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from bci.errors import RecordingError, TrainingError
from bci.session.evaluation.comparison import Compared, compare
from bci.session.evaluation.comparison_table import comparison_table
from bci.session.evaluation.cutting import Cut, cut_all
from bci.session.evaluation.origin import Origin
from bci.session.evaluation.plan import Cell, Choices, plan
from bci.session.evaluation.protocols import rows_of
from bci.session.evaluation.public import MoabbOrigin
from bci.session.evaluation.published import Benchmark, benchmarks, published_table
from bci.session.evaluation.sources import RunFacts, scan
from bci.session.evaluation.table import Row, details, in_order, row_from, summary, to_csv
from bci.session.evaluation.work import Workers
from bci.session.progress import Progress, silent
from bci.settings import SessionConfig

CELLS, CUTS = "cells", "cuts"
_Job = TypeVar("_Job")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What an evaluation came to.

    Parameters
    ----------
    rows : list of Row
    computed, kept : int
        Cells that were computed now, and that were there from before.
    left_out : tuple of str
        Recordings without a cue.
    compared : tuple of Compared
        Each decoder against the baseline.
    published : str
        Figures of others for the same data sets, as a table; empty where there are none.
    notes : tuple of str
        What a person should know of the recordings.
    """

    rows: list[Row]
    computed: int
    kept: int
    left_out: tuple[str, ...]
    compared: tuple[Compared, ...]
    published: str
    notes: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Means, comparisons and published figures, as Markdown."""
        parts = (summary(self.rows), comparison_table(self.compared), self.published)
        return "\n".join(part for part in parts if part)


def evaluate(
    origins: Sequence[Origin],
    config: SessionConfig,
    choices: Choices,
    out: Path,
    run: Workers,
    progress: Progress = silent,
) -> Evaluated:
    """Compute every cell that is not kept in ``out`` yet, and write ``table.csv`` and ``table.md`` there.

    Parameters
    ----------
    origins : sequence of Origin
    config : SessionConfig
    choices : Choices
    out : Path
        Created if need be. Where workers are on other machines, they must see it under the same path.
    run : Workers
    progress : callable

    Raises
    ------
    BciError
        If a recording cannot be used. What was finished stays.
    """
    there, missing = reachable(origins, config)
    found = _all(run, partial(scan, config=config), there, partial(progress, "reading"))
    facts = [fact for one in found for fact in one.facts]
    missing |= {o.name: one.missing for o, one in zip(there, found, strict=True) if one.missing}
    left_out = tuple(o.name for o, one in zip(there, found, strict=True) if not one.facts and not one.missing)
    absent = not_run(missing, choices)
    notes = tuple(note for one in found for note in one.notes)
    if not facts and not missing:
        table = ", ".join(config.markers.table) or "is empty"
        raise TrainingError(
            f"no recording holds a cue (looked at {len(origins)}, first {origins[0].name}; the table of markers: {table}). "
            f"Give it with --set markers.table.TEXT=CLASS; bci train FILE lists the markers of a file. The first says: {notes[0]}"
        )
    cells = plan(facts, config, choices, (out / CUTS).absolute())
    if not cells and not missing:
        raise TrainingError(
            f"nothing to compute: {', '.join(choices.protocols)} of {_people(facts)} with one session each; "
            "across sessions or people needs two of them (--pattern says how names tell them apart)"
        )
    waiting = [cell for cell in cells if not cell_path(out, cell).exists()]
    cut_missing(waiting, config, run, progress)
    _compute(waiting, out, run, progress)
    counts = len(waiting), len(cells) - len(waiting)
    result = written(rows_in(out, cells) + absent, choices, out, benchmarks(facts, missing), counts, left_out)
    return replace(result, notes=notes)


def written(
    rows: Sequence[Row],
    choices: Choices,
    out: Path,
    sets: Sequence[Benchmark] = (),
    counts: tuple[int, int] = (0, 0),
    left_out: tuple[str, ...] = (),
) -> Evaluated:
    """Compare, and write ``table.csv`` and ``table.md``."""
    ordered = in_order(rows)
    compared = tuple(compare(ordered, choices.baseline))
    result = Evaluated(ordered, *counts, left_out, compared, published_table(ordered, sets))
    _write(out / "table.csv", to_csv(ordered))
    _write(out / "table.md", "\n".join([result.text, details(ordered)]))
    return result


def rows_in(out: Path, cells: Sequence[Cell]) -> list[Row]:
    """Rows of the cells that are finished."""
    return [row for cell in cells if (path := cell_path(out, cell)).exists() for row in _read(path)]


def reachable(origins: Sequence[Origin], config: SessionConfig) -> tuple[list[Origin], dict[str, str]]:
    """Origins without those of public data sets that cannot be fetched, and why: one try for each data set."""
    missing: dict[str, str] = {}
    for spec in dict.fromkeys(o.spec for o in origins if isinstance(o, MoabbOrigin)):
        first = next(o for o in origins if isinstance(o, MoabbOrigin) and o.spec == spec)
        if why := scan(first, config).missing:
            missing[spec] = why
    return [o for o in origins if not (isinstance(o, MoabbOrigin) and o.spec in missing)], missing


def not_run(missing: Mapping[str, str], choices: Choices) -> list[Row]:
    """A row for each protocol and decoder of what is not here."""
    return [
        Row(protocol, name, "", "", "", decoder, note=f"not run here: {why}")
        for name, why in missing.items()
        for protocol in choices.protocols
        for decoder in choices.decoders
    ]


def _people(facts: Sequence[RunFacts]) -> str:
    n = len({(f.data_set, f.subject) for f in facts})
    return f"{n} {'person' if n == 1 else 'people'}"


def _all(
    run: Workers, function: Callable[[_Job], _Result], jobs: Sequence[_Job], progress: Callable[[float], None]
) -> list[_Result]:
    """Results in the order of the jobs."""
    found: dict[int, _Result] = {}
    for number, result in run(function, jobs):
        found[number] = result
        progress(len(found) / len(jobs))
    return [found[i] for i in range(len(jobs))]


def cut_missing(cells: Sequence[Cell], config: SessionConfig, run: Workers, progress: Progress) -> None:
    """Cut what the cells need and is not kept, one job for each origin."""
    missing = {cut.path: cut for cell in cells for cut in cell.cuts if not cut.path.exists()}
    by_origin: dict[Origin, list[Cut]] = {}
    for one in missing.values():
        by_origin.setdefault(one.origin, []).append(one)
    _all(run, partial(cut_all, config=config), list(by_origin.values()), partial(progress, "cutting trials"))


def _compute(cells: Sequence[Cell], out: Path, run: Workers, progress: Progress) -> None:
    """Compute and keep, each cell as it is done."""
    for done, (number, rows) in enumerate(run(rows_of, cells), start=1):
        keep_rows(out, cells[number], rows)
        progress(f"evaluating ({done} of {len(cells)})", done / len(cells))


def keep_rows(out: Path, cell: Cell, rows: Sequence[Row]) -> None:
    """Keep what a cell came to."""
    _write(cell_path(out, cell), json.dumps([asdict(row) for row in rows], indent=1))


def cell_path(out: Path, cell: Cell) -> Path:
    """Where a finished cell is kept."""
    return out / CELLS / f"{cell.key}.json"


def _read(path: Path) -> list[Row]:
    """Rows of a finished cell."""
    try:
        values: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
        return [row_from(v) for v in values]
    except (OSError, ValueError, TypeError) as error:
        raise RecordingError(f"{path}: a kept result cannot be read ({error}). Delete the file; it is computed again.") from error


def _write(path: Path, text: str) -> None:
    """Write a file that appears complete or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial_path = path.with_name(path.name + ".part")
    partial_path.write_text(text, encoding="utf-8")
    os.replace(partial_path, path)
