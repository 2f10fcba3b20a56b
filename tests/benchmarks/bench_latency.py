"""End-to-end latency over loopback LSL: newest sample at the sender to decision at a receiver, peers in the same run.

One process sends 32 channels at 250 Hz, one sample per push. One contestant at a time decodes them (8 to 30 Hz
causally, the last 2 s, OAS covariance, tangent space, logistic regression, a decision every 40 ms) and sends
each decision with the stamp of the newest sample it used. A third process notes when it comes. Contestants
take turns in short blocks, so that all of them meet the same noise; every block is a fresh process.

Examples
--------
::

    python tests/benchmarks/bench_latency.py                        # all contestants, about eight minutes
    python tests/benchmarks/bench_latency.py --rounds 1 --seconds 5 # a look
    python tests/benchmarks/bench_latency.py --only echo,ours       # how much of ours is transport
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from latency import ours, report, training
from latency.workers import NotInstalled, Worker, WorkerFailed, environment

START_TIMEOUT_S = 60.0
FIRST_DECISION_S = 30.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run keeps its files.

    Parameters
    ----------
    folder : Path
    environment : dict
        Of every process.
    """

    folder: Path
    environment: dict[str, str]

    @property
    def decoder(self) -> Path:
        """What the peers load."""
        return self.folder / "decoder.joblib"

    def log(self, name: str) -> Path:
        """Where a process writes its standard error."""
        return self.folder / f"{name}.log"


@contextmanager
def peer(module: str, place: Place) -> Iterator[None]:
    """A contestant that runs while the context is open."""
    arguments = ["--decoder", str(place.decoder)]
    with Worker(f"latency.{module}", arguments, place.environment, place.log(module)) as worker:
        worker.answer(START_TIMEOUT_S)
        yield


def decoding(name: str) -> Callable[[Place], AbstractContextManager[None]]:
    """How to start a contestant."""
    if name == "ours":
        return lambda place: ours.running(place.folder, place.environment)
    module = {"echo": "echo", "naive": "naive", "mne-lsl": "mne_lsl_peer", "ezmsg": "ezmsg_peer"}[name]
    return lambda place: peer(module, place)


CONTESTANTS = ("echo", "ours", "naive", "mne-lsl", "ezmsg")


def block(name: str, place: Place, receiver: Worker, options: argparse.Namespace) -> tuple[np.ndarray, int]:
    """One contestant's turn: its decisions, and how many windows it did not decode."""
    with decoding(name)(place):
        receiver.tell(seconds=options.seconds, warm_up_s=options.warm_up, patience_s=FIRST_DECISION_S)
        answer = receiver.answer(2 * FIRST_DECISION_S + options.warm_up + options.seconds)
    return np.array(answer["rows"], np.float64).reshape(-1, 3), answer["silent"]


def run(place: Place, options: argparse.Namespace) -> dict[str, report.Blocks]:
    """All rounds; the order changes from round to round."""
    found = {name: report.Blocks(name) for name in options.only}
    sender_arguments = ["--stamps", str(place.folder / "stamps.npy"), "--chunk", str(options.chunk)]
    with (
        Worker("latency.sender", sender_arguments, place.environment, place.log("sender")) as sender,
        Worker("latency.receiver", [], place.environment, place.log("receiver")) as receiver,
    ):
        sender.answer(START_TIMEOUT_S)
        receiver.answer(START_TIMEOUT_S)
        for turn in range(options.rounds):
            for name in np.roll(options.only, -turn).tolist():
                blocks = found[name]
                if blocks.missing:
                    continue
                print(f"round {turn + 1}/{options.rounds}: {name}", file=sys.stderr, flush=True)
                try:
                    rows, silent = block(name, place, receiver, options)
                except NotInstalled as error:
                    blocks.missing = str(error)
                except WorkerFailed as error:
                    blocks.failures.append(f"round {turn + 1}: {error}")
                else:
                    blocks.rows.append(rows)
                    blocks.silent += silent
    return found


def options_from(arguments: list[str] | None) -> argparse.Namespace:
    """Command line options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--rounds", type=int, default=4, help="turns of each contestant")
    parser.add_argument("--seconds", type=float, default=15.0, help="measured time of one turn")
    parser.add_argument("--warm-up", type=float, default=3.0, help="time after the first decision that does not count")
    parser.add_argument("--chunk", type=int, default=1, choices=(1, 2, 5, 10), help="samples the sender pushes at once")
    parser.add_argument("--only", default=",".join(CONTESTANTS), help="contestants, separated by commas")
    parser.add_argument("--json", type=Path, help="write everything measured to this file")
    parser.add_argument("--logs", type=Path, help="keep what the processes wrote in this folder")
    options = parser.parse_args(arguments)
    options.only = options.only.split(",")
    if unknown := set(options.only) - set(CONTESTANTS):
        parser.error(f"--only: {', '.join(sorted(unknown))} not known; contestants are {', '.join(CONTESTANTS)}")
    return options


def measure(folder: Path, options: argparse.Namespace) -> tuple[dict[str, report.Latency | str], list[str]]:
    """Train, run, evaluate; also the blocks that failed."""
    place = Place(folder, environment(folder))
    accuracy = training.save(place.decoder)
    print(f"decoder trained on synthetic EEG: {accuracy:.0%} of its second half right", file=sys.stderr)
    if "ours" in options.only:
        ours.prepare(folder)
    found = run(place, options)
    sent = np.load(folder / "stamps.npy")
    results = {name: report.latency(blocks, sent) or blocks.missing or "no decision" for name, blocks in found.items()}
    return results, [f"{name}, {failure}" for name, blocks in found.items() for failure in blocks.failures]


def main(arguments: list[str] | None = None) -> int:
    """Print the table; 1 where a turn of a contestant that is installed failed."""
    options = options_from(arguments)
    with tempfile.TemporaryDirectory(prefix="bci-latency-") as temporary:
        folder = options.logs or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        results, failures = measure(folder, options)
    about = {
        "failures": failures,
        "rounds": options.rounds,
        "seconds": options.seconds,
        "chunk": options.chunk,
        "channels": 32,
        "rate_hz": 250,
    }
    everything = report.as_json(results, about)
    machine = everything["machine"]
    base = "ours" if isinstance(results.get("ours"), report.Latency) else "echo"
    print(f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}, load {machine['load']}")
    print(f"Python {machine['python']}, liblsl {machine['liblsl']}, {machine['versions']}")
    print(f"{options.rounds} rounds of {options.seconds:g} s, sender pushes {options.chunk} sample(s) at once\n")
    print(report.table(results, base))
    mine, floor = results.get("ours"), results.get("echo")
    if isinstance(mine, report.Latency) and isinstance(floor, report.Latency):
        print("\n" + report.shares(mine, floor))
    for failure in failures:
        print(f"\nfailed: {failure}")
    if options.json:
        options.json.write_text(json.dumps(everything, indent=1), encoding="utf-8")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
