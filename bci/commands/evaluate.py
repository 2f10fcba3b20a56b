"""``bci evaluate``: what a decoder is worth, on recordings, BIDS folders and public data sets."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bci.evaluation.evaluate import Evaluated

HELP = """Estimate how accurate decoders are on recordings, a BIDS folder, or any MOABB data set.

Every protocol is causal and block-wise: trials are cut with the same steps as in a live session, and a decoder never sees the
block on which it is tested. The command writes a table (CSV and Markdown) and plots into --out (default: evaluation). It keeps
finished results: if you run the same command again, it continues where it was interrupted.

  within         each block of a session is decoded by a model of the other blocks
  chronological  the last run of a session is decoded by a model of its earlier runs
  cross-session  each session is decoded by a model of the sessions before it
  cross-subject  each person is decoded by a model of the other people
  few-shot       the later half of a session is decoded by models of 1, 2, 5, 10, 20 trials per class of the earlier half
  pseudo-online  the engine runs over the continuous recording, with an idle class: nMCC, false activations per minute, ITR
  recentring     later runs are decoded by the engine with and without causal recentring

Each decoder is compared with --baseline, trial by trial on the same trials. Decoders whose training is random (networks) can be
trained with several --seeds. For public data sets, the table also shows the figures that others have published."""

EXAMPLES = """bci evaluate recordings/ --set markers.table.769=left --set markers.table.770=right
bci evaluate data/*.edf --pattern "{subject}_RUN{session}" --protocol within --protocol cross-session --config session.toml
bci evaluate bids-folder/ --protocol cross-subject --decoder ts-lr --decoder csp-lda --jobs 8
bci evaluate --moabb BNCI2014_001 --protocol within --set preprocessing.window_s=2 --set trial.stop_s=2.5
bci evaluate recordings/ --protocol chronological --protocol cross-subject --decoder ts-lr --decoder eegnet --seeds 3
bci evaluate bids-folder/ --protocol few-shot --head-start --cluster tcp://scheduler:8786"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Of this command.
    """
    from bci.config import add_config_options

    add = parser.add_argument
    add("recordings", nargs="*", metavar="PATH", help="files, folders of files, or BIDS folders")
    add("--moabb", action="append", default=[], metavar="NAME", help="a MOABB data set, fetched on first use (repeatable)")
    add("--protocol", action="append", default=[], metavar="NAME", help="see above; repeatable (default within)")
    add("--decoder", action="append", default=[], metavar="NAME", help="decoder to evaluate; repeatable (default: decoder.name)")
    add(
        "--pattern",
        default="",
        metavar="TEXT",
        help="where file names contain subject, session and run, e.g. '{subject}_S{session}R{run}'",
    )
    add("--head-start", action="store_true", help="cross-subject and few-shot: also with other people's calibrations")
    add("--trials", default="1,2,5,10,20", metavar="N,N", help="few-shot: trials per class (default 1,2,5,10,20)")
    add("--draws", type=int, default=10, help="few-shot: number of random draws of the training trials (default 10)")
    add("--folds", type=int, default=5, help="within: number of blocks, if there are fewer than three runs (default 5)")
    add("--seed", type=int, default=0, help="seed of the draws, and the first of --seeds (default 0)")
    add("--seeds", type=int, default=1, metavar="N", help="number of trainings of a decoder whose training is random (default 1)")
    add("--baseline", default="ts-lr", metavar="NAME", help="decoder that the others are compared with (default ts-lr)")
    add("--task-s", type=float, default=0.0, metavar="S", help="pseudo-online: how long a task lasts (default trial.stop_s)")
    add("--jobs", type=int, default=-1, metavar="N", help="number of processes (default: one for each core)")
    add("--cluster", default="", metavar="ADDRESS", help="a Dask scheduler, or 'local' to start one")
    add("--plots", default="png", choices=("png", "svg", "none"), help="format of the plots (default png)")
    add("--json", action="store_true", help="print the rows as one JSON object")
    add_config_options(parser)


def run(args: argparse.Namespace) -> int:
    """Evaluate, and print the results.

    Parameters
    ----------
    args : argparse.Namespace
        What was typed.

    Returns
    -------
    int
        Exit code.
    """
    from pathlib import Path

    from bci.config import config_of
    from bci.evaluation.background_jobs import workers
    from bci.evaluation.evaluate import evaluate
    from bci.evaluation.plan import Choices, current_protocols
    from bci.evaluation.sources import find_sources
    from bci.progress import progress_bar

    config = config_of(args)
    protocols, warnings = current_protocols(args.protocol or ("within",))
    print("".join(f"warning: {text}\n" for text in warnings), end="", file=sys.stderr)
    choices = Choices(
        protocols=protocols,
        decoders=tuple(dict.fromkeys(args.decoder)) or (config.decoder.name,),
        head_start=args.head_start,
        trials_per_class=_numbers(args.trials),
        draws=args.draws,
        folds=args.folds,
        seed=args.seed,
        task_s=args.task_s,
        seeds=args.seeds,
        baseline=args.baseline,
    )
    _check_decoders((*choices.decoders, choices.baseline))
    out = Path(args.out or "evaluation")
    with progress_bar("reading", quiet=args.json) as told:
        sources = find_sources([Path(p) for p in args.recordings], args.pattern, args.moabb)
        with workers(args.jobs, args.cluster) as working:
            result = evaluate(sources, config, choices, out, working, told)
    plots = _draw(result, out, args.plots)
    if args.json:
        print(json.dumps(_document(result, [str(p) for p in plots])))
        return 0
    _tell(result, out)
    return 0


def _numbers(text: str) -> tuple[int, ...]:
    """Whole numbers between commas."""
    from bci.errors import ConfigError

    try:
        return tuple(sorted({int(part) for part in text.split(",")}))
    except ValueError:
        raise ConfigError(f"--trials {text}: must be whole numbers separated by commas, such as 1,2,5,10,20") from None


def _check_decoders(names: tuple[str, ...]) -> None:
    """Refuse unknown names before anything is read."""
    from bci.model.family import load_family

    for name in names:
        load_family(name)


def _draw(result: Evaluated, out: Any, kind: str) -> list[Any]:
    if kind == "none":
        return []
    from bci.evaluation.plots import draw

    return draw(result.rows, out, kind)


def _document(result: Evaluated, plots: list[str]) -> dict[str, Any]:
    """The result for programs."""
    from dataclasses import asdict

    rows = [asdict(row) for row in result.rows]
    return {
        "rows": rows,
        "computed": result.computed,
        "kept": result.kept,
        "left_out": list(result.left_out),
        "notes": list(result.notes),
        "compared": [asdict(one) for one in result.compared],
        "plots": plots,
    }


def _tell(result: Evaluated, out: Any) -> None:
    """The means for people; every row is in the files."""
    print(result.text)
    for name in result.left_out:
        print(f"note: {name} contains no cue and was left out")
    print("".join(f"note: {note}\n" for note in result.notes), end="")
    failed = [row for row in result.rows if row.accuracy is None]
    if failed:
        print(f"{len(failed)} of {len(result.rows)} rows have no accuracy, for instance {failed[0].subject}: {failed[0].note}")
    print(f"{result.computed} results computed, {result.kept} kept from before; all are in {out}/table.csv and table.md")
