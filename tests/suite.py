"""Run the whole suite on all processors, each part as it bears it.

``python tests/suite.py [--only MARKS] [--beside] [--cases FOLDER] [pytest's options and files …]``

1. What only computes, as many at a time as there are processors. Beside it, with ``--beside``, style, types, arrows, doctests and
   the documentation, whose output is shown when they end.
2. Tests that live in real time (mark ``live``) and mostly wait: several at a time, each worker with an LSL session and ports of
   its own. Beside them, with ``--cases``, the case programs, one at a time.
3. Tests whose bound is a promised time (mark ``alone``): one at a time, with nothing beside them.

What each test takes is left in ``build/durations.txt``, the longest first. Exit code 1 where anything failed.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
DURATIONS = ROOT / "build" / "durations.txt"
PROCESSORS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
WAITING = PROCESSORS + 1
"""Live tests at a time: they need a sixth of a processor each."""
NOTHING = 5
"""What pytest ends with where no test was chosen."""
Commands = Sequence[Sequence[str]]
STRICT = ("-n", "-W", "--keep-going", "-q", "-D", "plot_gallery=0")
"""A warning of the documentation is an error, and all are told. The examples of the gallery are executed by a test."""
CHECKS: Mapping[str, Commands] = {
    "lint": [[str(BIN / "ruff"), "check", "."], [str(BIN / "ruff"), "format", "--check", "."]],
    "types": [[str(BIN / "mypy")]],
    "arrows": [[str(BIN / "lint-imports"), "--no-logo"]],
    "doctest": [[sys.executable, "-m", "pytest", "-q", "--doctest-modules", "bci", "devices", "pipelines", "gui"]],
    "docs": [[sys.executable, "-m", "sphinx", "-b", "html", *STRICT, "-d", "build/doctrees", "docs", "build/docs"]],
}


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the tests.

    Parameters
    ----------
    name : str
    marks : str
        Expression of marks that chooses them.
    at_a_time : int
    word : str
        The mark without which no file holds any of them (``tests/conftest.py`` sees to it); empty where any file may.
    """

    name: str
    marks: str
    at_a_time: int
    word: str = ""

    def options(self) -> list[str]:
        """For pytest: how many at a time, and the files."""
        how = ["-n", str(self.at_a_time), "--dist", "worksteal"] if self.at_a_time > 1 else []
        marked = re.compile(rf"\bmark\.{self.word}\b")
        files = sorted((ROOT / "tests").glob("*/test_*.py")) if self.word else []
        return how + [str(file) for file in files if marked.search(file.read_text(encoding="utf-8"))]


PARTS = (
    Part("what computes", "not live and not alone", PROCESSORS),
    Part("what lives in real time", "live and not alone", WAITING, "live"),
    Part("what must be alone", "alone", 1, "alone"),
)


@dataclass(frozen=True, slots=True)
class Ended:
    """A part that ended.

    Parameters
    ----------
    name : str
    code : int
    seconds : float
    said : str
        Empty where it wrote to the terminal itself.
    """

    name: str
    code: int
    seconds: float
    said: str = ""

    def __str__(self) -> str:
        return f"{self.said}== {self.name}: {'passed' if self.code == 0 else f'FAILED ({self.code})'}, {self.seconds:.0f} s"


def aside(name: str, commands: Commands) -> Ended:
    """Some commands, whose output is kept until they end."""
    began, said, code = time.monotonic(), "", 0
    for words in commands:
        done = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        said, code = said + done.stdout, code or done.returncode
    return Ended(name, code, time.monotonic() - began, said)


def tests(name: str, marks: str, options: Sequence[str]) -> Ended:
    """Some of the tests, in a run of pytest of its own that writes to the terminal."""
    began = time.monotonic()
    words = [sys.executable, "-m", "pytest", "-q", "-p", "durations", *(["-m", marks] if marks else []), *options]
    done = subprocess.run(words, cwd=ROOT, check=False)
    return Ended(name, done.returncode, time.monotonic() - began)


def parts(only: str, options: Sequence[str], beside: Mapping[str, Mapping[str, Commands]]) -> Iterator[Ended]:
    """Each part of the tests, and what runs beside it."""
    with ThreadPoolExecutor(2) as pool:
        for part in PARTS:
            others = [pool.submit(aside, name, commands) for name, commands in beside.get(part.name, {}).items()]
            print(f"== {part.name}", flush=True)
            marks = f"({only}) and {part.marks}" if only else part.marks
            yield tests(part.name, marks, [*part.options(), *options])
            yield from (other.result() for other in others)


def sort_durations() -> int:
    """The longest first; how many tests there were."""
    lines = DURATIONS.read_text(encoding="utf-8").splitlines() if DURATIONS.is_file() else []
    DURATIONS.write_text("\n".join(sorted(lines, key=lambda line: -float(line.split()[0]))) + "\n", encoding="utf-8")
    return len(lines)


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--only", default="", metavar="MARKS", help='some of the tests, for instance "not slow"')
    parser.add_argument("--beside", action="store_true", help="style, types, arrows, doctests and documentation too")
    parser.add_argument("--cases", default="", metavar="FOLDER", help="the case programs of a folder too")
    chosen, options = parser.parse_known_args()
    DURATIONS.parent.mkdir(exist_ok=True)
    DURATIONS.unlink(missing_ok=True)
    os.environ |= {"DURATIONS": str(DURATIONS), "QT_QPA_PLATFORM": "offscreen"}
    cases = {"cases": [[sys.executable, str(ROOT / "tests" / "cases.py"), chosen.cases, "--jobs", "1"]]}
    beside = {PARTS[0].name: CHECKS if chosen.beside else {}, PARTS[1].name: cases if chosen.cases else {}}
    named = any((ROOT / word.partition("::")[0]).exists() for word in options)
    began, codes = time.monotonic(), dict[str, int]()
    for one in [tests("tests", chosen.only, options)] if named else parts(chosen.only, options, beside):
        codes[one.name] = one.code
        if one.code != NOTHING:
            print(one, flush=True)
    failed = [name for name, code in codes.items() if code not in (0, NOTHING)]
    said = f"{sort_durations()} tests in {(time.monotonic() - began) / 60:.1f} minutes, each in {DURATIONS.relative_to(ROOT)}"
    print(f"== FAILED: {', '.join(failed)}; {said}" if failed else f"== all passed: {said}", flush=True)
    return 1 if failed or (NOTHING in codes.values() and 0 not in codes.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
