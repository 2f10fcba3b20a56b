"""What authentication costs: per decision, from the engine's signature to the host's judgement, and per message.

Run ``python tests/benchmarks/bench_signing.py [--decisions 20000] [--json]``. A decision is signed as the engine signs it, read
as the actuator host reads it from the stream, and given to a feed that verifies it; the same without a key beside it. Both take
turns in one process, in blocks, so that a busy machine slows both alike; the cost is the difference of the medians. Wanted: at
most 20 µs a decision, the engine's part included.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

import numpy as np

from bci.actuation.feed import DecisionFeed
from bci.engine.stream_info import Channel, StreamInfo
from bci.session.session_streams import SignedRows
from bci.stream import messages
from bci.stream.clock import VirtualClock
from bci.stream.inprocess import InProcessBus
from bci.stream.signing import MAC_FIELDS, Checker, Signer

KEY = bytes(range(32))
WANTED_US = 20.0
BLOCK = 100
SOURCE = "bci-decisions-x"


class Way:
    """Decisions from an engine's outlet to a host's feed in one process, signed or not."""

    def __init__(self, key: bytes | None) -> None:
        self.clock = VirtualClock(1000.0)
        bus = InProcessBus(self.clock)
        columns = messages.DECISION_FIELDS + MAC_FIELDS * (key is not None)
        info = StreamInfo(0.0, tuple(map(Channel, columns)), source_id=SOURCE, name="bci-decisions", type="BCI-Decision")
        outlet = bus.outlet(info, bci={"classes": '["left", "right"]'})
        inlets = [bus.raw("bci-decisions")]
        self._outlet = outlet if key is None else SignedRows(outlet, key, SOURCE, len(messages.DECISION_FIELDS))
        self._feed = DecisionFeed(lambda: inlets.pop() if inlets else None, self.clock, {}, key=key)
        self._n = 0
        self.decide()

    def decide(self) -> None:
        """One decision from end to end."""
        self._n += 1
        now = self.clock.now()
        self._outlet.push(np.array([self._n, 0, 0.9, now, now + 0.25, 0, 0]))
        self._feed.pull(0.0)


def block_us(do: Callable[[], object]) -> float:
    """Time of one call in the mean of a block, µs."""
    began = time.perf_counter()
    for _ in range(BLOCK):
        do()
    return (time.perf_counter() - began) / BLOCK * 1e6


def compared(calls: dict[str, Callable[[], object]], n: int) -> dict[str, float]:
    """Median time of each call, µs, taken in turns."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(max(10, n // BLOCK)):
        for name, call in calls.items():
            times[name].append(block_us(call))
    return {name: statistics.median(found) for name, found in times.items()}


def measure(n: int) -> dict[str, float]:
    """Every figure, µs."""
    now = time.monotonic
    signed, plain = Signer(KEY, now, "here"), Signer(None, now, "here")
    checked, believed = Checker(KEY, now, "here"), Checker(None, now, "here")
    flood = messages.line("note", text="a stranger's")
    found = compared(
        {
            "decision, signed": Way(KEY).decide,
            "decision, not signed": Way(None).decide,
            "message, signed": lambda: checked(signed.line("alive", doubt="", cause=""), "control"),
            "message, not signed": lambda: believed(plain.line("alive", doubt="", cause=""), "control"),
            "stranger's message": lambda: checked(flood, "control"),
        },
        n,
    )
    found["cost of a decision"] = found["decision, signed"] - found["decision, not signed"]
    found["cost of a message"] = found["message, signed"] - found["message, not signed"]
    return found


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--decisions", type=int, default=20_000)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    found = measure(args.decisions)
    if args.json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(f"{name:22} {value:6.1f} µs")
        print(f"wanted: at most {WANTED_US:g} µs a decision")
    return 0 if found["cost of a decision"] <= WANTED_US else 1


if __name__ == "__main__":
    raise SystemExit(main())
