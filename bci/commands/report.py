"""``bci report``: a calibration as one HTML page."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = """Write a report of a calibration as one HTML page: first the verdict, then the evidence for it.

If bci made the calibration, name its folder or one of its recordings; the command finds the configuration, the judgement and the
model beside it. Any other labelled recording is judged first; markers.table must name its cues and their classes. The page
needs no network and no other file. It contains the file names of the recordings, and nothing else about a person."""

EXAMPLES = """bci report recordings/sub-P003
bci report sub-P003_ses-S001_task-calibration_run-001_eeg.xdf -o P003.html
bci report run1.edf --set markers.table.T1=left --set markers.table.T2=right --judgement judged.json"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Of this command.
    """
    from bci.config import add_config_options

    parser.add_argument("place", type=Path, metavar="SESSION_DIR|RECORDING", help="a calibration, or a labelled recording")
    parser.add_argument("--model", type=Path, metavar="FILE", help="model that was trained on it (default: the one beside it)")
    parser.add_argument("--judgement", type=Path, metavar="FILE", help="output of bci judge --json (default: the one beside it)")
    parser.add_argument("-o", "--page", type=Path, metavar="FILE", help="page to write (default: beside the recording)")
    add_config_options(parser)


def run(args: argparse.Namespace) -> int:
    """Write the report, and print its path and the verdict.

    Parameters
    ----------
    args : argparse.Namespace
        What was typed.

    Returns
    -------
    int
        Exit code.
    """
    from bci.calibration.report import report_on, report_path, write_report
    from bci.config import config_of
    from bci.errors import ConfigError
    from bci.progress import progress_bar

    if not args.place.exists():
        raise ConfigError(f"{args.place}: does not exist; name a folder or a recording of a calibration")
    with progress_bar("reading", quiet=False) as told:
        found = report_on(args.place, config_of(args), args.model, args.judgement, told)
        path = write_report(args.page or report_path(found.recordings[-1]), found)
    print(path)
    print(found.judgement.verdict.line())
    return 0
