"""Head start against own trials alone, leave one person out, written to ``docs/results/head-start.md``.

Examples
--------
::

    cd tests/benchmarks
    python -m headstart                                   # everything, about ten minutes
    python -m headstart --people 8 --draws 20 --out -     # a look
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from bci.progress import Progress, progress_bar

from .compare import Person, compare, gain
from .people import SKILLS, Subject, recorded, simulated

PAGE = Path(__file__).parents[3] / "docs" / "results" / "head-start.md"
FEW = 5
LEAST_GAIN = 3.0
MOST_COST = 1.0
HEAD = """# Head start from other people

Made by `cd tests/benchmarks && python -m headstart`; do not edit.

Each person in turn is the new person, and all others are donors. Of the new person, only the calibration trials are used, also
for recentring. The numbers are per cent correct; the chance level is 50.

- *Zero*: the prior from the donors alone, without any trial of the new person, also without recentring.
- *Few*: {few} trials of each class, drawn at random from one run (simulated people: from one third of the session) and tested on
  all other runs, with {draws} draws per person ({sim_draws} for simulated people).
- *Full*: all runs except one, tested on that one, for every run in turn.
- *Own only*: `ts-lr` fitted to the same trials of the new person.

The weight of the prior is chosen with the donors only, by treating each of them as a new person. The method was designed while
looking at these same people, so other people may gain less.
"""


def main() -> int:
    """Compute, write and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--people", type=int, default=30, help="simulated people")
    parser.add_argument("--draws", type=int, default=200, help="of few trials, per recorded person")
    parser.add_argument("--out", default=str(PAGE), help="default docs/results/head-start.md; - for none")
    parser.add_argument("--keep", type=Path, help="folder in which cut trials are kept for the next run")
    args = parser.parse_args()
    sim_draws = max(1, args.draws // 10)
    text = HEAD.format(few=FEW, draws=args.draws, sim_draws=sim_draws)
    passed = True
    with progress_bar("starting") as told:
        for title, subjects, draws in (
            (
                "Recorded: ds003810, imagined right hand or rest, 15 channels of a consumer board",
                list(recorded(args.keep)),
                args.draws,
            ),
            (
                f"Simulated: left or right hand, 8 channels, skill {SKILLS[0]:g} to {SKILLS[1]:g}",
                list(simulated(args.people, args.keep)),
                sim_draws,
            ),
        ):
            if len(subjects) > 1:
                section, ok = _section(title, subjects, draws, told)
                text += section
                passed &= ok
    if args.out != "-":
        Path(args.out).write_text(text, encoding="utf-8")
    print(text)
    return 0 if passed else 1


def _section(title: str, subjects: list[Subject], draws: int, told: Progress) -> tuple[str, bool]:
    """Table and verdict of one set of people."""
    found = []
    for place in range(len(subjects)):
        told(subjects[place].name, place / len(subjects))
        found.append(compare(subjects, place, FEW, draws))
    few, full = gain([p.few for p in found]), gain([p.full for p in found])
    ok = few[0] >= LEAST_GAIN and full[0] >= -MOST_COST
    lines = [
        f"\n## {title}\n",
        "| person | zero | few: own only | few: head start | full: own only | full: head start | own model took over |",
        f"{'|---' * 7}|",
        *(_line(p) for p in found),
        _line(_mean(found)),
        "",
        f"Gain with {FEW} trials of each class: **{few[0]:+.1f} points** (95 % interval {few[1]:+.1f} to {few[2]:+.1f}; people "
        f"and draws resampled), required {LEAST_GAIN:g}. With full calibration: **{full[0]:+.1f} points** ({full[1]:+.1f} to "
        f"{full[2]:+.1f}), allowed −{MOST_COST:g}. {'Met' if ok else '**Not met**'}. Better with few trials: "
        f"{sum(p.few[:, 1].mean() > p.few[:, 0].mean() for p in found)} of {len(found)} people.\n",
    ]
    return "\n".join(lines), ok


def _line(p: Person) -> str:
    few, full = 100 * p.few.mean(axis=0), 100 * p.full.mean(axis=0)
    cells = (f"{100 * p.zero:.1f}", *(f"{x:.1f}" for x in (*few, *full)), f"{p.took_over} of {len(p.full)}")
    return f"| {p.name} | {' | '.join(cells)} |"


def _mean(found: list[Person]) -> Person:
    few = np.array([[p.few.mean(axis=0) for p in found]]).mean(axis=1)
    full = np.concatenate([p.full.mean(axis=0)[None] for p in found]).mean(axis=0, keepdims=True)
    every = np.repeat(full, sum(len(p.full) for p in found), axis=0)
    return Person("**mean**", float(np.mean([p.zero for p in found])), few, every, sum(p.took_over for p in found))


if __name__ == "__main__":
    sys.exit(main())
