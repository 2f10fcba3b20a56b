"""An evaluation from recordings to a table: find, cut, compute what is not kept yet, write."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from bci.errors import RecordingError, TrainingError
from bci.evaluation.background_jobs import Workers
from bci.evaluation.comparison import DecoderComparison, compare
from bci.evaluation.comparison_table import comparison_table
from bci.evaluation.cutting import Cut, cut_all
from bci.evaluation.data_source import DataSource
from bci.evaluation.plan import Cell, Choices, plan
from bci.evaluation.protocols import rows_of
from bci.evaluation.public import MoabbSource
from bci.evaluation.published import Benchmark, benchmarks, published_table
from bci.evaluation.sources import RunFacts, scan
from bci.evaluation.table import ResultRow, details, in_order, row_from, summary, to_csv
from bci.progress import Progress, silent
from bci.settings import SessionConfig

if TYPE_CHECKING:
    import pandas

CELLS, CUTS = "cells", "cuts"
_Job = TypeVar("_Job")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The result of an evaluation.

    Parameters
    ----------
    rows : list of ResultRow
    computed, kept : int
        Cells that were computed now, and that were there from before.
    left_out : tuple of str
        Recordings without a cue.
    compared : tuple of DecoderComparison
        Each decoder against the baseline.
    published : str
        Figures of others for the same data sets, as a table; empty where there are none.
    notes : tuple of str
        What a person should know of the recordings.
    """

    rows: list[ResultRow]
    computed: int
    kept: int
    left_out: tuple[str, ...]
    compared: tuple[DecoderComparison, ...]
    published: str
    notes: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Means, comparisons and published figures, as Markdown."""
        parts = (summary(self.rows), comparison_table(self.compared), self.published)
        return "\n".join(part for part in parts if part)

    def to_frame(self) -> pandas.DataFrame:
        """A table with a line for each result, its columns by the names of :class:`~bci.evaluation.table.ResultRow`."""
        import pandas

        return pandas.DataFrame([asdict(row) for row in self.rows])

    def _repr_html_(self) -> Any:
        shown = ("protocol", "subject", "session", "decoder", "n_test", "accuracy", "low", "high", "chance")
        return self.to_frame()[list(shown)]._repr_html_()


def evaluate(
    sources: Sequence[DataSource],
    config: SessionConfig,
    choices: Choices,
    out: Path,
    run: Workers,
    progress: Progress = silent,
) -> Evaluated:
    """Compute every cell that is not kept in ``out`` yet, and write ``table.csv`` and ``table.md`` there.

    Parameters
    ----------
    sources : sequence of DataSource
    config : SessionConfig
    choices : Choices
    out : Path
        Created if need be. Where workers are on other machines, they must see it under the same path.
    run : Workers
    progress : callable

    Returns
    -------
    Evaluated

    Raises
    ------
    BciError
        If a recording cannot be used. What was finished stays.
    """
    there, missing = reachable(sources, config)
    found = _all(run, partial(scan, config=config), there, partial(progress, "reading"))
    facts = [fact for one in found for fact in one.facts]
    missing |= {o.name: one.missing for o, one in zip(there, found, strict=True) if one.missing}
    left_out = tuple(o.name for o, one in zip(there, found, strict=True) if not one.facts and not one.missing)
    absent = not_run(missing, choices)
    notes = tuple(note for one in found for note in one.notes)
    if not facts and not missing:
        table = ", ".join(config.markers.table) or "is empty"
        raise TrainingError(
            f"no recording holds a cue (looked at {len(sources)}, first {sources[0].name}; the table of markers: {table}). "
            f"Give it with --set markers.table.TEXT=CLASS; bci train FILE lists the markers of a file. First: {notes[0]}"
        )
    cells = plan(facts, config, choices, (out / CUTS).absolute())
    if not cells and not missing:
        raise TrainingError(
            f"nothing to compute: {', '.join(choices.protocols)} of {_people(facts)} with one session each; "
            "cross-session and cross-subject need two of them (--pattern says how names tell them apart)"
        )
    waiting = [cell for cell in cells if not cell_path(out, cell).exists()]
    cut_missing(waiting, config, run, progress)
    _compute(waiting, out, run, progress)
    counts = len(waiting), len(cells) - len(waiting)
    result = written(rows_in(out, cells) + absent, choices, out, benchmarks(facts, missing), counts, left_out)
    return replace(result, notes=notes)


def written(
    rows: Sequence[ResultRow],
    choices: Choices,
    out: Path,
    sets: Sequence[Benchmark] = (),
    counts: tuple[int, int] = (0, 0),
    left_out: tuple[str, ...] = (),
) -> Evaluated:
    """Compare, and write ``table.csv`` and ``table.md``.

    Parameters
    ----------
    rows : sequence of ResultRow
    choices : Choices
    out : Path
        Folder of the results.
    sets : sequence of Benchmark
        Public data sets with figures of others.
    counts : (int, int)
        Cells that were computed now, and that were there from before.
    left_out : tuple of str
        Recordings without a cue.

    Returns
    -------
    Evaluated
    """
    ordered = in_order(rows)
    compared = tuple(compare(ordered, choices.baseline))
    result = Evaluated(ordered, *counts, left_out, compared, published_table(ordered, sets))
    _write(out / "table.csv", to_csv(ordered))
    _write(out / "table.md", "\n".join([result.text, details(ordered)]))
    return result


def rows_in(out: Path, cells: Sequence[Cell]) -> list[ResultRow]:
    """Rows of the cells that are finished.

    Parameters
    ----------
    out : Path
        Folder of the results.
    cells : sequence of Cell

    Returns
    -------
    list of ResultRow
    """
    return [row for cell in cells if (path := cell_path(out, cell)).exists() for row in _read(path)]


def reachable(sources: Sequence[DataSource], config: SessionConfig) -> tuple[list[DataSource], dict[str, str]]:
    """Leave out sources of public data sets that cannot be fetched, and say why; each data set is tried once.

    Parameters
    ----------
    sources : sequence of DataSource
    config : SessionConfig

    Returns
    -------
    (list of DataSource, dict of str to str)
    """
    missing: dict[str, str] = {}
    for spec in dict.fromkeys(o.spec for o in sources if isinstance(o, MoabbSource)):
        first = next(o for o in sources if isinstance(o, MoabbSource) and o.spec == spec)
        if why := scan(first, config).missing:
            missing[spec] = why
    return [o for o in sources if not (isinstance(o, MoabbSource) and o.spec in missing)], missing


def not_run(missing: Mapping[str, str], choices: Choices) -> list[ResultRow]:
    """A row for each protocol and decoder of the data sets that are not here.

    Parameters
    ----------
    missing : mapping of str to str
        Why each data set is not here.
    choices : Choices

    Returns
    -------
    list of ResultRow
    """
    return [
        ResultRow(protocol, name, "", "", "", decoder, note=f"not run here: {why}")
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
    """Cut the trials that the cells need and that are not kept yet, one job for each source.

    Parameters
    ----------
    cells : sequence of Cell
    config : SessionConfig
    run : Workers
        Runs the jobs.
    progress : callable
        Told what is being done and the share done, 0 to 1.
    """
    missing = {cut.path: cut for cell in cells for cut in cell.cuts if not cut.path.exists()}
    by_source: dict[DataSource, list[Cut]] = {}
    for one in missing.values():
        by_source.setdefault(one.source, []).append(one)
    _all(run, partial(cut_all, config=config), list(by_source.values()), partial(progress, "cutting trials"))


def _compute(cells: Sequence[Cell], out: Path, run: Workers, progress: Progress) -> None:
    """Compute and keep, each cell as it is done."""
    for done, (number, rows) in enumerate(run(rows_of, cells), start=1):
        keep_rows(out, cells[number], rows)
        progress(f"evaluating ({done} of {len(cells)})", done / len(cells))


def keep_rows(out: Path, cell: Cell, rows: Sequence[ResultRow]) -> None:
    """Keep the rows of a cell.

    Parameters
    ----------
    out : Path
        Folder of the results.
    cell : Cell
    rows : sequence of ResultRow
    """
    _write(cell_path(out, cell), json.dumps([asdict(row) for row in rows], indent=1))


def cell_path(out: Path, cell: Cell) -> Path:
    """Where a finished cell is kept.

    Parameters
    ----------
    out : Path
        Folder of the results.
    cell : Cell

    Returns
    -------
    Path
    """
    return out / CELLS / f"{cell.key}.json"


def _read(path: Path) -> list[ResultRow]:
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
