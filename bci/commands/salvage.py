"""``bci salvage``."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

HELP = """Rescue the complete samples of a damaged or interrupted recording into a new file.

The command does not change the old file, and lists what it could not rescue."""
EXAMPLES = """
bci salvage FILE                     writes FILE_salvaged.xdf beside it
bci salvage FILE -o rescued.xdf
bci salvage night.edf                writes night_salvaged.edf with all complete records and a correct header
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Of this command.
    """
    parser.add_argument("file", type=Path, help="an XDF, EDF or BDF file")
    parser.add_argument("-o", "--out", type=Path, metavar="OUT", help="the new file, which must not exist yet")
    parser.add_argument("--json", action="store_true", help="print a JSON object")


def run(args: argparse.Namespace) -> int:
    """Rescue, and print what was lost.

    Parameters
    ----------
    args : argparse.Namespace
        What was typed.

    Returns
    -------
    int
        Exit code.
    """
    from bci.stream.xdf.salvage import salvage

    result = salvage(args.file, args.out)
    if args.json:
        print(json.dumps({**asdict(result), "path": str(result.path)}))
        return 0
    print(f"written: {result.path}")
    for name, count in result.recovered.items():
        missing = result.missing.get(name, 0)
        print(f"  {name}: {count} samples" + (f", {missing} are missing" if missing else ""))
    for problem in result.problems:
        print(f"  {problem}")
    print(f"{result.left_out} bytes could not be used" if result.left_out else "nothing was left out")
    return 0
