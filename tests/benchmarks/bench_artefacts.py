"""What artifact subspace reconstruction adds to a step of the front end: off, on in clean signal, on while it replaces.

``python tests/benchmarks/bench_artefacts.py``: median over blocks, µs, all ways in turn in one run.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from bci.engine.artefacts.asr import AsrSettings, baseline
from bci.engine.artefacts.settings import Artefacts, fields
from bci.engine.chunk import Chunk, FloatArray
from bci.engine.frontend import Frontend
from bci.engine.preprocessing import Preprocessing
from bci.engine.stream_info import Channel, StreamInfo

RATE_HZ, HOP, CUTOFF = 250.0, 10, 20.0
CLEAN_S, BLOCKS, WARM_UP = 120, 500, 100
SIZES = (8, 16, 32, 64)


def seconds_of_blocks(frontend: Frontend, data: FloatArray) -> FloatArray:
    """What each block takes, s."""
    stamps = np.arange(len(data)) / RATE_HZ
    took = []
    for start in range(0, len(data), HOP):
        chunk = Chunk(data[start : start + HOP], stamps[start : start + HOP])
        begin = time.perf_counter()
        list(frontend.push(chunk))
        took.append(time.perf_counter() - begin)
        frontend.prepare()
    return np.array(took[WARM_UP:])


def compared(n_channels: int) -> dict[str, float]:
    """Median of a block in each way, µs."""
    rng = np.random.default_rng(n_channels)
    mixing = rng.normal(size=(n_channels, n_channels)) + 2 * np.eye(n_channels)
    clean = rng.normal(0, 3, (round(CLEAN_S * RATE_HZ), n_channels)) @ mixing.T
    labels = tuple(f"E{i}" for i in range(n_channels))
    plain = Preprocessing(RATE_HZ, labels, hop=HOP)
    known = fields(baseline(clean, RATE_HZ, AsrSettings(CUTOFF)))
    on = replace(plain, artefacts=Artefacts(asr=CUTOFF, **known))
    quiet = clean[: BLOCKS * HOP]
    shaken = quiet + 300 * np.sin(np.arange(len(quiet)) / 5)[:, np.newaxis] * rng.normal(size=n_channels)
    info = StreamInfo(RATE_HZ, tuple(Channel(x, unit="uV") for x in labels), source_id="x", name="x")
    ways = {"off": (plain, quiet), "clean": (on, quiet), "replacing": (on, shaken)}
    return {way: 1e6 * float(np.median(seconds_of_blocks(Frontend(info, p), data))) for way, (p, data) in ways.items()}


def main() -> None:
    """Print a line for each number of channels."""
    print(f"front end, {HOP} samples at {RATE_HZ:g} Hz, µs for a block")
    for n_channels in SIZES:
        print(f"{n_channels:3d} channels: " + ", ".join(f"{way} {us:.0f}" for way, us in compared(n_channels).items()))


if __name__ == "__main__":
    main()
