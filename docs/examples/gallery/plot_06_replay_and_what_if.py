"""
Replay and what if
==================

The recording of a live session contains everything that its outcomes depend on. Therefore you can compute
the outcomes again and compare them bit for bit, and you can compute which decisions another decoder would
have made.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import bci

folder = Path(tempfile.mkdtemp())
epochs = bci.cut_epochs(bci.simulate(folder / "calibration.xdf", trials_per_class=15, seed=1, skill=0.7))
decoder = bci.fit(epochs, "ts-lr")
decoder.save(folder / "model.safetensors")

# %%
# The session runs on a virtual clock, with the same engine, loop and recorder as :func:`bci.run`. Another
# seed simulates another day.

session = bci.simulate_session(
    folder / "session.xdf", folder / "model.safetensors", trials_per_class=5, seed=2, skill=0.7
)

# %%
# The replay passes the raw samples through the engine again, and compares every outcome with the recorded
# outcome.

replay = bci.verify(folder / "session.xdf")
print(f"{replay.identical} of {replay.outcomes} outcomes are identical, {replay.how}. Verified: {replay.ok}")

# %%
# What would another decoder have decided? It gets the same windows, so that you can compare the two
# decoders window by window.

was, would_be = bci.decode(session, decoder), bci.decode(session, bci.fit(epochs, "csp-lda"))
changed = np.mean([a != b for a, b in zip(was.decisions, would_be.decisions, strict=True)])
print(f"csp-lda would have decided {100 * changed:.0f} % of all windows differently")

fig, ax = plt.subplots(figsize=(8, 3.5), layout="constrained")
for name, outcomes in (("ts-lr, as it was", was), ("csp-lda, as it would have been", would_be)):
    ax.plot(outcomes.stamps - was.stamps[0], outcomes.probabilities[:, 0], label=name, linewidth=1)
for cue in session.cues():
    height = 1.05 if cue.class_ == was.classes[0] else -0.05
    ax.plot(cue.time_s - was.stamps[0] + np.array([0.5, 2.5]), [height, height], color="black", linewidth=4)
ax.set(
    xlabel="time (s)",
    ylabel=f"probability of {was.classes[0]}",
    title="Black bars: the class that a cue asked for",
)
ax.legend(loc="center right")
plt.show()
