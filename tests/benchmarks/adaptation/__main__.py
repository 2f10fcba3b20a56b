"""Accuracy with and without following the signal, on simulated people, with and without a drift.

Examples
--------
::

    cd tests/benchmarks
    python -m adaptation --seeds 0-49               # about an hour of processor time
    python -m adaptation --seeds 0-9 --drift gains
"""

from __future__ import annotations

import argparse

import numpy as np
from joblib import Parallel, delayed

from adaptation.sessions import DRIFTS, WAYS, Decoded, decoded, session

SKILLS = (0.3, 0.8)


def one(seed: int, drift: str) -> dict[str, Decoded]:
    """One person; skills are spread evenly over the seeds."""
    skill = SKILLS[0] + (SKILLS[1] - SKILLS[0]) * (seed * 0.618 % 1)
    return decoded(*session(seed, skill, drift), drift, tuple(WAYS))


def lines(drift: str, found: list[dict[str, Decoded]]) -> list[str]:
    """A row for each way: mean accuracy, and the paired difference to none with its 95 % interval over people."""
    plain = np.array([f["none"].accuracy for f in found])
    rows = []
    for way in WAYS:
        accuracy = np.array([f[way].accuracy for f in found])
        gain = 100 * (accuracy - plain)
        half = 1.96 * gain.std(ddof=1) / np.sqrt(len(gain)) if len(gain) > 1 else np.nan
        recentred, bias = (max(getattr(f[way], name) for f in found) for name in ("recentred", "bias"))
        bounded = "yes" if all(f[way].finite for f in found) else "NO"
        against = f"{gain.mean():+.1f} ({gain.mean() - half:+.1f} to {gain.mean() + half:+.1f})"
        rows.append(f"| {drift} | {way} | {100 * accuracy.mean():.1f} | {against} | {recentred:.2f} | {bias:.2f} | {bounded} |")
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", default="0-49", help="first-last")
    parser.add_argument("--drift", action="append", choices=DRIFTS, help="may be repeated (default: all)")
    parser.add_argument("--jobs", type=int, default=1)
    args = parser.parse_args()
    first, last = map(int, args.seeds.split("-"))
    print(f"seeds {first}–{last}, skill {SKILLS[0]} to {SKILLS[1]}\n")
    print("| drift | follows by | correct % | against none, points | furthest recentred | largest bias | finite |")
    print("|---|---|---|---|---|---|---|")
    for drift in args.drift or DRIFTS:
        found = Parallel(args.jobs)(delayed(one)(seed, drift) for seed in range(first, last + 1))
        print("\n".join(lines(drift, found)), flush=True)


if __name__ == "__main__":
    main()
