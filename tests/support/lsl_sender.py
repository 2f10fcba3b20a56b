"""A sender in a process of its own, for tests that kill, stop and restart it.

Sends a counter on every channel: sample k is k on the first channel, k + 0.1 on the second, and so on.
Prints one line when the stream can be found.
"""

from __future__ import annotations

import argparse
import subprocess
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from ready_process import ready_process


def main() -> None:
    """Send until killed."""
    import numpy as np

    from bci.engine.stream_info import Channel, StreamInfo
    from bci.stream.lsl import LslOutlet, local_clock

    parser = argparse.ArgumentParser()
    parser.add_argument("--name", default="amp")
    parser.add_argument("--source-id", default="amp-1")
    parser.add_argument("--rate", type=float, default=250.0)
    parser.add_argument("--labels", default="C3,Cz,C4,Pz")
    parser.add_argument("--unit", default="uV")
    parser.add_argument("--chunk", type=int, default=5)
    parser.add_argument("--real-rate", type=float, default=0.0)
    parser.add_argument("--lsl-chunks", action="store_true", help="one stamp for a chunk, as most amplifiers' programs do")
    args = parser.parse_args()
    channels = tuple(Channel(x, "EEG", args.unit) for x in args.labels.split(","))
    info = StreamInfo(args.rate, channels, source_id=args.source_id or "none", name=args.name)
    if args.source_id:
        outlet: Any = LslOutlet(info, "float32")
    else:
        import pylsl

        outlet = pylsl.StreamOutlet(pylsl.StreamInfo(args.name, "EEG", len(channels), args.rate, "float32", ""))
    offsets = np.arange(len(channels)) / 10
    real, n, began, k = args.real_rate or args.rate, args.chunk, local_clock(), 0
    print("ready", flush=True)
    while True:
        time.sleep(max(0.0, began + (k + n) / real - local_clock()))
        data = np.arange(k, k + n)[:, None] + offsets
        if args.lsl_chunks:
            outlet._outlet.push_chunk(data.astype(np.float32))
        elif args.source_id:
            outlet.push_chunk(data, began + np.arange(k, k + n) / real)
        else:
            outlet.push_chunk(data.astype(np.float32), (began + np.arange(k, k + n) / real).tolist())
        k += n


def sender(*options: str) -> AbstractContextManager[subprocess.Popen[str]]:
    """A running sender; killed at the end."""
    return ready_process(Path(__file__), *options)


if __name__ == "__main__":
    main()
