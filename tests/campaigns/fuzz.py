"""A campaign of hostile files and messages: ``python tests/campaigns/fuzz.py --seconds 60 --seed 1 --kind model xdf``.

Each attempt must end within a second of the processor and 100 MB, well or with an error of this project's own. What fails
otherwise is printed once for each fault, with the bytes that show it in ``--found``; put them into ``tests/corpus`` once the
fault is mended. Exit code 1 where there was any.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "support"), str(Path(__file__).parents[2])]

from fuzz_files import file_targets  # noqa: E402
from fuzz_wires import WIRE_TARGETS  # noqa: E402
from fuzzing import Target, attempt  # noqa: E402

MOST_MEMORY = 6 << 30
SAID_EVERY_S = 10.0


def main() -> int:
    """Run it."""
    with tempfile.TemporaryDirectory() as folder:
        targets = {target.name: target for target in (*file_targets(Path(folder)), *WIRE_TARGETS)}
        parser = argparse.ArgumentParser(description=__doc__)
        parser.add_argument("--seconds", type=float, default=60.0, help="for each kind")
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--kind", nargs="*", choices=sorted(targets), default=list(targets))
        parser.add_argument("--found", type=Path, default=Path("fuzz-found"), help="folder for what fails")
        chosen = parser.parse_args()
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
        failures = sum(attempts(targets[kind], chosen.seconds, chosen.seed, Path(folder), chosen.found) for kind in chosen.kind)
    return 1 if failures else 0


def attempts(target: Target, seconds: float, seed: int, folder: Path, found: Path) -> int:
    """Attack one target for a while; how many faults were found."""
    rng, seen, outcomes = random.Random(f"{seed} {target.name}"), set[str](), Counter[str]()
    slowest, largest, said, until = 0.0, 0.0, time.monotonic(), time.monotonic() + seconds
    while time.monotonic() < until:
        content = target.make(rng)
        result = attempt(target, content, folder)
        outcomes[result.outcome if result.outcome in ("fine", "refused") else "other"] += 1
        slowest, largest = max(slowest, result.seconds), max(largest, result.megabytes)
        if result.failure and result.failure not in seen:
            seen.add(result.failure)
            found.mkdir(parents=True, exist_ok=True)
            path = found / f"{target.name.replace(' ', '-')}-{len(seen)}.bin"
            path.write_bytes(content)
            print(f"  {target.name}: {result.failure} ({result.seconds:.2f} s, {result.megabytes:.0f} MB): {path}", flush=True)
        if time.monotonic() > said + SAID_EVERY_S:
            said = time.monotonic()
            print(f"  {target.name}: {dict(outcomes)}, {until - said:.0f} s left", flush=True)
    print(f"{target.name}: {dict(outcomes)}, at most {slowest:.2f} s and {largest:.0f} MB, {len(seen)} faults", flush=True)
    return len(seen)


if __name__ == "__main__":
    sys.exit(main())
