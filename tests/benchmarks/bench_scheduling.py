"""What a window at work costs the engine, and what it gains that sources and engine go before other programs. Linux only.

One live session of a simulated subject and one operator window, which is stopped (SIGSTOP) and let run again in turn, while
the processes of the session change between real-time scheduling and that of any program. Blocks of all combinations are
interleaved, in another order in each round. Setting real-time scheduling needs root, or ``rtprio`` (docs/results/performance.md).

``python tests/benchmarks/bench_scheduling.py [--rounds 10] [--seconds 3] [--channels 64] [--json]``
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import numpy as np
import psutil
from bench_gui_latency import high, open_window, train

from bci.processes.scheduling import ENGINE, SOURCE
from bci.stream import messages
from bci.stream.lsl import LslRawInlet, StreamQuery, resolve

PRIORITIES = {"any": {}, "engine first": {"engine": ENGINE}, "engine and source first": {"engine": ENGINE, "stream": SOURCE}}
WINDOW = ("stopped", "running")
SETTLE_S = 1.5


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--channels", type=int, default=64)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = train(Path(folder), args.channels)
        with session(model, Path(folder)) as parts:
            window = open_window(Path(folder))
            try:
                found = blocks(parts, window.pid, args.rounds, args.seconds)
            finally:
                os.kill(window.pid, signal.SIGCONT)
                window.kill()
                window.wait()
    report(found, args)
    return 0


@contextmanager
def session(model: Path, folder: Path) -> Iterator[dict[str, int]]:
    """A live session; yields the process of each of its commands."""
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    words = ["run", "--headless", "--simulate", "--model", str(model), "--out", str(folder)]
    process = subprocess.Popen([sys.executable, "-m", "bci", *words], **quiet)  # type: ignore[call-overload]
    try:
        resolve(StreamQuery(name="bci-timing"), 90.0, settle_s=0)
        children = psutil.Process(process.pid).children(recursive=True)
        yield {word: child.pid for child in children for word in ("stream", "engine") if word in child.cmdline()}
    finally:
        process.terminate()
        process.wait()


def blocks(parts: dict[str, int], window: int, rounds: int, seconds: float) -> dict[tuple[str, str], list[np.ndarray]]:
    """Age of data in milliseconds by (scheduling, window), a block each."""
    timing = LslRawInlet(resolve(StreamQuery(name="bci-timing"), 10.0, settle_s=0))
    found: dict[tuple[str, str], list[np.ndarray]] = {pair: [] for pair in product(PRIORITIES, WINDOW)}
    order = random.Random(0)
    for number in range(rounds):
        for scheduling, state in order.sample(list(found), len(found)):
            for word, pid in parts.items():
                schedule(pid, PRIORITIES[scheduling].get(word, 0))
            os.kill(window, signal.SIGCONT if state == "running" else signal.SIGSTOP)
            time.sleep(SETTLE_S)
            timing.pull(0.0)
            time.sleep(seconds)
            rows = np.asarray(timing.pull(0.0)[0])  # type: ignore[index]
            found[scheduling, state].append(1e3 * rows[:, messages.TIMING_FIELDS.index("age_s")])
        print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    timing.close()
    return found


def schedule(pid: int, priority: int) -> None:
    """Real-time scheduling for all threads of a process; priority 0: as any program."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setscheduler(int(thread.name), os.SCHED_RR if priority else os.SCHED_OTHER, os.sched_param(priority))


def report(found: dict[tuple[str, str], list[np.ndarray]], args: argparse.Namespace) -> None:
    """Median and 99th percentile of each combination."""
    rows = [
        {"first": s, "window": w, "p50_ms": float(np.median(np.concatenate(b))), "p99_ms": high(b)} for (s, w), b in found.items()
    ]
    if args.json:
        print(json.dumps(rows))
        return
    print(f"{args.channels} channels, {args.rounds} blocks of {args.seconds:g} s of each; age of data when decided")
    for row in rows:
        print(f"{row['first']:24} window {row['window']:8} p50 {row['p50_ms']:.2f} ms, p99 {row['p99_ms']:.2f} ms")


if __name__ == "__main__":
    raise SystemExit(main())
