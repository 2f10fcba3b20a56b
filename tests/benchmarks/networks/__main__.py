"""``make networks``: every decoder on the real recordings, into ``docs/results/networks-results.md``; goes on where it stopped.

Examples
--------
::

    make networks                                              # everything; hours with one core
    make networks ARGS="--minutes 30"                          # as far as half an hour goes; again goes on from there
    make networks ARGS="--decoders ts-lr,csp-lda --seeds 1"    # a part
    make networks ARGS="--moabb BNCI2014_001"                  # public data sets too, fetched on first use
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from bci.evaluation.evaluate import reachable
from bci.evaluation.sources import find_sources
from bci.settings import SessionConfig

from .page import page
from .work import NETWORKS, SIMPLE, compute, finished, in_turn, installed, planned, sets

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "results" / "networks-results.md"
KEPT = ROOT / "recordings" / "networks"


def main() -> int:
    """Compute what is missing, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--decoders", default=",".join((*SIMPLE, *NETWORKS)), help="comma-separated")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each network (default 3)")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="no new result is begun after so long")
    parser.add_argument("--moabb", action="append", default=[], metavar="NAME", help="say whether this data set can be fetched")
    parser.add_argument("--out", type=Path, default=KEPT, help="where results are kept (default recordings/networks)")
    parser.add_argument("--page", type=Path, default=PAGE, help="default docs/results/networks-results.md")
    args = parser.parse_args()
    until_s = time.monotonic() + 60 * args.minutes
    there = [s for s in sets() if all(path.exists() for path in s.paths) and s.paths]
    if not there:
        print("the real recordings are not here (looked in shared/data beside the project)", file=sys.stderr)
        return 2
    asked = tuple(args.decoders.split(","))
    decoders = installed(asked)
    plans = [planned(one, decoders, args.seeds, args.out) for one in there]
    compute(in_turn(plans, decoders), args.out, until_s, lambda text: print(text, flush=True))
    missing = fetched(args.moabb, args.out)
    absent = [name for name in asked if name not in decoders]
    args.page.write_text(page(plans, finished(plans, args.out), args.out, absent, missing), encoding="utf-8")
    print(f"{args.page} written")
    return 0


def fetched(names: list[str], out: Path) -> dict[str, str]:
    """Why public data sets are not here; what was found out before is kept."""
    kept = out / "not-fetched.json"
    missing: dict[str, str] = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    for name in names:
        missing.pop(name, None)
        missing |= reachable(find_sources([], moabb=[name]), SessionConfig())[1]
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(missing), encoding="utf-8")
    return missing


if __name__ == "__main__":
    sys.exit(main())
