"""Whether the tests would notice: small faults are planted one by one, and the tests of what they are planted into must fail.

``python tests/mutation guard`` plants 40 faults, the same each time, into a copy of the tree, and prints what survives;
``--all`` plants every fault that there is. Exit code 1 where fewer than 95 % are found (38 of 40).
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from equivalent import EQUIVALENT
from plant import Fault, faults
from targets import TARGETS, Target

ROOT = Path(__file__).parents[2]
PARTS = ("bci", "devices", "pipelines", "gui", "tests", "pyproject.toml")
ENOUGH = 0.95
SLOWER = 3.0
"""Tests with a fault that take so many times what they take without one hang; a busy machine alone makes them slower too."""


def chosen(root: Path, target: Target, n: int, seed: int) -> list[Fault]:
    """The faults to plant: ``n`` by a fixed seed, or all (0); every run over the same tree takes the same."""
    found = [fault for file in target.files for fault in faults(root, file) if fault.key() not in EQUIVALENT]
    return random.Random(seed).sample(found, n) if 0 < n < len(found) else found


class Tree:
    """A copy of the tree in which faults are planted, one at a time."""

    def __init__(self, folder: Path, target: Target) -> None:
        self.folder, self.target, self.limit_s = folder, target, 10 * target.limit_s
        for part in PARTS:
            copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy2
            copy(ROOT / part, folder / part)
        self.right = {file: (folder / file).read_bytes() for file in target.files}
        self.writes = 0

    def fails(self, fault: Fault) -> str:
        """How the tests fail with this fault; empty where they pass."""
        self.write(fault.file, fault.planted(self.right[fault.file]))
        try:
            return self.run()
        finally:
            self.write(fault.file, self.right[fault.file])

    def write(self, file: str, text: bytes) -> None:
        """Another content, and another time, because Python knows by size and second whether compiled code is of a file."""
        self.writes += 1
        (self.folder / file).write_bytes(text)
        os.utime(self.folder / file, (self.writes, self.writes))

    def run(self) -> str:
        """How the tests fail; empty where they pass."""
        tests = [test for test in self.target.tests if (self.folder / test).exists()]
        words = ["-x", "-q", "-p", "no:cacheprovider", "--hypothesis-seed=0", *tests]
        env = {**os.environ, "PYTHONPATH": str(self.folder), "OPENBLAS_NUM_THREADS": "1"}
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "pytest", *words], cwd=self.folder, env=env, stdout=output, stderr=subprocess.STDOUT
            )
            try:
                if process.wait(self.limit_s) == 0:
                    return ""
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                return "took too long"
            output.seek(0)
            lines = output.read().decode(errors="replace").splitlines()
        return next((line for line in lines if line.startswith(("FAILED", "ERROR"))), lines[-1] if lines else "failed")


def check(name: str, n: int, seed: int, jobs: int, quiet: bool) -> bool:
    """Plant into one target; whether the tests find enough."""
    target = TARGETS[name]
    began, survivors = time.monotonic(), []
    with tempfile.TemporaryDirectory() as folder:
        trees = [Tree(Path(folder) / str(i), target) for i in range(jobs)]
        planted = chosen(trees[0].folder, target, n, seed)
        if wrong := trees[0].run():
            print(f"{name}: the tests fail without any fault: {wrong}")
            return False
        for tree in trees:
            tree.limit_s = max(target.limit_s, SLOWER * (time.monotonic() - began))

        def one(job: int) -> None:
            for k in range(job, len(planted), jobs):
                fault = planted[k]
                found = trees[job].fails(fault)
                if not found:
                    survivors.append(fault)
                if not found or not quiet:
                    print(f"{name} {k + 1}/{len(planted)}: {found or 'SURVIVES'}", flush=True)

        with ThreadPoolExecutor(jobs) as pool:
            list(pool.map(one, range(jobs)))
        for fault in survivors:
            print(f"\n{fault.file}:{fault.line} in {fault.place} ({fault.kind})\n{fault.diff(trees[0].right[fault.file])}")
    found = len(planted) - len(survivors)
    print(f"\n{name}: the tests find {found} of {len(planted)} faults, in {time.monotonic() - began:.0f} s")
    return found >= ENOUGH * len(planted)


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; all where none is named")
    parser.add_argument("--faults", type=int, default=40, help="how many for each target")
    parser.add_argument("--seed", type=int, default=13, help="which of all that there are")
    parser.add_argument("--all", action="store_true", help="every fault that there is")
    parser.add_argument("--jobs", type=int, default=1, help="copies of the tree that work at once")
    parser.add_argument("--quiet", action="store_true", help="survivors only")
    given = parser.parse_args()
    n = 0 if given.all else given.faults
    good = [check(name, n, given.seed, given.jobs, given.quiet) for name in given.targets or TARGETS]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
