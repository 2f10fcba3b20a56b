"""
The latency of this computer
============================

How long does it take from a sample to a decision? This example decodes a simulated amplifier in real time
for five seconds, inside one process. ``bci certify --simulate`` measures a whole session with all of its
processes and streams.
"""

import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import bci
from bci.stream.clock import LslClock

folder = Path(tempfile.mkdtemp())
decoder = bci.fit(bci.simulate(folder / "calibration.xdf", trials_per_class=10, channels=32), "ts-lr")

# %%
# The source delivers samples like an amplifier, ten at a time. The engine returns an outcome for each
# window that ends with one of these samples.

source = bci.open_source("simulated", channels=32, seed=1)
engine, clock = decoder.engine(source.info), LslClock()
steps_ms, ages_ms = [], []
until_s = clock.now() + 5.0
while clock.now() < until_s:
    chunk = source.read(0.1)
    if chunk is None:
        continue
    begin_s = time.perf_counter()
    outcomes = engine.push(chunk)
    if outcomes and outcomes[-1].reason.name in ("DECIDED", "IDLE"):
        steps_ms.append(1e3 * (time.perf_counter() - begin_s))
        ages_ms.append(1e3 * (clock.now() - chunk.stamps[-1]))
source.close()
for name, values in (("engine", steps_ms), ("newest sample to outcome", ages_ms)):
    median, late = np.percentile(values, [50, 99])
    print(f"{name}: median {median:.2f} ms, 99 % below {late:.2f} ms, {len(values)} windows")

# %%
# The engine takes a small part of the 40 ms between two windows. The rest of the time from sample to
# outcome is the time that this computer needs to wake up when the samples are due.

fig, ax = plt.subplots(figsize=(7, 3.5), layout="constrained")
bins = np.geomspace(0.05, max(ages_ms) * 1.2, 50)
ax.hist(steps_ms, bins, alpha=0.7, label="engine")
ax.hist(ages_ms, bins, alpha=0.7, label="newest sample to outcome")
ax.set(xscale="log", xlabel="time (ms)", ylabel="windows", title="32 channels at 250 Hz")
ax.legend()
plt.show()
