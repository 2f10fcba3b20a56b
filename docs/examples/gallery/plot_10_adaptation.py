"""
Adaptation to a changing signal
===============================

Gains and impedances change within an hour, and then a good decoder makes errors. Recentring follows the
mean of the covariances without any label, within a fixed bound. It is off unless the settings turn it on.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import bci

folder = Path(tempfile.mkdtemp())
decoder = bci.fit(bci.simulate(folder / "calibration.xdf", trials_per_class=20, seed=1, skill=0.7), "ts-lr")
later = bci.simulate(folder / "later.xdf", trials_per_class=20, seed=2, skill=0.7)

# %%
# The gain of each channel drifts to a random value during the first third of the session.

rise = np.minimum(1.0, np.arange(len(later.eeg.data)) / (len(later.eeg.data) / 3))
gains = np.exp(rise[:, None] * np.random.default_rng(5).normal(0, 0.4, later.eeg.data.shape[1]))
drifting = later.with_data(later.eeg.data * gains)

# %%
# The same decoder decodes both recordings; the second one also with recentring.

following = later.config.model_copy(update={"recentre": bci.configure(recentre={"on": True}).recentre})
scores = {
    "no drift": bci.score(later, decoder),
    "drift": bci.score(drifting, decoder),
    "drift, recentred": bci.score(drifting, decoder, following),
}
for name, one in scores.items():
    print(f"{name:17} {one}")

# %%
# The share of correct answers in the last ten trials shows when the decoder becomes worse. This is one
# person with one drift; the page `Adaptation to a changing signal <../guides/adaptation.html>`_ shows the
# means over fifty simulated people.

fig, ax = plt.subplots(figsize=(8, 3.5), layout="constrained")
for name, one in scores.items():
    right = np.convolve(one.truth == one.predicted, np.full(10, 0.1), "valid")
    ax.plot(np.arange(10, len(one.truth) + 1), 100 * right, label=name)
ax.axhline(50, color="grey", linestyle="--", label="chance")
ax.set(xlabel="trial", ylabel="correct of the last ten (%)", ylim=(0, 101))
ax.legend()
plt.show()
