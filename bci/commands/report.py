"""``bci report``: a calibration as one HTML page."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = """Write a calibration as one HTML page: the verdict first, then all it rests on.

Of a calibration that was made here, name its folder or a recording: configuration, judgement and model are found beside it.
Any other labelled recording is judged first; say with markers.table what its cues mean. The page needs nothing else: no
network, no other file. It names recordings by their file names and holds nothing else about a person."""

EXAMPLES = """bci report recordings/sub-P003
bci report sub-P003_ses-S001_task-calibration_run-001_eeg.xdf -o P003.html
bci report run1.edf --set markers.table.T1=left --set markers.table.T2=right --judgement judged.json"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    from bci.config import add_config_options

    parser.add_argument("place", type=Path, metavar="SESSION_DIR|RECORDING", help="a calibration, or a labelled recording")
    parser.add_argument("--model", type=Path, metavar="FILE", help="model that was trained on it (default: the one beside it)")
    parser.add_argument("--judgement", type=Path, metavar="FILE", help="what bci judge --json said (default: the one beside it)")
    parser.add_argument("-o", "--page", type=Path, metavar="FILE", help="page to write (default: beside the recording)")
    add_config_options(parser)


def run(args: argparse.Namespace) -> int:
    """Find out, write, and say where."""
    from bci.config import config_of
    from bci.errors import ConfigError
    from bci.session.calibration.report import report_on, report_path, write_report
    from bci.session.progress import progress_bar

    if not args.place.exists():
        raise ConfigError(f"{args.place}: is not there; name a folder or a recording of a calibration")
    with progress_bar("reading", quiet=False) as told:
        found = report_on(args.place, config_of(args), args.model, args.judgement, told)
        path = write_report(args.page or report_path(found.recordings[-1]), found)
    print(path)
    print(found.judgement.verdict.line())
    return 0
