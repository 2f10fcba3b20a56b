"""Transport alone: sends the stamp of every tenth sample back, decodes nothing."""

from __future__ import annotations

import numpy as np
import pylsl

from latency import task


def main() -> None:
    """Echo until the parent goes."""
    asked = task.read_task()
    inlet = pylsl.StreamInlet(task.find(f"name='{asked.stream}'"), max_buflen=10, recover=False)
    outlet = task.decision_outlet("bench-echo")
    neutral = np.array([0.5, 0.5])
    data = np.empty((250, task.N_CHANNELS), np.float32)
    inlet.open_stream(10.0)
    task.settle()
    task.say(ready=True)
    seen = sequence = 0
    while True:
        _, stamps = inlet.pull_chunk(1.0, len(data), dest_obj=data, min_samples=1)
        before, seen = seen // task.HOP, seen + len(stamps)
        if seen // task.HOP > before:
            sequence += 1
            outlet.push_sample(task.decision_row(sequence, neutral, stamps[-1]))


if __name__ == "__main__":
    main()
