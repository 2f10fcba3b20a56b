"""How often a verdict is wrong: simulated people at chance, and people who can.

Examples
--------
::

    cd tests/benchmarks
    python -m verdict --skill 0 --seeds 0-499                 # nobody may be told "works": at most 1 in 100
    python -m verdict --skill 0.26 --seeds 0-49 --truth       # true accuracy about 70 %: at least 80 in 100
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, replace

import numpy as np
from joblib import Parallel, delayed, parallel_config

from bci.judging.settings import JudgeSettings
from bci.training.chance import interval

from .simulated import told


def main() -> int:
    """Judge, count and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--skill", type=float, default=0.0, help="of the simulated people, 0 to 1")
    parser.add_argument("--seeds", default="0-499", help="first and last, for instance 0-499")
    parser.add_argument("--looks", type=int, default=JudgeSettings().looks)
    parser.add_argument("--truth", action="store_true", help="measure the true accuracy on 200 fresh trials")
    parser.add_argument("--forecast", action="store_true", help="with --truth: is it inside the forecast of the first quarter?")
    parser.add_argument("--jobs", type=int, default=-1)
    parser.add_argument("--json", action="store_true", help="one line for each person")
    args = parser.parse_args()
    first, _, last = args.seeds.partition("-")
    seeds = range(int(first), int(last or first) + 1)
    settings = replace(JudgeSettings(), looks=args.looks)
    began = time.perf_counter()
    people = []
    with parallel_config("loky", n_jobs=args.jobs, inner_max_num_threads=1):
        jobs = (delayed(told)(seed, args.skill, settings, args.truth, args.forecast) for seed in seeds)
        for person in Parallel(return_as="generator")(jobs):
            people.append(person)
            if args.json:
                print(json.dumps(asdict(person)), flush=True)
    works = [p for p in people if p.word == "works"]
    low, high = interval(len(works), len(people))
    print(f"skill {args.skill:g}, seeds {args.seeds}, {args.looks} looks, {time.perf_counter() - began:.0f} s")
    print(
        f"told 'works': {len(works)} of {len(people)} = {100 * len(works) / len(people):.1f} % ({100 * low:.1f}–{100 * high:.1f})"
    )
    if works:
        print(f"after {np.median([p.trials for p in works]):.0f} trials in the median, seeds {[p.seed for p in works][:20]}")
    if args.truth:
        _about_truth(people, settings)
    return 0


def _about_truth(people: list, settings: JudgeSettings) -> None:  # type: ignore[type-arg]
    true = np.array([p.true for p in people])
    print(f"true accuracy: mean {100 * true.mean():.1f} %, from {100 * true.min():.0f} to {100 * true.max():.0f}")
    near = [p for p in people if 0.67 <= p.true <= 0.73]
    if near:
        print(f"of {len(near)} between 67 and 73 %: {sum(p.word == 'works' for p in near)} told 'works'")
    told_low = [p for p in people if p.word == "works"]
    if told_low:
        print(f"true accuracy below the interval that was told: {np.mean([p.true < p.low for p in told_low]):.2f}")
    ahead = [(p.true, *p.forecast) for p in people if p.forecast]
    if ahead:
        inside = np.mean([low <= t <= high for t, low, high in ahead])
        above = np.mean([t > high for t, _, high in ahead])
        print(f"forecast after a quarter of the trials: {100 * inside:.0f} % inside its interval, {100 * above:.0f} % above it")


if __name__ == "__main__":
    sys.exit(main())
