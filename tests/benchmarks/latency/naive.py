"""The loop most people write: pull a sample, filter it, roll the window, call ``predict_proba``."""

from __future__ import annotations

import numpy as np
import pylsl
from scipy.signal import sosfilt

from latency import task


def main() -> None:
    """Decode until the parent goes."""
    asked = task.read_task()
    decoder = task.load_decoder(asked.decoder)
    pipeline, sos = decoder["pipeline"], decoder["sos"]
    pipeline.predict_proba(np.random.default_rng(0).standard_normal((1, task.N_CHANNELS, task.WINDOW)))
    inlet = pylsl.StreamInlet(task.find(f"name='{asked.stream}'"), max_buflen=10)
    outlet = task.decision_outlet("bench-naive")
    state = np.zeros((len(sos), 2, task.N_CHANNELS))
    window = np.zeros((task.WINDOW, task.N_CHANNELS))
    inlet.open_stream(10.0)
    task.settle()
    task.say(ready=True)
    seen = 0
    while True:
        sample, stamp = inlet.pull_sample()
        filtered, state = sosfilt(sos, np.array([sample]), axis=0, zi=state)
        window = np.roll(window, -1, axis=0)
        window[-1] = filtered[0]
        seen += 1
        if seen >= task.WINDOW and seen % task.HOP == 0:
            probabilities = pipeline.predict_proba(window.T[None])[0]
            outlet.push_sample(task.decision_row(seen // task.HOP, probabilities, stamp))


if __name__ == "__main__":
    main()
