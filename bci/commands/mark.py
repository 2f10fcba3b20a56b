"""``bci mark``: declare channels of a running session bad, or good again."""

from __future__ import annotations

import argparse
import json

from bci.errors import ConfigError

HELP = """Mark channels of a running session as bad, or as good again.

From the next window on, the session continues without the bad channels. If too many channels are bad, or a channel that is
important for the decision, the session makes no decisions and says why. Marks are recorded, and `bci replay --verify` replays
them."""

EXAMPLES = """bci mark C3
bci mark C3,Pz
bci mark Pz --good
bci mark C3 --name lab2"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Of this command.
    """
    parser.add_argument("channels", nargs="+", metavar="CHANNEL", help="labels of the channels, as in the model")
    parser.add_argument("--good", action="store_true", help="mark the channels as good again")
    parser.add_argument("--name", default="bci", help="prefix of the session's streams (default bci)")
    parser.add_argument(
        "--session-id", default="", help="identifier of the session, if several sessions of that name are running"
    )
    parser.add_argument("--timeout", type=float, default=5.0, metavar="S", help="how long to wait for the session (default 5)")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")


def run(args: argparse.Namespace) -> int:
    """Mark, and wait until the session confirms it.

    Parameters
    ----------
    args : argparse.Namespace
        What was typed.

    Returns
    -------
    int
        Exit code.
    """
    from bci.session.marking import mark

    labels = [label for text in args.channels for label in text.replace(",", " ").split()]
    if not labels or not args.timeout > 0:
        raise ConfigError("bci mark: name at least one channel, and set --timeout to more than 0 seconds")
    events = mark(args.name, labels, not args.good, args.timeout, args.session_id)
    word = "good" if args.good else "bad"
    if args.json:
        print(json.dumps({"labels": labels, "bad": not args.good, "consumed": [e["consumed"] for e in events]}))
    else:
        print(f"{', '.join(labels)}: {word} from sample {events[-1]['consumed']} on")
    return 0
