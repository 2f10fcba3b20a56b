"""Simulated people steer a cursor: how soon they reach targets with each decoder of velocity.

For each person: a calibration (targets shown one after another, the person intends to move there), each decoder trained on
that same recording, and then the cursor task in closed loop with each, on another stretch of the person's signal, with the same
targets in the same order. Differences are paired by person.

::

    python tests/benchmarks/bench_cursor.py --people 10
    python tests/benchmarks/bench_cursor.py --people 2 --targets 6 --json
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from bci.config import load_config
from bci.model.file import load_model
from bci.settings import SessionConfig
from bci.simulation.simulate import record_virtually
from bci.stream.clock import VirtualClock
from bci.training.labelled import open_labelled
from bci.training.resolved import resolve_decoder
from bci.training.train import fit, run_epochs, write_model
from devices.simulated import SimulatedSettings, SimulatedSubject

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
from cursor_run import (
    EIGHT,
    TABLE,
    CursorTask,
    Reaches,
    TargetFollower,
    correlation,
    nmse,
    observation,
    run_cursor,
)

DECODERS = ("velocity-ridge", "kalman", "dkf")
LATER_S = 320.0
"""The task begins so long after the calibration did, in signal that no decoder was trained on."""
WINDOW_S, HOP_S = 0.3, 0.1
LIMIT_S = 20.0


def config_of(decoder: str, memory_s: float) -> SessionConfig:
    """Settings of everybody alike; only the decoder differs."""
    given = {
        "decoder.name": decoder, "decoder.settings.memory_s": str(memory_s), "markers.stream": "cues",
        "preprocessing.window_s": str(WINDOW_S), "preprocessing.hop_s": str(HOP_S),
        "trial.start_s": "0.7", "trial.stop_s": "4.0",
    }  # fmt: skip
    return load_config(None, given | {f"markers.table.{code}": name for code, name in TABLE.items()})


def person(seed: int, skill: float, channels: int, clock: VirtualClock) -> SimulatedSubject:
    """Somebody, from the beginning of their signal."""
    settings = SimulatedSettings(seed=seed, skill=skill, channels=channels, chunk=round(HOP_S * 250))
    return SimulatedSubject(settings, clock)


def compare(seed: int, args: argparse.Namespace, folder: Path) -> dict[str, Reaches]:
    """One person with every decoder."""
    clock = VirtualClock(1000.0)
    recording = folder / f"{seed}.xdf"
    subject = person(seed, args.skill, args.channels, clock)
    record_virtually(TargetFollower(subject), clock, observation((*EIGHT, "rest"), args.each, seed), recording)
    order = np.random.default_rng((seed, 9)).permutation(np.repeat(EIGHT, -(-args.targets // 8)))[: args.targets]
    task = CursorTask(tuple(map(str, order)), across_s=args.across, limit_s=LIMIT_S)
    found = {}
    run = open_labelled(recording, config_of(DECODERS[0], args.memory))
    settings = config_of(DECODERS[0], args.memory)
    epochs = run_epochs(run, resolve_decoder(run.info, settings), settings)  # the same windows for all
    for decoder in DECODERS:
        config = config_of(decoder, args.memory)
        path = folder / f"{seed}-{decoder}.safetensors"
        write_model(path, fit([epochs], [run], resolve_decoder(run.info, config), config), config)
        clock = VirtualClock(1000.0)
        subject = person(seed, args.skill, args.channels, clock)
        clock.wait_until(1000.0 + LATER_S)
        subject.read(0.0)
        found[decoder] = run_cursor(subject, clock, task, load_model(path), config)
    return found


def main() -> None:
    """Run, tell each person as they finish, and sum up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--people", type=int, default=10)
    add("--first", type=int, default=0, help="seed of the first person")
    add("--targets", type=int, default=8, help="targets for each decoder (default 8)")
    add("--each", type=int, default=6, help="calibration trials of each of nine classes (default 6)")
    add("--skill", type=float, default=0.5, help="0 (nothing can be told) to 1 (default 0.5)")
    add("--channels", type=int, default=8)
    add("--across", type=float, default=5.0, help="seconds from the middle to the edge at the usual speed (default 5)")
    add("--memory", type=float, default=1.0, help="time constant of the filters' velocity, s (default 1)")
    add("--jobs", type=int, default=2, help="people at a time (default 2)")
    add("--json", action="store_true")
    args = parser.parse_args()
    people = []
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        seeds = range(args.first, args.first + args.people)
        pool = stack.enter_context(ProcessPoolExecutor(args.jobs, get_context("spawn")))
        for seed, found in zip(seeds, pool.map(partial(compare, args=args, folder=Path(folder)), seeds), strict=True):
            people.append(found)
            if not args.json:
                print(
                    f"person {seed}: " + ", ".join(f"{d} {r.time_s:.2f} s {100 * r.hits:.0f} %" for d, r in found.items()),
                    flush=True,
                )
    result = summary(people)
    print(json.dumps(result) if args.json else told(result))


def summary(people: list[dict[str, Reaches]]) -> dict[str, dict[str, float]]:
    """Means over people, and the paired difference from regression with its 95 % bootstrap interval."""
    rng = np.random.default_rng(0)
    table = {}
    for decoder in DECODERS:
        times = np.array([found[decoder].time_s for found in people])
        gained = times - np.array([found[DECODERS[0]].time_s for found in people])
        again = rng.choice(gained, (10_000, len(gained))).mean(axis=1)
        table[decoder] = {
            "time_s": float(times.mean()),
            "hits": float(np.mean([found[decoder].hits for found in people])),
            "nmse": float(np.mean([nmse(f[decoder].wanted, f[decoder].decoded) for f in people])),
            "correlation": float(np.mean([correlation(f[decoder].wanted, f[decoder].decoded) for f in people])),
            "difference_s": float(gained.mean()),
            "low_s": float(np.quantile(again, 0.025)),
            "high_s": float(np.quantile(again, 0.975)),
            "faster": int((gained < 0).sum()),
            "people": len(people),
        }
    return table


def told(result: dict[str, dict[str, float]]) -> str:
    """The table for people."""
    lines = ["decoder         time to target   reached   NMSE   r      against regression, s (95 %)     people faster"]
    for decoder, r in result.items():
        lines.append(
            f"{decoder:15s} {r['time_s']:6.2f} s         {100 * r['hits']:4.0f} %    {r['nmse']:.2f}   {r['correlation']:.2f}   "
            f"{r['difference_s']:+.2f} ({r['low_s']:+.2f} to {r['high_s']:+.2f})          {r['faster']} of {r['people']}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
