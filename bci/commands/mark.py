"""``bci mark``: declare channels of a running session bad, or good again."""

from __future__ import annotations

import argparse
import json

from bci.errors import ConfigError

HELP = """Declare channels of a running session bad, or good again.

The session goes on without a bad channel from the next window on, while few enough and none that carries the decision
are bad; else it says why it does not decide. What was marked is recorded, and replayed by `bci replay --verify`."""

EXAMPLES = """bci mark C3
bci mark C3,Pz
bci mark Pz --good
bci mark C3 --name lab2"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("channels", nargs="+", metavar="CHANNEL", help="labels of channels, as the model names them")
    parser.add_argument("--good", action="store_true", help="trust them again")
    parser.add_argument("--name", default="bci", help="prefix of the session's streams (default bci)")
    parser.add_argument("--session-id", default="", help="identifier of the session, where several of that name run")
    parser.add_argument("--timeout", type=float, default=5.0, metavar="S", help="how long to wait for the session (default 5)")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")


def run(args: argparse.Namespace) -> int:
    """Mark, and wait until the session says so."""
    from bci.session.marking import mark

    labels = [label for text in args.channels for label in text.replace(",", " ").split()]
    if not labels or not args.timeout > 0:
        raise ConfigError("bci mark: name at least one channel, and give --timeout more than 0 seconds")
    events = mark(args.name, labels, not args.good, args.timeout, args.session_id)
    word = "good" if args.good else "bad"
    if args.json:
        print(json.dumps({"labels": labels, "bad": not args.good, "consumed": [e["consumed"] for e in events]}))
    else:
        print(f"{', '.join(labels)}: {word} from sample {events[-1]['consumed']} on")
    return 0
