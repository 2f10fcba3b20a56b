"""An amplifier in a process of its own, for tests that kill, stop and restart it.

Noise of an EEG's size in which C3 is weak, and a channel that counts the samples. Stamps are the times at which
samples are due on the LSL clock; after a hang everything that was due is sent at once. Prints a line when it can be found.
With ``--flat LABEL`` that channel goes flat for good at SIGUSR1.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import time
from contextlib import AbstractContextManager
from pathlib import Path

from ready_process import ready_process

LABELS = ("C3", "Cz", "C4", "CP1", "CP2", "FC1", "FC2", "Pz")
COUNT = "COUNT"
RATE_HZ = 250.0
NOISE_UV = 10.0
CHUNK = 5


def main() -> None:
    """Send until killed."""
    import numpy as np
    import pylsl

    from bci.engine.stream_info import Channel, StreamInfo
    from bci.stream.lsl import LslOutlet, local_clock
    from devices.faulty import Piece, Step, Stuck

    parser = argparse.ArgumentParser()
    parser.add_argument("--name", required=True)
    parser.add_argument("--source-id", default="")
    parser.add_argument("--rate", type=float, default=RATE_HZ)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--flat", default="")
    args = parser.parse_args()
    begun: list[Step] = []
    channels = (*(Channel(x) for x in LABELS), Channel(COUNT, "AUX", ""))
    info = StreamInfo(args.rate, channels, source_id=args.source_id, name=args.name)
    if args.flat:
        fault = Stuck(0.0, start_s=0.0, channels=(args.flat,))
        signal.signal(signal.SIGUSR1, lambda *_: begun.append(fault.begin(info, np.random.default_rng(0))))
    if args.source_id:
        send = LslOutlet(info).push_chunk
    else:  # ours cannot be made without; other people's can
        plain = pylsl.StreamInfo(args.name, "EEG", len(channels), args.rate, "double64", "")
        described = plain.desc().append_child("channels")
        for channel in channels:
            one = described.append_child("channel")
            for key, value in (("label", channel.label), ("type", channel.type), ("unit", "microvolts")):
                one.append_child_value(key, value)
        outlet = pylsl.StreamOutlet(plain)
        send = lambda data, stamps: outlet.push_chunk(data, stamps.tolist())  # noqa: E731
    rng = np.random.default_rng(args.seed)
    offsets = rng.normal(0, 5000, len(LABELS))
    began, k = local_clock(), 0
    print("ready", flush=True)
    while True:
        time.sleep(max(0.0, began + (k + CHUNK - 1) / args.rate - local_clock()))
        index = np.arange(k, k + CHUNK)
        data = rng.normal(0, NOISE_UV, (CHUNK, len(LABELS)))
        data[:, 0] *= 0.5
        piece = Piece(np.column_stack(((data + offsets) * args.scale, index)), began + index / args.rate, index / args.rate)
        for step in begun:
            piece = step(piece)
        send(piece.data, piece.stamps)
        k += CHUNK


def amplifier(name: str, *options: str) -> AbstractContextManager[subprocess.Popen[str]]:
    """A running amplifier; killed at the end."""
    return ready_process(Path(__file__), "--name", name, *options)


if __name__ == "__main__":
    main()
