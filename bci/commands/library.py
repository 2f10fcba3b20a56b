"""``bci library``: past calibrations of other people, for a head start."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bci.transfer.library import Library

HELP = """Store past calibrations in a library, from which decoders of new people can start.

A library is a folder with an index and with one sub-folder for each session. The sub-folder is named by a pseudonym, and
contains copies of the recordings. `bci train --library DIR` uses the library. Recordings of other programs may contain names in
their headers: anonymise them before you add them."""

EXAMPLES = """bci library add run1.xdf run2.xdf --library people --subject P003 --config session.toml
bci library list people
bci library check people
bci train --library people mine.xdf --set markers.table.769=left --set markers.table.770=right -o model.safetensors"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Of this command.
    """
    from bci.config import add_config_options

    actions = parser.add_subparsers(dest="action", metavar="add|list|check", required=True)
    add = actions.add_parser("add", help="copy the recordings of a session into the library")
    add.add_argument("recordings", nargs="+", metavar="FILE", help="recordings, in the order of the runs")
    add.add_argument("--library", required=True, metavar="DIR", help="folder of the library; it is created if it does not exist")
    add_config_options(add)
    for name, text in (("list", "list the sessions in the library"), ("check", "check that every file exists and is unchanged")):
        action = actions.add_parser(name, help=text)
        action.add_argument("library", metavar="DIR", help="folder of the library")
        if name == "check":
            action.add_argument("--scan", action="store_true", help="first write a new index")
    for action in actions.choices.values():
        action.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Do what was asked.

    Parameters
    ----------
    args : argparse.Namespace
        What was typed.

    Returns
    -------
    int
        Exit code.
    """
    from bci.errors import RecordingError
    from bci.transfer.library import Library

    if args.action == "add":
        library = _added(args)
    else:
        library = Library.scan(args.library) if getattr(args, "scan", False) else Library.open(args.library)
    if args.action != "check":
        print(_listing(library, args.json))
        return 0
    problems = library.check()
    if args.json:
        print(json.dumps({"library": str(library.path), "sessions": len(library.entries), "problems": problems}))
    else:
        print("\n".join(problems) or f"{library.path}: {len(library.entries)} sessions, and every file agrees with the index")
    return RecordingError.exit_code if problems else 0


def _added(args: argparse.Namespace) -> Library:
    from pathlib import Path

    from bci.config import config_of
    from bci.progress import progress_bar
    from bci.transfer.library import Library

    config = config_of(args)
    path = Path(args.library)
    with progress_bar("reading", quiet=args.json) as told:
        library = Library.scan(path, told)
        files = [Path(name) for name in args.recordings]
        return library.add(files, config.record.subject, config.record.session, config, told)


def _listing(library: Library, as_json: bool) -> str:
    """The sessions, for people or programs."""
    if as_json:
        from dataclasses import asdict

        return json.dumps({"library": str(library.path), "entries": [asdict(e) for e in library.entries]})
    lines = [
        f"{e.name}: {', '.join(f'{n} {c}' for c, n in e.trials.items())}; {len(e.labels)} channels at {e.rate_hz:g} Hz, "
        f"{len(e.recordings)} recording{'s' if len(e.recordings) > 1 else ''}"
        for e in library.entries
    ]
    return "\n".join([f"{library.path}: {len(library.entries)} sessions", *lines])
