"""``bci judge``: does this person's control work, and what would more trials give?"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass

HELP = """Compare decoders on labelled recordings. The verdict is works, more trials, or unlikely.

Decoder, band, window and channels are chosen inside a nested cross-validation over whole blocks of trials. Therefore the
accuracy is an estimate of how well the chosen decoder will work on new trials of the same person. docs/explanations/verdict.md
explains the rules. A recording may still be growing."""

EXAMPLES = """bci judge calibration.xdf --set markers.table.769=left --set markers.table.770=right
bci judge run1.edf run2.edf --set markers.table.T1=left --set markers.table.T2=right -o best.safetensors
bci judge growing.xdf --config session.toml --look 3 --looks 8 --json"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Of this command.
    """
    from bci.config import add_config_options

    parser.add_argument("recordings", nargs="+", metavar="RECORDING", help="recordings of one person, in the order of time")
    parser.add_argument(
        "--look",
        type=int,
        metavar="N",
        help="number of this look at the trials, out of --looks (default: there is only one look)",
    )
    parser.add_argument(
        "--looks", type=int, metavar="N", help="planned number of looks, which share one error rate (with --look; default 16)"
    )
    parser.add_argument(
        "--trials-per-class", type=int, metavar="N", help="number of trials per class up to which the forecast goes (default 80)"
    )
    parser.add_argument(
        "--grid",
        default="live",
        metavar="NAME",
        help="candidates: live, full, configured (only the configured decoder), or a TOML file (default live)",
    )
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="number of processes, -1 for one per core (default 1)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the permutations (default 0)")
    parser.add_argument(
        "-o", "--model", metavar="FILE", help="train the chosen decoder on all trials, and write the model to this file"
    )
    parser.add_argument("--json", action="store_true", help="print the judgement as one JSON object")
    add_config_options(parser)


def run(args: argparse.Namespace) -> int:
    """Judge, and print the verdict.

    Parameters
    ----------
    args : argparse.Namespace
        What was typed.

    Returns
    -------
    int
        Exit code.
    """
    from dataclasses import replace
    from pathlib import Path

    from bci.config import config_of
    from bci.errors import ModelError
    from bci.judging.best_fit import fit_best
    from bci.judging.judge import judge
    from bci.judging.settings import JudgeSettings
    from bci.progress import progress_bar
    from bci.training.labelled import open_labelled
    from bci.training.train import write_model

    config = config_of(args)
    settings = JudgeSettings()
    if args.look is None:
        settings = replace(settings, looks=1)
    elif args.looks is not None:
        settings = replace(settings, looks=args.looks)
    if args.trials_per_class is not None:
        settings = replace(settings, trials_per_class=args.trials_per_class)
    if args.model and Path(args.model).exists():
        raise ModelError(f"{args.model}: already exists and is not overwritten; choose another name with -o")
    with progress_bar("reading", quiet=args.json) as told:
        runs = [open_labelled(Path(name), config) for name in args.recordings]
        found = judge(
            runs,
            config,
            look=args.look or 1,
            seed=args.seed,
            progress=told,
            settings=settings,
            grid=args.grid,
            jobs=args.jobs,
        )
        if args.model:
            write_model(Path(args.model), fit_best(runs, config, found.best, found, told), config)
    print(found.to_json() if args.json else found.to_text())
    return 0
