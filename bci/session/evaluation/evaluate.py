"""An evaluation from recordings to a table: find, cut, compute what is not kept yet, write."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from bci.errors import RecordingError, TrainingError
from bci.session.evaluation.cutting import Cut, cut_all
from bci.session.evaluation.origin import Origin
from bci.session.evaluation.plan import Cell, Choices, plan
from bci.session.evaluation.protocols import rows_of
from bci.session.evaluation.sources import RunFacts, scan
from bci.session.evaluation.table import Row, in_order, row_from, to_csv, to_markdown
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
    """

    rows: list[Row]
    computed: int
    kept: int
    left_out: tuple[str, ...]


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
    found = _all(run, partial(scan, config=config), origins, partial(progress, "reading"))
    facts = [fact for facts in found for fact in facts]
    left_out = tuple(o.name for o, facts in zip(origins, found, strict=True) if not facts)
    if not facts:
        table = ", ".join(config.markers.table) or "is empty"
        raise TrainingError(
            f"no recording holds a cue (looked at {len(origins)}, first {origins[0].name}; the table of markers: {table}). "
            "Give it with --set markers.table.TEXT=CLASS; bci train FILE lists the markers of a file."
        )
    cells = plan(facts, config, choices, (out / CUTS).absolute())
    if not cells:
        raise TrainingError(
            f"nothing to compute: {', '.join(choices.protocols)} of {_people(facts)} with one session each; "
            "across sessions or people needs two of them (--pattern says how names tell them apart)"
        )
    waiting = [cell for cell in cells if not _path(out, cell).exists()]
    _cut_missing(waiting, config, run, progress)
    _compute(waiting, out, run, progress)
    rows = in_order(row for cell in cells for row in _read(_path(out, cell)))
    _write(out / "table.csv", to_csv(rows))
    _write(out / "table.md", to_markdown(rows))
    return Evaluated(rows, len(waiting), len(cells) - len(waiting), left_out)


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


def _cut_missing(cells: Sequence[Cell], config: SessionConfig, run: Workers, progress: Progress) -> None:
    """Cut what the cells need and is not kept, one job for each origin."""
    missing = {cut.path: cut for cell in cells for cut in cell.cuts if not cut.path.exists()}
    by_origin: dict[Origin, list[Cut]] = {}
    for one in missing.values():
        by_origin.setdefault(one.origin, []).append(one)
    _all(run, partial(cut_all, config=config), list(by_origin.values()), partial(progress, "cutting trials"))


def _compute(cells: Sequence[Cell], out: Path, run: Workers, progress: Progress) -> None:
    """Compute and keep, each cell as it is done."""
    for done, (number, rows) in enumerate(run(rows_of, cells), start=1):
        _write(_path(out, cells[number]), json.dumps([asdict(row) for row in rows], indent=1))
        progress(f"evaluating ({done} of {len(cells)})", done / len(cells))


def _path(out: Path, cell: Cell) -> Path:
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
