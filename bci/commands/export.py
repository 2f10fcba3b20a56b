"""``bci export``: recordings as a BIDS-EEG data set."""

from __future__ import annotations

import argparse
import json

HELP = """Write recordings into a BIDS-EEG folder, to share them or to analyse them with other programs.

Signals are written as BrainVision (float32) or EDF (16 bits), and markers as events.tsv with names and codes. The XDF files are
copied to sourcedata/. Lost samples are replaced by straight lines marked BAD_gap, so that all times stay correct. The command
writes no dates and no names of people or devices. Only the headers of the XDF files name the computer on which they were
recorded (--no-source leaves these files out)."""

EXAMPLES = """bci export recordings/ --out shared-data --set markers.table.769=left_hand --set markers.table.770=right_hand
bci export day1/*.xdf --pattern "{subject}_{session}_run{run}" --out shared-data --format edf
bci export session.xdf --subject P003 --out shared-data --validate"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Of this command.
    """
    from bci.config import add_config_options

    add = parser.add_argument
    add(
        "recordings",
        nargs="+",
        metavar="PATH",
        help="recordings (XDF, EDF, BDF, GDF, .vhdr, .fif, .set, .cnt, .ov), or folders of them",
    )
    add("--format", default="brainvision", metavar="NAME", help="format of the signals: brainvision (default) or edf")
    add(
        "--pattern",
        default="",
        metavar="TEXT",
        help="where file names contain subject, session and run, e.g. '{subject}_S{session}R{run}'",
    )
    add("--name", default="EEG recordings", metavar="TEXT", help="name of the data set")
    add("--licence", default="", metavar="TEXT", help="licence of the data set, for instance CC0")
    add("--author", action="append", default=[], metavar="NAME", help="author of the data set (repeatable; default: no author)")
    add("--no-source", action="store_true", help="do not copy the XDF files")
    add(
        "--validate",
        action="store_true",
        help="run the BIDS validator on the folder afterwards; if it finds a fault, the exit code is 5",
    )
    add("--json", action="store_true", help="print the result as one JSON object")
    add_config_options(parser)


def run(args: argparse.Namespace) -> int:
    """Export, and print what was written.

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

    from bci.bids.entities import files_of
    from bci.bids.export import ExportChoices, export, validate
    from bci.config import config_of
    from bci.errors import RecordingError
    from bci.progress import progress_bar

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
        notes = f", {e.gaps} gaps" * (e.gaps > 0) + f", {e.left_out} markers outside the signal left out" * (e.left_out > 0)
        print(f"{e.path}: {e.events} events{notes}; resolution {e.resolution_uv:.2g} µV")
        print("".join(f"note: {e.source.name}: {note}\n" for note in e.notes), end="")
    if args.validate:
        print("\n".join(problems) or f"{out}: valid BIDS")
    return RecordingError.exit_code if problems else 0
