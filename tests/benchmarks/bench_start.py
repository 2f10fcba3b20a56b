"""How long a person waits: ``bci gui`` to its first painted window, ``bci run`` to its first decoded window of EEG.

Every start is a fresh process, timed from the moment before it is started:

- ``gui`` runs ``bci gui`` without a display (Qt's offscreen platform) and notes when the welcome window has been painted.
- ``run`` runs ``bci run --simulate --headless`` with a model of the simulated subject, and reads in the session's own recording
  when the engine sent its first outcome that has probabilities.

``python tests/benchmarks/bench_start.py [gui] [run] [--times 10] [--beside TREE] [--json]`` prints the median, the fastest and
the slowest start; with ``--beside`` also those of another working tree, started in turns with this one.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np
from latency.workers import environment

from gui.screenshots import CLASSES, train

HERE = Path(__file__).parents[2]
LONGEST_S = 60.0
PORTS = random.randrange(10_000, 17_000, 100)
SESSION_S = 6
"""``bci run`` goes on for this long; its first outcome comes earlier."""
WATCHED = """
import sys, time
from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtWidgets import QApplication, QWidget

class Watch(QObject):
    seen = False

    def eventFilter(self, thing, event):
        if not self.seen and event.type() == QEvent.Type.Paint and isinstance(thing, QWidget) and thing.isWindow():
            self.seen = True
            QTimer.singleShot(0, self.note)  # the frame that is being painted now is finished by then
        return False

    def note(self):
        print(time.monotonic(), flush=True)
        QApplication.quit()

app, watch = QApplication(["bci"]), Watch()
app.installEventFilter(watch)
from bci.commands import main
sys.exit(main(["gui", "--settings", sys.argv[1], "--recording", ""]))
"""


Start = Callable[[], float]
"""Starts once, and says how many seconds a person would have waited."""


def main() -> int:
    """Measure what is asked for, and print it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", nargs="*", choices=(*MODES, []), help="gui, run (default: both)")
    parser.add_argument("--times", type=int, default=10, help="starts of each (default 10)")
    parser.add_argument("--beside", type=Path, metavar="TREE", help="another working tree, whose program is started in turns")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    trees = {"": HERE, **({f" of {args.beside}": args.beside.resolve()} if args.beside else {})}
    result = {}
    for what in args.what or MODES:
        with tempfile.TemporaryDirectory(prefix="bci-start-") as folder:
            result |= measure(what, Path(folder), trees, args.times)
    print(json.dumps(result) if args.json else "\n".join(f"{what}: {line(found)}" for what, found in result.items()))
    return 0


def measure(what: str, folder: Path, trees: dict[str, Path], times: int) -> dict[str, dict[str, float]]:
    """Starts of every tree in turns, so that all of them meet the same computer."""
    starts = MODES[what](folder, trees)
    for start in starts.values():
        start()  # the first start of all reads files that the later ones find in memory
    waited: dict[str, list[float]] = {name: [] for name in starts}
    for _ in range(times):
        for name, start in starts.items():
            waited[name].append(start())
    return {f"{what}{name}": summary(seconds) for name, seconds in waited.items()}


def summary(seconds: list[float]) -> dict[str, float]:
    """Median and extremes, seconds."""
    found = {"median_s": statistics.median(seconds), "fastest_s": min(seconds), "slowest_s": max(seconds)}
    return {"starts": len(seconds), **{name: round(value, 3) for name, value in found.items()}}


def line(found: dict[str, float]) -> str:
    """One result for people."""
    return (
        f"median {found['median_s']:.2f} s ({found['fastest_s']:.2f} to {found['slowest_s']:.2f} s, {found['starts']:g} starts)"
    )


def surroundings(folder: Path, tree: Path) -> dict[str, str]:
    """Environment of a program of that tree, in an LSL session and with ports of its own: others may hold the usual ones."""
    made = environment(folder)
    with Path(made["LSLAPICFG"]).open("a", encoding="utf-8") as config:
        config.write(f"[ports]\nMulticastPort = {PORTS}\nBasePort = {PORTS + 1}\nPortRange = 80\n")
    return {**made, "PYTHONPATH": str(tree), "QT_QPA_PLATFORM": "offscreen"}


def run(words: list[str], folder: Path, tree: Path) -> str:
    """What a program of that tree prints.

    Raises
    ------
    SystemExit
        If it fails; with the end of what it said.
    """
    done = subprocess.run(words, env=surroundings(folder, tree), cwd=tree, timeout=LONGEST_S, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}: code {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout


def starts_of_gui(folder: Path, trees: dict[str, Path]) -> dict[str, Start]:
    """Starts of ``bci gui``, up to its first painted window."""
    words = [sys.executable, "-c", WATCHED, str(folder / "windows.ini")]

    def once(tree: Path) -> float:
        began_s = time.monotonic()
        return float(run(words, folder, tree).splitlines()[-1]) - began_s

    return {name: partial(once, tree) for name, tree in trees.items()}


def starts_of_run(folder: Path, trees: dict[str, Path]) -> dict[str, Start]:
    """Starts of ``bci run``, up to the first outcome with probabilities."""
    model, places = train(folder), (folder / f"run-{number}" for number in count())

    def once(tree: Path) -> float:
        place = next(places)
        options = ["--simulate", "--headless", "--model", str(model), "--out", str(place), "--seconds", str(SESSION_S)]
        began_s = time.monotonic()  # liblsl's clock is this one
        run([sys.executable, "-m", "bci", "run", *options], folder, tree)
        return first_decoded(next(place.rglob("*.xdf"))) - began_s

    return {name: partial(once, tree) for name, tree in trees.items()}


def first_decoded(path: Path) -> float:
    """When the engine sent its first outcome with probabilities, seconds of the LSL clock.

    Raises
    ------
    SystemExit
        If the recording holds none.
    """
    from bci.engine.outcome import fields
    from bci.stream.files.readers import open_recording

    outcomes = next(s for s in open_recording(path).signals if s.info.type == "BCI-Outcome")
    n_channels = outcomes.data.shape[1] - len(fields(0, CLASSES))
    column = fields(n_channels, CLASSES).index(f"p:{CLASSES[0]}")
    decoded = np.flatnonzero(np.isfinite(outcomes.data[:, column]))
    if not len(decoded):
        raise SystemExit(f"{path}: nothing was decoded within {SESSION_S} s")
    return float(outcomes.stamps[decoded[0]])


MODES: dict[str, Callable[[Path, dict[str, Path]], dict[str, Start]]] = {"gui": starts_of_gui, "run": starts_of_run}

if __name__ == "__main__":
    raise SystemExit(main())
