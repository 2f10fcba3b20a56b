"""``bci judge``: does this person's control work, and what would more trials give?"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bci.session.judging.judge import Judgement

HELP = """Compare decoders on labelled recordings and say: works, more trials, or unlikely.

Decoder, band, window and channels are chosen inside a nested cross-validation over whole blocks of trials, so the
accuracy is that of a person who uses it tomorrow. docs/verdict.md has the rules. A recording may still be growing."""

EXAMPLES = """bci judge calibration.xdf --set markers.table.769=left --set markers.table.770=right
bci judge run1.edf run2.edf --set markers.table.T1=left --set markers.table.T2=right -o best.safetensors
bci judge growing.xdf --config session.toml --look 3 --looks 8 --json"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    from bci.config import add_config_options

    parser.add_argument("recordings", nargs="+", metavar="RECORDING", help="of one person, in order")
    parser.add_argument(
        "--look", type=int, metavar="N", help="which look at these trials it is, of --looks (default: the only one)"
    )
    parser.add_argument("--looks", type=int, metavar="N", help="looks that share the error (with --look; default 16)")
    parser.add_argument(
        "--trials-per-class", type=int, metavar="N", help="trials of each class that the forecast reaches to (default 80)"
    )
    parser.add_argument("--grid", default="live", metavar="NAME", help="candidates: live, full, or a TOML file (default live)")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes, -1 for one per core (default 1)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the permutations (default 0)")
    parser.add_argument("-o", "--model", metavar="FILE", help="train what was chosen on all trials and write it")
    parser.add_argument("--json", action="store_true", help="print the judgement as one JSON object")
    add_config_options(parser)


def run(args: argparse.Namespace) -> int:
    """Judge, and say what came out."""
    from dataclasses import replace
    from pathlib import Path

    from bci.config import config_of
    from bci.errors import ModelError
    from bci.session.judging.judge import fit_best, judge
    from bci.session.judging.settings import JudgeSettings
    from bci.session.progress import progress_bar
    from bci.session.training import open_labelled, write_model

    config = config_of(args)
    settings = JudgeSettings()
    if args.look is None:
        settings = replace(settings, looks=1)
    elif args.looks is not None:
        settings = replace(settings, looks=args.looks)
    if args.trials_per_class is not None:
        settings = replace(settings, trials_per_class=args.trials_per_class)
    if args.model and Path(args.model).exists():
        raise ModelError(f"{args.model}: exists already and is not overwritten; choose another name with -o")
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
    print(found.to_json() if args.json else _told(found))
    return 0


def _told(found: Judgement) -> str:
    """The judgement for people; the verdict is the last line."""
    trials = ", ".join(f"{n} {name}" for name, n in found.trials.items())
    lines = [f"{trials}; {len(found.rejected)} trials left out"]
    for row in found.rows:
        share = f"{100 * row.accuracy:5.1f} ({100 * row.low:.0f}–{100 * row.high:.0f})"
        lines.append(f"  {share:15} {row.candidate}{'  ← chosen' if row.chosen else ''}")
    if found.forecast:
        f = found.forecast
        curve = ", ".join(f"{100 * p.accuracy:.0f} with {p.trials}" for p in f.points)
        lines.append(
            f"learning curve: {curve}; forecast for {f.trials}: {100 * f.accuracy:.0f} ({100 * f.low:.0f}–{100 * f.high:.0f})"
        )
    lines += [
        f"null {x.name}: {'passed' if x.passed else 'FAILED'}, {100 * x.accuracy:.0f} %, p = {x.p_value:.2g}" for x in found.nulls
    ]
    lines += [f"note: {note}" for note in found.notes]
    lines += [f"advice: {text}" for text in found.verdict.advice]
    return "\n".join([*lines, found.verdict.line()])
