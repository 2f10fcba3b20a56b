"""Run the programs of ``../shared/cases``: situations from the field, each of which ends with 0 where the product does right.

They lie beside the project and not in it. ``python tests/cases.py [FOLDER …] [--only WORD] [--jobs N]`` prints a line for each
and ends with 1 where one fails; without the folder beside the project it says so and ends with 0, since there is nothing to run.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CASES = ROOT.parent / "shared" / "cases"
FOLDERS = ("files-and-streams", "attacks")
"""The folders whose programs the product passes."""
ALONE = ("attacks",)
"""Those whose programs measure times of real processes: one at a time."""
LIMIT_S = 600.0
OLD_NAMES = ROOT / "tests" / "support" / "old_names"
"""The programs import some modules by names that these had when the programs were written."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one program did.

    Parameters
    ----------
    name : str
        Folder and name of the program.
    code : int or None
        Its exit code; None where it did not end in time.
    seconds : float
    said : str
        The last line that it printed.
    """

    name: str
    code: int | None
    seconds: float
    said: str

    def __str__(self) -> str:
        verdict = "ok" if self.code == 0 else "did not end" if self.code is None else f"exit code {self.code}"
        return f"{self.name:60} {verdict:12} {self.seconds:5.0f} s  {'' if self.code == 0 else self.said}".rstrip()


def programs(folders: Sequence[str], only: str = "") -> list[Path]:
    """The programs of some folders whose names hold a word, in order. A module that the others of a folder import is none."""
    found = []
    for folder in folders:
        texts = {path: path.read_text(encoding="utf-8") for path in sorted((CASES / folder).glob("*.py"))}
        shared = {name for text in texts.values() for name in re.findall(r"^(?:.*; )?from (\w+) import \*", text, re.MULTILINE)}
        found += [path for path in texts if only in path.stem and path.stem not in shared]
    return found


def run(program: Path) -> Result:
    """Run one program from the project's root."""
    began = time.monotonic()
    paths = [str(ROOT), str(OLD_NAMES), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths).rstrip(os.pathsep)}
    try:
        words = [sys.executable, str(program)]
        done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return Result(f"{program.parent.name}/{program.stem}", None, time.monotonic() - began, "")
    lines = (done.stdout + done.stderr).strip().splitlines()
    return Result(f"{program.parent.name}/{program.stem}", done.returncode, time.monotonic() - began, lines[-1] if lines else "")


def results(paths: Sequence[Path], jobs: int) -> Iterator[Result]:
    """The results of all programs, several at a time, in order."""
    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(run, paths)


def main() -> int:
    """Run what was asked for; say how many passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", default=FOLDERS, metavar="FOLDER", help=f"default: {', '.join(FOLDERS)}")
    parser.add_argument("--only", default="", metavar="WORD", help="programs with this in their name")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="programs at a time (default: as many as processors)"
    )
    args = parser.parse_args()
    if not CASES.is_dir():
        print("the case programs are not beside the project (../shared/cases): nothing was run")
        return 0
    paths = programs(args.folders, args.only)
    if not paths:
        print(f"no program in {', '.join(args.folders)} has {args.only!r} in its name")
        return 2
    failed = 0
    alone = [path for path in paths if path.parent.name in ALONE]
    for some, jobs in (([path for path in paths if path not in alone], args.jobs), (alone, 1)):
        for result in results(some, jobs):
            print(result, flush=True)
            failed += result.code != 0
    print(f"{len(paths) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
