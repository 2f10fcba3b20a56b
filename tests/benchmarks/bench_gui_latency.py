"""Does a window cost the engine anything? Its latency with the operator window closed, open, frozen and killed.

One live session of a simulated subject; blocks in which the window is in one of these states, interleaved and in
another order in each round. ``closed`` comes twice: what differs between two closed blocks is what the computer does
by itself, and no state may differ from closed by more.

``python tests/benchmarks/bench_gui_latency.py [--rounds 10] [--seconds 6] [--channels 64] [--json]``
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
from collections import defaultdict
from pathlib import Path

import numpy as np

from bci import plugins
from bci.paradigm.timeline import short
from bci.simulation.simulate import record_virtually
from bci.stream import messages
from bci.stream.clock import VirtualClock
from bci.stream.lsl import LslRawInlet, StreamQuery, resolve

CLASSES = ("left_hand", "right_hand")
TABLE = ("--set", "markers.table.769=left_hand", "--set", "markers.table.770=right_hand")
STATES = ("closed", "closed again", "open", "frozen", "killed")
OPEN_S = 8.0
SETTLE_S = 1.0
DRAWS = 2000


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--channels", type=int, default=64)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = train(Path(folder), args.channels)
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        words = ["run", "--headless", "--simulate", "--model", str(model), "--out", folder]
        session = subprocess.Popen([sys.executable, "-m", "bci", *words], **quiet)  # type: ignore[call-overload]
        try:
            timing = LslRawInlet(resolve(StreamQuery(name="bci-timing"), 90.0, settle_s=0))
            found = rounds(timing, args, Path(folder))
            timing.close()
        finally:
            session.terminate()
            session.wait()
    report(found, args)
    return 0


def train(folder: Path, channels: int) -> Path:
    """A model of the simulated subject."""
    clock = VirtualClock(1000.0)
    settings = {"classes": CLASSES, "skill": 0.9, "seed": 1, "channels": channels}
    subject = plugins.load(plugins.SOURCES, "simulated").from_settings(settings, clock)
    record_virtually(subject, clock, short(CLASSES, 10, 1), folder / "calibration.xdf")
    words = ["train", str(folder / "calibration.xdf"), "-o", str(folder / "m.safetensors"), "--preset", "motor-imagery", *TABLE]
    subprocess.run([sys.executable, "-m", "bci", *words], check=True, stdout=subprocess.DEVNULL)
    return folder / "m.safetensors"


def rounds(timing: LslRawInlet, args: argparse.Namespace, folder: Path) -> dict[str, list[np.ndarray]]:
    """Age of data in milliseconds for every window, by state and block."""
    order, found = random.Random(0), defaultdict(list)
    for number in range(args.rounds):
        for state in order.sample(STATES, len(STATES)):
            window = None if state.startswith("closed") else open_window(folder)
            if window is not None and state == "frozen":
                os.kill(window.pid, signal.SIGSTOP)
            if window is not None and state == "killed":
                window.kill()
            time.sleep(SETTLE_S)
            timing.pull(0.0)
            time.sleep(args.seconds)
            pulled = timing.pull(0.0)
            if window is not None:
                window.kill()
                window.wait()
                time.sleep(SETTLE_S)
            rows = np.asarray(pulled[0]) if pulled is not None else np.empty((0, len(messages.TIMING_FIELDS)))
            found[state].append(1e3 * rows[:, messages.TIMING_FIELDS.index("age_s")])
        print(f"round {number + 1} of {args.rounds}", file=sys.stderr, flush=True)
    return found


def open_window(folder: Path) -> subprocess.Popen[bytes]:
    """The operator window, painting into memory, after it has had time to open."""
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    words = ["gui", "operator", "--settings", str(folder / "windows.ini"), "--recording", ""]
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    window = subprocess.Popen([sys.executable, "-m", "bci", *words], env=environment, **quiet)  # type: ignore[call-overload]
    time.sleep(OPEN_S)
    return window


def report(found: dict[str, list[np.ndarray]], args: argparse.Namespace) -> None:
    """All windows of a state together; blocks drawn again and again tell by how much closed differs from closed."""
    blocks = {state: [b for b in found[state] if len(b)] for state in STATES}
    rng = np.random.default_rng(0)
    limit = float(np.quantile([abs(high(drawn(blocks["closed"], rng)) - high(drawn(blocks["closed again"], rng)))
                               for _ in range(DRAWS)], 0.95))  # fmt: skip
    closed = high(blocks["closed"] + blocks["closed again"])
    rows = {
        state: {
            "p50_ms": float(np.median(np.concatenate(some))),
            "p99_ms": high(some),
            "p99_lowest_ms": min(high([b]) for b in some),
            "p99_highest_ms": max(high([b]) for b in some),
            "p99_more_ms": high(some) - closed,
        }
        for state, some in blocks.items()
    }
    if args.json:
        print(json.dumps({**rows, "closed_against_closed_ms": limit}))
        return
    print(f"{args.channels} channels, {args.rounds} blocks of {args.seconds:g} s in each state; age of data when decided")
    for state, row in rows.items():
        print(f"{state:13}", ", ".join(f"{k} {v:.2f}" for k, v in row.items()))
    print(f"closed against closed, 99 %: differ by up to {limit:.2f} ms (95 % of {DRAWS} draws of their blocks)")


def high(blocks: list[np.ndarray]) -> float:
    """99th percentile of all windows of some blocks."""
    return float(np.percentile(np.concatenate(blocks), 99))


def drawn(blocks: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
    """As many blocks, drawn with replacement."""
    return [blocks[i] for i in rng.integers(len(blocks), size=len(blocks))]


if __name__ == "__main__":
    raise SystemExit(main())
