"""Virtual-clock replay: how many times faster than real time, and where the time goes.

22 channels at 250 Hz, 2 s windows, 25 decisions a second, tangent space + logistic regression, quality on: what
``bci replay --verify`` does to a recording, on one core.

Examples
--------
::

    make bench ONLY=replay
    OPENBLAS_NUM_THREADS=1 python tests/benchmarks/bench_replay.py --profile
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from bci.engine.chunk import Chunk
from bci.engine.engine import Engine
from bci.engine.preprocessing import Preprocessing
from bci.engine.stream_info import Channel, StreamInfo
from bci.training.fit import fit_decoder

RATE, CHANNELS, CHUNK = 250.0, 22, 250
ROUNDS = 5


def main() -> None:
    """Replay the same minutes a few times and print the median."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120.0, help="of signal (default 120)")
    parser.add_argument("--profile", action="store_true", help="show where the time goes")
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    labels = tuple(f"E{i}" for i in range(CHANNELS))
    p = Preprocessing(RATE, labels, window=500, hop=10)
    windows = rng.normal(0, 8, (20, 1, p.window, CHANNELS))
    decoder = fit_decoder("ts-lr", windows, np.array(["left", "right"] * 10), p).decoder()
    n = round(args.seconds * RATE)
    raw = Chunk(rng.normal(0, 10, (n, CHANNELS)), np.arange(n) / RATE)
    for sample_clock in (True, False):
        info = StreamInfo(RATE, tuple(Channel(x) for x in labels), sample_clock=sample_clock)
        ratios = [args.seconds / once(info, decoder, raw) for _ in range(ROUNDS)]
        stamps = "sample clock" if sample_clock else "fitted clock"
        print(f"{stamps}: {np.median(ratios):.0f} times real time (median of {ROUNDS}, {min(ratios):.0f} to {max(ratios):.0f})")
    if args.profile:
        profiled(info, decoder, raw)


def once(info, decoder, raw: Chunk) -> float:  # type: ignore[no-untyped-def]
    """Seconds for one replay."""
    engine = Engine(info, decoder)
    began = time.perf_counter()
    for start in range(0, len(raw), CHUNK):
        engine.push(Chunk(raw.data[start : start + CHUNK], raw.stamps[start : start + CHUNK]))
    return time.perf_counter() - began


def profiled(info, decoder, raw: Chunk) -> None:  # type: ignore[no-untyped-def]
    """Print the costliest functions of one replay."""
    import cProfile
    import pstats

    with cProfile.Profile() as profile:
        once(info, decoder, raw)
    pstats.Stats(profile).sort_stats("tottime").print_stats(18)


if __name__ == "__main__":
    main()
