"""
A decoder of your own
=====================

Any scikit-learn classifier that has ``predict_proba`` can be a decoder. It is cross-validated, fitted and
run by the same code as the decoders that come with bci.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import bci

folder = Path(tempfile.mkdtemp())
recording = bci.simulate(folder / "calibration.xdf", trials_per_class=20, seed=1, skill=0.6)
epochs = bci.cut_epochs(recording)

# %%
# The estimator gets trials of shape (trials, channels, samples) in microvolts. This one takes the logarithm
# of each channel's power, and separates the classes by linear discriminant analysis.


def log_power(trials):
    return np.log(trials.var(axis=2))


mine = make_pipeline(FunctionTransformer(log_power), LinearDiscriminantAnalysis())

# %%
# Cross-validation leaves out blocks of neighbouring trials, never shuffled ones: trials that are close in
# time resemble each other.

decoders = {"mine": mine, "csp-lda": "csp-lda", "mdm": "mdm"}
results = {name: bci.cross_validate(epochs, decoder) for name, decoder in decoders.items()}
for result in results.values():
    print(result)

# %%
# The bars are 95 % intervals. With 40 trials they are wide, so small differences between decoders mean
# little.

accuracy = np.array([result.accuracy for result in results.values()])
low, high = np.array([result.interval for result in results.values()]).T

fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
ax.hlines(list(results), 100 * low, 100 * high)
ax.plot(100 * accuracy, list(results), "o")
ax.axvline(50, color="grey", linestyle="--", label="chance")
ax.set(xlabel="correct (%)", xlim=(40, 101), title="Cross-validated accuracy")
ax.margins(y=0.3)
ax.legend()
plt.show()

# %%
# The fitted estimator decodes a recording in the engine, window by window. To run it in a live session, make
# a plug-in of it: `Add a decoder <../tutorials/add-a-decoder.html>`_.

bci.decode(recording, bci.fit(epochs, mine)).to_frame()[["stamp", "reason", "decision"]].tail()
