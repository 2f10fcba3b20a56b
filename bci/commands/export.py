"""``bci export``: recordings as a BIDS-EEG data set."""

from __future__ import annotations

import argparse
import json

HELP = """Write recordings into a BIDS-EEG folder, to share or to analyse with other programs.

Signals become BrainVision (float32) or EDF (16 bits), markers events.tsv with names and codes; the XDF files themselves go
to sourcedata/. Lost samples become lines marked BAD_gap, so that time stays true. No dates, no names of people or devices
are written; only the XDF files' own headers name the computer they were recorded on (--no-source leaves them out)."""

EXAMPLES = """bci export recordings/ --out shared-data --set markers.table.769=left_hand --set markers.table.770=right_hand
bci export day1/*.xdf --pattern "{subject}_{session}_run{run}" --out shared-data --format edf
bci export session.xdf --subject P003 --out shared-data --validate"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    from bci.config import add_config_options

    add = parser.add_argument
    add("recordings", nargs="+", metavar="PATH", help="XDF, EDF, BDF, GDF, .vhdr, .fif, .set, .cnt, .ov; or folders of them")
    add("--format", default="brainvision", metavar="NAME", help="brainvision (default) or edf")
    add("--pattern", default="", metavar="TEXT", help="how file names say who and when, e.g. '{subject}_S{session}R{run}'")
    add("--name", default="EEG recordings", metavar="TEXT", help="of the data set")
    add("--licence", default="", metavar="TEXT", help="for instance CC0")
    add("--author", action="append", default=[], metavar="NAME", help="to be named as author (repeatable; default nobody)")
    add("--no-source", action="store_true", help="leave the XDF files out")
    add("--validate", action="store_true", help="run the BIDS validator on the folder afterwards; exit code 5 if it objects")
    add("--json", action="store_true", help="print the result as one JSON object")
    add_config_options(parser)


def run(args: argparse.Namespace) -> int:
    """Export, and say what was written."""
    from pathlib import Path

    from bci.config import config_of
    from bci.errors import RecordingError
    from bci.session.evaluation.bids import ExportChoices, export, validate
    from bci.session.evaluation.names import files_of
    from bci.session.progress import progress_bar

    config = config_of(args)
    choices = ExportChoices(args.format, args.pattern, args.name, args.licence, tuple(args.author), not args.no_source)
    out = Path(args.out or "bids")
    paths = files_of(Path(p) for p in args.recordings)
    done = []
    with progress_bar("exporting", quiet=args.json) as told:
        for i, path in enumerate(paths):
            told(f"exporting {path.name}", i / len(paths))
            done.append(export(path, out, config, choices))
    problems = validate(out) if args.validate else []
    if args.json:
        files = [
            {
                "source": str(e.source),
                "path": str(e.path),
                "events": e.events,
                "gaps": e.gaps,
                "left_out": e.left_out,
                "resolution_uv": e.resolution_uv,
                "notes": list(e.notes),
            }
            for e in done
        ]
        print(json.dumps({"out": str(out), "files": files, "validated": bool(args.validate), "problems": problems}))
        return RecordingError.exit_code if problems else 0
    for e in done:
        notes = f", {e.gaps} gaps" * (e.gaps > 0) + f", {e.left_out} markers outside of the signal left out" * (e.left_out > 0)
        print(f"{e.path}: {e.events} events{notes}; values to {e.resolution_uv:.2g} µV")
        print("".join(f"note: {e.source.name}: {note}\n" for note in e.notes), end="")
    if args.validate:
        print("\n".join(problems) or f"{out}: valid BIDS")
    return RecordingError.exit_code if problems else 0
